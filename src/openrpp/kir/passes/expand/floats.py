"""Arithmetic on 16-bit floats in wider ones, signs by bits, minima and maxima.

With p bits of significand, a sum, product, quotient or root rounded to 2p + 2 bits and then to p is rounded right
(Figueroa, 1995): 24 bits do for f16 (11) and bf16 (8). Where results are denormal: a product of f16 is exact in
float32; a product of bf16 has 16 bits, so above 2^-134 it is a multiple of 2^-149 and exact, and below it becomes zero
either way; a quotient that is not a midpoint differs from it by more than float32 loses, as numerator, denominator and
midpoint have few bits. `fma` of f16 is right in float64: a sum that is not exact there has a product too small to move
the addend to a midpoint. `fma` of bf16 is not, as a product can be a midpoint and the addend tiny: rounded to odd.
"""

from __future__ import annotations

from typing import Final

from openrpp.kir.ir import Instr, Value
from openrpp.kir.passes.expand.conversions import half_of_double
from openrpp.kir.passes.expand.emit import INT_OF, Emit
from openrpp.kir.passes.expand.table import Table
from openrpp.kir.types import BF16, F16, F32, F64, FLOATS, I64, Type

_HALVES: Final = (F16, BF16)
_WIDE: Final = (F32, F64)
EXTREMA: Final = ("fmin", "fmax", "fminimum", "fmaximum")


def register(table: Table) -> None:
    """The rules of this file."""
    table.add(("fadd", "fsub", "fmul", "fdiv", "frcp", "fsqrt"), _HALVES, _in_single)
    table.add(("fma",), (F16,), _fma_f16)
    table.add(("fma",), (BF16,), _fma_bf16)
    table.add(("frcp",), (F32, F64), lambda e, i: e("fdiv", 1.0, i.operands[0]))
    table.add(("fneg", "fabs", "copysign"), FLOATS, _sign)
    table.add(EXTREMA, _HALVES, _in_single)
    table.add(EXTREMA, _WIDE, _extremum)


def _in_single(e: Emit, instr: Instr) -> Value:
    return e("fptrunc", e(instr.op.name, *(e.single(value) for value in instr.operands)), kind=instr.type)


def _fma_f16(e: Emit, instr: Instr) -> Value:
    return half_of_double(e, e("fma", *(e.double(value) for value in instr.operands)), F16)


def _fma_bf16(e: Emit, instr: Instr) -> Value:
    """The product is exact in float64; the sum is rounded to odd with the error that two-sum finds."""
    a, b, c = (e.double(value) for value in instr.operands)
    product = e("fmul", a, b)
    total = e("fadd", product, c)
    virtual = e("fsub", total, product)
    error = e("fadd", e("fsub", product, e("fsub", total, virtual)), e("fsub", c, virtual))
    bits = e.bits(total)
    lost = e("or", e("fcmp", error, 0.0, pred="olt"), e("fcmp", error, 0.0, pred="ogt"))
    opposite = e("icmp", e("xor", bits, e.bits(error)), 0, pred="slt")
    toward = e("sub", bits, e("zext", e("and", lost, opposite), kind=I64))
    odd = e("bitcast", e("or", toward, e("zext", lost, kind=I64)), kind=F64)
    return half_of_double(e, odd, BF16)


def sign_bit(kind: Type) -> int:
    """The bit of the sign."""
    return 1 << (kind.bits - 1)


def cleared(e: Emit, value: Value) -> Value:
    """|value|."""
    return e.of_bits(e("and", e.bits(value), sign_bit(value.type) - 1), value.type)


def signed_like(e: Emit, value: Value, other: Value) -> Value:
    """The magnitude of a value, whose sign bit is 0, with the sign of another."""
    return e.of_bits(e("or", e.bits(value), e("and", e.bits(other), sign_bit(other.type))), value.type)


def _sign(e: Emit, instr: Instr) -> Value:
    """On the bits, those of 16 in 32."""
    kind, bit = instr.type, sign_bit(instr.type)
    words = [e.any(bits) if kind.bits == 16 else bits for bits in map(e.bits, instr.operands)]
    match instr.op.name:
        case "fabs":
            made = e("and", words[0], bit - 1)
        case "fneg":
            made = e("xor", words[0], bit)
        case _:
            made = e("or", e("and", words[0], bit - 1), e("and", words[1], bit))
    return e.of_bits(e.narrow(made, INT_OF[kind.bits]), kind)


def _extremum(e: Emit, instr: Instr) -> Value:
    """A comparison is false with a NaN and so picks b; equal values differ only in the sign of zero."""
    a, b = instr.operands
    name = instr.op.name
    smaller = name in ("fmin", "fminimum")
    first = e.pick(e("fcmp", a, b, pred="olt" if smaller else "ogt"), a, b)
    both = e.of_bits(e("or" if smaller else "and", e.bits(a), e.bits(b)), instr.type)
    equal = e.pick(e("fcmp", a, b, pred="oeq"), both, first)
    odd_one = a if name.endswith("imum") else b  # the NaN itself shows, or the other operand instead of it
    return e.pick(e("fcmp", odd_one, odd_one, pred="une"), a, equal)
