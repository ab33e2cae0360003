"""Decode with K-quants: 4, 5 and 6-bit weights in super blocks of 256 k whose group scales are already expanded.

The host launches once per super block (groups_per_tile is 1) and lets the second and later launches add to the output.
Scales and zeros are bfloat16 `[K/32, N]` (q6: scales `[K/16, N]`), zeros already negated by the kernel that expands
them.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from conformance.case import Array, Bench, Check, case, f32
from conformance.cases.quant import SUPER, Floats, Words, fields, from_planes, planes, random_bf16
from conformance.cases.vector_matrix import (
    Planes,
    Shape,
    doubled_block,
    group_dots,
    group_sums,
    halved_block,
    in_order,
    put_sums,
)

GROUP = 32
SHAPES = ((768, 192), (256, 8192))  # k, n: three blocks along n and three super blocks; two full blocks


def super_sums(terms: Array, per_super: int) -> Floats:
    """Group terms `[K/group, N]` -> `[N]`: first summed within a super block from zero, then over super blocks."""
    blocks = terms.reshape(-1, per_super, terms.shape[1])
    return in_order(np.stack([in_order(block) for block in blocks]))


def zero_point_reference(activations: Words, weights: Floats, scale: Words, zero: Words) -> Floats:
    """scale * (a . q) + zero * sum(a) for every group of 32, then the sums."""
    dots = f32(scale) * group_dots(activations, weights, GROUP)
    return super_sums(dots + f32(zero) * group_sums(activations, GROUP)[:, None], SUPER // GROUP)


def strides(n: int, block: Shape, per_group: tuple[int, ...], groups: int) -> list[int]:
    """Byte strides every K kernel takes; `per_group` is the number of weight words per group in each weight plane."""
    row = 2 * n
    loops = [words * row for words in per_group]
    return [row, *loops, row, 2 * block[0], *(groups * loop for loop in loops), groups * row, 2 * SUPER]


def run_blocks(
    bench: Bench, activations: Words, parts: tuple[Words, ...], scales: tuple[Words, ...], per_group: tuple[int, ...]
) -> Planes:
    """q4_K and q5_K: one launch per super block (host: matmul_weights_q4k_ and _q5k_kernel_params)."""
    n = scales[0].shape[1]
    groups = SUPER // GROUP
    block, grid_x = doubled_block(n)
    out = Planes.fresh(bench, n)
    low, high = put_sums(bench, group_sums(activations, GROUP))
    base = bench.put(activations)
    for tile in range(activations.size // SUPER):
        weights = [
            bench.put(part[tile * groups * words : (tile + 1) * groups * words])
            for part, words in zip(parts, per_group, strict=True)
        ]
        expanded = [bench.put(scale[tile * groups : (tile + 1) * groups]) for scale in scales]
        sums = [low + 2 * groups * tile, high + 2 * groups * tile]
        params = [base + 2 * SUPER * tile, *weights, *expanded, out.address, 0, *strides(n, block, per_group, groups)]
        bench.launch((grid_x, 1, 1), block, [*params, *sums, 2 * n, groups, int(tile > 0)])
    return out


def zero_point_check(bench: Bench, k: int, n: int, bits: int) -> Check:
    activations = random_bf16(bench.rng, (k,))
    weights = bench.rng.integers(0, 1 << bits, (k, n))
    scale = random_bf16(bench.rng, (k // GROUP, n), 0.1)
    zero = random_bf16(bench.rng, (k // GROUP, n), 0.5)
    parts = (fields(weights, 4),) if bits == 4 else (fields(weights, 4), fields(weights >> 4, 1))
    per_group = (8,) if bits == 4 else (8, 2)
    out = run_blocks(bench, activations, parts, (scale, zero), per_group)
    want = zero_point_reference(activations, weights.astype(np.float32), scale, zero)
    return out.check(bench, f"q{bits}_K {k}x{n}", want)


@case("matrix_mul_vxM_f16_q4k_f16_asym_opt", "rpp_mul_mat/kernel_q4_k_vxm")
def q4(bench: Bench) -> Iterable[Check]:
    """y[n] = sum of scale * (a . q4) + zero * sum(a). Host: rpp_matmul_q4k_vxm with the step kernels switched off."""
    for k, n in SHAPES:
        yield zero_point_check(bench, k, n, 4)


@case("matrix_mul_vxM_f16_q5k_f16_asym_opt", "rpp_mul_mat/kernel_q5_k_vxm")
def q5(bench: Bench) -> Iterable[Check]:
    """The same with a fifth weight bit in a plane of its own. Host: rpp_matmul_q5k_vxm."""
    for k, n in SHAPES:
        yield zero_point_check(bench, k, n, 5)


# --- the two-step form of q4_K ----------------------------------------------------------------------------------------


def step1_block(n: int) -> tuple[Shape, int]:
    """One row of threads per group (host: kerneldim_calc_matmul_q4k_step1)."""
    if n <= 512:
        return (n, 8, 1), 1
    x, count = 32, n // 32
    while x < 512 and count % 2 == 0 and 2 * x * 8 <= 4096:
        x, count = 2 * x, count // 2
    return (x, 8, 1), count


def step1_check(bench: Bench, n: int) -> Check:
    activations = random_bf16(bench.rng, (SUPER,))
    weights = bench.rng.integers(0, 16, (SUPER, n))
    block, grid_x = step1_block(n)
    size = 2 * 8 * n
    low = bench.sram(size)
    high = bench.sram(size)
    addresses = [bench.put(activations), bench.put(fields(weights, 4)), low, high]
    sums = put_sums(bench, group_sums(activations, GROUP))
    row = [2 * n, n, 8 * n, 8 * 8 * n * 2, 8 * n * 2, 2 * SUPER]
    params = [*addresses, *row, *sums, high - low, 2 * block[0], 2 * GROUP, 8 * n, 0]
    bench.launch((grid_x, 1, 1), block, params)
    got = from_planes(bench.read(high, 8 * n, np.uint16), bench.read(low, 8 * n, np.uint16))
    return Check(f"step 1, n {n}", got, group_dots(activations, weights.astype(np.float32), GROUP).ravel())


@case("matrix_mul_vxM_q4k_step1", "rpp_mul_mat/kernel_q4_k_vxm")
def step1(bench: Bench) -> Iterable[Check]:
    """The eight group dots a . q4 of a super block, as planes `[8, N]`. Host: rpp_matmul_q4k_vxm, n <= 1024."""
    for n in (1024, 288, 576):
        yield step1_check(bench, n)


def step2_launch(bench: Bench, dots: Floats, scale: Words, zero: Words, sums: Floats, out: Planes, first: bool) -> None:
    n = dots.shape[1]
    high, low = planes(dots)
    block, grid_x = doubled_block(n)
    addresses = [bench.put(low), bench.put(high), bench.put(scale), bench.put(zero), out.address]
    row = [2 * n, 8 * 2 * n, 2 * n, 8 * 2 * n]
    params = [*addresses, *row, *put_sums(bench, sums), 2 * n, 8, int(not first)]
    bench.launch((grid_x, 1, 1), block, params)


@case("matrix_mul_vxM_q4k_step2", "rpp_mul_mat/kernel_q4_k_vxm")
def step2(bench: Bench) -> Iterable[Check]:
    """Scales and zeros applied to the dots of step 1, added over super blocks. Host: rpp_matmul_q4k_vxm, n <= 1024."""
    for n in (1024, 128):
        out = Planes.fresh(bench, n)
        dots = bench.rng.standard_normal((24, n)).astype(np.float32)
        sums = bench.rng.standard_normal(24).astype(np.float32)
        scale = random_bf16(bench.rng, (24, n), 0.1)
        zero = random_bf16(bench.rng, (24, n), 0.5)
        for tile in range(3):
            rows = slice(8 * tile, 8 * tile + 8)
            step2_launch(bench, dots[rows], scale[rows], zero[rows], sums[rows], out, tile == 0)
        terms = f32(scale) * dots + f32(zero) * sums[:, None]
        yield out.check(bench, f"step 2, n {n}", super_sums(terms, 8))


# --- q6_K -------------------------------------------------------------------------------------------------------------


def q6_check(bench: Bench, k: int, n: int) -> Check:
    activations = random_bf16(bench.rng, (k,))
    weights = bench.rng.integers(0, 64, (k, n))
    scale = random_bf16(bench.rng, (k // 16, n), 0.1)
    low, high = fields(weights, 4), fields(weights >> 4, 2)
    block, grid_x = halved_block(n)
    out = Planes.fresh(bench, n)
    base = bench.put(activations)
    row = 2 * n
    for tile in range(k // SUPER):
        parts = [low[64 * tile : 64 * (tile + 1)], high[32 * tile : 32 * (tile + 1)]]
        addresses = [base + 2 * SUPER * tile, *(bench.put(part) for part in parts)]
        addresses += [bench.put(scale[16 * tile : 16 * (tile + 1)]), out.address, 0]
        steps = [row, 4 * row, 2 * row, row, 2 * block[0], 32 * row, 64 * row, 16 * row, 2 * SUPER]
        bench.launch((grid_x, 1, 1), block, [*addresses, *steps, 0, 2 * n, 16, int(tile > 0)])
    dots = f32(scale) * group_dots(activations, weights.astype(np.float32) - 32, 16)
    return out.check(bench, f"q6_K {k}x{n}", super_sums(dots, 16))


@case("matrix_mul_vxM_f16_q6k_f16_asym_opt", "rpp_mul_mat/kernel_q6_k_vxm")
def q6(bench: Bench) -> Iterable[Check]:
    """y[n] = sum of scale * (a . (q6 - 32)), groups of 16. Host: rpp_matmul_q6k_vxm."""
    for k, n in SHAPES:
        yield q6_check(bench, k, n)
