"""Decode with plain groups: 4-bit weights with zero points, 8-bit weights, and the group sums both start from."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from conformance.case import Bench, Check, bf16, case, f32
from conformance.cases.quant import Floats, Words, fields, from_planes, random_bf16
from conformance.cases.vector_matrix import (
    Planes,
    group_dots,
    group_sums,
    groups_per_tile,
    halved_block,
    in_order,
    put_sums,
    widen,
)

FOLDERS = tuple(
    f"rpp_mul_mat/kernel_{name}"
    for name in (
        *("q4_1_vxm", "q8_0_vxm", "q4_k_vxm", "q5_k_vxm", "q6_k_vxm"),
        *("q2_xs_vxm", "q2_xs_vxm_nolut", "q2_s_vxm", "q2_s_vxm_nolut", "q3_xxs_vxm"),
    )
)
SHAPES = ((1024, 192, 32), (64, 8192, 32), (256, 96, 128))  # k, n, group: many groups, two blocks along n, wide group


def sums_check(bench: Bench, k: int, group: int) -> Check:
    """One launch of the group sums: a warp needs company, so the block repeats its work along z."""
    activations = random_bf16(bench.rng, (k,))
    x = k // group
    z = widen(x)
    pitch = 2 * (-(-x * z // 32) * 32)
    out = bench.sram(2 * pitch)
    bench.launch((1, 1, 1), (x, 1, z), [bench.put(activations), out, out + pitch, group])
    low, high = (bench.read(out + i * pitch, x * z, np.uint16) for i in range(2))
    return Check(f"sums {k}/{group}", from_planes(high, low), np.tile(group_sums(activations, group), z))


@case("asym_quant_input_acc", *FOLDERS)
def group_sums_case(bench: Bench) -> Iterable[Check]:
    """float32 sum of every group of activations, as two planes.

    Host: the task_in_acc part of rpp_matmul_q4_1_vxm and its siblings.
    """
    for k, group in ((256, 32), (1024, 128), (4096, 32), (2048, 16)):
        yield sums_check(bench, k, group)


def plain_params(addresses: dict[str, int], n: int, group: int, per_word: int, combine: int) -> list[int]:
    """The parameters that both plain kernels share (host: matmul_weights_i4_ and _i80_kernel_params)."""
    shape = (1, n) if per_word == 4 else (0, 0)
    return [
        addresses["a"],
        addresses["weights"],
        addresses["out"],
        2 * n,
        addresses["scale"],
        2 * n,
        2 * n if per_word == 4 else 0,
        2 * group,
        2 * group * n // per_word,
        2 * n,
        addresses["table"],
        addresses["zero"],
        addresses["low"],
        addresses["high"],
        *shape,
        group // per_word,
        2 * (group // per_word),
        combine,
    ]


def run_tiles(
    bench: Bench, activations: Words, weights: Words, scale: Words, zero: Words, group: int, per_word: int
) -> Planes:
    """All tiles of k, one launch each; weights are `[K / per_word, N]`, scale and zero `[K / group, N]`."""
    k, n = activations.size, scale.shape[1]
    block, grid_x = halved_block(n)
    count = groups_per_tile(k, group)
    out = Planes.fresh(bench, n)
    low, high = put_sums(bench, group_sums(activations, group))
    base = bench.put(activations)
    table = bench.put(bf16(np.arange(16, dtype=np.float32))) if per_word == 4 else 0
    for tile in range(k // group // count):
        rows = slice(tile * count, (tile + 1) * count)
        words = slice(rows.start * group // per_word, rows.stop * group // per_word)
        addresses = {
            "a": base + 2 * group * rows.start,
            "weights": bench.put(weights[words]),
            "out": out.address,
            "scale": bench.put(scale[rows]),
            "table": table,
            "zero": bench.put(zero[rows]) if per_word == 4 else 0,
            "low": low + 2 * rows.start,
            "high": high + 2 * rows.start,
        }
        params = plain_params(addresses, n, group, per_word, int(tile > 0))
        bench.launch((grid_x, 1, count), block, params)
    return out


def plain_reference(activations: Words, weights: Floats, scale: Words, zero: Words, group: int) -> Floats:
    """sum over groups of scale * (a . q) + zero * sum(a), every step in float32."""
    dots = f32(scale) * group_dots(activations, weights, group)
    return in_order(dots + f32(zero) * group_sums(activations, group)[:, None])


def four_bit_check(bench: Bench, k: int, n: int, group: int) -> Check:
    activations = random_bf16(bench.rng, (k,))
    weights = bench.rng.integers(0, 16, (k, n))
    scale = random_bf16(bench.rng, (k // group, n), 0.1)
    zero = random_bf16(bench.rng, (k // group, n), 0.5)
    out = run_tiles(bench, activations, fields(weights, 4), scale, zero, group, 4)
    want = plain_reference(activations, weights.astype(np.float32), scale, zero, group)
    return out.check(bench, f"i4 {k}x{n}/{group}", want)


@case("matrix_mul_vxM_f16_i4_f16_asym_opt", "rpp_mul_mat/kernel_q4_1_vxm")
@case("matrix_mul_vxM_f16_i4_f16_asym_opt", "rpp_mul_mat/kernel_q4_k_vxm", sources=("text",))
def four_bit(bench: Bench) -> Iterable[Check]:
    """y[n] = sum over groups of scale * (a . q4) + zero * sum(a). Host: rpp_matmul_q4_1_vxm."""
    for k, n, group in SHAPES:
        yield four_bit_check(bench, k, n, group)


def eight_bit_check(bench: Bench, k: int, n: int, group: int) -> Check:
    activations = random_bf16(bench.rng, (k,))
    weights = bench.rng.integers(-128, 128, (k, n))
    scale = random_bf16(bench.rng, (k // group, n), 0.1)
    out = run_tiles(bench, activations, fields(weights, 8), scale, np.zeros_like(scale), group, 2)
    want = in_order(f32(scale) * group_dots(activations, weights.astype(np.float32), group))
    return out.check(bench, f"i8 {k}x{n}/{group}", want)


@case("matrix_mul_vxM_f16_i80_f16_asym_opt", "rpp_mul_mat/kernel_q8_0_vxm", "rpp_mul_mat/kernel_q6_k_vxm")
def eight_bit(bench: Bench) -> Iterable[Check]:
    """y[n] = sum over groups of scale * (a . q8), q8 signed. Host: rpp_matmul_q80_vxm."""
    for k, n, group in SHAPES:
        yield eight_bit_check(bench, k, n, group)
