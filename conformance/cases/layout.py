"""Re-layouts of 16-bit elements: tiles of 32 columns, transposes, channel layouts, strided copies. All are exact."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from conformance.case import Bench, Check, case
from conformance.cases.common import (
    LANES,
    UNTOUCHED,
    Dim,
    Output,
    Words,
    register,
    set_run_time_word,
    volume,
)

FLASH, VXM = "rpp_flash_attn_ext/kernel", "rpp_flash_attn_ext/kernel_vxm"
POOL, CONT, EXPERT = "rpp_pool_2d/kernel", "rpp_cont/kernel", "rpp_expert_forward/kernel"
MATMUL = "bf16 q2_s q2_s_nolut q2_xs q2_xs_nolut q3_xxs q3_xxs_nolut q4_1 q4_k q5_k q6_k q8_0"
TILE_COPIES = (FLASH, *(f"rpp_mul_mat/kernel_{name}" for name in MATMUL.split()))
TOKEN_COUNT = 6  # run-time word: rows of the dynamic kernels


def _random(bench: Bench, *shape: int) -> Words:
    return bench.rng.integers(0, 1 << 16, shape, dtype=np.uint16)


def tiled(x: Words) -> Words:
    """`[rows, columns]` -> `[columns/32, rows, 32]`."""
    rows, columns = x.shape
    return x.reshape(rows, columns // LANES, LANES).swapaxes(0, 1)


# --- tiles of 32 columns ----------------------------------------------------------------------------------------------


@case("kv_transpose_16bits", FLASH, image="kv_transpose_f16")
def rows_to_tiles(bench: Bench) -> Iterable[Check]:
    """[rows][columns] to [columns/32][rows][32], tiles on z; 8192 columns take two launches.

    launch_hw2hw32_transpose_f16 with KShape_Hw2Hw32 and KParam_Hw2Hw32_strided.
    """
    for rows, columns in ((160, 256), (4, 8192)):
        x = _random(bench, rows, columns)
        source, out = bench.put(x), Output.words(bench, x.size)
        width = columns if columns < 8192 else 4096
        block_rows = 1
        while block_rows * width < 4096 and rows // block_rows % 2 == 0:
            block_rows *= 2
        for first in range(0, columns, width):
            addresses = [source + first * 2, out.address + first * rows * 2]
            strides = [columns, LANES, LANES, rows * LANES, columns * block_rows * 2, LANES * block_rows * 2]
            bench.launch((rows // block_rows, 1, 1), (LANES, block_rows, width // LANES), [*addresses, *strides])
        yield Check(f"{rows}x{columns}", out.read(), tiled(x).ravel())
        yield out.behind()


def _tile_rows(rows: int) -> tuple[int, int]:
    """Rows per block and row blocks: halved until 32 lanes x rows fit 255 warps (chw2chw32_blocks)."""
    block, grid = rows, 1
    while block > 255:
        block, grid = (block + 1) // 2, grid * 2
    return block, grid - max(0, (block * grid - rows) // block)


def _tile_strides(rows: int, columns: int, block_rows: int, to_tiles: bool) -> list[int]:
    """The twelve numbers behind the addresses (chw2chw32_align_params, chw322chw_align_params), tile pitch `rows`."""
    flat = (columns, LANES * 2, block_rows * columns * 2, rows * columns * 2)  # row, then blocks on x, y, z
    tile = (LANES, rows * LANES * 2, block_rows * LANES * 2, rows * columns * 2)
    source, target = (flat, tile) if to_tiles else (tile, flat)
    pairs = [number for both in zip(source[1:], target[1:], strict=True) for number in both]
    return [source[0], 0, target[0], 0, *pairs, 0, 0]


@case("mem_copy_2d_align_bf16_xy_opt", *TILE_COPIES, image="mem_copy_2d_align_f16_f16_all_xy_opt")
def tiles_and_back(bench: Bench) -> Iterable[Check]:
    """Activations to tiles before a product and tiles to rows behind it: 320 x 160 in two row blocks, and 5 x 64."""
    for rows, columns in ((320, 160), (5, 64)):
        x = _random(bench, rows, columns)
        block_rows, grid_y = _tile_rows(rows)
        for to_tiles, source, want in ((True, x, tiled(x)), (False, tiled(x), x)):
            out = Output.words(bench, x.size)
            params = [bench.put(source), out.address, *_tile_strides(rows, columns, block_rows, to_tiles)]
            bench.launch((columns // LANES, grid_y, 1), (LANES, block_rows, 1), params)
            yield Check(f"{rows}x{columns}, to tiles: {to_tiles}", out.read(), want.ravel())
            yield out.behind()


def _dynamic_tiles(bench: Bench, rows: int, pitch: int, columns: int) -> Iterator[Check]:
    """One launch each way; `rows` reaches the kernel by run-time word 6, the tiles hold `pitch` rows."""
    set_run_time_word(bench, TOKEN_COUNT, rows)
    x = _random(bench, pitch, columns)
    for to_tiles, source, want in ((True, x, tiled(x)), (False, tiled(x), x)):
        out = Output.words(bench, x.size)
        params = [bench.put(source), out.address, *_tile_strides(pitch, columns, 1, to_tiles), columns // LANES]
        bench.launch((1, 1, 1), (LANES, 1, 1), params)
        yield Check(f"{rows} of {pitch} rows, to tiles: {to_tiles}", out.read(), want.ravel())
        yield out.behind()


@case("mem_copy_2d_align_bf16_xy_opt_dyn_v1", EXPERT, image="mem_copy_2d_align_f16_f16_all_xy_opt_dyn_v1")
def dynamic_tiles_v1(bench: Bench) -> Iterable[Check]:
    """Rows are copied in blocks of 128, the last one whole (launch_chw_to_chw32_dyn, launch_chw32_to_chw_dyn)."""
    for rows in (75, 201):
        yield from _dynamic_tiles(bench, rows, -(-rows // 128) * 128, 160)


@case(
    "mem_copy_2d_align_bf16_xy_opt_dyn",
    EXPERT,
    image="mem_copy_2d_align_f16_f16_all_xy_opt_dyn",
    geometry="reduced",
    note="the host launches its successor only",
)
def dynamic_tiles(bench: Bench) -> Iterable[Check]:
    """All rows in one block, so at most 255."""
    for rows in (75, 201):
        yield from _dynamic_tiles(bench, rows, rows, 160)


@case("mem_copy_2d_align_bf16_yz_opt", "rpp_rope/kernel", geometry="reduced", note="no caller")
def heads_first(bench: Bench) -> Iterable[Check]:
    """[tokens][heads][width] to [heads][tokens][width]: blocks on y step over tokens, on z over heads."""
    tokens, heads, width, block_tokens = 128, 5, 64, 32
    x = _random(bench, tokens, heads, width)
    out = Output.words(bench, x.size)
    params = [bench.put(x), out.address, heads * width, 0, width, 0, 0, 0]
    params += [block_tokens * heads * width * 2, block_tokens * width * 2, width * 2, tokens * width * 2, 0, 0]
    bench.launch((1, tokens // block_tokens, heads), (width, block_tokens, 1), params)
    yield Check("heads first", out.read(), x.swapaxes(0, 1).ravel())
    yield out.behind()


# --- transpose --------------------------------------------------------------------------------------------------------

TRANSPOSES = ((256, 128), (96, 96), (32, 2048))


@case("blas_trans_padding", FLASH, VXM)
def pad_rows(bench: Bench) -> Iterable[Check]:
    """Rows of w elements to a pitch of w + 1, row blocks looped inside (KShape_TransPadding, KParam_TransPadding)."""
    for h, w in TRANSPOSES:
        x = _random(bench, h, w)
        out = Output.words(bench, h * (w + 1))
        block_h = max(n for n in range(1, min(h, 4096 // w) + 1) if h % n == 0)
        params = [bench.put(x), out.address, w * block_h * 2, block_h * 2, w + 1, 1, 1, h // block_h]
        bench.launch((1, 1, 1), (w, block_h, 1), params)
        got = out.read().reshape(h, w + 1)
        yield Check(f"{h}x{w}", got[:, :w], x)
        yield Check(f"padding of {h}x{w}", got[:, w], np.full(h, UNTOUCHED, np.uint16))
        yield out.behind()


@case("blas_transpose_u16", FLASH, VXM)
def transpose(bench: Bench) -> Iterable[Check]:
    """[h][w at pitch w + 1] to [w][h]: 8 columns per z, 32 rows per step (KShape_Trans, KParam_Trans)."""
    for h, w in TRANSPOSES:
        x = _random(bench, h, w)
        padded = np.full((h, w + 1), UNTOUCHED, np.uint16)
        padded[:, :w] = x
        out = Output.words(bench, x.size)
        z, pitch = min(128, w // 8), w * 2 + 2
        jumps = [(z - 1) * 16, 31 * pitch + (z * 8 - 7) * 2, (z * 8 - 8) * h * 2]
        params = [bench.put(padded), out.address, pitch, h * 8, *jumps, h // LANES, w // (8 * z), 0]
        bench.launch((1, 1, 1), (LANES, 1, z), params)
        yield Check(f"{h}x{w}", out.read(), x.T.ravel())
        yield out.behind()


# --- channel layouts --------------------------------------------------------------------------------------------------


def _channels_last(x: Words) -> Words:
    """`[channels, pixels]` -> `[channels/32, pixels, 32]`."""
    channels, pixels = x.shape
    return x.reshape(channels // LANES, LANES, pixels).swapaxes(1, 2)


@case("opt_chw2hwc32_16bits", POOL, image="opt_chw2hwc32_16b")
def channels_to_tiles(bench: Bench) -> Iterable[Check]:
    """32 channels x 1024 pixels to [pixel][32]: 4 blocks of 255 pixels and a launch for the last 4; 2 of 36 groups.

    rpp_pool_2d_build.
    """
    pixels, groups, per_block = 1024, 2, 255
    x = _random(bench, groups * LANES, pixels)
    source, out = bench.put(x), Output.words(bench, x.size)
    for group in range(groups):
        for first, block, grid in ((0, per_block, 4), (4 * per_block, 4, 1)):
            start = [source + (group * LANES * pixels + first) * 2, out.address + (group * pixels + first) * LANES * 2]
            params = [*start, block * 2, LANES * block * 2, pixels * 2, LANES, 0]
            bench.launch((grid, 1, 1), (LANES, block, 1), params)
    yield Check("tiles", out.read(), _channels_last(x).ravel())
    yield out.behind()


@case("opt_chw2hwc32_16bits", POOL, image="opt_chw2hwc32_16b", geometry="reduced")
def some_channels_to_tiles(bench: Bench) -> Iterable[Check]:
    """20 channels: the other 12 of a tile take the pad value."""
    channels, pixels, block, pad = 20, 240, 80, 0x4321
    x = _random(bench, LANES, pixels)
    out = Output.words(bench, x.size)
    params = [bench.put(x), out.address, block * 2, LANES * block * 2, pixels * 2, channels, pad]
    bench.launch((pixels // block, 1, 1), (LANES, block, 1), params)
    want = x.copy()
    want[channels:] = pad
    yield Check("tiles", out.read(), _channels_last(want).ravel())
    yield out.behind()


@case("hwc322hwc128_bf16", POOL, image="hwc322hwc128_f16_f32_f16_all")
def tiles_to_pitch_33(bench: Bench) -> Iterable[Check]:
    """36 x 256 rows of 32 to a pitch of 33, 144 rows per block (rpp_pool_2d_build)."""
    rows, per_block, pitch = 36 * 256, 144, LANES + 1
    x = _random(bench, rows, LANES)
    out = Output.words(bench, rows * pitch)
    strides = [LANES * per_block * 2, 1, pitch * per_block * 2, LANES, 0, pitch, 0]
    bench.launch((rows // per_block, 1, 1), (LANES, per_block, 1), [bench.put(x), out.address, *strides])
    got = out.read().reshape(rows, pitch)
    yield Check("rows", got[:, :LANES], x)
    yield Check("padding", got[:, LANES], np.full(rows, UNTOUCHED, np.uint16))
    yield out.behind()


@case("hwc322chw_bf16_opt1", POOL, image="hwc322chw_f16_f32_f16_all_opt1")
def tiles_to_channels_16x16(bench: Bench) -> Iterable[Check]:
    """[group][256][32 at pitch 33] to [channel][256]: the geometry is fixed by the kernel (rpp_pool_2d_build)."""
    groups, pixels, pitch = 36, 256, LANES + 1
    x = _random(bench, groups * LANES, pixels)
    padded = np.full((groups, pixels, pitch), UNTOUCHED, np.uint16)
    padded[..., :LANES] = _channels_last(x)
    out = Output.words(bench, x.size)
    numbers = [pitch * 2, pixels, 2, pixels * pitch * 2, pixels * LANES * 2]
    bench.launch((groups, 1, 1), (LANES, LANES, 4), [bench.put(padded), out.address, *numbers])
    yield Check("channels", out.read(), x.ravel())
    yield out.behind()


BATCH, CHANNELS, PIXELS, PIXELS_PER_BLOCK = 2, 128, 150, 40  # the last pixel block is masked


def _batches(bench: Bench) -> tuple[Words, Words]:
    x = _random(bench, BATCH, CHANNELS, PIXELS)
    return x, np.stack([_channels_last(image) for image in x])


@case("chw2hwc32_bf16", POOL, image="chw2hwc32_f16_f32_f16_all", geometry="reduced", note="no caller")
def channels_to_tiles_masked(bench: Bench) -> Iterable[Check]:
    """[batch][channel][pixel] to [batch][channel/32][pixel][32]: 64 channels per block on x, 40 pixels on y."""
    x, tiles = _batches(bench)
    out = Output.words(bench, x.size)
    image = CHANNELS * PIXELS * 2
    params = [bench.put(x), out.address, PIXELS, BATCH, image, image, CHANNELS // 2, CHANNELS // 2]
    bench.launch((2, -(-PIXELS // PIXELS_PER_BLOCK), 1), (CHANNELS // 2, PIXELS_PER_BLOCK, 1), params)
    yield Check("tiles", out.read(), tiles.ravel())
    yield out.behind()


@case("hwc322chw_bf16", POOL, geometry="reduced", sources=("text",), note="no image, no caller")
def tiles_to_channels_masked(bench: Bench) -> Iterable[Check]:
    """The way back, all channels on x."""
    x, tiles = _batches(bench)
    out = Output.words(bench, x.size)
    image = CHANNELS * PIXELS * 2
    params = [bench.put(tiles), out.address, PIXELS, BATCH, image, image]
    bench.launch((1, -(-PIXELS // PIXELS_PER_BLOCK), 1), (CHANNELS, PIXELS_PER_BLOCK, 1), params)
    yield Check("channels", out.read(), x.ravel())
    yield out.behind()


# --- strided copies ---------------------------------------------------------------------------------------------------


@register("cont", texts=(CONT,), geometry="reduced", note="the host copies by DMA")
@register("memcpy_align", (CONT,), geometry="reduced", note="the host copies by DMA")
def strided_to_contiguous(bench: Bench) -> Iterable[Check]:
    """A permuted view [5][128][64] of a larger tensor to contiguous rows; the shape is that of calc_tbdim_align."""
    depth, rows, columns, block_rows = 5, 128, 64, 64
    memory = _random(bench, columns, depth, rows + 2)
    view = memory[:, :, :rows].transpose(1, 2, 0)
    z, y, x = view.strides
    out = Output.words(bench, view.size)
    grid: Dim = (1, rows // block_rows, depth)
    params = [bench.put(memory), out.address, x, y, columns, rows * columns]
    params += [columns * x, block_rows * y, z, columns * 2, block_rows * columns * 2, rows * columns * 2]
    bench.launch(grid, (columns, block_rows, 1), params)
    yield Check("contiguous", out.read(), view.ravel())
    yield out.behind()


@case("mem_copy_align_f16_f16_all", "rpp_expert_routing/kernel", sources=("image",))
def copy_blocks(bench: Bench) -> Iterable[Check]:
    """Router scores to the top-k buffer (rpp_expert_routing_build, config_topk_2d_block): blocks on x and y.

    600 tokens x 64 experts are 9 blocks and a shorter launch, 5 tokens x 8192 are 2 x 5 blocks.
    """
    for tokens, experts in ((600, 64), (5, 8192)):
        x = _random(bench, tokens, experts)
        source, out = bench.put(x), Output.words(bench, x.size)
        width = min(experts, 4096)
        per_block = min(tokens, -(-4096 // width))
        block: Dim = (width, per_block, 1)
        full, rest = divmod(tokens, per_block)
        bench.launch((experts // width, full, 1), block, [source, out.address, volume(block)])
        if rest:
            done = full * volume(block) * 2
            bench.launch((1, 1, 1), (width, rest, 1), [source + done, out.address + done, 0])
        yield Check(f"{tokens}x{experts}", out.read(), x.ravel())
        yield out.behind()
