"""Where the lanes of a block stand in a shape, and how they become threads of the kernel IR."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from openrpp.codegen.lift.emit import WARP, Emitter
from openrpp.codegen.lift.graph import Shape
from openrpp.kir.ir import Value
from openrpp.kir.types import I32, I64

Triple = tuple[int, int, int]


def threads_for(start: Shape, shapes: Iterable[Shape], least: int) -> Triple:
    """The block of the kernel IR: as many threads as the largest shape of a column has lanes, but at least `least`.

    `start` counts where no shape of a column is known. Rows of whole warps stay rows: then x is affine along vectors,
    and y and z are the same in all of one.
    """
    known = [shape for shape in shapes if shape.n is not None] or [start]
    largest = max(known, key=lambda shape: shape.n or 0)
    lanes = max(largest.n or 1, least)
    x = max(largest.x or 1, 1)
    if x % WARP == 0 and lanes % x == 0:
        return x, lanes // x, 1
    return lanes, 1, 1


@dataclass(frozen=True)
class Lanes:
    """Positions of the lanes: numbers, coordinates, and whether a lane takes part (None where all do).

    `x2` and `i2` are 2 x and 2 i in 64 bits, for addresses.
    """

    i: Value
    x: Value
    y: Value
    z: Value
    i2: Value
    x2: Value
    active: Value | None
    size: Value


class Positions:
    """Positions in every shape of a program; those of known shapes are computed once, at the start of the kernel."""

    def __init__(self, to: Emitter, block: Triple) -> None:
        self.to = to
        self.block = block
        self.column, self.row = to.tid("x"), to("tid", axis="y")
        first = to("mul", self.row, block[0], nuw=True, nsw=True) if block[1] > 1 else to.number(I32, 0)
        self.i = to("add", self.column, first, nuw=True, nsw=True) if block[1] > 1 else self.column
        self.i2 = self._doubled(self.i)
        self.known: dict[Shape, Lanes] = {}

    def _doubled(self, value: Value) -> Value:
        return self.to.op("zext", self.to.op("shl", value, 1, nuw=True, nsw=True), kind=I64)

    def prepare(self, shape: Shape) -> None:
        """Compute the positions of a known shape here."""
        to, (x, y, n) = self.to, (shape.x, shape.y, shape.n)
        assert x is not None and y is not None and n is not None
        width, height = max(x, 1), max(y, 1)
        if width == self.block[0]:
            column, row, rows = self.column, self.row, -(-n // width)
        elif n <= width:
            column, row, rows = self.i, to.number(I32, 0), 1
        else:
            column, row = to.op("urem", self.i, width), to.op("udiv", self.i, width)
            rows = -(-n // width)
        if rows <= height:
            y_, z_ = row, to.number(I32, 0)
        else:
            y_, z_ = to.op("urem", row, height), to.op("udiv", row, height)
        active = None if n == self.threads else to.test("ult", self.i, n)
        self.known[shape] = Lanes(self.i, column, y_, z_, self.i2, self._doubled(column), active, to.number(I32, n))

    @property
    def threads(self) -> int:
        """Threads of the block."""
        return self.block[0] * self.block[1] * self.block[2]

    def at_run_time(self, x: Value, y: Value, n: Value) -> Lanes:
        """Positions in a shape that registers hold (32 bits each)."""
        to = self.to
        width, height = (to.op("umax", extent, 1) for extent in (x, y))
        column, row = to.op("urem", self.i, width), to.op("udiv", self.i, width)
        y_, z_ = to.op("urem", row, height), to.op("udiv", row, height)
        return Lanes(self.i, column, y_, z_, self.i2, self._doubled(column), to.test("ult", self.i, n), n)
