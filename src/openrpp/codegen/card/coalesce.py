"""Making one word of two that a plain assignment connects, where no value is lost: no copies per turn of a loop."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from openrpp.codegen.card.flow import Assign, Begin, End, Item, Jump, Label, Point, Vote
from openrpp.codegen.card.liveness import Liveness, loops_of
from openrpp.codegen.card.scalar_steps import ScalarOp
from openrpp.codegen.card.scalars import defines, made_at_use
from openrpp.codegen.card.steps import (
    Access,
    Atomic,
    Ballot,
    Fence,
    Pe,
    Poll,
    Scalar,
    Source,
    Transfer,
    Word,
    for_each_read,
)

_SUMS = ("ADD.F32", "FMA.F32", "HFMA")


@dataclass(slots=True)
class _Class:
    """Words that are one: where they are needed, and where each is written and from what if it is copied."""

    needed: int
    writes: list[tuple[int, Word | None]]


def coalesced(items: Sequence[Item], scalars: set[Word]) -> list[Item]:
    """The line with fewer words: source and target of an assignment become one.

    They do unless one is written, other than with the value of the other, where the other is needed behind the write.
    So at any place where both are needed, they are the same.
    """
    known = Liveness(items)
    fixed = made_at_use(items)
    classes: dict[Word, _Class] = {}
    for place, item in enumerate(items):
        made = defines(item)
        if made is not None:
            entry = classes.setdefault(made, _Class(known.needed(made), []))
            entry.writes.append((1 << place + 1, _copied(item)))
    leader: dict[Word, Word] = {}

    def found(word: Word) -> Word:
        while word in leader:
            word = leader[word]
        return word

    def apart(first: Word, second: Word) -> bool:
        needed = classes[second].needed
        return not any(
            needed & bit and (source is None or found(source) is not second) for bit, source in classes[first].writes
        )

    def join(first: Word, second: Word) -> None:
        if apart(first, second) and apart(second, first):
            leader[first] = second
            classes[second].needed |= classes[first].needed
            classes[second].writes += classes[first].writes

    for assign in _by_depth(items):
        source = _copied(assign)
        if source is None or source in fixed or assign.target in fixed:
            continue
        first, second = found(source), found(assign.target)
        if first is second or (first in scalars) != (second in scalars) or first not in classes:
            continue
        join(first, second)
    for result, total in _sums(items):  # a chain of sums stays in the place of the variable that it goes round in
        first, second = found(result), found(total)
        if first is not second and {first, second} <= classes.keys() and len(classes[second].writes) > 1:
            join(first, second)
    renamed = {word: found(word) for word in leader}
    return [item for item in (_with(item, renamed) for item in items) if not _is_idle(item)]


def _sums(items: Sequence[Item]) -> Iterator[tuple[Word, Word]]:
    """Results of additions in the lanes, and the sum that each adds to."""
    for item in items:
        if isinstance(item, Pe) and item.text in _SUMS:
            brought = [load.result for load in item.loads]
            totals = [read.source for read in item.reads if isinstance(read.source, Word)]
            totals = [word for word in totals if word not in brought]
            if totals:
                yield item.result, totals[-1]


def _copied(item: Item) -> Word | None:
    """What an item copies to all lanes of its target, if it does that."""
    if isinstance(item, Assign) and item.mask is None and isinstance(item.source, Word):
        return item.source
    return None


def _by_depth(items: Sequence[Item]) -> list[Assign]:
    """Assignments, those of the innermost loops first."""
    depth = [0] * (len(items) + 1)
    for loop in loops_of(items):
        depth[loop.begin] += 1
        depth[loop.end] -= 1
    found: list[tuple[int, int, Assign]] = []
    level = 0
    for place, item in enumerate(items):
        level += depth[place]
        if isinstance(item, Assign):
            found.append((-level, place, item))
    return [item for _, _, item in sorted(found, key=lambda entry: entry[:2])]


def _is_idle(item: Item) -> bool:
    return isinstance(item, Assign) and item.source is item.target


def _with(item: Item, names: Mapping[Word, Word]) -> Item:
    """An item with words renamed; items are changed in place, since the line owns them."""

    def new(source: Source) -> Source:
        return names.get(source, source) if isinstance(source, Word) else source

    def word(old: Word) -> Word:
        return names.get(old, old)

    if isinstance(item, Assign):
        return Assign(word(item.target), new(item.source), item.mask and word(item.mask))
    if isinstance(item, ScalarOp):
        reads = tuple((new(source), part) for source, part in item.reads)
        return ScalarOp(item.text, reads, word(item.result), item.makes)
    if isinstance(item, Vote):
        return Vote(word(item.predicate), word(item.result), item.kind)
    if isinstance(item, Jump):
        return replace(item, condition=item.condition and word(item.condition))
    if isinstance(item, Label | Begin | End | Point | Scalar):
        return item
    if isinstance(item, Access | Atomic | Ballot):
        item.mask = item.mask and word(item.mask)
    for_each_read(item, new)
    if not isinstance(item, Fence | Transfer | Poll) and item.result is not None:
        item.result = word(item.result)
    return item
