"""Decode with i-quants: magnitudes from a codebook or from short codes, signs apart, scales already expanded.

The single form is launched once per super block of 256 k; the batch form takes all super blocks along grid.z and
several experts along z of the block. Codebooks here are random rows of the magnitudes that the formats use.

Not run: the text matrix_mul_vxM_f16_q3xxs_f16_asym_nolut_opt of kernel_q3_xxs_vxm. It declares 30 registers, so its
loop counters share DS13 with its address scratch and it cannot count; no image or host code uses it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from conformance.case import Bench, Check, bf16, case, f32
from conformance.cases.decode_k import super_sums
from conformance.cases.quant import (
    MAGNITUDES_2,
    MAGNITUDES_3,
    SUPER,
    Floats,
    Words,
    fields,
    index_high,
    index_low,
    random_bf16,
    sign_words,
    streams_3,
)
from conformance.cases.vector_matrix import (
    Planes,
    Shape,
    doubled_block,
    group_dots,
    group_sums,
    put_sums,
    whole_block,
)

Ints = NDArray[np.int64]
SHAPES = ((768, 192), (256, 8192))  # k, n
BATCHES = ((8, 512, 256), (8, 256, 1024))  # experts, k, n: all experts in one launch; two launches


@dataclass(frozen=True)
class Weights:
    """Weight words of one matrix, `[rows, N]` each, and the float32 values `[K, N]` that they stand for."""

    codes: Words
    signs: Words
    values: Floats


@dataclass(frozen=True)
class Layout:
    """Rows of N words that one super block takes in each plane, and the loop strides the host states with them."""

    codes: int
    scale_group: int
    loop: int
    loop0: int
    loop1: int
    scale_loop: int

    @property
    def scales(self) -> int:
        return SUPER // self.scale_group

    def strides(self, n: int, block: Shape) -> list[int]:
        row = 2 * n
        loops = [self.loop0 * row, self.loop1 * row, self.scale_loop * row]
        return [row, *loops, 2 * block[0], self.codes * row, 16 * row, self.scales * row, 2 * SUPER]


BOOK_3 = Layout(codes=32, scale_group=32, loop=8, loop0=4, loop1=2, scale_loop=1)
CODE_3 = Layout(codes=48, scale_group=32, loop=8, loop0=1, loop1=3, scale_loop=1)
CODE_2 = Layout(codes=32, scale_group=16, loop=4, loop0=8, loop1=4, scale_loop=4)

Make = Callable[[Bench, int, int], Weights]


def signed(magnitudes: NDArray[Any], negative: NDArray[np.bool_]) -> Floats:
    return np.where(negative, -1, 1).astype(np.float32) * magnitudes.astype(np.float32)


def coins(bench: Bench, k: int, n: int) -> NDArray[np.bool_]:
    return bench.rng.random((k, n)) < 0.5


def table_of(magnitudes: Ints, size: int) -> Words:
    """bfloat16 magnitudes indexed by code; codes that no format produces stand for 0."""
    padded = np.zeros(size, np.float32)
    padded[: magnitudes.size] = magnitudes
    return bf16(padded)


def codes_2(bench: Bench, k: int, n: int) -> Weights:
    """2-bit codes, eight to a word, code 3 (a zero) included."""
    codes = bench.rng.integers(0, 4, (k, n))
    negative = coins(bench, k, n)
    return Weights(fields(codes, 2), sign_words(negative), signed(f32(table_of(MAGNITUDES_2, 4))[codes], negative))


def codes_3(bench: Bench, k: int, n: int) -> Weights:
    """3-bit codes in 48-bit streams."""
    codes = bench.rng.integers(0, 8, (k, n))
    negative = coins(bench, k, n)
    words = streams_3(codes).reshape(-1, n)
    return Weights(words, sign_words(negative), signed(MAGNITUDES_3[codes], negative))


def codebook(bench: Bench, magnitudes: Ints, rows: int, width: int) -> NDArray[np.uint8]:
    return bench.rng.choice(magnitudes, (rows, width)).astype(np.uint8)


def from_book(book: NDArray[np.uint8], indices: Ints) -> NDArray[np.uint8]:
    """Codebook `[rows, width]` and indices `[K/width, N]` -> magnitudes `[K, N]`."""
    blocks, n = indices.shape
    return book[indices].transpose(0, 2, 1).reshape(blocks * book.shape[1], n)


def book_3(bench: Bench, book: NDArray[np.uint8], k: int, n: int) -> Weights:
    """8-bit indices of rows of four, two to a word."""
    indices = bench.rng.integers(0, 256, (k // 4, n))
    negative = coins(bench, k, n)
    return Weights(index_low(indices), sign_words(negative), signed(from_book(book, indices), negative))


def reference(activations: Words, values: Floats, scale: Words) -> Floats:
    """sum over groups of scale * (a . w), within a super block first."""
    group = activations.size // scale.shape[0]
    return super_sums(f32(scale) * group_dots(activations, values, group), SUPER // group)


def signs_apart(
    bench: Bench, layout: Layout, block_of: Callable[[int], tuple[Shape, int]], table: int, make: Make, k: int, n: int
) -> Check:
    """One launch per super block of a kernel with a plane of sign words."""
    activations = random_bf16(bench.rng, (k,))
    weights = make(bench, k, n)
    scale = random_bf16(bench.rng, (k // layout.scale_group, n), 0.1)
    block, grid_x = block_of(n)
    out = Planes.fresh(bench, n)
    base = bench.put(activations)
    sums = put_sums(bench, group_sums(activations, layout.scale_group))
    for tile in range(k // SUPER):
        parts = [
            bench.put(plane[rows * tile : rows * (tile + 1)])
            for plane, rows in ((weights.codes, layout.codes), (weights.signs, 16), (scale, layout.scales))
        ]
        params = [base + 2 * SUPER * tile, *parts, out.address, table, *layout.strides(n, block), *sums, 2 * n]
        bench.launch((grid_x, 1, 1), block, [*params, layout.loop, int(tile > 0)])
    return out.check(bench, f"{k}x{n}", reference(activations, weights.values, scale))


def experts_per_launch(experts: int, block_x: int) -> int:
    """Halved until a block has fewer than 8192 threads (host: the `tx` loop of the .._sram functions)."""
    while experts > 1 and experts * block_x >= 8192:
        experts //= 2
    return experts


def packed_experts(weights: Sequence[Weights], raw_scale_rows: int, k: int) -> tuple[Words, int]:
    """What the host loads per expert, `[codes, raw scales, signs, super scales]`, and where the signs start in it."""
    n = weights[0].codes.shape[1]
    raw, supers = np.zeros((raw_scale_rows, n), np.uint16), np.zeros((k // SUPER, n), np.uint16)
    rows = [np.concatenate([one.codes, raw, one.signs, supers]) for one in weights]
    return np.stack(rows), 2 * n * (weights[0].codes.shape[0] + raw_scale_rows)


def batch(
    bench: Bench,
    layout: Layout,
    block_of: Callable[[int], tuple[Shape, int]],
    table: int,
    make: Make,
    shape: tuple[int, int, int],
) -> Check:
    """Experts along z (host: rpp_matmul_.._vxm_.._sram and the batch parameter builders)."""
    experts, k, n = shape
    activations = random_bf16(bench.rng, (experts, k))
    weights = [make(bench, k, n) for _ in range(experts)]
    scale = random_bf16(bench.rng, (experts, k // layout.scale_group, n), 0.1)
    packed, signs_at = packed_experts(weights, k // (4 * layout.scale_group), k)
    (x, y, _), grid_x = block_of(n)
    count = experts_per_launch(experts, x)
    stride, scale_stride = packed[0].nbytes, scale[0].nbytes
    codes_at, scale_at, act_at = bench.put(packed), bench.put(scale), bench.put(activations)
    out = Planes.fresh(bench, experts * n)
    for first in range(0, experts, count):
        codes = codes_at + first * stride
        addresses = [act_at + first * 2 * k, codes, codes + signs_at, scale_at + first * scale_stride]
        params = [*addresses, out.address + first * 2 * n, table, *layout.strides(n, (x, y, count)), 0, 0, out.offset]
        z_strides = [stride // 2, stride // 2, scale_stride // 2, 2 * k]
        bench.launch((grid_x, 1, k // SUPER), (x, y, count), [*params, *z_strides, layout.loop, 0])
    want = [reference(a, w.values, s) for a, w, s in zip(activations, weights, scale, strict=True)]
    return out.check(bench, f"{experts} experts {k}x{n}", np.concatenate(want))


# --- three bits -------------------------------------------------------------------------------------------------------


@case("matrix_mul_vxM_f16_q3xxs_f16_asym_opt", "rpp_mul_mat/kernel_q3_xxs_vxm")
@case(
    "matrix_mul_vxM_f16_q5k_f16_asym_opt",
    "rpp_mul_mat/kernel_q3_xxs_vxm",
    geometry="reduced",
    sources=("text",),
    note="an earlier q3_xxs text under the name of the q5_K kernel; no host code loads it",
)
def codebook_3(bench: Bench) -> Iterable[Check]:
    """Codebook of 256 rows of four magnitudes. Host: rpp_matmul_q3xxs_vxm."""
    book = codebook(bench, MAGNITUDES_3, 256, 4)
    table = bench.put(book)
    for k, n in SHAPES:
        yield signs_apart(bench, BOOK_3, whole_block, table, lambda b, k, n: book_3(b, book, k, n), k, n)


@case("matrix_mul_vxM_f16_q3xxs_f16_asym_batch", "rpp_mul_mat/kernel_q3_xxs_vxm", sources=("image",))
def codebook_3_batch(bench: Bench) -> Iterable[Check]:
    """The same for several experts. Host: rpp_matmul_q3xxs_vxm_sram."""
    book = codebook(bench, MAGNITUDES_3, 256, 4)
    table = bench.put(book)
    for shape in BATCHES:
        yield batch(bench, BOOK_3, whole_block, table, lambda b, k, n: book_3(b, book, k, n), shape)


@case("matrix_mul_vxM_f16_q3xxs_f16_asym_nolut_opt", "rpp_mul_mat/kernel_q3_xxs_vxm_nolut")
def code_3(bench: Bench) -> Iterable[Check]:
    """3-bit codes of eight magnitudes. Host: rpp_matmul_q3xxs_vxm_nolut."""
    table = bench.put(table_of(MAGNITUDES_3, 8))
    for k, n in SHAPES:
        yield signs_apart(bench, CODE_3, doubled_block, table, codes_3, k, n)


@case("matrix_mul_vxM_q3xxs_nolut_asym_batch", "rpp_mul_mat/kernel_q3_xxs_vxm_nolut")
def code_3_batch(bench: Bench) -> Iterable[Check]:
    """The same for several experts. Host: rpp_matmul_q3xxs_vxm_nolut_sram."""
    table = bench.put(table_of(MAGNITUDES_3, 8))
    for shape in BATCHES:
        yield batch(bench, CODE_3, doubled_block, table, codes_3, shape)


# --- two bits ---------------------------------------------------------------------------------------------------------


@case("matrix_mul_vxM_q2s_nolut_asym_opt", "rpp_mul_mat/kernel_q2_s_vxm_nolut")
@case("matrix_mul_vxM_q2xs_nolut_asym_opt", "rpp_mul_mat/kernel_q2_xs_vxm_nolut")
def code_2(bench: Bench) -> Iterable[Check]:
    """2-bit codes of three magnitudes and zero. Host: rpp_matmul_q2s_vxm_nolut, rpp_matmul_q2xs_vxm_nolut."""
    table = bench.put(table_of(MAGNITUDES_2, 4))
    for k, n in SHAPES:
        yield signs_apart(bench, CODE_2, doubled_block, table, codes_2, k, n)


@case("matrix_mul_vxM_q2s_nolut_asym_batch", "rpp_mul_mat/kernel_q2_s_vxm_nolut")
@case("matrix_mul_vxM_q2xs_nolut_batch", "rpp_mul_mat/kernel_q2_xs_vxm_nolut", sources=("image",))
def code_2_batch(bench: Bench) -> Iterable[Check]:
    """The same for several experts. Host: rpp_matmul_q2s_vxm_nolut_sram, rpp_matmul_q2xs_vxm_nolut_sram."""
    table = bench.put(table_of(MAGNITUDES_2, 4))
    for shape in BATCHES:
        yield batch(bench, CODE_2, doubled_block, table, codes_2, shape)


def reversed_signs() -> NDArray[np.uint8]:
    """128 sign bytes: seven given signs, an eighth that makes their number even; first k in the top bit."""
    code = np.arange(128)
    given = (code[:, None] >> np.arange(7)) & 1
    all_eight = np.concatenate([given, given.sum(axis=1, keepdims=True) & 1], axis=1)
    return (all_eight << np.arange(7, -1, -1)).sum(axis=1).astype(np.uint8)


def sign_flags(signs: NDArray[np.uint8], codes: Ints) -> NDArray[np.bool_]:
    """Sign codes `[K/8, N]` -> flags `[K, N]`."""
    bits = (signs[codes][:, None, :] >> np.arange(7, -1, -1)[:, None]) & 1
    return bits.reshape(-1, codes.shape[1]).astype(bool)


def book_2xs_check(bench: Bench, k: int, n: int) -> Check:
    book, signs = codebook(bench, MAGNITUDES_2, 512, 8), reversed_signs()
    tables = [bench.put(book), bench.put(signs)]
    indices = bench.rng.integers(0, 512, (k // 8, n))
    codes = bench.rng.integers(0, 128, (k // 8, n))
    words = (indices | codes << 9).astype(np.uint16)
    values = signed(from_book(book, indices), sign_flags(signs, codes))
    activations = random_bf16(bench.rng, (k,))
    scale = random_bf16(bench.rng, (k // 16, n), 0.1)
    block, grid_x = doubled_block(n)
    out, base, row = Planes.fresh(bench, n), bench.put(activations), 2 * n
    sums = put_sums(bench, group_sums(activations, 16))
    for tile in range(k // SUPER):
        parts = [bench.put(words[32 * tile : 32 * (tile + 1)]), bench.put(scale[16 * tile : 16 * (tile + 1)])]
        strides = [row, 2 * row, row, 2 * block[0], 32 * row, 16 * row, 2 * SUPER]
        params = [base + 2 * SUPER * tile, *parts, out.address, *tables, *strides, *sums, row, 16, int(tile > 0)]
        bench.launch((grid_x, 1, 1), block, params)
    return out.check(bench, f"{k}x{n}", reference(activations, values, scale))


@case("matrix_mul_vxM_f16_q2xs_f16_asym_opt", "rpp_mul_mat/kernel_q2_xs_vxm", "rpp_mul_mat/kernel_q2_s_vxm")
@case(
    "matrix_mul_vxM_q2xs_nolut_asym_opt",
    "rpp_mul_mat/kernel_q2_xs_vxm",
    "rpp_mul_mat/kernel_q2_s_vxm",
    sources=("text",),
    note="a copy of the codebook text under another name",
)
def codebook_2xs(bench: Bench) -> Iterable[Check]:
    """Codebook of 512 rows of eight, a 7-bit sign code in the same word. Host: rpp_matmul_q2xs_vxm."""
    for k, n in SHAPES:
        yield book_2xs_check(bench, k, n)


def book_2s_check(bench: Bench, k: int, n: int) -> Check:
    book = codebook(bench, MAGNITUDES_2, 1024, 8)
    table = bench.put(book)
    indices = bench.rng.integers(0, 1024, (k // 8, n))
    negative = coins(bench, k, n)
    activations = random_bf16(bench.rng, (k,))
    scale = random_bf16(bench.rng, (k // 16, n), 0.1)
    planes = ((index_low(indices), 16), (index_high(indices), 4), (sign_words(negative), 16), (scale, 16))
    block, grid_x = doubled_block(n)
    out, base, row = Planes.fresh(bench, n), bench.put(activations), 2 * n
    sums = put_sums(bench, group_sums(activations, 16))
    for tile in range(k // SUPER):
        parts = [bench.put(plane[rows * tile : rows * (tile + 1)]) for plane, rows in planes]
        strides = [row, 4 * row, row, 4 * row, 2 * block[0], 16 * row, 4 * row, 16 * row, 16 * row, 2 * SUPER]
        params = [base + 2 * SUPER * tile, *parts, out.address, table, *strides, *sums, row, 4, int(tile > 0)]
        bench.launch((grid_x, 1, 1), block, params)
    values = signed(from_book(book, indices), negative)
    return out.check(bench, f"{k}x{n}", reference(activations, values, scale))


@case("matrix_mul_vxM_f16_q2s_f16_asym_opt", "rpp_mul_mat/kernel_q2_s_vxm")
def codebook_2s(bench: Bench) -> Iterable[Check]:
    """Codebook of 1024 rows of eight, two planes of index bits, sign words. Host: rpp_matmul_q2s_vxm."""
    for k, n in SHAPES:
        yield book_2s_check(bench, k, n)
