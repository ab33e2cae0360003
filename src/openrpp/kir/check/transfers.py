"""Checks of DMA transfers."""

from __future__ import annotations

from openrpp.kir.check import sentences
from openrpp.kir.check.memories import Memories
from openrpp.kir.check.notes import BlockNote, Side, Transfer
from openrpp.kir.check.order import note
from openrpp.kir.check.races import Cells
from openrpp.kir.check.verdicts import Verdicts
from openrpp.kir.interp.meetings import space_of
from openrpp.kir.interp.state import ThreadState
from openrpp.kir.ir import Instr
from openrpp.kir.types import Space


class Transfers:
    """Judges transfers when they start; accesses until the next `stage_wait` are judged against them."""

    def __init__(self, memories: Memories, verdicts: Verdicts, cells: Cells, checks: frozenset[str]) -> None:
        self._memories = memories
        self._verdicts = verdicts
        self._cells = cells
        self._checks = checks

    def started(self, thread: ThreadState, instr: Instr, target: int, source: int, size: int) -> bool:
        """Whether a transfer can be made; reports what is wrong with it."""
        if size <= 0:
            return True
        to, start = (space_of(value) for value in instr.operands[:2])
        transfer = Transfer(note(thread).segment, instr, (to, target), (start, source), size)
        sides = (("write", transfer.target), ("read", transfer.source))
        sides = tuple(sorted(sides, key=lambda side: side[1][0] is Space.SHARED))
        if not all(self._inside(thread, instr, kind, side, size) for kind, side in sides):
            return False
        block: BlockNote = thread.owner.note
        if "init" in self._checks:
            self._content(thread, block, transfer)
        if "race" in self._checks:
            for kind, (space, where) in sides:
                if space is not Space.SHARED:
                    self._races(thread, instr, kind, where, size)
            block.transfers.append(transfer)
        return True

    def _inside(self, thread: ThreadState, instr: Instr, kind: str, side: Side, size: int) -> bool:
        """Whether a side lies in memory; else that is reported."""
        space, where = side
        if space is Space.SHARED:
            fits = where + size <= len(thread.owner.shared)
        else:
            fits = self._memories.device.find(where, size) is not None
        if not fits:
            self._verdicts.outside(instr, kind, thread, where, (), space, size)
        return fits

    def _content(self, thread: ThreadState, block: BlockNote, transfer: Transfer) -> None:
        """What was written goes along with the bytes."""
        size, (space, where) = transfer.size, transfer.source
        written = self._written(block, transfer.source, size)
        content = bytes(b"\1" * size if written is None else written[0][written[1] : written[1] + size])
        into = self._written(block, transfer.target, size)
        if into is not None:
            into[0][into[1] : into[1] + size] = content
        if 0 in content:
            self._verdicts.unwritten(transfer.instr, thread, where, space, content)

    def _written(self, block: BlockNote, side: Side, size: int) -> tuple[bytearray, int] | None:
        """Notes of which bytes were written, and where a side begins in them; None where nobody keeps any."""
        space, where = side
        if space is Space.SHARED:
            return block.written, where
        region = self._memories.device.find(where, size)
        return None if region is None or region.written is None else (region.written, where - region.base)

    def _races(self, thread: ThreadState, instr: Instr, kind: str, where: int, size: int) -> None:
        entry, keys = (note(thread).segment, instr), self._cells.keys(where, size)
        other = self._cells.read(keys, entry) if kind == "read" else self._cells.write(keys, entry)
        region = self._memories.device.find(where, size)
        if other is not None and region is not None:
            sentence = sentences.race(kind, size, sentences.inside(region, where), entry[0], other[0], other[1])
            self._verdicts.meeting("race", "race", sentence, thread, instr)
