"""Element by element on bfloat16: scale, add, multiply, row-wise operands, constant fill, average pooling.

All arithmetic here widens to float32, rounds once per float32 operation and drops the low half when it narrows, so
every result is exact. Buffers that blocks or steps walk through exceed 64 KiB, so that a 16-bit address sum shows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from conformance.case import Bench, Check, case, f32, truncated
from conformance.cases.common import (
    LANES,
    MAX_THREADS,
    Dim,
    Floats,
    Output,
    Words,
    flat_launch,
    float_bits,
    register,
    volume,
)
from conformance.cases.quant import random_bf16

FLASH = ("rpp_flash_attn_ext/kernel", "rpp_flash_attn_ext/kernel_vxm")
MUL = "rpp_mul/kernel"
POOL = "rpp_pool_2d/kernel"

Operation = Callable[[Floats, Floats], Floats]


def _apply(operation: Operation, a: Words, b: Words) -> Words:
    return truncated(operation(f32(a), f32(b)))


# --- scale ------------------------------------------------------------------------------------------------------------


@case("llm_scale", "rpp_scale/kernel")
def llm_scale(bench: Bench) -> Iterable[Check]:
    """x*scale + bias in place: full 4096-lane steps in one launch, the rest in a second (rpp_scale_build)."""
    elements, step = 9 * 4096 + 1000, 4096
    scale, bias = np.float32(0.7071), np.float32(-1.25)
    x = random_bf16(bench.rng, (elements,), 3.0)
    address = bench.put(x)
    constants = [float_bits(scale), float_bits(bias)]
    full = -(-elements // step) - 1
    done = address + full * step * 2
    bench.launch(*flat_launch(1, step), [address, *constants, address, step * 2, full])
    bench.launch(*flat_launch(1, elements - full * step), [done, *constants, done, 0, 1])
    yield Check("scaled", bench.read(address, elements, np.uint16), truncated(f32(x) * scale + bias))


@case("opt_scale_uniform_f16", *FLASH)
def opt_scale_uniform(bench: Bench) -> Iterable[Check]:
    """The attention scale on a query tile of 288 rows x 128, in place (KShape_Scale, KParam_Scale)."""
    rows, width, scale = 288, 128, np.float32(1 / np.sqrt(128))
    block_rows = 4096 // width  # rows double until a block has 4096 lanes
    block = (width, block_rows, 1)
    x = random_bf16(bench.rng, (rows, width), 8.0)
    address = bench.put(x)
    bench.launch((rows // block_rows, 1, 1), block, [address, float_bits(scale), address, volume(block) * 2])
    yield Check("scaled", bench.read(address, x.size, np.uint16), truncated(f32(x.ravel()) * scale))


# --- two operands -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Tile:
    """A tile of rows x width, and whether one row of the second operand serves all rows."""

    rows: int
    width: int
    shared_row: bool = False

    @property
    def pitch(self) -> int:
        """Elements from row to row: the host pads rows to a multiple of 32."""
        return -(-self.width // LANES) * LANES

    def launch(self) -> tuple[Dim, int]:
        """Block, and steps inside the kernel: all rows on z if they fit, else one row per step."""
        whole = self.pitch == self.width and self.rows * self.width < MAX_THREADS
        x, z = self.pitch, self.rows if whole else 1
        y = max(1, LANES // (x * z) + 1) if x * z <= LANES else 1
        return (x, y, z), 1 if whole else self.rows


TILES = (Tile(24, 256), Tile(24, 256, True), Tile(40, 1024), Tile(40, 1024, True), Tile(7, 300, True), Tile(1, 32))


def _pad(values: Words, pitch: int) -> Words:
    padded = np.zeros((values.shape[0], pitch), np.uint16)
    padded[:, : values.shape[1]] = values
    return padded


def _tile_pair(bench: Bench, operation: Operation, tile: Tile) -> Check:
    """One elementwise launch as rpp_elementwise_build_tiled configures it (both its paths, padded rows and not)."""
    a = random_bf16(bench.rng, (tile.rows, tile.width))
    b = random_bf16(bench.rng, (1 if tile.shared_row else tile.rows, tile.width))
    block, steps = tile.launch()
    step = block[0] * block[2] * 2
    second = (0, 0) if tile.shared_row else (step, tile.pitch)
    out = bench.sram(tile.rows * tile.pitch * 2)
    params = [bench.put(_pad(a, tile.pitch)), bench.put(_pad(b, tile.pitch)), out]
    bench.launch((1, 1, 1), block, [*params, step, second[0], steps, tile.pitch, second[1]])
    got = bench.read(out, tile.rows * tile.pitch, np.uint16).reshape(tile.rows, tile.pitch)
    return Check(f"{tile}", got[:, : tile.width], _apply(operation, a, b))


@register("elementwise_add", (MUL,), texts=("rpp_mul_mat/kernel_q5_k", "rpp_mul_mat/kernel_q5_k_vxm"))
def elementwise_add(bench: Bench) -> Iterable[Check]:
    """a + b over tiles; a shared second row uses stride 0."""
    return [_tile_pair(bench, np.add, tile) for tile in TILES]


@case("elementwise_mul", MUL)
def elementwise_mul(bench: Bench) -> Iterable[Check]:
    """a * b over tiles; a shared second row uses stride 0."""
    return [_tile_pair(bench, np.multiply, tile) for tile in TILES]


def _contiguous(bench: Bench, operation: Operation, block: int, steps: int) -> Iterator[Check]:
    a, b = random_bf16(bench.rng, (block * steps,)), random_bf16(bench.rng, (block * steps,))
    out = Output.words(bench, block * steps)
    bench.launch((1, 1, 1), (block, 1, 1), [bench.put(a), bench.put(b), out.address, block * 2, steps])
    yield Check(f"{steps} steps of {block}", out.read(), _apply(operation, a, b))
    yield out.behind()


@case("opt_binary_add_f16", FLASH[0])
def opt_binary_add(bench: Bench) -> Iterable[Check]:
    """Scores + mask of 160 queries x 256 keys, halved until a block fits; the kernel loops over the parts.

    rpp_flash_atten_build_impl.
    """
    block, steps = 160 * 256, 1
    while block >= MAX_THREADS:
        block, steps = block // 2, steps * 2
    return _contiguous(bench, np.add, block, steps)


@case("elementwise_mul_111", MUL, geometry="reduced", sources=("text",), note="no image, no caller")
def elementwise_mul_111(bench: Bench) -> Iterable[Check]:
    """a * b, contiguous, looped inside the kernel."""
    return _contiguous(bench, np.multiply, 640, 5)


# --- a row operand ----------------------------------------------------------------------------------------------------

ADD, MULTIPLY, SUBTRACT = 0, 1, 4  # operation codes that the host passes
BY_CODE: dict[int, Operation] = {ADD: np.add, MULTIPLY: np.multiply, SUBTRACT: np.subtract}


@case("opt_binary_bc_x", MUL, sources=("image",))
def opt_binary_bc_x(bench: Bench) -> Iterable[Check]:
    """x op s[row], the axis-2 broadcast of rpp_elementwise_build_tiled: all rows in one block, or one block per row."""
    for rows, width in ((24, 64), (40, 1024)):
        whole = rows * width < MAX_THREADS
        block = (width, rows if whole else 1, 1)
        for code in (ADD, MULTIPLY):
            x, s = random_bf16(bench.rng, (rows, width)), random_bf16(bench.rng, (rows, 1))
            out = Output.words(bench, rows * width)
            strides = [block[0] * block[1] * 2, block[1] * 2]
            params = [bench.put(x), bench.put(s), out.address, *strides, code]
            bench.launch((1, 1, 1 if whole else rows), block, params)
            yield Check(f"{rows}x{width} code {code}", out.read(), _apply(BY_CODE[code], x, s).ravel())
            yield out.behind()


@case("opt_binary_bc_x_f16", "rpp_expert_routing/kernel", sources=("image",))
def opt_binary_bc_x_f16(bench: Bench) -> Iterable[Check]:
    """Softmax over 8 routed experts of 2048 tokens: subtract the row maximum in place, multiply by 1/sum.

    Block heights as config_bc_x_op_block chooses them: the largest multiple of 8 rows below 8192 lanes, and the rest.
    """
    tokens, experts = 2048, 8
    rows = (MAX_THREADS // experts - 1) // experts * experts
    x, s = random_bf16(bench.rng, (tokens, experts)), random_bf16(bench.rng, (tokens, 1))
    address, scalars = bench.put(x), bench.put(s)
    product = Output.words(bench, tokens * experts)
    for code, out in ((SUBTRACT, address), (MULTIPLY, product.address)):
        for first in range(0, tokens, rows):
            block = (experts, min(rows, tokens - first), 1)
            shift = first * experts * 2
            params = [address + shift, scalars + first * 2, out + shift, 0, 0, code]
            bench.launch((1, 1, 1), block, params)
    difference = _apply(np.subtract, x, s)
    yield Check("x - s in place", bench.read(address, x.size, np.uint16), difference.ravel())
    yield Check("(x - s) * s", product.read(), _apply(np.multiply, difference, s).ravel())
    yield product.behind()


# --- fill -------------------------------------------------------------------------------------------------------------

FILL_BOTH = (
    "rpp_expert_forward/kernel",
    "rpp_flash_attn_ext/kernel",
    "rpp_mul_mat/kernel_bf16",
    "rpp_mul_mat/kernel_q4_k",
    "rpp_mul_mat/kernel_q6_k_vxm",
    "rpp_norm/kernel",
    "rpp_set_rows/kernel",
)
FILL_TEXT_MATMUL = (
    "q2_s q2_s_nolut q2_s_vxm q2_s_vxm_nolut q2_xs q2_xs_nolut q2_xs_vxm q2_xs_vxm_nolut q3_xxs q3_xxs_nolut "
    "q3_xxs_vxm q4_1 q4_1_vxm q4_k_vxm q5_k q5_k_vxm q6_k q8_0 q8_0_vxm"
)
FILL_TEXTS = (
    "rpp_expert_forward/kernel_vxm/kernel_topk_combine",
    "rpp_glu/kernel_geglu_erf",
    "rpp_glu/kernel_swiglu",
    "rpp_mul/kernel",
    "rpp_reduce_sum/kernel",
    "rpp_rms_norm/kernel",
    "rpp_rope/kernel",
    "rpp_scale/kernel",
    *(f"rpp_mul_mat/kernel_{name}" for name in FILL_TEXT_MATMUL.split()),
)


@register("fill_16bits_align", FILL_BOTH, texts=FILL_TEXTS, images=("rpp_expert_routing/kernel",))
def fill(bench: Bench) -> Iterable[Check]:
    """A constant over a flat buffer (launch_fill_zero_bf16, and 0xFFFF / 1.0 in rpp_expert_routing_build)."""
    for count, value in ((40 * 1000, 0), (2 * 100 * 64, 0xFFFF), (100, 0x3F80)):
        out = Output.words(bench, count)
        grid, block = flat_launch(1, count)
        bench.launch(grid, block, [out.address, block[0] * 2, value])
        yield Check(f"{count} words of {value:#x}", out.read(), np.full(count, value, np.uint16))
        yield out.behind()


@register("fill_16bits_align", FILL_BOTH[:2], geometry="reduced")
def fill_short_tail(bench: Bench) -> Iterable[Check]:
    """A last block that is shorter than the others: the kernel takes its shape from the tail block of the launch."""
    block, grid, tail = 256, 5, 40
    out = Output.words(bench, block * (grid - 1) + tail)
    bench.launch((grid, 1, 1), (block, 1, 1), [out.address, block * 2, 0x4049], tail=(tail, 1, 1))
    yield Check("filled", out.read(), np.full(out.count, 0x4049, np.uint16))
    yield out.behind()


# --- pooling ----------------------------------------------------------------------------------------------------------


@case("opt_ap_fast_flp16", POOL, image="ap_f16_f32_f16_hwc32")
def average_pool(bench: Bench) -> Iterable[Check]:
    """Mean of 2 x 2 pixels, stride 2, on [group][32][32][32], 1152 channels: the only shape of rpp_pool_2d_build.

    Four float32 additions in row order, times 1/4, truncated.
    """
    groups, side, half = 1152 // LANES, 32, 16
    x = random_bf16(bench.rng, (groups, side, side, LANES))
    out = Output.words(bench, groups * half * half * LANES)
    pixel, row, rows_per_block = LANES * 2, side * LANES * 2, 8
    params = [
        *(bench.put(x), out.address),
        *(2 * LANES, LANES, 2 * side * LANES, half * LANES),  # y and z strides in elements: in, out, in, out
        *(side * row, half * half * pixel),  # next channel group
        *(pixel, row - 2 * pixel),  # next pixel of the window; from its end to its next row
        *(2, 1, rows_per_block * 2 * row, rows_per_block * half * pixel, 1, 2),
        float_bits(0.25),
        *(half * 2 * pixel, half * pixel),  # next block on y (there is one)
        *(rows_per_block * 2 * row, rows_per_block * half * pixel),  # next block on z
        0,
    ]
    bench.launch((groups, 1, half // rows_per_block), (LANES, half, rows_per_block), params)
    yield Check("means", out.read(), _means(x).ravel())
    yield out.behind()


def _means(x: Words) -> Words:
    total = np.zeros((x.shape[0], x.shape[1] // 2, x.shape[2] // 2, x.shape[3]), np.float32)
    for i in range(2):
        for j in range(2):
            total = f32(x[:, i::2, j::2]) + total
    return truncated(total * np.float32(0.25))
