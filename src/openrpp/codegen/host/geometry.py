"""How the threads of a block become vectors: groups of `lanes` threads, each a grid of rows and columns.

Threads are numbered x + bx (y + by z). Group g holds threads g * lanes to (g + 1) * lanes - 1. Where rows of the block
fit, lane r * columns + x of a group is column x of row r: then threadIdx.x is affine in x, and threadIdx.y and .z are
the same in all columns of a row. Otherwise (`regular` is False) there is one row, and indices are looked up per lane.
"""

from __future__ import annotations

from dataclasses import dataclass

Triple = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Geometry:
    """The partition of a block of `block` threads into groups."""

    block: Triple
    lanes: int
    rows: int
    regular: bool

    @property
    def columns(self) -> int:
        """Lanes of a row."""
        return self.lanes // self.rows

    @property
    def threads(self) -> int:
        """Threads of a block."""
        return self.block[0] * self.block[1] * self.block[2]

    @property
    def groups(self) -> int:
        """Groups of a block; the last may be filled in part."""
        return -(-self.threads // self.lanes)

    @property
    def full_groups(self) -> int:
        """Groups in which every lane is a thread."""
        return self.threads // self.lanes


def _power_at_least(number: int) -> int:
    return 1 << (number - 1).bit_length()


def partition(block: Triple, limit: int, least: int = 1) -> Geometry:
    """Groups of at most `limit` lanes (a power of two); of at least `least` where several groups are needed.

    A limit of 1 is scalar code: one group for each thread.
    """
    bx, threads = block[0], block[0] * block[1] * block[2]
    if limit == 1:
        return Geometry(block, 1, 1, True)
    lanes = min(limit, max(_power_at_least(threads), 4))
    if threads <= lanes:
        if lanes % bx == 0 and bx < lanes:
            return Geometry(block, lanes, lanes // bx, True)
        return Geometry(block, lanes, 1, bx == threads)
    while lanes >= max(least, 8):
        if bx % lanes == 0:
            return Geometry(block, lanes, 1, True)
        if lanes % bx == 0:
            return Geometry(block, lanes, lanes // bx, True)
        lanes //= 2
    return Geometry(block, min(limit, 32), 1, bx == threads)
