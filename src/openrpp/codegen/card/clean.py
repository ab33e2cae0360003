"""Leaving out what nobody reads."""

from __future__ import annotations

from collections import Counter

from openrpp.codegen.card.flow import Assign, Item, Jump, Label
from openrpp.codegen.card.liveness import Liveness
from openrpp.codegen.card.scalar_steps import ScalarOp
from openrpp.codegen.card.scalars import defines, uses
from openrpp.codegen.card.steps import Access, Ballot, Lane, OldHigh, Pe, Scalar, Word


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


_ROUNDS = 3
"""How often unused writes are looked for: few are left behind the first time."""


def without_unused(items: list[Item]) -> list[Item]:
    """Items without writes that nobody reads before the next one, and without jumps that lead nowhere."""
    for _ in range(_ROUNDS):
        known = Liveness(items)
        kept = [
            item
            for place, item in enumerate(items)
            if (made := defines(item)) is None or not _can_go(item) or known.needed(made) >> place + 1 & 1
        ]
        if len(kept) == len(items):
            break
        items = kept
    return straightened(items)


def straightened(items: list[Item]) -> list[Item]:
    """A jump around a jump becomes one; jumps to the next item and labels without jumps go."""
    while True:
        found: list[Item] = []
        wanted = {item.label for item in items if isinstance(item, Jump)}
        place = 0
        while place < len(items):
            item = items[place]
            behind = items[place + 1 : place + 3]
            if _leads_nowhere(item, behind, wanted):
                pass
            elif _is_detour(item, behind):
                assert isinstance(item, Jump) and isinstance(behind[0], Jump)
                found.append(Jump(behind[0].label, item.condition, not item.when))
                place += 1
            else:
                found.append(item)
            place += 1
        if len(found) == len(items):
            return items
        items = found


def _leads_nowhere(item: Item, behind: list[Item], wanted: set[str]) -> bool:
    if isinstance(item, Label):
        return item.name not in wanted
    following = behind[0] if behind else None
    return isinstance(item, Jump) and isinstance(following, Label) and following.name == item.label


def _is_detour(item: Item, behind: list[Item]) -> bool:
    if not (isinstance(item, Jump) and item.condition is not None and len(behind) == 2):
        return False
    jump, label = behind
    is_around = isinstance(label, Label) and label.name == item.label
    return is_around and isinstance(jump, Jump) and jump.condition is None


def _reads_itself(item: Item, word: Word) -> bool:
    """Whether an item that can go makes a word of the same word: alone that is no reason to keep it."""
    return defines(item) is word and _can_go(item)


def _can_go(item: Item) -> bool:
    if isinstance(item, Access):
        return item.result is not None
    return isinstance(item, Pe | Scalar | ScalarOp | Lane | Ballot | Assign | OldHigh)
