"""Integers: guarded shifts, funnels, extrema, and arithmetic on 8 and 16 bits in 32."""

from __future__ import annotations

from typing import Final

from openrpp.kir.ir import Constant, Instr, Value, constant
from openrpp.kir.passes.expand.emit import Emit
from openrpp.kir.passes.expand.table import Rule, Table
from openrpp.kir.types import I8, I16, I32, I64

NARROW: Final = (I8, I16)
FULL: Final = (I32, I64)
_PICKS: Final = {"umin": "ult", "umax": "ugt", "smin": "slt", "smax": "sgt"}


def register(table: Table) -> None:
    """The rules of this file."""
    table.add(("add", "sub", "mul", "and", "or", "xor"), NARROW, _low_bits)
    table.add(("shl",), NARROW, _shifted_left)
    table.add(("lshr",), NARROW, widened())
    table.add(("ashr",), NARROW, widened(True, False))
    table.add(("umin", "umax"), NARROW, widened())
    table.add(("smin", "smax", "abs"), NARROW, widened(True, True))
    table.add(("shl", "lshr", "ashr"), FULL, _guarded_shift)
    table.add(("fshl", "fshr"), FULL, _funnel)
    table.add(("fshl", "fshr"), (I8, I16), _narrow_funnel)
    table.add(_PICKS, FULL, _extremum)
    table.add(("abs",), FULL, _absolute)


def widened(*signs: bool) -> Rule:
    """The same op in 32 bits, each operand extended with zeros or its sign, and the low bits of the result."""

    def emit(e: Emit, instr: Instr) -> Value:
        kinds = signs or (False,) * len(instr.operands)
        operands = [e.widen(value, I32, sign) for value, sign in zip(instr.operands, kinds, strict=False)]
        return e.narrow(e(instr.op.name, *operands), instr.type)

    return emit


def _low_bits(e: Emit, instr: Instr) -> Value:
    """No bit of the result depends on a higher bit of an operand."""
    return e.narrow(e(instr.op.name, *(e.any(value) for value in instr.operands)), instr.type)


def _shifted_left(e: Emit, instr: Instr) -> Value:
    value, count = instr.operands
    return e.narrow(e("shl", e.any(value), e.widen(count)), instr.type)


def _guarded_shift(e: Emit, instr: Instr) -> Value:
    """Counts of the width or more leave zero, or the sign."""
    value, count = instr.operands
    kind, name = instr.type, instr.op.name
    inside = e("icmp", count, kind.bits, pred="ult")
    if name == "ashr":
        return e(name, value, e.pick(inside, count, kind.bits - 1))
    moved = e(name, value, e("and", count, kind.bits - 1))
    return e.pick(inside, moved, constant(kind, 0))


def _funnel(e: Emit, instr: Instr) -> Value:
    """Two shifts, the second in two steps so that a count of 0 moves everything out."""
    high, low, count = instr.operands
    width = instr.type.bits
    if isinstance(count, Constant):
        left = count.bits % width if instr.op.name == "fshl" else -count.bits % width
        whole = high if instr.op.name == "fshl" else low
        return e("or", e("shl", high, left), e("lshr", low, width - left)) if left else whole
    near = e("and", count, width - 1)
    rest = e("and", e("xor", count, width - 1), width - 1)
    if instr.op.name == "fshl":
        return e("or", e("shl", high, near), e("lshr", e("lshr", low, 1), rest))
    return e("or", e("lshr", low, near), e("shl", e("shl", high, 1), rest))


def _narrow_funnel(e: Emit, instr: Instr) -> Value:
    """Both words fit 32 bits."""
    high, low, count = (e.widen(value) for value in instr.operands)
    width = instr.type.bits
    joined = e("or", e("shl", high, width), low)
    near = e("and", count, width - 1)
    if instr.op.name == "fshl":
        return e.narrow(e("lshr", e("shl", joined, near), width), instr.type)
    return e.narrow(e("lshr", joined, near), instr.type)


def _extremum(e: Emit, instr: Instr) -> Value:
    a, b = instr.operands
    return e.pick(e("icmp", a, b, pred=_PICKS[instr.op.name]), a, b)


def _absolute(e: Emit, instr: Instr) -> Value:
    return magnitude(e, instr.operands[0])[0]


def magnitude(e: Emit, value: Value) -> tuple[Value, Value]:
    """(|value|, sign): the sign is 0 or all ones."""
    sign = e("ashr", value, value.type.bits - 1)
    return with_sign(e, value, sign), sign


def with_sign(e: Emit, value: Value, sign: Value) -> Value:
    """The value, or its negative where the sign is all ones."""
    return e("sub", e("xor", value, sign), sign)
