"""Plain 4-bit and 8-bit weights to bfloat16 tiles: w = q * scale (+ zero), one scale and zero per 32 k of a column.

Each thread expands one word: 4 or 2 neighbouring k of one column. Blocks cover 32 columns; the kernel walks column and
row blocks in a loop of its own, so the grid is a single block.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from conformance.case import Bench, Check, bf16, case
from conformance.cases.common import Output
from conformance.cases.quant import LANES, Words, bf16_fma, bf16_mul, fields, random_addends, random_bf16
from conformance.cases.tiling import unsigned, written_tiles

GROUP = 32  # k that share a scale
Q4_FOLDERS = ("rpp_mul_mat/kernel_q4_1", "rpp_mul_mat/kernel_q4_k")
Q5_FOLDER = "rpp_mul_mat/kernel_q5_k"  # holds the texts but no image of them


@dataclass(frozen=True)
class Layout:
    """The block shape that the host picks, and how many blocks the kernel walks itself."""

    k: int
    n: int
    per_thread: int
    y: int
    z: int

    @classmethod
    def host(cls, k: int, n: int, per_thread: int) -> Layout:
        """matmul_q4_dequant_blocks / matmul_q80_dequant_blocks: y covers a group, z doubles up to 4096 threads."""
        y, z = GROUP // per_thread, 1
        while LANES * y * z < 128 * LANES and y * z * per_thread < k:
            z *= 2
        assert k % (y * z * per_thread) == 0
        return cls(k, n, per_thread, y, z)

    @property
    def block(self) -> tuple[int, int, int]:
        return LANES, self.y, self.z

    @property
    def walk(self) -> tuple[int, int]:
        return self.n // LANES, self.k // (self.y * self.z * self.per_thread)

    def params(self, weights: int, scales: int, zeros: int, out: int, lut: int) -> list[int]:
        """matmul_dequant_params; the second step of each pair is relative to where the inner walk has ended."""
        columns, rows = self.walk
        word = LANES * 2
        tile = self.k * word
        return [
            weights,
            scales,
            out,
            word,
            lut,
            self.n,
            self.y * self.n,
            0,
            self.n,
            self.per_thread * LANES,
            self.per_thread * LANES * self.y,
            word,
            self.y * self.z * self.n * 2 - columns * word,
            word,
            self.z * self.n * 2 - columns * word,
            tile - (self.per_thread - 1) * word,
            self.per_thread * self.y * self.z * word - columns * tile,
            zeros,
            columns,
            rows,
        ]


def expanded(bench: Bench, layout: Layout, weights: Words, table: Words, factors: Words) -> Iterable[Check]:
    """Launch on packed weights; `factors` are the numbers `[K, N]` that they stand for. Bytes have no zero."""
    scales = random_bf16(bench.rng, (layout.k // GROUP, layout.n), 0.01)
    zeros = random_addends(bench.rng, (layout.k // GROUP, layout.n), 1.0)
    out = Output.words(bench, factors.size)
    params = layout.params(bench.put(weights), bench.put(scales), bench.put(zeros), out.address, bench.put(table))
    bench.launch((1, 1, 1), layout.block, unsigned(params))
    scale, zero = np.repeat(scales, GROUP, axis=0), np.repeat(zeros, GROUP, axis=0)
    want = bf16_fma(factors, scale, zero) if layout.per_thread == 4 else bf16_mul(factors, scale)
    yield from written_tiles(out, want)


def four_bit(bench: Bench, table: Words) -> Iterable[Check]:
    """1024 k by 128 columns: two row blocks by four column blocks."""
    layout = Layout.host(1024, 128, 4)
    codes = bench.rng.integers(0, 16, (layout.k, layout.n))
    return expanded(bench, layout, fields(codes, 4), table, table[codes])


@case("matrix_mul_i4_deqaunt_f16_asym_opt", *Q4_FOLDERS, image="matmul_i4_dequant_f16_asym_opt", geometry="reduced")
@case("matrix_mul_i4_deqaunt_f16_asym_opt", Q5_FOLDER, geometry="reduced", sources=("text",))
def i4_table(bench: Bench) -> Iterable[Check]:
    """w = table[q] * scale + zero, rounded once. The host builds its parameters but launches the table-free form."""
    return four_bit(bench, random_bf16(bench.rng, (16,), 4.0))


@case("matrix_mul_i4_deqaunt_f16_no_lut", *Q4_FOLDERS, image="matmul_i4_dequant_f16_asym_no_lut")
@case("matrix_mul_i4_deqaunt_f16_no_lut", Q5_FOLDER, geometry="reduced", sources=("text",))
def i4(bench: Bench) -> Iterable[Check]:
    """w = q * scale + zero, rounded once (rpp_matmul_q4_1: matmul_q4_dequant_blocks, matmul_dequant_params)."""
    return four_bit(bench, bf16(np.arange(16, dtype=np.float32)))


@case("matrix_mul_i8_deqaunt_f16_no_lut", "rpp_mul_mat/kernel_q8_0")
def i8(bench: Bench) -> Iterable[Check]:
    """w = q * scale for signed bytes, rounded (rpp_matmul_q80: matmul_q80_dequant_blocks, matmul_dequant_params)."""
    layout = Layout.host(512, 96, 2)
    codes = bench.rng.integers(-128, 128, (layout.k, layout.n))
    codes[:2] = np.array([[-128], [127]])
    factors = bf16(codes.astype(np.float32))
    return expanded(bench, layout, fields(codes, 8), np.zeros(16, np.uint16), factors)
