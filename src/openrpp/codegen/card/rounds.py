"""The address register over the turns of a loop: a turn leaves it where the next one starts, so no column sets it anew.

That is done for loops without labels inside all of whose gathers go to one place in the lanes beside one scalar that
grows evenly. `Point` items say it: one before the loop points to where the first turn reads, one behind the last access
of the body moves on to where the next turn reads.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from openrpp.codegen.card.flow import Item, Point
from openrpp.codegen.card.lowering import ALL_ONES
from openrpp.codegen.card.scalar_steps import ScalarOp
from openrpp.codegen.card.scalars import defines
from openrpp.codegen.card.steps import Access, Atomic, Flag, OldHigh, Part, Pe, Poll, Source, Transfer, Where, Word
from openrpp.codegen.card.strength import Body, bodies

_OTHER = (Atomic, OldHigh, Flag, Transfer, Poll)
"""Items that may move the register or need it for themselves."""


@dataclass(slots=True)
class _Round:
    """A loop whose accesses lie at `place` plus offsets, by which the scalar grows per turn, and the last access."""

    body: Body
    place: Where
    offsets: list[int]
    step: Source
    last: int


def pointed(items: list[Item], scalars: set[Word]) -> list[Item]:
    """The line with `Point` items at the loops that allow it. New words join the scalars."""
    before: dict[int, list[Item]] = {}
    behind: dict[int, Item] = {}
    for body in bodies(items):
        found = _round(items, body, scalars)
        if found is None:
            continue
        first, last = (replace(found.place, offset=offset) for offset in (found.offsets[0], found.offsets[-1]))
        ahead: list[Item] = []
        by = _sum(found.step, first.offset - last.offset, scalars, ahead)
        before[body.begin] = [*ahead, Point(first)]
        behind[found.last] = Point(last, by)
    line: list[Item] = []
    for place, item in enumerate(items):
        line += before.get(place, ())
        line.append(item)
        if place in behind:
            line.append(behind[place])
    return line


def _sum(step: Source, distance: int, scalars: set[Word], ahead: list[Item]) -> Source:
    """step + distance, computed before the loop where it is no number."""
    if isinstance(step, int):
        return step + distance & ALL_ONES
    if not distance:
        return step
    result = Word()
    scalars.add(result)
    ahead.append(ScalarOp("ADD.U32", ((step, Part.PAIR), (distance & ALL_ONES, Part.PAIR)), result))
    return result


def _round(items: Sequence[Item], body: Body, scalars: set[Word]) -> _Round | None:
    inside = range(body.first, body.jump)
    if any(isinstance(items[place], _OTHER) for place in inside):
        return None
    found = [(place, access) for place in inside for access in _pointing(items[place])]
    places = [access.place for _, access in found]
    first = places[0] if places else None
    if first is None or not isinstance(first.base, Word) or first.base not in scalars:
        return None
    base = replace(first, offset=0)
    if any(place is None or replace(place, offset=0) != base for place in places):
        return None
    if any(access.mask is not None or access.root is not None for _, access in found):
        return None
    writes = {place: made for place in inside if (made := defines(items[place])) is not None}
    if {base.lane, *(base.planes or ())} & set(writes.values()):
        return None
    step = _step(items, [place for place, made in writes.items() if made is first.base], found[-1][0], writes)
    if step is None:
        return None
    return _Round(body, base, [place.offset for place in places if place is not None], step, found[-1][0])


def _step(items: Sequence[Item], places: list[int], last: int, writes: dict[int, Word]) -> Source | None:
    """By how much a word grows behind the last access, if it grows by what the loop does not write."""
    if not places:
        return 0
    item = items[places[0]]
    if len(places) > 1 or places[0] <= last or not isinstance(item, ScalarOp) or item.text != "ADD.U32":
        return None
    if any(part is not Part.PAIR and isinstance(source, Word) for source, part in item.reads):
        return None
    sources = [source for source, _ in item.reads]
    if item.result not in sources:
        return None
    (step,) = [source for source in sources if source is not item.result] or [None]
    return None if step in writes.values() else step


def _pointing(item: Item) -> Iterator[Access]:
    """The accesses of an item that need the address register."""
    accesses = [item] if isinstance(item, Access) else item.loads if isinstance(item, Pe) else ()
    for access in accesses:
        if not (access.is_row or access.is_indexed) or access.upper is not None:
            yield access
