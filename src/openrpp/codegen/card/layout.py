"""The threads of a block of the card: which lane is which thread, and what of an address the port can count by itself.

Threads are in order of x, y, z of their CUDA block, then of the block among those that are merged. Leaves of
polynomials are named after that: `x`, `y`, `z`, `s` (the number of the merged block), and counted through the block
`lane`, `row` and `plane`.
"""

from __future__ import annotations

from collections.abc import Callable
from math import prod

from openrpp.codegen.card.polynomials import Poly

WARP = 32
"""Published strided accesses have rows of whole warps."""
Shape3 = tuple[int, int, int]
_AXES = ("x", "y", "z", "s")
_COUNTERS = ("lane", "row", "plane", "s")


class Layout:
    """The layout of a block."""

    def __init__(self, shape: Shape3, merge: int, *, wide: bool = True) -> None:
        """`wide`: the sequential port takes elements of 32 bits, those of a line."""
        self.wide = wide
        self.extents = (*shape, merge)
        self.threads = prod(self.extents)

    def extent(self, axis: str) -> int:
        """Threads of a CUDA block along an axis."""
        return self.extents[_AXES.index(axis)]

    def count(self, leaf: str) -> int:
        """How many values a leaf takes."""
        if leaf in _AXES:
            return self.extents[_AXES.index(leaf)]
        if leaf in _COUNTERS:
            return prod(self.extents[_COUNTERS.index(leaf) :])
        return 1 << 32

    def thread(self, axis: str) -> Poly:
        """threadIdx."""
        return Poly.number(0) if self.extent(axis) == 1 else Poly.leaf(axis)

    @property
    def columns(self) -> tuple[int, int]:
        """x and y of the shape that the card gives a block, for rows and planes of accesses.

        Two extents are enough for most kernels; they are x and z then, as strides of planes have 32 bits.
        """
        used = [extent for extent in self.extents[1:] if extent > 1]
        return (self.extents[0], 1) if len(used) < 2 else (self.extents[0], self.extents[1])

    def counted(self, poly: Poly) -> Poly:
        """A polynomial of thread indices by numbers of lanes, rows and planes."""
        for place, axis in enumerate(_AXES[:3]):
            of, rest = poly.by(axis)
            if not of.terms:
                continue
            counter = _COUNTERS[place]
            poly = rest + _times(of, counter)
            if prod(self.extents[place + 1 :]) > 1:
                poly = poly + _times(of, _COUNTERS[place + 1]).scaled(-self.extents[place])
        return poly

    def cheapest(self, poly: Poly) -> Poly:
        """The polynomial in indices or in counters, whichever has fewer terms; indices are made of counters."""
        other = self.counted(poly)
        return other if len(other.terms) <= len(poly.terms) else poly

    def rows(self, lane: Poly, size: int, is_short: Callable[[Poly], bool]) -> tuple[Poly, ...] | None:
        """Strides (y, z) in elements of `size` bytes where the elements of a row are neighbours; () where all are.

        `is_short` says of a stride that it has 16 bits, as that of rows must. None where the sequential port cannot
        count the addresses.
        """
        if size not in (2, 4) or (size == 4 and not self.wide):
            return None
        if self.counted(lane).same(Poly.leaf("lane", size)):
            return ()
        if size != 2 or self.extents[0] % WARP:
            return None
        steps = self._steps(lane)
        if steps is None or not steps[0].same(Poly.number(size if self.extents[0] > 1 else 0)):
            return None
        if any(factor % size for step in steps[1:] for factor in step.terms.values()):
            return None
        return self._outer([step.divided(size) for step in steps[1:]], is_short)

    def planes(self, lane: Poly, is_short: Callable[[Poly], bool]) -> tuple[Poly, ...] | None:
        """Strides (y, z) in bytes where all lanes of a row have one address; None where they do not."""
        if self.extents[0] % WARP:
            return None
        steps = self._steps(lane)
        if steps is None or not steps[0].same(Poly.number(0)):
            return None
        return self._outer(steps[1:], is_short)

    def _outer(self, steps: list[Poly], is_short: Callable[[Poly], bool]) -> tuple[Poly, ...] | None:
        """Strides of rows and planes of the card's block, from those along y, z and of merged blocks."""
        none = Poly.number(0)
        y, z, s = steps
        outer = [step for step, extent in zip((y, z, s), self.extents[1:], strict=True) if extent > 1]
        if len(outer) < 2:
            return none, outer[0] if outer else none
        if not is_short(y):
            return None
        if self.extents[2] > 1 and self.extents[3] > 1:
            return (y, z) if s.same(z.scaled(self.extents[2])) else None
        return y, z if self.extents[2] > 1 else s

    def _steps(self, lane: Poly) -> list[Poly] | None:
        """What an address grows by along each axis; None where something else differs between lanes."""
        steps: list[Poly] = []
        for axis in _AXES:
            step, lane = lane.by(axis)
            if any(isinstance(leaf, str) for leaf in step.leaves()):
                return None
            steps.append(step)
        return None if lane.terms else steps


def _times(poly: Poly, leaf: str) -> Poly:
    return Poly({(*monomial, leaf): factor for monomial, factor in poly.terms.items()})
