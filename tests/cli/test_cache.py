"""`rpp cache`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from openrpp.storage import Cache

from .conftest import Rpp


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cache:
    monkeypatch.setenv("RPP_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("RPP_CACHE_BYTES", "5000")
    return Cache()


def test_an_empty_cache_is_shown(rpp: Rpp, cache: Cache) -> None:
    result = rpp("cache")
    assert result.exit_code == 0, result.stderr
    lines = [line.split(maxsplit=1) for line in result.stdout.splitlines()[1:]]
    assert lines == [["folder", str(cache.root)], ["entries", "0"], ["size", "0 bytes"], ["cap", "4.9 KiB"]]


def test_entries_are_counted_by_kind_and_cleared(rpp: Rpp, cache: Cache) -> None:
    cache.write("ir", "a", bytes(1500))
    cache.write("ir", "b", bytes(500))
    cache.write("object", "c", bytes(100))
    shown = rpp("cache").stdout
    assert "2 entries, 2.0 KiB" in shown and "1 entries, 100 bytes" in shown
    assert json.loads(rpp("cache", "--json").stdout) == {
        "path": str(cache.root),
        "entries": 3,
        "bytes": 2100,
        "limit_bytes": 5000,
        "kinds": {"ir": {"entries": 2, "bytes": 2000}, "object": {"entries": 1, "bytes": 100}},
        "removed": 0,
    }
    assert json.loads(rpp("cache", "--clear", "--json").stdout) | {"path": ""} == {
        "path": "", "entries": 0, "bytes": 0, "limit_bytes": 5000, "kinds": {}, "removed": 3,
    }  # fmt: skip
    assert cache.entries() == []


def test_a_cap_that_is_no_number_is_a_sentence(rpp: Rpp, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RPP_CACHE_BYTES", "2G")
    result = rpp("cache")
    assert (result.exit_code, result.stderr) == (2, "rpp: cache: RPP_CACHE_BYTES=2G is no number of bytes\n")
