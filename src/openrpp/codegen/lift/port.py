"""Memory port operations in kernel IR: addresses, loads, stores, atomics, dots.

Addresses of SRAM are 32-bit; an access adds the distance from SRAM's start to the pointer that the kernel gets. The
lane's part of contiguous and strided accesses is added behind that, in 64 bits, so that rows are seen to be contiguous:
the lane where it is 0 goes to the base itself, which therefore lies in the memory.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from openrpp.arch import Card
from openrpp.codegen.lift.emit import WARP, Emitter
from openrpp.codegen.lift.lanes import Lanes
from openrpp.codegen.lift.registers import Registers
from openrpp.isa.form import Cost, Kind
from openrpp.isa.numeric import Numerics
from openrpp.kir.ir import Block, Parameter, Value
from openrpp.kir.types import F32, F64, I1, I8, I16, I32, I64, Type
from openrpp.machine.code import DVA, VectorOp

MA, MB = 6, 7
_WIDTHS = {8: I8, 16: I16, 32: I32}
_ATOMICS = {
    "ADD.U32": "atomic_add", "ADD.F32": "atomic_fadd", "MIN.U32": "atomic_umin", "MIN.S32": "atomic_smin",
    "MAX.U32": "atomic_umax", "MAX.S32": "atomic_smax", "AND.U32": "atomic_and", "OR.U32": "atomic_or",
    "XOR.U32": "atomic_xor", "EXCH.U32": "atomic_xchg", "CAS.U32": "atomic_cas", "ADD.U64": "atomic_add",
    "ADD.F64": "atomic_fadd", "MIN.U64": "atomic_umin", "MIN.S64": "atomic_smin", "MAX.U64": "atomic_umax",
    "MAX.S64": "atomic_smax", "EXCH.U64": "atomic_xchg", "CAS.U64": "atomic_cas",
}  # fmt: skip
DOT_TERMS = 8
"""Most terms of a dot, which is what WARPVEC holds for a lane."""


@dataclass(frozen=True)
class Memories:
    """The pointers that a lifted kernel gets, and where the memories lie on the card."""

    sram: Parameter
    ddr: Parameter
    sram_base: int
    ddr_base: int


class Machine(Protocol):
    """What port operations need of the program that is being lifted."""

    to: Emitter
    card: Card
    numerics: Numerics
    vectors: Registers
    memories: Memories

    def scalar(self, number: int, width: int) -> Value:
        """A scalar operand."""
        ...

    def fault_unless(self, holds: Value, number: int, detail: Value) -> None:
        """Stop the launch where a condition, the same in all lanes, does not hold."""
        ...

    def fault_number(self, sentence: str, word: int) -> int:
        """The number of a fault."""
        ...


@dataclass(frozen=True)
class Warp:
    """What LDWARP gave: the pointer to this lane's word of the first row."""

    start: Value


class Port:
    """The memory port of one column. `terms` are the lengths that its dots may have, None for any."""

    def __init__(self, machine: Machine, lanes: Lanes, terms: frozenset[int] | None) -> None:
        self.machine = machine
        self.to = machine.to
        self.lanes = lanes
        self.terms = terms
        self.compared: Value | None = None
        self.pointers: dict[int, Value] = {}  # by word of the operation
        self.conditions: dict[int, Value | None] = {}

    # --- operands -------------------------------------------------------------------------------------------------

    def source(self, op: VectorOp, name: str) -> Value:
        """A source of an address as 32 bits."""
        if name == "DVA":
            return self.machine.vectors.pair(DVA)
        operand, value = op.form.operands[name], op.op.values[name]
        match operand.kind:
            case Kind.S16:
                return self.to.wide(self.machine.scalar(value, 16))
            case Kind.S32:
                return self.machine.scalar(value, 32)
            case Kind.S64:
                return self.machine.scalar(value, 64)
            case Kind.IMM:
                return self.to.number(I32, value)
            case Kind.V16 | Kind.STORE16:
                return self.to.wide(self.machine.vectors.half(value))
            case _:
                return self.machine.vectors.pair(value)

    def address_operation(self, op: VectorOp) -> Value:
        """The new DVA."""
        to, name = self.to, op.form.name
        sources = [self.source(op, item) for item in op.form.sources]
        if name.startswith("GLANEADDR"):
            base, sy, sz = sources
            return to.op("add", base, self._rows(sy, sz))
        if name == "MMOV":
            return sources[0]
        if name.startswith("MADD"):
            return to.op("add", *sources)
        if name == "MSUB":
            return to.op("sub", *sources)
        v, base, shift = sources
        return to.op("add", base, to.op("shl", v, shift))

    def _rows(self, sy: Value, sz: Value) -> Value:
        """y sy + z sz."""
        to = self.to
        return to.op("add", to.op("mul", sy, self.lanes.y), to.op("mul", sz, self.lanes.z))

    # --- pointers -------------------------------------------------------------------------------------------------

    def _in_sram(self, address: Value) -> Value:
        to, memories = self.to, self.machine.memories
        offset = to.op("zext", to.op("sub", address, memories.sram_base), kind=I64)
        return to("ptr_add", memories.sram, offset)

    def pointer(self, op: VectorOp) -> Value:
        """Where an access goes in each lane."""
        found = self._pointer(op)
        self.pointers[op.word] = found
        return found

    def _pointer(self, op: VectorOp) -> Value:
        to, name = self.to, op.form.name
        sources = [self.source(op, item) for item in op.form.sources]
        if op.form.cost is Cost.DIRECT:
            return self._in_ddr(op, sources)
        if name.startswith(("LOADCONT", "STORECONT")):
            own = self.lanes.i2 if op.form.width == 16 else to.op("shl", self.lanes.i2, 1, nuw=True, nsw=True)
            return to("ptr_add", self._in_sram(sources[0]), own)
        if name.startswith(("LOADALN", "STOREALN")):
            base, sy, sz = sources
            row = to.op("add", base, to.op("shl", self._rows(sy, sz), 1))
            return to("ptr_add", self._in_sram(row), self.lanes.x2)
        base, *more = sources
        if not more:
            return self._in_sram(base)
        index = to.op("shl", *more) if len(more) == 2 else more[0]
        return self._in_sram(to.op("add", base, index))

    def _in_ddr(self, op: VectorOp, sources: list[Value]) -> Value:
        to, memories = self.to, self.machine.memories
        base, dva = sources
        start = base if base.type is I64 else to.op("shl", to.resized(base, I64), 32)
        if "h" in op.form.operands:
            start = to.op("shl", to.resized(base, I64), 32)
        distance = to.op("add", to.op("sub", start, memories.ddr_base), to.resized(dva, I64))
        return to("ptr_add", memories.ddr, distance)

    # --- accesses -------------------------------------------------------------------------------------------------

    def chosen(self, op: VectorOp) -> Value | None:
        """Which lanes take part in an access; None for all."""
        chosen = None
        if op.form.effect == "load-masked":
            chosen = self.selected(self.machine.scalar(op.op.values["m"], 16))
        elif "c" in op.form.operands:
            chosen = self.to.test("ne", self.machine.vectors.half(op.op.values["c"]), 0)
        chosen = self.to.both(chosen, self.lanes.active)
        self.conditions[op.word] = chosen
        return chosen

    def selected(self, mask: Value) -> Value:
        """Whether an 8-bit lane mask selects the lane."""
        to = self.to
        lane = to.op("and", self.lanes.i, WARP - 1)
        mod = self.machine.numerics.mask_lanes == "mod"
        place = to.op("and", lane, 7) if mod else to.op("and", to.op("lshr", lane, 2), 7)
        return to.op("trunc", to.op("lshr", to.wide(mask), place), kind=I1)

    def load(self, op: VectorOp) -> Value:
        """The value that a load brings, as wide as its register. Lanes that do not take part get 0."""
        to, form = self.to, op.form
        kind = I8 if form.effect == "load-byte" else _WIDTHS[form.width]
        register = I32 if form.width == 32 else I16
        pointer = self.pointer(op)
        value = self.where(self.chosen(op), lambda: to.resized(to("load", pointer, kind=kind), register), register)
        if form.effect == "load-byte" and self.machine.card.choices.ben_high_byte.value == "undefined":
            value = to.op("or", value, 0xFF00)
        return value

    def where(self, chosen: Value | None, made: Callable[[], Value], kind: Type) -> Value:
        """What is made in the lanes that take part, 0 in the others. Registers must have been read before."""
        if chosen is None:
            return made()
        to, inside, behind = self.to, self.to.block(), self.to.block()
        found = behind.param(kind)
        to.cbr(chosen, inside, behind, (), (to.number(kind, 0),))
        to.at(inside)
        value = made()
        to.br(behind, value)
        to.at(behind)
        return found

    def store(self, op: VectorOp) -> None:
        """A store, in the lanes that take part."""
        to, code = self.to, op.op.values["r"]
        wide = op.form.width == 32
        value = self.machine.vectors.pair(code) if wide else self.machine.vectors.half(code)
        value = to.resized(value, _WIDTHS[op.form.width])
        pointer, chosen = self.pointer(op), self.chosen(op)
        if chosen is None:
            to("store", value, pointer)
            return
        inside, behind = to.block(), to.block()
        to.cbr(chosen, inside, behind)
        to.at(inside)("store", value, pointer)
        to.br(behind)
        to.at(behind)

    def atomic(self, op: VectorOp) -> Value:
        """The old value of 32 or 64 bits, 0 in lanes that do not take part."""
        to, (_, name) = self.to, op.form.name.split(".", 1)
        kind = I32 if op.form.width == 32 else I64
        values = [self.pair(op, "r")] if kind is I32 else [to.joined(self.pair(op, "r"), self.pair(op, "s"))]
        if name == "CAS.U32":
            values.insert(0, self.pair(op, "k"))
        elif name == "CAS.U64":
            assert self.compared is not None, "decoding refuses a 64-bit compare-and-swap without ATOMCMP"
            values.insert(0, self.compared)
        elif name.startswith("ADD.F"):
            values = [to.op("bitcast", item, kind=F32 if kind is I32 else F64) for item in values]
        pointer = self.pointer(op)
        return self.where(self.chosen(op), lambda: self._update(name, pointer, values), kind)

    def compare(self, op: VectorOp) -> None:
        """ATOMCMP: what the compare-and-swap of the column compares with."""
        self.compared = self.to.joined(self.pair(op, "k"), self.pair(op, "m"))

    def pair(self, op: VectorOp, name: str) -> Value:
        """A vector register pair."""
        return self.machine.vectors.pair(op.op.values[name])

    def _update(self, name: str, pointer: Value, values: list[Value]) -> Value:
        old = self.to(_ATOMICS[name], pointer, *values)
        return self.to.pattern(old) if old.type.is_float else old

    # --- dots -----------------------------------------------------------------------------------------------------

    def warp_vector(self, op: VectorOp) -> Warp:
        """LDWARP: every lane of a warp meets its own column of 8 rows of 32 words."""
        to = self.to
        lane = to.op("and", self.lanes.i, WARP - 1)
        own = to.op("zext", to.op("shl", lane, 1, nuw=True, nsw=True), kind=I64)
        return Warp(to("ptr_add", self._in_sram(self.source(op, "base")), own))

    def dot(self, op: VectorOp, warp: Warp) -> Value:
        """The pattern of a lane's dot with its column: float32 for bf16 words, 32 bits for signed bytes."""
        to = self.to
        length, lane = self.machine.scalar(op.op.values["l"], 16), self.pointer(op)
        self.conditions[op.word] = self.lanes.active
        words = to.wide(length)
        number = self.machine.fault_number(f"{op.form.name} of more words than WARPVEC holds, or of none", op.word)
        if self.terms is not None and self.terms <= {DOT_TERMS}:
            self.machine.fault_unless(to.test("eq", words, DOT_TERMS), number, words)
            return self.where(self.lanes.active, lambda: self._whole(op, lane, warp), I32)
        self.machine.fault_unless(to.test("ult", to.op("sub", words, 1), DOT_TERMS), number, words)
        return self.where(self.lanes.active, lambda: self._any_length(op, lane, warp, words), I32)

    def _any_length(self, op: VectorOp, lane: Value, warp: Warp, words: Value) -> Value:
        to = self.to
        whole, part, behind = to.block(), to.block(), to.block()
        found = behind.param(I32)
        to.cbr(to.test("eq", words, DOT_TERMS), whole, part)
        to.at(whole)
        to.br(behind, self._whole(op, lane, warp))
        to.at(part)
        self._loop(op, lane, warp, words, behind)
        to.at(behind)
        return found

    def _whole(self, op: VectorOp, lane: Value, warp: Warp) -> Value:
        to = self.to
        own = [to("load", self._behind(lane, 4 * k), kind=I32, align=2) for k in range(DOT_TERMS // 2)]
        halves = [to("load", self._behind(warp.start, 2 * WARP * k), kind=I16) for k in range(DOT_TERMS)]
        columns = [to.joined(halves[k], halves[k + 1]) for k in range(0, DOT_TERMS, 2)]
        if op.form.effect == "dot":
            # Adding -0 changes no sum; +0 would turn a sum of -0 into +0.
            return to.pattern(to.op("dot8_bf16", *own, *columns, to.single(to.number(I32, 0x8000_0000))))
        total: Value = to.number(I32, 0)
        for a, b in zip(own, columns, strict=True):
            total = to.op("dp4a", a, b, total, a_signed=True, b_signed=True)
        return total

    def _behind(self, pointer: Value, distance: int) -> Value:
        return self.to("ptr_add", pointer, self.to.number(I64, distance)) if distance else pointer

    def _loop(self, op: VectorOp, lane: Value, warp: Warp, words: Value, behind: Block) -> None:
        """Word by word: two chains of float32 sums that take turns, or one sum of integers."""
        to = self.to
        is_float = op.form.effect == "dot"
        kind: Type = F32 if is_float else I32
        head, done = to.block(), to.block()
        place, mine, next_ = head.param(I32), head.param(kind), head.param(kind)
        zero = to.number(kind, 0)
        to.br(head, to.number(I32, 0), zero, zero)
        to.at(head)
        at = to.resized(place, I64)
        a = to("load", to("ptr_add", lane, to.op("shl", at, 1)), kind=I16)
        b = to("load", to("ptr_add", warp.start, to.op("shl", at, 6)), kind=I16)
        if is_float:
            total = to.op("fadd", mine, to.op("fmul", to.widened(a), to.widened(b)))
        else:
            total = to.op("dp4a", to.wide(a), to.wide(b), mine, a_signed=True, b_signed=True)
        following = to.op("add", place, 1)
        again = to.block()
        to.cbr(to.test("ult", following, words), again, done)
        to.at(again).br(head, following, *((next_, total) if is_float else (total, next_)))
        # The sum of the even chain comes first; sums of two floats commute.
        to.at(done)
        to.br(behind, to.pattern(to.op("fadd", total, next_)) if is_float else total)
