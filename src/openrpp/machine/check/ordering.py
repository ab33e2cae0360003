"""Memory ordering (specification 4.5): what a program may not expect of columns that stream, and of a DMA under way.

- A load of a word that another warp, or an earlier block, has stored since the last DMB_ORI. Within a block the own
  warp's stores are in order, so they need no barrier.
- An access to a range that a kernel-started transfer is still moving: started, and not yet waited for by POLL.CHN1.
  Loads from its source are free.

Atomic updates order themselves. Accesses that go to DDR directly (extension "ddr") are not followed.

A load alone is no fault: aligned loads may read too far, and programs drop what they got. The fault comes when the
value is stored, or used as an address or condition, and names the load and the store. A DMB_ORI, or the end of the
launch, starts over.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from openrpp.isa.form import Op
from openrpp.machine.banks import WARP
from openrpp.machine.check.reasons import SOUND, Access, Flags, Numbers, Reason
from openrpp.machine.check.taint import Taint
from openrpp.machine.faults import Fault, LaunchError, OrderingFault, Place
from openrpp.machine.launch import Launch
from openrpp.machine.memory import Memory
from openrpp.machine.reference import Reference


@dataclass(frozen=True)
class StoreEvent:
    """A store operation that was executed."""

    name: str
    word: int
    column: int
    block: tuple[int, int, int] | None


@dataclass(frozen=True)
class Flight:
    """A transfer under way: byte ranges at device addresses."""

    word: int
    source: range
    target: range


def _overlap(a: range, b: range) -> bool:
    return a.start < b.stop and b.start < a.stop


class Ordering(Taint):
    """Remembers the last store of every SRAM word since the last barrier, and the transfers under way."""

    error = OrderingFault

    def __init__(self, memory: Memory) -> None:
        super().__init__()
        self.memory = memory
        # One more word than SRAM has; untouched pages cost nothing.
        self._writer = np.zeros(memory.sram16.size + 1, np.uint32)  # number of the last store event
        self._writer_warp = np.zeros(memory.sram16.size + 1, np.uint8)
        self._events: dict[int, StoreEvent] = {}
        self._next = 1
        self._epoch = 1  # first event since the last barrier
        self._block = 1  # first event of this block
        self._touched = (memory.sram16.size, 0)  # hull of the words stored in this epoch
        self._flights: list[Flight] = []
        self._bank = 0
        self._number = 0  # of the column that the sequencer is at

    def attach(self, engine: Reference) -> None:
        """Insist on the order in which a store always comes before the loads of later columns."""
        super().attach(engine)
        if engine.order != "column":
            raise LaunchError(
                f"check 'order' needs order 'column', not {engine.order!r}: it must see stores before later loads"
            )

    def launch(self, launch: Launch, bank: int) -> None:
        """A launch starts with everything before it done."""
        super().launch(launch, bank)
        self._bank = bank
        self._flights.clear()
        self._new_epoch()

    def block(self, place: Place) -> None:
        """Blocks follow each other without a barrier."""
        super().block(place)
        self._block = self._next

    def sync(self, what: str) -> None:
        """A barrier ends the epoch, a poll the transfers."""
        if what == "barrier":
            self._new_epoch()
        else:
            self._flights.clear()

    def _new_epoch(self) -> None:
        self._epoch = self._block = self._next
        self._events.clear()
        self._touched = (self.memory.sram16.size, 0)

    # --- stores and loads ------------------------------------------------------------------------------------------

    def stored(self, access: Access) -> None:
        """Note who stored each word. Raises OrderingFault where a transfer is under way."""
        if access.direct or not access.words.size:
            return
        self._check_flights(access)
        event, self._next = self._next, self._next + 1
        self._events[event] = StoreEvent(access.op.form.name, access.op.word, access.number, self.place.block)
        self._writer[access.words] = event
        self._writer_warp[access.words] = access.lanes // WARP
        low, high = self._touched
        self._touched = (min(low, int(access.words.min())), max(high, int(access.words.max())))

    def loaded(self, access: Access) -> Numbers:
        """Reasons for words that a transfer is writing, or that another warp or block stored in this epoch."""
        if access.direct or access.op.form.effect == "atomic":
            return SOUND
        numbers = self._in_flight(access) if self._flights else SOUND
        low, high = self._touched
        if not access.words.size or int(access.words.min()) > high or int(access.words.max()) < low:
            return numbers
        events, warps = self._writer[access.words], self._writer_warp[access.words]
        racing = (events >= self._epoch) & ((events < self._block) | (warps != access.lanes // WARP))
        if not racing.any():
            return numbers
        found = np.zeros(access.words.shape, np.uint32)
        pairs = events.astype(np.uint64) << np.uint64(8) | warps
        for pair in np.unique(pairs[racing]):
            event, warp = self._events[int(pair) >> 8], int(pair) & 0xFF
            where = racing & (pairs == pair)
            block = "" if event.block == self.place.block else f" of block {event.block}"
            found[where] = self._reason(
                access,
                where,
                f"what {event.name} stored for warp {warp} at word {event.word}, column {event.column}{block}",
                "DMB_ORI",
            )
        return np.maximum(numbers, found)

    def _reason(self, access: Access, where: Flags, what: str, wait: str) -> int:
        text = f"{access.op.form.name} reads {what}; put {wait} between"
        return self.reasons.add(Reason.of_load(text, access, where))

    def surfaced(self, what: str, reason: Reason, place: Place) -> Fault:
        """Report the load; where its value was used is part of the sentence."""
        assert reason.word is not None and place.lane is not None
        load = Place(
            place.kernel,
            place.block,
            reason.column,
            reason.word,
            self.lines.get(reason.word),
            place.lane,
            reason.address(place.lane),
        )
        return OrderingFault(f"{reason.text} (its value reaches {what} at word {place.word})", load)

    # --- transfers ---------------------------------------------------------------------------------------------------

    def _device_range(self, address: int, nbytes: int) -> range:
        found = self.memory.region(address, nbytes)
        start = address if found is None else found[0].base + found[1]
        return range(start, start + nbytes)

    def transfer(self, source: int, target: int, nbytes: int, place: Place, word: int) -> None:
        """A transfer starts; it may not touch what another one is moving."""
        new = Flight(word, self._device_range(source, nbytes), self._device_range(target, nbytes))
        for old in self._flights:
            for verb, ours, theirs, doing in (
                ("reads", new.source, old.target, "writing"),
                ("writes", new.target, old.target, "writing"),
                ("writes", new.target, old.source, "reading"),
            ):
                if _overlap(ours, theirs):
                    who, number = f"the transfer {verb}", self._number
                    raise self._flight_fault(who, old, doing, place, number, word, ours.start)
        self._flights.append(new)

    def _flight_fault(
        self,
        who: str,
        flight: Flight,
        doing: str,
        place: Place,
        number: int,
        word: int,
        address: int,
        lane: int | None = None,
    ) -> OrderingFault:
        sentence = f"{who} where the transfer started at word {flight.word} is still {doing}; put POLL.CHN1 between"
        return OrderingFault(
            sentence, Place(place.kernel, place.block, number, word, self.lines.get(word), lane, address)
        )

    def _inside(self, access: Access, span: range) -> Flags:
        addresses = (access.words.astype(np.int64) << 1) + int(self.base)
        return (addresses < span.stop) & (addresses + 2 > span.start) & (access.words < self.words)

    def _in_flight(self, access: Access) -> Numbers:
        numbers = np.zeros(access.words.shape, np.uint32)
        for flight in self._flights:
            where = self._inside(access, flight.target)
            if where.any():
                what = f"what the transfer started at word {flight.word} is still writing"
                numbers[where] = self._reason(access, where, what, "POLL.CHN1")
        return numbers

    def _check_flights(self, access: Access) -> None:
        for flight in self._flights:
            for span, doing in ((flight.target, "writing"), (flight.source, "reading")):
                where = self._inside(access, span)
                if where.any():
                    first = int(np.argmax(where))
                    address, lane = 2 * int(access.words[first]) + int(self.base), int(access.lanes[first])
                    name, word = f"{access.op.form.name} writes", access.op.word
                    raise self._flight_fault(name, flight, doing, self.place, access.number, word, address, lane)

    def scalar(self, op: Op, place: Place, number: int, word: int) -> None:
        """Parameter memory is memory too: its words may be under way."""
        self._number = number
        if not self._flights or op.form.effect not in ("load-parameter", "store-parameter"):
            return
        start = self.memory.fram[self._bank].base + op.values["p"]
        span = range(start, start + op.form.width // 8)
        loads = op.form.effect == "load-parameter"
        for flight in self._flights:
            for theirs, doing in ((flight.target, "writing"), (flight.source, "reading"))[: 1 if loads else 2]:
                if _overlap(span, theirs):
                    who = f"{op.form.name} {'reads' if loads else 'writes'}"
                    raise self._flight_fault(who, flight, doing, place, number, word, start)
