"""K-quants: block scales from super-block scales, and weights from 4, 5 and 6-bit codes.

A super block is 256 k. q4 and q5 have eight blocks of 32 k with a 6-bit scale and a 6-bit zero each, which the
super scale and super zero multiply; q6 has sixteen blocks of 16 k with signed byte scales and no zero.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from conformance.case import Bench, Check, bf16, case
from conformance.cases.common import Output
from conformance.cases.quant import (
    SUPER,
    Array,
    Words,
    bf16_fma,
    bf16_mul,
    fields,
    random_addends,
    random_bf16,
    six_high,
    six_low,
)
from conformance.cases.tiling import TILE_ROW, ScaleTiling, Tiling, unsigned, written, written_tiles

ROOT = "rpp_mul_mat/"
ONE, MINUS_ONE = 0x3F80, 0xBF80


def integers(values: Array) -> Words:
    """Small integers as bfloat16, exact."""
    return bf16(values.astype(np.float32))


def repeated(rows: Words, k: int) -> Words:
    """One row per block of k -> `[K, N]`."""
    return np.repeat(rows, k // rows.shape[0], axis=0)


# --- scales -----------------------------------------------------------------------------------------------------------


def six_bit_scales(bench: Bench, k: int, n: int, signs: tuple[int, ...]) -> Iterable[Check]:
    """scale[block] = q6 * super * sign for every given sign; an empty tuple is the text without a sign parameter."""
    tiling = ScaleTiling.host(k, n)
    codes = bench.rng.integers(0, 64, (k // 32, n))
    supers = random_bf16(bench.rng, (k // SUPER, n), 0.01)
    inputs = [bench.put(six_low(codes)), bench.put(six_high(codes)), bench.put(supers)]
    want = bf16_mul(integers(codes), repeated(supers, k // 32))
    for sign in signs or (ONE,):
        out = Output.words(bench, want.size)
        params = [*inputs, out.address, *tiling.strides(2, 8), tiling.row, tiling.row, *tiling.walk]
        bench.launch((1, 1, 1), tiling.block, params + ([sign] if signs else []))
        negated = want ^ np.uint16(0x8000) if sign == MINUS_ONE else want
        yield from written(out, f"scales with sign {sign:#x}", negated)


@case("matrix_mul_q4k_super_scale", ROOT + "kernel_q4_k")
@case("matrix_mul_q5k_super_scale", ROOT + "kernel_q5_k")
@case("matrix_mul_q5k_super_scale", ROOT + "kernel_q5_k_vxm", sources=("text",))
@case("matrix_mul_q4k_super_scale_opt", ROOT + "kernel_q4_k_vxm", geometry="reduced", sources=("text",))
@case("matrix_mul_q4k_super_scale", ROOT + "kernel_q5_k", geometry="reduced", sources=("text",))
def scales_q4k(bench: Bench) -> Iterable[Check]:
    """Scales, then zeros with the sign turned (q4k_super_scale_blocks, q4k_super_scale_params in rpp_matmul_q4k)."""
    return six_bit_scales(bench, 1536, 128, (ONE, MINUS_ONE))


@case("matrix_mul_q4k_super_scale", ROOT + "kernel_q4_k_vxm")
@case("matrix_mul_q5k_super_scale", ROOT + "kernel_q5_k_vxm", sources=("image",), note="a later revision than the text")
def scales_q4k_wide(bench: Bench) -> Iterable[Check]:
    """The decode copies also walk column blocks: one super block by 12288 columns (rpp_matmul_q4k_vxm, _q5k_vxm)."""
    yield from six_bit_scales(bench, 1536, 128, (ONE, MINUS_ONE))
    yield from six_bit_scales(bench, 256, 12288, (ONE, MINUS_ONE))


@case(
    "matrix_mul_q6k_super_scale",
    ROOT + "kernel_q4_k",
    ROOT + "kernel_q4_k_vxm",
    ROOT + "kernel_q5_k",
    geometry="reduced",
    sources=("text",),
)
def scales_six_bit(bench: Bench) -> Iterable[Check]:
    """6-bit scales without a sign, under q6's name in the q4 and q5 folders; nothing launches it."""
    yield from six_bit_scales(bench, 1536, 128, ())
    yield from six_bit_scales(bench, 256, 12288, ())


@case("matrix_mul_q6k_super_scale", ROOT + "kernel_q6_k", ROOT + "kernel_q6_k_vxm")
def scales_q6k(bench: Bench) -> Iterable[Check]:
    """scale[block] = s8 * super (matmul_super_scale_blocks, matmul_super_scale_params), narrow and wide."""
    for k, n in ((1536, 128), (256, 12288)):
        tiling = ScaleTiling.host(k, n)
        codes = bench.rng.integers(-128, 128, (k // 16, n))
        supers = random_bf16(bench.rng, (k // SUPER, n), 0.01)
        want = bf16_mul(integers(codes), repeated(supers, k // 16))
        out = Output.words(bench, want.size)
        inputs = [bench.put(fields(codes, 8)), bench.put(supers), out.address]
        bench.launch((1, 1, 1), tiling.block, [*inputs, *tiling.strides(8, 16), tiling.row, *tiling.walk, 8])
        yield from written(out, f"scales of {k}x{n}", want)


# --- weights ----------------------------------------------------------------------------------------------------------


def block_factors(bench: Bench, blocks: int, n: int) -> tuple[Words, Words]:
    """Scales and zeros of every block."""
    return random_bf16(bench.rng, (blocks, n), 0.02), random_addends(bench.rng, (blocks, n), 0.1)


@case("matrix_mul_q4k_deqaunt_f16", ROOT + "kernel_q4_k")
@case("matrix_mul_q4k_deqaunt_f16", ROOT + "kernel_q5_k", geometry="reduced", sources=("text",))
def weights_q4k(bench: Bench) -> Iterable[Check]:
    """w = q4 * scale + zero, rounded once (rpp_matmul_q4k: q4k_dequant_blocks, q4k_dequant_params)."""
    tiling = Tiling.host(1536, 96, 32)
    codes = bench.rng.integers(0, 16, (tiling.k, tiling.n))
    scales, zeros = block_factors(bench, tiling.k // 32, tiling.n)
    want = bf16_fma(integers(codes), repeated(scales, tiling.k), repeated(zeros, tiling.k))
    out = Output.words(bench, want.size)
    inputs = [bench.put(fields(codes, 4)), bench.put(scales), bench.put(zeros), out.address, 0]
    bench.launch((1, 1, 1), tiling.block, unsigned([*inputs, *tiling.tail(tiling.plane(8, 8), tiling.plane(1))]))
    yield from written_tiles(out, want)


@case("matrix_mul_q5k_deqaunt_f16", ROOT + "kernel_q5_k")
def weights_q5k(bench: Bench) -> Iterable[Check]:
    """w = q5 * scale + zero, the fifth bits in a plane of their own (q5k_dequant_blocks, q5k_dequant_params)."""
    tiling = Tiling.host(1536, 96, 32)
    codes = bench.rng.integers(0, 32, (tiling.k, tiling.n))
    scales, zeros = block_factors(bench, tiling.k // 32, tiling.n)
    want = bf16_fma(integers(codes), repeated(scales, tiling.k), repeated(zeros, tiling.k))
    out = Output.words(bench, want.size)
    inputs = [bench.put(fields(codes, 4)), bench.put(fields(codes >> 4, 1)), bench.put(scales), bench.put(zeros)]
    planes = tiling.plane(8, 8), tiling.plane(2, 2), tiling.plane(1)
    bench.launch((1, 1, 1), tiling.block, unsigned([*inputs, out.address, 0, *tiling.tail(*planes)]))
    yield from written_tiles(out, want)


@case("matrix_mul_q6k_deqaunt_f16", ROOT + "kernel_q6_k")
def weights_q6k(bench: Bench) -> Iterable[Check]:
    """w = (q6 - 32) * scale, rounded (matmul_q6k_dequant_blocks, matmul_dequant_params)."""
    tiling = Tiling.host(1536, 96, 16)
    codes = bench.rng.integers(0, 64, (tiling.k, tiling.n))
    scales, _ = block_factors(bench, tiling.k // 16, tiling.n)
    want = bf16_mul(integers(codes - 32), repeated(scales, tiling.k))
    out = Output.words(bench, want.size)
    inputs = [bench.put(fields(codes, 4)), bench.put(fields(codes >> 4, 2)), bench.put(scales), out.address, 0]
    low, high, factor, result = tiling.plane(4, 4), tiling.plane(2, 2), tiling.plane(1), tiling.output()
    operands = (low, high, factor, result)
    strides = [value for p in operands for value in (p.stride_y, p.stride_z)]
    steps = [low.step_x, high.step_x, low.step_y, high.step_y, factor.step_x, factor.step_y]
    steps += [result.step_x, result.step_y]
    params = [*inputs, *strides, tiling.n * 2, TILE_ROW, *steps, 0, *tiling.walk]
    bench.launch((1, 1, 1), tiling.block, unsigned(params))
    yield from written_tiles(out, want)
