"""What rules write with: a builder that knows the target, splits 64-bit values and asks who meets."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from openrpp.kir.build import Builder, Operand
from openrpp.kir.ir import Block, Constant, Instr, Kernel, Value, constant
from openrpp.kir.ops import lookup
from openrpp.kir.types import F32, F64, I1, I8, I16, I32, I64, Type

IsLegal = Callable[[Instr], bool]
Emitted = Value | None
"""What stands for the instruction; None for one without a result."""

INT_OF = {1: I1, 8: I8, 16: I16, 32: I32, 64: I64}
"""Width -> integer type."""


class Emit(Builder):
    """A builder for rules. What it caches holds within one block."""

    def __init__(self, kernel: Kernel, block: Block, is_legal: IsLegal) -> None:
        super().__init__(kernel, block)
        self.is_legal = is_legal
        self._here: dict[Value, Value] = {}
        self._lane: Value | None = None

    def at(self, block: Block) -> Emit:
        """Go on at the end of a block."""
        super().at(block)
        self._here.clear()
        self._lane = None
        return self

    def has(self, name: str, kind: Type) -> bool:
        """Whether the target has an op whose operands all have one type."""
        op = lookup(name)
        return self.is_legal(Instr(op, [Constant(kind, 1)] * len(op.operands)))

    def flip(self, condition: Value) -> Value:
        """The other truth value."""
        return self("xor", condition, 1)

    def pick(self, condition: Value, yes: Operand, no: Operand) -> Value:
        """Select; one of the two may be a number."""
        return self("select", condition, yes, no)

    def bits(self, value: Value) -> Value:
        """The bits of a float as an integer, a pointer's address; an integer itself."""
        if value.type.is_int:
            return value
        if value.type.is_pointer:
            return self("ptrtoint", value, kind=I64)
        if isinstance(value, Instr) and value.op.name == "bitcast" and value.operands[0].type.is_int:
            return value.operands[0]
        return self("bitcast", value, kind=INT_OF[value.type.bits])

    def of_bits(self, bits: Value, kind: Type) -> Value:
        """The inverse of `bits`."""
        if kind.is_int:
            return bits
        return self("inttoptr" if kind.is_pointer else "bitcast", bits, kind=kind)

    def widen(self, value: Value, kind: Type = I32, signed: bool = False) -> Value:
        """An integer extended to a type; itself if it has that width."""
        if value.type.bits == kind.bits:
            return value
        whole = _whole(value)
        if whole is not None and kind is I32 and not signed:
            return self("and", whole, value.type.mask)
        return self("sext" if signed else "zext", value, kind=kind)

    def any(self, value: Value) -> Value:
        """32 bits of which only those of the integer's own width mean something."""
        whole = _whole(value)
        return self.widen(value) if whole is None else whole

    def narrow(self, value: Value, kind: Type) -> Value:
        """The low bits of an integer."""
        return value if value.type is kind else self("trunc", value, kind=kind)

    def low(self, value: Value) -> Value:
        """Bits 0 to 31 of an i64."""
        return self("trunc", value, kind=I32)

    def high(self, value: Value) -> Value:
        """Bits 32 to 63 of an i64."""
        return self("trunc", self("lshr", value, 32), kind=I32)

    def join(self, low: Value, high: Value) -> Value:
        """An i64 of its halves."""
        return self("or", self("zext", low, kind=I64), self("shl", self("zext", high, kind=I64), 32))

    def single(self, value: Value) -> Value:
        """An f16 or bf16 as f32."""
        return value if value.type is F32 else self("fpext", value, kind=F32)

    def double(self, value: Value) -> Value:
        """A float as f64, in the steps that conversions have."""
        return value if value.type is F64 else self("fpext", self.single(value), kind=F64)

    def lane(self) -> Value:
        """The index of the thread in its warp."""
        if self._lane is None:
            self._lane = self("laneid")
        return self._lane

    def here(self, mask: Value) -> Value:
        """The lanes that meet under a mask: those of the mask that have not returned."""
        found = self._here.get(mask)
        if found is None:
            found = self._here[mask] = self("ballot", mask, constant(I1, 1))
        return found

    def go(self, block: Block, args: Sequence[Value] = ()) -> None:
        """End the block with a jump and go on there."""
        self.br(block, *args)
        self.at(block)


def _whole(value: Value) -> Value | None:
    """The i32 that an integer was cut from."""
    if isinstance(value, Instr) and value.op.name == "trunc" and value.operands[0].type is I32:
        return value.operands[0]
    return None
