"""Functions of one operand and of two, element by element, on slabs.

In bfloat16 a function of one operand is a table of its results for all 65,536 words, so it is the function itself,
rounded once; in float32 it is computed, by polynomials where the card has no unit. A function of two operands is
computed in float32 and rounded. Border and padding of the result are zero.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from openrpp.kernels.launch import At, Launch, Region
from openrpp.kernels.slabs import SLAB, Slabs, bf16, f32

WARPS: Final = 255
WORDS: Final = 65536
TABLE_BYTES: Final = 2 * WORDS
Array = NDArray[Any]


@dataclass(frozen=True)
class Function:
    """A function of one operand: its name, and the numbers that some have (see `DEFINITIONS`)."""

    name: str
    alpha: float = 0.0
    beta: float = 0.0


def _sigmoid(x: Array) -> Array:
    return 1 / (1 + np.exp(-x))


def _erf(x: Array) -> Array:
    return np.vectorize(math.erf, otypes=[np.float64])(x)


DEFINITIONS: Final[dict[str, Callable[[Array, float, float], Array]]] = {
    "relu": lambda x, a, b: np.maximum(x, 0),
    "leaky": lambda x, a, b: np.where(x < 0, x * a, x),
    "clip": np.clip,
    "sigmoid": lambda x, a, b: _sigmoid(x),
    "silu": lambda x, a, b: x * _sigmoid(x),
    "tanh": lambda x, a, b: np.tanh(x),
    "hardsigmoid": lambda x, a, b: np.clip(x * a + b, 0, 1),
    "hardswish": lambda x, a, b: x * np.clip(x / 6 + 0.5, 0, 1),
    "gelu": lambda x, a, b: x * (1 + _erf(x / math.sqrt(2))) / 2,
    "gelu_tanh": lambda x, a, b: x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))) / 2,
    "exp": lambda x, a, b: np.exp(x),
    "log": lambda x, a, b: np.log(x),
    "sqrt": lambda x, a, b: np.sqrt(x),
    "reciprocal": lambda x, a, b: 1 / x,
    "erf": lambda x, a, b: _erf(x),
    "abs": lambda x, a, b: np.abs(x),
    "neg": lambda x, a, b: -x,
}
"""Each function in float64, by name; `a` and `b` are alpha and beta."""
PAIRS: Final[dict[str, Callable[[Array, Array], Array]]] = {
    "add": np.add, "sub": np.subtract, "mul": np.multiply, "div": np.divide, "max": np.maximum, "min": np.minimum,
    "rsub": lambda a, b: b - a, "rdiv": lambda a, b: b / a,
}  # fmt: skip


def defined(function: Function, values: Array) -> NDArray[np.float64]:
    """The function of values, in float64; the limit at infinities where there is one. Raises KeyError."""
    with np.errstate(all="ignore"):
        found = DEFINITIONS[function.name](values.astype(np.float64), function.alpha, function.beta)
    if function.name in ("silu", "gelu", "gelu_tanh", "hardswish"):
        found = np.where(np.isneginf(values), 0.0, found)
    return np.asarray(found, np.float64)


def table(function: Function) -> NDArray[np.uint16]:
    """The bfloat16 results for all bfloat16 words, as the kernels look them up. Raises KeyError."""
    words = np.arange(WORDS, dtype=np.uint32).astype(np.uint16)
    with np.errstate(over="ignore"):
        return bf16(defined(function, f32(words)).astype(np.float32))


def unary(x: Slabs, y: Slabs, function: Function, words: Region | None, node: str = "") -> list[Launch]:
    """y = f(x).

    Args:
        x, y: tensors of the same extents; borders may differ. y does not overlap x.
        function: which one.
        words: `table` of it in SRAM for bfloat16, None for float32.
        node: name for reports.

    Raises ValueError for tensors that differ, or begin within a slab; KeyError for an unknown function.
    """
    _check(x, y)
    DEFINITIONS[function.name]
    where = (x.plane, x.pitch * SLAB, y.plane, y.border, y.pitch, y.height + 2 * y.border, y.channels)
    if y.element == "bf16":
        if words is None:
            raise ValueError(f"{function.name} of bfloat16 values needs its table")
        symbol = "table_edge_bf16" if _has_edge(y) else "table_bf16"
        return [_launch(symbol, y, (x.inside, y.start, At(words), *where), (x.region, words), node)]
    numbers = (function.alpha, function.beta)
    return [_launch(f"{function.name}_f32", y, (x.inside, y.start, *where, *numbers), (x.region,), node)]


def binary(name: str, a: Slabs, b: Slabs, y: Slabs, node: str = "") -> list[Launch]:
    """y = f(a, b) with a of the extents of y; an extent of b that is 1 is repeated.

    Args:
        name: of a function in `PAIRS`.
        a, b: operands.
        y: the result; does not overlap them.
        node: name for reports.

    Raises ValueError for tensors that do not fit, or begin within a slab; KeyError for an unknown function.
    """
    PAIRS[name]
    _check(a, y)
    _check_operand(b, y)
    steps = (
        b.plane if b.channels > 1 else 0,
        b.pitch * SLAB if b.height > 1 else 0,
        SLAB if b.width > 1 else 0,
        1 if b.channels > 1 else 0,
    )
    where = (y.plane, y.border, y.pitch, y.height + 2 * y.border, y.channels)
    arguments = (a.inside, b.inside, y.start, a.plane, a.pitch * SLAB, *steps, *where)
    symbol = f"{name}_edge_{y.element}" if _has_edge(y) else f"{name}_{y.element}"
    return [_launch(symbol, y, arguments, (a.region, b.region), node)]


def _check(x: Slabs, y: Slabs) -> None:
    one, other = (x.channels, x.height, x.width, x.element), (y.channels, y.height, y.width, y.element)
    if one != other:
        raise ValueError(f"tensors of {list(one)} and {list(other)} differ")
    if x.first or y.first:
        raise ValueError(f"a tensor begins at channel {x.first or y.first} of a slab")


def _check_operand(b: Slabs, y: Slabs) -> None:
    pairs = ((b.channels, y.channels), (b.height, y.height), (b.width, y.width))
    if b.element != y.element or any(one not in (1, other) for one, other in pairs):
        raise ValueError(
            f"an operand of {[one for one, _ in pairs]} is not repeated to {[other for _, other in pairs]}"
        )
    if b.first:
        raise ValueError(f"an operand begins at channel {b.first} of a slab")


def _has_edge(y: Slabs) -> bool:
    """Whether there are elements that must be zero."""
    return y.border > 0 or y.channels % SLAB != 0


def tile(columns: int, rows: int) -> tuple[int, int]:
    """Pixels of a row and rows that a block takes, so that blocks are full and overlap little."""
    across = -(-columns // -(-columns // WARPS))
    down = max(min(WARPS // across, rows), 1)
    return across, -(-rows // -(-rows // down))


def _launch(symbol: str, y: Slabs, arguments: tuple[Any, ...], reads: tuple[Region, ...], node: str) -> Launch:
    columns, rows = y.pitch, y.height + 2 * y.border
    across, down = tile(columns, rows)
    grid = (-(-columns // across), -(-rows // down), y.slabs)
    kernel = f"elementwise/{symbol}"
    return Launch(kernel, grid, (SLAB, across, down), arguments, reads, (y.region,), node=node)
