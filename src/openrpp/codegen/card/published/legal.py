"""Rewriting the line of a kernel's items so that published instructions carry it out.

Addresses are those of SRAM. Masked loads read the parameter area where they are off, since no published load asks a
condition. A vote is a flag in the parameter area that lanes set and that a DMA carries to the sequencer; scopes without
a loop run under their mask instead of asking whether anybody is in it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from openrpp.codegen.card.flow import Begin, End, Item, Jump, Label, Vote
from openrpp.codegen.card.lowering import Lowering
from openrpp.codegen.card.memory import PARAMS, flat
from openrpp.codegen.card.published import lanes, sequencer
from openrpp.codegen.card.published.expander import Expander, Rule, conditions
from openrpp.codegen.card.published.reasons import Need, need_of
from openrpp.codegen.card.published.votes import flag_offset
from openrpp.codegen.card.scalar_steps import ScalarOp, as_scalar
from openrpp.codegen.card.scalars import uses
from openrpp.codegen.card.steps import (
    Access,
    Fence,
    Flag,
    Memory,
    Part,
    Pe,
    Read,
    Scalar,
    Source,
    Step,
    Word,
)

MOST_MASKED: Final = 150
"""Items of a scope that run without anybody inside; a vote costs about ten columns and a transfer."""


class Legal:
    """Rewrites items. `missing` is what has no published equal; the items are a program only if there is nothing."""

    def __init__(self, items: Sequence[Item], scalars: set[Word], lowering: Lowering) -> None:
        self.items: list[Item] = []
        self.missing: list[Need] = []
        self._scalars = scalars
        self._lower = lowering
        self._x = Expander(lowering, conditions(items))
        self._start: Word | None = None
        for item in _without_needless_votes(items):
            self._take(item)

    def _take(self, item: Item) -> None:
        if isinstance(item, Access):
            self._access(item)
        elif isinstance(item, Vote):
            self._vote(item)
        elif (need := need_of(item)) is None:
            self.items.append(item)
        elif isinstance(item, Pe) and (rule := lanes.RULES.get(item.text)):
            self._expand(item, rule)
        elif isinstance(item, ScalarOp) and (rule := sequencer.RULES.get(item.text)):
            self._expand_scalar(item, rule)
        else:
            self._refuse(need)

    def _refuse(self, need: Need) -> None:
        if need not in self.missing:
            self.missing.append(need)

    # --- arithmetic -----------------------------------------------------------------------------------------------

    def _expand(self, item: Pe, rule: Rule) -> None:
        self._lower.location = item.location
        found = rule(self._x, *item.reads)
        steps = self._steps()
        last = steps[-1] if steps else None
        if isinstance(last, Pe) and found is last.result:
            last.result = item.result
        else:
            steps.append(Pe("MOVE.U32", (Read(found),), item.result, location=item.location))
        is_uniform = all(self._is_scalar(read.source) for read in item.reads)
        for step in steps:
            stays = is_uniform or step is steps[-1]
            self._take(step if stays else as_scalar(step, self._scalars) or step)

    def _steps(self) -> list[Step]:
        steps = list(self._lower.steps)
        self._lower.steps.clear()
        return steps

    def _is_scalar(self, source: Source) -> bool:
        return isinstance(source, int) or source in self._scalars

    def _expand_scalar(self, item: ScalarOp, rule: Rule) -> None:
        found = rule(self._x, *(source for source, _ in item.reads))
        steps = list(self._x.sequence)
        self._x.sequence.clear()
        assert steps and found is steps[-1].result
        steps[-1].result = item.result
        for step in steps:
            step.location = item.location
            self._scalars.add(step.result)
            self._take(step)

    # --- memory -----------------------------------------------------------------------------------------------------

    def _access(self, item: Access) -> None:
        if item.memory is Memory.DDR:
            need = need_of(item)
            assert need is not None
            self._refuse(need)
            return
        if item.place is not None and (item.bits == 8 or (item.mask is not None and item.value is None)):
            self._lower.location = item.location
            item = replace(item, address=(flat(self._lower, item),), place=None)
            self._take_steps()
        if item.mask is not None and item.value is None:
            item = replace(item, address=(self._harmless(item, item.mask),), mask=None)
        if item.bits == 8 and item.value is not None:
            self._store_byte(item, item.value)
        elif item.bits == 8:
            self._byte(item)
        else:
            self.items.append(item)

    def _parameters(self) -> Word:
        """The address of the parameter area."""
        if self._start is None:
            self._start = Word("parameters")
            self._scalars.add(self._start)
            self.items.append(Scalar(PARAMS, self._start))
        return self._start

    def _harmless(self, item: Access, mask: Word) -> Source:
        """An address for all lanes."""
        start, lower = self._parameters(), self._lower
        lower.location = item.location
        (address,) = item.address
        if self._is_scalar(address):
            distance = lower.sub(address, start)
            found = lower.add(lower.multiply(lower.number(mask), distance), start)
        else:
            found = lower.select(mask, address, start)
        self._take_steps()
        return found

    def _take_steps(self) -> None:
        for step in self._steps():
            self._take(as_scalar(step, self._scalars) or step)

    def _byte(self, item: Access) -> None:
        """A byte as a part of the 16 bits around it."""
        assert item.result is not None
        lower = self._lower
        lower.location = item.location
        (address,) = item.address
        down = lower.shift("SHL.U32", lower.both(address, 1), 3)
        both = self._around(item, address)
        moved = lower.shift("SHR.U32", both, down)
        self._take_steps()
        self.items.append(Pe("AND.U32", (Read(moved), Read(0xFF)), item.result, location=item.location))

    def _around(self, item: Access, address: Source) -> Word:
        """The 16 bits around a byte."""
        even = self._lower.both(address, 0xFFFF_FFFE)
        self._take_steps()
        both = Word()
        self.items.append(replace(item, bits=16, address=(even,), result=both, value=None, mask=None))
        return both

    def _store_byte(self, item: Access, value: Source) -> None:
        """Lanes with the first of two bytes change it while no lane changes the other, then those with the other."""
        lower = self._lower
        lower.location = item.location
        (place,) = item.address
        address = place if item.mask is None else self._harmless(item, item.mask)
        odd, byte = lower.both(address, 1), lower.both(value, 0xFF)
        moved = lower.shift("SHL.U32", byte, 8)
        for mine, changed, kept in ((self._x.opposite(odd), byte, 0xFF00), (odd, moved, 0x00FF)):
            who = mine if item.mask is None else lower.both(mine, item.mask)
            if who == 0:
                continue
            self._take_steps()
            self.items.append(Fence(item.location))
            old = self._around(item, address)
            even, new = lower.both(place, 0xFFFF_FFFE), lower.either(lower.both(old, kept), changed)
            self._take_steps()
            mask = who if isinstance(who, Word) else None
            self.items.append(replace(item, bits=16, address=(even,), value=new, mask=mask))

    # --- votes ------------------------------------------------------------------------------------------------------

    def _vote(self, item: Vote) -> None:
        """Lanes store to the flag that a transfer then brings to the sequencer."""
        flag = (self._flag(),)
        self.items += [
            Access(Memory.SRAM, 16, flag, value=0),
            Fence(),
            Access(Memory.SRAM, 16, flag, value=item.predicate, mask=item.predicate),
            Fence(),
            Flag(item.result),
        ]

    def _flag(self) -> Word:
        address = Word("flag")
        self._scalars.add(address)
        offset = flag_offset(self._lower.places.geometry)
        self.items.append(ScalarOp("ADD.U32", ((self._parameters(), Part.PAIR), (offset, Part.PAIR)), address))
        return address


def _without_needless_votes(items: Sequence[Item]) -> list[Item]:
    """Items without votes that only skip a short scope in which there is no loop."""
    labels = {item.name: place for place, item in enumerate(items) if isinstance(item, Label)}
    reads = Counter(word for item in items for word in uses(item))
    targets = Counter(item.label for item in items if isinstance(item, Jump))
    gone: set[int] = set()
    for place, item in enumerate(items[:-1]):
        skip = items[place + 1]
        if not (isinstance(item, Vote) and isinstance(skip, Jump) and skip.condition is item.result):
            continue
        end = labels[skip.label]
        scope = items[place + 2 : end] if end > place else [*items]
        has_loop = any(isinstance(inside, Begin | End) for inside in scope)
        if skip.when or has_loop or len(scope) > MOST_MASKED or reads[item.result] > 1:
            continue
        gone |= {place, place + 1, *([end] if targets[skip.label] == 1 else [])}
    return [item for place, item in enumerate(items) if place not in gone]
