"""Conversions between 32-bit and 16-bit elements."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from conformance.case import Bench, Check, bf16, case, f32
from conformance.cases.common import (
    LANES,
    UNTOUCHED,
    Array,
    Dim,
    Floats,
    Output,
    Words,
    flat_launch,
    register,
    set_run_time_word,
)
from conformance.cases.quant import random_bf16

MATMUL = (
    "bf16 q2_s q2_s_nolut q2_s_vxm q2_s_vxm_nolut q2_xs q2_xs_nolut q2_xs_vxm q2_xs_vxm_nolut q3_xxs q3_xxs_nolut "
    "q3_xxs_vxm q3_xxs_vxm_nolut q4_1 q4_1_vxm q4_k q4_k_vxm q5_k q5_k_vxm q6_k q6_k_vxm q8_0 q8_0_vxm"
)
WITH_SCATTER_IMAGE = (
    "rpp_mul_mat/kernel_q4_k",
    "rpp_mul_mat/kernel_q6_k_vxm",
    "rpp_norm/kernel",
    "rpp_set_rows/kernel",
)
Q4_1 = "rpp_mul_mat/kernel_q4_1"  # its scatter file holds the text of the other conversion
OPERATORS = (
    "rpp_flash_attn_ext/kernel",
    "rpp_glu/kernel_geglu_erf",
    "rpp_glu/kernel_swiglu",
    "rpp_mul/kernel",
    *(f"rpp_mul_mat/kernel_{name}" for name in MATMUL.split()),
    "rpp_norm/kernel",
    "rpp_reduce_sum/kernel",
    "rpp_rms_norm/kernel",
    "rpp_rope/kernel",
    "rpp_scale/kernel",
)
CRLF = ("rpp_cpy/kernel", "rpp_expert_forward/kernel")  # the same texts with other line ends
VXM = "rpp_flash_attn_ext/kernel_vxm"
TOPK = "rpp_expert_forward/kernel_vxm/kernel_topk_combine"
POOL, ROUTING, SET_ROWS = "rpp_pool_2d/kernel", "rpp_expert_routing/kernel", "rpp_set_rows/kernel"

FLOAT, BFLOAT, INT16, INT32, UINT16, UINT32 = 0, 2, 4, 5, 12, 13  # type codes that the host passes
ROW_COUNT = 1  # run-time word of set_rows


def _finite(bench: Bench, count: int) -> Floats:
    """Half normally distributed, half any finite bit pattern, subnormal numbers and overflow to infinity included."""
    normal = bench.rng.standard_normal(count).astype(np.float32)
    bits = bench.rng.integers(0, 1 << 32, count, dtype=np.uint32)
    exponents = (bits >> 23) & 0xFF
    patterns = np.where(exponents == 0xFF, bits & np.uint32(0xBFFF_FFFF), bits).astype(np.uint32)
    return np.where(bench.rng.random(count) < 0.5, normal, patterns.view(np.float32)).astype(np.float32)


# --- 32 to 16 bits ----------------------------------------------------------------------------------------------------


def _narrow(bench: Bench, x: Array, codes: tuple[int, int], launch: tuple[Dim, Dim]) -> Words:
    """One launch of the narrowing kernel (host: cvt_kernel_param_init), into a new buffer."""
    grid, block = launch
    set_run_time_word(bench, ROW_COUNT, 1)  # read by the set_rows text only
    out = bench.sram(grid[0] * block[0] * 2)
    bench.launch(grid, block, [bench.put(x), out, *codes, 1, block[0] * 4, block[0] * 2])
    return bench.read(out, x.size, np.uint16)


@register("opt_vector_cvt_32_16", (*OPERATORS, VXM, POOL, *CRLF), texts=(TOPK,), images=(ROUTING,))
def to_bf16(bench: Bench) -> Iterable[Check]:
    """float32 to bfloat16, nearest even: 8 blocks of 5000, one of 4096, 20 elements on 33 lanes (rpp_copy_build)."""
    for count in (40_000, 4096, 20):
        x = _finite(bench, count)
        yield Check(f"{count} elements", _narrow(bench, x, (FLOAT, BFLOAT), flat_launch(1, count)), bf16(x))


@case("opt_vector_cvt_32_16", SET_ROWS)
def rows_to_bf16(bench: Bench) -> Iterable[Check]:
    """The set_rows text: one row per step, as many as run-time word 1 says (rpp_set_rows_build)."""
    columns = 1100
    for rows in (1, 40):
        set_run_time_word(bench, ROW_COUNT, rows)
        x = _finite(bench, rows * columns)
        out = Output.words(bench, x.size)
        params = [bench.put(x), out.address, FLOAT, BFLOAT, 1, columns * 4, columns * 2]
        bench.launch((1, 1, 1), (columns, 1, 1), params)
        yield Check(f"{rows} rows", out.read(), bf16(x))
        yield out.behind()


@register("opt_vector_cvt_32_16", ("rpp_scale/kernel", CRLF[0]), geometry="reduced")
def to_bf16_short_tail(bench: Bench) -> Iterable[Check]:
    """A last block that is shorter than the others."""
    block, tail = 640, 77
    x = _finite(bench, 3 * block + tail)
    out = Output.words(bench, x.size)
    params = [bench.put(x), out.address, FLOAT, BFLOAT, 1, block * 4, block * 2]
    bench.launch((4, 1, 1), (block, 1, 1), params, tail=(tail, 1, 1))
    yield Check("narrowed", out.read(), bf16(x))
    yield out.behind()


def _few_bits(bench: Bench, low: int, count: int) -> Array:
    """Integers of at most 8 significant bits: exact in bfloat16, whatever the rounding."""
    return bench.rng.integers(low, 256, count) << bench.rng.integers(0, 23, count)


def _typed(bench: Bench, count: int) -> Iterator[tuple[str, int, int, Array, Array]]:
    """Name, type codes, inputs and expected 16-bit outputs of every other pair of types, within the common range."""
    rng = bench.rng
    signed = rng.integers(-(1 << 15), 1 << 15, count)
    unsigned = rng.integers(0, 1 << 16, count)
    fractions = rng.random(count) * 0.999
    toward_zero = (signed + np.copysign(fractions, signed)).astype(np.float32)
    small = rng.integers(0, 1 << 15, count)
    for name, source, inputs, outputs in (
        ("float32 to int16", FLOAT, toward_zero, np.trunc(toward_zero)),
        ("int32 to int16", INT32, signed, signed),
        ("uint32 to int16", UINT32, small, small),
    ):
        yield name, source, INT16, inputs, outputs.astype(np.int16).view(np.uint16)
    above = (unsigned + fractions).astype(np.float32)
    above = np.minimum(above, np.float32(65535.0))
    for name, source, inputs, outputs in (
        ("float32 to uint16", FLOAT, above, np.trunc(above)),
        ("int32 to uint16", INT32, unsigned, unsigned),
        ("uint32 to uint16", UINT32, unsigned, unsigned),
    ):
        yield name, source, UINT16, inputs, outputs.astype(np.uint16)
    for name, source, inputs in (
        ("int32 to bfloat16", INT32, _few_bits(bench, -255, count)),
        ("uint32 to bfloat16", UINT32, _few_bits(bench, 0, count)),
    ):
        yield name, source, BFLOAT, inputs, bf16(inputs.astype(np.float32))


NUMPY_TYPES: dict[int, Any] = {FLOAT: np.float32, INT32: np.int32, UINT32: np.uint32}


@register("opt_vector_cvt_32_16", ("rpp_scale/kernel", CRLF[0], SET_ROWS), geometry="reduced")
def other_types(bench: Bench) -> Iterable[Check]:
    """The type pairs that the kernel offers and no host code asks for; floats are cut toward zero."""
    for name, source, target, inputs, outputs in _typed(bench, 1000):
        got = _narrow(bench, inputs.astype(NUMPY_TYPES[source]), (source, target), ((1, 1, 1), (1000, 1, 1)))
        yield Check(name, got, outputs)


# --- 16 to 32 bits ----------------------------------------------------------------------------------------------------


def _widen(bench: Bench, source: int, target: int, block: int, grid: int) -> None:
    """One launch of the widening kernel, a lane per 16-bit half of the result (host: cvt_kernel_param_init_opt)."""
    bench.launch((grid, 1, 1), (block, 1, 1), [source, target, BFLOAT, FLOAT, 1, block, block * 2])


def _widen_all(bench: Bench, source: int, target: int, count: int) -> None:
    """Several blocks that are not whole warps are launched as whole warps and a rest (host: tryCustomKernelLaunch)."""
    (grid, _, _), (block, _, _) = flat_launch(1, 2 * count)
    if grid == 1 or block % LANES == 0:
        _widen(bench, source, target, block, grid)
        return
    whole = block // LANES * LANES
    blocks, rest = divmod(2 * count, whole)
    _widen(bench, source, target, whole, blocks)
    if rest:
        done = blocks * whole
        _widen(bench, source + done, target + 2 * done, rest, 1)


def _widened(bench: Bench, count: int) -> Iterator[Check]:
    x = random_bf16(bench.rng, (count,))
    out = Output.words(bench, 2 * count)
    _widen_all(bench, bench.put(x), out.address, count)
    yield Check(f"{count} elements", out.read().view(np.float32), f32(x))
    yield out.behind()


@register(
    "opt_vector_cvt_f16_f32_opt",
    (*(folder for folder in OPERATORS if folder != "rpp_mul/kernel"), VXM, *CRLF),
    texts=(TOPK,),
    images=("rpp_mul/kernel",),
)
@case("opt_vector_cvt_f16_f32", Q4_1, sources=("text",), note="this copy holds the text of opt_vector_cvt_f16_f32_opt")
def to_f32(bench: Bench) -> Iterable[Check]:
    """bfloat16 to float32: one block, 2 blocks of 7680 lanes, and 16 x 4500 lanes relaunched as 16 x 4480 and 320."""
    for count in (1000, 7680, 36_000):
        yield from _widened(bench, count)


@case("opt_vector_cvt_f16_f32_opt", "rpp_scale/kernel", CRLF[0], geometry="reduced")
@case("opt_vector_cvt_f16_f32_v2", POOL, geometry="reduced")
def to_f32_short_tail(bench: Bench) -> Iterable[Check]:
    """A last block that is shorter than the others."""
    block, tail = 640, 78
    count = (3 * block + tail) // 2
    x = random_bf16(bench.rng, (count,))
    out = Output.words(bench, 2 * count)
    params = [bench.put(x), out.address, BFLOAT, FLOAT, 1, block, block * 2]
    bench.launch((4, 1, 1), (block, 1, 1), params, tail=(tail, 1, 1))
    yield Check("widened", out.read().view(np.float32), f32(x))
    yield out.behind()


@case("opt_vector_cvt_f16_f32_v2", POOL)
def to_f32_pooled(bench: Bench) -> Iterable[Check]:
    """1152 x 16 x 16 pooled values in 128 blocks (rpp_pool_2d_build)."""
    yield from _widened(bench, 1152 * 256)


@case("opt_vector_cvt_f16_f32_v2", ROUTING, sources=("image",))
def to_f32_scores(bench: Bench) -> Iterable[Check]:
    """Scores of 100 tokens x 8 experts in one block (rpp_expert_routing_build passes strides of whole elements)."""
    count = 100 * 8
    x = random_bf16(bench.rng, (count,))
    out = Output.words(bench, 2 * count)
    grid, block = flat_launch(1, 2 * count)
    bench.launch(grid, block, [bench.put(x), out.address, BFLOAT, FLOAT, 1, block[0] * 2, block[0] * 4])
    yield Check("scores", out.read().view(np.float32), f32(x))
    yield out.behind()


@register(
    "opt_vector_cvt_f16_f32",
    WITH_SCATTER_IMAGE,
    texts=tuple(folder for folder in (*OPERATORS, VXM) if folder not in (*WITH_SCATTER_IMAGE, Q4_1, VXM)),
    geometry="reduced",
    note="no caller",
)
def scatter_high_halves(bench: Bench) -> Iterable[Check]:
    """A lane per element stores the high half of the float32 result (caller passes out + 2); low halves stay."""
    count = 36_000
    x = random_bf16(bench.rng, (count,))
    grid, block = flat_launch(1, count)
    out = Output.words(bench, 2 * count)
    bench.launch(grid, block, [bench.put(x), out.address + 2, BFLOAT, FLOAT, 1, block[0] * 2, block[0] * 4])
    got = out.read().reshape(count, 2)
    yield Check("high halves", got[:, 1], x)
    yield Check("low halves", got[:, 0], np.full(count, UNTOUCHED, np.uint16))
    yield out.behind()
