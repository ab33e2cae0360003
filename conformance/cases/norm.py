"""Pieces of RMS norm, L2 norm and layer norm: squares, centred squares, scaling of rows by one value per row.

Inputs are bfloat16; products and differences are float32, rounded once each, and truncated at the end.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from conformance.case import Bench, Check, case, f32, truncated
from conformance.cases.common import LANES, Dim, Output, Words, flat_launch, register
from conformance.cases.quant import random_bf16

NORM, RMS = "rpp_norm/kernel", "rpp_rms_norm/kernel"


def _round_up(count: int) -> int:
    return -(-count // LANES) * LANES


def _square_launch(elements: int) -> tuple[Dim, Dim]:
    """A flat launch; where several blocks would not be whole warps, the tensor is first rounded up to 32."""
    grid, block = flat_launch(1, elements)
    if grid[0] > 1 and block[0] % LANES:
        return flat_launch(1, _round_up(elements))
    return grid, block


@case("matrix_rms_power_of_two", RMS, NORM)
def power_of_two(bench: Bench) -> Iterable[Check]:
    """x*x over a flat tensor (rpp_rmsnorm_common_build, rpp_l2_norm_build); 13 x 700 needs the rounding to 32."""
    for rows, columns in ((60, 640), (13, 700), (4, 320)):
        x = random_bf16(bench.rng, (rows * columns,), 4.0)
        grid, block = _square_launch(x.size)
        out = bench.sram(_round_up(x.size) * 2)
        bench.launch(grid, block, [bench.put(x), out, block[0] * 2])
        yield Check(f"{rows}x{columns}", bench.read(out, x.size, np.uint16), truncated(f32(x) * f32(x)))


def _padded(bench: Bench, x: Words) -> tuple[int, int]:
    """Upload rows at a pitch that is a multiple of 32; address and pitch in elements."""
    pitch = _round_up(x.shape[1])
    rows = np.zeros((x.shape[0], pitch), np.uint16)
    rows[:, : x.shape[1]] = x
    return bench.put(rows), pitch


@case("matrix_rms_mul", RMS, NORM)
def rms_mul(bench: Bench) -> Iterable[Check]:
    """x * r[row], a block per row; 700 columns are held at a pitch of 704 (use_row_tail_padding of the builder)."""
    for rows, columns in ((60, 640), (9, 700)):
        x, r = random_bf16(bench.rng, (rows, columns)), random_bf16(bench.rng, (rows, 1))
        address, pitch = _padded(bench, x)
        out = Output.words(bench, rows * pitch)
        bench.launch((rows, 1, 1), (pitch, 1, 1), [address, bench.put(r), out.address, pitch * 2, 2])
        got = out.read().reshape(rows, pitch)[:, :columns]
        yield Check(f"{rows}x{columns}", got, truncated(f32(x) * f32(r)))
        yield out.behind()


@register("matrix_rms_mul_bc_mul", (RMS,), texts=(NORM,))
def rms_mul_weight(bench: Bench) -> Iterable[Check]:
    """x * r[row] * w[column], rows looped inside the kernel; weights are bfloat16 or, as the type flag says, float32.

    rpp_rmsnorm_common_build, mode 1; the output replaces the input where that was converted from float32.
    """
    for rows, columns, wide in ((60, 768, False), (17, 2048, True), (1, 300, True)):
        x, r = random_bf16(bench.rng, (rows, columns)), random_bf16(bench.rng, (rows, 1))
        exact = bench.rng.standard_normal((1, columns)).astype(np.float32)
        w = exact if wide else random_bf16(bench.rng, (1, columns))
        address = bench.put(x)
        out = address if wide else bench.sram(x.size * 2)
        params = [address, bench.put(r), bench.put(w), out, columns * 2, 2, int(wide), rows]
        bench.launch((1, 1, 1), (columns, 1, 1), params)
        want = truncated((f32(x) * f32(r)) * (exact if wide else f32(w)))
        yield Check(f"{rows}x{columns}, float32 weights: {wide}", bench.read(out, x.size, np.uint16), want.ravel())


def _row_blocks(bench: Bench, x: Words, scalars: list[Words], out: int) -> None:
    """A block per row, one value per row from each list of scalars (rpp_norm_build)."""
    rows, columns = x.shape
    params = [bench.put(x), *(bench.put(s) for s in scalars), out, columns * 2, 2]
    bench.launch((rows, 1, 1), (columns, 1, 1), params)


def _layer_rows(bench: Bench) -> Iterator[tuple[Words, Words, Output]]:
    for rows, columns in ((50, 768), (24, 100)):
        x = random_bf16(bench.rng, (rows, columns), 2.0)
        yield x, random_bf16(bench.rng, (rows, 1), 0.5), Output.words(bench, rows * columns)


@case("matrix_norm_sub_pow", NORM)
def sub_pow(bench: Bench) -> Iterable[Check]:
    """(x - mean[row])^2 (rpp_norm_build)."""
    for x, mean, out in _layer_rows(bench):
        _row_blocks(bench, x, [mean], out.address)
        centred = f32(x) - f32(mean)
        yield Check(f"{x.shape}", out.read(), truncated(centred * centred).ravel())
        yield out.behind()


@case("matrix_norm_sub_mul", NORM)
def sub_mul(bench: Bench) -> Iterable[Check]:
    """(x - mean[row]) * r[row] (rpp_norm_build)."""
    for x, mean, out in _layer_rows(bench):
        r = random_bf16(bench.rng, mean.shape)
        _row_blocks(bench, x, [mean, r], out.address)
        yield Check(f"{x.shape}", out.read(), truncated((f32(x) - f32(mean)) * f32(r)).ravel())
        yield out.behind()
