"""i-quants: block scales from 4-bit codes, and weights from magnitudes, signs and scales.

A magnitude comes either from a codebook (a row of eight bytes per 8 k, or of four per 4 k) or, in the "nolut" forms,
from a small table that a 2-bit or 3-bit code selects. Signs are words of sixteen k, the first in bit 15.
Codebooks and tables are random here: the kernels take whatever the host uploads.
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
    bf16_mul,
    fields,
    index_high,
    index_low,
    random_bf16,
    sign_words,
    streams_3,
)
from conformance.cases.tiling import ScaleTiling, Tiling, unsigned, written, written_tiles

ROOT = "rpp_mul_mat/"
EXPERT = "rpp_expert_forward/kernel"
K, N = 1536, 96  # six super blocks in blocks of two, three column blocks


# --- scales -----------------------------------------------------------------------------------------------------------


def table_scales(bench: Bench, block: int) -> Iterable[Check]:
    """scale[block of `block` k] = table[4-bit code] * super scale, rounded."""
    tiling = ScaleTiling.host(K, N)
    codes = bench.rng.integers(0, 16, (K // block, N))
    supers = random_bf16(bench.rng, (K // SUPER, N), 0.01)
    table = random_bf16(bench.rng, (16,), 4.0)
    want = bf16_mul(table[codes], np.repeat(supers, SUPER // block, axis=0))
    out = Output.words(bench, want.size)
    inputs = [bench.put(fields(codes, 4)), bench.put(supers), out.address, bench.put(table)]
    groups = SUPER // block
    params = [*inputs, *tiling.strides(groups // 4, groups), tiling.row, tiling.row, *tiling.walk]
    bench.launch((1, 1, 1), tiling.block, params)
    yield from written(out, "scales", want)


@case(
    "matrix_mul_q2s_super_scale",
    ROOT + "kernel_q2_s",
    ROOT + "kernel_q2_s_vxm",
    ROOT + "kernel_q2_s_vxm_nolut",
)
@case("matrix_mul_q2s_nolut_super_scale", ROOT + "kernel_q2_s_nolut", EXPERT)
@case(
    "matrix_mul_q2xs_super_scale",
    ROOT + "kernel_q2_xs",
    ROOT + "kernel_q2_xs_nolut",
    ROOT + "kernel_q2_xs_vxm",
    ROOT + "kernel_q2_xs_vxm_nolut",
    ROOT + "kernel_q2_s_vxm",
    EXPERT,
)
def scales_16(bench: Bench) -> Iterable[Check]:
    """Sixteen scales per super block (q2s_super_scale_blocks, q2s_super_scale_params and their q2xs copies)."""
    return table_scales(bench, 16)


@case(
    "matrix_mul_q3xxs_super_scale",
    ROOT + "kernel_q3_xxs",
    ROOT + "kernel_q3_xxs_nolut",
    ROOT + "kernel_q3_xxs_vxm",
    ROOT + "kernel_q3_xxs_vxm_nolut",
    EXPERT,
)
def scales_32(bench: Bench) -> Iterable[Check]:
    """Eight scales per super block (q3xxs_super_scale_blocks, q3xxs_super_scale_params)."""
    return table_scales(bench, 32)


# --- weights from a codebook ------------------------------------------------------------------------------------------


def signed(magnitudes: Words, negative: Array) -> Words:
    """Non-negative bfloat16 values with the given signs."""
    return magnitudes | (negative.astype(np.uint16) << 15).astype(np.uint16)


def codebook(bench: Bench, rows: int, width: int) -> tuple[int, Array]:
    """A random byte table in SRAM and its contents."""
    table = bench.rng.integers(0, 256, (rows, width), np.uint8)
    return bench.put(table), table


def looked_up(table: Array, indices: Array) -> Words:
    """`[K/width, N]` indices -> `[K, N]` table bytes as bfloat16, exact."""
    rows, columns = indices.shape
    values = table[indices].transpose(0, 2, 1).reshape(rows * table.shape[1], columns)
    return bf16(values.astype(np.float32))


def block_scales(bench: Bench, k: int, n: int, block: int) -> tuple[int, Words]:
    """Random scales of every `block` k: their address, and the scales spread to `[K, N]`."""
    scales = random_bf16(bench.rng, (k // block, n), 0.02)
    return bench.put(scales), np.repeat(scales, block, axis=0)


@case("matrix_mul_q2s_deqaunt_f16", ROOT + "kernel_q2_s")
def q2s_codebook(bench: Bench) -> Iterable[Check]:
    """10-bit codebook rows of 8 k, scales of 16 k (rpp_matmul_q2s: q2s_dequant_blocks, q2s_dequant_params)."""
    tiling = Tiling.host(K, N, 64)
    address, table = codebook(bench, 1024, 8)
    indices = bench.rng.integers(0, 1024, (K // 8, N))
    negative = bench.rng.integers(0, 2, (K, N))
    scales, scale = block_scales(bench, K, N, 16)
    want = bf16_mul(signed(looked_up(table, indices), negative), scale)
    out = Output.words(bench, want.size)
    inputs = [bench.put(index_low(indices)), bench.put(index_high(indices)), bench.put(sign_words(negative)), scales]
    planes = tiling.plane(4, 4), tiling.plane(1), tiling.plane(4, 4)
    bench.launch((1, 1, 1), tiling.block, unsigned([*inputs, out.address, address, *tiling.tail(*planes)]))
    yield from written_tiles(out, want)


@case("matrix_mul_q2xs_deqaunt_f16", ROOT + "kernel_q2_xs")
def q2xs_codebook(bench: Bench) -> Iterable[Check]:
    """A word per 8 k: 9-bit codebook row, 7-bit index of a sign byte (q2xs_dequant_blocks, q2xs_dequant_params)."""
    tiling = Tiling.host(K, N, 16)
    address, table = codebook(bench, 512, 8)
    sign_address, sign_table = codebook(bench, 128, 1)
    indices = bench.rng.integers(0, 512, (K // 8, N))
    sign_indices = bench.rng.integers(0, 128, (K // 8, N))
    sign_bits = (sign_table[sign_indices, 0][:, None] >> np.arange(7, -1, -1)[:, None]) & 1
    scales, scale = block_scales(bench, K, N, 16)
    want = bf16_mul(signed(looked_up(table, indices), sign_bits.reshape(K, N)), scale)
    out = Output.words(bench, want.size)
    words = bench.put((indices | sign_indices << 9).astype(np.uint16))
    inputs = [words, scales, out.address, address, sign_address]
    bench.launch((1, 1, 1), tiling.block, unsigned([*inputs, *tiling.tail(tiling.plane(2, 2), tiling.plane(1))]))
    yield from written_tiles(out, want)


def signed_weights(
    bench: Bench, tiling: Tiling, words: Words, magnitudes: Words, table: int, scale_block: int
) -> Iterable[Check]:
    """The form that q3xxs and all table forms share: packed words, signs, scales, one table."""
    k, n = tiling.k, tiling.n
    per_thread = tiling.per_thread
    negative = bench.rng.integers(0, 2, (k, n))
    scales, scale = block_scales(bench, k, n, scale_block)
    want = bf16_mul(signed(magnitudes, negative), scale)
    out = Output.words(bench, want.size)
    inputs = [bench.put(words), bench.put(sign_words(negative)), scales, out.address, table]
    word_rows = words.size * per_thread // (k * n)
    sign_rows = per_thread // 16
    scale_rows = per_thread // scale_block
    sign_walk = sign_rows if scale_rows == 1 else 0  # otherwise the kernel moves signs with the scales
    scale_walk = scale_rows if scale_rows > 1 else 0
    planes = tiling.plane(word_rows, word_rows), tiling.plane(sign_rows, sign_walk)
    tail = tiling.tail(*planes, tiling.plane(scale_rows, scale_walk))
    bench.launch((1, 1, 1), tiling.block, unsigned([*inputs, *tail]))
    yield from written_tiles(out, want)


@case("matrix_mul_q3xxs_deqaunt_f16", ROOT + "kernel_q3_xxs")
def q3xxs_codebook(bench: Bench) -> Iterable[Check]:
    """8-bit codebook rows of 4 k, scales of 32 k (q3xxs_dequant_blocks, q3xxs_dequant_params)."""
    address, table = codebook(bench, 256, 4)
    indices = bench.rng.integers(0, 256, (K // 4, N))
    magnitudes = looked_up(table, indices)
    return signed_weights(bench, Tiling.host(K, N, 32), index_low(indices), magnitudes, address, 32)


# --- weights from a small table ---------------------------------------------------------------------------------------


def magnitude_table(bench: Bench, entries: int) -> tuple[int, Words]:
    """A random table of non-negative bfloat16 values."""
    table = random_bf16(bench.rng, (entries,), 30.0) & np.uint16(0x7FFF)
    return bench.put(table), table


def two_bit(bench: Bench, tiling: Tiling) -> Iterable[Check]:
    """2-bit codes, eight to a word, and scales of 16 k."""
    address, table = magnitude_table(bench, 4)
    codes = bench.rng.integers(0, 4, (tiling.k, tiling.n))
    return signed_weights(bench, tiling, fields(codes, 2), table[codes], address, 16)


@case("matrix_mul_q2s_nolut_deqaunt_f16", ROOT + "kernel_q2_s_nolut", EXPERT, image="matrix_mul_q2s_nolut_asym_opt")
@case("matrix_mul_q2xs_nolut_deqaunt_f16", ROOT + "kernel_q2_xs_nolut", EXPERT)
def q2_table(bench: Bench) -> Iterable[Check]:
    """64 k per thread (q2s_nolut_dequant_blocks, q2s_nolut_dequant_params and their q2xs copies)."""
    return two_bit(bench, Tiling.host(K, N, 64))


@case("matrix_mul_q2s_nolut_deqaunt_f16_ept32", EXPERT, image="matrix_mul_q2s_nolut_asym_opt_ept32")
@case("matrix_mul_q2xs_nolut_deqaunt_f16_ept32", EXPERT)
def q2_table_32(bench: Bench) -> Iterable[Check]:
    """32 k per thread, taken when K/256 is no power of two (launch_q2s_dequant, dequant_blocks_matid_exact)."""
    return two_bit(bench, Tiling.exact(4608, 64, 32))


@case("matrix_mul_q3xxs_deqaunt_nolut_f16", ROOT + "kernel_q3_xxs_nolut", EXPERT)
def q3_table(bench: Bench) -> Iterable[Check]:
    """3-bit codes as 48-bit streams, scales of 32 k (q3xxs_nolut_dequant_blocks, q3xxs_nolut_dequant_params)."""
    address, table = magnitude_table(bench, 8)
    codes = bench.rng.integers(0, 8, (K, N))
    words = streams_3(codes).reshape(-1, N)
    return signed_weights(bench, Tiling.host(K, N, 32), words, table[codes], address, 32)
