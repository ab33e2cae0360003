"""What every decode (vector times matrix) case shares: tiling, launch shapes and the float32 reference.

The decode kernels keep their float32 result as two planes of 16-bit words, high halves first. Each block along grid.z
handles one group of k and adds to the planes; a later tile of k adds to what the earlier tiles left (`combine`).
Activation products have at most 16 significant bits, so they are exact and each HFMA is one float32 addition.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from conformance.case import Array, Bench, Check, f32
from conformance.cases.quant import Floats, Words, from_planes, planes

Shape = tuple[int, int, int]
MAX_THREADS = 8160


def widen(x: int, y: int = 1) -> int:
    """Block z that makes a block exceed one warp (host: RppHW32Fix)."""
    z = 1
    while x * y * z <= 32:
        z += 1
    return z


def halved_block(columns: int) -> tuple[Shape, int]:
    """Block and grid.x: all columns, halved until they fit (host: kerneldim_calc_matmul_linear of q4_1, q8_0, q6_k)."""
    x = columns
    while x > MAX_THREADS:
        x = (x + 1) // 2
    x = -(-x // 32) * 32
    return (x, 1, widen(x)), -(-columns // x)


def doubled_block(columns: int) -> tuple[Shape, int]:
    """Block and grid.x: 32 lanes, doubled up to 4096 while it divides (host: the same name in the other folders)."""
    x, count = 32, columns // 32
    while x < 4096 and count % 2 == 0:
        x, count = 2 * x, count // 2
    return (x, 1, widen(x)), count


def whole_block(columns: int) -> tuple[Shape, int]:
    """Block and grid.x: all columns when they are fewer than 8192 (host: the same name in q3_xxs_vxm)."""
    return ((columns, 1, widen(columns)), 1) if columns < 8192 else doubled_block(columns)


def groups_per_tile(k: int, group: int) -> int:
    """How many groups one launch takes (host: get_tiles_info for fewer than 32768 columns)."""
    if group != 32:
        return 1
    return next(count for count in (16, 8, 4, 2, 1) if k % (32 * count) == 0)


def group_dots(activations: Words, weights: Floats, group: int) -> Floats:
    """`[K]`, `[K, N]` -> `[K/group, N]`: a0*w0 + a1*w1 + .. in ascending k, one float32 rounding per step."""
    k, columns = weights.shape
    left = f32(activations).reshape(k // group, group, 1)
    right = weights.reshape(k // group, group, columns)
    total: Array = np.zeros((k // group, columns), np.float32)
    for i in range(group):
        total = total + left[:, i] * right[:, i]
    return total


def group_sums(activations: Words, group: int) -> Floats:
    """`[K]` -> `[K/group]`: the float32 sum of each group in ascending k."""
    ones = np.ones((activations.size, 1), np.float32)
    return group_dots(activations, ones, group)[:, 0]


def in_order(terms: Array) -> Floats:
    """Sum over the first axis, one float32 addition after the other."""
    total = terms[0]
    for term in terms[1:]:
        total = term + total
    return total


@dataclass(frozen=True)
class Planes:
    """A float32 vector in SRAM as a plane of high halves and, `offset` bytes further, a plane of low halves."""

    address: int
    offset: int
    count: int

    @classmethod
    def fresh(cls, bench: Bench, count: int) -> Planes:
        """An output of `count` values, low plane right behind; old contents are noise that must be overwritten."""
        noise = bench.rng.integers(0, 1 << 16, 2 * count, dtype=np.uint16)
        return cls(bench.put(noise), 2 * count, count)

    def read(self, bench: Bench) -> Floats:
        high = bench.read(self.address, self.count, np.uint16)
        return from_planes(high, bench.read(self.address + self.offset, self.count, np.uint16))

    def check(self, bench: Bench, what: str, want: NDArray[np.float32]) -> Check:
        return Check(what, self.read(bench), want)


def put_sums(bench: Bench, sums: Floats) -> tuple[int, int]:
    """Group sums as the host keeps them: addresses of the low plane and of the high plane behind it."""
    high, low = planes(sums)
    padded = -(-sums.size // 32) * 32
    both = np.zeros((2, padded), np.uint16)
    both[0, : sums.size], both[1, : sums.size] = low, high
    address = bench.put(both)
    return address, address + 2 * padded
