"""Tokenizers and chat templates; token ids against those of transformers where SmolLM2 is at hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from openrpp.llm.chat import Message, prompt_tokens, rendered
from openrpp.llm.errors import ModelError
from openrpp.llm.tokenizer import TextStream, Tokenizer, merges_of
from tests.llm.models import KINDS, PIECES

BYTE_LETTERS = [
    *(chr(byte) for byte in (*range(33, 127), *range(161, 173), *range(174, 256))),
    *(chr(256 + index) for index in range(68)),
]
"""The letters that GPT-2 writes bytes as."""


def pieces_like_gpt2(**more: Any) -> dict[str, Any]:
    words = ["he", "ll", "hell", "hello", "Ġw", "or", "Ġwor"]
    tokens = ["<|im_start|>", "<|im_end|>", *BYTE_LETTERS, *words]
    return {
        "tokenizer.ggml.model": "gpt2",
        "tokenizer.ggml.pre": "smollm",
        "tokenizer.ggml.tokens": tokens,
        "tokenizer.ggml.token_type": [3, 3, *([1] * (len(tokens) - 2))],
        "tokenizer.ggml.merges": ["h e", "l l", "he ll", "hell o", "Ġ w", "o r", "Ġw or"],
        "tokenizer.ggml.bos_token_id": 0,
        "tokenizer.ggml.eos_token_id": 1,
        "tokenizer.ggml.add_bos_token": False,
        **more,
    }


def pieces_like_sentencepiece() -> dict[str, Any]:
    return {
        "tokenizer.ggml.model": "llama",
        "tokenizer.ggml.tokens": PIECES,
        "tokenizer.ggml.scores": [0.0] * 259 + [-5.0, -4.0, -3.0, -2.0, -1.0],
        "tokenizer.ggml.token_type": KINDS,
        "tokenizer.ggml.bos_token_id": 1,
        "tokenizer.ggml.eos_token_id": 2,
        "tokenizer.ggml.unknown_token_id": 0,
    }


def test_byte_pairs_are_merged_in_order_and_digits_stand_alone() -> None:
    tokenizer = Tokenizer(pieces_like_gpt2())
    tokens = tokenizer.encode("hello wor 12")
    assert [tokenizer.pieces[token] for token in tokens] == ["hello", "Ġwor", "Ġ", "1", "2"]
    assert tokenizer.decode(tokens) == "hello wor 12"


def test_control_tokens_are_found_in_text_only_when_asked() -> None:
    tokenizer = Tokenizer(pieces_like_gpt2())
    assert tokenizer.encode("<|im_end|>") == [1]
    assert 1 not in tokenizer.encode("<|im_end|>", special=False)
    assert tokenizer.stops == {1}


def test_unknown_letters_are_bytes_in_a_sentencepiece_vocabulary() -> None:
    tokenizer = Tokenizer(pieces_like_sentencepiece())
    tokens = tokenizer.encode("ab é")
    assert [tokenizer.pieces[token] for token in tokens] == ["<s>", "▁ab", "▁", "<0xC3>", "<0xA9>"]
    assert tokenizer.decode(tokens) == "ab é"


def test_the_best_piece_is_merged_first() -> None:
    pieces = ["a", "b", "c", "ab", "bc", "abc"]
    assert merges_of(pieces, [0, 0, 0, -2, -1, -3]) == [("b", "c"), ("a", "b"), ("a", "bc"), ("ab", "c")]


@pytest.mark.parametrize("seed", range(3))
def test_streamed_text_is_the_whole_text(seed: int) -> None:
    tokenizer = Tokenizer(pieces_like_gpt2())
    alphabet = list("hello wor\n é日😀")
    text = "".join(np.random.default_rng(seed).choice(alphabet, 40))
    stream = TextStream(tokenizer)
    parts = [stream.add(token) for token in tokenizer.encode(text)]
    assert "".join(parts) + stream.end() == text, f"seed {seed}"
    assert not any("\ufffd" in part for part in parts)


def test_a_template_makes_the_prompt() -> None:
    template = (
        "{% for message in messages %}{{ '<|im_start|>' + message['role'] + ' ' + message['content'] + '<|im_end|>' }}"
        "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>' }}{% endif %}"
    )
    tokenizer = Tokenizer(pieces_like_gpt2(**{"tokenizer.chat_template": template}))
    messages: list[Message] = [{"role": "user", "content": "hello"}]
    assert rendered(tokenizer, messages) == "<|im_start|>user hello<|im_end|><|im_start|>"
    tokens = prompt_tokens(tokenizer, messages)
    assert tokens[0] == 0 and tokens[-2:] == [1, 0]


@pytest.mark.parametrize(
    ("template", "sentence"),
    [
        ("{{ raise_exception('no system') }}", "the model's chat template refuses: no system"),
        ("{% for %}", "the model's chat template fails"),
        ("{{ messages.__class__.__mro__ }}", "the model's chat template fails"),
    ],
)
def test_a_template_that_fails_is_a_sentence(template: str, sentence: str) -> None:
    tokenizer = Tokenizer(pieces_like_gpt2(**{"tokenizer.chat_template": template}))
    with pytest.raises(ModelError) as error:
        prompt_tokens(tokenizer, [{"role": "user", "content": "hello"}])
    assert str(error.value).startswith(sentence)


def test_a_model_without_template_goes_on_with_the_text() -> None:
    tokenizer = Tokenizer(pieces_like_sentencepiece())
    assert prompt_tokens(tokenizer, [{"role": "user", "content": "ab"}]) == tokenizer.encode("ab")


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"tokenizer.ggml.model": "t5"}, "m has a tokenizer of kind t5, which is not supported; gpt2 and llama are"),
        ({"tokenizer.ggml.pre": "chatglm-bpe"}, "m cuts text as chatglm-bpe does, which is not supported; known are"),
        ({"tokenizer.ggml.tokens": []}, "m has no tokenizer"),
        ({"tokenizer.ggml.token_type": [1]}, "m has 265 tokens and kinds of 1"),
    ],
)
def test_a_tokenizer_that_is_not_supported_is_named(change: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ModelError) as error:
        Tokenizer({**pieces_like_gpt2(), **change}, "m").encode("hello")
    assert str(error.value).startswith(sentence)
