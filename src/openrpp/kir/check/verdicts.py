"""Findings about accesses: which sentence, which sides."""

from __future__ import annotations

from collections.abc import Sequence

from openrpp.kir.check import sentences
from openrpp.kir.check.memories import Memories
from openrpp.kir.check.notes import Transfer, block_note
from openrpp.kir.check.order import note
from openrpp.kir.check.races import Entry
from openrpp.kir.check.regions import NULL_PAGE, Region
from openrpp.kir.check.report import Finding, Findings, Side
from openrpp.kir.interp.faults import Fault, Misaligned, ReadOnly
from openrpp.kir.interp.memory import PRIVATE_WINDOW, SHARED_WINDOW, WINDOW
from openrpp.kir.interp.state import Place, ThreadState
from openrpp.kir.ir import Instr, Value
from openrpp.kir.types import Space


class Verdicts:
    """Makes the findings about accesses; each method reports one occurrence."""

    def __init__(self, memories: Memories, findings: Findings, label: str) -> None:
        self._memories = memories
        self._findings = findings
        self._label = label

    def unwritten(self, instr: Instr, thread: ThreadState, where: int, space: Space, found: bytes | bytearray) -> None:
        """A read of bytes of which `found` says which were written."""

        def make() -> Finding:
            region = self._named(space, where)
            sentence = sentences.unwritten_bytes(region, where, found)
            return self.finding(
                "init", "uninitialised", sentence, thread, instr, self._side(instr, thread, where, region)
            )

        self._findings.add(("uninitialised", instr), make)

    def race(
        self, instr: Instr, kind: str, thread: ThreadState, place: Place, where: int, other: Entry, value: int | None
    ) -> None:
        """An access that another one is not ordered with; `value` is what a write is about to store."""
        data, offset, space = place
        size = sentences.width(instr)
        same = (
            value is not None
            and sentences.verb(other[1]) == "write"
            and sentences.width(other[1]) == size
            and bytes(data[offset : offset + size]) == value.to_bytes(size, "little")
        )
        name = "same-value" if same else "race"

        def make() -> Finding:
            region = self._named(space, where)
            here = sentences.inside(region, where)
            sentence = sentences.race(kind, size, here, note(thread).segment, other[0], other[1])
            if same:
                sentence += "; both wrote the same value"
            sides = self._side(instr, thread, where, region), self._other(other, where, region)
            return self.finding("race", name, sentence, thread, instr, *sides)

        self._findings.add((name, instr, other[1]), make)

    def disturbed(self, instr: Instr, kind: str, thread: ThreadState, where: int, space: Space) -> None:
        """Report an access to bytes that a transfer of the block is moving."""
        size = sentences.width(instr)
        for transfer in block_note(thread).transfers:
            if transfer.collides(kind, where, size, in_shared=space is Space.SHARED):
                self._transfer_race(instr, kind, thread, where, space, transfer)

    def _transfer_race(
        self, instr: Instr, kind: str, thread: ThreadState, where: int, space: Space, transfer: Transfer
    ) -> None:
        def make() -> Finding:
            region = self._named(space, where)
            here = sentences.inside(region, where)
            sentence = sentences.transfer(kind, sentences.width(instr), here, transfer.instr)
            other = self._other((transfer.segment, transfer.instr), where, region)
            return self.finding(
                "race", "race", sentence, thread, instr, self._side(instr, thread, where, region), other
            )

        self._findings.add(("transfer", instr, transfer.instr), make)

    def fault(
        self, instr: Instr, kind: str, thread: ThreadState, address: int, fault: Fault, meant: Sequence[Region]
    ) -> None:
        """An access that the interpreter refuses."""
        space, where = _located(pointer_of(instr, kind).type.space or Space.GENERIC, address)
        if isinstance(fault, Misaligned | ReadOnly):
            region = self._named(space, where)
            name = "misaligned" if isinstance(fault, Misaligned) else "read-only"
            sentence = f"{fault.reason}, {sentences.inside(region, where)}"
            side = self._side(instr, thread, where, region)
            self._findings.add((name, instr), lambda: self.finding("memory", name, sentence, thread, instr, side))
        elif space is Space.PARAM:
            reason = fault.reason
            self._findings.add(("param", instr), lambda: self.finding("memory", "out-of-bounds", reason, thread, instr))
        else:
            self.outside(instr, kind, thread, where, meant, space)

    def outside(
        self,
        instr: Instr,
        kind: str,
        thread: ThreadState,
        where: int,
        meant: Sequence[Region],
        space: Space,
        length: int = 0,
    ) -> None:
        """An access outside of the regions that are meant, or of all; `length` is the size of a transfer."""
        size, device = length or sentences.width(instr), space not in (Space.SHARED, Space.PRIVATE)
        freed = self._memories.device.freed(where, size) if device else None
        empty = device and where < NULL_PAGE
        name = "null" if empty else "freed" if freed is not None else "out-of-bounds"

        def make() -> Finding:
            nearest = freed or self._nearest(space, where, size, meant)
            if empty:
                sentence = sentences.null(kind, size, where)
            elif freed is not None:
                sentence = f"{sentences.acted(kind, size)} {sentences.inside(freed, where)}, which was freed"
            else:
                sentence = sentences.outside(kind, size, where, nearest, self._hit(space, where, nearest))
            side = self._side(instr, thread, where, None if empty else nearest)
            return self.finding("memory", name, sentence, thread, instr, side)

        self._findings.add((name, instr), make)

    def _nearest(self, space: Space, where: int, size: int, meant: Sequence[Region]) -> Region | None:
        if meant:
            return min(meant, key=lambda region: region.distance(where, size))
        if space in (Space.SHARED, Space.PRIVATE):
            return self._memories.whole(space)
        return self._memories.device.nearest(where, size)

    def _hit(self, space: Space, where: int, meant: Region | None) -> Region | None:
        hit = self._memories.named(space, where)
        whole = space in (Space.SHARED, Space.PRIVATE) and hit is self._memories.whole(space)
        return None if whole or hit is meant else hit

    def meeting(self, check: str, kind: str, sentence: str, thread: ThreadState, instr: Instr) -> None:
        """A meeting that went wrong."""
        index, tid = thread.owner.index, thread.tid
        self._findings.add(
            (kind, instr),
            lambda: self.finding(
                check, kind, sentence, thread, instr, Side(instr.op.name, 0, 0, "", 0, instr.location, index, tid)
            ),
        )

    def missing_lane(self, thread: ThreadState, instr: Instr, lane: int) -> None:
        """A shuffle that reads from a lane which does not take part."""
        sentence = (
            f"lane {thread.lane} reads lane {lane} by '{instr.op.name}', which does not take part in it; "
            "on a GPU the value is undefined, here it is the lane's own"
        )
        self.meeting("sync", "missing-lane", sentence, thread, instr)

    def forbidden(self, instr: Instr, kind: str, thread: ThreadState, where: int, region: Region) -> None:
        """A write to memory that may only be read."""

        def make() -> Finding:
            sentence = f"{sentences.acted(kind, sentences.width(instr))} {sentences.inside(region, where)}"
            side = self._side(instr, thread, where, region)
            return self.finding("memory", "read-only", f"{sentence}, which may only be read", thread, instr, side)

        self._findings.add(("read-only", instr), make)

    def _named(self, space: Space, where: int) -> Region:
        return self._memories.named(space, where) or Region("unknown memory", space, where, 0)

    def _side(self, instr: Instr, thread: ThreadState, where: int, region: Region | None) -> Side:
        return self._other((note(thread).segment, instr), where, region)

    def _other(self, entry: Entry, where: int, region: Region | None) -> Side:
        segment, instr = entry
        name, offset = (region.name, where - region.base) if region is not None else ("", where)
        op, size = sentences.verb(instr), sentences.width(instr)
        return Side(op, size, where, name, offset, instr.location, segment.index, segment.tid)

    def finding(
        self,
        check: str,
        kind: str,
        sentence: str,
        thread: ThreadState,
        instr: Instr,
        access: Side | None = None,
        other: Side | None = None,
    ) -> Finding:
        """A finding about a thread at an instruction."""
        index, location = thread.owner.index, instr.location
        return Finding(check, kind, sentence, self._label, location, index, thread.tid, access, other)


def pointer_of(instr: Instr, kind: str) -> Value:
    """The operand of an access that is the address."""
    return instr.operands[1 if kind == "write" else 0]


def _located(space: Space, address: int) -> tuple[Space, int]:
    """The space and the address or offset of a pointer, which may be generic."""
    if space is not Space.GENERIC:
        return space, address
    for window, found in ((SHARED_WINDOW, Space.SHARED), (PRIVATE_WINDOW, Space.PRIVATE)):
        if window <= address < window + WINDOW:
            return found, address - window
    return Space.GLOBAL, address
