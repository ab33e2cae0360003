"""Rows of tokens by a number that changes from run to run."""

from __future__ import annotations

from openrpp.kernels.launch import Launch, Variable
from openrpp.kernels.slabs import SLAB, Slabs
from openrpp.kernels.tokens import check_tokens

_WARPS = 255


def take(x: Slabs, y: Slabs, row: Variable, node: str = "") -> list[Launch]:
    """y = row `row` of x, for a y of one row; nothing but that argument depends on the row.

    Raises ValueError for tensors that do not match.
    """
    check_tokens(x, y)
    if (x.channels, x.element, 1) != (y.channels, y.element, y.width):
        raise ValueError(f"{y.element}[{y.channels}] of {y.width} rows is not a row of {x.element}[{x.channels}]")
    each = max(count for count in range(1, min(x.slabs, _WARPS) + 1) if x.slabs % count == 0)
    return [
        Launch(
            f"rows/take_{x.element}",
            grid=(x.slabs // each, 1, 1),
            block=(SLAB, each, 1),
            arguments=(x.start, y.start, x.plane, row),
            reads=(x.region,),
            writes=(y.region,),
            node=node,
        )
    ]
