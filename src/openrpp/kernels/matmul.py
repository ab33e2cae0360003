"""Products of all rows of a tensor of tokens and a matrix in DDR: y = f(x W + bias) + residual, or gated by SiLU.

The matrix lies in panels (`quant.py`), a panel is in SRAM while the next one comes. The 32 outputs of a tile are opened
into numbers of x's type by all threads, then the rows are gone through: bfloat16 with the dot instruction, float32 with
a product and a sum of their own, k ascending. A row's result depends on that row and the matrix alone.
"""

from __future__ import annotations

from openrpp.kernels.launch import Argument, At, Launch, Region
from openrpp.kernels.quant import Panels
from openrpp.kernels.slabs import BYTES, SLAB, Slabs
from openrpp.kernels.tokens import check_tokens

_MOST_ROWS = 255
"""Warps of a block."""


def rows_of_block(rows: int) -> int:
    """Rows that a block takes at once: as few as the fewest turns allow."""
    if rows <= _MOST_ROWS:
        return rows
    turns = -(-rows // _MOST_ROWS)
    return -(-rows // turns)


def shared_bytes(x: Slabs, weights: Panels) -> int:
    """SRAM that a product takes beside its tensors: two panels, and tiles opened for all k."""
    opened = _opened(weights, rows_of_block(x.width))
    tile = opened * SLAB * SLAB * BYTES[x.element]
    read = 2 * (opened - weights.groups) * weights.group_words  # behind the second panel by groups that are none
    return 4 * weights.groups * weights.group_words + max(tile, read)


def _opened(weights: Panels, rows: int) -> int:
    """Groups of a tile, so many that all rows of a block open as many."""
    return -(-weights.groups // rows) * rows


def matmul(
    x: Slabs,
    y: Slabs,
    weights: Panels,
    *,
    bias: Region | None = None,
    residual: Slabs | None = None,
    table: Region | None = None,
    node: str = "",
) -> list[Launch]:
    """y = f(x W + bias) + residual for all rows, or silu(x G) (x U) where the panels hold G and U: two launches then.

    Args:
        x: tokens.
        y: tokens of the same element type; float32 of bfloat16 too, if nothing is gated. Not x.
        weights: the matrix; with two matrices the product is gated.
        bias: float32 per output, zeros up to a full slab, in SRAM.
        residual: is added last, of y's element type; y may be the same.
        table: f of all bfloat16 values, in SRAM; SiLU, for a gated product in bf16.

    Raises ValueError for tensors that do not match.
    """
    _check(x, y, weights, residual, (bias, table))
    if weights.matrices == 1:
        return [_launch(x, y, weights, 0, node, bias=bias, table=table, residual=residual)]
    silu = x.element == "f32"
    return [
        _launch(x, y, weights, 1, node),
        _launch(x, y, weights, 0, node, table=table, silu=silu, factor=y),
    ]


def _launch(
    x: Slabs,
    y: Slabs,
    weights: Panels,
    matrix: int,
    node: str,
    *,
    bias: Region | None = None,
    table: Region | None = None,
    silu: bool = False,
    factor: Slabs | None = None,
    residual: Slabs | None = None,
) -> Launch:
    """y = f(x W + bias) factor + residual with one of the matrices of panels."""
    rows = rows_of_block(x.width)
    arguments: tuple[Argument, ...] = (
        *(weights.start, weights.panels, weights.groups, _opened(weights, rows), weights.width),
        *(weights.matrices, matrix),
        *(x.start, x.width, x.plane, y.slabs * SLAB, y.start, y.plane),
        *(None if bias is None else At(bias), None if table is None else At(table), int(silu)),
        *(None if tensor is None else tensor.start for tensor in (factor, residual)),
    )
    kinds = x.element if x.element == y.element else f"{x.element}_{y.element}"
    more = (bias, table, *(tensor.region if tensor else None for tensor in (factor, residual)))
    return Launch(
        f"matmul/{weights.format}_{kinds}",
        grid=(1, 1, 1),
        block=(SLAB, rows, 1),
        arguments=arguments,
        reads=tuple(dict.fromkeys((x.region, weights.region, *(item for item in more if item)))),
        writes=(y.region,),
        shared_bytes=shared_bytes(x, weights),
        macs=x.width * weights.outputs * weights.inputs,
        node=node,
    )


def _check(
    x: Slabs, y: Slabs, weights: Panels, residual: Slabs | None, more: tuple[Region | None, Region | None]
) -> None:
    check_tokens(x, y, *([residual] if residual else []))
    gated, widened = weights.matrices == 2, (x.element, y.element) == ("bf16", "f32")
    if (x.element != y.element and (gated or not widened)) or (residual and residual.element != y.element):
        elements = ", ".join(tensor.element for tensor in (x, y, *([residual] if residual else [])))
        raise ValueError(f"{'a gated' if gated else 'a'} product does not take elements {elements}")
    if x.channels != weights.inputs:
        raise ValueError(f"x has {x.channels} channels, the matrix takes {weights.inputs}")
    others = (y, residual) if residual else (y,)
    if any(tensor.channels != weights.outputs or tensor.width != x.width for tensor in others):
        raise ValueError(f"y and the residual must have {weights.outputs} channels and {x.width} rows")
    bias, table = more
    if gated and (bias or residual or (x.element == "bf16" and table is None)):
        raise ValueError("a gated product has neither bias nor residual, and a table of SiLU in bf16")
    if table is not None and x.element == "f32":
        raise ValueError("functions of float32 values have no table: use an element-wise kernel")
