"""What lifting makes, and the words by which a lifted kernel and whoever launches it speak to each other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from openrpp.codegen.lift.graph import Shape
from openrpp.codegen.lift.sampling import Site
from openrpp.kir.ir import Module
from openrpp.machine.faults import Fault

NAME: Final = "lifted"
FAULT, DETAIL, LOGGED, COLUMNS, BLOCK = 0, 4, 8, 16, 24
"""Bytes of the state: number of the fault + 1, what it met, values learned, columns executed (64 bits), block."""
FLAGS: Final = 64
"""From here on a byte for each 16-bit word of a bank of parameter memory: whether a transfer has written it."""


class UnknownShape(Fault):
    """The block got a shape that the program was not lifted for."""


@dataclass(frozen=True)
class Stop:
    """A way in which the launch may be refused while it runs; a `{}` in the sentence stands for the detail."""

    kind: type[Fault]
    sentence: str
    word: int


@dataclass(frozen=True)
class Lifted:
    """A program as kernel IR.

    Attributes:
        module: one kernel, `NAME`, that runs all blocks of a grid in order as one block of `block` threads.
        block: threads of the kernel IR.
        start: shape of the launch.
        shapes: shapes of the card's block that it can take.
        stops: the faults by number.
        flag_bytes: bytes of flags in the state; the log of values learned (32 bits each) follows.
        learns: whether control or scalars depend on data.
        sites: columns whose addresses are recorded.
    """

    module: Module
    block: tuple[int, int, int]
    start: Shape
    shapes: tuple[Shape, ...]
    stops: tuple[Stop, ...]
    flag_bytes: int
    learns: bool
    sites: tuple[Site, ...] = ()
