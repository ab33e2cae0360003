"""Emission of kernel IR for machine code: constants where operands are known, and the types that registers have.

A 16-bit register is an i16, a pair an i32. What is known when the program is lifted is folded at once, so that the
kernel IR of a prologue is as short as the work that it leaves.
"""

from __future__ import annotations

from typing import Final

from openrpp.kir.build import Builder, Operand
from openrpp.kir.ir import Constant, Instr, Value, constant
from openrpp.kir.ops import lookup
from openrpp.kir.ops.form import AttrValue
from openrpp.kir.types import BF16, F32, I1, I16, I32, I64, Type

WARP: Final = 32
ALL_LANES: Final = 0xFFFF_FFFF
_NEUTRAL: Final = {"add": 0, "sub": 0, "or": 0, "xor": 0, "shl": 0, "lshr": 0, "ashr": 0, "mul": 1, "ptr_add": 0}


class Emitter(Builder):
    """A builder that folds: the same calls, but the result may be a constant or an operand."""

    def op(self, name: str, *operands: Operand, kind: Type | None = None, **attrs: AttrValue) -> Value:
        """The result of a pure op on operands of which the first is a value."""
        first = operands[0]
        assert isinstance(first, Value)
        values = [item if isinstance(item, Value) else constant(first.type, item) for item in operands]
        if name in _NEUTRAL and isinstance(values[1], Constant) and values[1].bits == _NEUTRAL[name]:
            return values[0]
        known = [item for item in values if isinstance(item, Constant)]
        op = lookup(name)
        if len(known) == len(values) and op.define is not None:
            result = op.result_type([item.type for item in known], kind)
            checked = op.checked_attrs(attrs)
            return Constant(
                result, op.definition([item.type for item in known], result, checked)(*(item.bits for item in known))
            )
        return self.append(Instr(op, values, kind, attrs, self.location))

    # --- widths ---------------------------------------------------------------------------------------------------

    def number(self, kind: Type, value: int) -> Constant:
        """A literal."""
        return constant(kind, value)

    def resized(self, value: Value, kind: Type, *, signed: bool = False) -> Value:
        """An integer of another width: its low bits, or extended."""
        if value.type is kind:
            return value
        if value.type.bits > kind.bits:
            return self.op("trunc", value, kind=kind)
        return self.op("sext" if signed else "zext", value, kind=kind)

    def wide(self, value: Value) -> Value:
        """Zero-extended to 32 bits."""
        return self.resized(value, I32)

    def low(self, value: Value) -> Value:
        """The low 16 bits."""
        return self.resized(value, I16)

    def high(self, value: Value) -> Value:
        """The high 16 bits of 32."""
        return self.op("trunc", self.op("lshr", value, 16), kind=I16)

    def joined(self, low: Value, high: Value) -> Value:
        """A pair of 16-bit halves, or of 32-bit words."""
        kind = I32 if low.type is I16 else I64
        return self.op("or", self.resized(low, kind), self.op("shl", self.resized(high, kind), low.type.bits))

    def single(self, bits: Value) -> Value:
        """The float32 of a pattern."""
        return self.op("bitcast", bits, kind=F32)

    def brain(self, bits: Value) -> Value:
        """The bf16 of a pattern."""
        return self.op("bitcast", bits, kind=BF16)

    def pattern(self, value: Value) -> Value:
        """The bits of a float."""
        return self.op("bitcast", value, kind={16: I16, 32: I32, 64: I64}[value.type.bits])

    def widened(self, bits: Value) -> Value:
        """The float32 of a bf16 pattern; exact."""
        return self.single(self.op("shl", self.wide(bits), 16))

    # --- choices --------------------------------------------------------------------------------------------------

    def test(self, relation: str, a: Value, b: Operand) -> Value:
        """A comparison of integers."""
        return self.op("icmp", a, b, pred=relation)

    def chosen(self, condition: Value, a: Value, b: Value) -> Value:
        """condition ? a : b."""
        if isinstance(condition, Constant):
            return a if condition.bits else b
        return a if a is b else self("select", condition, a, b)

    def both(self, a: Value | None, b: Value | None) -> Value | None:
        """Whether both hold; None is a condition that always does."""
        if a is None or b is None:
            return a if b is None else b
        return self.op("and", a, b)

    def truth(self, value: bool) -> Constant:
        """An i1."""
        return constant(I1, int(value))
