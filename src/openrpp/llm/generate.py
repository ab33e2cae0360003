"""Prompts to answers: prefill in chunks, then token by token."""

from __future__ import annotations

import time
from collections.abc import Generator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from openrpp.llm.errors import ModelError
from openrpp.llm.sampling import Sampler, Sampling
from openrpp.machine.report import Span

Reason = Literal["stop", "length", "context"]


class Model(Protocol):
    """A language model with a cache.

    Attributes:
        context: tokens that the cache has room for.
        chunk: most tokens of a step.
    """

    context: int
    chunk: int

    def step(self, tokens: Sequence[int], past: int) -> NDArray[np.float32]:
        """Go on behind `past` tokens of the cache with some more; what the cache held behind them is forgotten.

        Returns logits [vocabulary] for the token after the last.
        """
        ...

    def card_time(self, tokens: int, past: int) -> Span | None:
        """Seconds of card time of such a step; None where it is not known. Nothing runs."""
        ...


@dataclass
class Phase:
    """Steps of a phase of a generation: (tokens, tokens before) of each, and their seconds on this computer."""

    steps: list[tuple[int, int]] = field(default_factory=list[tuple[int, int]])
    host: float = 0.0

    @property
    def tokens(self) -> int:
        """Tokens of all steps."""
        return sum(tokens for tokens, _ in self.steps)

    @property
    def host_rate(self) -> float | None:
        """Tokens per second on this computer."""
        return self.tokens / self.host if self.tokens and self.host else None

    def join(self, other: Phase) -> None:
        """Steps of another one behind these."""
        self.steps += other.steps
        self.host += other.host


@dataclass(frozen=True)
class CardRate:
    """Tokens per second of card time, of a step of `tokens` behind `past`; the low rate goes with the high time."""

    tokens: int
    past: int
    rate: Span


def card_rate(model: Model, phase: Phase) -> CardRate | None:
    """The rate of the step in the middle of a phase, None where it is not known."""
    if not phase.steps:
        return None
    tokens, past = phase.steps[len(phase.steps) // 2]
    taken = model.card_time(tokens, past)
    if taken is None or not taken.low:
        return None
    return CardRate(tokens, past, Span(tokens / taken.high, tokens / taken.nominal, tokens / taken.low))


class Generation:
    """One answer.

    Attributes:
        prompt, decode: what was read, and what was made after the first token.
        reason: why it ended: a stop token, `count` tokens, or a full context; None while it goes on.

    Raises ModelError for a prompt that is empty or longer than the model's context.
    """

    def __init__(
        self,
        model: Model,
        prompt: Sequence[int],
        count: int,
        sampling: Sampling | None = None,
        stops: frozenset[int] = frozenset(),
        past: int = 0,
    ) -> None:
        """Go on with a prompt behind `past` tokens that the model has read already; `count` tokens at most."""
        if not prompt:
            raise ModelError("the prompt is empty; a model needs one token at least")
        if past + len(prompt) > model.context:
            had = f" after {past} of the conversation" if past else ""
            raise ModelError(f"the prompt has {len(prompt)} tokens{had}, the context {model.context}")
        self._model = model
        self._prompt = list(prompt)
        self._count = count
        self._sampler = Sampler(sampling or Sampling())
        self._stops = stops
        self.past = past
        self.prompt = Phase()
        self.decode = Phase()
        self.reason: Reason | None = None

    def tokens(self) -> Generator[int, None, None]:
        """The answer's tokens as they come, stop tokens left out."""
        token = self._sampler.choose(self._prefill())
        for made in range(1, self._count + 1):
            if token in self._stops:
                self.reason = "stop"
                return
            yield token
            if made == self._count:
                break
            if self.past >= self._model.context:
                self.reason = "context"
                return
            token = self._sampler.choose(self._advance(self.decode, [token]))
        self.reason = "length"

    def _prefill(self) -> NDArray[np.float32]:
        logits: NDArray[np.float32] | None = None
        for begin in range(0, len(self._prompt), self._model.chunk):
            logits = self._advance(self.prompt, self._prompt[begin : begin + self._model.chunk])
        assert logits is not None
        return logits

    def _advance(self, phase: Phase, tokens: Sequence[int]) -> NDArray[np.float32]:
        begun = time.perf_counter()
        logits = self._model.step(tokens, self.past)
        phase.host += time.perf_counter() - begun
        phase.steps.append((len(tokens), self.past))
        self.past += len(tokens)
        return logits


def perplexity(model: Model, tokens: Sequence[int]) -> float:
    """exp of the mean surprise at each token after the first, each given all before it; steps of one token.

    Raises ModelError for a text longer than the context, or of fewer than two tokens.
    """
    if not 2 <= len(tokens) <= model.context:
        raise ModelError(f"a text of {len(tokens)} tokens; perplexity takes 2 to {model.context}, the context")
    surprise = 0.0
    for past, (token, following) in enumerate(pairwise(tokens)):
        logits = model.step([token], past).astype(np.float64)
        highest = logits.max()
        surprise += float(np.log(np.exp(logits - highest).sum()) + highest - logits[following])
    return float(np.exp(surprise / (len(tokens) - 1)))
