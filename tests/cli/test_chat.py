"""`rpp chat`, on a model of random numbers."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from .conftest import Rpp

pytest.importorskip("gguf")


@pytest.fixture
def model(folder: Path) -> Path:
    from tests.llm.models import Small, write

    return write(folder / "m.gguf", Small(layers=1))


def test_a_prompt_is_answered_and_both_times_are_told(rpp: Rpp, model: Path) -> None:
    result = rpp("chat", str(model), "--prompt", "ab", "--tokens", "4")
    assert result.exit_code == 0, result.stderr
    assert "model: " in result.stdout
    card, host = (
        next(line for line in result.stdout.splitlines() if word in line) for word in ("card time", "host time")
    )
    assert "low / nominal / high" in card
    assert "first token after" in host


def test_the_document_has_tokens_and_times(rpp: Rpp, model: Path) -> None:
    arguments = ("--prompt", "ab", "--prompt", "a", "--tokens", "3", "--temperature", "1", "--seed", "5", "--json")
    first, second = (rpp("chat", str(model), *arguments) for _ in range(2))
    assert first.exit_code == 0, first.stderr
    turns, again = (json.loads(result.stdout)["turns"] for result in (first, second))
    assert [turn["tokens"] for turn in turns] == [turn["tokens"] for turn in again]
    assert turns[0]["prefill"]["tokens"] == 2 and turns[1]["prompt_tokens_reused"] > 0
    assert turns[0]["prefill"]["card_tokens_per_second"]["nominal"] > 0


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("none.gguf", "--prompt", "a"), "rpp: chat: none.gguf: no such file"),
        (("m.gguf", "--prompt", "b" * 40), "rpp: model: the prompt has 42 tokens, the context 32"),
        (("m.gguf", "--prompt", "a", "--context", "33"), "rpp: model: a context of 33 tokens; small takes 1 to 32"),
        (("m.gguf", "--prompt", "a", "--temperature", "-1"), "rpp: model: temperature -1.0; it is a number from 0 on"),
        (("yolox-tiny-glyphs", "--prompt", "a"), "rpp: chat: yolox-tiny-glyphs is a detector, not a language model"),
        (("m.gguf", "--json"), "rpp: chat: --json needs --prompt and no --interactive"),
        (("cut.gguf", "--prompt", "a"), "rpp: model: cut.gguf is truncated: tensor "),
    ],
)
def test_what_cannot_be_answered_is_a_sentence(
    rpp: Rpp, model: Path, arguments: tuple[str, ...], sentence: str
) -> None:
    model.with_name("cut.gguf").write_bytes(model.read_bytes()[:-5000])
    result = rpp("chat", *arguments)
    assert result.exit_code == 2
    assert result.stderr.startswith(sentence), result.stderr
