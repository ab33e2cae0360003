"""Independent arithmetic for the tests: exact fractions, rounded by the book, without NumPy."""

from __future__ import annotations

import struct
from fractions import Fraction

_EMIN, _EMAX = -126, 127


def value(bits: int, width: int) -> Fraction:
    """Value of a finite float32 (width 32) or bf16 (width 16) pattern."""
    pattern = bits << (32 - width)
    number = struct.unpack("<f", struct.pack("<I", pattern))[0]
    return Fraction(number)


def is_finite(bits: int, width: int) -> bool:
    """Neither infinity nor NaN."""
    return bits >> (width - 9) & 0xFF != 0xFF


def nearest_even(number: Fraction, width: int, zero: int = 0) -> int:
    """Pattern of a number rounded once, ties to even, with denormals and overflow to infinity; `zero` if it is 0."""
    precision = 24 if width == 32 else 8
    if number == 0:
        return zero
    sign = number < 0
    size = abs(number)
    exponent = size.numerator.bit_length() - size.denominator.bit_length()
    exponent -= Fraction(2) ** exponent > size
    step = Fraction(2) ** (max(exponent, _EMIN) - precision + 1)
    whole, rest = divmod(size, step)
    count = int(whole) + (rest * 2 > step or (rest * 2 == step and whole % 2 == 1))
    return sign << (width - 1) | _pattern(count, max(exponent, _EMIN), precision)


def _pattern(count: int, exponent: int, precision: int) -> int:
    """Pattern of count * 2^(exponent - precision + 1); adding the hidden bit carries into the exponent by itself."""
    biased = (exponent - _EMIN) << (precision - 1)
    pattern = biased + count
    infinity = (_EMAX - _EMIN + 2) << (precision - 1)
    return min(pattern, infinity)


def truncated(number: Fraction, low: int, high: int) -> int:
    """A number toward zero, held in low..high."""
    whole = abs(number).__floor__()
    return max(low, min(high, -whole if number < 0 else whole))
