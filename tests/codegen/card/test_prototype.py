"""The ten kernels that the first card back end was judged by stay within their columns."""

from __future__ import annotations

import sys
from typing import Any

import pytest

from benchmarks.mapping.prototype import prototype
from openrpp.codegen.card.measures import least_words
from openrpp.isa.assembler import assemble


def test_columns_of_kernels_and_of_their_loops_are_within_the_bars() -> None:
    rows = prototype()
    assert [row.job.name for row in rows if not row.met] == []
    assert all(len(row.loops) >= len(row.job.loops) for row in rows)


def test_the_lower_bound_of_words_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[int, int]] = []

    def assembled(text: str, name: str) -> Any:
        machine = assemble(text, name)
        seen.append((least_words(text), len(machine.words)))
        return machine

    monkeypatch.setattr(sys.modules["openrpp.codegen.card.program"], "assemble", assembled)
    prototype()
    assert len(seen) == 10 and all(words / 3 < least <= words for least, words in seen)
