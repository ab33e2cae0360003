"""NumPy definitions of arithmetic: what every processing element operation does to the bits of its operands.

A definition takes a `Numerics` (the settings of what the published material leaves open) and raw bits: uint16
arrays for 16-bit operands, uint32 arrays for 32-bit ones, of any one shape; scalars and immediates arrive as
zero-dimensional arrays. It returns raw bits. Nothing here reads state, so the same functions serve every engine.

bf16 is bfloat16: the high half of an IEEE single.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Bits = NDArray[Any]
Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]


@dataclass(frozen=True)
class Numerics:
    """Settings that the published material leaves open, each with its default (see `choices` in the card's file)."""

    bf16_rounding: str = "nearest-even"  # or "truncate": results of ADD/SUB/MUL/FMA.F16
    int_to_bf16: str = "nearest-even"  # or "truncate"
    float_to_int: str = "saturate"  # or "wrap"
    minmax_nan: str = "number"  # or "propagate"
    shift_overflow: str = "zero"  # or "modulo"
    mask_lanes: str = "mod"  # LOADMASK bit k: lane mod 8 == k; or "div": lane div 4 == k
    compare_true: int = 1
    denormals: str = "keep"  # or "flush": float32 and bf16 results of the processing element

    @classmethod
    def from_choices(cls, choices: Any) -> Numerics:
        """The settings of a card (`Card.choices`)."""
        settings = choices.settings()
        return cls(**{name: settings[name] for name in cls.__dataclass_fields__})


DEFAULT = Numerics()


# --- bits and values ---------------------------------------------------------------------------------------


def f32(bits: Bits) -> Float32:
    """float32 values of 32-bit patterns."""
    return np.asarray(bits, np.uint32).view(np.float32)


def bits32(values: Any) -> Bits:
    """32-bit patterns of float32 values."""
    return np.asarray(values, np.float32).view(np.uint32)


def widen(bits: Bits) -> Float32:
    """float32 values of bf16 patterns; exact."""
    return (np.asarray(bits, np.uint16).astype(np.uint32) << np.uint32(16)).view(np.float32)


def narrow(values: Float32, rounding: str) -> Bits:
    """bf16 patterns of float32 values; NaNs stay NaNs."""
    bits = bits32(values)
    if rounding == "truncate":
        return (bits >> np.uint32(16)).astype(np.uint16)
    with np.errstate(over="ignore"):
        rounded = bits + np.uint32(0x7FFF) + ((bits >> np.uint32(16)) & np.uint32(1))
    out = (rounded >> np.uint32(16)).astype(np.uint16)
    nan = np.isnan(values)
    if np.any(nan):
        out = np.where(nan, ((bits >> np.uint32(16)) | np.uint32(0x40)).astype(np.uint16), out)
    return out


def half_to_f32(n: Numerics, a: Bits) -> Bits:
    """IEEE half to float32, exact; a NaN keeps sign and payload and becomes quiet."""
    wide = bits32(a.view(np.float16).astype(np.float32))
    return np.where(np.isnan(a.view(np.float16)), wide | np.uint32(1 << 22), wide)


def f32_to_half(n: Numerics, a: Bits) -> Bits:
    """float32 to IEEE half, to nearest even; a NaN keeps sign and high payload bits and becomes quiet."""
    values = f32(a)
    with np.errstate(over="ignore", under="ignore"):
        out = values.astype(np.float16).view(np.uint16)
    quiet = (a >> np.uint32(16) & np.uint32(0x8000)) | np.uint32(0x7E00) | (a >> np.uint32(13) & np.uint32(0x3FF))
    return np.where(np.isnan(values), quiet.astype(np.uint16), out)


def round_to_odd(value: Float64, error: Float64) -> Float32:
    """value + error (|error| below half an ulp of value) to float32, rounded to odd: a later rounding is exact."""
    near = value.astype(np.float32)
    rest = (value - near.astype(np.float64)) + error
    inexact = (rest != 0) & np.isfinite(near) & ((near.view(np.uint32) & np.uint32(1)) == 0)
    toward = np.where(rest > 0, np.float32(np.inf), np.float32(-np.inf))
    # An overflowed `near` is the infinity that a rounding to float32 gives as well.
    return np.where(inexact, np.nextafter(near, toward), near)


def two_sum(a: Float64, b: Float64) -> tuple[Float64, Float64]:
    """a + b as rounded sum and exact error (Knuth)."""
    total = a + b
    virtual = total - a
    return total, np.nan_to_num((a - (total - virtual)) + (b - virtual), nan=0.0, posinf=0.0, neginf=0.0)


def fused_f32(a: Float32, b: Float32, c: Float32) -> Float32:
    """a*b + c with one rounding to float32; the product of two singles is exact in float64."""
    total, error = two_sum(a.astype(np.float64) * b.astype(np.float64), c.astype(np.float64))
    # Fold the error in by rounding the float64 sum to odd, then round once to float32.
    bits = total.view(np.int64)
    nudge = (error != 0) & ((bits & 1) == 0) & np.isfinite(total)
    away = (error > 0) == (total > 0)
    odd = np.where(nudge, bits + np.where(away, 1, -1), bits).view(np.float64)
    odd = np.where(nudge & (total == 0), error, odd)
    return odd.astype(np.float32)


def fused_bf16(a: Float32, b: Float32, c: Float32, rounding: str) -> Bits:
    """a*b + c of bf16 values with one rounding to bf16."""
    total, error = two_sum(a.astype(np.float64) * b.astype(np.float64), c.astype(np.float64))
    return narrow(round_to_odd(total, error), rounding)


def _flush32(n: Numerics, values: Float32) -> Float32:
    if n.denormals == "keep":
        return values
    tiny = np.abs(values) < np.finfo(np.float32).tiny
    return np.where(tiny, np.copysign(np.float32(0), values), values)


def _out32(n: Numerics, values: Float32) -> Bits:
    return bits32(_flush32(n, values))


def _out16(n: Numerics, values: Float32) -> Bits:
    return narrow(_flush32(n, values), n.bf16_rounding)


# --- float -------------------------------------------------------------------------------------------------

Define = Callable[..., Bits]


def float_binary(operation: Callable[[Float32, Float32], Float32]) -> tuple[Define, Define]:
    """(float32 form, bf16 form) of an operation that rounds its exact result once."""

    def single(n: Numerics, a: Bits, b: Bits) -> Bits:
        return _out32(n, operation(f32(a), f32(b)))

    def brain(n: Numerics, a: Bits, b: Bits) -> Bits:
        return _out16(n, operation(widen(a), widen(b)))

    return single, brain


def _select(n: Numerics, a: Float32, b: Float32, first: Any, tie: Bits) -> Float32:
    """The number rule of IEEE 754-2019 minimumNumber / maximumNumber, or NaN propagation; tie holds -0 below +0."""
    a_nan, b_nan = np.isnan(a), np.isnan(b)
    chosen = np.where(a == b, tie.view(np.float32), np.where(first, a, b))
    if n.minmax_nan == "number":
        return np.where(a_nan, b, np.where(b_nan, a, chosen))
    return np.where(a_nan, a, np.where(b_nan, b, chosen))


def minimum(n: Numerics, a: Float32, b: Float32) -> Float32:
    """The smaller value, -0 below +0."""
    return _select(n, a, b, a < b, bits32(a) | bits32(b))


def maximum(n: Numerics, a: Float32, b: Float32) -> Float32:
    """The larger value, +0 above -0."""
    return _select(n, a, b, a > b, bits32(a) & bits32(b))


def extremum(operation: Callable[[Numerics, Float32, Float32], Float32]) -> tuple[Define, Define]:
    """(float32 form, bf16 form) of minimum or maximum; exact, so nothing is rounded."""

    def single(n: Numerics, a: Bits, b: Bits) -> Bits:
        return bits32(operation(n, f32(a), f32(b)))

    def brain(n: Numerics, a: Bits, b: Bits) -> Bits:
        return (bits32(operation(n, widen(a), widen(b))) >> np.uint32(16)).astype(np.uint16)

    return single, brain


def add_low_replaced(n: Numerics, high: Bits, low: Bits, addend: Bits) -> Bits:
    """((high << 16) | low) + addend in float32."""
    joined = (high.astype(np.uint32) << np.uint32(16)) | low.astype(np.uint32)
    return _out32(n, f32(joined) + f32(addend))


def fma_bf16(n: Numerics, a: Bits, b: Bits, c: Bits) -> Bits:
    """a*b + c in bf16, one rounding."""
    return fused_bf16(widen(a), widen(b), widen(c), n.bf16_rounding)


def fma_f32(n: Numerics, a: Bits, b: Bits, c: Bits) -> Bits:
    """a*b + c in float32, one rounding."""
    return _out32(n, fused_f32(f32(a), f32(b), f32(c)))


EXACT_PRODUCT = np.float32(2.0**-133)
"""A product of two bf16 values at or above this, and below overflow, is exact in float32 (16 significant bits)."""


def hfma(n: Numerics, a: Bits, b: Bits, c: Bits) -> Bits:
    """bf16 * bf16 + float32 -> float32, one rounding."""
    x, y, z = widen(a), widen(b), f32(c)
    product = x * y
    size = np.abs(product)
    if bool(np.all((size >= EXACT_PRODUCT) & (size < np.inf) | (x == 0) | (y == 0))):
        return _out32(n, product + z)
    return _out32(n, fused_f32(x, y, z))


def negate_bf16(n: Numerics, a: Bits) -> Bits:
    """Sign flip."""
    return a ^ np.uint16(0x8000)


def copysign_bf16(n: Numerics, sign: Bits, magnitude: Bits) -> Bits:
    """Sign of the first, magnitude of the second."""
    return (sign & np.uint16(0x8000)) | (magnitude & np.uint16(0x7FFF))


# --- integer -----------------------------------------------------------------------------------------------


def integer(operation: Callable[[Bits, Bits], Bits]) -> Define:
    """A modular or bitwise operation; the operands have one width already."""

    def define(n: Numerics, a: Bits, b: Bits) -> Bits:
        return operation(a, b)

    return define


def multiply_wide(n: Numerics, a: Bits, b: Bits) -> Bits:
    """16 x 16 -> 32 bits, unsigned."""
    return a.astype(np.uint32) * b.astype(np.uint32)


def _shift(left: bool) -> Define:
    def define(n: Numerics, a: Bits, count: Bits) -> Bits:
        width = 8 * a.dtype.itemsize
        inside = (count.astype(np.uint32) % np.uint32(width)).astype(a.dtype)
        moved = (a << inside if left else a >> inside).astype(a.dtype)
        if n.shift_overflow == "modulo":
            return moved
        return np.where(count < width, moved, a.dtype.type(0))

    return define


shift_left = _shift(left=True)
shift_right = _shift(left=False)


def shift_right_signed(n: Numerics, a: Bits, count: Bits) -> Bits:
    """Arithmetic shift; counts at or above the width fill with the sign (or wrap, as set)."""
    width = 8 * a.dtype.itemsize
    inside = count.astype(np.uint32) % np.uint32(width)
    if n.shift_overflow == "zero":
        inside = np.minimum(count.astype(np.uint32), np.uint32(width - 1))
    signed = a.view(np.int16 if width == 16 else np.int32)
    return (signed >> inside.astype(signed.dtype)).view(a.dtype)


def unpack_nibbles(n: Numerics, a: Bits, high: bool) -> Bits:
    """Low byte (or high byte) split into two nibbles: VA the lower, VB the upper."""
    byte = (a >> np.uint16(8) if high else a) & np.uint16(0xFF)
    return (byte & np.uint16(15)).astype(np.uint32) | (byte >> np.uint16(4)).astype(np.uint32) << np.uint32(16)


def unpack_bytes(n: Numerics, a: Bits) -> Bits:
    """VA = low byte, VB = high byte."""
    return (a & np.uint16(0xFF)).astype(np.uint32) | (a >> np.uint16(8)).astype(np.uint32) << np.uint32(16)


def decode_thread_id(axis: int) -> Define:
    """x, y or z of a packed id x | y<<bx | z<<(bx+by); the depack word is bx | by<<8 (a choice of this runtime)."""

    def define(n: Numerics, packed: Bits, depack: Bits) -> Bits:
        bits_x, bits_y = min(int(depack) & 0xFF, 16), min(int(depack) >> 8 & 0xFF, 16)  # ids have 16 bits
        value = packed.astype(np.uint32)
        if axis == 0:
            value = value & np.uint32((1 << bits_x) - 1)
        elif axis == 1:
            value = value >> np.uint32(bits_x) & np.uint32((1 << bits_y) - 1)
        else:
            value = value >> np.uint32(min(bits_x + bits_y, 16))
        return value.astype(np.uint16)

    return define


# --- compare and select ------------------------------------------------------------------------------------


def compare(view: Callable[[Bits], Any], relation: Callable[[Any, Any], Any]) -> Define:
    """True as the card's `compare_true`, else 0; a comparison with NaN is false."""

    def define(n: Numerics, a: Bits, b: Bits) -> Bits:
        return np.where(relation(view(a), view(b)), np.uint16(n.compare_true), np.uint16(0))

    return define


def merge(n: Numerics, a: Bits, b: Bits, condition: Bits) -> Bits:
    """condition != 0 ? b : a."""
    return np.where(condition != 0, b, a)


def mask_selects(n: Numerics, mask: int, lane: Bits) -> NDArray[np.bool_]:
    """Lanes (of all lane numbers 0..31 given) that an 8-bit lane mask selects."""
    group = lane % 8 if n.mask_lanes == "mod" else lane // 4 % 8
    return (np.uint32(mask) >> group.astype(np.uint32) & np.uint32(1)) != 0


# --- conversion --------------------------------------------------------------------------------------------


def _saturated(n: Numerics, values: Float64, kind: type[np.integer[Any]]) -> Bits:
    """Truncate toward zero; NaN becomes 0; out of range saturates or wraps."""
    info = np.iinfo(kind)
    whole = np.trunc(np.where(np.isnan(values), 0.0, values))
    if n.float_to_int == "saturate":
        return np.clip(whole, info.min, info.max).astype(np.int64).astype(kind)
    bounded = np.clip(whole, -(2.0**62), 2.0**62)
    return bounded.astype(np.int64).astype(kind)


def float_to_int(kind: type[np.integer[Any]]) -> Define:
    """float32 -> integer, toward zero."""

    def define(n: Numerics, a: Bits) -> Bits:
        out = _saturated(n, f32(a).astype(np.float64), kind)
        return out.view(np.dtype(f"u{out.dtype.itemsize}"))

    return define


def int_to_bf16(view: Callable[[Bits], Any]) -> Define:
    """Integer of at most 32 bits -> bf16."""

    def define(n: Numerics, a: Bits) -> Bits:
        exact = np.asarray(view(a)).astype(np.float64)
        return narrow(round_to_odd(exact, np.zeros_like(exact)), n.int_to_bf16)

    return define


def int_to_f32(view: Callable[[Bits], Any]) -> Define:
    """Integer of at most 32 bits -> float32, nearest even."""

    def define(n: Numerics, a: Bits) -> Bits:
        return bits32(np.asarray(view(a)).astype(np.float64).astype(np.float32))

    return define


def bf16_to_int(kind: type[np.integer[Any]]) -> Define:
    """bf16 -> integer, toward zero."""

    def define(n: Numerics, a: Bits) -> Bits:
        out = _saturated(n, widen(a).astype(np.float64), kind)
        return out.view(np.dtype(f"u{out.dtype.itemsize}"))

    return define


def bf16_to_f32(n: Numerics, a: Bits) -> Bits:
    """Shift left by 16."""
    return a.astype(np.uint32) << np.uint32(16)


def f32_to_bf16(n: Numerics, a: Bits) -> Bits:
    """Drop the low half (truncation)."""
    return (a >> np.uint32(16)).astype(np.uint16)


def resize(bits: int, signed_from: int = 0) -> Define:
    """Integer width change: keep the low bits, or extend (by sign from `signed_from` bits, else by zero)."""
    kind = np.uint16 if bits == 16 else np.uint32

    def define(n: Numerics, a: Bits) -> Bits:
        if signed_from:
            signed = a.astype(np.uint32).astype(np.int64)
            signed = ((signed + (1 << (signed_from - 1))) % (1 << signed_from)) - (1 << (signed_from - 1))
            return (signed % (1 << bits)).astype(kind)
        return a.astype(kind)

    return define


# --- the bf16 dot product ------------------------------------------------------------------------------------


def dot_even_odd(products: Sequence[Float32]) -> Float32:
    """Sum of float32 products: even chain plus odd chain, each from +0, ascending, rounded at each add.

    Products of bf16 values are float32 products. The order is that of AMX TDPBF16PS with two terms per step; the
    published material leaves it open.
    """
    chains = [np.zeros_like(products[0]), np.zeros_like(products[0])]
    for k, product in enumerate(products):
        chains[k % 2] = chains[k % 2] + product
    return chains[0] + chains[1]
