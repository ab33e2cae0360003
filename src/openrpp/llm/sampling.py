"""From logits to the next token."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from openrpp.llm.errors import ModelError


@dataclass(frozen=True)
class Sampling:
    """How a token is chosen.

    Attributes:
        temperature: what logits are divided by; 0 takes the best token.
        top_k: only so many of the best tokens may be taken; 0 for all.
        top_p: only the fewest best tokens with this share of the probability (nucleus sampling, Holtzman et al.).
        seed: of the random numbers; None for others every time.

    Raises ModelError for figures that cannot be.
    """

    temperature: float = 0.0
    top_k: int = 0
    top_p: float = 1.0
    seed: int | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.temperature < float("inf"):
            raise ModelError(f"temperature {self.temperature}; it is a number from 0 on")
        if self.top_k < 0:
            raise ModelError(f"top-k {self.top_k}; it is a number of tokens, 0 for all")
        if not 0 < self.top_p <= 1:
            raise ModelError(f"top-p {self.top_p}; it is a share above 0 and up to 1")


class Sampler:
    """Chooses tokens one after the other. The same seed and logits give the same tokens."""

    def __init__(self, sampling: Sampling) -> None:
        self._sampling = sampling
        self._random = np.random.Generator(np.random.PCG64(sampling.seed))

    def choose(self, logits: NDArray[np.float32]) -> int:
        """A token for logits [vocabulary]; of equal ones the first is the best."""
        if self._sampling.temperature == 0:
            return int(np.argmax(logits))
        tokens, shares = self._candidates(logits.astype(np.float64) / self._sampling.temperature)
        drawn = self._random.random() * float(shares.sum())
        place = int(np.count_nonzero(np.cumsum(shares) <= drawn))
        return int(tokens[min(place, len(tokens) - 1)])

    def _candidates(self, logits: NDArray[np.float64]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Tokens that may be taken, the best first, and their probabilities before the others were left out."""
        order = np.argsort(-logits, kind="stable")
        shares = np.exp(logits[order] - logits[order[0]])
        if self._sampling.top_k:
            order, shares = order[: self._sampling.top_k], shares[: self._sampling.top_k]
        shares /= shares.sum()
        if self._sampling.top_p < 1:
            enough = int(np.searchsorted(np.cumsum(shares), self._sampling.top_p)) + 1
            order, shares = order[:enough], shares[:enough]
        return order, shares
