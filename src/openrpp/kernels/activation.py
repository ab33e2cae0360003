"""Functions that a kernel applies to a sum before it stores it, and their tables for bfloat16."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from math import inf
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from openrpp.kernels.slabs import Element, bf16, f32

Function = Literal["none", "silu", "sigmoid", "hard_swish", "hard_sigmoid", "leaky"]
NUMBERS: Final[dict[Function, int]] = {
    "none": 0, "silu": 1, "sigmoid": 2, "hard_swish": 3, "hard_sigmoid": 4, "leaky": 5,
}  # fmt: skip
"""As in cuda/epilogue.cuh."""
TABLE_BYTES: Final = 2 << 16


@dataclass(frozen=True)
class Activation:
    """f(min(max(x, low), high)).

    Attributes:
        function: f. silu x sigmoid(x); hard_sigmoid min(max(slope x + offset, 0), 1); hard_swish x hard_sigmoid(x);
            leaky slope x where x < 0.
        low, high: bounds of x: relu has low = 0.
    """

    function: Function = "none"
    low: float = -inf
    high: float = inf
    slope: float = 1 / 6
    offset: float = 0.5

    def __call__(self, x: NDArray[np.floating]) -> NDArray[np.float64]:
        """The function of values."""
        x = np.clip(x.astype(np.float64), self.low, self.high)
        with np.errstate(over="ignore", invalid="ignore"):
            gate = np.minimum(np.maximum(self.slope * x + self.offset, 0), 1)
            logistic = 1 / (1 + np.exp(-x))
            match self.function:
                case "none":
                    return x
                case "silu":
                    return np.where(x == -inf, 0, x * logistic)
                case "sigmoid":
                    return logistic
                case "hard_swish":
                    return np.where(x == -inf, 0, x * gate)
                case "hard_sigmoid":
                    return gate
                case "leaky":
                    return np.where(x < 0, self.slope * x, x)

    def needs_table(self, element: Element) -> bool:
        """Whether kernels take it from a table: all functions of bfloat16 but bounds."""
        return element == "bf16" and self.function != "none"

    @property
    def keeps_zero(self) -> bool:
        """Whether it makes 0 of 0."""
        return bool(self(np.zeros(1))[0] == 0)


NONE: Final = Activation()
RELU: Final = Activation(low=0)
RELU6: Final = Activation(low=0, high=6)
SILU: Final = Activation("silu")
SIGMOID: Final = Activation("sigmoid")
HARD_SWISH: Final = Activation("hard_swish")


@lru_cache
def table(activation: Activation) -> NDArray[np.uint16]:
    """The function of every bfloat16 value, indexed by its bits, rounded to nearest even: 65,536 words for SRAM."""
    with np.errstate(invalid="ignore"):
        return bf16(activation(f32(np.arange(1 << 16, dtype=np.uint16))).astype(np.float32))
