"""What a walk can know of vector data without an engine: votes and addresses that depend on no data of the launch.

The parts of columns that decide them (`slices`) are carried out on registers and SRAM of their own. Words of DDR
and SRAM that the launch finds there are not known: what they reach is marked, and votes of what is marked are refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from dataclasses import replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from openrpp.arch import Card
from openrpp.isa.columns import loads, reads
from openrpp.isa.form import Cost, Slot
from openrpp.isa.numeric import Numerics
from openrpp.isa.table.port import Lanes
from openrpp.machine.code import DVA, ColumnCode, VectorOp
from openrpp.machine.faults import AccessError
from openrpp.machine.items import WalkError
from openrpp.machine.launch import THREAD_TABLE_BYTES, Launch
from openrpp.machine.memory import Memory
from openrpp.machine.passes import Shape
from openrpp.machine.reference import Step
from openrpp.machine.sample import PassSamples
from openrpp.machine.slices import MA, MB, VA, VB, Part, Slices, addressing, half_sources
from openrpp.machine.steps import Cells
from openrpp.machine.vectors import Datapath, Vectors, lanes_of


class Foresight:
    """Carries out what decides votes and addresses, column by column as the walk comes to them.

    Args:
        card, memory, launch: of the walk; memory is not changed.
        words: parameter memory as the launch starts, as 16-bit words.
        apart: SRAM ranges (start, end) that hold no data of the launch: what is stored there is stored at scalar
            addresses, as scratch for spilled values and parameters are.
        effort: columns that may be carried out for votes, None for any number.

    Raises CodeError for a program that it cannot follow. `samples` are the port passes of gathers whose addresses
    were known.
    """

    def __init__(
        self,
        card: Card,
        memory: Memory,
        launch: Launch,
        words: Sequence[int],
        apart: Sequence[tuple[int, int]] = (),
        effort: int | None = None,
    ) -> None:
        x, y, _ = launch.block
        self.slices = Slices(launch.code, words, lanes_of(x, y, launch.threads), apart)
        own = copy(memory)
        own.sram = replace(memory.sram, data=memory.sram.data.copy())
        own.sram16 = own.sram.data.view(np.uint16)
        own.regions = (own.sram, *memory.regions[1:])
        settings = card.choices.settings()
        self.vectors = Vectors(card.limits.threads.value)
        self.path = Datapath(own, Numerics.from_choices(card.choices), self.vectors, str(settings["ben_high_byte"]))
        self.samples = PassSamples(card, self.path)
        self.effort = effort
        self._most = 0  # lanes of the widest column of the block so far
        self._marked: set[int] = set()  # registers whose values are not known
        self._voted: set[int] = set()  # the same as a vote of the present column sees them
        self._words: NDArray[np.bool_] = np.ones(own.sram16.size, bool)  # and words of SRAM
        base = own.sram.base
        for start, end in (*apart, (own.sram.end - THREAD_TABLE_BYTES, own.sram.end)):
            self._words[(start - base) // 2 : (end - base + 1) // 2] = False

    def part(self, column: ColumnCode) -> Part | None:
        """What of a column is to be carried out."""
        return self.slices.parts.get(column.start)

    def begin_block(self) -> None:
        """Registers are cleared at the start of a block."""
        self.vectors.clear()
        self._marked.clear()
        self._most = 0

    def run(self, column: ColumnCode, part: Part, cells: Cells, shape: Shape) -> None:
        """Carry out a part. Raises WalkError."""
        if part.decides and self.effort is not None:
            self.effort -= 1
            if self.effort < 0:
                raise WalkError("its votes take more columns than may be worked out")
        lanes = _lanes(shape)
        everything = slice(0, lanes.i.size)
        with np.errstate(all="ignore"):
            self._measure(column, cells, shape)
            captured = tuple(_captured(op, cells) for op in _operations(part.run))
            marks = self._marks(part, captured, shape)
            try:
                self.path.run(part.run, captured, lanes, everything)
            except AccessError as error:
                raise WalkError(f"word {column.start}: {error}") from None
        self._marked = marks

    def vote(self, column: ColumnCode) -> int:
        """The result of a column's vote, which has just been run. Raises WalkError where data decides it."""
        assert column.pe is not None
        if reads(column.pe.op) & self._voted:
            raise WalkError(f"the vote at word {column.pe.word} depends on data that the kernel loads")
        return self.path.vote

    # --- gathers ----------------------------------------------------------------------------------------------------

    def _measure(self, column: ColumnCode, cells: Cells, shape: Shape) -> None:
        """Note the passes of a gather, before the column runs, if all that decides them is known.

        Where only the addresses of a masked access of DDR are not, what its active lanes move at best is noted.
        """
        gathers = [op for op in column.port if op.form.slot is Slot.GATHER]
        unknown = [op for op in gathers if addressing(op) & self._marked]
        if not gathers or not all(self._is_masked(op) for op in unknown):
            return
        lanes = _lanes(shape)
        step = Step(column, tuple(_captured(op, cells) for op in _operations(column)), lanes, 0)
        self.samples.before(step, lanes, slice(0, lanes.i.size), unknown)

    def _is_masked(self, op: VectorOp) -> bool:
        """Whether it is known which lanes take part in a direct access."""
        return op.form.cost is Cost.DIRECT and "c" in op.form.operands and op.op.values["c"] not in self._marked

    # --- marks ------------------------------------------------------------------------------------------------------

    def _marks(self, part: Part, captured: tuple[dict[str, int], ...], shape: Shape) -> set[int]:
        """The registers that are not known behind a column."""
        before, column = self._marked, part.run
        inside = {code for code in part.unknown if code in (MA, MB)}  # MA and MB of this column
        after = set(before) | part.unknown
        known: set[int] = set()
        for op, scalars in zip(column.port, captured, strict=False):
            given = bool(reads(op.op) & (before | inside))
            if op.form.effect == "address":
                (after if given else known).add(DVA)
                continue
            if op.form.effect == "compare":
                continue
            given |= self._memory(op, scalars, given, shape)
            for code in loads(op.op):
                target = inside if code in (MA, MB) else after
                if given:
                    target.add(code)
                elif code not in (MA, MB):
                    known.add(code)
        self._voted = before - {MA, MB} | inside
        for source, target in column.moves:
            (after if source in (before - {MA, MB} | inside) else known).add(target)
        if column.pe is not None and column.pe.form.effect != "vote":
            for half, code in enumerate((VA, VB)[: column.pe.form.width // 16]):
                (after if half_sources(column.pe, half) & self._voted else known).add(code)
        self._most = max(self._most, shape[2])
        if shape[2] == self._most:  # no lane is left out that had a value
            after -= known - part.unknown
        return after - {MA, MB}

    def _memory(self, op: VectorOp, captured: dict[str, int], given: bool, shape: Shape) -> bool:
        """Whether an access of SRAM meets words that are not known; what it stores is marked or not."""
        if op.form.effect in ("warp-load", "dot", "dot-int8"):
            return bool(self._words.any())  # rare beside votes: no need to look closer
        lanes = _lanes(shape)
        part = slice(0, lanes.i.size)
        offsets = (self.path.addresses(op, lanes, part, captured).astype(np.int64) - self.path.sram_base) >> 1
        if "c" in op.form.operands:
            offsets = offsets[self.vectors.halves[op.op.values["c"]][part] != 0]
        offsets = offsets[(offsets >= 0) & (offsets < self._words.size - 1)]
        wide = op.form.width == 32
        found = bool(self._words[offsets].any()) or (wide and bool(self._words[offsets + 1].any()))
        if op.form.effect.startswith("store") or op.form.effect == "atomic":
            mark = given or (found and op.form.effect == "atomic")
            self._words[offsets] = mark
            if wide:
                self._words[offsets + 1] = mark
        return found


@lru_cache(maxsize=64)
def _lanes(shape: Shape) -> Lanes:
    return lanes_of(*shape)


def _operations(column: ColumnCode) -> tuple[VectorOp, ...]:
    return (*column.port, column.pe) if column.pe else column.port


def _captured(op: VectorOp, cells: Cells) -> dict[str, int]:
    found: dict[str, int] = {}
    for name, register, width in op.captured:
        value = cells.value(register, min(width, 32))
        found[name] = value | cells.value(register + 2, 32) << 32 if width == 64 else value
    return found
