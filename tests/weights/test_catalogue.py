"""Catalogues: ours is complete, mistakes in the user's are sentences with file, name and field."""

from __future__ import annotations

from pathlib import Path

import pytest

from openrpp.weights import WeightsError, entries, entry
from openrpp.weights.catalogue import HuggingFace, Local, Url, read

from .conftest import write_catalogue


def test_our_entries_have_everything_that_is_checked(home: Path) -> None:
    for name, item in entries().items():
        assert item.bytes and item.sha256 and item.title != name and item.licence != "not stated", name


def test_an_entry_of_the_user_is_found_and_replaces_ours(home: Path) -> None:
    write_catalogue(home, '{ url = "https://example.org/a/llm.gguf?x=1" }', name="smollm2-135m-instruct")
    item = entry("smollm2-135m-instruct")
    assert item.source == Url("https://example.org/a/llm.gguf?x=1") and item.file == "llm.gguf"


def test_sources_and_facts_are_read(home: Path) -> None:
    path = home / "more.toml"
    path.write_text(
        '[a]\nkind = "detector"\nsource = { path = "x/net.onnx" }\nfacts = { head = "yolov8" }\n'
        '[b]\nsource = { huggingface = "owner/repo", file = "deep/net.gguf", revision = "v1" }\n'
    )
    found = read(path)
    assert found["a"].source == Local(home / "x" / "net.onnx") and found["a"].facts == {"head": "yolov8"}
    assert found["b"].source == HuggingFace("owner/repo", "deep/net.gguf", "v1") and found["b"].file == "net.gguf"


def test_a_name_that_is_not_there_gets_a_near_one(home: Path) -> None:
    with pytest.raises(WeightsError, match=r"no model is called efficientnet; did you mean efficientnet-lite0\?"):
        entry("efficientnet")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[a\n", "not a catalogue in TOML"),
        ("a = 1\n", r"\[a\]: is no table"),
        ("[a]\n", r"\[a\]: source: is one of wheel"),
        ('[A]\nsource = { url = "https://x/y" }\n', "small letters"),
        ('[a]\nsource = { url = "ftp://x/y" }\n', "neither http, https nor file"),
        ('[a]\nsource = { wheel = "w", version = "1" }\n', "member is missing"),
        ('[a]\nsource = { url = "https://x/y", size = 1 }\n', "source: size is no field here"),
        ('[a]\nsource = { url = "https://x/" }\n', "file = '' is no plain name"),
        ('[a]\nfile = "../b"\nsource = { url = "https://x/y" }\n', r"file = '../b' is no plain name"),
        ('[a]\nbytes = -1\nsource = { url = "https://x/y" }\n', "bytes = -1 is no size"),
        ('[a]\nsha256 = "12"\nsource = { url = "https://x/y" }\n', "is not 64 digits"),
        ('[a]\nkind = "dog"\nsource = { url = "https://x/y" }\n', "kind = 'dog'; there are llm"),
        ('[a]\ncolour = "red"\nsource = { url = "https://x/y" }\n', "colour is no field here"),
    ],
)
def test_mistakes_are_sentences(home: Path, text: str, says: str) -> None:
    path = home / "wrong.toml"
    path.write_text(text)
    with pytest.raises(WeightsError, match=says):
        read(path)
