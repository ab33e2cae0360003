"""Generation: chunks, stops, limits, and sampling, on a model that counts."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from openrpp.llm.errors import ModelError
from openrpp.llm.generate import Generation, card_rate, perplexity
from openrpp.llm.sampling import Sampler, Sampling
from openrpp.machine.report import Span

SEED = 11


class Counting:
    """Expects the token after the last one; notes its steps."""

    def __init__(self, context: int = 64, chunk: int = 4, timed: bool = True) -> None:
        self.context, self.chunk, self.timed = context, chunk, timed
        self.steps: list[tuple[list[int], int]] = []

    def step(self, tokens: Sequence[int], past: int) -> NDArray[np.float32]:
        self.steps.append((list(tokens), past))
        logits = np.zeros(32, np.float32)
        logits[(tokens[-1] + 1) % 32] = 5
        return logits

    def card_time(self, tokens: int, past: int) -> Span | None:
        return Span(1.0, 2.0, 4.0).scaled(tokens * (past + 1)) if self.timed else None


def test_a_prompt_is_read_in_chunks_and_answered_token_by_token() -> None:
    model = Counting()
    generation = Generation(model, range(1, 11), 3)
    assert list(generation.tokens()) == [11, 12, 13]
    assert model.steps == [([1, 2, 3, 4], 0), ([5, 6, 7, 8], 4), ([9, 10], 8), ([11], 10), ([12], 11)]
    assert generation.reason == "length"
    assert (generation.prompt.tokens, generation.decode.tokens, generation.past) == (10, 2, 12)


def test_stop_tokens_end_the_answer_and_are_not_part_of_it() -> None:
    generation = Generation(Counting(), [5], 100, stops=frozenset({9}))
    assert list(generation.tokens()) == [6, 7, 8]
    assert generation.reason == "stop"


def test_a_full_context_ends_the_answer() -> None:
    generation = Generation(Counting(context=6), [1, 2, 3, 4], 100)
    assert list(generation.tokens()) == [5, 6, 7]
    assert generation.reason == "context"


@pytest.mark.parametrize(
    ("prompt", "past", "sentence"),
    [
        ([], 0, "the prompt is empty; a model needs one token at least"),
        (range(65), 0, "the prompt has 65 tokens, the context 64"),
        (range(5), 60, "the prompt has 5 tokens after 60 of the conversation, the context 64"),
    ],
)
def test_a_prompt_that_does_not_fit_is_refused(prompt: Sequence[int], past: int, sentence: str) -> None:
    with pytest.raises(ModelError) as error:
        Generation(Counting(), prompt, 1, past=past)
    assert str(error.value) == sentence


def test_the_card_rate_is_that_of_the_step_in_the_middle() -> None:
    model = Counting()
    generation = Generation(model, [1, 2], 5)
    list(generation.tokens())
    found = card_rate(model, generation.decode)
    assert found is not None
    assert (found.tokens, found.past, found.rate) == (1, 4, Span(1 / 20, 1 / 10, 1 / 5))
    assert card_rate(Counting(timed=False), generation.decode) is None


def test_greedy_takes_the_first_of_equal_tokens() -> None:
    assert Sampler(Sampling()).choose(np.array([1, 3, 3, 2], np.float32)) == 1


def test_samples_have_the_distribution_of_the_logits() -> None:
    logits = np.log(np.array([0.5, 0.3, 0.15, 0.05], np.float32))
    counts = np.bincount([*_drawn(Sampling(temperature=1.0, seed=SEED), logits, 4000)], minlength=4) / 4000
    assert np.allclose(counts, [0.5, 0.3, 0.15, 0.05], atol=0.03), f"seed {SEED}"
    cold = np.bincount([*_drawn(Sampling(temperature=0.5, seed=SEED), logits, 4000)], minlength=4) / 4000
    squares = np.array([0.25, 0.09, 0.0225, 0.0025])
    assert np.allclose(cold, squares / squares.sum(), atol=0.03), f"seed {SEED}"


def test_top_k_and_top_p_leave_tokens_out() -> None:
    logits = np.log(np.array([0.15, 0.5, 0.05, 0.3], np.float32))
    assert set(_drawn(Sampling(temperature=1.0, top_k=2, seed=SEED), logits, 500)) == {1, 3}
    assert set(_drawn(Sampling(temperature=1.0, top_p=0.85, seed=SEED), logits, 500)) == {0, 1, 3}
    assert set(_drawn(Sampling(temperature=1.0, top_p=0.1, seed=SEED), logits, 50)) == {1}


def test_the_same_seed_gives_the_same_tokens() -> None:
    logits = np.random.default_rng(SEED).standard_normal(100).astype(np.float32)
    sampling = Sampling(temperature=1.0, seed=SEED)
    assert _drawn(sampling, logits, 50) == _drawn(sampling, logits, 50)
    assert _drawn(sampling, logits, 50) != _drawn(Sampling(temperature=1.0, seed=SEED + 1), logits, 50)


def _drawn(sampling: Sampling, logits: np.ndarray, count: int) -> list[int]:
    sampler = Sampler(sampling)
    return [sampler.choose(logits) for _ in range(count)]


@pytest.mark.parametrize(
    ("figures", "sentence"),
    [
        ({"temperature": -1.0}, "temperature -1.0; it is a number from 0 on"),
        ({"top_k": -1}, "top-k -1; it is a number of tokens, 0 for all"),
        ({"top_p": 0.0}, "top-p 0.0; it is a share above 0 and up to 1"),
    ],
)
def test_figures_that_cannot_be_are_refused(figures: dict[str, float], sentence: str) -> None:
    with pytest.raises(ModelError) as error:
        Sampling(**figures)  # pyright: ignore[reportArgumentType]
    assert str(error.value) == sentence


def test_perplexity_is_that_of_the_probabilities() -> None:
    expected = (np.exp(5) + 31) / np.exp(5)
    assert perplexity(Counting(), [1, 2, 3, 4]) == pytest.approx(expected)
    with pytest.raises(ModelError, match="a text of 1 tokens"):
        perplexity(Counting(), [1])
