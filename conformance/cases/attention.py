"""Attention: softmax pieces of the prefill path, and the whole decode path (scores, paged softmax, times V).

Decode works on rows of Tk scores (one row per query head) that are walked in pages of the key-value cache. Scores are
float32 in two planes; probabilities are bfloat16.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from conformance.case import Array, Bench, Check, case, f32, truncated
from conformance.cases.quant import Floats, Words, bf16_add, from_planes, planes, random_bf16
from conformance.cases.vector_matrix import Shape

PREFILL = "rpp_flash_attn_ext/kernel"
DECODE = "rpp_flash_attn_ext/kernel_vxm"


def noise(bench: Bench, count: int) -> Words:
    return bench.rng.integers(0, 1 << 16, count, dtype=np.uint16)


def chain(left: Words, right: Words) -> Floats:
    """`[E, C]` times `[C, T]`: exact products added in ascending c, one float32 rounding per step."""
    total: Array = np.zeros((left.shape[0], right.shape[1]), np.float32)
    for c in range(left.shape[1]):
        total = total + f32(left[:, c])[:, None] * f32(right[c])[None]
    return total


# --- scores -----------------------------------------------------------------------------------------------------------


def pages(tk: int) -> tuple[int, int]:
    """Page length and number of pages (host: select_vxm_kv_page)."""
    for page in range(min(tk, 768) // 32 * 32, 31, -32):
        if tk % page == 0 and score_block(page, tk // page) is not None:
            return page, tk // page
    raise ValueError(f"no page length for {tk} keys")


def score_block(page: int, count: int) -> tuple[Shape, int] | None:
    """Block (page, 1, pages) and grid.x, pages split until a block is small enough (host: .._calc_batch_vxM)."""
    x, grid_x = page, 1
    while x * count >= 8192:
        if x % 2:
            return None
        x, grid_x = x // 2, grid_x * 2
    return ((x, 1, count), grid_x) if x % 32 == 0 else None


def score_params(addresses: Sequence[int], batch: int, expand: int, d: int, tk: int, page: int, low: int) -> list[int]:
    """Host: expand_batch_vxM_kernel_params, with the address of the low plane appended by its caller."""
    row, step = 2 * tk, 2 * d
    params = [*addresses, expand * step, d * row, row, d, batch, 0, row, step, step - 2]
    second = [2 * step - 2] if expand == 7 else []
    return [*params, *second, page, page, low]


def scores_check(bench: Bench, batch: int, expand: int, d: int, tk: int) -> Check:
    query, key = random_bf16(bench.rng, (batch, expand, d)), random_bf16(bench.rng, (batch, d, tk))
    page, count = pages(tk)
    shape = score_block(page, count)
    assert shape is not None
    block, grid_x = shape
    total = batch * expand * tk
    high, low = bench.put(noise(bench, total)), bench.put(noise(bench, total))
    addresses = [bench.put(query), bench.put(key), high]
    bench.launch((grid_x, 1, 1), block, score_params(addresses, batch, expand, d, tk, page, low))
    got = from_planes(bench.read(high, total, np.uint16), bench.read(low, total, np.uint16))
    want = np.stack([chain(q, k) for q, k in zip(query, key, strict=True)])
    return Check(f"{batch} batches, {expand} heads, {d}x{tk}", got, want.ravel())


def register_scores(expand: int) -> None:
    """The host picks a kernel by the number of query heads that share a key head."""
    name = "expand_" + ("" if expand == 4 else f"{expand}_") + "matrix_batch_vxM_f16_f16_f32_dyn"
    revised = "the image is a later revision that also splits a page along grid.x; the text cannot run that shape"

    @case(name, DECODE, note=revised)
    def scores(bench: Bench) -> Iterable[Check]:
        """score[e][t] = sum over d of q[e][d] * k[d][t]. Host: rpp_flash_atten_build_vxm, first matmul."""
        for d, tk in ((128, 1536), (64, 480), (64, 8192)):
            if tk < 8192 or bench.source == "image":
                yield scores_check(bench, 1, expand, d, tk)

    @case(name, DECODE, geometry="reduced", note="the host always passes one batch")
    def scores_of_batches(bench: Bench) -> Iterable[Check]:
        """The same with several batches, whose rows follow one another in the output."""
        yield scores_check(bench, 3, expand, 64, 512)


for heads in (1, 2, 3, 4, 6, 7, 8):
    register_scores(heads)


def head_block(tk: int, expand: int) -> tuple[Shape, int]:
    """Block (128, tiles, heads) and grid.x (host: expand_kerneldim_calc_batch_hkv_vxM)."""
    count = tk // 128
    y = min(count, 8191 // (128 * expand))
    while count % y:
        y -= 1
    return (128, y, expand), count // y


def head_scores_check(bench: Bench, expand: int, d: int, tk: int) -> Check:
    query, key = random_bf16(bench.rng, (expand, d)), random_bf16(bench.rng, (d, tk))
    block, grid_x = head_block(tk, expand)
    high, low = bench.put(noise(bench, expand * tk)), bench.put(noise(bench, expand * tk))
    addresses = [bench.put(query), bench.put(key), high, low]
    bench.launch((grid_x, 1, 1), block, [*addresses, tk, 2, 2 * tk, d, 128, 128, d])
    got = from_planes(bench.read(high, expand * tk, np.uint16), bench.read(low, expand * tk, np.uint16))
    return Check(f"{expand} heads, {d}x{tk}", got, chain(query, key).ravel())


@case("expand_matrix_batch_hkv_vxM_f16_f16_f32_dyn", DECODE)
def scores_by_head(bench: Bench) -> Iterable[Check]:
    """The same scores, heads along z of the block. Host: expand_batch_hkv_vxM_kernel_params."""
    for expand, d, tk in ((4, 128, 2560), (7, 64, 1280), (1, 64, 128)):
        yield head_scores_check(bench, expand, d, tk)


def values_check(bench: Bench, expand: int, d: int, tk: int) -> Check:
    probability, value = random_bf16(bench.rng, (expand, tk)), random_bf16(bench.rng, (tk, d))
    page, count = pages(tk)
    out = bench.put(noise(bench, expand * d))
    addresses = [bench.put(probability), bench.put(value), out]
    bench.launch((1, 1, 1), (d, expand, 1), [*addresses, 0, 0, 0, page * d, page, 1, 0, 2 * tk, 0, count])
    want = truncated(chain(probability, value)).ravel()
    return Check(f"{expand} heads, {tk}x{d}", bench.read(out, expand * d, np.uint16), want)


@case("expand_matrix_batch_vxM_group_f16_dyn", DECODE)
def times_values(bench: Bench) -> Iterable[Check]:
    """out[e][d] = sum over t of p[e][t] * v[t][d], truncated. Host: expand_batch_vxM_group_kernel_params."""
    for expand, d, tk in ((4, 128, 1536), (8, 64, 512)):
        yield values_check(bench, expand, d, tk)


# --- softmax of the prefill path --------------------------------------------------------------------------------------


def row_tiles(rows: int) -> list[tuple[int, int]]:
    """(first row, rows) of each launch: at most 255 rows, never a single one (host: choose_softmax_row_tile)."""
    tile = min(rows, 8191 // 32)
    while rows % tile == 1:
        tile -= 1
    return [(first, min(tile, rows - first)) for first in range(0, rows, tile)]


def row_launches(rows: int) -> tuple[list[tuple[int, int]], int]:
    """Launches and block x: a single row runs with 33 lanes, the last of which repeats the next tile's first column."""
    return ([(0, 1)], 33) if rows == 1 else (row_tiles(rows), 32)


def put_guarded(bench: Bench, values: Words) -> int:
    """Upload tiles with one more word behind them, which the 33rd lane reads after the last tile."""
    return bench.put(np.append(values, np.uint16(0)))


def exp_check(bench: Bench, rows: int, columns: int) -> Check:
    """Tiles `[columns/32][rows][32]`; a table of noise stands for exp, so that a wrong index shows."""
    tiles = columns // 32
    score, highest = random_bf16(bench.rng, (tiles, rows, 32)), random_bf16(bench.rng, (rows,))
    table = noise(bench, 1 << 16)
    out = bench.put(noise(bench, score.size))
    score_at, highest_at, table_at = put_guarded(bench, score), bench.put(highest), bench.put(table)
    launches, x = row_launches(rows)
    for first, count in launches:
        params = [score_at + 64 * first, highest_at + 2 * first, table_at, out + 64 * first, 64 * rows, 0, tiles]
        bench.launch((1, 1, 1), (x, count, 1), params)
    index = bf16_add(score, highest[:, None] ^ np.uint16(0x8000))
    return Check(f"exp {rows}x{columns}", bench.read(out, score.size, np.uint16), table[index].ravel())


@case("llama3_sub_bc_x_exp_f16_opt", PREFILL)
def exp_rows(bench: Bench) -> Iterable[Check]:
    """exp(x - max of the row), the difference rounded to bfloat16. Host: rpp_flash_atten_build_impl."""
    for rows, columns in ((256, 128), (7, 512)):
        yield exp_check(bench, rows, columns)


@case("llama3_sub_bc_x_exp_f16_opt_dmb", PREFILL)
def exp_single_row(bench: Bench) -> Iterable[Check]:
    """The same for a single row. Host: rpp_flash_atten_build_impl with one query row."""
    yield exp_check(bench, 1, 2048)


def multiply_check(bench: Bench, rows: int, columns: int) -> Check:
    tiles = columns // 32
    value, factor = random_bf16(bench.rng, (tiles, rows, 32)), random_bf16(bench.rng, (rows,))
    out = bench.put(noise(bench, value.size))
    value_at, factor_at = put_guarded(bench, value), bench.put(factor)
    launches, x = row_launches(rows)
    for first, count in launches:
        params = [value_at + 64 * first, factor_at + 2 * first, out + 64 * first, 64 * rows, tiles]
        bench.launch((1, 1, 1), (x, count, 1), params)
    want = truncated(f32(value) * f32(factor)[:, None]).ravel()
    return Check(f"times {rows}x{columns}", bench.read(out, value.size, np.uint16), want)


@case("llama3_mul_bc_x_f16", PREFILL)
def multiply_rows(bench: Bench) -> Iterable[Check]:
    """x times one factor per row, truncated. Host: rpp_flash_atten_build_impl, division by the sum."""
    for rows, columns in ((256, 128), (7, 512)):
        yield multiply_check(bench, rows, columns)


@case("llama3_mul_bc_x_f16_dmb", PREFILL)
def multiply_single_row(bench: Bench) -> Iterable[Check]:
    """The same for a single row. Host: rpp_flash_atten_build_impl with one query row."""
    yield multiply_check(bench, 1, 2048)


# --- paged softmax of the decode path ---------------------------------------------------------------------------------

PAGED = ((16, 1280), (6, 96))  # query heads, keys: two launches of two pages; one page
REPEATED = "the host always passes one repetition of the block"
SEVERAL = ((16, 1280), (3, 2048))  # the reductions over pages run only where there are several


def paged_launches(heads: int, tk: int, repeat: int = 1) -> Iterable[tuple[int, int, int, int]]:
    """(first row, rows of a block, page length, pages) of each launch (host: loop2_rows_per_launch).

    A kernel can repeat its block over further rows; the host gave that up and always asks for one repetition.
    """
    page, count = pages(tk)
    step = min(8191 // page, 255, heads // repeat)
    for first in range(0, heads, step * repeat):
        yield first, min(step, heads - first), page, count


def put_planes(bench: Bench, values: Floats) -> tuple[int, int]:
    high, low = planes(values)
    return bench.put(high), bench.put(low)


def read_planes(bench: Bench, at: tuple[int, int], shape: tuple[int, ...]) -> Floats:
    count = int(np.prod(shape))
    high, low = (bench.read(address, count, np.uint16) for address in at)
    return from_planes(high, low).reshape(shape)


def random_scores(bench: Bench, heads: int, tk: int) -> Floats:
    return bench.rng.standard_normal((heads, tk)).astype(np.float32)


def add_mask_check(bench: Bench, heads: int, tk: int, repeat: int = 1) -> Check:
    score = random_scores(bench, heads, tk)
    mask = random_bf16(bench.rng, (tk,))
    mask[bench.rng.random(tk) < 0.25] = 0xFF80  # minus infinity, as causal masks have it
    at, mask_at = put_planes(bench, score), bench.put(mask)
    row = 2 * tk
    for first, rows, page, count in paged_launches(heads, tk, repeat):
        here = [address + first * row for address in at]
        params = [*here, mask_at, *here, 2 * page, row * rows, tk, 2 * page, repeat, count]
        bench.launch((1, 1, 1), (page, rows, 1), params)
    return Check(f"mask {heads}x{tk}", read_planes(bench, at, score.shape), score + f32(mask))


@case("llama3_loop2_mid_add_bc_y_f32_f16_f32", DECODE)
def add_mask(bench: Bench) -> Iterable[Check]:
    """score += mask, the same bfloat16 mask for every head, in place. Host: .._build_vxm_v1_tiled_hkv."""
    for heads, tk in PAGED:
        yield add_mask_check(bench, heads, tk)


@case("llama3_loop2_mid_add_bc_y_f32_f16_f32", DECODE, geometry="reduced", note=REPEATED)
def add_mask_repeated(bench: Bench) -> Iterable[Check]:
    """The same with one block that walks over three groups of rows."""
    yield add_mask_check(bench, 12, 1280, repeat=3)


def page_max_check(bench: Bench, heads: int, tk: int) -> Check:
    score = random_scores(bench, heads, tk)
    score[:, ::5] = -np.inf
    page, count = pages(tk)
    at, row = put_planes(bench, score), 2 * tk
    out = bench.put(noise(bench, heads * page)), bench.put(noise(bench, heads * page))
    for first, rows, _, _ in paged_launches(heads, tk):
        here = [address + first * row for address in at]
        there = [address + first * 2 * page for address in out]
        params = [*here, *there, 2 * page, row * rows, tk, page, 1, count]
        bench.launch((1, 1, 1), (page, rows, 1), params)
    lowest = np.finfo(np.float32).min
    want = np.maximum(score.reshape(heads, count, page).max(axis=1), lowest)
    return Check(f"max {heads}x{tk}", read_planes(bench, out, (heads, page)), want)


@case("llama3_loop2_mid_reduce_max_f32", DECODE)
def page_max(bench: Bench) -> Iterable[Check]:
    """Largest float32 of the same place in all pages, at least the lowest finite. Host: reduce1_stage0 task."""
    for heads, tk in SEVERAL:
        yield page_max_check(bench, heads, tk)


def page_sum_check(bench: Bench, heads: int, tk: int) -> Check:
    value = random_bf16(bench.rng, (heads, tk))
    page, count = pages(tk)
    at, out, row = bench.put(value), bench.put(noise(bench, heads * page)), 2 * tk
    for first, rows, _, _ in paged_launches(heads, tk):
        params = [at + first * row, out + first * 2 * page, 2 * page, row * rows, tk, page, 1, count]
        bench.launch((1, 1, 1), (page, rows, 1), params)
    total: Array = np.zeros((heads, page), np.float32)
    for part in range(count):
        total = total + f32(value[:, part * page : (part + 1) * page])
    return Check(f"sum {heads}x{tk}", bench.read(out, heads * page, np.uint16), truncated(total).ravel())


@case("llama3_loop2_mid_reduce_sum_f16", DECODE)
def page_sum(bench: Bench) -> Iterable[Check]:
    """float32 sum of the same place in all pages, truncated. Host: reduce_sum1_stage0 task."""
    for heads, tk in SEVERAL:
        yield page_sum_check(bench, heads, tk)


def subtract_check(bench: Bench, heads: int, tk: int, repeat: int = 1) -> Check:
    score, highest = random_scores(bench, heads, tk), random_scores(bench, heads, 1)
    at, highest_at, row = put_planes(bench, score), put_planes(bench, highest), 2 * tk
    out = bench.put(noise(bench, score.size))
    for first, rows, page, count in paged_launches(heads, tk, repeat):
        params = [address + first * row for address in at] + [address + 2 * first for address in highest_at]
        params += [out + first * row, 2 * page, row * rows, 2 * rows, tk, repeat, count]
        bench.launch((1, 1, 1), (page, rows, 1), params)
    want = truncated(score - highest).ravel()
    return Check(f"minus {heads}x{tk}", bench.read(out, score.size, np.uint16), want)


@case("llama3_loop2_mid_sub_bc_x_f32_f16", DECODE)
def subtract(bench: Bench) -> Iterable[Check]:
    """score - max of the row in float32, truncated. Host: softmax_norm_sub task."""
    for heads, tk in PAGED:
        yield subtract_check(bench, heads, tk)


@case("llama3_loop2_mid_sub_bc_x_f32_f16", DECODE, geometry="reduced", note=REPEATED)
def subtract_repeated(bench: Bench) -> Iterable[Check]:
    """The same with one block that walks over three groups of rows."""
    yield subtract_check(bench, 12, 1280, repeat=3)


def lookup_check(bench: Bench, heads: int, tk: int, repeat: int = 1) -> Check:
    index, table = noise(bench, heads * tk), noise(bench, 1 << 16)
    at, table_at, out, row = bench.put(index), bench.put(table), bench.put(noise(bench, index.size)), 2 * tk
    for first, rows, page, count in paged_launches(heads, tk, repeat):
        params = [at + first * row, table_at, out + first * row, 2 * page, row * rows, tk, repeat, count]
        bench.launch((1, 1, 1), (page, rows, 1), params)
    return Check(f"table {heads}x{tk}", bench.read(out, index.size, np.uint16), table[index])


@case("llama3_loop2_mid_mish_f16", DECODE)
def lookup(bench: Bench) -> Iterable[Check]:
    """table[x], the host's table being exp. Host: softmax_exp task."""
    for heads, tk in PAGED:
        yield lookup_check(bench, heads, tk)


@case("llama3_loop2_mid_mish_f16", DECODE, geometry="reduced", note=REPEATED)
def lookup_repeated(bench: Bench) -> Iterable[Check]:
    """The same with one block that walks over three groups of rows."""
    yield lookup_check(bench, 12, 1280, repeat=3)


def scale_check(bench: Bench, heads: int, tk: int, repeat: int = 1) -> Check:
    value, factor = random_bf16(bench.rng, (heads, tk)), random_bf16(bench.rng, (heads,))
    at, factor_at, row = bench.put(value), bench.put(factor), 2 * tk
    for first, rows, page, count in paged_launches(heads, tk, repeat):
        here = at + first * row
        params = [here, factor_at + 2 * first, here, 2 * page, row * rows, 2 * rows, tk, repeat, count]
        bench.launch((1, 1, 1), (page, rows, 1), params)
    want: NDArray[np.uint16] = truncated(f32(value) * f32(factor)[:, None]).ravel()
    return Check(f"times {heads}x{tk}", bench.read(at, value.size, np.uint16), want)


@case("llama3_loop2_mid_mul_bc_x_f16", DECODE)
def scale(bench: Bench) -> Iterable[Check]:
    """p times one factor per row, truncated, in place. Host: softmax_mul task."""
    for heads, tk in PAGED:
        yield scale_check(bench, heads, tk)


@case("llama3_loop2_mid_mul_bc_x_f16", DECODE, geometry="reduced", note=REPEATED)
def scale_repeated(bench: Bench) -> Iterable[Check]:
    """The same with one block that walks over three groups of rows."""
    yield scale_check(bench, 12, 1280, repeat=3)
