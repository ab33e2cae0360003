"""Quotients of float32 for a target without a divider: 13 digits of the mantissa at a time, rounded once.

An estimate of the reciprocal that is never too large gives digits that are at most one short; remainders are exact in
32 bits. The quotient of 26 digits and whether anything is left decide the rounding, of denormal results too.
"""

from __future__ import annotations

from typing import Final

from openrpp.kir.ir import Instr, Value
from openrpp.kir.passes.expand.emit import Emit
from openrpp.kir.passes.expand.table import Table
from openrpp.kir.types import F32, I32

SIGN: Final = 1 << 31
INFINITE: Final = 0x7F80_0000
_ONE: Final = 0x3F80_0000
_HIDDEN: Final = 1 << 23
_TURNED: Final = 0x7EF3_11C7
"""Less the bits of a float32: those of about its reciprocal, 1/8 of it away at most."""
_BELOW: Final = 1.0 - 2.0**-21
"""Makes an estimate too small: a few roundings of 2^-24 are less."""
_DIGITS: Final = 13


def register(table: Table) -> None:
    """The rules of this file."""
    table.add(("fdiv",), (F32,), _quotient)


def reciprocal(e: Emit, value: Value) -> Value:
    """1 / value for a positive number that is not denormal, but for a few roundings, by three Newton steps."""
    found = e.of_bits(e("sub", _TURNED, e.bits(value)), F32)
    for _ in range(3):
        found = e("fmul", found, e("fsub", 2.0, e("fmul", value, found)))
    return found


def _quotient(e: Emit, instr: Instr) -> Value:
    a, b = instr.operands
    one, other = e.bits(a), e.bits(b)
    mantissa, exponent = _parts(e, one)
    divisor, below = _parts(e, other)
    digits, rest = _digits(e, mantissa, divisor)
    large = e("icmp", digits, 1 << 25, pred="uge")
    digits = e.pick(large, digits, e("shl", digits, 1))
    power = e("add", e("sub", exponent, below), e("add", e("zext", large, kind=I32), 126))
    found = _rounded(e, digits, e("icmp", rest, 0, pred="ne"), power)
    sign = e("and", e("xor", one, other), SIGN)
    return _unless_special(e, a, b, e.of_bits(e("or", found, sign), F32))


def _parts(e: Emit, bits: Value) -> tuple[Value, Value]:
    """(mantissa without its first digit, exponent); those of denormal numbers are below 1."""
    size = e("and", bits, SIGN - 1)
    small = e("icmp", size, _HIDDEN, pred="ult")
    scaled = e.bits(e("fmul", e.of_bits(size, F32), 2.0**32))
    used = e.pick(small, scaled, size)
    less = e("shl", e("zext", small, kind=I32), 5)
    return e("and", used, _HIDDEN - 1), e("sub", e("lshr", used, 23), less)


def _digits(e: Emit, mantissa: Value, divisor: Value) -> tuple[Value, Value]:
    """floor(2^25 a / b) of two mantissas, and what is left."""
    near = e("fmul", reciprocal(e, e.of_bits(e("or", divisor, _ONE), F32)), _BELOW)
    divisor = e("or", divisor, _HIDDEN)
    first = e("fmul", e.of_bits(e("or", mantissa, _ONE), F32), e("fmul", near, 4096.0))
    upper = _at_most(e, first)
    rest: Value = e("sub", e("shl", e("or", mantissa, _HIDDEN), 12), e("mul", upper, divisor))
    second = e("fmul", e("uitofp", rest, kind=F32), e("fmul", near, 2.0**-10))
    lower = _at_most(e, second)
    rest = e("sub", e("shl", rest, _DIGITS), e("mul", lower, divisor))
    digits = e("add", e("shl", upper, _DIGITS), lower)
    more = e("icmp", rest, divisor, pred="uge")
    rest = e.pick(more, e("sub", rest, divisor), rest)
    return e("add", digits, e("zext", more, kind=I32)), rest


def _at_most(e: Emit, value: Value) -> Value:
    """The integer at or below a float32 between 0 and 2^15, or the one before: rounded with 1/2 more, less 1."""
    return e("sub", e("and", e.bits(e("fadd", e("fadd", value, 0.5), float(_HIDDEN))), _HIDDEN - 1), 1)


def _rounded(e: Emit, digits: Value, more: Value, power: Value) -> Value:
    """The bits of digits x 2^(power - 152), digits from 2^25 to 2^26, to nearest even; `more` says that they go on."""
    low = e("icmp", power, 1, pred="slt")
    short = e("sub", 1, power)
    short = e.pick(e("icmp", short, 27, pred="slt"), short, 27)
    places = e("and", e.pick(low, short, 0), 31)
    cut = e("lshr", digits, places)
    lost = e("or", more, e("icmp", e("shl", cut, places), digits, pred="ne"))
    cut = e("or", cut, e("zext", lost, kind=I32))
    even = e("and", e("lshr", cut, 2), 1)
    whole = e("lshr", e("add", e("add", cut, even), 1), 2)
    above = e("shl", e("sub", e.pick(low, 1, power), 1), 23)
    return e.pick(e("icmp", power, 255, pred="slt"), e("add", above, whole), INFINITE)


def _unless_special(e: Emit, a: Value, b: Value, found: Value) -> Value:
    """Zeros, infinities and NaNs: a times infinity for a division by 0, times 0 for one by infinity, else times b."""
    one, other = (e("and", e.bits(value), SIGN - 1) for value in (a, b))
    sign = e("and", e.bits(b), SIGN)
    factor: Value = e.pick(e("icmp", other, INFINITE, pred="eq"), sign, e.bits(b))
    factor = e.pick(e("icmp", other, 0, pred="eq"), e("or", sign, INFINITE), factor)
    special = e("fmul", a, e.of_bits(factor, F32))
    strange = [e("icmp", e("sub", size, 1), INFINITE - 1, pred="uge") for size in (one, other)]
    return e.pick(e("or", strange[0], strange[1]), special, found)
