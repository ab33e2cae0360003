"""Which operations of a kernel decide its votes, and which decide the addresses of its gathers.

A backward analysis over the words: what a vote reads is wanted, then what makes it, and so on, through registers and
through SRAM. Accesses whose addresses the sequencer gives and knows (spilled values) are told apart by their places;
all others may meet in SRAM, except in ranges that only such accesses reach.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from zlib import crc32

import numpy as np

from openrpp.isa.columns import loads, reads
from openrpp.isa.form import Cost, Slot
from openrpp.isa.numeric import Numerics
from openrpp.isa.table.port import Lanes
from openrpp.machine.code import DVA, Code, ColumnCode, VectorOp
from openrpp.machine.flowgraph import Flow

MA, MB, VA, VB = 6, 7, 4, 5
Wanted = frozenset[int | str]
"""Register codes, and places of SRAM: `OTHER` or the name of a known one."""
OTHER = "other"
_BITWISE = ("AND", "OR", "XOR", "NOT", "MOVE", "MERGE")
"""Operations in which each half of the result depends on the same half of the operands."""
_CARRYING = ("ADD", "SUB", "MUL", "SHL")
"""Operations on integers in which the low half of the result depends on the low halves of the operands."""
_NUMBERS = ("S16", "S32", "S64", "IMM")


@dataclass(frozen=True)
class Place:
    """SRAM bytes of an access whose addresses are known; `name` is the same for the same addresses and size."""

    name: str
    start: int
    end: int


@dataclass(frozen=True, eq=False)
class Part:
    """What of a column is to be carried out: `run`, and the registers that get values from DDR, which are not known.

    `decides`: a vote depends on it; else only addresses do.
    """

    run: ColumnCode
    unknown: frozenset[int]
    decides: bool


class Slices:
    """Parts of a launch's columns. `apart` are SRAM ranges that only stores at scalar addresses reach."""

    def __init__(self, code: Code, words: Sequence[int], lanes: Lanes, apart: Sequence[tuple[int, int]] = ()) -> None:
        self.flow = Flow(code, words)
        self.lanes = lanes
        self.apart = apart
        shapes = [pc for pc, op in self.flow.scalars.items() if op.form.effect == "shape"]
        first = min(self.flow.columns, default=0)
        self.reshaped = bool(shapes)
        self.shapes = any(pc > first for pc in shapes)  # the lanes of later columns are not those of earlier ones
        self.places: dict[str, Place] = {}
        self._place_of: dict[tuple[int, int], Place | None] = {}
        for pc, column in self.flow.columns.items():
            for index, op in enumerate(column.port):
                self._place_of[pc, index] = self._place(pc, op)
        control = self._needed(addresses=False)
        both = self._needed(addresses=True)
        self.parts = {
            pc: self._part(pc, needed, control[pc])
            for pc, needed in both.items()
            if needed or any(op.form.slot is Slot.GATHER for op in self.flow.columns[pc].port)
        }

    # --- places -----------------------------------------------------------------------------------------------------

    def _place(self, pc: int, op: VectorOp) -> Place | None:
        """Where an access goes, if scalars that are known say so."""
        form = op.form
        if form.slot is not Slot.SEQUENTIAL or form.cost is Cost.WARP_VECTOR or form.define is None:
            return None
        if self.reshaped and form.cost is Cost.STRIDED:
            return None
        known, values = self.flow.known[pc], dict(op.op.values)
        for name, register, width in op.captured:
            parts = [known[(register + part) & 31] for part in range(width // 16)]
            if any(part is None for part in parts):
                return None
            values[name] = sum((part or 0) << 16 * index for index, part in enumerate(parts))
        if any(form.operands[name].kind.name not in _NUMBERS for name in form.sources if name in form.operands):
            return None
        with np.errstate(all="ignore"):
            found = form.define(Numerics(), self.lanes, *(np.uint32(values[name]) for name in form.sources))
        size = form.width // 8
        start, end = int(found.min()), int(found.max()) + size
        name = f"{size} bytes each at {start:#x} to {end:#x}, {int(found[-1]):#x}, {crc32(found.tobytes()):#x}"
        return self.places.setdefault(name, Place(name, start, end))

    def _is_apart(self, place: Place) -> bool:
        return any(start <= place.start and place.end <= end for start, end in self.apart)

    def _meets(self, stored: Place | None, wanted: Wanted) -> bool:
        """Whether a store may reach something that is wanted."""
        places = [self.places[name] for name in wanted if isinstance(name, str) and name != OTHER]
        if stored is None:
            return OTHER in wanted or any(not self._is_apart(place) for place in places)
        if OTHER in wanted and not self._is_apart(stored):
            return True
        return any(place.start < stored.end and stored.start < place.end for place in places)

    # --- the analysis -----------------------------------------------------------------------------------------------

    def _needed(self, addresses: bool) -> dict[int, frozenset[int]]:
        """Of each column, the operations that are needed: port operations by index, -1 the PE, -2 - i a copy."""
        flow = self.flow
        wanted: dict[int, Wanted] = dict.fromkeys(flow.after, frozenset())
        needed: dict[int, frozenset[int]] = dict.fromkeys(flow.columns, frozenset())
        work, waiting = list(flow.after), set(flow.after)
        while work:
            pc = work.pop()
            waiting.discard(pc)
            found: Wanted = frozenset[int | str]().union(*(wanted[target] for target in flow.after[pc]))
            if pc in flow.columns:
                found, needed[pc] = self._through(pc, found, addresses)
            if found != wanted[pc]:
                wanted[pc] = found
                for other in flow.before.get(pc, ()):
                    if other not in waiting:
                        waiting.add(other)
                        work.append(other)
        return needed

    def _through(self, pc: int, wanted: Wanted, addresses: bool) -> tuple[Wanted, frozenset[int]]:
        """(what is wanted before a column, what of it is needed)."""
        column = self.flow.columns[pc]
        needed: set[int] = set()
        read: set[int] = set()  # by the PE and the copies; MA and MB are those of this column
        if column.pe is not None and (column.pe.form.effect == "vote" or _result(column.pe) & wanted):
            needed.add(-1)
            read |= decides(column.pe, wanted)
        for index, (source, target) in enumerate(column.moves):
            if target in wanted:
                needed.add(-2 - index)
                read.add(source)
        memory: set[str] = set()
        for index, op in enumerate(column.port):
            if self._is_needed(column, op, self._place_of[pc, index], wanted, read, addresses):
                needed.add(index)
                memory |= self._loaded(op, self._place_of[pc, index])
        entry: set[int] = read - {MA, MB}
        for index in needed:
            if index >= 0:
                entry |= reads(column.port[index].op) - {MA, MB}
        if addresses:
            for op in column.port:
                if op.form.slot is Slot.GATHER:
                    entry |= addressing(op)
        gone = self._overwritten(pc, column, needed)
        return frozenset({*(wanted - gone), *entry, *memory}), frozenset(needed)

    def _is_needed(
        self, column: ColumnCode, op: VectorOp, place: Place | None, wanted: Wanted, read: set[int], addresses: bool
    ) -> bool:
        effect = op.form.effect
        if effect == "address":
            return DVA in wanted
        if effect == "warp-load":
            return bool({MA, MB} & read) and any(other.form.effect.startswith("dot") for other in column.port)
        if effect == "compare":
            return any(
                other.form.effect == "atomic" and self._is_needed(column, other, None, wanted, read, addresses)
                for other in column.port
            )
        direct = op.form.cost is Cost.DIRECT
        if loads(op.op) & (wanted | (read & {MA, MB})):
            return True
        if effect.startswith("store") or effect == "atomic":
            return not direct and self._meets(place, wanted)
        return False

    @staticmethod
    def _loaded(op: VectorOp, place: Place | None) -> set[str]:
        """Places of SRAM that an operation reads."""
        effect = op.form.effect
        if op.form.cost is Cost.DIRECT or effect in ("address", "compare") or effect.startswith("store"):
            return set()
        return {OTHER if place is None else place.name}

    def _overwritten(self, pc: int, column: ColumnCode, needed: set[int]) -> set[int | str]:
        """Registers and places that a column gives new values in all lanes."""
        if self.shapes:
            return set()
        found: set[int | str] = {target for _, target in column.moves}
        found |= _result(column.pe) if column.pe is not None else set()
        for index, op in enumerate(column.port):
            found |= {DVA} if op.form.effect == "address" else loads(op.op)
            place = self._place_of[pc, index]
            if index in needed and place is not None and op.form.effect.startswith("store"):
                found.add(place.name)
        return found

    # --- parts ------------------------------------------------------------------------------------------------------

    def _part(self, pc: int, needed: frozenset[int], control: frozenset[int]) -> Part:
        column = self.flow.columns[pc]
        chosen = [op for index, op in enumerate(column.port) if index in needed]
        port = tuple(op for op in chosen if op.form.cost is not Cost.DIRECT)
        unknown = {code for op in chosen if op.form.cost is Cost.DIRECT for code in loads(op.op)}
        moves = tuple(move for index, move in enumerate(column.moves) if -2 - index in needed)
        pe = column.pe if -1 in needed else None
        return Part(replace(column, port=port, moves=moves, pe=pe), frozenset(unknown), bool(control))


def decides(pe: VectorOp, wanted: Wanted) -> set[int]:
    """Codes that the wanted ones of VA and VB depend on; a vote depends on all that it reads."""
    if pe.form.effect == "vote" or VB in wanted:
        return half_sources(pe, 1) if VA not in wanted and pe.form.effect != "vote" else reads(pe.op)
    return half_sources(pe, 0)


def half_sources(pe: VectorOp, half: int) -> set[int]:
    """Codes that the low (0) or high (1) half of a PE operation's result depends on."""
    name, _, kind = pe.form.name.partition(".")
    carries = half == 0 and name in _CARRYING and kind.startswith(("U32", "S32"))
    if pe.form.width != 32 or not (name in _BITWISE or carries):
        return reads(pe.op)
    found: set[int] = set()
    for each, operand in pe.form.operands.items():
        if operand.kind.name in ("V16", "V32"):
            found.add(pe.op.values[each] + (half if operand.kind.name == "V32" else 0))
    return found


def _result(pe: VectorOp) -> set[int]:
    """Codes that a PE operation writes."""
    if pe.form.effect == "vote":
        return set()
    return {VA, VB} if pe.form.width == 32 else {VA}


def addressing(op: VectorOp) -> set[int]:
    """Registers that decide where a gather goes and which lanes take part."""
    data = {"r", "k", "m", "s", "d"}
    found: set[int] = {DVA} if "DVA" in op.form.sources else set()
    for name, operand in op.form.operands.items():
        if name not in data and name in (*op.form.sources, "c") and operand.kind.name in ("V16", "V32", "A32"):
            code = op.op.values[name]
            found |= {code} if operand.kind.name == "V16" or code == DVA else {code, code + 1}
    return found
