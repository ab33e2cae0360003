"""Activations by table: 65,536 bfloat16 results indexed by the argument's bits, optionally times a second input."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from conformance.case import Bench, Check, case, f32, truncated
from conformance.cases.common import (
    LANES,
    MAX_THREADS,
    Dim,
    Output,
    Words,
    exp_table,
    flat_launch,
    float_bits,
    reciprocal_table,
    register,
    rsqrt_table,
    set_run_time_word,
    silu_table,
    volume,
)
from conformance.cases.quant import bf16_mul, random_bf16

GEGLU, SWIGLU = "rpp_glu/kernel_geglu_erf", "rpp_glu/kernel_swiglu"
EXPERT = "rpp_expert_forward/kernel"
TOKEN_COUNT = 6  # run-time word: rows of the dynamic kernels


def _codes(bench: Bench, count: int) -> Words:
    """Any 16-bit pattern is an index."""
    return bench.rng.integers(0, 1 << 16, count, dtype=np.uint16)


# --- the table alone --------------------------------------------------------------------------------------------------


@case("llm_lut", GEGLU, geometry="reduced", sources=("text",), note="no image, no caller")
def llm_lut(bench: Bench) -> Iterable[Check]:
    """out = table[x], 3 steps of 4096 lanes (the launch of llm_gelu without its second input)."""
    x, table = _codes(bench, 3 * 4096), silu_table()
    out = Output.words(bench, x.size)
    bench.launch((1, 1, 1), (4096, 1, 1), [bench.put(x), bench.put(table), out.address, 4096 * 2, 3])
    yield Check("looked up", out.read(), table[x])
    yield out.behind()


def _by_table(bench: Bench, table: Words, rows: int, columns: int) -> Check:
    """In-place lookup over a flat tensor, block after block."""
    x = _codes(bench, rows * columns)
    grid, block = flat_launch(rows, columns)
    address = bench.put(x)
    bench.launch(grid, block, [address, address, bench.put(table), volume(block) * 2])
    return Check(f"{rows}x{columns}", bench.read(address, x.size, np.uint16), table[x])


@case("mish_f16", "rpp_mul/kernel", sources=("image",))
def reciprocal(bench: Bench) -> Iterable[Check]:
    """Divisors to reciprocals before a division by multiplication (rpp_elementwise_build_tiled, type DIV)."""
    table = reciprocal_table()
    return [_by_table(bench, table, *shape) for shape in ((24, 256), (40, 1024), (1, 300))]


@case("mish_f16", "rpp_expert_routing/kernel", sources=("image",))
def exponential(bench: Bench) -> Iterable[Check]:
    """exp of the shifted scores of 5000 tokens x 8 experts (rpp_expert_routing_build)."""
    return [_by_table(bench, exp_table(), 1, 5000 * 8)]


@case("mish_f16", "rpp_mul/kernel", geometry="reduced", sources=("image",))
def lookup_short_tail(bench: Bench) -> Iterable[Check]:
    """A last block that is shorter than the others."""
    x, table = _codes(bench, 3 * 512 + 70), silu_table()
    out = Output.words(bench, x.size)
    params = [bench.put(x), out.address, bench.put(table), 512 * 2]
    bench.launch((4, 1, 1), (512, 1, 1), params, tail=(70, 1, 1))
    yield Check("looked up", out.read(), table[x])
    yield out.behind()


@register("llm_add_rsqrt_lut", ("rpp_norm/kernel", "rpp_rms_norm/kernel"), texts=(GEGLU,))
def add_rsqrt(bench: Bench) -> Iterable[Check]:
    """1/sqrt(mean + eps) per row by table: float32 sum, truncated to the index.

    Into a new buffer (rpp_rmsnorm_common_build) and in place (rpp_norm_build).
    """
    table, eps = rsqrt_table(), np.float32(1e-5)
    table_address = bench.put(table)
    for rows, in_place in ((13, False), (777, True)):
        x = np.abs(random_bf16(bench.rng, (rows,), 1e-4).astype(np.uint16) & np.uint16(0x7FFF))
        address = bench.put(x)
        out = address if in_place else bench.sram(rows * 2)
        block = (LANES + 1 if rows <= LANES else rows, 1, 1)
        bench.launch((1, 1, 1), block, [address, table_address, out, float_bits(eps)])
        yield Check(f"{rows} rows", bench.read(out, rows, np.uint16), table[truncated(f32(x) + eps)])


# --- gated ------------------------------------------------------------------------------------------------------------


def _gated(bench: Bench, table: Words, elements: int, mode: int) -> Iterator[Check]:
    """Full 4096-lane steps in one launch, the rest in a second, in place (rpp_silu_mode01_build, rpp_gelu_build)."""
    step = 4096
    x, y = random_bf16(bench.rng, (elements,), 2.0), random_bf16(bench.rng, (elements,))
    gate, up, lut = bench.put(x), bench.put(y), bench.put(table)
    full = -(-elements // step) - 1
    shift = full * step * 2
    bench.launch(*flat_launch(1, step), [gate, up, lut, gate, step * 2, full, mode])
    bench.launch(*flat_launch(1, elements - full * step), [gate + shift, up + shift, lut, gate + shift, 0, 1, mode])
    want = bf16_mul(table[x], y) if mode else table[x]
    yield Check(f"mode {mode}", bench.read(gate, elements, np.uint16), want)
    yield Check(f"second input of mode {mode}", bench.read(up, elements, np.uint16), y)


@register("llm_gelu", (GEGLU, SWIGLU), texts=(EXPERT,))
def llm_gelu(bench: Bench) -> Iterable[Check]:
    """table[x] (mode 0) and table[x]*y (mode 1; the product is rounded to nearest even)."""
    table = silu_table()
    yield from _gated(bench, table, 9 * 4096 + 1500, 0)
    yield from _gated(bench, table, 9 * 4096 + 20, 1)


@case("llm_gelu_dyn", EXPERT)
def llm_gelu_dyn(bench: Bench) -> Iterable[Check]:
    """table[x]*y over as many rows as run-time word 6 says, one row per step (launch_silu_mode1_bf16)."""
    table, columns, capacity = silu_table(), 1408, 26
    gate, up = random_bf16(bench.rng, (capacity, columns), 2.0), random_bf16(bench.rng, (capacity, columns))
    addresses = [bench.put(gate), bench.put(up), bench.put(table)]
    for rows in (7, 26):
        set_run_time_word(bench, TOKEN_COUNT, rows)
        out = Output.words(bench, rows * columns)
        bench.launch((1, 1, 1), (columns, 1, 1), [*addresses, out.address, columns * 2, 0, 1])
        yield Check(f"{rows} rows", out.read(), bf16_mul(table[gate], up)[:rows].ravel())
        yield out.behind()


def _split_launch(rows: int, width: int) -> tuple[Dim, Dim]:
    """Halve the columns until they fit a block, then double the rows of a block up to 4096 lanes."""
    x, grid_x, y, grid_y = width // 2, 1, 1, rows
    while x >= MAX_THREADS:
        x, grid_x = x // 2, grid_x * 2
    while x * y < 4096 and grid_y % 2 == 0:
        y, grid_y = y * 2, grid_y // 2
    return (grid_x, grid_y, 1), (x, y, 1)


@case("llm_split_gelu", EXPERT, SWIGLU, note="the text in kernel_geglu_erf is a draft with undeclared names")
def llm_split_gelu(bench: Bench) -> Iterable[Check]:
    """table[left half] * right half of every row (rpp_silu_mode2_build, bfloat16 in and out)."""
    table = silu_table()
    lut = bench.put(table)
    for rows, width in ((96, 1024), (3, 16384), (2, 96)):
        grid, block = _split_launch(rows, width)
        x = random_bf16(bench.rng, (rows, width), 2.0)
        out = Output.words(bench, rows * width // 2)
        params = [bench.put(x), width // 2 * 2, lut, out.address, width, width // 2]
        params += [block[0] * 2, block[0] * 2, block[1] * width * 2, block[1] * width // 2 * 2]
        bench.launch(grid, block, params)
        left, right = x[:, : width // 2], x[:, width // 2 :]
        yield Check(f"{rows}x{width}", out.read(), bf16_mul(table[left], right).ravel())
        yield out.behind()
