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

from openrpp.codegen.card.flow import Assign, Begin, End, Item, Jump, Label, Vote
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
    Lane,
    Memory,
    Part,
    Pe,
    Read,
    Scalar,
    Source,
    Step,
    Where,
    Word,
    for_each_read,
    operands,
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
        self._variables = {item.target for item in items if isinstance(item, Assign)}
        self._known: dict[object, Word] = {}  # what the steps of this stretch have made
        for item in _without_needless_votes(items):
            self._take(item)

    def _take(self, item: Item) -> None:
        if isinstance(item, Access):
            self._access(item)
        elif isinstance(item, Vote):
            self._vote(item)
        elif isinstance(item, Label):
            self._known.clear()
            self.items.append(item)
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
        steps, copies = self._steps()
        found = copies.get(found, found) if isinstance(found, Word) else found
        last = steps[-1] if steps else None
        if isinstance(last, Pe) and found is last.result:
            last.result = item.result
            self._note(last)
        else:
            steps.append(Pe("MOVE.U32", (Read(found),), item.result, location=item.location))
        is_uniform = all(self._is_scalar(read.source) for read in item.reads)
        for step in steps:
            stays = is_uniform or step is steps[-1]
            self._take(step if stays else as_scalar(step, self._scalars) or step)

    def _steps(self) -> tuple[list[Step], dict[Word, Word]]:
        """The steps that the lowering has collected, without those whose results are known; what those are."""
        steps: list[Step] = []
        copies: dict[Word, Word] = {}
        for step in self._lower.steps:
            assert isinstance(step, Pe | Lane)
            for_each_read(step, lambda source: copies.get(source, source) if isinstance(source, Word) else source)
            if (known := self._known.get(_key(step))) is not None:
                copies[step.result] = known
                continue
            steps.append(step)
            self._note(step)
        self._lower.steps.clear()
        return steps, copies

    def _note(self, step: Pe | Lane) -> None:
        """Its result is known from now on, unless it may change."""
        if not self._variables.intersection(operands(step)):
            self._known[_key(step)] = step.result

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
        self._lower.location = item.location
        if item.bits == 8 and item.value is not None:
            self._store_byte(item, item.value)
        elif item.bits == 8:
            self._byte(item)
        elif item.mask is not None and item.value is None:
            start, mask = self._parameters(), item.mask
            place = Where(start, self._taken(self._masked(item, mask)))
            upper = item.upper and Where(start, self._taken(self._masked(replace(item, place=item.upper), mask)))
            self.items.append(replace(item, address=(), place=place, upper=upper, mask=None))
        else:
            self.items.append(item)

    def _parameters(self) -> Word:
        """The address of the parameter area."""
        if self._start is None:
            self._start = Word("parameters")
            self._scalars.add(self._start)
            self.items.append(Scalar(PARAMS, self._start))
        return self._start

    def _masked(self, item: Access, mask: Word) -> Source:
        """The distance of an address from the parameter area; none in lanes outside of a mask."""
        start, lower = self._parameters(), self._lower
        if item.place is None:
            (address,) = item.address
            distance = lower.sub(address, start)
        else:
            near = replace(item.place, base=lower.sub(item.place.base, start))
            distance = flat(lower, replace(item, place=near))
        return lower.both(distance, self._x.negative(lower.number(mask)))

    def _address(self, item: Access) -> Source:
        """The address of an access as one word."""
        return item.address[0] if item.place is None else flat(self._lower, item)

    def _harmless(self, item: Access) -> Source:
        """An address for all lanes."""
        if item.mask is None:
            return self._address(item)
        return self._lower.add(self._masked(item, item.mask), self._parameters())

    def _taken(self, source: Source) -> Source:
        """Take the steps that make a value; what it is then."""
        steps, copies = self._steps()
        for step in steps:
            self._take(as_scalar(step, self._scalars) or step)
        return copies.get(source, source) if isinstance(source, Word) else source

    def _byte(self, item: Access) -> None:
        """A byte as a part of the 16 bits around it."""
        assert item.result is not None
        lower = self._lower
        address = self._taken(self._harmless(item))
        down = lower.shift("SHL.U32", lower.both(address, 1), 3)
        down = self._taken(down)
        both = self._around(item, address)
        moved = self._taken(lower.shift("SHR.U32", both, down))
        self.items.append(Pe("AND.U32", (Read(moved), Read(0xFF)), item.result, location=item.location))

    def _around(self, item: Access, address: Source) -> Word:
        """The 16 bits around a byte."""
        even = self._taken(self._lower.both(address, 0xFFFF_FFFE))
        both = Word()
        self.items.append(Access(Memory.SRAM, 16, (even,), both, location=item.location))
        return both

    def _store_byte(self, item: Access, value: Source) -> None:
        """Lanes with the first of two bytes change it while no lane changes the other, then those with the other."""
        lower, location = self._lower, item.location
        address = self._taken(self._harmless(item))
        odd, byte = self._taken(lower.both(address, 1)), self._taken(lower.both(value, 0xFF))
        moved, first = self._taken(lower.shift("SHL.U32", byte, 8)), self._taken(self._x.opposite(odd))
        for mine, changed, kept in ((first, byte, 0xFF00), (odd, moved, 0x00FF)):
            who = mine if item.mask is None else self._taken(lower.both(mine, item.mask))
            if who == 0:
                continue
            self.items.append(Fence(location))
            old = self._around(item, address)
            even = self._taken(lower.both(address, 0xFFFF_FFFE))
            new = self._taken(lower.either(lower.both(old, kept), changed))
            mask = who if isinstance(who, Word) else None
            self.items.append(Access(Memory.SRAM, 16, (even,), value=new, mask=mask, location=location))

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


def _key(step: Pe | Lane) -> object:
    """What tells two steps with the same result."""
    return Lane if isinstance(step, Lane) else (step.text, step.reads, step.makes)


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
