"""Data layouts and roundings shared by the quantised-weight cases.

Weights are handled as plain integers `[K, N]` (k along the first axis) and packed here into the words that the host
code uploads: a 16-bit word always holds neighbouring k of one column n, so that lanes run along n.
Values travel as bfloat16 bits (`uint16`); the float helpers round the way the machine does.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from conformance.case import bf16, f32

Array = NDArray[Any]
Words = NDArray[np.uint16]
Floats = NDArray[np.float32]

LANES = 32
SUPER = 256  # k of one super block
MAGNITUDES_2 = np.array([8, 25, 43], np.int64)  # the values that a 2-bit code stands for
MAGNITUDES_3 = np.array([4, 12, 20, 28, 36, 44, 52, 62], np.int64)  # and a 3-bit code


# --- packing ----------------------------------------------------------------------------------------------------------


def fields(values: Array, bits: int) -> Words:
    """`[R, N]` integers -> `[R * bits / 16, N]` words, the first row in the lowest bits of a word.

    4-bit weights and scales (bits=4), bytes (8), the fifth bit of q5 (1), the two high bits of q6 (2).
    """
    per = 16 // bits
    rows, columns = values.shape
    parts = (values.astype(np.int64) & ((1 << bits) - 1)).reshape(rows // per, per, columns)
    shifts = np.arange(per, dtype=np.int64)[:, None] * bits
    return np.bitwise_or.reduce(parts << shifts, axis=1).astype(np.uint16)


def sign_words(negative: Array) -> Words:
    """`[K, N]` flags -> `[K/16, N]` words, the first k of a word in bit 15."""
    rows, columns = negative.shape
    return fields(negative.reshape(rows // 16, 16, columns)[:, ::-1].reshape(rows, columns), 1)


def streams_3(codes: Array) -> Words:
    """`[K, N]` 3-bit codes -> `[K/16, 3, N]` words: 16 codes form a 48-bit stream, the first one lowest."""
    rows, columns = codes.shape
    parts = codes.astype(np.int64).reshape(rows // 16, 16, columns)
    stream = np.bitwise_or.reduce(parts << (3 * np.arange(16, dtype=np.int64)[:, None]), axis=1)
    return np.stack([(stream >> (16 * i)) & 0xFFFF for i in range(3)], axis=1).astype(np.uint16)


def six_low(scales: Array) -> Words:
    """6-bit scales `[K/32, N]` -> their low nibbles, `[K/256, 2, N]` flattened to `[K/128, N]`."""
    return fields(scales, 4)


def six_high(scales: Array) -> Words:
    """6-bit scales `[K/32, N]` -> their upper two bits, `[K/256, N]`."""
    return fields(scales >> 4, 2)


def index_low(indices: Array) -> Words:
    """Codebook indices `[K/8, N]` (or `[K/4, N]`) -> their low bytes, two to a word."""
    return fields(indices, 8)


def index_high(indices: Array) -> Words:
    """10-bit codebook indices `[K/8, N]` -> bits 9:8, eight to a word: `[K/64, N]`."""
    return fields(indices >> 8, 2)


def activation_tiles(values: Array) -> Array:
    """`[M, K]` -> `[K/32, M, 32]`, the matmul's A (and, read as N, its C)."""
    rows, columns = values.shape
    return np.ascontiguousarray(values.reshape(rows, columns // LANES, LANES).transpose(1, 0, 2))


def from_activation_tiles(tiles: Array, rows: int, columns: int) -> Array:
    """The inverse of `activation_tiles`."""
    return np.ascontiguousarray(tiles.reshape(columns // LANES, rows, LANES).transpose(1, 0, 2)).reshape(rows, columns)


def weight_tiles(values: Array) -> Array:
    """`[K, N]` -> `[N/32, K, 32]`, the matmul's B."""
    return activation_tiles(values)


def from_weight_tiles(tiles: Array, k: int, n: int) -> Array:
    """The inverse of `weight_tiles`."""
    return from_activation_tiles(tiles, k, n)


def planes(values: Floats) -> tuple[Words, Words]:
    """float32 -> the plane of high halves and the plane of low halves."""
    bits = np.ascontiguousarray(values, np.float32).view(np.uint32)
    return (bits >> 16).astype(np.uint16), bits.astype(np.uint16)


def from_planes(high: Words, low: Words) -> Floats:
    """The inverse of `planes`."""
    return ((high.astype(np.uint32) << 16) | low).view(np.float32)


# --- roundings --------------------------------------------------------------------------------------------------------


def random_bf16(rng: np.random.Generator, shape: tuple[int, ...], scale: float = 1.0) -> Words:
    """Normally distributed bfloat16 values."""
    return bf16(rng.standard_normal(shape).astype(np.float32) * np.float32(scale))


def random_addends(rng: np.random.Generator, shape: tuple[int, int], scale: float) -> Words:
    """Addends of an FMA: every fourth column is so small that it only decides ties of the product."""
    values = random_bf16(rng, shape, scale)
    values[:, ::4] = random_bf16(rng, (shape[0], (shape[1] + 3) // 4), 1e-12)
    return values


def bf16_mul(a: Words, b: Words) -> Words:
    """MUL.F16: the exact product, rounded once."""
    return bf16(f32(a) * f32(b))


def bf16_add(a: Words, b: Words) -> Words:
    """ADD.F16: the float32 sum, rounded."""
    return bf16(f32(a) + f32(b))


def bf16_fma(a: Words, b: Words, c: Words) -> Words:
    """FMA.F16: a*b + c with one rounding to nearest even (float64 with the lost part kept as a sticky bit)."""
    product = f32(a).astype(np.float64) * f32(b)
    addend = f32(c).astype(np.float64)
    total = product + addend
    back = total - product
    lost = (product - (total - back)) + (addend - back)
    bits = total.view(np.int64)
    even = (bits & 1) == 0
    away = np.where(np.signbit(lost) == np.signbit(total), 1, -1)
    sticky = np.where((lost != 0) & even, bits + away, bits).view(np.float64)
    return _from_float64(sticky)


def _from_float64(values: NDArray[np.float64]) -> Words:
    """float64 -> bfloat16, nearest even, correct for results in the normal range."""
    bits = np.ascontiguousarray(values).view(np.uint64)
    rounded = bits + (np.uint64((1 << 44) - 1) + ((bits >> np.uint64(45)) & np.uint64(1)))
    kept = (rounded & ~np.uint64((1 << 45) - 1)).view(np.float64)
    return (kept.astype(np.float32).view(np.uint32) >> 16).astype(np.uint16)


def hfma(a: Words, b: Words, c: Floats) -> Floats:
    """HFMA: the exact product of two bfloat16 plus a float32, rounded once."""
    return f32(a) * f32(b) + c


def dot8(acc: Floats, a: Words, b: Words) -> Floats:
    """The matmul step: acc + (even chain + odd chain) over the last axis of eight bfloat16 pairs."""
    products = f32(a) * f32(b)
    even = np.zeros(products.shape[:-1], np.float32)
    odd = np.zeros(products.shape[:-1], np.float32)
    for i in range(0, 8, 2):
        even += products[..., i]
        odd += products[..., i + 1]
    return np.add(acc, even + odd, dtype=np.float32)
