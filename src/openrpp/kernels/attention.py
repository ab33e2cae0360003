"""Attention with a cache of keys and values, grouped heads, causal.

The cache of a layer lies in DDR as [tiles of 32 tokens][key heads][K | V], in the activations' element type: K of a
tile is [size][32 tokens], so that 8 channels of it are what LDWARP loads (lanes are tokens: scores), V is [size / 32]
[32 tokens][32], so that 8 tokens of it are (lanes are channels: sums). The first tokens of all heads are one
transfer. Rows that were never written must be zero (finite would do): they are multiplied by zero.

Numbers: scores, their largest, powers and sums are float32; in bf16 mode q, k, v after their rotation and the powers
are rounded to bf16, and the row is divided by the sum of the rounded powers.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from openrpp.kernels.launch import At, Launch, Region, Variable
from openrpp.kernels.slabs import BYTES, SLAB, Element, Slabs
from openrpp.kernels.tokens import check_tokens

_WARPS = 255
_RING = 128
"""Warps that fill the ring: 32 columns times their latency."""
_PARTS = 8
"""Parts at most: more of them have more to add up when they meet than they save."""
_ROOM = 8 << 20
"""Bytes of SRAM for the tiles of a block's heads."""


@dataclass(frozen=True)
class Heads:
    """Shape of an attention: `queries` heads of `size` channels share `keys` heads of K and V.

    Raises ValueError where heads do not share evenly, a size is no multiple of 8 or above 256, or rows fill no slabs.
    """

    queries: int
    keys: int
    size: int

    def __post_init__(self) -> None:
        if self.queries % self.keys or self.size % 8 or self.size > 256:
            raise ValueError(f"{self.queries} heads of {self.size} cannot share {self.keys} key heads")
        if self.queries * self.size % SLAB or self.keys * self.size % SLAB:
            raise ValueError(f"{self.queries} and {self.keys} heads of {self.size} do not fill slabs of {SLAB}")

    @property
    def group(self) -> int:
        """Query heads for each key head."""
        return self.queries // self.keys

    @property
    def chunks(self) -> int:
        """Slabs that a head's channels take."""
        return -(-self.size // SLAB)

    @property
    def tile(self) -> int:
        """Elements of K and V of 32 tokens of a head."""
        return SLAB * (self.size + self.chunks * SLAB)


@dataclass(frozen=True)
class Cache:
    """Keys and values of a layer in DDR.

    Attributes:
        context: tokens that there is room for, a multiple of 32.
    """

    region: Region
    heads: Heads
    context: int
    element: Element
    offset: int = 0

    @staticmethod
    def bytes(heads: Heads, context: int, element: Element) -> int:
        """What a layer's cache takes."""
        return heads.keys * (context // SLAB) * heads.tile * BYTES[element]


@dataclass(frozen=True)
class Prefetch:
    """Words (16 bits each) that a launch fetches from DDR to SRAM for a later one."""

    to: At
    source: At
    words: int


@dataclass(frozen=True)
class Rope:
    """A rotation of q and k by their position; `table` is float32 in DDR, packed by `rope.table`."""

    table: Region
    interleaved: bool = False


def decode(
    q: Slabs,
    k: Slabs,
    v: Slabs,
    out: Slabs,
    cache: Cache,
    position: Variable,
    tiles: Region,
    *,
    rope: Rope | None = None,
    fetched: bool = False,
    then: Prefetch | None = None,
    scale: float | None = None,
    node: str = "",
) -> list[Launch]:
    """One token: its q, k and v are turned, k and v put into the cache, and it attends to all up to itself.

    q, k, v and out are one row each; q, k and v may be views of one tensor. Grid, block and shared memory do not depend
    on `position`, so a graph's node only needs that argument updated.

    Args:
        position: the number of tokens before this one.
        tiles: `room(cache)` bytes of SRAM for tiles of the cache; it belongs to no layer.
        fetched: whether an earlier launch has prefetched `used(cache, position)` bytes of the cache to `tiles`, which
            must hold all heads then.
        then: what to prefetch for a later launch once all transfers of this one have been started.
        scale: of the scores, 1 / sqrt(size) by default.

    Raises ValueError for shapes that do not fit.
    """
    heads = cache.heads
    check_row(heads, cache, q, k, v, out)
    split = _split(heads, cache)
    if fetched and split.heads < heads.keys:
        raise ValueError(f"a cache of {used(cache, cache.context - 1)} bytes is not fetched at once")
    turning = -1 if rope is None else int(rope.interleaved)
    arguments = (
        *(x.start for x in (q, k, v, out)),
        At(cache.region, cache.offset),
        At(tiles),
        At(rope.table) if rope else None,
        q.plane,
        out.plane,
        position,
        heads.size,
        heads.tile,
        heads.tile * heads.keys,
        heads.group,
        int(fetched),
        turning,
        1 / math.sqrt(heads.size) if scale is None else scale,
        *split.room(cache),
        *((then.to, then.source, then.words) if then else (None, None, 0)),
    )
    read = (*(x.region for x in (q, k, v)), cache.region, *((rope.table,) if rope else ()))
    if then:
        read = (*read, then.source.region)
    return [
        Launch(
            f"attention/decode_{cache.element}",
            grid=(1, 1, 1),
            block=(SLAB, split.heads, split.parts),
            arguments=arguments,
            reads=tuple(dict.fromkeys(read)),
            writes=tuple(dict.fromkeys((out.region, cache.region, tiles, *((then.to.region,) if then else ())))),
            shared_bytes=split.bytes(cache),
            macs=2 * heads.queries * heads.size * (position.value + 1),
            node=node,
        )
    ]


@dataclass(frozen=True)
class _Split:
    """Key heads of a block; `parts` threads per lane share a head's tiles."""

    heads: int
    parts: int

    def room(self, cache: Cache) -> tuple[int, ...]:
        """`Room` in attention.cu: offsets in bytes behind the table's row; then keys of a head."""
        heads, element = cache.heads, BYTES[cache.element]
        keys = -(-cache.context // (SLAB * self.parts)) * SLAB * self.parts
        row = 4 * SLAB * self.heads
        sizes = (
            4 * heads.size,
            4 * self.heads * keys,
            element * self.heads * keys,
            row * self.parts * heads.chunks,
            row,
        )
        places = np.cumsum([-(-size // 64) * 64 for size in sizes])
        return (*map(int, places), keys)

    def bytes(self, cache: Cache) -> int:
        """Shared memory of a block."""
        query = self.heads * cache.heads.group * cache.heads.size
        return self.room(cache)[-2] + query * BYTES[cache.element]


def _split(heads: Heads, cache: Cache) -> _Split:
    """As many key heads in a block as have room, and parts that fill the ring. Raises ValueError."""
    tiles = cache.context // SLAB
    each = tiles * heads.tile * BYTES[cache.element]
    most = min(_ROOM // each, _WARPS // heads.chunks)
    count = max((count for count in range(1, heads.keys + 1) if not heads.keys % count and count <= most), default=0)
    if not count:
        raise ValueError(f"a context of {cache.context} takes {each} bytes for one key head, SRAM has room for {_ROOM}")
    return _Split(count, max(heads.chunks, min(_RING // count, tiles, _PARTS)))


def room(cache: Cache) -> int:
    """Bytes of SRAM that `decode` needs for tiles. Raises ValueError where a head's do not fit."""
    split = _split(cache.heads, cache)
    return split.heads * (cache.context // SLAB) * cache.heads.tile * BYTES[cache.element]


def used(cache: Cache, position: int) -> int:
    """Bytes of the cache up to the tile of the token at `position`, that one included."""
    return cache.heads.keys * (position // SLAB + 1) * cache.heads.tile * BYTES[cache.element]


def check_row(heads: Heads, cache: Cache, q: Slabs, k: Slabs, v: Slabs, out: Slabs) -> None:
    """Raises ValueError for tensors that are not rows of these heads in the cache's element type."""
    check_tokens(q, k, v, out)
    for tensor, count in ((q, heads.queries), (k, heads.keys), (v, heads.keys), (out, heads.queries)):
        if (tensor.channels, tensor.width, tensor.element) != (count * heads.size, 1, cache.element):
            raise ValueError(
                f"{tensor.element}[{tensor.channels}] of {tensor.width} rows is not a row of "
                f"{count} heads of {heads.size} in {cache.element}"
            )
    if cache.context % SLAB or q.plane != k.plane or q.plane != v.plane:
        raise ValueError("the cache's context is a multiple of 32, and q, k and v have the same number of rows")
