"""Division and remainder by a value that is not known.

A quotient of integers below 2^24 is right if float32 division is truncated, below 2^53 with float64: if a / b is not
an integer it is at least 1 / b away from the next one, which is more than the rounding error of a / b. 64 bits take two
estimates that are never too large, and one correction.
"""

from __future__ import annotations

from typing import Final

from openrpp.kir.ir import Constant, Instr, Value
from openrpp.kir.passes.expand import constant_division
from openrpp.kir.passes.expand.conversions import double_of_unsigned, unsigned_of_double
from openrpp.kir.passes.expand.emit import Emit
from openrpp.kir.passes.expand.integers import magnitude, with_sign
from openrpp.kir.passes.expand.quotients import reciprocal
from openrpp.kir.passes.expand.table import Rule, Table
from openrpp.kir.types import F32, F64, I8, I16, I32, I64

_BIAS: Final = 1.0 - 2.0**-50
"""Makes a product with a rounded reciprocal too small: five roundings of 2^-53 are less."""
_SCALE32: Final = 4294966784.0
"""2^32 - 2^9: times a reciprocal rounded to float32 it stays below 2^32 / b."""
_SCALE_ROUGH: Final = 4294965248.0
"""2^32 - 2^11: the same for a reciprocal with an error of a few roundings."""


def register(table: Table) -> None:
    """The rules of this file."""
    table.add(("udiv", "sdiv", "urem", "srem"), (I8, I16), _unless_constant(_by_single))
    table.add(("udiv", "sdiv"), (I32,), _unless_constant(_quotient))
    table.add(("urem", "srem"), (I32,), _unless_constant(_remainder))
    table.add(("udiv", "urem"), (I64,), _unless_constant(_wide_unsigned))
    table.add(("sdiv", "srem"), (I64,), _unless_constant(_wide_signed))


def _unless_constant(rule: Rule) -> Rule:
    def emit(e: Emit, instr: Instr) -> Value | None:
        divisor = instr.operands[1]
        return constant_division.divide(e, instr) if isinstance(divisor, Constant) else rule(e, instr)

    return emit


def _is_signed(instr: Instr) -> bool:
    return instr.op.name[0] == "s"


def _unless_zero(e: Emit, divisor: Value, quotient: Value) -> Value:
    return e.pick(e("icmp", divisor, 0, pred="eq"), -1, quotient)


# --- 8 and 16 bits -----------------------------------------------------------------------------------------------


def _by_single(e: Emit, instr: Instr) -> Value:
    """In float32."""
    if not e.has("fdiv", F32):
        return _by_word(e, instr)
    signed = _is_signed(instr)
    a, b = (e.widen(value, I32, signed) for value in instr.operands)
    into, back = ("sitofp", "fptosi") if signed else ("uitofp", "fptoui")
    found = e(back, e("fdiv", e(into, a, kind=F32), e(into, b, kind=F32)), kind=I32)
    if instr.op.name.endswith("rem"):
        return e.narrow(e("sub", a, e("mul", found, b)), instr.type)  # by 0: a, whatever was found
    return e.narrow(_unless_zero(e, b, found), instr.type)


def _by_word(e: Emit, instr: Instr) -> Value:
    """In 32 bits."""
    a, b = (e.widen(value, I32, _is_signed(instr)) for value in instr.operands)
    return e.narrow(e(instr.op.name, a, b), instr.type)


# --- 32 bits -----------------------------------------------------------------------------------------------------


def _quotient(e: Emit, instr: Instr) -> Value:
    found = _by_double(e, instr) if e.has("fdiv", F64) else _by_reciprocal(e, instr)[0]
    return _unless_zero(e, instr.operands[1], found)


def _remainder(e: Emit, instr: Instr) -> Value:
    a, b = instr.operands
    if not e.has("fdiv", F64):
        return _by_reciprocal(e, instr)[1]
    return e("sub", a, e("mul", _by_double(e, instr), b))  # by 0: a


def _by_double(e: Emit, instr: Instr) -> Value:
    """In float64. The least value by -1 would saturate, so the quotient by -1 is the negative."""
    a, b = instr.operands
    if not _is_signed(instr):
        return e("fptoui", e("fdiv", e("uitofp", a, kind=F64), e("uitofp", b, kind=F64)), kind=I32)
    found = e("fptosi", e("fdiv", e("sitofp", a, kind=F64), e("sitofp", b, kind=F64)), kind=I32)
    return e.pick(e("icmp", b, -1, pred="eq"), e("sub", 0, a), found)


def _by_reciprocal(e: Emit, instr: Instr) -> tuple[Value, Value]:
    """Quotient and remainder by float32 and exact corrections; the quotient by 0 is left open."""
    a, b = instr.operands
    if not _is_signed(instr):
        return _unsigned_by_reciprocal(e, a, b)
    (a, sign), (b, other) = magnitude(e, a), magnitude(e, b)
    quotient, rest = _unsigned_by_reciprocal(e, a, b)
    return with_sign(e, quotient, e("xor", sign, other)), with_sign(e, rest, sign)


def _unsigned_by_reciprocal(e: Emit, a: Value, b: Value) -> tuple[Value, Value]:
    """One Newton step on 2^32 / b; the quotient is then at most 2 too small."""
    inverse = e("fptoui", _estimate(e, e("uitofp", b, kind=F32)), kind=I32)
    error = e("mul", e("sub", 0, b), inverse)
    inverse = e("add", inverse, e("mulhi_u", inverse, error))
    quotient: Value = e("mulhi_u", a, inverse)
    rest: Value = e("sub", a, e("mul", quotient, b))
    for _ in range(2):
        more = e("icmp", rest, b, pred="uge")
        quotient = e("add", quotient, e("zext", more, kind=I32))
        rest = e.pick(more, e("sub", rest, b), rest)
    return quotient, rest


def _estimate(e: Emit, b: Value) -> Value:
    """2^32 / b in float32, not above it and less than 2^-20 of it below."""
    if e.has("frcp", F32):
        return e("fmul", e("frcp", b), _SCALE32)
    return e("fmul", reciprocal(e, b), _SCALE_ROUGH)


# --- 64 bits -----------------------------------------------------------------------------------------------------


def _wide_unsigned(e: Emit, instr: Instr) -> Value:
    a, b = instr.operands
    quotient, rest = _wide(e, a, b)
    return rest if instr.op.name == "urem" else _unless_zero(e, b, quotient)


def _wide_signed(e: Emit, instr: Instr) -> Value:
    divisor = instr.operands[1]
    (a, sign), (b, other) = (magnitude(e, value) for value in instr.operands)
    quotient, rest = _wide(e, a, b)
    if instr.op.name == "srem":
        return with_sign(e, rest, sign)
    return _unless_zero(e, divisor, with_sign(e, quotient, e("xor", sign, other)))


def _wide(e: Emit, a: Value, b: Value) -> tuple[Value, Value]:
    """Unsigned quotient and remainder; by 0 the quotient is left open and the remainder a.

    Each estimate is between v (1 - 13 2^-53) and v for the real quotient v. What the first leaves is below 2^15 b, so
    the second is at most 1 too small.
    """
    inverse = e("fmul", e("fdiv", 1.0, double_of_unsigned(e, b)), _BIAS)
    first = unsigned_of_double(e, e("fmul", double_of_unsigned(e, a), inverse))
    rest = e("sub", a, e("mul", first, b))
    second = e("zext", e("fptoui", e("fmul", double_of_unsigned(e, rest), inverse), kind=I32), kind=I64)
    rest = e("sub", rest, e("mul", second, b))
    more = e("icmp", rest, b, pred="uge")
    quotient = e("add", e("add", first, second), e("zext", more, kind=I64))
    return quotient, e.pick(more, e("sub", rest, b), rest)
