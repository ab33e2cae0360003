"""Pools of slabs, and images drawn larger by whole numbers."""

from __future__ import annotations

from openrpp.kernels.activation import NONE, Activation
from openrpp.kernels.conv import edges, results
from openrpp.kernels.launch import Argument, Launch
from openrpp.kernels.slabs import SLAB, Slabs
from openrpp.kernels.window import WARPS, Tiling, Window, tiling

_ZERO_IN_DOUBT = Activation("sigmoid")


def max_pool(x: Slabs, y: Slabs, window: Window, *, tail: bool = True, node: str = "") -> list[Launch]:
    """y = the largest of the taps that lie in the image (ONNX MaxPool). y's border becomes zero; for `tail` see `conv`.

    Raises ValueError for windows that may lie outside of the image altogether, and tensors that do not go together.
    """
    check_channels(x, y)
    for pad, kernel, dilation in zip(window.pads, window.kernel, window.dilation, strict=True):
        if pad >= kernel or (pad and dilation > 1):
            raise ValueError(
                f"a pad of {pad} before {kernel} taps that are {dilation} apart is more than a window holds"
            )
    return [_windows("max", x, y, window, [], tail, node)]


def mean_pool(x: Slabs, y: Slabs, window: Window, *, tail: bool = True, node: str = "") -> list[Launch]:
    """y = the mean of the taps, those in the border being zeros that count (ONNX AveragePool, count_include_pad 1).

    Raises ValueError for tensors that do not go together, or a border that the window leaves.
    """
    check_channels(x, y)
    window.check(x, y)
    share = 1.0 / (window.kernel[0] * window.kernel[1])
    return [_windows("mean", x, y, window, [share], tail, node)]


def global_mean(x: Slabs, y: Slabs, node: str = "") -> list[Launch]:
    """y = the mean of all pixels of each channel (ONNX GlobalAveragePool); y has one pixel and no border.

    Raises ValueError for tensors that do not go together, or begin within a slab.
    """
    check_channels(x, y)
    if x.first or (y.height, y.width, y.border) != (1, 1, 0):
        raise ValueError("a mean of all pixels goes from a slab's first channel to one pixel without a border")
    parts = max(part for part in range(1, min(x.height, WARPS) + 1) if x.height % part == 0)
    slabs = min(x.slabs, WARPS // parts)
    return [
        Launch(
            f"pool/all_{x.element}",
            (-(-x.slabs // slabs), 1, 1),
            (SLAB, slabs, parts),
            (
                *(x.inside, y.start, x.plane, x.pitch * SLAB, x.height // parts, x.width, y.plane, x.slabs),
                1.0 / (x.height * x.width),
            ),
            (x.region,),
            (y.region,),
            shared_bytes=4 * SLAB * slabs * parts,
            node=node,
        )
    ]


def enlarge(x: Slabs, y: Slabs, *, tail: bool = True, node: str = "") -> list[Launch]:
    """y[i][j] = x[i // n][j // m], where y is n times as high and m times as wide (ONNX Resize: nearest, asymmetric).

    Raises ValueError for tensors that do not go together, or sizes that are no whole multiples.
    """
    check_channels(x, y)
    down, across = y.height // x.height, y.width // x.width
    if (down * x.height, across * x.width) != (y.height, y.width):
        raise ValueError(f"{y.height} x {y.width} is no whole multiple of {x.height} x {x.width}")
    tiles = tiling(x.width, x.height)
    arguments: list[Argument] = [x.start, y.start, x.plane, x.inner - x.first, x.pitch * SLAB, down, across]
    arguments += edges(y, _ZERO_IN_DOUBT, None, tail)
    arguments += _results(y, tiles)
    return [_launch(f"pool/enlarged_{x.element}", x, y, tiles.grid(y.slabs), tiles.block, arguments, node)]


def check_channels(x: Slabs, y: Slabs) -> None:
    """Raises ValueError for tensors whose channels do not lie in the same lanes."""
    if (x.channels, x.first, x.element, x.lanes) != (y.channels, y.first, y.element, SLAB):
        raise ValueError(
            f"{x.element} channels {x.first} to {x.first + x.channels} do not lie as "
            f"{y.element} channels {y.first} to {y.first + y.channels}"
        )


def _windows(kind: str, x: Slabs, y: Slabs, window: Window, more: list[Argument], tail: bool, node: str) -> Launch:
    tiles = tiling(y.width, y.height)
    arguments: list[Argument] = [x.start, y.start, *more, x.plane, x.inner - x.first, x.pitch * SLAB]
    arguments += [x.height, x.width, *window.kernel, *window.stride, *window.pads, *window.dilation]
    arguments += edges(y, _ZERO_IN_DOUBT, None, tail)
    arguments += _results(y, tiles)
    return _launch(f"pool/{kind}_{x.element}", x, y, tiles.grid(y.slabs), tiles.block, arguments, node)


def _results(y: Slabs, tiles: Tiling) -> list[Argument]:
    """What a kernel without activation and residual is told about its result."""
    found = results(y, tiles, NONE, None)
    return [*found[:5], *found[10:15]]


def _launch(
    kernel: str,
    x: Slabs,
    y: Slabs,
    grid: tuple[int, int, int],
    block: tuple[int, int, int],
    arguments: list[Argument],
    node: str,
) -> Launch:
    return Launch(kernel, grid, block, tuple(arguments), (x.region,), (y.region,), node=node)
