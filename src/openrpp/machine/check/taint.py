"""Shadow execution of columns: which lanes of which registers hold a value that should not be used, and why.

Every lane of every vector register carries a reason number, 0 for a sound value. Reasons start at loads (a subclass
says at which), flow through copies, processing element operations and DVA exactly as values do, and are a fault only
where they are used: stored, taken as an address, or as the condition of a store. So a load that reads too far is no
fault as long as the program drops what it got.

A result is doubtful where any source that it uses is; MERGE uses its condition and the chosen operand only.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from openrpp.isa import numeric
from openrpp.isa.columns import loads
from openrpp.isa.form import Kind
from openrpp.isa.registers import HALF_NAMES, PAIR_NAMES
from openrpp.isa.table.port import Lanes
from openrpp.machine.banks import WARP
from openrpp.machine.check.reasons import SOUND, Access, Numbers, Reason, Reasons
from openrpp.machine.code import DVA, VectorOp
from openrpp.machine.extended import by_warp
from openrpp.machine.faults import Fault, Place
from openrpp.machine.launch import Launch
from openrpp.machine.observe import Observer
from openrpp.machine.reference import Reference, Step
from openrpp.machine.vectors import MA, MB

NAMES = {**HALF_NAMES, DVA: "DVA"}
VA, VB = 4, 5
WARP_VECTORS = 8
"""Vectors of 32 words in WARPVEC."""
_SCALAR_WIDTHS = {Kind.S16: 16, Kind.S32: 32, Kind.S64: 64}
_WIDE = (Kind.V32, Kind.A32, Kind.STORE32)
_HALF = (Kind.V16, Kind.STORE16)


class Taint(Observer):
    """Carries reasons along with the values of a block."""

    error: type[Fault] = Fault
    doubtful = "doubtful"  # what sentences call such a value

    def __init__(self) -> None:
        self.reasons = Reasons()
        self.place = Place("")
        self.lines: dict[int, int] = {}
        self.registers: dict[int, Numbers] = {}
        self._pending: list[tuple[int, Any]] = []
        self._chosen: Any = None
        self._compared: Any = SOUND

    # --- what a subclass knows ---------------------------------------------------------------------------------

    def loaded(self, access: Access) -> Numbers:
        """Reason numbers of loaded words in the shape of `access.words`, or SOUND."""
        return SOUND

    def stored(self, access: Access) -> None:
        """Words are being stored. May raise a Fault."""

    def unwritten(self, code: int) -> int:
        """Reason number of a register that this block (for MA and MB: this column) has not written."""
        return 0

    def unselected(self, op: VectorOp) -> int:
        """Reason number of lanes that a masked load leaves out."""
        return 0

    def captured(self, step: Step, register: int, width: int) -> int:
        """Reason number of a scalar operand when its column was handed out."""
        return 0

    def voted(self, op: VectorOp, doubtful: bool) -> None:
        """The lanes have given a scalar register its value."""

    def surfaced(self, what: str, reason: Reason, place: Place) -> Fault:
        """The fault for a doubtful value at the place of its use; `what` names the use."""
        return self.error(f"{what} is {self.doubtful}: {reason.text}", place)

    # --- following a launch ------------------------------------------------------------------------------------

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

    def block(self, place: Place) -> None:
        """No vector register outlives a block."""
        self.place = place
        self._pending = []
        for code, values in self.registers.items():
            values.fill(self.unwritten(code))

    def before(self, step: Step, lanes: Lanes, part: slice) -> None:
        """The port operations, on entry state; stores first, since a column does not order its own accesses."""
        self._pending = []
        self.reasons.collect(self.registers.values())
        for code in (MA, MB):
            self.registers[code][part] = self.unwritten(code)
        self._chosen = self._choice(step, part)  # now: the result may overwrite it
        ops = list(zip(step.column.port, step.captured, strict=False))
        warp_vector = SOUND
        for op, scalars in sorted(ops, key=lambda pair: not pair[0].form.effect.startswith("store")):
            match op.form.effect:
                case "address":
                    self._pending.append((DVA, self._combined(op, step, part)))
                case "warp-load":
                    warp_vector = self._warp_vector(op, scalars, step, part)
                case "compare":
                    pairs = (self._source(op, name, step, part) for name in ("k", "m"))
                    self._compared = np.maximum(*pairs)
                case "dot" | "dot-int8":
                    self._keep(op, self._dot(op, scalars, warp_vector, step, lanes, part), part)
                case effect if effect.startswith("load"):
                    self._keep(op, self._load(op, scalars, step, lanes, part), part)
                case _:
                    self._store(op, scalars, step, lanes, part)

    def after(self, step: Step, lanes: Lanes, part: slice) -> None:
        """Processing element and switch box, then everything becomes visible."""
        pe = step.column.pe
        result = self._result(pe, step, lanes, part) if pe else SOUND
        for source, target in step.column.moves:
            self.registers[target][part] = self.registers[source][part]
        for code, numbers in self._pending:
            self.registers[code][part] = numbers
        self._pending = []
        if pe and pe.form.effect == "vote":
            self.voted(pe, bool(result.any()))
        elif pe:
            for code in (VA, VB) if pe.form.width == 32 else (VA,):
                self.registers[code][part] = result

    # --- operands ----------------------------------------------------------------------------------------------

    def _source(self, op: VectorOp, name: str, step: Step, part: slice) -> Any:
        """Reason numbers of one operand."""
        if name in ("DVA", "MB"):
            return self.registers[DVA if name == "DVA" else MB][part]
        kind, value = op.form.operands[name].kind, op.op.values[name]
        if kind in _SCALAR_WIDTHS:
            return np.uint32(self.captured(step, value, _SCALAR_WIDTHS[kind]))
        if kind in _HALF or (kind in _WIDE and value == DVA):
            return self.registers[value][part]
        if kind in _WIDE:
            return np.maximum(self.registers[value][part], self.registers[value + 1][part])
        return SOUND

    def _combined(self, op: VectorOp, step: Step, part: slice) -> Any:
        numbers: Any = SOUND
        for name in op.form.sources:
            numbers = np.maximum(numbers, self._source(op, name, step, part))
        return numbers

    def _use(self, numbers: Any, what: str, op: VectorOp, step: Step, part: slice, addresses: Any = None) -> None:
        """Refuse doubtful values that are used, at the first lane that has one."""
        if not numbers.any():
            return
        flat = np.broadcast_to(numbers, part.stop - part.start)
        index = int(np.argmax(flat != 0))
        address = None if addresses is None else int(np.broadcast_to(addresses, flat.shape)[index])
        line, lane = self.lines.get(op.word), part.start + index
        place = Place(self.place.kernel, self.place.block, step.number, op.word, line, lane, address)
        raise self.surfaced(what.format(name=op.form.name), self.reasons[int(flat[index])], place)

    # --- memory ------------------------------------------------------------------------------------------------

    def _access(self, op: VectorOp, step: Step, addresses: NDArray[Any], lanes: Numbers, terms: int = 1) -> Access:
        """The words of an access; `terms` consecutive ones per lane make a row."""
        if terms > 1:
            addresses = addresses[:, None] + (2 * np.arange(terms)).astype(addresses.dtype)
            addresses, lanes = np.broadcast_arrays(addresses, lanes[:, None])
        offsets = addresses.astype(np.uint32) - self.base
        words = np.minimum(offsets >> np.uint32(1), np.uint32(self.words))
        return Access(op, step.number, addresses, words, lanes)

    def _loaded(self, access: Access) -> Numbers:
        """Reason numbers of loaded values, one per lane."""
        numbers = self.loaded(access)
        return numbers.max(axis=1, initial=0) if numbers.ndim > 1 else numbers

    def _keep(self, op: VectorOp, numbers: Numbers, part: slice) -> None:
        for code in loads(op.op):
            if code in (MA, MB):
                self.registers[code][part] = numbers
            else:
                self._pending.append((code, numbers))

    def _store(self, op: VectorOp, scalars: dict[str, int], step: Step, lanes: Lanes, part: slice) -> None:
        """A store, or an atomic update, which also loads what it replaces."""
        place, data = self._combined(op, step, part), self._source(op, "r", step, part)
        for name in ("k", "s"):
            if name in op.form.operands:
                data = np.maximum(data, self._source(op, name, step, part))
        if op.form.name.endswith("CAS.U64"):
            data = np.maximum(data, self._compared)
        chosen: Any = slice(None)
        if "c" in op.form.operands:
            self._use(self._source(op, "c", step, part), "the condition of {name}", op, step, part)
            chosen = self.datapath.vectors.halves[op.op.values["c"]][part] != 0
            place, data = np.where(chosen, place, 0), np.where(chosen, data, 0)
        self._use(place, "the address of {name}", op, step, part)
        addresses = self.datapath.addresses(op, lanes, part, scalars)
        names = PAIR_NAMES if op.form.operands["r"].kind is Kind.STORE32 else HALF_NAMES
        self._use(data, f"the {names[op.op.values['r']]} that {{name}} stores", op, step, part, addresses)
        access = self._access(op, step, addresses[chosen], lanes.i[chosen], max(op.form.width // 16, 1))
        if op.form.effect == "atomic":
            numbers = np.zeros(addresses.shape, np.uint32)
            numbers[chosen] = self._loaded(access)
            self._keep(op, numbers, part)
        self.stored(access)

    def _load(self, op: VectorOp, scalars: dict[str, int], step: Step, lanes: Lanes, part: slice) -> Numbers:
        place, terms = self._combined(op, step, part), max(op.form.width // 16, 1)
        if "c" in op.form.operands:
            return self._load_where(op, scalars, step, lanes, part)
        if op.form.effect != "load-masked":
            self._use(place, "the address of {name}", op, step, part)
            return self._loaded(
                self._access(op, step, self.datapath.addresses(op, lanes, part, scalars), lanes.i, terms)
            )
        numbers = np.full(part.stop - part.start, self.unselected(op), np.uint32)
        mask = self.captured(step, op.op.values["m"], 16)
        if mask:
            numbers[:] = mask
            return numbers
        chosen = numeric.mask_selects(self.numerics, scalars["m"], lanes.i % WARP)
        self._use(np.where(chosen, place, 0), "the address of {name}", op, step, part)
        addresses = self.datapath.addresses(op, lanes, part, scalars)
        numbers[chosen] = self._loaded(self._access(op, step, addresses[chosen], lanes.i[chosen]))
        return numbers

    def _load_where(self, op: VectorOp, scalars: dict[str, int], step: Step, lanes: Lanes, part: slice) -> Numbers:
        """A load of the lanes with a condition; the others get a defined 0."""
        self._use(self._source(op, "c", step, part), "the condition of {name}", op, step, part)
        chosen = self.datapath.vectors.halves[op.op.values["c"]][part] != 0
        self._use(np.where(chosen, self._combined(op, step, part), 0), "the address of {name}", op, step, part)
        addresses = self.datapath.addresses(op, lanes, part, scalars)
        numbers = np.zeros(part.stop - part.start, np.uint32)
        terms = max(op.form.width // 16, 1)
        numbers[chosen] = self._loaded(self._access(op, step, addresses[chosen], lanes.i[chosen], terms))
        return numbers

    def _warp_vector(self, op: VectorOp, scalars: dict[str, int], step: Step, part: slice) -> Numbers:
        """Reason numbers of WARPVEC: a row of 256 for each warp of the part."""
        base = self.captured(step, op.op.values["base"], 32)
        self._use(np.uint32(base), "the address of {name}", op, step, part)
        firsts = np.arange(part.start, part.stop, WARP, dtype=np.uint32)
        start = np.full(firsts.size, scalars["base"], np.uint32)
        return self.loaded(self._access(op, step, start, firsts, WARP_VECTORS * WARP))

    def _dot(
        self, op: VectorOp, scalars: dict[str, int], warp_vector: Numbers, step: Step, lanes: Lanes, part: slice
    ) -> Numbers:
        terms = self.captured(step, op.op.values["l"], 16)
        self._use(np.uint32(terms), "the number of terms of {name}", op, step, part)
        self._use(self._combined(op, step, part), "the address of {name}", op, step, part)
        addresses = self.datapath.addresses(op, lanes, part, scalars)
        length = min(scalars["l"], WARP_VECTORS)  # the engine refuses more
        numbers = self._loaded(self._access(op, step, addresses, lanes.i, length))
        if warp_vector.ndim:
            row = (lanes.i - np.uint32(part.start)) // WARP
            used = warp_vector.reshape(-1, WARP_VECTORS, WARP)[row, :length, lanes.i % WARP]
            numbers = np.maximum(numbers, used.max(axis=1, initial=0))
        return numbers

    # --- processing element ------------------------------------------------------------------------------------

    def _choice(self, step: Step, part: slice) -> Any:
        """Values of the operand by which MERGE or SHFL picks its source, None for other operations."""
        pe = step.column.pe
        name = None if pe is None else _choosing(pe)
        if pe is None or name is None:
            return None
        if pe.form.operands[name].kind is Kind.V16:
            return self.datapath.vectors.halves[pe.op.values[name]][part].copy()
        return np.uint16(step.captured[-1].get(name, pe.op.values[name]))

    def _result(self, pe: VectorOp, step: Step, lanes: Lanes, part: slice) -> Any:
        """Reason numbers of the result."""
        name = _choosing(pe)
        if name is not None and pe.form.operands[name].kind is Kind.V16 and pe.op.values[name] in (MA, MB):
            self._chosen = self._choice(step, part)  # loaded in this column
        if pe.form.define is numeric.merge:
            return self._merged(pe, step, lanes, part)
        if pe.form.effect == "shuffle":
            return self._shuffled(pe, step, part)
        return self._combined(pe, step, part)

    def _merged(self, pe: VectorOp, step: Step, lanes: Lanes, part: slice) -> Any:
        first, second = self._source(pe, "a", step, part), self._source(pe, "b", step, part)
        if pe.form.effect == "merge-mask":
            chosen = numeric.mask_selects(self.numerics, step.captured[-1]["m"], lanes.i % WARP)
            condition: Any = np.uint32(self.captured(step, pe.op.values["m"], 16))
        else:
            chosen, condition = self._chosen != 0, self._source(pe, "c", step, part)
        return np.maximum(numeric.merge(self.numerics, first, second, chosen), condition)

    def _shuffled(self, pe: VectorOp, step: Step, part: slice) -> Any:
        """SHFL moves reasons as it moves values; a ballot depends on every lane of the warp."""
        size = part.stop - part.start
        if _choosing(pe) is None:
            rows = by_warp(self._combined(pe, step, part))
            return np.repeat(rows.max(axis=1), WARP)[:size]
        define = pe.form.define
        assert define is not None
        where = by_warp(self._chosen) if self._chosen.ndim else self._chosen
        moved = define(self.numerics, by_warp(self._source(pe, "a", step, part)), where).reshape(-1)[:size]
        return np.maximum(moved, self._source(pe, "b", step, part))


def _choosing(pe: VectorOp) -> str | None:
    """The operand by which an operation picks its source lane or operand."""
    if pe.form.define is numeric.merge and pe.form.effect != "merge-mask":
        return "c"
    return "b" if pe.form.effect == "shuffle" and "b" in pe.form.operands else None
