"""Convolutions of slabs: any window, bias, activation and residual in one launch.

Weights lie in SRAM, packed by `pack_weights`: for each slab of the result its 32 biases (float32; for bfloat16 kernels
32 low words, then 32 high words), then rows of 32 weights, one for each product of a thread, in the kernel's order:
whole slabs of the input, then parts of slabs; of each the rows of taps, the taps, the channels. Parts count in eights
of channels. bfloat16 kernels add up dots of eight (`rpp::dot8`) in float32 and round once, before the activation's
table; a residual behind the activation is added in bfloat16.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from openrpp.kernels.activation import NONE, NUMBERS, Activation
from openrpp.kernels.launch import Argument, At, Launch, Region
from openrpp.kernels.slabs import BYTES, SLAB, Slabs, bf16
from openrpp.kernels.window import Tiling, Window, tiling

EIGHT: Final = 8
NARROW: Final = (1, 2, 3, 4, 6)
"""Eights of values in a row of taps that kernels for images of few channels are there for."""
_LONGEST: Final = 255


def convolution(
    x: Slabs,
    weights: Region,
    y: Slabs,
    window: Window,
    *,
    activation: Activation = NONE,
    table: Region | None = None,
    residual: Slabs | None = None,
    residual_first: bool = False,
    tail: bool = True,
    node: str = "",
) -> list[Launch]:
    """y = activation(conv(x, weights) + bias) + residual; with `residual_first`, the residual is added before.

    y's border becomes zero. Channels of y's slabs that are not y's are left alone, but those behind the last one become
    zero where `tail` is set: views that others follow in the same slab want it off. x is read in its own channels, up
    to the next multiple of eight. y overlaps neither x nor the residual. `table` is the activation's, in SRAM, for
    bfloat16 functions.

    Raises ValueError for tensors that do not go together.
    """
    window.check(x, y)
    _check(x, y, window, activation, table, residual)
    walk, tiles = _walk(x, y, window), tiling(y.width, y.height)
    kind = "" if residual is None else "_first" if residual_first else "_last"
    source, name = ("conv_f32", "conv") if x.element == "f32" else ("conv", _kernel(x, window, walk, kind))
    whole = source == "conv" and name != "conv"
    row_step = walk.row if whole else walk.row - walk.taps * walk.tap_step
    arguments: list[Argument] = [x.start, At(weights), y.start, *_tables(y, residual, table)]
    arguments += [walk.start, walk.x_step, walk.y_step, walk.rows]
    if not name.startswith("narrow"):
        arguments += [walk.taps, walk.tap_step]
    arguments += [row_step]
    if not name.startswith("narrow"):
        arguments += [walk.slab_step, walk.full, walk.partial, walk.to_first, walk.to_second]
    arguments += [walk.panel, *edges(y, activation, residual, tail), *results(y, tiles, activation, residual)]
    macs = y.channels * y.height * y.width * x.channels * window.kernel[0] * window.kernel[1]
    return [
        Launch(
            f"{source}/{name}{kind}_{x.element}",
            tiles.grid(y.slabs),
            tiles.block,
            tuple(arguments),
            tuple(item for item in (x.region, weights, table, residual and residual.region) if item is not None),
            (y.region,),
            macs=macs,
            node=node,
        )
    ]


def pack_weights(
    values: NDArray[Any], bias: NDArray[Any] | None, x: Slabs, y: Slabs, window: Window
) -> NDArray[np.uint16] | NDArray[np.float32]:
    """Weights [outputs][inputs][kernel height][kernel width] and a bias [outputs] as `convolution` takes them.

    The order depends on x, y and the window, which must be those of the launch. Weights are rounded to x's element.
    """
    weights = np.asarray(values, np.float32)
    expected = (y.channels, x.channels, *window.kernel)
    if weights.shape != expected:
        raise ValueError(f"weights of shape {weights.shape} do not fit {expected}")
    order = _order(x, y, window)
    rows = np.zeros((y.slabs * SLAB, len(order)), np.float32)
    real = order[:, 0] >= 0
    channel, row, tap = order[real].T
    rows[y.first : y.first + y.channels, real] = weights[:, channel, row, tap]
    return with_bias(rows.reshape(y.slabs, SLAB, -1).transpose(0, 2, 1), bias, y)


def with_bias(
    panels: NDArray[np.float32], bias: NDArray[Any] | None, y: Slabs
) -> NDArray[np.uint16] | NDArray[np.float32]:
    """Rows of weights [slab][row][32] with the biases of each slab in front."""
    biases = np.zeros((y.slabs, SLAB), np.float32)
    if bias is not None:
        biases.reshape(-1)[y.first : y.first + y.channels] = bias
    if y.element == "f32":
        return np.ascontiguousarray(np.concatenate([biases[:, None], panels], axis=1))
    halves = biases.view(np.uint16).reshape(y.slabs, SLAB, 2).transpose(0, 2, 1)
    return np.ascontiguousarray(np.concatenate([halves, bf16(panels)], axis=1))


# --- how the input is walked through ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Walk:
    """Distances in elements, as the kernels take them. `lead` taps without weights come first in a row."""

    start: int
    x_step: int
    y_step: int
    rows: int
    taps: int
    row: int
    tap_step: int
    slab_step: int
    full: int
    partial: int
    to_first: int
    to_second: int
    panel: int
    head: int
    tail: int
    lead: int


def _walk(x: Slabs, y: Slabs, window: Window) -> _Walk:
    if x.lanes < SLAB:
        return _narrow(x, y, window)
    row = window.dilation[0] * x.pitch * SLAB
    rows, taps = window.kernel
    head, full, tail = _parts(x)
    back = x.first - (full + 1) * x.plane
    turned = back - rows * row
    eights = head + 4 * full + tail
    tap = window.dilation[1] * SLAB
    return _Walk(
        start=_start(x, window) + (x.plane if head else 0),
        x_step=window.stride[1] * SLAB,
        y_step=window.stride[0] * x.pitch * SLAB,
        rows=rows,
        taps=taps,
        row=row,
        tap_step=tap,
        slab_step=x.plane - rows * row,
        full=full,
        partial=tail | head << 4 if tail else head,
        to_first=0 if tail else back if head else 0,
        to_second=turned,
        panel=_panel(x, rows * taps * eights),
        head=head,
        tail=tail,
        lead=0,
    )


def _narrow(x: Slabs, y: Slabs, window: Window) -> _Walk:
    """An image of few channels: the taps of a row lie side by side and are taken eight values at a time."""
    rows, taps = window.kernel
    eights = -(-taps * x.lanes // EIGHT)
    spare = eights * EIGHT // x.lanes - taps
    last = (y.width - 1) * window.stride[1] - window.pads[1] + x.border + taps - 1
    lead = spare if last + spare >= x.pitch else 0
    if lead and window.pads[1] + lead > x.border:
        raise ValueError(
            f"rows of {taps} taps of {x.lanes} lanes need a border of {window.pads[1] + lead}, not {x.border}"
        )
    group = max(count for count in (1, 2, 3, 4) if eights % count == 0)
    row = x.pitch * x.lanes
    return _Walk(
        start=_start(x, window) - lead * x.lanes,
        x_step=window.stride[1] * x.lanes,
        y_step=window.stride[0] * row,
        rows=rows,
        taps=eights // group,
        row=row,
        tap_step=group * EIGHT,
        slab_step=0,
        full=int(group == 4),
        partial=0 if group == 4 else group,
        to_first=0,
        to_second=0,
        panel=_panel(x, rows * eights),
        head=0,
        tail=0,
        lead=lead,
    )


def _start(x: Slabs, window: Window) -> int:
    """Elements from the start of x to the first tap of the first result, in lane 0."""
    return ((x.border - window.pads[0]) * x.pitch + x.border - window.pads[1]) * x.lanes


def _panel(x: Slabs, eights: int) -> int:
    return SLAB * (eights * EIGHT + (2 if x.element == "bf16" else 1))


def _parts(x: Slabs) -> tuple[int, int, int]:
    """(eights of channels before the first whole slab, whole slabs, eights behind them)."""
    eights = -(-x.channels // EIGHT)
    head = min(eights, (SLAB - x.first) // EIGHT) if x.first else 0
    return head, (eights - head) // 4, (eights - head) % 4


def _order(x: Slabs, y: Slabs, window: Window) -> NDArray[np.int64]:
    """(channel, row, tap) of each product of a thread, -1 where there is none."""
    rows, taps = window.kernel
    walk = _walk(x, y, window)
    if x.lanes < SLAB:
        each = walk.taps * walk.tap_step
        tap, channel = np.divmod(np.arange(rows * each) % each, x.lanes)
        order = np.stack([channel, np.repeat(np.arange(rows), each), tap - walk.lead], axis=1)
        order[(channel >= x.channels) | (order[:, 2] < 0) | (order[:, 2] >= taps)] = -1
        return order
    groups = [(EIGHT * walk.head + SLAB * slab, 4) for slab in range(walk.full)]
    groups += [(EIGHT * walk.head + SLAB * walk.full, walk.tail), (0, walk.head)]
    parts: list[NDArray[np.int64]] = []
    for first, eights in groups:
        grid = np.meshgrid(np.arange(rows), np.arange(taps), first + np.arange(EIGHT * eights), indexing="ij")
        row, tap, channel = (axis.reshape(-1) for axis in grid)
        parts.append(np.stack([channel, row, tap], axis=1))
    order = np.concatenate(parts)
    order[order[:, 0] >= x.channels] = -1
    return order


# --- results ---------------------------------------------------------------------------------------------------------


def _tables(y: Slabs, residual: Slabs | None, table: Region | None) -> list[Argument]:
    at = None if residual is None else At(residual.region, residual.offset + _shifted(y, residual) * BYTES[y.element])
    return [at] if y.element == "f32" else [at, None if table is None else At(table)]


def _shifted(y: Slabs, residual: Slabs) -> int:
    """Elements from the residual's start to what goes with lane 0 of y's first slab."""
    return residual.inner - y.first


def results(y: Slabs, tiles: Tiling, activation: Activation, residual: Slabs | None) -> list[Argument]:
    """What kernels are told about their results, `Result` in cuda/epilogue.cuh."""
    run = y.border * (y.pitch + 1)
    function = NUMBERS[activation.function]
    found: list[Argument] = [y.pitch * SLAB, y.plane, run * SLAB, tiles.step_x, tiles.step_y]
    found += [residual.pitch * SLAB, residual.plane] if residual is not None else [0, 0]
    found += [function, activation.low, activation.high, y.border, y.height, y.width]
    found += [-(-run // tiles.pixels), -(-(y.height - 1) // tiles.pixels)]
    return [*found, activation.slope, activation.offset] if y.element == "f32" else found


def edges(y: Slabs, activation: Activation, residual: Slabs | None, tail: bool) -> list[Argument]:
    """(bits of the slabs that have channels of others, first lane of the first one, lanes of the last, zero behind)."""
    last = y.first + y.channels - SLAB * (y.slabs - 1)
    clean = tail and activation.keeps_zero and residual is None
    return [(1 if y.first else 0) | (2 if last < SLAB and not clean else 0), y.first, last, int(tail)]


def _kernel(x: Slabs, window: Window, walk: _Walk, kind: str) -> str:
    """The kernel of bfloat16 that knows most of a window."""
    if x.lanes < SLAB:
        eights = walk.taps * walk.tap_step // EIGHT
        return f"narrow{eights}" if eights in NARROW and not kind else "conv"
    if window.kernel == (1, 1):
        return "conv1"
    return "conv3" if window.kernel[1] == 3 and window.dilation[1] == 1 else "conv"


def _check(
    x: Slabs, y: Slabs, window: Window, activation: Activation, table: Region | None, residual: Slabs | None
) -> None:
    if x.element != y.element or y.lanes != SLAB:
        raise ValueError(f"a convolution from {x.element} to {y.element} with {y.lanes} lanes is not there")
    if x.lanes < SLAB and (x.channels > x.lanes or x.first):
        raise ValueError(f"{x.channels} channels do not fit {x.lanes} lanes")
    if window.stride[1] * x.lanes > _LONGEST:
        raise ValueError(f"a stride of {window.stride[1]} is more than {_LONGEST // x.lanes}")
    if activation.needs_table(y.element) and table is None:
        raise ValueError(f"{activation.function} of bf16 needs its table")
    if residual is not None:
        check_residual(y, residual)


def check_residual(y: Slabs, residual: Slabs) -> None:
    """Raises ValueError for a residual that cannot be added lane by lane."""
    same = (residual.channels, residual.height, residual.width, residual.element, residual.lanes)
    if same != (y.channels, y.height, y.width, y.element, SLAB):
        raise ValueError("a residual has the shape of the result")
    if residual.first != y.first and (y.slabs > 1 or residual.slabs > 1):
        raise ValueError(f"a residual from channel {residual.first} of a slab does not meet one from {y.first}")
    if _shifted(y, residual) < 0:
        raise ValueError("a residual without a border begins in front of the result's first lane")
