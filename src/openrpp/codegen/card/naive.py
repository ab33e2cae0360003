"""The plain back end: every value lives in memory, every operation loads its operands and stores its result.

It is the baseline that better code is measured against, and says in the fewest words what a kernel means on the card.
Each lane keeps the number of the segment that it goes on with; a pass over the segments runs those that any lane is at,
for these lanes, and starts again while lanes are left in a loop. Lanes that come to a barrier wait until none is left
that runs.

Every word is a plane: 4 bytes per thread, thread after thread. IG holds the mask of the segment, IH the number of the
thread, through all of it.
"""

from __future__ import annotations

from openrpp.codegen.card import arithmetic, atomics, memory
from openrpp.codegen.card.flow import REASONS
from openrpp.codegen.card.lowering import Lowering
from openrpp.codegen.card.memory import load_parameter
from openrpp.codegen.card.order import Segment, sequence
from openrpp.codegen.card.planes import Planes
from openrpp.codegen.card.steps import Part, Pe, Read, Source, Word
from openrpp.codegen.card.threads import RULES as THREADS
from openrpp.codegen.card.threads import inside_grid
from openrpp.kir.ir import Edge, Exit, Instr, Kernel

RULES = {**arithmetic.RULES, **memory.RULES, **atomics.RULES, **THREADS}
DONE = 0xFFFF
WAITS = 0x8000
"""Added to the number of a segment that a lane goes on with behind a barrier."""
WAITS_FOR_GRID = 0xC000
"""The same for a barrier of the whole grid, whose lanes go on when none waits at another."""


class Naive(Planes):
    """Translates a kernel."""

    def __init__(self, kernel: Kernel, lowering: Lowering) -> None:
        x, y, z = lowering.block
        super().__init__(x * y * z * kernel.merge)
        self.kernel = kernel
        self.lowering = lowering
        self.segments, self.loops = sequence(kernel)
        self.start_of = {segment.block: segment.number for segment in self.segments if not segment.first}

    def run(self) -> str:
        """The text of the whole program."""
        self.prologue()
        self._parameters()
        if self.kernel.merge > 1:
            self._leave_out()
        top = self.text.label()
        self.text.place(top)
        entries = {first: self.text.label() for first, _ in self.loops}
        for segment in self.segments:
            if segment.number in entries:
                self.text.place(entries[segment.number])
            self._segment(segment)
            for first, last in self.loops:
                if last == segment.number:
                    self.jump_if_any_between(first, last, entries[first])
        self._end(top)
        return self.text.text()

    def _parameters(self) -> None:
        """Parameters once per block, by all lanes: the mask is that of the prologue."""
        for parameter in self.kernel.params:
            load_parameter(self.lowering, self.kernel, parameter)
        self._flush()

    def _leave_out(self) -> None:
        """Merged blocks beyond the end of the grid are done at once."""
        outside = self.lowering.invert(inside_grid(self.lowering))
        self._flush()
        self.within(outside)
        self.go(DONE)
        self.restore()

    def _flush(self) -> None:
        for step in self.lowering.steps:
            self.step(step)
        self.lowering.steps.clear()

    # --- segments -----------------------------------------------------------------------------------------------

    def _segment(self, segment: Segment) -> None:
        behind = self.text.label()
        self.enter(segment.number, behind)
        for instr in segment.body:
            self._instruction(instr)
        if segment.barrier is not None:
            self.go(self._waits(segment.barrier) + segment.number + 1)
        else:
            self._leave(segment)
        self.text.place(behind)

    def _instruction(self, instr: Instr) -> None:
        self.lowering.location = self.text.location = instr.location
        rule = RULES.get(instr.op.name)
        if rule is None:
            raise self.lowering.unsupported(instr, REASONS.get(instr.op.name, ""))
        rule(self.lowering, instr)
        self._flush()

    def _waits(self, instr: Instr) -> int:
        """What is added to the number of the segment behind a barrier."""
        if instr.op.name not in ("barrier", "grid_barrier"):
            raise self.lowering.unsupported(instr)
        return WAITS if instr.op.name == "barrier" else WAITS_FOR_GRID

    def _leave(self, segment: Segment) -> None:
        """The end of a block: lanes take their edges."""
        end = segment.block.terminator
        if end.kind in (Exit.RETURN, Exit.UNREACHABLE):
            self.go(DONE)
        elif end.kind is Exit.BRANCH:
            self._take(end.edges[0])
        elif end.kind is Exit.CONDITIONAL:
            assert end.value is not None
            condition = self.lowering.one(end.value)
            other = self.lowering.invert(condition)
            self._flush()
            for edge, test in zip(end.edges, (condition, other), strict=True):
                self.within(test)
                self._take(edge)
                self.restore()
        else:
            raise AssertionError("a switch is expanded before")

    def _take(self, edge: Edge) -> None:
        """Arguments to parameters, all read before any is written; then go on there."""
        pairs: list[tuple[Word, Source]] = []
        for param, arg in zip(edge.target.params, edge.args, strict=True):
            pairs += zip(self.lowering.values.words(param), self.lowering.values.sources(arg), strict=True)
        temporary = [Word() for _ in pairs]
        moves = [(middle, source) for middle, (_, source) in zip(temporary, pairs, strict=True)]
        moves += [(target, middle) for middle, (target, _) in zip(temporary, pairs, strict=True)]
        for target, source in moves:
            self.step(Pe("MOVE.U32", (Read(source, Part.PAIR),), target))
        self.go(self.start_of[edge.target])

    def _end(self, top: str) -> None:
        """Start again while any lane runs; let those that wait go on, first within blocks; else all is done."""
        self.jump_if_any_between(0, len(self.segments), top)
        self.release(WAITS, WAITS_FOR_GRID, top)
        if any(instr.op.name == "grid_barrier" for instr in self.kernel.instructions()):
            self.release(WAITS_FOR_GRID, DONE, top)
        self.finish()
