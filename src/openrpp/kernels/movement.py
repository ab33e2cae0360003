"""Copies between slabs: a box of channels and pixels to another place; and zeros."""

from __future__ import annotations

from dataclasses import dataclass

from openrpp.kernels.elementwise import WARPS, tile
from openrpp.kernels.launch import At, Launch
from openrpp.kernels.slabs import BYTES, SLAB, Slabs

Place = tuple[int, int, int]
"""Channel, row, pixel of a row."""


@dataclass(frozen=True)
class Box:
    """A box of a tensor: where it begins, and its extents (channels, rows, pixels)."""

    begin: Place
    extents: Place


def copy(
    x: Slabs, y: Slabs, box: Box, to: Place = (0, 0, 0), step: tuple[int, int] = (1, 1), node: str = ""
) -> list[Launch]:
    """Copy a box of x to a place in y; what else y holds stays, but padding behind its last channel becomes
    zero, unless y begins within a slab, which it shares with others.

    Args:
        x, y: tensors in different places, y may be f32 of bf16; y's border is not written (`clear`).
        box: of x; extents count what is taken.
        to: where its first element goes.
        step: rows and pixels from one that is taken to the next.
        node: name for reports.

    Raises ValueError for a box that does not lie in x or y.
    """
    (channel, row, column), (channels, rows, columns) = box.begin, box.extents
    last = (channel + channels, row + (rows - 1) * step[0] + 1, column + (columns - 1) * step[1] + 1)
    _check(x, box.begin, last)
    _check(y, to, (to[0] + channels, to[1] + rows, to[2] + columns))
    begin, end = y.first + to[0], y.first + to[0] + channels
    shift = x.first + channel - begin
    complete = y.first == 0 and to[0] + channels == y.channels
    slab = begin // SLAB
    size, wide = BYTES[x.element], x.element != y.element
    if wide and y.element != "f32":
        raise ValueError(f"a copy from {x.element} to {y.element} would round")
    target = y.offset + (slab * y.plane + ((to[1] + y.border) * y.pitch + to[2] + y.border) * SLAB) * BYTES[y.element]
    source = x.offset + ((row + x.border) * x.pitch + column + x.border) * SLAB * size
    where = (x.plane, step[0] * x.pitch * SLAB, step[1] * SLAB, y.plane, y.pitch * SLAB, columns, rows)
    across, down = tile(columns, rows)
    grid = (-(-columns // across), -(-rows // down), -(-end // SLAB) - slab)
    aligned = (
        shift % SLAB == 0 and begin % SLAB == 0 and (end % SLAB == 0 or (complete and _padded(x, channel + channels)))
    )
    if aligned and not wide:
        first = (begin + shift) // SLAB * x.plane * size
        name, arguments = "copy", (At(x.region, source + first), At(y.region, target), *where)
    else:
        base = slab * SLAB
        zeros = (-(-end // SLAB) * SLAB if complete else end) - base
        more = (shift + base, begin - base, end - base, zeros)
        name, arguments = "shifted", (At(x.region, source), At(y.region, target), *where, *more)
    kernel = f"movement/{name}_{x.element}_{y.element}" if wide else f"movement/{name}_{x.element}"
    return [Launch(kernel, grid, (SLAB, across, down), arguments, (x.region,), (y.region,), node=node)]


def whole(x: Slabs) -> Box:
    """All of a tensor."""
    return Box((0, 0, 0), (x.channels, x.height, x.width))


def clear(y: Slabs, node: str = "") -> list[Launch]:
    """Zeros in all slabs of a tensor, border and padding included."""
    elements = y.slabs * y.plane
    pixels = elements // SLAB
    across = min(pixels, WARPS)
    grid = (-(-pixels // across), 1, 1)
    kernel = f"movement/clear_{y.element}"
    return [Launch(kernel, grid, (SLAB, across, 1), (y.start, elements), (), (y.region,), node=node)]


def frame(y: Slabs, node: str = "") -> list[Launch]:
    """Zeros in the border of a tensor, in all lanes of its slabs."""
    edge, pitch = y.border, y.pitch
    if not edge:
        return []
    between = (edge + y.height - 1) * pitch
    runs = ((0, 1, edge * (pitch + 1)), (edge * pitch + edge + y.width, y.height - 1, 2 * edge))
    last = (between + edge + y.width, 1, edge * (pitch + 1))
    return [_zeros(y, *run, node) for run in (*runs, last) if run[1]]


def _zeros(y: Slabs, start: int, rows: int, pixels: int, node: str) -> Launch:
    """Zeros in as many pixels behind `start`, and in those a row further, in each slab."""
    across, down = tile(pixels, rows)
    grid = (-(-pixels // across), -(-rows // down), y.slabs)
    at = At(y.region, y.offset + start * SLAB * BYTES[y.element])
    arguments = (at, y.plane, y.pitch * SLAB, pixels, rows)
    return Launch(f"movement/zeros_{y.element}", grid, (SLAB, across, down), arguments, (), (y.region,), node=node)


def _padded(x: Slabs, end: int) -> bool:
    """Whether zeros follow a channel in its slab."""
    return end == x.channels and x.first == 0


def _check(tensor: Slabs, begin: Place, end: Place) -> None:
    extents = (tensor.channels, tensor.height, tensor.width)
    if any(low < 0 or high <= low or high > extent for low, high, extent in zip(begin, end, extents, strict=True)):
        raise ValueError(f"a box from {list(begin)} to {list(end)} does not lie in {list(extents)}")
