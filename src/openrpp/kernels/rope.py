"""Rotary position embedding (ONNX RotaryEmbedding with positions that follow each other)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from openrpp.kernels.attention import Rope
from openrpp.kernels.launch import At, Launch, Variable
from openrpp.kernels.slabs import SLAB, Slabs
from openrpp.kernels.tokens import check_tokens, same_shape

_WARPS = 255


def table(cosines: NDArray[np.floating], sines: NDArray[np.floating]) -> NDArray[np.float32]:
    """ONNX RotaryEmbedding's tables [positions][size / 2] as the kernels take them: [positions][cos | sin].

    Kernels fetch whole blocks of rows, so the region has room for 256 positions behind the last one.
    """
    packed = np.concatenate([cosines, sines], axis=1)
    return np.pad(packed, ((0, ROWS_BEHIND), (0, 0))).astype(np.float32)


ROWS_BEHIND = 256


def rope(x: Slabs, y: Slabs, size: int, position: Variable, turning: Rope, node: str = "") -> list[Launch]:
    """y = the heads of x, `size` channels each, turned by the positions of their rows; y is not x.

    `position` is that of the first row; nothing but that argument depends on it.

    Raises ValueError for shapes that do not fit.
    """
    check_tokens(x, y)
    same_shape(x, y)
    if x.channels % size or size % 2 or x.channels % SLAB:
        raise ValueError(f"{x.channels} channels are not heads of {size}, or do not fill slabs of {SLAB}")
    if (x.region, x.offset) == (y.region, y.offset):
        raise ValueError("a rotation does not work in place")
    chunks = -(-size // SLAB)
    blocks = -(-x.width // (_WARPS // chunks))
    rows = -(-x.width // blocks)
    sizes = (x.plane, y.plane, x.width, position, size, x.channels // size, int(turning.interleaved))
    return [
        Launch(
            f"rope/rope_{x.element}",
            grid=(blocks, 1, 1),
            block=(SLAB, chunks, rows),
            arguments=(x.start, y.start, At(turning.table), *sizes),
            reads=(x.region, turning.table),
            writes=(y.region,),
            shared_bytes=4 * rows * size,
            node=node,
        )
    ]
