"""Scalar registers: pairs for values of the sequencer over the line of a kernel."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from openrpp.codegen.card.flow import Assign, Begin, End, Item, Jump, Label, Vote
from openrpp.codegen.card.scalar_steps import ScalarOp
from openrpp.codegen.card.steps import Scalar, Word, operands

PAIRS = tuple(f"DS{number}" for number in range(1, 9))
"""DS0 is the base of the planes; DS9 to DS12 serve operands that are made where they are used, DS13 the assembler."""


class OutOfScalars(Exception):
    """More scalar values are alive at once than there are pairs: `words`, the one that lives longest first."""

    def __init__(self, words: list[Word]) -> None:
        self.words = words
        super().__init__()


def made_at_use(items: Sequence[Item]) -> dict[Word, str]:
    """Words that are loaded wherever they are used, with the FRAM word or register."""
    return {item.result: item.register for item in items if isinstance(item, Scalar)}


def uses(item: Item) -> Iterator[Word]:
    """Words that an item reads."""
    if isinstance(item, ScalarOp):
        yield from (source for source, _ in item.reads if isinstance(source, Word))
    elif isinstance(item, Assign):
        yield from (word for word in (item.source, item.mask) if isinstance(word, Word))
        if item.mask is not None:
            yield item.target
    elif isinstance(item, Vote):
        yield item.predicate
    elif isinstance(item, Jump):
        if item.condition is not None:
            yield item.condition
    elif not isinstance(item, Label | Begin | End):
        yield from (source for source in operands(item) if isinstance(source, Word))


def defines(item: Item) -> Word | None:
    """The word that an item writes."""
    if isinstance(item, Assign):
        return item.target
    return getattr(item, "result", None)


def allocate(items: Sequence[Item], scalars: set[Word]) -> dict[Word, str]:
    """Pairs for all scalar words, by linear scan; those of builtin registers are copied when first needed."""
    spans = _spans(items, scalars - set(made_at_use(items)))
    free, active, chosen = list(PAIRS), list[tuple[int, Word]](), dict[Word, str]()
    for word, (start, end) in sorted(spans.items(), key=lambda item: item[1][0]):
        for last, other in list(active):
            if last < start:
                active.remove((last, other))
                free.append(chosen[other])
        if not free:
            longest = sorted([*active, (end, word)], key=lambda item: -item[0])
            raise OutOfScalars([other for _, other in longest])
        chosen[word] = free.pop(0)
        active.append((end, word))
    return chosen


def _spans(items: Sequence[Item], scalars: set[Word]) -> dict[Word, tuple[int, int]]:
    """First definition and last use; what is alive around a loop's start lives to its end."""
    first: dict[Word, int] = {}
    last: dict[Word, int] = {}
    loops: list[tuple[int, int]] = []
    open_: list[int] = []
    for place, item in enumerate(items):
        if isinstance(item, Begin):
            open_.append(place)
        elif isinstance(item, End):
            loops.append((open_.pop(), place))
        for word in uses(item):
            if word in scalars:
                first.setdefault(word, place)
                last[word] = place
        made = defines(item)
        if made is not None and made in scalars:
            first.setdefault(made, place)
            last[made] = max(last.get(made, place), place)
    for start, end in loops:  # inner loops end first, so outer ones see what they extended
        for word, place in first.items():
            if place < start <= last[word] < end:
                last[word] = end
    variables = {item.target for item in items if isinstance(item, Assign)}
    for start, end in loops:
        for word in variables & set(first):
            if start <= first[word] and last[word] < end and _carried(items, word, start, end):
                last[word] = end
    return {word: (first[word], last[word]) for word in first}


def _carried(items: Sequence[Item], word: Word, start: int, end: int) -> bool:
    """Whether a use in a loop may see an assignment of the turn before."""
    for place in range(start, end):
        item = items[place]
        if word in set(uses(item)):
            return True
        if defines(item) is word:
            return False
    return False
