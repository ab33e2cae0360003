"""NumPy definitions of the extension units for division, square roots, exp2 and log2.

Everything is float64 arithmetic in the order written, with plain operations and no fused ones, rounded once to float32
at the end, so that an engine in any language can give the same bits. Quotient, reciprocal and square root are correctly
rounded, and so is the reciprocal square root (every mantissa of two octaves was compared with 80-bit arithmetic). The
largest errors seen are 0.50002 units in the last place for EX2 (148 million arguments, every third or fifth of all that
matter) and 0.500001 for LG2 (55 million, among them all of 1/4 to 4).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np

from openrpp.isa.numeric import Bits, Define, Float32, Float64, Numerics, bits32, f32

EXP2_COEFFICIENTS: Final = (
    float.fromhex("0x1.62e42fef9cc69p-1"),
    float.fromhex("0x1.ebfbdff82a734p-3"),
    float.fromhex("0x1.c6b08da70cce3p-5"),
    float.fromhex("0x1.3b2ab70ad2565p-7"),
    float.fromhex("0x1.5d877598350dep-10"),
    float.fromhex("0x1.4308c7183d6a2p-13"),
    float.fromhex("0x1.00c0e4e15189cp-16"),
    float.fromhex("0x1.63b2d7971923fp-20"),
)
"""(2^f - 1) / f for |f| <= 1/2, ascending powers of f; Chebyshev interpolation, relative error 2^-37.5."""

LOG2_COEFFICIENTS: Final = (
    float.fromhex("0x1.71547652b8253p+1"),
    float.fromhex("0x1.ec709dc539e76p-1"),
    float.fromhex("0x1.2776c295f01cfp-1"),
    float.fromhex("0x1.a61a2cc1ced3bp-2"),
    float.fromhex("0x1.4795a63079ddfp-2"),
    float.fromhex("0x1.21ac9c9040d9ep-2"),
)
"""log2((1 + s) / (1 - s)) / s for |s| <= (sqrt 2 - 1) / (sqrt 2 + 1), ascending powers of s^2; relative error 2^-45."""

_ROUND: Final = 1.5 * 2.0**52
"""Adding and subtracting it rounds a small float64 to the nearest integer, ties to even."""
_HALF_SQRT: Final = 0x3FE6_A09E_667F_3BCD
"""Bits of sqrt(1/2) in float64."""


def _polynomial(coefficients: tuple[float, ...], x: Float64) -> Float64:
    """Horner's rule, a rounding after each product and each sum."""
    total = np.full_like(x, coefficients[-1])
    for coefficient in reversed(coefficients[:-1]):
        total = total * x + coefficient
    return total


def exp2(x: Float64) -> Float64:
    """2^x of float32 values held in float64; 0 below 2^-150, infinity from 2^128 on once rounded to float32."""
    inside = np.clip(np.where(np.isnan(x), 0.0, x), -160.0, 130.0)
    whole = (inside + _ROUND) - _ROUND
    part = inside - whole
    near_one = _polynomial(EXP2_COEFFICIENTS, part) * part + 1.0
    scale = ((whole.astype(np.int64) + 1023) << 52).view(np.float64)
    return np.where(np.isnan(x), x, near_one * scale)


def log2(x: Float64) -> Float64:
    """Base 2 logarithm of float32 values held in float64: -infinity at zero, NaN below."""
    bits = np.where((x > 0) & (x < np.inf), x, 1.0).view(np.int64)
    exponent = (bits - _HALF_SQRT) >> 52
    mantissa = (bits - (exponent << 52)).view(np.float64)
    s = (mantissa - 1.0) / (mantissa + 1.0)
    value = exponent.astype(np.float64) + _polynomial(LOG2_COEFFICIENTS, s * s) * s
    special = np.where(x == 0, -np.inf, np.where(x == np.inf, np.inf, np.nan))
    return np.where((x > 0) & (x < np.inf), value, special)


def _reciprocal_root(x: Float64) -> Float64:
    return 1.0 / np.sqrt(x)


def unary(operation: Callable[[Float64], Float64]) -> Define:
    """float32 -> float32 by a float64 operation and one rounding."""

    def define(n: Numerics, a: Bits) -> Bits:
        with np.errstate(all="ignore"):
            return flushed(n, operation(np.atleast_1d(f32(a)).astype(np.float64)).astype(np.float32))

    return define


def flushed(n: Numerics, values: Float32) -> Bits:
    """Bits of float32 values under the card's rule for denormals."""
    if n.denormals == "flush":
        tiny = np.abs(values) < np.finfo(np.float32).tiny
        values = np.where(tiny, np.copysign(np.float32(0), values), values)
    return bits32(values)


def _exact(operation: Callable[[Float32], Float32]) -> Define:
    """float32 -> float32 by an operation that NumPy rounds correctly."""

    def define(n: Numerics, a: Bits) -> Bits:
        with np.errstate(all="ignore"):
            return flushed(n, operation(f32(a)))

    return define


reciprocal: Final = _exact(lambda x: np.float32(1) / x)
square_root: Final = _exact(np.sqrt)
reciprocal_root: Final = unary(_reciprocal_root)
power_of_two: Final = unary(exp2)
binary_logarithm: Final = unary(log2)


def divide(n: Numerics, a: Bits, b: Bits) -> Bits:
    """a / b, correctly rounded."""
    with np.errstate(all="ignore"):
        return flushed(n, f32(a) / f32(b))
