"""Products of one token and a matrix in DDR, streamed: y = W x, with bias and residual, or gated by SiLU.

The weights come in tiles, some whole groups of 32 values of k, into two places in SRAM in turn. The places belong to
no kernel: a product asks for the first tile of the next one before it computes its own last tile, so transfers go on
across launches. `Tiles` says where the next first tile goes; hand it from product to product:

    tiles = Tiles(a, b, size)
    launches = gemv(x, y, w1, tiles, then=w2)
    launches += gemv(y, z, w2, tiles.after(w1), fetched=True)

Sums are in float32 and in an order that depends on the matrix alone: within a group k ascends; groups are dealt to the
parts of a block in turn, and the parts are added in order.
"""

from __future__ import annotations

from dataclasses import dataclass

from openrpp.kernels.launch import Argument, At, Launch, Region
from openrpp.kernels.quant import MOST_OUTPUTS, Panels
from openrpp.kernels.slabs import BYTES, SLAB, Slabs

_WARPS = MOST_OUTPUTS // SLAB
_FULL = 128
"""Warps that fill the ring: columns times stage latency."""


@dataclass(frozen=True)
class Tiles:
    """Two places of `bytes` bytes in SRAM; the next first tile goes to `first`."""

    first: At
    second: At
    bytes: int

    def after(self, weights: Panels) -> Tiles:
        """The places as a product leaves them to the next one."""
        odd = weights.panels * cut(weights, self.bytes).tiles % 2
        return Tiles(self.second, self.first, self.bytes) if odd else self


@dataclass(frozen=True)
class Cut:
    """How a panel is worked off: `tiles` tiles of `groups` groups; a block has `parts` threads for each output."""

    groups: int
    tiles: int
    parts: int


def cut(weights: Panels, tile_bytes: int) -> Cut:
    """The cut of a matrix into tiles of at most so many bytes. Raises ValueError where a group does not fit."""
    most = tile_bytes // (2 * weights.group_words)
    if not most:
        raise ValueError(
            f"a group of {weights.outputs} outputs takes {2 * weights.group_words:,} bytes, a tile has {tile_bytes:,}"
        )
    groups = max(count for count in range(1, min(most, weights.groups) + 1) if weights.groups % count == 0)
    warps = weights.width // SLAB
    possible = [parts for parts in range(1, _WARPS // warps + 1) if groups % parts == 0]
    parts = min(possible, key=lambda parts: (max(_FULL, warps * parts) / parts, parts))
    return Cut(groups, weights.groups // groups, parts)


def gemv(
    x: Slabs,
    y: Slabs,
    weights: Panels,
    tiles: Tiles,
    *,
    row: int = 0,
    fetched: bool = False,
    then: Panels | None = None,
    bias: Region | None = None,
    residual: Slabs | None = None,
    table: Region | None = None,
    node: str = "",
) -> list[Launch]:
    """y = W x + bias + residual, or silu(G x) (U x) where the panels hold G and U, for one token.

    Args:
        x, y: tokens of the same element type.
        weights: the matrix; with two matrices the product is gated.
        tiles: places for tiles; see the module.
        row: the token.
        fetched: whether the product before has asked for the first tile.
        then: the matrix whose first tile is asked for behind this one's last.
        bias: float32 per output, zeros up to a full slab, in SRAM.
        residual: is added; y may be the same.
        table: SiLU of all bfloat16 values, for a gated product in bf16.

    Raises ValueError for tensors that do not match, or a matrix of which no group fits a tile.
    """
    _check(x, y, weights, residual, row, (bias, table))
    split = cut(weights, tiles.bytes)
    following = _following(then, tiles.after(weights))
    element = BYTES[x.element]
    arguments: tuple[Argument, ...] = (
        *(weights.start, tiles.first, tiles.second, int(fetched), *following),
        *(weights.groups, split.groups, split.tiles),
        *(
            At(x.region, x.offset + row * SLAB * element),
            x.plane,
            At(y.region, y.offset + row * SLAB * element),
            y.plane,
        ),
        y.slabs * SLAB,
    )
    gated = weights.matrices == 2
    if gated:
        arguments = (*arguments, None if table is None else At(table))
    else:
        added = None if residual is None else At(residual.region, residual.offset + row * SLAB * element)
        arguments = (*arguments, None if bias is None else At(bias), added)
    read = (
        x.region,
        weights.region,
        *(item for item in (bias, table) if item),
        *([residual.region] if residual else []),
    )
    shared = weights.groups + (weights.matrices * split.parts * weights.width if split.parts > 1 else 0)
    return [
        Launch(
            f"gemv/{'gated_' * gated}{weights.format}_{x.element}",
            grid=(weights.panels, 1, 1),
            block=(weights.width, 1, split.parts),
            arguments=arguments,
            reads=tuple(dict.fromkeys((*read, *([then.region] if then else [])))),
            writes=tuple(dict.fromkeys((y.region, tiles.first.region, tiles.second.region))),
            shared_bytes=4 * shared,
            macs=weights.matrices * weights.outputs * weights.inputs,
            node=node,
        )
    ]


def _following(then: Panels | None, tiles: Tiles) -> tuple[Argument, Argument, Argument]:
    """Where the first tile of the next matrix goes to, comes from, and its words."""
    if then is None:
        return None, None, 0
    return tiles.first, then.start, cut(then, tiles.bytes).groups * then.group_words


def _check(
    x: Slabs, y: Slabs, weights: Panels, residual: Slabs | None, row: int, more: tuple[Region | None, Region | None]
) -> None:
    for tensor in (x, y, *([residual] if residual else [])):
        if tensor.height != 1 or tensor.border or tensor.first or not 0 <= row < tensor.width:
            raise ValueError(
                f"row {row}: a vector product takes tokens of that many rows, from a slab's first channel on"
            )
        if tensor.element != x.element:
            raise ValueError(f"x is {x.element} and another tensor {tensor.element}")
    if x.channels != weights.inputs:
        raise ValueError(f"x has {x.channels} channels, the matrix takes {weights.inputs}")
    if y.channels != weights.outputs or (residual and residual.channels != y.channels):
        raise ValueError(f"the matrix gives {weights.outputs} channels, y and the residual must have as many")
    bias, table = more
    if weights.matrices == 2 and (bias or residual or (x.element == "bf16" and table is None)):
        raise ValueError("a gated product has neither bias nor residual, and a table of SiLU in bf16")
