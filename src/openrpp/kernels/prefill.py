"""Attention of many tokens at once over a cache (`kernels/attention.py` has its layout).

All of the cache that the tokens attend to lies in SRAM while they do: `append` brings it there. A token's result does
not depend on the others: keys after its own weigh nothing (1e-38 of a finite value), and sums go over tiles in order.
Tokens must not be NaN or infinite, those that only fill up a chunk included.
"""

from __future__ import annotations

import math

from openrpp.kernels.attention import Cache, Rope
from openrpp.kernels.launch import At, Launch, Region, Variable
from openrpp.kernels.slabs import BYTES, SLAB, Slabs
from openrpp.kernels.tokens import check_tokens

_WARPS = 255
_ROOM = 6 << 20
"""Bytes of shared memory for scores and powers of a block."""


def room(cache: Cache) -> int:
    """Bytes of SRAM for tiles of the whole cache."""
    return Cache.bytes(cache.heads, cache.context, cache.element)


def append(
    k: Slabs, v: Slabs, cache: Cache, position: Variable, tiles: Region, *, rope: Rope | None = None, node: str = ""
) -> list[Launch]:
    """Puts the rows of k, turned by their positions, and of v into the cache; leaves all tiles so far in `tiles`.

    Grid, block and shared memory do not depend on `position`, the number of tokens before the first row.

    Raises ValueError for shapes that do not fit.
    """
    heads = cache.heads
    _check(cache, k.width, (k, heads.keys), (v, heads.keys))
    turning = -1 if rope is None else int(rope.interleaved)
    table = At(rope.table) if rope else None
    shared = 4 * SLAB * heads.size + BYTES[cache.element] * (SLAB + 1) * heads.chunks * SLAB
    sizes = (k.plane, k.width, position, heads.size, heads.tile, heads.keys, turning)
    return [
        Launch(
            f"prefill/append_{cache.element}",
            grid=(cache.context // SLAB, 1, 1),
            block=(SLAB, SLAB if heads.chunks < 8 else SLAB // 2, heads.chunks),
            arguments=(k.start, v.start, At(cache.region, cache.offset), At(tiles), table, *sizes),
            reads=tuple(dict.fromkeys((k.region, v.region, cache.region, *((rope.table,) if rope else ())))),
            writes=(cache.region, tiles),
            shared_bytes=shared,
            node=node,
        )
    ]


def attend(
    q: Slabs, out: Slabs, cache: Cache, position: Variable, tiles: Region, *, scale: float | None = None, node: str = ""
) -> list[Launch]:
    """Each row of q, already turned, attends to all tokens up to itself, which `append` has put to `tiles`.

    Grid, block and shared memory do not depend on `position`. `scale` multiplies scores, 1 / sqrt(size) by default.

    Raises ValueError for shapes that do not fit.
    """
    heads = cache.heads
    _check(cache, q.width, (q, heads.queries), (out, heads.queries))
    row = cache.context * (4 + BYTES[cache.element])
    blocks = -(-q.width // min(_WARPS, _ROOM // row))
    height = -(-q.width // blocks)
    powers = 4 * SLAB * height
    scores = powers + BYTES[cache.element] * height * cache.context
    factor = 1 / math.sqrt(heads.size) if scale is None else scale
    sizes = (q.plane, out.plane, q.width, position, heads.size, heads.tile, factor, powers, scores)
    return [
        Launch(
            f"prefill/attend_{cache.element}",
            grid=(heads.group, heads.keys, blocks),
            block=(SLAB, height, 1),
            arguments=(q.start, out.start, At(tiles), *sizes),
            reads=(q.region, tiles),
            writes=(out.region,),
            shared_bytes=scores + 4 * height * cache.context,
            macs=2 * heads.queries * heads.size * sum(position.value + 1 + row for row in range(q.width)),
            node=node,
        )
    ]


def _check(cache: Cache, rows: int, *tensors: tuple[Slabs, int]) -> None:
    check_tokens(*(tensor for tensor, _ in tensors))
    for tensor, count in tensors:
        if (tensor.channels, tensor.width, tensor.element) != (count * cache.heads.size, rows, cache.element):
            raise ValueError(
                f"{tensor.element}[{tensor.channels}] of {tensor.width} rows is not {rows} rows of "
                f"{count} heads of {cache.heads.size} in {cache.element}"
            )
    if cache.context % SLAB or rows > cache.context:
        raise ValueError(f"{rows} rows in a context of {cache.context}: it is a multiple of 32 and has room for them")
