"""Sums of one scalar and different numbers as sums of each other, which takes fewer numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from openrpp.codegen.card.flow import Item, Label
from openrpp.codegen.card.lowering import ALL_ONES
from openrpp.codegen.card.scalar_steps import ScalarOp
from openrpp.codegen.card.scalars import defines
from openrpp.codegen.card.steps import Part, Word

_LOW_HALF = 0xFFFF


def chained(items: Sequence[Item], scalars: set[Word]) -> list[Item]:
    """Sums a + 2 and a + 4 as a + 2 and that + 2; the step to the next turn of a loop often is the same number."""
    found: list[Item] = []
    last: dict[Word, tuple[Word, int]] = {}  # by the scalar: the latest sum of it, and how far it is from it
    for item in items:
        if isinstance(item, Label):
            last.clear()
        sum_ = _sum(item)
        if sum_ is not None and isinstance(item, ScalarOp):
            base, number = sum_
            near = last.get(base)
            if near is not None and near[0] is not item.result:
                reads = ((near[0], Part.PAIR), (number - near[1] & ALL_ONES, Part.PAIR))
                item = replace(item, reads=reads)
        made = defines(item)
        found.append(item)
        if made is not None and made in scalars:
            last.pop(made, None)
            last = {base: near for base, near in last.items() if near[0] is not made}
            if sum_ is not None and sum_[0] is not made:
                last[sum_[0]] = made, sum_[1]
    return found


def _sum(item: Item) -> tuple[Word, int] | None:
    """A scalar and the number that an item adds to it."""
    if not isinstance(item, ScalarOp) or item.text != "ADD.U32":
        return None
    (a, first), (b, second) = item.reads
    if isinstance(a, int):
        a, b, first, second = b, a, second, first
    if isinstance(a, Word) and isinstance(b, int) and first is Part.PAIR:
        return a, b if second is Part.PAIR else b & _LOW_HALF
    return None
