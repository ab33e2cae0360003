"""NumPy definitions of the instructions on 64-bit floats.

An operand is two words of 32 bits, low and high; a definition gives one word of the result, which its maker chooses.
Everything rounds once to nearest even and keeps denormals: nothing is left open here, so no setting is read.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any, Final

import numpy as np

from openrpp.isa.numeric import Bits, Define, Float64, Numerics, bits32, f32, narrow, round_to_odd, two_sum

_SPLIT: Final = 2.0**27 + 1
"""Times a float64 it cuts off the upper 26 bits (Dekker)."""
_SMALL, _LARGE, _SPLITTABLE = 2.0**-900, 2.0**1000, 2.0**990
"""Between the first two no error of a product or sum is denormal and nothing overflows; splitting overflows later."""


def joined(low: Bits, high: Bits) -> Bits:
    """64-bit patterns of two words, as an array."""
    return np.asarray(low.astype(np.uint64) | high.astype(np.uint64) << np.uint64(32))


def f64(low: Bits, high: Bits) -> Float64:
    """float64 values of two words."""
    return joined(low, high).view(np.float64)


def word(patterns: Any, high: bool) -> Bits:
    """One word of 64-bit patterns or values."""
    bits = np.asarray(patterns).view(np.uint64)
    return (bits >> np.uint64(32) if high else bits).astype(np.uint32)


# --- multiply-add ------------------------------------------------------------------------------------------------


def _two_product(a: Float64, b: Float64) -> tuple[Float64, Float64]:
    """a b as rounded product and exact error, where nothing overflows or becomes denormal (Dekker)."""
    product = a * b
    a_high, b_high = a * _SPLIT, b * _SPLIT
    a_high, b_high = a_high - (a_high - a), b_high - (b_high - b)
    a_low, b_low = a - a_high, b - b_high
    return product, ((a_high * b_high - product) + a_high * b_low + a_low * b_high) + a_low * b_low


def _odd_sum(a: Float64, b: Float64) -> Float64:
    """a + b to float64, rounded to odd."""
    total, error = two_sum(a, b)
    bits = total.view(np.int64)
    nudge = (error != 0) & ((bits & 1) == 0)
    away = (error > 0) == (total > 0)
    return np.where(nudge, bits + np.where(away, 1, -1), bits).view(np.float64)


def _fused_inside(a: Float64, b: Float64, c: Float64) -> Float64:
    """a b + c with one rounding, where no part overflows or becomes denormal (Boldo and Melquiond, 2008)."""
    product, product_error = _two_product(a, b)
    low, low_error = two_sum(c, product_error)
    total, total_error = two_sum(product, low)
    return total + _odd_sum(low_error, total_error)


def _fused_exact(a: float, b: float, c: float) -> float:
    """a b + c with one rounding, by fractions; NaN and infinities as IEEE has them."""
    if not (math.isfinite(a) and math.isfinite(b)):
        return float(np.float64(a) * np.float64(b) + np.float64(c))
    if not math.isfinite(c):
        return c
    product = Fraction(a) * Fraction(b)
    total = product + Fraction(c)
    if not total:
        return 0.0 if product else a * b + c
    try:
        return total.numerator / total.denominator  # Python rounds the quotient of integers once
    except OverflowError:
        return math.inf if total > 0 else -math.inf


def fused_f64(a: Float64, b: Float64, c: Float64) -> Float64:
    """a b + c with one rounding to float64."""
    a, b, c = np.broadcast_arrays(a, b, c)
    size, addend = np.abs(a * b), np.abs(c)
    inside = (size >= _SMALL) & (size <= _LARGE) & (np.maximum(np.abs(a), np.abs(b)) < _SPLITTABLE)
    inside &= (addend == 0) | (addend >= _SMALL) & (addend <= _LARGE)
    zero = ((a == 0) | (b == 0)) & np.isfinite(a) & np.isfinite(b)
    out = np.where(inside, _fused_inside(a, b, c), a * b + c)
    rest = np.flatnonzero(~(inside | zero))
    if rest.size:
        out = np.ascontiguousarray(out).reshape(-1)
        triples = zip(a.ravel()[rest].tolist(), b.ravel()[rest].tolist(), c.ravel()[rest].tolist(), strict=True)
        out[rest] = [_fused_exact(x, y, z) for x, y, z in triples]
        out = out.reshape(a.shape)
    return out


# --- makers of definitions ---------------------------------------------------------------------------------------

Words = Callable[[bool], Define]
"""The definition of the low word (False) or the high word (True) of an operation."""


def arithmetic(operation: Callable[..., Float64], operands: int) -> Words:
    """An operation on float64 values that gives one."""

    def of(high: bool) -> Define:
        def define(n: Numerics, *words: Bits) -> Bits:
            return word(operation(*(f64(words[2 * i], words[2 * i + 1]) for i in range(operands))), high)

        return define

    return of


def add(a: Float64, b: Float64) -> Float64:
    """a + b."""
    return a + b


def subtract(a: Float64, b: Float64) -> Float64:
    """a - b."""
    return a - b


def multiply(a: Float64, b: Float64) -> Float64:
    """a b."""
    return a * b


def divide(a: Float64, b: Float64) -> Float64:
    """a / b."""
    return a / b


def minimum(a: Float64, b: Float64) -> Float64:
    """minimumNumber of IEEE 754-2019: -0 below +0, a number before a NaN."""
    return _chosen(a, b, a < b, a.view(np.uint64) | b.view(np.uint64))


def maximum(a: Float64, b: Float64) -> Float64:
    """maximumNumber of IEEE 754-2019: +0 above -0, a number before a NaN."""
    return _chosen(a, b, a > b, a.view(np.uint64) & b.view(np.uint64))


def _chosen(a: Float64, b: Float64, first: Any, tie: Bits) -> Float64:
    chosen = np.where(a == b, np.asarray(tie).view(np.float64), np.where(first, a, b))
    return np.where(np.isnan(a), b, np.where(np.isnan(b), a, chosen))


def relation(operation: Callable[[Any, Any], Any]) -> Define:
    """A comparison: the card's `compare_true`, else 0; with a NaN only "not equal" holds."""

    def define(n: Numerics, al: Bits, ah: Bits, bl: Bits, bh: Bits) -> Bits:
        return np.where(operation(f64(al, ah), f64(bl, bh)), np.uint16(n.compare_true), np.uint16(0))

    return define


# --- conversions -------------------------------------------------------------------------------------------------


def _whole(values: Float64, kind: type[np.integer[Any]]) -> Bits:
    """Toward zero, saturated; NaN gives 0. The limits of 64 bits are compared as floats, since they round up."""
    info = np.iinfo(kind)
    whole = np.trunc(np.where(np.isnan(values), 0.0, values))
    over, under = whole >= 2.0 ** (info.bits - (info.min < 0)), whole < float(info.min)
    inside = np.where(over | under, 0.0, whole).astype(kind)
    return np.where(over, kind(info.max), np.where(under, kind(info.min), inside))


def to_integer(kind: type[np.integer[Any]]) -> Define:
    """float64 to an integer of 32 bits."""

    def define(n: Numerics, low: Bits, high: Bits) -> Bits:
        return _whole(f64(low, high), kind).view(np.uint32)

    return define


def to_wide_integer(kind: type[np.integer[Any]]) -> Words:
    """float64 to an integer of 64 bits."""

    def of(upper: bool) -> Define:
        def define(n: Numerics, low: Bits, high: Bits) -> Bits:
            return word(_whole(f64(low, high), kind), upper)

        return define

    return of


def of_word(view: Callable[[Bits], Any]) -> Words:
    """A 32-bit integer or float32 to float64; exact."""

    def of(high: bool) -> Define:
        def define(n: Numerics, a: Bits) -> Bits:
            return word(np.asarray(view(a)).astype(np.float64), high)

        return define

    return of


def of_wide_integer(kind: type[np.integer[Any]]) -> Words:
    """A 64-bit integer to float64, rounded once."""

    def of(upper: bool) -> Define:
        def define(n: Numerics, low: Bits, high: Bits) -> Bits:
            return word(joined(low, high).view(kind).astype(np.float64), upper)

        return define

    return of


def to_single(n: Numerics, low: Bits, high: Bits) -> Bits:
    """float64 to float32."""
    return bits32(f64(low, high).astype(np.float32))


def to_bf16(n: Numerics, low: Bits, high: Bits) -> Bits:
    """float64 to bf16, rounded once: through float32 rounded to odd."""
    values = f64(low, high)
    return narrow(round_to_odd(values, np.zeros_like(values)), "nearest-even")


def to_half(n: Numerics, low: Bits, high: Bits) -> Bits:
    """float64 to IEEE half, rounded once: through float32 rounded to odd; a NaN becomes quiet."""
    values = f64(low, high)
    odd = round_to_odd(values, np.zeros_like(values))
    bits = odd.astype(np.float16).view(np.uint16)
    return np.where(np.isnan(values), bits | np.uint16(0x200), bits)


VIEWS: Final[dict[str, Callable[[Bits], Any]]] = {
    "F32": f32,
    "S32": lambda a: np.asarray(a).view(np.int32),
    "U32": lambda a: a,
}
"""Words as values, by the name of their type."""
