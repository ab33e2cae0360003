"""A DMA that a kernel starts: the block's threads copy the bytes, and note which words of parameter memory change."""

from __future__ import annotations

from dataclasses import dataclass

from openrpp.codegen.lift.emit import Emitter
from openrpp.kir.ir import Value
from openrpp.kir.types import I8, I32, I64

_WORD = 4


@dataclass(frozen=True)
class Region:
    """A memory: its first address on the card, its size, the pointer that the kernel gets."""

    base: int
    size: int
    pointer: Value


@dataclass(frozen=True)
class Place:
    """Where an address leads: a pointer, whether any memory holds the bytes, and the offset in parameter memory."""

    pointer: Value
    exists: Value
    fram: Value
    in_fram: Value


class Transfer:
    """Emission of one transfer by `threads` threads, whose number is `thread`."""

    def __init__(
        self, to: Emitter, regions: list[Region], fram: set[int], alias: int, thread: Value, threads: int
    ) -> None:
        self.to = to
        self.regions = regions
        self.fram = fram  # numbers of the regions that are banks of parameter memory
        self.alias = alias
        self.thread = thread
        self.threads = threads

    def place(self, address: Value, nbytes: Value) -> Place:
        """The memory that holds `nbytes` bytes at an address, as it is or seen through the alias."""
        to = self.to
        pointer: Value = self.regions[0].pointer
        exists, in_fram, fram = to.truth(False), to.truth(False), to.number(I64, 0)
        found: list[tuple[Value, Value, Value, bool]] = []
        for start in (address, to.op("sub", address, self.alias)):
            for number, region in enumerate(self.regions):
                offset = to.op("sub", start, region.base)
                room = to.op("sub", to.number(I64, region.size), nbytes)
                # Unsigned: an offset before the region is large; lengths are at most 32 bits, so rooms may be negative.
                inside = to.op("and", to.test("ule", offset, room), to.test("ule", nbytes, region.size))
                found.append((inside, to("ptr_add", region.pointer, offset), offset, number in self.fram))
        values: tuple[Value, Value, Value, Value] = (pointer, exists, in_fram, fram)
        for inside, at, offset, is_fram in reversed(found):
            pointer, exists, in_fram, fram = values
            values = (
                to("select", inside, at, pointer),
                to.op("or", inside, exists),
                to("select", inside, to.truth(is_fram), in_fram),
                to("select", inside, offset, fram),
            )
        pointer, exists, in_fram, fram = values
        return Place(pointer, exists, fram, in_fram)

    def copy(self, source: Value, target: Value, nbytes: Value) -> None:
        """Copy as if all bytes were read before the first is written."""
        to = self.to
        apart, together, behind = to.block("apart"), to.block("overlap"), to.block("copied")
        a, b = (to("ptrtoint", item, kind=I64) for item in (source, target))
        distance = to.op("abs", to.op("sub", a, b))
        to.cbr(to.test("uge", distance, nbytes), apart, together)
        to.at(apart)
        self._shared_copy(source, target, nbytes)
        to.br(behind)
        to.at(together)
        self._single_copy(source, target, nbytes, to.test("ult", b, a))
        to.br(behind)
        to.at(behind)

    def _shared_copy(self, source: Value, target: Value, nbytes: Value) -> None:
        """Words first, a row of all threads at a time; the bytes that are left behind them."""
        to = self.to
        row = self.threads * _WORD
        rows = to.op("udiv", nbytes, row)
        own = to.op("shl", to.resized(self.thread, I64), 2)
        self._rows(rows, source, target, own, row)
        start = to.op("mul", rows, row)
        self._tail(start, source, target, nbytes)

    def _rows(self, rows: Value, source: Value, target: Value, own: Value, row: int) -> None:
        to = self.to
        head, body, done = to.block(), to.block(), to.block()
        turn = head.param(I64)
        to.br(head, to.number(I64, 0))
        to.at(head).cbr(to.test("ult", turn, rows), body, done)
        to.at(body)
        start = to.op("mul", turn, row)
        word = to("load", to("ptr_add", to("ptr_add", source, start), own), kind=I32, align=1)
        to("store", word, to("ptr_add", to("ptr_add", target, start), own), align=1)
        to.br(head, to.op("add", turn, 1))
        to.at(done)

    def _tail(self, start: Value, source: Value, target: Value, nbytes: Value) -> None:
        to = self.to
        head, body, done = to.block(), to.block(), to.block()
        place = head.param(I64)
        to.br(head, to.op("add", start, to.resized(self.thread, I64)))
        to.at(head).cbr(to.test("ult", place, nbytes), body, done)
        to.at(body)
        byte = to("load", to("ptr_add", source, place), kind=I8)
        to("store", byte, to("ptr_add", target, place))
        to.br(head, to.op("add", place, self.threads))
        to.at(done)

    def _single_copy(self, source: Value, target: Value, nbytes: Value, upward: Value) -> None:
        """Overlapping ranges: the first thread copies byte by byte, in the order that reads before it writes."""
        to = self.to
        first, head, body, done = to.block(), to.block(), to.block(), to.block()
        turn = head.param(I64)
        to.cbr(to.test("eq", self.thread, 0), first, done)
        to.at(first).br(head, to.number(I64, 0))
        to.at(head).cbr(to.test("ult", turn, nbytes), body, done)
        to.at(body)
        back = to.op("sub", to.op("sub", nbytes, 1), turn)
        place = to("select", upward, turn, back)
        byte = to("load", to("ptr_add", source, place), kind=I8)
        to("store", byte, to("ptr_add", target, place))
        to.br(head, to.op("add", turn, 1))
        to.at(done)

    def note(self, place: Place, nbytes: Value, flags: Value) -> None:
        """Set the flag (a byte) of every 16-bit word of parameter memory that the bytes reach."""
        to = self.to
        start, head, body, done = to.block(), to.block(), to.block(), to.block()
        at = head.param(I64)
        first = to.op("lshr", place.fram, 1)
        end = to.op("lshr", to.op("add", to.op("add", place.fram, nbytes), 1), 1)
        to.cbr(place.in_fram, start, done)
        to.at(start).br(head, first)
        to.at(head).cbr(to.test("ult", at, end), body, done)
        to.at(body)
        to("store", to.number(I8, 1), to("ptr_add", flags, at))
        to.br(head, to.op("add", at, 1))
        to.at(done)
