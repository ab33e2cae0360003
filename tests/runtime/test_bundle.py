"""Files of compiled programs: what is written comes back, what is no such file is refused in a sentence."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from openrpp.kir import parse_module
from openrpp.kir.printer import print_module
from openrpp.runtime.bundle import VERSION, Bundle, BundleError, Refused, read_bundle, write_bundle
from openrpp.runtime.compiled import Form, compiled
from openrpp.storage import Cache

from .test_machine_code import TEXT

FORM = Form((64, 1, 1), 2)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    module = parse_module(TEXT)
    programs = {("turn", FORM): compiled(module, "turn", FORM, Cache(tmp_path / "cache"))}
    refused = (Refused("_Z3odd", "setjmp", "there is no stack", ("sums.cu", 4, 2), "odd"),)
    names = {"add": ("add",), "turn": ("turn",), "odd": ("_Z3odd",)}
    write_bundle(tmp_path / "sums.rpp", Bundle("sums.cu", "ae7100x", module, names, {"f<1>": "add"}, refused, programs))
    return tmp_path / "sums.rpp"


def test_what_is_written_comes_back(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = read_bundle(file)
    assert print_module(found.module) == print_module(parse_module(TEXT))
    assert (found.label, found.target) == ("sums.cu", "ae7100x")
    assert found.names["odd"] == ("_Z3odd",) and found.expressions == {"f<1>": "add"}
    assert tuple(found.refused[0])[:3] == ("_Z3odd", "setjmp", "there is no stack")
    monkeypatch.setattr("openrpp.codegen.card.compile", None)  # the file's own machine code is used
    again = compiled(found.module, "turn", FORM, Cache(file.parent / "other"))
    assert again is found.programs["turn", FORM]


def test_equal_content_gives_equal_files(file: Path) -> None:
    other = file.with_name("other.rpp")
    write_bundle(other, read_bundle(file))
    assert other.read_bytes() == file.read_bytes()


def _changed(file: Path, name: str, change: Callable[[Any], Any]) -> None:
    with zipfile.ZipFile(file) as archive:
        content = {item: archive.read(item).decode() for item in archive.namelist()}
    content[name] = change(content[name])
    with zipfile.ZipFile(file, "w") as archive:
        for item, text in content.items():
            archive.writestr(item, text)


def _in_manifest(key: str, value: object) -> Callable[[str], str]:
    return lambda text: json.dumps(json.loads(text) | {key: value})


BROKEN: dict[str, tuple[str, Callable[[str], str], str]] = {
    "newer": (
        "manifest.json",
        _in_manifest("version", VERSION + 1),
        f"it has version {VERSION + 1}; this OpenRPP",
    ),
    "foreign": ("manifest.json", _in_manifest("format", "jar"), "its format is 'jar', not 'openrpp program'"),
    "target": (
        "manifest.json",
        _in_manifest("target", "z80"),
        "its target 'z80' is not known; there are ae7100",
    ),
    "names": ("manifest.json", _in_manifest("names", None), "its manifest does not say what is needed"),
    "json": ("manifest.json", lambda text: text[:20], "its manifest does not say what is needed"),
    "kernel": ("module.kir", lambda text: text.replace("barrier", "barier"), "its kernel IR is not valid"),
    "code": ("code/0.json", lambda text: text.replace('"area_bytes"', '"size"'), "its machine code cannot be read"),
}


@pytest.mark.parametrize("what", BROKEN)
def test_a_file_that_cannot_be_used_says_why(file: Path, what: str) -> None:
    name, change, sentence = BROKEN[what]
    _changed(file, name, change)
    with pytest.raises(BundleError, match=sentence) as found:
        read_bundle(file)
    assert str(found.value).startswith(str(file))


def test_truncated_and_foreign_files(file: Path) -> None:
    data = file.read_bytes()
    for size in (0, 10, len(data) // 2, len(data) - 1):
        file.write_bytes(data[:size])
        with pytest.raises(BundleError, match="is no compiled program, or a damaged one"):
            read_bundle(file)
    file.write_bytes(data[:200] + bytes(byte ^ 255 for byte in data[200:260]) + data[260:])
    with pytest.raises(BundleError, match="damaged"):
        read_bundle(file)
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("a.txt", "hello")
    with pytest.raises(BundleError, match=r"holds no manifest\.json"):
        read_bundle(file)
    with pytest.raises(FileNotFoundError):
        read_bundle(file.with_name("none.rpp"))
