"""Binary floating point on bit patterns: exact decoding, one rounding (nearest, ties to even), canonical NaNs.

Results that are NaN are the quiet NaN with only the top fraction bit set. Denormals are kept.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

from openrpp.kir.types import BF16, F16, F32, F64, Type


@dataclass(frozen=True, slots=True)
class Format:
    """An interchange format: `fraction` stored bits of significand, `exponent` bits of exponent."""

    exponent: int
    fraction: int

    @property
    def infinity(self) -> int:
        """Bits of +infinity."""
        return ((1 << self.exponent) - 1) << self.fraction

    @property
    def nan(self) -> int:
        """Bits of the canonical NaN."""
        return self.infinity | 1 << (self.fraction - 1)

    @property
    def sign(self) -> int:
        """The sign bit."""
        return 1 << (self.exponent + self.fraction)

    @property
    def lowest(self) -> int:
        """Exponent of the smallest denormal."""
        return 2 - (1 << (self.exponent - 1)) - self.fraction


FORMATS: Final = {F16: Format(5, 10), BF16: Format(8, 7), F32: Format(8, 23), F64: Format(11, 52)}

_PACKED: Final = {F16: ("<e", "<H"), F32: ("<f", "<I"), F64: ("<d", "<Q")}


def _decoder(kind: Type) -> Callable[[int], float]:
    if kind is BF16:
        unpack, pack = struct.Struct("<f").unpack, struct.Struct("<I").pack
        return lambda bits: unpack(pack(bits << 16))[0]
    value, raw = _PACKED[kind]
    unpack, pack = struct.Struct(value).unpack, struct.Struct(raw).pack
    return lambda bits: unpack(pack(bits))[0]


def _encoder(kind: Type) -> Callable[[float], int]:
    if kind is BF16:
        return lambda value: encode_exact(kind, value) if value == value else FORMATS[kind].nan
    value_format, raw = _PACKED[kind]
    pack, unpack = struct.Struct(value_format).pack, struct.Struct(raw).unpack
    nan, infinity, sign = FORMATS[kind].nan, FORMATS[kind].infinity, FORMATS[kind].sign

    def encode(value: float) -> int:
        if value != value:
            return nan
        try:
            return unpack(pack(value))[0]
        except OverflowError:  # finite, but infinity once rounded
            return infinity if value > 0 else infinity | sign

    return encode


DECODE: Final = {kind: _decoder(kind) for kind in FORMATS}
"""Type -> bits to Python float; exact."""


def encode_exact(kind: Type, value: float | Fraction) -> int:
    """Bits of an exact value, not NaN, rounded once to nearest even; a zero keeps the sign of a float."""
    form = FORMATS[kind]
    if isinstance(value, float):
        sign = form.sign if math.copysign(1.0, value) < 0 else 0
        if math.isinf(value):
            return sign | form.infinity
        value = Fraction(value)
    else:
        sign = form.sign if value < 0 else 0
    return sign | _round_magnitude(form, Fraction(abs(value)))


def _round_magnitude(form: Format, value: Fraction) -> int:
    if not value:
        return 0
    top, bottom = value.numerator, value.denominator
    exponent = top.bit_length() - bottom.bit_length()  # value in (2^(e-1), 2^(e+1))
    if top << max(-exponent, 0) < bottom << max(exponent, 0):
        exponent -= 1
    unit = max(exponent - form.fraction, form.lowest)
    quotient, rest = divmod(top << max(-unit, 0), bottom << max(unit, 0))
    twice = 2 * rest - (bottom << max(unit, 0))
    if twice > 0 or (twice == 0 and quotient & 1):
        quotient += 1
    # A carry out of the fraction runs into the exponent field, which is what rounding up means.
    return min(quotient + ((unit - form.lowest) << form.fraction), form.infinity)


ENCODE: Final = {kind: _encoder(kind) for kind in FORMATS}
"""Type -> Python float to bits, rounded once to nearest even."""


def is_nan(kind: Type, bits: int) -> bool:
    """Whether a pattern is a NaN."""
    form = FORMATS[kind]
    return bits & (form.sign - 1) > form.infinity


def _odd_sum(a: float, b: float) -> float:
    """a + b rounded to odd, so that a later rounding to at most 51 bits is exact (Boldo and Melquiond, 2008)."""
    total = a + b
    virtual = total - a
    error = (a - (total - virtual)) + (b - virtual)  # exact: Knuth's two-sum
    if not error or ENCODE[F64](total) & 1:
        return total
    return math.nextafter(total, math.inf if error > 0 else -math.inf)


def fused(kind: Type, a: int, b: int, c: int) -> int:
    """a * b + c rounded once."""
    decode, form = DECODE[kind], FORMATS[kind]
    x, y, z = decode(a), decode(b), decode(c)
    if not (math.isfinite(x) and math.isfinite(y)):
        return ENCODE[kind](x * y + z)  # an infinity or a NaN, so nothing is rounded
    if not math.isfinite(z):
        return form.nan if z != z else c
    if kind is F32:
        return ENCODE[F32](_odd_sum(x * y, z))  # the product of two singles is exact in double
    product = Fraction(x) * Fraction(y)
    total = product + Fraction(z)
    if total:
        return encode_exact(kind, total)
    minus = math.copysign(1.0, x) * math.copysign(1.0, y) < 0
    if product or minus != (math.copysign(1.0, z) < 0):
        return 0  # opposite signs cancel to +0
    return form.sign if minus else 0


def to_integer(value: float, low: int, high: int) -> int:
    """Truncated toward zero and saturated; NaN gives 0."""
    if value != value:
        return 0
    if math.isinf(value):
        return high if value > 0 else low
    return min(max(int(value), low), high)
