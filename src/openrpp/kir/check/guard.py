"""The guard of a checked launch: every access and every meeting passes through it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from time import monotonic
from typing import Final

from openrpp.kir.check import order, sentences
from openrpp.kir.check.accesses import Judge, Test
from openrpp.kir.check.facts import Facts
from openrpp.kir.check.memories import Memories
from openrpp.kir.check.notes import BlockNote
from openrpp.kir.check.report import Findings
from openrpp.kir.check.transfers import Transfers
from openrpp.kir.check.verdicts import Verdicts
from openrpp.kir.interp.faults import DivergentBarrier, DivergentWarp, Fault, NotUniform, OutOfBounds
from openrpp.kir.interp.state import BlockState, LaunchState, Meeting, Place, Placer, Step, ThreadState
from openrpp.kir.ir import Instr
from openrpp.kir.ops.form import Effect
from openrpp.kir.ops.threads import SOURCES
from openrpp.kir.types import Space, signed

REFRESH: Final = 0.2
"""Seconds between calls for progress."""
Tests = dict[Space, Test]


class Checker:
    """Implements the interpreter's `Guard`. `progress` is told of ended blocks and steps."""

    def __init__(
        self,
        launch: LaunchState,
        memories: Memories,
        findings: Findings,
        checks: frozenset[str],
        label: str,
        progress: Callable[[int, int], None] | None,
    ) -> None:
        self._facts: Final = Facts(launch.kernel)
        self._checks: Final = checks
        self._progress: Final = progress
        self._verdicts: Final = Verdicts(memories, findings, label)
        self._judge: Final = Judge(memories, self._verdicts, checks, self._facts)
        self._transfers: Final = Transfers(memories, self._verdicts, self._judge.cells, checks)
        self._late: Final[dict[object, Tests]] = {}
        self._running: list[BlockState] = []
        self._ended = 0
        self._shown = monotonic()
        self.started_blocks = 0

    # --- accesses --------------------------------------------------------------------------------------------

    def place(self, instr: Instr, kind: str, operands: tuple[int, ...], placer: Placer) -> Placer:
        """The access with its checks; one that fails gets bytes that nobody sees."""
        tests, size = self._judge.tests(instr, kind, operands), sentences.width(instr)
        late = kind == "read" and self._facts.is_on_demand(instr)
        if late:
            self._late[instr] = tests

        def place(thread: ThreadState, address: int) -> Place:
            try:
                found = placer(thread, address)
            except Fault as fault:
                self._verdicts.fault(instr, kind, thread, address, fault, self._judge.meant(instr, kind))
                return memoryview(bytearray(size)), 0, Space.GENERIC
            _, offset, space = found
            test = tests.get(space)
            if test is None:
                return found
            where = offset if space is Space.SHARED or space is Space.PRIVATE else address
            if late:
                order.note(thread).pending[instr] = (found, where)
                return found
            return found if test(thread, found, where) else (memoryview(bytearray(size)), 0, Space.GENERIC)

        return place

    def step(self, instr: Instr, operands: tuple[int, ...], step: Step) -> Step:
        """Fences, and selects that need what was loaded on demand."""
        if instr.op.name == "fence" and "race" in self._checks:
            return order.fence
        if instr.op.name == "select" and any(value in self._late for value in instr.operands[1:]):
            return self._select(instr, operands[0], step)
        return step

    def _select(self, instr: Instr, condition: int, step: Step) -> Step:
        arms = instr.operands[1:]
        late = self._late

        def chosen(thread: ThreadState) -> None:
            step(thread)
            load = arms[not thread.regs[condition]]
            pending = order.note(thread).pending.pop(load, None)
            if pending is not None:
                place, where = pending
                late[load][place[2]](thread, place, where)

        return chosen

    # --- blocks ----------------------------------------------------------------------------------------------

    def started(self, block: BlockState) -> None:
        """A block is about to run."""
        block.note = BlockNote(self.started_blocks, bytearray(len(block.shared)))
        for thread in block.threads:
            order.begin(thread, self.started_blocks, len(thread.private))
        self.started_blocks += 1
        self._forget()
        self._running.append(block)

    def passed(self, block: BlockState, instr: Instr) -> None:
        """The threads of a block are ordered by a barrier."""
        note: BlockNote = block.note
        note.cells.clear()
        if instr.op.name == "stage_wait":
            note.transfers.clear()
        order.meet_block(block)

    def grid_passed(self) -> None:
        """All threads of the grid are ordered."""
        self._judge.cells.clear()
        for block in self._running:
            note: BlockNote = block.note
            note.cells.clear()
            order.meet_block(block)

    def turned(self, steps: int) -> None:
        """Tell of progress now and then."""
        if self._progress is None or monotonic() < self._shown + REFRESH:
            return
        self._shown = monotonic()
        self._forget()
        self._progress(self._ended, steps)

    def _forget(self) -> None:
        """Let go of blocks that have ended."""
        left = [block for block in self._running if not all(thread.done for thread in block.threads)]
        self._ended += len(self._running) - len(left)
        self._running = left

    # --- meetings --------------------------------------------------------------------------------------------

    def met(self, meeting: Meeting, members: Sequence[ThreadState]) -> None:
        """Lanes pass a warp op: a warp barrier orders them, a shuffle reads from lanes that must be there."""
        name = meeting.instr.op.name
        if name == "warp_sync":
            order.meet_warp(members)
        elif "sync" in self._checks and name in SOURCES:
            self._shuffled(meeting, members)

    def _shuffled(self, meeting: Meeting, members: Sequence[ThreadState]) -> None:
        source, lanes = SOURCES[meeting.instr.op.name], {thread.lane for thread in members}
        _, _, operand, width = meeting.operands
        for thread in members:
            wanted = source(thread.lane, signed(thread.regs[operand], 32), thread.regs[width])
            if wanted is not None and wanted not in lanes:
                self._verdicts.missing_lane(thread, meeting.instr, wanted)

    def staged(self, thread: ThreadState, instr: Instr, target: int, source: int, size: int) -> bool:
        """A DMA transfer starts."""
        return self._transfers.started(thread, instr, target, source, size)

    def failed(self, block: BlockState, fault: Fault) -> None:
        """Threads wait for each other in vain."""
        waiting = {thread: thread.waits.instr for thread in block.threads if thread.waits is not None}
        blamed = next((thread for thread in waiting if thread.tid == fault.at.thread), next(iter(waiting)))
        reason = fault.reason
        if isinstance(fault, DivergentBarrier | DivergentWarp) and len(set(waiting.values())) > 1:
            # Where some threads went on to a barrier, the warp op that misses them is the reason.
            blamed = next((thread for thread, at in waiting.items() if at.effect is Effect.WARP), blamed)
            reason = sentences.waiting(block.threads)
        instr = waiting[blamed]
        if isinstance(fault, OutOfBounds):
            self._verdicts.meeting("memory", "out-of-bounds", reason, blamed, instr)
        elif isinstance(fault, NotUniform):
            self._verdicts.meeting("sync", "not-uniform", reason, blamed, instr)
        else:
            kind = "divergent-warp" if instr.effect is Effect.WARP else "divergent-barrier"
            self._verdicts.meeting("sync", kind, reason, blamed, instr)
