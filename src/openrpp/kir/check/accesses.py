"""Tests of accesses: bounds of the variable that is meant, content, races."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from openrpp.kir.check import sentences
from openrpp.kir.check.facts import Facts
from openrpp.kir.check.memories import Memories
from openrpp.kir.check.notes import BlockNote
from openrpp.kir.check.order import Segment, joined, note
from openrpp.kir.check.races import Cells
from openrpp.kir.check.regions import Region
from openrpp.kir.check.verdicts import Verdicts, pointer_of
from openrpp.kir.interp.state import Place, ThreadState
from openrpp.kir.ir import Instr
from openrpp.kir.types import Space

Test = Callable[[ThreadState, Place, int], bool]
"""Judges an access to bytes at an address or offset; False if it must not be made."""
Content = Callable[[ThreadState, bytearray, int, int], None]
"""Judges the content of bytes: what was written of a memory, the offset in it, and the address or offset to report."""
Racer = Callable[[ThreadState, Cells, Place, int], None]
ONES: Final = {size: b"\1" * size for size in (1, 2, 4, 8)}


class Judge:
    """Makes the tests of each access of a kernel, and findings of those that fail."""

    def __init__(self, memories: Memories, verdicts: Verdicts, checks: frozenset[str], facts: Facts) -> None:
        self.cells: Final = Cells()
        self._memories: Final = memories
        self._verdicts: Final = verdicts
        self._checks: Final = checks
        self._facts: Final = facts

    def tests(self, instr: Instr, kind: str, operands: Sequence[int]) -> dict[Space, Test]:
        """The tests of an access, by the space in which it turns out to lie."""
        pointer = pointer_of(instr, kind)
        meant = self.meant(instr, kind) if "memory" in self._checks else ()
        racer = self._racer(instr, kind, operands) if "race" in self._checks else None
        found = {
            Space.SHARED: self._shared(instr, kind, meant, racer),
            Space.PRIVATE: self._private(instr, kind, meant),
            Space.GLOBAL: self._device(instr, kind, meant, racer),
            Space.CONSTANT: self._device(instr, kind, meant, None),
        }
        space = pointer.type.space or Space.GENERIC
        # Constant memory is device memory, and some memories do not tell the two apart.
        device = space in (Space.GLOBAL, Space.CONSTANT)
        spaces = {Space.GLOBAL, Space.CONSTANT} if device else {space}
        return found if space is Space.GENERIC else {key: test for key, test in found.items() if key in spaces}

    def meant(self, instr: Instr, kind: str) -> tuple[Region, ...]:
        """The regions that an access must lie in, if that is known."""
        return self._memories.meant(self._facts, pointer_of(instr, kind))

    # --- one memory each -------------------------------------------------------------------------------------

    def _shared(self, instr: Instr, kind: str, meant: Sequence[Region], racer: Racer | None) -> Test:
        size, bounds = sentences.width(instr), [(item.base, item.end) for item in meant if item.space is Space.SHARED]
        content = self._content(instr, kind, Space.SHARED) if "init" in self._checks else None
        races = "race" in self._checks

        def test(thread: ThreadState, place: Place, where: int) -> bool:
            if bounds and not any(low <= where and where + size <= high for low, high in bounds):
                self._verdicts.outside(instr, kind, thread, where, meant, Space.SHARED)
                return False
            block: BlockNote = thread.owner.note
            if content is not None:
                content(thread, block.written, where, where)
            if races and block.transfers:
                self._verdicts.disturbed(instr, kind, thread, where, Space.SHARED)
            if racer is not None:
                racer(thread, block.cells, place, where)
            return True

        return test

    def _private(self, instr: Instr, kind: str, meant: Sequence[Region]) -> Test:
        size, bounds = sentences.width(instr), [(item.base, item.end) for item in meant if item.space is Space.PRIVATE]
        content = self._content(instr, kind, Space.PRIVATE) if "init" in self._checks else None

        def test(thread: ThreadState, place: Place, where: int) -> bool:
            if bounds and not any(low <= where and where + size <= high for low, high in bounds):
                self._verdicts.outside(instr, kind, thread, where, meant, Space.PRIVATE)
                return False
            if content is not None:
                content(thread, note(thread).written, where, where)
            return True

        return test

    def _device(self, instr: Instr, kind: str, meant: Sequence[Region], racer: Racer | None) -> Test:
        size, find = sentences.width(instr), self._memories.device.find
        content = self._content(instr, kind, Space.GLOBAL) if "init" in self._checks else None
        bounded, races = "memory" in self._checks, "race" in self._checks
        last: Region | None = None

        def test(thread: ThreadState, place: Place, where: int) -> bool:
            nonlocal last
            region = last
            if region is None or not region.base <= where or where + size > region.base + region.size:
                region = find(where, size)
            if region is None or (meant and region not in meant):
                if bounded:
                    self._verdicts.outside(instr, kind, thread, where, meant, Space.GLOBAL)
                    return False
            else:
                last = region
                if bounded and region.read_only and kind != "read":
                    self._verdicts.forbidden(instr, kind, thread, where, region)
                    return False
                if content is not None and region.written is not None:
                    content(thread, region.written, where - region.base, where)
            if races and thread.owner.note.transfers:
                self._verdicts.disturbed(instr, kind, thread, where, Space.GLOBAL)
            if racer is not None:
                racer(thread, self.cells, place, where)
            return True

        return test

    # --- content ---------------------------------------------------------------------------------------------

    def _content(self, instr: Instr, kind: str, space: Space) -> Callable[[ThreadState, bytearray, int, int], None]:
        """Tests or marks the bytes that a read or a write finds at an offset in what was written."""
        if kind == "write":
            return self._marker(instr)
        size, copied = sentences.width(instr), self._facts.is_copied(instr)
        ones, reads = ONES[size], instr.op.name != "atomic_xchg"

        def test(thread: ThreadState, written: bytearray, offset: int, where: int) -> None:
            found = written[offset : offset + size]
            if copied:
                note(thread).copied[instr] = bytes(found) if 1 in found else ones
            if reads and 0 in found and not (copied and 1 in found):
                self._verdicts.unwritten(instr, thread, where, space, found)
            if kind == "atomic":
                written[offset : offset + size] = ones

        return test

    def _marker(self, instr: Instr) -> Content:
        """Marks what is written; bytes of a copied struct that have no content do not get any."""
        size, value = sentences.width(instr), instr.operands[0]
        ones, copied = ONES[size], self._facts.is_copied(value)

        def mark(thread: ThreadState, written: bytearray, offset: int, where: int) -> None:
            written[offset : offset + size] = note(thread).copied.get(value, ones) if copied else ones

        return mark

    # --- races -----------------------------------------------------------------------------------------------

    def _racer(self, instr: Instr, kind: str, operands: Sequence[int]) -> Racer:
        size, volatile = sentences.width(instr), bool(instr.attr("volatile"))
        verified = kind == "read" and self._facts.is_verified(instr)

        def plain_read(thread: ThreadState, cells: Cells, place: Place, where: int) -> None:
            segment: Segment = thread.note.segment
            other = cells.read(cells.keys(where, size), (segment, instr), verified=verified)
            if other is not None:
                self._verdicts.race(instr, kind, thread, place, where, other, None)

        def plain_write(thread: ThreadState, cells: Cells, place: Place, where: int) -> None:
            segment: Segment = thread.note.segment
            other = cells.write(cells.keys(where, size), (segment, instr))
            if other is not None:
                self._verdicts.race(instr, kind, thread, place, where, other, thread.regs[operands[0]])

        def signal(thread: ThreadState, cells: Cells, place: Place, where: int) -> None:
            keys, mine = cells.keys(where, size), note(thread)
            read, wrote = kind != "write", kind != "read"
            known = cells.published(keys[0]) if read else None
            if known is not None:
                mine.segment.known = joined([mine.segment.known, known])
            entry = (mine.segment, instr)
            other = cells.atomic(keys, entry) if wrote else cells.flag(keys, entry)
            if other is not None:
                self._verdicts.race(instr, kind, thread, place, where, other, None)
            if wrote and mine.released is not None:
                cells.publish(keys[0], mine.released)

        plain = plain_read if kind == "read" else plain_write
        if kind == "atomic":
            return signal
        if not volatile:
            return plain
        # Volatile accesses to device memory are flags; in shared memory they order nothing.
        return lambda thread, cells, place, where: (signal if cells is self.cells else plain)(
            thread, cells, place, where
        )
