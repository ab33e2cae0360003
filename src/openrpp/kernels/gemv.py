"""Products of one token and a matrix in DDR, streamed: y = W x, with bias and residual, or gated by SiLU.

The weights come in tiles, some whole panels or, of a larger one, some whole groups of 32 values of k, into two places
in SRAM in turn. The places belong to no kernel: a product asks for the first tile of the next one before it computes
its own last tile, so transfers go on across launches. `link` sets that up for the launches of a step:

    tiles = Tiles(a, b, size)
    launches = link([*gemv(x, y, w1, tiles), *others, *gemv(y, z, w2, tiles)])

Sums are in float32 and in an order that depends on the matrix alone: within a group k ascends; groups are dealt to the
parts of a block in turn, and the parts are added in order.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from openrpp.kernels.launch import Argument, At, Launch, Region
from openrpp.kernels.quant import WORDS, Panels
from openrpp.kernels.slabs import BYTES, SLAB, Slabs

_WEIGHTS, _FIRST, _SECOND, _FETCHED, _NEXT, _SIZES = 0, 1, 2, 3, 4, slice(7, 11)
"""Places of arguments: weights, tiles, whether the first has been asked for, the next matrix, how tiles are cut."""
_FAMILY: Final = "gemv/"
_GATED: Final = "gated_"


@dataclass(frozen=True)
class Tiles:
    """Two places of `bytes` bytes in SRAM for all products of a step; 3 MB cover the launches between products."""

    first: At
    second: At
    bytes: int


@dataclass(frozen=True)
class Cut:
    """How a matrix is cut in tiles: `together` whole panels each, or one panel in tiles of `chunk` groups."""

    groups: int
    panels: int
    chunk: int
    together: int

    @property
    def tiles(self) -> int:
        """Number of tiles."""
        if self.chunk < self.groups:
            return self.panels * -(-self.groups // self.chunk)
        return -(-self.panels // self.together)

    @property
    def first(self) -> int:
        """Groups in the first tile."""
        return self.chunk * min(self.together, self.panels)


def cut(weights: Panels, tile_bytes: int) -> Cut:
    """The cut of a matrix into tiles of at most so many bytes. Raises ValueError where a part does not fit."""
    most = tile_bytes // (2 * weights.group_words)
    if most >= weights.groups:
        return Cut(weights.groups, weights.panels, weights.groups, min(most // weights.groups, weights.panels))
    chunk = most // weights.parts * weights.parts
    if not chunk:
        needed = 2 * weights.group_words * weights.parts
        raise ValueError(f"what a block takes at a time is {needed:,} bytes, a tile has {tile_bytes:,}")
    return Cut(weights.groups, weights.panels, chunk, 1)


def link(launches: Sequence[Launch], *, again: bool = False) -> list[Launch]:
    """Launches of a step in which the first tile of each vector product is asked for by a launch before it.

    That is the last launch before it that can: a vector product, or an attention of one token, which asks when its own
    transfers are under way. The products must have been made with the same tiles, and this comes once. With `again` the
    step's first tile is asked for at its end, and the first product takes it as asked for: so a step that is replayed
    goes on. Its first run needs launches linked without.

    Raises ValueError where that needs an even number of tiles and cannot be had.
    """
    made = list(launches)
    products = [index for index, launch in enumerate(made) if launch.kernel.startswith(_FAMILY)]
    carriers = [index for index, launch in enumerate(made) if _asks(launch)]
    if again and sum(_cut_of(made[index]).tiles for index in products) % 2:
        _with_other_parity(made, products)
    swapped = False
    for index in products:
        ends = _tiles(launches[index])[:: -1 if swapped else 1]
        before = [place for place in carriers if place < index] or (carriers[-1:] if again else [])
        _set(made, index, {_FIRST: ends[0], _SECOND: ends[1], _FETCHED: int(bool(before))})
        if before:
            weights = made[index].arguments[_WEIGHTS]
            assert isinstance(weights, At)
            words = _cut_of(made[index]).first * _group_words(made[index])
            first = _asks(made[before[-1]])
            assert first is not None
            asked: dict[int, Argument] = {first: ends[0], first + 1: weights, first + 2: words}
            _set(made, before[-1], asked, weights.region, ends[0].region)
        swapped ^= bool(_cut_of(made[index]).tiles % 2)
    return made


def _asks(launch: Launch) -> int | None:
    """Which argument of a launch says where to put what a later launch needs; source and words follow."""
    if launch.kernel.startswith(_FAMILY):
        return _NEXT
    return len(launch.arguments) - 3 if launch.kernel.startswith("attention/decode_") else None


def _set(
    launches: list[Launch],
    index: int,
    values: Mapping[int, Argument],
    read: Region | None = None,
    written: Region | None = None,
) -> None:
    launch, arguments = launches[index], list(launches[index].arguments)
    for place, value in values.items():
        arguments[place] = value
    reads = dict.fromkeys((*launch.reads, *((read,) if read else ())))
    writes = dict.fromkeys((*launch.writes, *((written,) if written else ())))
    launches[index] = replace(launch, arguments=tuple(arguments), reads=tuple(reads), writes=tuple(writes))


def _tiles(launch: Launch) -> tuple[At, At]:
    first, second = launch.arguments[_FIRST], launch.arguments[_SECOND]
    assert isinstance(first, At) and isinstance(second, At)
    return first, second


def _cut_of(launch: Launch) -> Cut:
    groups, panels, chunk, together = launch.arguments[_SIZES]
    assert isinstance(groups, int) and isinstance(panels, int) and isinstance(chunk, int) and isinstance(together, int)
    return Cut(groups, panels, chunk, together)


def _group_words(launch: Launch) -> int:
    """Words of a group of k of all outputs of a panel."""
    name = launch.kernel.removeprefix(_FAMILY)
    gated = name.startswith(_GATED)
    words = next(words for format, words in WORDS.items() if name.removeprefix(_GATED).startswith(f"{format}_"))
    return launch.block[0] * words * (2 if gated else 1)


def _with_other_parity(launches: list[Launch], places: Sequence[int]) -> None:
    """Cut one matrix into one tile more or less, so that a step has an even number of them. Raises ValueError."""
    for index in places:
        now = _cut_of(launches[index])
        for together in range(now.together - 1, 0, -1):
            other = replace(now, together=together)
            if (other.tiles - now.tiles) % 2:
                sizes = (other.groups, other.panels, other.chunk, other.together)
                _set(launches, index, dict(enumerate(sizes, _SIZES.start)))
                return
    raise ValueError("a step with an odd number of tiles cannot go on from its end to its start")


def gemv(
    x: Slabs,
    y: Slabs,
    weights: Panels,
    tiles: Tiles,
    *,
    row: int = 0,
    bias: Region | None = None,
    residual: Slabs | None = None,
    table: Region | None = None,
    node: str = "",
) -> list[Launch]:
    """y = W x + bias + residual, or silu(G x) (U x) where the panels hold G and U, for one token.

    Args:
        x: tokens.
        y: tokens of the same element type; float32 of bfloat16 too, if nothing is gated.
        weights: the matrix; with two matrices the product is gated.
        tiles: places for tiles; see `link`.
        row: the token.
        bias: float32 per output, zeros up to a full slab, in SRAM.
        residual: is added, of y's element type; y may be the same.
        table: SiLU of all bfloat16 values, for a gated product in bf16.

    Raises ValueError for tensors that do not match, or a matrix of which not enough fits a tile.
    """
    gated = weights.matrices == 2
    _check(x, y, weights, residual, row, (bias, table))
    split = cut(weights, tiles.bytes)
    arguments: tuple[Argument, ...] = (
        *(weights.start, tiles.first, tiles.second, 0, None, None, 0),
        *(split.groups, split.panels, split.chunk, split.together),
        *(_row(x, row), x.plane, _row(y, row), y.plane, y.slabs * SLAB),
    )
    if gated:
        arguments = (*arguments, None if table is None else At(table))
    else:
        added = None if residual is None else _row(residual, row)
        arguments = (*arguments, None if bias is None else At(bias), added)
    more = (bias, table, residual.region if residual else None)
    sums = weights.groups + (weights.matrices * weights.parts * weights.width if weights.parts > 1 else 0)
    kinds = x.element if x.element == y.element else f"{x.element}_{y.element}"
    return [
        Launch(
            f"{_FAMILY}{_GATED * gated}{weights.format}_{kinds}",
            grid=(1, 1, 1),
            block=(weights.width, 1, weights.parts),
            arguments=arguments,
            reads=tuple(dict.fromkeys((x.region, weights.region, *(item for item in more if item)))),
            writes=tuple(dict.fromkeys((y.region, tiles.first.region, tiles.second.region))),
            shared_bytes=4 * sums,
            macs=weights.matrices * weights.outputs * weights.inputs,
            node=node,
        )
    ]


def _row(tensor: Slabs, row: int) -> At:
    return At(tensor.region, tensor.offset + row * SLAB * BYTES[tensor.element])


def _check(
    x: Slabs, y: Slabs, weights: Panels, residual: Slabs | None, row: int, more: tuple[Region | None, Region | None]
) -> None:
    for tensor in (x, y, *([residual] if residual else [])):
        if tensor.height != 1 or tensor.border or tensor.first or not 0 <= row < tensor.width:
            raise ValueError(f"row {row}: a vector product takes a row of tokens, from a slab's first channel on")
    gated, widened = weights.matrices == 2, (x.element, y.element) == ("bf16", "f32")
    if (x.element != y.element and (gated or not widened)) or (residual and residual.element != y.element):
        elements = ", ".join(tensor.element for tensor in (x, y, *([residual] if residual else [])))
        raise ValueError(f"{'a gated' if gated else 'a'} vector product does not take elements {elements}")
    if x.channels != weights.inputs:
        raise ValueError(f"x has {x.channels} channels, the matrix takes {weights.inputs}")
    if y.channels != weights.outputs or (residual and residual.channels != y.channels):
        raise ValueError(f"the matrix gives {weights.outputs} channels, y and the residual must have as many")
    bias, table = more
    if gated and (bias or residual or (x.element == "bf16" and table is None)):
        raise ValueError("a gated product has neither bias nor residual, and a table of SiLU in bf16")
