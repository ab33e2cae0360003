"""Chunks of tokens put into a cache and attending to it, against NumPy, on both engines."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from openrpp.kernels.attention import Cache, Heads, Rope
from openrpp.kernels.launch import Region, Variable
from openrpp.kernels.placed import Placed
from openrpp.kernels.prefill import append, attention, room
from openrpp.kernels.rope import rope, table
from openrpp.kernels.slabs import Element, Slabs, pack, unpack
from openrpp.runtime.card import Card
from tests.kernels.engines import kept, tokens
from tests.kernels.test_attention import ERROR, Model

F32 = NDArray[np.float32]


def _given(heads: Heads, rows: int, element: Element) -> list[F32]:
    """q, k and v as [channels][1][rows]."""
    rng, found = np.random.default_rng(17), list[F32]()
    for count in (heads.queries, heads.keys, heads.keys):
        shape = (count * heads.size, 1, rows)
        found.append(kept(tokens("x", shape[0], rows, element), rng.standard_normal(shape)))
    return found


def _angles(heads: Heads, context: int) -> NDArray[np.float64]:
    return np.outer(np.arange(context), 1e4 ** (-np.arange(heads.size // 2) / (heads.size // 2)))


def _chunked(
    heads: Heads, context: int, chunks: Sequence[int], element: Element, engine: str, at_once: int | None = None
) -> F32:
    """[channels][rows] of all chunks, one after the other, with room for so many key heads in SRAM."""
    placed = Placed(Card("ae7100", engine=engine))
    cache = Cache(Region("cache", Cache.bytes(heads, context, element), "ddr"), heads, context, element)
    tiles, angles = Region("tiles", room(cache, heads=at_once), "sram"), _angles(heads, context)
    content = table(np.cos(angles), np.sin(angles))
    turning = Rope(Region("rope", content.nbytes, "ddr"))
    placed.write(turning.table, content)
    given, results, begin = _given(heads, sum(chunks), element), list[F32](), 0
    for rows in chunks:
        views = list[Slabs]()
        for name, values in zip("qkv", given, strict=True):
            views.append(tokens(name, len(values), rows, element))
            placed.write(views[-1].region, pack(views[-1], values[:, :, begin : begin + rows]))
        q, k, v = views
        turned, out = tokens("turned", q.channels, rows, element), tokens("out", q.channels, rows, element)
        position = Variable("position", begin)
        launches = rope(q, turned, heads.size, position, turning)
        placed.run(launches + attention(turned, k, v, out, cache, position, tiles, rope=turning))
        results.append(unpack(out, placed.read(out.region, np.uint8))[:, 0])
        begin += rows
    return np.concatenate(results, axis=1)


@pytest.mark.parametrize("element", ["bf16", "f32"])
@pytest.mark.parametrize("heads", [Heads(8, 4, 8), Heads(3, 1, 64)])
def test_chunks_attend_to_all_before_them_and_do_not_matter(heads: Heads, element: Element) -> None:
    found = _chunked(heads, 96, [40, 7, 33], element, "native")
    model = Model(heads, _angles(heads, 96))
    rows = [[values[:, 0, row].reshape(-1, heads.size).astype(np.float64) for values in _given(heads, 80, element)]
            for row in range(80)]  # fmt: skip
    expected = np.stack([model.step(q, k, v).reshape(-1) for q, k, v in rows], axis=1)
    assert np.abs(found - expected).max() <= ERROR[element]
    np.testing.assert_array_equal(found, _chunked(heads, 96, [80], element, "native"))


@pytest.mark.parametrize("element", ["bf16", "f32"])
@pytest.mark.parametrize("heads", [Heads(8, 4, 8), Heads(2, 1, 64)])
def test_engines_agree_on_chunks(heads: Heads, element: Element) -> None:
    native, reference = (_chunked(heads, 64, [5, 30], element, engine) for engine in ("native", "reference"))
    np.testing.assert_array_equal(native, reference)


def test_heads_take_turns_where_sram_is_short() -> None:
    heads = Heads(8, 4, 32)
    whole, halves = (_chunked(heads, 64, [20, 30], "bf16", "native", count) for count in (None, 2))
    np.testing.assert_array_equal(whole, halves)


def test_rows_beyond_the_context_are_refused() -> None:
    heads = Heads(4, 4, 8)
    cache = Cache(Region("cache", 0, "ddr"), heads, 32, "f32")
    x = tokens("x", 32, 33, "f32")
    with pytest.raises(ValueError, match="33 rows in a context of 32"):
        append(x, x, cache, Variable("position"), cache.region)
