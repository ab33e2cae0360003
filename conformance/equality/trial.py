"""A launch that every engine is to carry out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from openrpp.kir.interp import Memory
from openrpp.kir.ir import Module

Triple = tuple[int, int, int]


@dataclass(frozen=True, eq=False)
class Struct:
    """A struct by value; `pointers` are arrays whose addresses stand at offsets."""

    data: bytes
    pointers: Mapping[int, NDArray[Any]] = field(default_factory=dict[int, NDArray[Any]])


Argument = int | float | bytes | np.generic | NDArray[Any] | Struct


@dataclass(frozen=True, eq=False)
class Trial:
    """A kernel of a module and a launch of it. Arrays among `args` are device memory."""

    name: str
    module: Module
    symbol: str
    grid: Triple
    block: Triple
    args: Sequence[Argument]
    shared_bytes: int = 0
    plain_limit: int = 150
    judge: Callable[[NDArray[np.uint8], NDArray[np.uint8]], str] | None = None


def place(args: Sequence[Argument], memory: Memory) -> tuple[list[Any], dict[int, int]]:
    """(arguments with addresses of copies of the arrays in `memory`, bytes per element at each address)."""
    widths: dict[int, int] = {}

    def bound(array: NDArray[Any]) -> int:
        address = memory.bind(array.copy())
        widths[address] = array.itemsize
        return address

    placed: list[Any] = []
    for arg in args:
        if isinstance(arg, np.ndarray):
            placed.append(bound(arg))
        elif isinstance(arg, Struct):
            data = bytearray(arg.data)
            for offset, array in arg.pointers.items():
                data[offset : offset + 8] = bound(array).to_bytes(8, "little")
            placed.append(bytes(data))
        else:
            placed.append(arg)
    return placed, widths
