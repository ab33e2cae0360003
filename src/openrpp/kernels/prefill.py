"""Attention of many tokens at once over a cache (`kernels/attention.py` has its layout).

All of the cache that the tokens attend to lies in SRAM while they do, for a share of the heads at a time where it is
large: `append` brings it there. A token's result does
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


def room(cache: Cache, tokens: int | None = None, heads: int | None = None) -> int:
    """Bytes of SRAM for tiles of so many key heads (all) and tokens (the whole context)."""
    tiles = -(-(cache.context if tokens is None else tokens) // SLAB)
    return (cache.heads.keys if heads is None else heads) * tiles * cache.heads.tile * BYTES[cache.element]


def attention(
    q: Slabs, k: Slabs, v: Slabs, out: Slabs, cache: Cache, position: Variable, tiles: Region, *,
    rope: Rope | None = None, scale: float | None = None, tokens: int | None = None, node: str = "",
) -> list[Launch]:  # fmt: skip
    """Puts rows of k and v into the cache, and rows of q, already turned, attend: in rounds of as many heads as fit.

    `tiles` has room for a share of the key heads and `tokens` tokens, those before the rows and the rows; the whole
    context by default.

    Raises ValueError for shapes that do not fit, or a region without room for one key head.
    """
    count = next((n for n in _shares(cache) if room(cache, tokens, n) <= tiles.bytes), None)
    if count is None:
        raise ValueError(f"tiles of one key head take {room(cache, tokens, 1):,} bytes, {tiles} has too few")
    launches: list[Launch] = []
    for begin in range(0, cache.heads.keys, count):
        part = range(begin, begin + count)
        launches += append(k, v, cache, position, tiles, rope=rope, heads=part, tokens=tokens, node=node)
        launches += attend(q, out, cache, position, tiles, scale=scale, heads=part, tokens=tokens, node=node)
    return launches


def append(
    k: Slabs, v: Slabs, cache: Cache, position: Variable, tiles: Region, *, rope: Rope | None = None,
    heads: range | None = None, tokens: int | None = None, node: str = "",
) -> list[Launch]:  # fmt: skip
    """Puts the rows of k, turned by their positions, and of v into the cache; leaves all tiles so far in `tiles`.

    `heads` are the key heads that it does so for, all by default; `tokens` is the most that there will be. Grid, block
    and shared memory do not depend on `position`, the number of tokens before the first row.

    Raises ValueError for shapes that do not fit.
    """
    shape, part = cache.heads, heads or range(cache.heads.keys)
    _check(cache, k.width, (k, shape.keys), (v, shape.keys))
    turning = -1 if rope is None else int(rope.interleaved)
    table = At(rope.table) if rope else None
    shared = 4 * SLAB * shape.size + BYTES[cache.element] * (SLAB + 1) * shape.chunks * SLAB
    places = (shape.tile, shape.tile * shape.keys, part.start, len(part))
    return [
        Launch(
            f"prefill/append_{cache.element}",
            grid=(-(-(cache.context if tokens is None else tokens) // SLAB), 1, 1),
            block=(SLAB, SLAB if shape.chunks < 8 else SLAB // 2, shape.chunks),
            arguments=(
                *(k.start, v.start, At(cache.region, cache.offset), At(tiles), table),
                *(k.plane, k.width, position, shape.size, *places, turning),
            ),
            reads=tuple(dict.fromkeys((k.region, v.region, cache.region, *((rope.table,) if rope else ())))),
            writes=(cache.region, tiles),
            shared_bytes=shared,
            node=node,
        )
    ]


def attend(
    q: Slabs, out: Slabs, cache: Cache, position: Variable, tiles: Region, *, scale: float | None = None,
    heads: range | None = None, tokens: int | None = None, node: str = "",
) -> list[Launch]:  # fmt: skip
    """Each row of q, already turned, attends to all tokens up to itself, which `append` has put to `tiles`.

    `heads` and `tokens` are as for `append`. Grid, block and shared memory do not depend on `position`. `scale`
    multiplies scores, 1 / sqrt(size) by default.

    Raises ValueError for shapes that do not fit.
    """
    shape, part = cache.heads, heads or range(cache.heads.keys)
    _check(cache, q.width, (q, shape.queries), (out, shape.queries))
    context = -(-(cache.context if tokens is None else tokens) // SLAB) * SLAB
    blocks = -(-q.width // min(_WARPS, _ROOM // (context * (4 + BYTES[cache.element]))))
    height = -(-q.width // blocks)
    powers = 4 * SLAB * height
    scores = powers + BYTES[cache.element] * height * context
    factor = 1 / math.sqrt(shape.size) if scale is None else scale
    sizes = (
        q.plane,
        out.plane,
        q.width,
        position,
        shape.size,
        shape.tile,
        part.start,
        factor,
        powers,
        scores,
        height * context,
    )
    pairs = sum(position.value + 1 + row for row in range(q.width))
    return [
        Launch(
            f"prefill/attend_{cache.element}",
            grid=(shape.group, len(part), blocks),
            block=(SLAB, height, 1),
            arguments=(q.start, out.start, At(tiles), *sizes),
            reads=(q.region, tiles),
            writes=(out.region,),
            shared_bytes=scores + 4 * height * context,
            macs=2 * shape.group * len(part) * shape.size * pairs,
            node=node,
        )
    ]


def _shares(cache: Cache) -> list[int]:
    """Numbers of key heads that rounds may have, the largest first."""
    return [count for count in range(cache.heads.keys, 0, -1) if cache.heads.keys % count == 0]


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
