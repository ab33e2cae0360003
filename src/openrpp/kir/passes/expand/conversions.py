"""Conversions: every integer width to every float and back, and rounding once from f64 to 16 bits."""

from __future__ import annotations

from typing import Final

from openrpp.kir.ir import Instr, Value, constant
from openrpp.kir.passes.expand.emit import Emit
from openrpp.kir.passes.expand.table import Table
from openrpp.kir.types import BF16, F16, F32, F64, FLOATS, I1, I8, I16, I32, I64, POINTERS, Type

_SMALL: Final = (I1, I8, I16)
_HALVES: Final = (F16, BF16)
_LOW_BITS: Final = 0x7FF
"""What a number of 64 bits has too much for the 53 of float64."""


def register(table: Table) -> None:
    """The rules of this file."""
    to_integer, of_integer, small = ("fptosi", "fptoui"), ("sitofp", "uitofp"), (*_SMALL, I32)
    table.convert(("fpext",), _HALVES, (F64,), lambda e, i: e.double(i.operands[0]))
    table.convert(("fptrunc",), (F64,), _HALVES, lambda e, i: _half_of_double(e, i.operands[0], i.type))
    table.convert(to_integer, FLOATS, _SMALL, _to_small)
    table.convert(to_integer, _HALVES, (I32,), lambda e, i: e(i.op.name, e.single(i.operands[0]), kind=I32))
    table.convert(to_integer, (*_HALVES, F32), (I64,), lambda e, i: e(i.op.name, e.double(i.operands[0]), kind=I64))
    table.convert(("fptoui",), (F64,), (I64,), lambda e, i: _unsigned_of_double(e, i.operands[0]))
    table.convert(("fptosi",), (F64,), (I64,), _signed_of_double)
    table.convert(of_integer, _SMALL, FLOATS, _of_small)
    table.convert(of_integer, (I32,), _HALVES, _of_word)
    table.convert(of_integer, (I64,), FLOATS, _of_wide)
    table.convert(("ptrtoint",), POINTERS, small, lambda e, i: e.narrow(e.bits(i.operands[0]), i.type))
    table.convert(("inttoptr",), small, POINTERS, lambda e, i: e("inttoptr", e.widen(i.operands[0], I64), kind=i.type))


# --- between floats ----------------------------------------------------------------------------------------------


def half_of_double(e: Emit, value: Value, kind: Type) -> Value:
    """f64 to f16 or bf16."""
    return e("fptrunc", value, kind=kind)


def _half_of_double(e: Emit, value: Value, kind: Type) -> Value:
    """f64 to f16 or bf16 with one rounding: float32 rounded to odd keeps what the second rounding needs to know."""
    return e("fptrunc", odd_single(e, value), kind=kind)


def odd_single(e: Emit, value: Value) -> Value:
    """f64 to f32, rounded to odd: toward zero, and the last bit set where something was lost."""
    near = e("fptrunc", value, kind=F32)
    exact, back = e.bits(value), e.bits(e("fpext", near, kind=F64))
    lost = e("icmp", exact, back, pred="ne")
    beyond = e("zext", e("icmp", back, exact, pred="ugt"), kind=I32)
    toward = e("sub", e.bits(near), beyond)
    return e("bitcast", e("or", toward, e("zext", lost, kind=I32)), kind=F32)


# --- to integers -------------------------------------------------------------------------------------------------


def _to_small(e: Emit, instr: Instr) -> Value:
    """Through 32 bits, saturated once more."""
    value = instr.operands[0]
    whole = e(instr.op.name, value if value.type is F64 else e.single(value), kind=I32)
    kind = instr.type
    if instr.op.name == "fptoui":
        return e("trunc", e("umin", whole, kind.mask), kind=kind)
    low, high = -(1 << (kind.bits - 1)), (1 << (kind.bits - 1)) - 1
    return e("trunc", e("smax", e("smin", whole, high), low), kind=kind)


def unsigned_of_double(e: Emit, value: Value) -> Value:
    """f64 to i64."""
    return e("fptoui", value, kind=I64)


def _unsigned_of_double(e: Emit, value: Value) -> Value:
    """f64 to i64. What the saturated upper half leaves is below 2^32, or saturates the lower half as well."""
    high = e("fptoui", e("fmul", value, 2.0**-32), kind=I32)
    rest = e("fma", e("uitofp", high, kind=F64), -(2.0**32), value)
    return e.join(e("fptoui", rest, kind=I32), high)


def _signed_of_double(e: Emit, instr: Instr) -> Value:
    """The magnitude, at most 2^63 or one less."""
    value = instr.operands[0]
    bits = e.bits(value)
    size = unsigned_of_double(e, e("bitcast", e("and", bits, (1 << 63) - 1), kind=F64))
    sign = e("ashr", bits, 63)
    limited = e("umin", size, e("sub", (1 << 63) - 1, sign))
    return e("sub", e("xor", limited, sign), sign)


# --- from integers -----------------------------------------------------------------------------------------------


def _of_small(e: Emit, instr: Instr) -> Value:
    """16 bits are exact in float32, so narrower floats round once."""
    value = e.widen(instr.operands[0], I32, instr.op.name == "sitofp")
    if instr.type is F64:
        return e(instr.op.name, value, kind=F64)
    single = e(instr.op.name, value, kind=F32)
    return single if instr.type is F32 else e("fptrunc", single, kind=instr.type)


def _of_word(e: Emit, instr: Instr) -> Value:
    """32 bits are exact in float64."""
    return half_of_double(e, e(instr.op.name, instr.operands[0], kind=F64), instr.type)


def double_of_unsigned(e: Emit, value: Value) -> Value:
    """i64 to f64, rounded once."""
    return e("uitofp", value, kind=F64)


def _of_wide(e: Emit, instr: Instr) -> Value:
    """i64 through f64, to odd where another rounding follows; both halves and the product with 2^32 are exact."""
    value, signed, kind = instr.operands[0], instr.op.name == "sitofp", instr.type
    low, high = e.low(value), e.high(value)
    if kind is not F64:
        low = _sticky(e, low, high, signed)
    found = e("fma", e(instr.op.name, high, kind=F64), 2.0**32, e("uitofp", low, kind=F64))
    if kind is F64:
        return found
    return e("fptrunc", found, kind=F32) if kind is F32 else half_of_double(e, found, kind)


def _sticky(e: Emit, low: Value, high: Value, signed: bool) -> Value:
    """The lower half with its last 11 bits in the twelfth, where the number has more than 53 bits."""
    lost = e("icmp", e("and", low, _LOW_BITS), 0, pred="ne")
    short = e("or", e("and", low, ~_LOW_BITS), e.pick(lost, _LOW_BITS + 1, constant(I32, 0)))
    from_zero = e("add", high, 1 << 21) if signed else high
    large = e("icmp", from_zero, 1 << 22 if signed else 1 << 21, pred="uge")
    return e.pick(large, short, low)
