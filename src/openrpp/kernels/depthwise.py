"""Depthwise convolutions of slabs: a window per channel, bias and activation in one launch.

Weights lie in SRAM, packed by `pack_weights`: for each slab of the result 32 biases as in `conv`, then taps of 32.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from openrpp.kernels.activation import NONE, Activation
from openrpp.kernels.conv import edges, results, with_bias
from openrpp.kernels.launch import Argument, At, Launch, Region
from openrpp.kernels.pool import check_channels
from openrpp.kernels.slabs import BYTES, SLAB, Slabs
from openrpp.kernels.window import Window, tiling

_DOUBT = Activation("sigmoid")
"""Channels behind the last one may hold anything, so results there are zeroed, whatever the activation makes of 0."""


def depthwise(
    x: Slabs,
    weights: Region,
    y: Slabs,
    window: Window,
    *,
    activation: Activation = NONE,
    table: Region | None = None,
    tail: bool = True,
    node: str = "",
) -> list[Launch]:
    """y = activation(x with a window of weights for each channel + bias). y's border becomes zero.

    `table` and `tail` are those of `conv.convolution`. bfloat16 products are added in float32, tap after tap.

    Raises ValueError for tensors that do not go together.
    """
    window.check(x, y)
    check_channels(x, y)
    if activation.needs_table(y.element) and table is None:
        raise ValueError(f"{activation.function} of bf16 needs its table")
    tiles, (rows, taps), row = tiling(y.width, y.height), window.kernel, window.dilation[0] * x.pitch * SLAB
    fast = _fast(x, window)
    start = ((x.border - window.pads[0]) * x.pitch + x.border - window.pads[1]) * SLAB
    tap = window.dilation[1] * SLAB
    arguments: list[Argument] = [x.start, At(weights), y.start, None if table is None else At(table), start]
    arguments += [window.stride[1] * SLAB, window.stride[0] * x.pitch * SLAB, x.plane, rows, taps]
    arguments += [row if fast else row - taps * tap, tap, _panel(y, window), *edges(y, _DOUBT, None, tail)]
    found = results(y, tiles, activation, None)
    arguments += [*found[:5], *found[7:15], activation.slope, activation.offset]
    return [
        Launch(
            f"depthwise/depthwise{fast}_{x.element}",
            tiles.grid(y.slabs),
            tiles.block,
            tuple(arguments),
            tuple(item for item in (x.region, weights, table) if item is not None),
            (y.region,),
            macs=y.channels * y.height * y.width * rows * taps,
            node=node,
        )
    ]


def pack_weights(
    values: NDArray[Any], bias: NDArray[Any] | None, y: Slabs, window: Window
) -> NDArray[np.uint16] | NDArray[np.float32]:
    """Weights [channels][1][kernel height][kernel width] and a bias [channels] as `depthwise` takes them.

    Raises ValueError for another shape.
    """
    weights = np.asarray(values, np.float32)
    expected = (y.channels, 1, *window.kernel)
    if weights.shape != expected:
        raise ValueError(f"weights of shape {weights.shape} do not fit {expected}")
    rows = np.zeros((y.slabs * SLAB, window.kernel[0] * window.kernel[1]), np.float32)
    rows[y.first : y.first + y.channels] = weights.reshape(y.channels, -1)
    return with_bias(rows.reshape(y.slabs, SLAB, -1).transpose(0, 2, 1), bias, y)


def _panel(y: Slabs, window: Window) -> int:
    """Elements of the weights of a slab."""
    return SLAB * (window.kernel[0] * window.kernel[1] + 4 // BYTES[y.element])


def _fast(x: Slabs, window: Window) -> str:
    """What distinguishes the kernel that knows its window, "" where there is none."""
    rows, taps = window.kernel
    step = window.stride[1]
    if x.element != "bf16" or rows != taps or taps not in (3, 5) or step > 2 or window.dilation[1] != 1:
        return ""
    return f"{taps}" if step == 1 else f"{taps}s2"
