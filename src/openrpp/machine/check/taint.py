"""Shadow execution of columns: which lanes of which registers hold a value that should not be used, and why.

Every lane of every vector register carries a reason number, 0 for a sound value. Reasons start at loads (a subclass says
at which), flow through copies, processing element operations and DVA exactly as values do, and are a fault only where
they are used: stored, taken as an address, or as the condition of a store. So a load that reads too far is no fault as
long as the program drops what it got.

A result is doubtful where any source that it uses is; MERGE uses its condition and the chosen operand only.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import count
from typing import Any

import numpy as np
from numpy.typing import NDArray

from openrpp.isa import numeric
from openrpp.isa.form import Kind
from openrpp.isa.registers import HALF_NAMES
from openrpp.isa.table.port import Lanes
from openrpp.machine.code import DVA, VectorOp
from openrpp.machine.faults import Fault, Place
from openrpp.machine.launch import Launch
from openrpp.machine.observe import Observer
from openrpp.machine.reference import Reference, Step
from openrpp.machine.vectors import MA, MB, WARP

Numbers = NDArray[np.uint32]
NAMES = {**HALF_NAMES, DVA: "DVA"}
FIXED = 1 << 16
"""Reason numbers below it are kept for the whole launch, those above only while a register holds them."""
KEPT_REASONS = 1024
SOUND: Numbers = np.zeros((), np.uint32)
_SCALAR_WIDTHS = {Kind.S16: 16, Kind.S32: 32}
_WIDE = (Kind.V32, Kind.A32)


@dataclass(frozen=True)
class Access:
    """Words that an operation touches: SRAM word index and lane of each, ascending by lane.

    Words outside SRAM have the index of the extra word at the end of the shadow arrays: the engine refuses them.
    """

    op: VectorOp
    number: int  # of the executed column
    words: Numbers
    lanes: Numbers


@dataclass(frozen=True)
class Reason:
    """Why a value is doubtful; loads add where they happened and the address of each lane."""

    text: str
    word: int | None = None
    column: int | None = None
    lanes: Numbers | None = None
    addresses: Numbers | None = None

    def address(self, lane: int) -> int | None:
        """The address that a lane loaded from."""
        if self.lanes is None or self.addresses is None:
            return None
        return int(self.addresses[max(int(np.searchsorted(self.lanes, lane, side="right")) - 1, 0)])


class Taint(Observer):
    """Carries reasons along with the values of a block."""

    error: type[Fault] = Fault
    doubtful = "doubtful"  # what sentences call such a value

    def __init__(self) -> None:
        self.reasons: dict[int, Reason] = {}
        self._texts: dict[str, int] = {}
        self._numbers = count(FIXED)
        self.place = Place("")
        self.lines: dict[int, int] = {}
        self.registers: dict[int, Numbers] = {}
        self._pending: list[tuple[int, Any]] = []
        self._condition: NDArray[np.bool_] | None = None

    # --- what a subclass knows -------------------------------------------------------------------------------------

    def loaded(self, access: Access) -> Numbers:
        """Reason numbers of loaded words, in the shape of `access.words`; a zero-dimensional 0 if all are sound."""
        return SOUND

    def stored(self, access: Access) -> None:
        """Words are being stored. May raise a Fault."""

    def unwritten(self, code: int) -> int:
        """Reason number of a register that this block, or for MA and MB this column, has not written."""
        return 0

    def unselected(self, op: VectorOp) -> int:
        """Reason number of lanes that a masked load leaves out."""
        return 0

    def captured(self, step: Step, register: int, width: int) -> int:
        """Reason number of a scalar operand when its column was handed out."""
        return 0

    # --- reasons ---------------------------------------------------------------------------------------------------

    def fixed(self, text: str) -> int:
        """The number of a reason that is the same whenever it comes up."""
        if text not in self._texts:
            number = self._texts[text] = len(self._texts) + 1
            self.reasons[number] = Reason(text)
        return self._texts[text]

    def add(self, reason: Reason) -> int:
        """Number a new reason; old ones that no register holds are dropped now and then."""
        if len(self.reasons) > KEPT_REASONS + len(self._texts):
            held = {int(number) for values in self.registers.values() for number in np.unique(values)}
            held.update(int(number) for _, values in self._pending for number in np.unique(values))
            self.reasons = {number: kept for number, kept in self.reasons.items() if number < FIXED or number in held}
        number = next(self._numbers)
        self.reasons[number] = reason
        return number

    def fault(
        self, sentence: str, number: int, word: int, lane: int | None = None, address: int | None = None
    ) -> Fault:
        """A fault at a word of column `number`."""
        place = Place(self.place.kernel, self.place.block, number, word, self.lines.get(word), lane, address)
        return self.error(sentence, place)

    def surfaced(self, what: str, reason: Reason, place: Place) -> Fault:
        """The fault for a doubtful value at the place of its use; `what` names the use."""
        return self.error(f"{what} is {self.doubtful}: {reason.text}", place)

    def _use(self, numbers: Any, what: str, op: VectorOp, step: Step, part: slice, addresses: Any = None) -> None:
        """Refuse doubtful values that are used, at the first lane that has one."""
        if not numbers.any():
            return
        flat = np.broadcast_to(numbers, part.stop - part.start)
        index = int(np.argmax(flat != 0))
        address = None if addresses is None else int(np.broadcast_to(addresses, flat.shape)[index])
        word, lane = op.word, part.start + index
        place = Place(self.place.kernel, self.place.block, step.number, word, self.lines.get(word), lane, address)
        reason = self.reasons[int(flat[index])]
        raise self.surfaced(what.format(name=op.form.name), reason, place)

    # --- following a launch ----------------------------------------------------------------------------------------

    def attach(self, engine: Reference) -> None:
        """Make room for the lanes of a block."""
        self.datapath = engine.datapath
        self.numerics = engine.numerics
        lanes = engine.card.limits.threads.value
        self.words = engine.memory.sram16.size
        self.base = np.uint32(engine.memory.sram.base)
        self.registers = {code: np.zeros(lanes, np.uint32) for code in NAMES}

    def launch(self, launch: Launch, bank: int) -> None:
        """Forget the reasons of earlier launches."""
        self.lines = launch.kernel.lines
        self.reasons.clear()
        self._texts.clear()

    def block(self, place: Place) -> None:
        """No vector register outlives a block."""
        self.place = place
        self._pending = []
        for code, values in self.registers.items():
            values.fill(self.unwritten(code))

    def before(self, step: Step, lanes: Lanes, part: slice) -> None:
        """The port operations, on entry state; stores first, since a column does not order its own accesses."""
        self._pending = []
        ops = list(zip(step.column.port, step.captured, strict=False))
        for code in (MA, MB):
            self.registers[code][part] = self.unwritten(code)
        self._condition = self._merge_condition(step, part, inside=False)
        warp_vector = SOUND
        for op, scalars in sorted(ops, key=lambda pair: not pair[0].form.effect.startswith("store")):
            match op.form.effect:
                case "address":
                    self._pending.append((DVA, self._combined(op, step, part)))
                case "warp-load":
                    warp_vector = self._warp_vector(op, scalars, step, part)
                case "dot":
                    numbers = self._dot(op, scalars, warp_vector, step, lanes, part)
                    for code in (MA, MB):
                        self.registers[code][part] = numbers
                case effect if effect.startswith("store"):
                    self._store(op, scalars, step, lanes, part)
                case _:
                    self._load(op, scalars, step, lanes, part)

    def after(self, step: Step, lanes: Lanes, part: slice) -> None:
        """Processing element and switch box, then everything becomes visible."""
        pe = step.column.pe
        result = self._result(pe, step, lanes, part) if pe else None
        for source, target in step.column.moves:
            self.registers[target][part] = self.registers[source][part]
        for code, numbers in self._pending:
            self.registers[code][part] = numbers
        self._pending = []
        if pe and result is not None:
            for code in (4, 5) if pe.form.width == 32 else (4,):
                self.registers[code][part] = result

    # --- operands --------------------------------------------------------------------------------------------------

    def _source(self, op: VectorOp, name: str, step: Step, part: slice) -> Any:
        """Reason numbers of one operand."""
        if name in ("DVA", "MB"):
            return self.registers[DVA if name == "DVA" else MB][part]
        kind, value = op.form.operands[name].kind, op.op.values[name]
        if kind in _SCALAR_WIDTHS:
            return np.uint32(self.captured(step, value, _SCALAR_WIDTHS[kind]))
        if kind in (Kind.V16, Kind.STORE16):
            return self.registers[value][part]
        if kind in _WIDE and value == DVA:
            return self.registers[DVA][part]
        if kind in _WIDE:
            return np.maximum(self.registers[value][part], self.registers[value + 1][part])
        return SOUND

    def _combined(self, op: VectorOp, step: Step, part: slice) -> Any:
        numbers: Any = SOUND
        for name in op.form.sources:
            numbers = np.maximum(numbers, self._source(op, name, step, part))
        return numbers

    # --- memory ----------------------------------------------------------------------------------------------------

    def index(self, addresses: Any) -> Numbers:
        """SRAM word indices; the extra word for addresses outside SRAM."""
        return np.minimum((addresses - self.base) >> np.uint32(1), np.uint32(self.words))

    def _addresses(self, op: VectorOp, scalars: dict[str, int], step: Step, lanes: Lanes, part: slice) -> Numbers:
        """Addresses of an access whose address is sound."""
        self._use(self._combined(op, step, part), "the address of {name}", op, step, part)
        return self.datapath.addresses(op, lanes, part, scalars)

    def _store(self, op: VectorOp, scalars: dict[str, int], step: Step, lanes: Lanes, part: slice) -> None:
        place, data = self._combined(op, step, part), self._source(op, "r", step, part)
        chosen: Any = slice(None)
        if op.form.effect == "store-masked":
            self._use(self._source(op, "c", step, part), "the condition of {name}", op, step, part)
            chosen = self.datapath.vectors.halves[op.op.values["c"]][part] != 0
            place, data = np.where(chosen, place, 0), np.where(chosen, data, 0)
        self._use(place, "the address of {name}", op, step, part)
        addresses = self.datapath.addresses(op, lanes, part, scalars)
        self._use(data, f"the {NAMES[op.op.values['r']]} that {{name}} stores", op, step, part, addresses)
        self.stored(Access(op, step.number, self.index(addresses)[chosen], lanes.i[chosen]))

    def _load(self, op: VectorOp, scalars: dict[str, int], step: Step, lanes: Lanes, part: slice) -> None:
        if op.form.effect == "load-masked":
            numbers = self._masked_load(op, scalars, step, lanes, part)
        else:
            addresses = self._addresses(op, scalars, step, lanes, part)
            numbers = self.loaded(Access(op, step.number, self.index(addresses), lanes.i))
        register = op.op.values["r"]
        if register in (MA, MB):
            self.registers[register][part] = numbers
        else:
            self._pending.append((register, numbers))

    def _masked_load(self, op: VectorOp, scalars: dict[str, int], step: Step, lanes: Lanes, part: slice) -> Numbers:
        numbers = np.full(part.stop - part.start, self.unselected(op), np.uint32)
        mask = self.captured(step, op.op.values["m"], 16)
        if mask:
            numbers[:] = mask
            return numbers
        chosen = numeric.mask_selects(self.numerics, scalars["m"], lanes.i % WARP)
        self._use(np.where(chosen, self._combined(op, step, part), 0), "the address of {name}", op, step, part)
        addresses = self.datapath.addresses(op, lanes, part, scalars)
        numbers[chosen] = self.loaded(Access(op, step.number, self.index(addresses[chosen]), lanes.i[chosen]))
        return numbers

    def _warp_vector(self, op: VectorOp, scalars: dict[str, int], step: Step, part: slice) -> Numbers:
        """Reason numbers of WARPVEC, a row of 256 for each warp of the part (or one row for all)."""
        base = self.captured(step, op.op.values["base"], 32)
        self._use(np.uint32(base), "the address of {name}", op, step, part)
        words = self.index(np.uint32(scalars["base"]) + 2 * np.arange(8 * WARP, dtype=np.uint32))
        firsts = np.arange(part.start, part.stop, WARP, dtype=np.uint32)
        shape = (firsts.size, words.size)
        return self.loaded(
            Access(op, step.number, np.broadcast_to(words, shape), np.broadcast_to(firsts[:, None], shape))
        )

    def _dot(
        self, op: VectorOp, scalars: dict[str, int], warp_vector: Numbers, step: Step, lanes: Lanes, part: slice
    ) -> Any:
        terms = self.captured(step, op.op.values["l"], 16)
        self._use(np.uint32(terms), "the number of terms of {name}", op, step, part)
        addresses = self._addresses(op, scalars, step, lanes, part)
        length = min(scalars["l"], 8)  # the engine refuses longer ones
        words = self.index(addresses[:, None] + 2 * np.arange(length, dtype=np.uint32))
        lane = np.broadcast_to(lanes.i[:, None], words.shape)
        numbers = self.loaded(Access(op, step.number, words, lane))
        if numbers.ndim:
            numbers = numbers.max(axis=1, initial=0)
        if warp_vector.ndim:
            row = (lanes.i - np.uint32(part.start)) // WARP
            rows = warp_vector.reshape(-1, 8, WARP)[row, :length, lanes.i % WARP]
            numbers = np.maximum(numbers, rows.max(axis=1, initial=0))
        return numbers

    # --- processing element ----------------------------------------------------------------------------------------

    def _merge_condition(self, step: Step, part: slice, inside: bool) -> NDArray[np.bool_] | None:
        """Where a MERGE takes its second operand, if its condition has (`inside`: gets) its value in this column."""
        pe = step.column.pe
        if pe is None or pe.form.define is not numeric.merge or pe.form.effect == "merge-mask":
            return None
        code = pe.op.values["c"]
        if (code in (MA, MB)) is not inside:
            return None
        return self.datapath.vectors.halves[code][part] != 0

    def _result(self, pe: VectorOp, step: Step, lanes: Lanes, part: slice) -> Any:
        if pe.form.define is not numeric.merge:
            return self._combined(pe, step, part)
        first, second = (self._source(pe, name, step, part) for name in ("a", "b"))
        if pe.form.effect == "merge-mask":
            chosen = numeric.mask_selects(self.numerics, step.captured[-1]["m"], lanes.i % WARP)
            condition = np.uint32(self.captured(step, pe.op.values["m"], 16))
        else:
            inside = self._merge_condition(step, part, inside=True)
            chosen = inside if self._condition is None else self._condition
            condition = self._source(pe, "c", step, part)
        return np.maximum(np.where(chosen, second, first), condition)  # type: ignore[arg-type]
