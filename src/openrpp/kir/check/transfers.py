"""Checks of DMA transfers between shared and device memory."""

from __future__ import annotations

from openrpp.kir.check import sentences
from openrpp.kir.check.memories import Memories
from openrpp.kir.check.notes import BlockNote, Transfer
from openrpp.kir.check.order import note
from openrpp.kir.check.races import Cells
from openrpp.kir.check.regions import Region
from openrpp.kir.check.verdicts import Verdicts
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

    def started(self, thread: ThreadState, instr: Instr, shared: int, device: int, size: int) -> bool:
        """Whether a transfer can be made; reports what is wrong with it."""
        inward = instr.op.name == "stage_in"
        if size <= 0:
            return True
        region = self._memories.device.find(device, size)
        if region is None:
            self._verdicts.outside(instr, _kind(not inward), thread, device, (), Space.GLOBAL, size)
            return False
        if shared + size > len(thread.owner.shared):
            self._verdicts.outside(instr, _kind(inward), thread, shared, (), Space.SHARED, size)
            return False
        block: BlockNote = thread.owner.note
        self._content(thread, instr, block, region, Transfer(note(thread).segment, instr, shared, device, size, inward))
        if "race" in self._checks:
            self._races(thread, instr, block, region, device, size)
            block.transfers.append(Transfer(note(thread).segment, instr, shared, device, size, inward))
        return True

    def _content(self, thread: ThreadState, instr: Instr, block: BlockNote, region: Region, transfer: Transfer) -> None:
        if "init" not in self._checks:
            return
        start, size = transfer.device - region.base, transfer.size
        far, near = region.written, block.written
        if transfer.inward:
            content = far[start : start + size] if far is not None else b"\1" * size
            near[transfer.shared : transfer.shared + size] = content
        else:
            content = near[transfer.shared : transfer.shared + size]
            if far is not None:
                far[start : start + size] = content
        if 0 in content:
            space, where = (Space.GLOBAL, transfer.device) if transfer.inward else (Space.SHARED, transfer.shared)
            self._verdicts.unwritten(instr, thread, where, space, content)

    def _races(
        self, thread: ThreadState, instr: Instr, block: BlockNote, region: Region, device: int, size: int
    ) -> None:
        inward = instr.op.name == "stage_in"
        entry = (note(thread).segment, instr)
        keys = self._cells.keys(device, size)
        other = self._cells.read(keys, entry) if inward else self._cells.write(keys, entry)
        if other is not None:
            sentence = sentences.race(
                _kind(not inward), size, sentences.inside(region, device), entry[0], other[0], other[1]
            )
            self._verdicts.meeting("race", "race", sentence, thread, instr)


def _kind(writes: bool) -> str:
    return "write" if writes else "read"
