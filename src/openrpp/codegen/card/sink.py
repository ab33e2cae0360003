"""Scalar operations as late as their first reader, so that few scalar values are alive at once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from openrpp.codegen.card.flow import Assign, Item, Vote
from openrpp.codegen.card.scalar_steps import ScalarOp
from openrpp.codegen.card.scalars import defines, uses
from openrpp.codegen.card.steps import Access, Atomic, Ballot, Lane, OldHigh, Pe, Scalar, Word

_STRAIGHT = (Pe, ScalarOp, Scalar, Assign, Ballot, Lane, Vote, Access, Atomic, OldHigh)


def sunk(items: Sequence[Item]) -> list[Item]:
    """The line with scalar operations moved down inside the stretches between labels, jumps and fences."""
    writes = Counter(word for item in items if (word := defines(item)) is not None)
    found: list[Item] = []
    stretch: list[Item] = []
    for item in items:
        if isinstance(item, _STRAIGHT):
            stretch.append(item)
        else:
            found += [*_sunk(stretch, writes), item]
            stretch = []
    return found + _sunk(stretch, writes)


def _sunk(stretch: Sequence[Item], writes: Counter[Word]) -> list[Item]:
    """From the last operation up: what is behind one is in place already."""
    behind: list[Item] = []  # in reverse
    for item in reversed(stretch):
        place = len(behind)
        if isinstance(item, ScalarOp) and writes[item.result] == 1:
            place = _place(item, behind)
        behind.insert(place, item)
    return behind[::-1]


def _place(item: ScalarOp, behind: Sequence[Item]) -> int:
    """Where an operation goes in the reversed line: before its first reader, and before its operands change."""
    operands = set(uses(item))
    for place in range(len(behind) - 1, -1, -1):
        other = behind[place]
        if item.result in uses(other) or defines(other) in operands:
            return place + 1
    return len(behind)
