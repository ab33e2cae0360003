"""Reductions over the channels of tokens, in float32 and an order that depends on the channels only."""

from __future__ import annotations

from typing import Final, Literal

from openrpp.kernels.launch import At, Launch, Region
from openrpp.kernels.slabs import SLAB, Slabs
from openrpp.kernels.tokens import check_tokens, split

Kind = Literal["sum", "mean", "max", "min"]
_KERNELS: Final[dict[Kind, str]] = {"sum": "sum", "mean": "sum", "max": "max", "min": "min"}


def reduce(kind: Kind, x: Slabs, y: Slabs, node: str = "") -> list[Launch]:
    """y, of one channel, is the sum, mean, largest or smallest of each token's channels.

    Raises ValueError for tensors that are no tokens, or do not match.
    """
    check_tokens(x, y)
    if (y.channels, y.width, y.element) != (1, x.width, x.element):
        raise ValueError(f"a reduction of {x.width} rows in {x.element} has one channel and as many rows")
    cut, share = split(x), 1.0 / x.channels if kind == "mean" else 1.0
    return [
        Launch(
            f"reduce/{_KERNELS[kind]}_{x.element}",
            grid=(-(-x.width // cut.rows), 1, 1),
            block=(SLAB, cut.rows, cut.groups),
            arguments=(x.start, y.start, cut.per, x.plane, x.width, x.channels, share),
            reads=(x.region,),
            writes=(y.region,),
            shared_bytes=4 * SLAB * cut.rows * (cut.groups + 1),
            node=node,
        )
    ]


def argmax(x: Slabs, y: Region, node: str = "") -> list[Launch]:
    """y, int32 in SRAM, is the channel of each token's largest value, the first of equal ones; x has no NaN.

    Raises ValueError for a tensor that is no tokens.
    """
    check_tokens(x)
    cut = split(x)
    return [
        Launch(
            f"reduce/argmax_{x.element}",
            grid=(-(-x.width // cut.rows), 1, 1),
            block=(SLAB, cut.rows, cut.groups),
            arguments=(x.start, At(y), cut.per, x.plane, x.width, x.channels),
            reads=(x.region,),
            writes=(y,),
            shared_bytes=2 * 4 * SLAB * cut.rows * (cut.groups + 1),
            node=node,
        )
    ]
