"""Softmax over the channels of slabs, all of them or in groups; powers and sums in float32, without tables."""

from __future__ import annotations

from openrpp.kernels.launch import Launch
from openrpp.kernels.slabs import SLAB, Slabs

_WARPS = 255
_ROOM = 12 << 20
"""Bytes of shared memory of a block."""


def softmax(x: Slabs, y: Slabs, groups: int = 1, node: str = "") -> list[Launch]:
    """y = softmax of each pixel of x over `groups` equal groups of consecutive channels.

    y may be float32 where x is bf16. Sums go over channels in order.

    Raises ValueError for tensors with a border, of different extents, or with more channels than SRAM has room for.
    """
    _check(x, y, groups)
    pixels, each = x.height * x.width, 2 * 4 * (SLAB + 1) * SLAB * x.slabs
    if each > _ROOM:
        raise ValueError(f"a softmax over {x.channels} channels takes {each:,} bytes of SRAM, there are {_ROOM:,}")
    depth = min(1 << (groups - 1).bit_length(), SLAB)
    blocks = min(_WARPS // depth, -(-pixels // SLAB), _ROOM // each)
    kind = x.element if x.element == y.element else f"{x.element}_{y.element}"
    return [
        Launch(
            f"softmax/softmax_{kind}",
            grid=(-(-pixels // (SLAB * blocks)), 1, 1),
            block=(SLAB, blocks, depth),
            arguments=(x.start, y.start, x.plane, y.plane, pixels, x.slabs, x.channels // groups, groups),
            reads=(x.region,),
            writes=(y.region,),
            shared_bytes=blocks * each,
            node=node,
        )
    ]


def _check(x: Slabs, y: Slabs, groups: int) -> None:
    if (x.channels, x.height, x.width) != (y.channels, y.height, y.width):
        raise ValueError("a softmax has the extents of its operand")
    if x.border or y.border or x.first or y.first:
        raise ValueError("a softmax takes slabs without border from a slab's first channel on")
    if x.element == "f32" and y.element == "bf16":
        raise ValueError("a softmax of float32 is float32")
    if groups < 1 or x.channels % groups:
        raise ValueError(f"{x.channels} channels are not {groups} equal groups")
