"""Leaving out what nobody reads."""

from __future__ import annotations

from collections import Counter

from openrpp.codegen.card.flow import Assign, Item
from openrpp.codegen.card.scalar_steps import ScalarOp
from openrpp.codegen.card.scalars import defines, uses
from openrpp.codegen.card.steps import Access, Ballot, Lane, Pe, Scalar, Word


def without_dead(items: list[Item]) -> list[Item]:
    """Items without those whose results are not read; stores, atomics, votes and jumps stay."""
    counts = Counter(word for item in items for word in uses(item) if not _reads_itself(item, word))
    makers: dict[Word, list[int]] = {}
    for place, item in enumerate(items):
        made = defines(item)
        if made is not None:
            makers.setdefault(made, []).append(place)
    gone: set[int] = set()
    work = [word for word in makers if not counts[word]]
    while work:
        for place in makers[work.pop()]:
            item = items[place]
            if place in gone or not _can_go(item):
                continue
            gone.add(place)
            for word in uses(item):
                if _reads_itself(item, word):
                    continue
                counts[word] -= 1
                if not counts[word] and word in makers:
                    work.append(word)
    return [item for place, item in enumerate(items) if place not in gone]


def _reads_itself(item: Item, word: Word) -> bool:
    return isinstance(item, Assign) and item.target is word


def _can_go(item: Item) -> bool:
    if isinstance(item, Access):
        return item.result is not None
    return isinstance(item, Pe | Scalar | ScalarOp | Lane | Ballot | Assign)
