"""Matrix products over 32-wide tiles: C[M, N] = A[M, K] * B[K, N] in bfloat16 with float32 accumulation.

A is `[K/32, M, 32]`, B is `[N/32, K, 32]`, C is `[N/32, M, 32]`; a kernel "tnT" makes T neighbouring column tiles per
block. Every result is exact: the dot of eight is defined (see `dot8`) and the output is the accumulator's high half.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from conformance.case import Bench, Check, case, truncated
from conformance.cases.common import Output, set_run_time_word
from conformance.cases.quant import LANES, Words, activation_tiles, dot8, random_bf16, weight_tiles

QUANT_FOLDERS = (
    "rpp_mul_mat/kernel_q2_s",
    "rpp_mul_mat/kernel_q2_s_nolut",
    "rpp_mul_mat/kernel_q2_xs",
    "rpp_mul_mat/kernel_q2_xs_nolut",
    "rpp_mul_mat/kernel_q3_xxs",
    "rpp_mul_mat/kernel_q3_xxs_nolut",
    "rpp_mul_mat/kernel_q4_1",
    "rpp_mul_mat/kernel_q4_k",
    "rpp_mul_mat/kernel_q5_k",
    "rpp_mul_mat/kernel_q8_0",
)
FOLDERS = (
    "rpp_mul_mat/kernel_bf16",
    "rpp_mul_mat/kernel_q6_k",
    "rpp_flash_attn_ext/kernel",
    *QUANT_FOLDERS,
)
EXPERT = "rpp_expert_forward/kernel"
MAX_ROWS = 255
TOKEN_COUNT = 6  # the run-time word that holds M


@dataclass(frozen=True)
class Shape:
    """One product; `pitch` rows lie between neighbouring tiles of A and C (it is `rows` where nothing pads)."""

    rows: int
    k: int
    n: int
    batch: int = 1
    pitch: int = 0

    @property
    def stride(self) -> int:
        return self.pitch or self.rows


def product(a: Words, b: Words) -> Words:
    """`[..., M, K]` times `[..., K, N]` in the machine's order, truncated to bfloat16."""
    acc = np.zeros((*a.shape[:-1], b.shape[-1]), np.float32)
    for k in range(0, a.shape[-1], 8):
        left = a[..., :, None, k : k + 8]
        right = b[..., k : k + 8, :].swapaxes(-1, -2)[..., None, :, :]
        acc = dot8(acc, left, right)
    return truncated(acc)


@dataclass(frozen=True)
class Operands:
    """Random operands of a shape, uploaded, with the output buffer behind them."""

    shape: Shape
    a: Words
    b: Words
    address_a: int
    address_b: int
    c: Output

    @classmethod
    def upload(cls, bench: Bench, shape: Shape) -> Operands:
        """Fill A (padding rows included) and B, and mark C.

        In odd columns the second half of k cancels the first but for roundings: there the order of additions decides
        the leading bits of the result.
        """
        a = random_bf16(bench.rng, (shape.batch, shape.stride, shape.k))
        b = random_bf16(bench.rng, (shape.batch, shape.k, shape.n))
        half = shape.k // 2
        order = bench.rng.permutation(half)
        a[..., half:] = a[..., order]
        b[:, half:, 1::2] = b[:, order, 1::2] ^ np.uint16(0x8000)
        address_a = bench.put(np.stack([activation_tiles(x) for x in a]))
        address_b = bench.put(np.stack([weight_tiles(x) for x in b]))
        return cls(shape, a, b, address_a, address_b, Output.words(bench, shape.batch * shape.stride * shape.n))

    def checks(self) -> Iterable[Check]:
        """Every row of C that belongs to the product, and the words behind C."""
        shape = self.shape
        tiles = self.c.read().reshape(shape.batch, shape.n // LANES, shape.stride, LANES)
        c = tiles.transpose(0, 2, 1, 3).reshape(shape.batch, shape.stride, shape.n)
        want = product(self.a[:, : shape.rows], self.b)
        yield Check(f"C of {shape.rows}x{shape.k}x{shape.n}", c[:, : shape.rows], want)
        yield self.c.behind()


def row_blocks(rows: int) -> tuple[int, int]:
    """Rows per block and number of row blocks, as the host halves them."""
    block, grid = rows, 1
    while rows > MAX_ROWS and block >= MAX_ROWS:
        block, grid = (block + 1) // 2, grid * 2
    return block, grid - max(0, (block * grid - rows) // block)


def parameters(data: Operands, tn: int, block_rows: int, tile_rows: int) -> list[int]:
    """The parameter list of the static kernels; with `tile_rows` 1 that of the dynamic ones, which scale by M."""
    shape = data.shape
    row = LANES * 2
    batched = int(shape.batch > 1)
    values = [
        data.address_a,
        data.address_b,
        data.c.address,
        shape.k // LANES - 1,
        0,
        row,
        LANES,
        0,
        0,
        (tile_rows - 1) * row + 16,  # from the last k of a slab of A to the first of the next
        shape.k * row * tn,
        tile_rows * row * tn,
        block_rows * row,
        block_rows * row,
        batched * shape.stride * shape.k * 2,
        batched * shape.k * shape.n * 2,
        batched * shape.stride * shape.n * 2,
    ]
    if tn > 1:
        values += [tile_rows * row, shape.k * row, shape.k * row * (tn - 1) - 512]
    return values


def static_product(bench: Bench, tn: int, shape: Shape) -> Iterable[Check]:
    """One launch in the host's own geometry: create_mm_chw32_unroll and rpp_matmul_bf16_build."""
    data = Operands.upload(bench, shape)
    block_rows, grid_y = row_blocks(shape.rows)
    params = parameters(data, tn, block_rows, shape.rows)
    bench.launch((shape.n // LANES // tn, grid_y, shape.batch), (LANES, block_rows, 1), params)
    yield from data.checks()


def batched_product(bench: Bench, tn: int) -> Iterable[Check]:
    """Two matrices on z, then a last row block that is one row short; both together except for tn1.

    tn1 takes the block shape in block 0 only, so once the short shape is set it stays for the matrices that follow.
    """
    launches = [(38, 2, 19), (37, 1, 18)] + [(37, 2, 18)] * (tn > 1)
    for rows, batch, last in launches:
        shape = Shape(rows, 64, LANES * tn * 2, batch)
        data = Operands.upload(bench, shape)
        params = parameters(data, tn, 19, shape.rows)
        bench.launch((2, 2, batch), (LANES, 19, 1), params, tail=(LANES, last, 1))
        yield from data.checks()


@case("matrix_mul_tn1_f16_f16", *FOLDERS, image="matmul_tn1_f16_f32_f16")
def tn1(bench: Bench) -> Iterable[Check]:
    """One column tile per block: attention scores over 160 keys (create_mm_chw32_unroll), then a single row."""
    yield from static_product(bench, 1, Shape(256, 64, 160))
    yield from static_product(bench, 1, Shape(1, 96, 32))


@case("matrix_mul_tn2_f16_f16", *FOLDERS, image="matmul_tn2_f16_f32_f16")
def tn2(bench: Bench) -> Iterable[Check]:
    """Two column tiles per block: 320 keys (create_mm_chw32_unroll), then a single row."""
    yield from static_product(bench, 2, Shape(256, 64, 320))
    yield from static_product(bench, 2, Shape(1, 96, 64))


@case("matrix_mul_tn3_f16_f16", *FOLDERS, image="matmul_tn3_f16_f32_f16")
def tn3(bench: Bench) -> Iterable[Check]:
    """Three column tiles per block: 192 keys (create_mm_chw32_unroll), then a single row."""
    yield from static_product(bench, 3, Shape(256, 64, 192))
    yield from static_product(bench, 3, Shape(1, 96, 96))


@case("matrix_mul_tn4_f16_f16", *FOLDERS, image="matmul_tn4_f16_f32_f16")
def tn4(bench: Bench) -> Iterable[Check]:
    """Four column tiles per block: 256 keys (create_mm_chw32_unroll), then a single row."""
    yield from static_product(bench, 4, Shape(256, 64, 256))
    yield from static_product(bench, 4, Shape(1, 96, 128))


@case("matrix_mul_tn1_f16_f16", *FOLDERS, image="matmul_tn1_f16_f32_f16", geometry="reduced")
def tn1_batch(bench: Bench) -> Iterable[Check]:
    """Batch and row tail, which the host code can express but does not launch."""
    return batched_product(bench, 1)


@case("matrix_mul_tn2_f16_f16", *FOLDERS, image="matmul_tn2_f16_f32_f16", geometry="reduced")
def tn2_batch(bench: Bench) -> Iterable[Check]:
    """Batch and row tail, which the host code can express but does not launch."""
    return batched_product(bench, 2)


@case("matrix_mul_tn3_f16_f16", *FOLDERS, image="matmul_tn3_f16_f32_f16", geometry="reduced")
def tn3_batch(bench: Bench) -> Iterable[Check]:
    """Batch and row tail, which the host code can express but does not launch."""
    return batched_product(bench, 3)


@case("matrix_mul_tn4_f16_f16", *FOLDERS, image="matmul_tn4_f16_f32_f16", geometry="reduced")
def tn4_batch(bench: Bench) -> Iterable[Check]:
    """Batch and row tail, which the host code can express but does not launch."""
    return batched_product(bench, 4)


@case("matrix_mul_tn4_f16_f16_dyn", EXPERT)
def tn4_dynamic(bench: Bench) -> Iterable[Check]:
    """The row count comes at run time and all rows form one block (launch_matmul_tn4_dyn); two counts in turn."""
    for rows in (41, 130):
        set_run_time_word(bench, TOKEN_COUNT, rows)
        data = Operands.upload(bench, Shape(rows, 64, 256))
        bench.launch((2, 1, 1), (LANES, 1, 1), parameters(data, 4, 1, 1))
        yield from data.checks()


@case("matrix_mul_tn4_f16_f16_dyn_v1", EXPERT)
def tn4_dynamic_rows(bench: Bench) -> Iterable[Check]:
    """Run-time row count walked in blocks of 128 rows, tiles padded to them (launch_matmul_tn4_dyn_v1)."""
    for rows, pitch, k in ((129, 256, 64), (128, 128, 32), (5, 128, 32)):
        set_run_time_word(bench, TOKEN_COUNT, rows)
        data = Operands.upload(bench, Shape(rows, k, 256, pitch=pitch))
        bench.launch((2, 1, 1), (LANES, 128, 1), parameters(data, 4, 128, 1))
        yield from data.checks()
