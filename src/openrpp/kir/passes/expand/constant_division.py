"""Division by a constant: shifts for powers of two, else a product with a scaled reciprocal.

Granlund and Montgomery, "Division by Invariant Integers using Multiplication" (1994).
"""

from __future__ import annotations

from openrpp.kir.ir import Constant, Instr, Value, constant
from openrpp.kir.passes.expand.emit import Emit
from openrpp.kir.passes.expand.integers import magnitude, with_sign
from openrpp.kir.types import I32, Type


def divide(e: Emit, instr: Instr) -> Value:
    """Quotient or remainder of an instruction whose divisor is a Constant."""
    a, divisor = instr.operands
    assert isinstance(divisor, Constant)
    signed, rest = instr.op.name[0] == "s", instr.op.name.endswith("rem")
    kind = instr.type
    if not divisor.bits:
        return a if rest else constant(kind, -1)
    value = divisor.signed if signed else divisor.bits
    wide = a if kind.bits >= 32 else e.widen(a, I32, signed)
    most = kind.mask >> 1 if signed else kind.mask
    if signed:
        found = _signed_rest(e, wide, value, most) if rest else _signed(e, wide, value, most)
    else:
        found = _unsigned_rest(e, wide, value, most) if rest else _unsigned(e, wide, value, most)
    return e.narrow(found, kind)


def _unsigned_rest(e: Emit, a: Value, divisor: int, most: int) -> Value:
    if not divisor & (divisor - 1):
        return e("and", a, divisor - 1)
    return e("sub", a, e("mul", _unsigned(e, a, divisor, most), divisor))


def _unsigned(e: Emit, a: Value, divisor: int, most: int) -> Value:
    """a / divisor for a up to `most`."""
    if not divisor & (divisor - 1):
        return _down(e, a, divisor.bit_length() - 1)
    factor, shift = reciprocal(a.type, divisor, most)
    if factor <= a.type.mask:
        return _down(e, e("mulhi_u", a, factor), shift)
    if not divisor & 1:  # the bits that the divisor does not look at go first; then the reciprocal fits
        zeros = (divisor & -divisor).bit_length() - 1
        return _unsigned(e, _down(e, a, zeros), divisor >> zeros, most >> zeros)
    high = e("mulhi_u", a, factor & a.type.mask)  # one bit too many: (a + high) / 2 without overflow
    return _down(e, e("add", e("lshr", e("sub", a, high), 1), high), shift - 1)


def _down(e: Emit, value: Value, places: int) -> Value:
    return e("lshr", value, places) if places else value


def reciprocal(kind: Type, divisor: int, most: int) -> tuple[int, int]:
    """(factor, shift), the smallest: a / divisor is a factor >> (width + shift) for all a up to `most`."""
    for shift in range(divisor.bit_length() + 1):
        scale = 1 << (kind.bits + shift)
        factor = -(-scale // divisor)
        if (factor * divisor - scale) * most < scale:
            return factor, shift
    raise AssertionError("a shift by the bits of the divisor is always exact")


def _signed(e: Emit, a: Value, divisor: int, most: int) -> Value:
    size = abs(divisor)
    if size == 1:
        return a if divisor == 1 else e("sub", 0, a)
    if not size & (size - 1):
        found: Value = e("ashr", e("add", a, _rounding(e, a, size)), size.bit_length() - 1)
        return found if divisor > 0 else e("sub", 0, found)
    value, sign = magnitude(e, a)
    quotient = _unsigned(e, value, size, most + 1)
    return with_sign(e, quotient, sign if divisor > 0 else e("xor", sign, -1))


def _rounding(e: Emit, a: Value, size: int) -> Value:
    """size - 1 where a is negative, so that a shift rounds toward zero."""
    return e("and", e("ashr", a, a.type.bits - 1), size - 1)


def _signed_rest(e: Emit, a: Value, divisor: int, most: int) -> Value:
    size = abs(divisor)
    if size == 1:
        return constant(a.type, 0)
    if not size & (size - 1):
        whole = e("and", e("add", a, _rounding(e, a, size)), -size)
        return e("sub", a, whole)
    return e("sub", a, e("mul", _signed(e, a, divisor, most), divisor))
