"""Reductions over one axis: sum, product, maximum, minimum and mean, in steps that the host code plans.

A step turns an axis of `parts * kept` elements into `kept`: element m of the result folds elements m, m + kept,
m + 2*kept, ... in that order. Accumulation is float32 (maxima and minima are exact anyway), so every result is exact.
The `plan` here restates create_reduce_kernel_task and chooses kernel and launch; which steps exist is ReduceSpawnIO's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from math import prod

import numpy as np

from conformance.case import Bench, Check, bf16, case, f32, truncated
from conformance.cases.common import LANES, Dim, Floats, Output, Words, float_bits, reciprocal_table, register, volume
from conformance.cases.quant import from_planes, planes, random_bf16

FLASH, VXM = "rpp_flash_attn_ext/kernel", "rpp_flash_attn_ext/kernel_vxm"
NORMS = ("rpp_norm/kernel", "rpp_reduce_sum/kernel", "rpp_rms_norm/kernel")
ROUTING = "rpp_expert_routing/kernel"

SUM, PRODUCT, MAXIMUM, MINIMUM, MEAN = range(5)  # operation codes that the host passes
CODES = (SUM, PRODUCT, MAXIMUM, MINIMUM, MEAN)
MOST_LANES = 8191

Shape = tuple[int, ...]


# --- what a step computes ---------------------------------------------------------------------------------------------

FOLDS: dict[int, tuple[float, Callable[[Floats, Floats], Floats]]] = {
    SUM: (0.0, np.add),
    PRODUCT: (1.0, np.multiply),
    MAXIMUM: (-np.inf, np.maximum),
    MINIMUM: (np.inf, np.minimum),
    MEAN: (0.0, np.add),
}


def fold(values: Floats, code: int) -> Floats:
    """Fold the first axis in order, one float32 operation per element; a mean multiplies by float32(1/n) at the end."""
    start, operation = FOLDS[code]
    total = np.full(values.shape[1:], start, np.float32)
    for part in values:
        total = operation(part, total)
    return total * np.float32(1 / len(values)) if code == MEAN else total


def parts_first(values: Floats, axis: int, kept: int) -> Floats:
    """`[..., parts*kept, ...]` -> `[parts, ..., kept, ...]`."""
    shape = values.shape
    split = values.reshape(*shape[:axis], shape[axis] // kept, kept, *shape[axis + 1 :])
    return np.moveaxis(split, axis, 0)


def random_values(bench: Bench, shape: Shape, code: int) -> Words:
    """bfloat16 values whose fold neither overflows nor vanishes."""
    if code == PRODUCT:
        return bf16(1 + 0.2 * bench.rng.standard_normal(shape).astype(np.float32))
    return random_bf16(bench.rng, shape)


# --- how the host launches it -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Step:
    """Kernel, launch shape, and the parameters that follow the addresses (before the operation code)."""

    kernel: str
    grid: Dim
    block: Dim
    numbers: tuple[int, ...]


@dataclass(frozen=True)
class Lanes:
    """Lanes over the outputs of a step: block and grid, bytes per block, and the block padded above one warp."""

    block: Dim
    grid: Dim
    block_bytes: int
    padded: Dim
    narrow: bool

    @property
    def whole_warps(self) -> bool:
        return volume(self.block) % LANES == 0


def lanes_over(target: Shape) -> Lanes:
    """The last three axes are x, y, z; a lone axis below 32 is taken as 32; z, then y, then x is divided to fit."""
    sizes = [*target]
    long = [i for i, size in enumerate(target) if size != 1]
    last = long[-1] if long else len(target) - 1
    narrow = len(long) <= 1 and target[last] < LANES
    if narrow:
        sizes[last] = LANES
    block, grid = [*reversed(sizes), 1, 1][:3], [1, 1, 1]
    for i in (2, 1, 0):
        total = prod(block)
        if total > MOST_LANES and block[i] > 1:
            divisors = (d for d in range(2, block[i] + 1) if block[i] % d == 0)
            grid[i] = next(d for d in divisors if total // d < MOST_LANES or d == block[i])
            block[i] //= grid[i]
    block_bytes = 2 * (target[last] if narrow else prod(block))
    padded = [*block]
    if prod(block) <= LANES:
        padded[next((i for i in (0, 1) if block[i] != 1), 2)] = LANES + 1
    return Lanes(_dim(block), _dim(grid), block_bytes, _dim(padded), narrow)


def _dim(sizes: list[int]) -> Dim:
    x, y, z = sizes
    return x, y, z


def merged(axis: int, shape: Shape) -> Shape:
    """Of three or more axes, those before and those after the reduced one become one each."""
    if len(shape) < 3:
        return shape
    before = (prod(shape[:axis]),) if axis else ()
    after = (prod(shape[axis + 1 :]),) if axis + 1 < len(shape) else ()
    return (*before, shape[axis], *after)


def plan(axis: int, source: Shape, target: Shape) -> Step:
    """The launch that create_reduce_kernel_task makes for a step from `source` to `target`."""
    source, target = merged(axis, source), merged(axis, target)
    axis = min(axis, 1)
    lanes = lanes_over(target)
    parts = source[axis] // target[axis]
    share = (float_bits(np.float32(1) / np.float32(parts)), parts)
    outer = axis > 0 and source[0] != 1
    x, y, z = lanes.padded
    if not outer and lanes.whole_warps:
        numbers = (lanes.block_bytes, lanes.block_bytes, prod(target) * 2, *share)
        return Step("opt_reduce", lanes.grid, lanes.padded, numbers)
    if axis == len(source) - 2 and x * y % LANES == 0:
        grid = (lanes.grid[0] * z, *lanes.grid[1:])
        return Step("opt_reduce", grid, (x, y, 1), (x * y * parts * 2, x * y * 2, x * y * 2, *share))
    if axis == len(source) - 1 and target[axis] % LANES == 0:
        return _by_rows(target, parts, share)
    return _by_gather(source, target, lanes, axis, share)


def _by_rows(target: Shape, parts: int, share: tuple[int, int]) -> Step:
    """Rows on z, as many per block as fit."""
    rows, x = target
    per_block = next(rows // d for d in range(1, rows + 1) if rows % d == 0 and x * (rows // d) <= MOST_LANES)
    out = x * per_block * 2
    numbers = (out * parts, out, x * 2, share[0], x * parts, parts)
    return Step("opt_aln_z32_reduce", (rows // per_block, 1, 1), (x, 1, per_block), numbers)


def _by_gather(source: Shape, target: Shape, lanes: Lanes, axis: int, share: tuple[int, int]) -> Step:
    """One address per lane: byte strides of y and z, in and out."""
    outer = axis > 0 and source[0] != 1
    step = 2 if lanes.narrow else 2 * prod(target[axis:])
    if outer:
        step = min(step, lanes.block_bytes)
    row = source[-1] * 2
    out_row = lanes.block[0] * 2
    strides = (row, source[-2] * row, out_row, lanes.block[1] * out_row)
    in_block = lanes.block_bytes * (share[1] if outer else 1)
    name = "opt_gen_reduce" if lanes.whole_warps else "gen_reduce"
    return Step(name, lanes.grid, lanes.padded, (in_block, lanes.block_bytes, *strides, step, *share))


# --- running a step ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Reduction:
    """A step by its axis and shapes, and the operations that are run on it."""

    axis: int
    source: Shape
    target: Shape
    codes: tuple[int, ...] = CODES

    def planned(self, expected: str) -> Step:
        step = plan(self.axis, self.source, self.target)
        if step.kernel != expected:
            raise ValueError(f"{self} is planned as {step.kernel}, not {expected}")
        return step

    def folded(self, values: Floats, code: int) -> Floats:
        return fold(parts_first(values, self.axis, self.target[self.axis]), code).ravel()

    def tight(self, step: Step) -> bool:
        """No lanes beyond the outputs."""
        return volume(step.block) * volume(step.grid) == prod(self.target)


def steps_f16(
    bench: Bench,
    kernel: str,
    reductions: Iterable[Reduction],
    narrowed: Callable[[Floats, int], Words] = lambda total, code: truncated(total),
    extra: tuple[int, ...] = (),
) -> Iterator[Check]:
    """Every operation of every step, bfloat16 in and out."""
    for reduction in reductions:
        step = reduction.planned(kernel)
        for code in reduction.codes:
            x = random_values(bench, reduction.source, code)
            out = Output.words(bench, prod(reduction.target))
            bench.launch(step.grid, step.block, [bench.put(x), out.address, *step.numbers, code, *extra])
            want = narrowed(reduction.folded(f32(x), code), code)
            yield Check(f"{reduction.source} to {reduction.target}, code {code}", out.read(), want)
            if reduction.tight(step):
                yield out.behind()


def steps_f32(bench: Bench, kernel: str, reductions: Iterable[Reduction]) -> Iterator[Check]:
    """Every operation of every step, float32 as planes of high and low halves (convert_reduce_task_to_split_f32)."""
    for reduction in reductions:
        step = reduction.planned(kernel)
        for code in reduction.codes:
            x = f32(random_values(bench, reduction.source, code)) * np.float32(1.001)
            high, low = planes(x)
            outs = Output.words(bench, prod(reduction.target)), Output.words(bench, prod(reduction.target))
            addresses = [bench.put(high), outs[0].address, bench.put(low), outs[1].address]
            bench.launch(step.grid, step.block, [*addresses, *step.numbers, code])
            got = from_planes(outs[0].read(), outs[1].read())
            yield Check(f"{reduction.source} to {reduction.target}, code {code}", got, reduction.folded(x, code))


def _product_to_nearest(total: Floats, code: int) -> Words:
    return bf16(total) if code == PRODUCT else truncated(total)


def _reciprocal(bench: Bench, kernel: str, reductions: Iterable[Reduction]) -> Iterator[Check]:
    """The last step of a softmax sum: the result, truncated, indexes the table of reciprocals."""
    table = reciprocal_table()
    yield from steps_f16(bench, kernel, reductions, lambda total, _: table[truncated(total)], (bench.put(table),))


# --- cases ------------------------------------------------------------------------------------------------------------

SOFTMAX = Reduction(0, (4, 320, LANES), (1, 320, LANES), (SUM, MAXIMUM))  # over key tiles, 320 queries: two blocks
SINGLE_QUERY = (Reduction(1, (1, 256), (1, 128)), Reduction(1, (1, 64), (1, 1)))
MOE_SUM = Reduction(1, (6, 32, 64), (6, 16, 64))  # rpp_reduce_sum_build: sum over H of C x H x W
ROWS_TO_WARPS = (Reduction(1, (3000, 96), (3000, 32), (MEAN,)), Reduction(1, (64, 1024), (64, 64)))
ROWS_TO_ONE = (
    Reduction(1, (64, 32), (64, 16)),
    Reduction(1, (96, 2), (96, 1)),
    Reduction(1, (8, 8), (8, 1)),  # 8 outputs on 33 lanes
    Reduction(1, (8, 12, 20), (8, 6, 20)),
    Reduction(1, (16384, 2), (16384, 1), (MEAN,)),  # four blocks on y
)
ODD_ROWS = (
    Reduction(1, (100, 4), (100, 2)),
    Reduction(1, (100, 2), (100, 1)),
    Reduction(1, (5, 12, 20), (5, 6, 20)),
    Reduction(1, (10000, 3), (10000, 1), (MEAN,)),  # two blocks on y
)
SPLIT_WARPS = (Reduction(1, (8, 512), (8, 256)), Reduction(1, (300, 96), (300, 32)))
SPLIT_ROWS = (Reduction(1, (8, 16), (8, 8)), Reduction(1, (8, 8), (8, 1)))


@register("opt_reduce_f16", (FLASH, VXM, *NORMS), images=(ROUTING,))
def opt_reduce(bench: Bench) -> Iterable[Check]:
    """Outputs on contiguous lanes, inputs a fixed stride apart: softmax over key tiles, sums over H, single rows."""
    return steps_f16(bench, "opt_reduce", (SOFTMAX, *SINGLE_QUERY, MOE_SUM))


@register("opt_aln_z32_reduce_f16", (FLASH, VXM, *NORMS))
def opt_aln_z32_reduce(bench: Bench) -> Iterable[Check]:
    """Rows on z: the first steps of a mean over columns (rpp_rmsnorm_common_build, rpp_norm_build)."""
    return steps_f16(bench, "opt_aln_z32_reduce", ROWS_TO_WARPS)


@register("opt_gen_reduce_f16", (FLASH, VXM, *NORMS), images=(ROUTING,))
def opt_gen_reduce(bench: Bench) -> Iterable[Check]:
    """An address per lane, contiguous results: the last steps over columns. The product is rounded to nearest even."""
    return steps_f16(bench, "opt_gen_reduce", ROWS_TO_ONE, _product_to_nearest)


@register("gen_reduce_f16", (FLASH, *NORMS), images=(ROUTING,))
def gen_reduce(bench: Bench) -> Iterable[Check]:
    """An address per lane for loads and stores: lane counts that are not whole warps."""
    return steps_f16(bench, "gen_reduce", ODD_ROWS, _product_to_nearest)


@register("opt_reduce_reciprocal_f16", (FLASH, VXM), images=(ROUTING,))
def opt_reduce_reciprocal(bench: Bench) -> Iterable[Check]:
    """1/sum of a single row (rpp_flash_atten_build_impl with one query): 33 lanes, the first one counts."""
    return _reciprocal(bench, "opt_reduce", SINGLE_QUERY[1:])


@register("opt_reduce_reciprocal_f16", (FLASH, VXM), images=(ROUTING,), geometry="reduced")
def opt_reduce_reciprocal_rows(bench: Bench) -> Iterable[Check]:
    """The same over many outputs in two blocks, which the host never asks for."""
    return _reciprocal(bench, "opt_reduce", (SOFTMAX,))


@register("opt_gen_reduce_reciprocal_f16", (FLASH, VXM), images=(ROUTING,))
def opt_gen_reduce_reciprocal(bench: Bench) -> Iterable[Check]:
    """1/sum of 96 queries, of 8 grouped queries on 33 lanes (both flash attention builders)."""
    return _reciprocal(bench, "opt_gen_reduce", ROWS_TO_ONE[1:3])


@register("opt_gen_reduce_reciprocal_f16", (FLASH, VXM), images=(ROUTING,), geometry="reduced")
def opt_gen_reduce_reciprocal_rows(bench: Bench) -> Iterable[Check]:
    """The same in three dimensions and in four blocks, which the host never asks for."""
    return _reciprocal(bench, "opt_gen_reduce", ROWS_TO_ONE[3:])


@case("gen_reduce_reciprocal_f16", ROUTING, sources=("image",))
def gen_reduce_reciprocal(bench: Bench) -> Iterable[Check]:
    """1/sum over the experts of 100 tokens (rpp_expert_routing_build)."""
    return _reciprocal(bench, "gen_reduce", ODD_ROWS[1:2])


@case("gen_reduce_reciprocal_f16", ROUTING, geometry="reduced", sources=("image",))
def gen_reduce_reciprocal_rows(bench: Bench) -> Iterable[Check]:
    """The same in three dimensions and in two blocks, which the host never asks for."""
    return _reciprocal(bench, "gen_reduce", ODD_ROWS[2:])


@case("opt_reduce_f32", VXM)
def opt_reduce_f32(bench: Bench) -> Iterable[Check]:
    """float32 scores of a single query head (rpp_flash_atten_build_vxm)."""
    return steps_f32(bench, "opt_reduce", SINGLE_QUERY)


@case("opt_reduce_f32", VXM, geometry="reduced")
def opt_reduce_f32_rows(bench: Bench) -> Iterable[Check]:
    """Many outputs in two blocks, which the host never asks for in float32."""
    return steps_f32(bench, "opt_reduce", (SOFTMAX,))


@case("opt_aln_z32_reduce_f32", VXM)
def opt_aln_z32_reduce_f32(bench: Bench) -> Iterable[Check]:
    """float32 scores of 8 grouped queries over 512 keys (rpp_flash_atten_build_vxm), and 300 rows in two blocks."""
    return steps_f32(bench, "opt_aln_z32_reduce", SPLIT_WARPS)


@case("opt_gen_reduce_f32", VXM)
def opt_gen_reduce_f32(bench: Bench) -> Iterable[Check]:
    """The last steps over the keys of 8 grouped queries."""
    return steps_f32(bench, "opt_gen_reduce", SPLIT_ROWS)


@case("opt_gen_reduce_f32", VXM, geometry="reduced")
def opt_gen_reduce_f32_rows(bench: Bench) -> Iterable[Check]:
    """Three dimensions and four blocks, which the host never asks for in float32."""
    return steps_f32(bench, "opt_gen_reduce", ROWS_TO_ONE[3:])


# --- slabs with a row pitch -------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Slabs:
    """`[images][slabs][rows][pitch]`, of which the first 32 columns are reduced over the slabs."""

    images: int = 3
    slabs: int = 6
    rows: int = 40
    pitch: int = 64

    @property
    def shape(self) -> Shape:
        return self.images, self.slabs, self.rows, self.pitch

    def numbers(self) -> tuple[int, ...]:
        slab = self.rows * self.pitch * 2
        share = float_bits(np.float32(1) / np.float32(self.slabs))
        return slab * self.slabs, self.rows * LANES * 2, slab, share, self.slabs, self.pitch

    def folded(self, values: Floats, code: int) -> Floats:
        return fold(np.moveaxis(values[..., :LANES], 1, 0), code).ravel()


SLABS = Slabs()
SLAB_OUTPUTS = SLABS.images * SLABS.rows * LANES


def _slabs_f16(
    bench: Bench, narrowed: Callable[[Floats], Words] = truncated, extra: tuple[int, ...] = ()
) -> Iterator[Check]:
    for code in CODES:
        x = random_values(bench, SLABS.shape, code)
        out = Output.words(bench, SLAB_OUTPUTS)
        params = [bench.put(x), out.address, *SLABS.numbers(), code, *extra]
        bench.launch((SLABS.images, 1, 1), (LANES, SLABS.rows, 1), params)
        yield Check(f"code {code}", out.read(), narrowed(SLABS.folded(f32(x), code)))
        yield out.behind()


@register("opt_aln_reduce_f16", (FLASH, VXM, *NORMS), images=(ROUTING,), geometry="reduced")
def opt_aln_reduce(bench: Bench) -> Iterable[Check]:
    """Channel slabs of a 32-channel layout: the branch of create_reduce_kernel_task that no caller selects."""
    return _slabs_f16(bench)


@register("opt_aln_reduce_reciprocal_f16", (VXM,), texts=(FLASH,), images=(ROUTING,), geometry="reduced")
def opt_aln_reduce_reciprocal(bench: Bench) -> Iterable[Check]:
    """The same with the table of reciprocals."""
    table = reciprocal_table()
    return _slabs_f16(bench, lambda total: table[truncated(total)], (bench.put(table),))


@case("opt_aln_reduce_f32", VXM, geometry="reduced")
def opt_aln_reduce_f32(bench: Bench) -> Iterable[Check]:
    """The same on planes of float32 halves."""
    for code in CODES:
        x = f32(random_values(bench, SLABS.shape, code)) * np.float32(1.001)
        high, low = planes(x)
        outs = Output.words(bench, SLAB_OUTPUTS), Output.words(bench, SLAB_OUTPUTS)
        addresses = [bench.put(high), outs[0].address, bench.put(low), outs[1].address]
        bench.launch((SLABS.images, 1, 1), (LANES, SLABS.rows, 1), [*addresses, *SLABS.numbers(), code])
        yield Check(f"code {code}", from_planes(outs[0].read(), outs[1].read()), SLABS.folded(x, code))
