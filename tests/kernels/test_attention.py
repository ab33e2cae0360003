"""Attention of one token with a cache against NumPy, on both engines."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pytest
from numpy.typing import NDArray

from openrpp.kernels.attention import Cache, Heads, Prefetch, Rope, decode, room, used
from openrpp.kernels.launch import At, Region, Variable
from openrpp.kernels.placed import Placed
from openrpp.kernels.rope import table
from openrpp.kernels.slabs import BYTES, Element, Slabs, bf16, pack, unpack
from openrpp.runtime.card import Card
from tests.kernels.engines import kept, tokens

F64 = NDArray[np.float64]
ERROR: dict[Element, float] = {"bf16": 0.02, "f32": 2e-6}


def turned(x: F64, angles: F64, interleaved: bool) -> F64:
    """Heads [heads][size] turned by the angle of each pair."""
    size = x.shape[1]
    pairs = (x[:, 0::2], x[:, 1::2]) if interleaved else (x[:, : size // 2], x[:, size // 2 :])
    real, imaginary = np.real, np.imag
    found = (pairs[0] + 1j * pairs[1]) * np.exp(1j * angles)
    if interleaved:
        return np.stack([real(found), imaginary(found)], axis=2).reshape(x.shape)
    return np.concatenate([real(found), imaginary(found)], axis=1)


@dataclass
class Model:
    """Attention in float64, token by token."""

    heads: Heads
    angles: F64
    interleaved: bool = False
    keys: list[F64] = field(default_factory=list[F64])
    values: list[F64] = field(default_factory=list[F64])

    def step(self, q: F64, k: F64, v: F64) -> F64:
        """The next token's q, k, v, each [heads][size]; its result."""
        angles = self.angles[len(self.keys)]
        q = turned(q, angles, self.interleaved)
        self.keys.append(turned(k, angles, self.interleaved))
        self.values.append(v)
        keys, values = (np.repeat(np.array(each), self.heads.group, axis=1) for each in (self.keys, self.values))
        scores = np.einsum("hd,thd->ht", q, keys) / np.sqrt(self.heads.size)
        powers = np.exp(scores - scores.max(axis=1, keepdims=True))
        return np.einsum("ht,thd->hd", powers / powers.sum(axis=1, keepdims=True), values)


def split(heads: Heads, element: Element) -> tuple[Slabs, Slabs, Slabs]:
    """q, k and v as views of one row."""
    whole = tokens("qkv", (heads.queries + 2 * heads.keys) * heads.size, 1, element)
    views, offset = list[Slabs](), 0
    for count in (heads.queries, heads.keys, heads.keys):
        views.append(Slabs(whole.region, offset, count * heads.size, 1, 1, 0, element))
        offset += count * heads.size * BYTES[element]
    return views[0], views[1], views[2]


def generated(
    heads: Heads, context: int, steps: int, element: Element, engine: str, interleaved: bool = False
) -> tuple[NDArray[np.float32], F64]:
    """Results of the card and of the model, [steps][channels]."""
    rng, placed = np.random.default_rng(11), Placed(Card("ae7100", engine=engine))
    q, k, v = split(heads, element)
    out = tokens("out", heads.queries * heads.size, 1, element)
    cache = Cache(Region("cache", Cache.bytes(heads, context, element), "ddr"), heads, context, element)
    tiles = Region("tiles", max(room(cache), 32), "sram")
    angles = np.outer(np.arange(context), 1e4 ** (-np.arange(heads.size // 2) / (heads.size // 2)))
    rope = Rope(Region("rope", 4 * context * heads.size, "ddr"), interleaved)
    placed.write(rope.table, table(np.cos(angles), np.sin(angles)))
    model, found, expected = Model(heads, angles, interleaved), list[NDArray[np.float32]](), list[F64]()
    for position in range(steps):
        exact = list[F64]()
        for x in (q, k, v):
            values = kept(x, rng.standard_normal((x.channels, 1, 1)))
            placed.write(x.region, pack(x, values), x.offset)
            exact.append(values.reshape(-1, heads.size).astype(np.float64))
        placed.run(decode(q, k, v, out, cache, Variable("position", position), tiles, rope=rope))
        found.append(unpack(out, placed.read(out.region, np.uint8)).reshape(-1))
        expected.append(model.step(*exact).reshape(-1))
    return np.array(found), np.array(expected)


@pytest.mark.parametrize("element", ["bf16", "f32"])
@pytest.mark.parametrize(("heads", "interleaved"), [(Heads(8, 4, 8), True), (Heads(3, 1, 64), False)])
def test_tokens_attend_to_all_before_them(heads: Heads, interleaved: bool, element: Element) -> None:
    found, expected = generated(heads, 96, 70, element, "native", interleaved)
    assert np.abs(found - expected).max() <= ERROR[element]


@pytest.mark.parametrize("element", ["bf16", "f32"])
@pytest.mark.parametrize("heads", [Heads(8, 4, 8), Heads(4, 2, 80)])
def test_engines_agree_on_the_first_tokens(heads: Heads, element: Element) -> None:
    native, reference = (generated(heads, 64, 2, element, engine)[0] for engine in ("native", "reference"))
    np.testing.assert_array_equal(native, reference)


@pytest.mark.parametrize("engine", ["native", "reference"])
def test_a_layer_may_fetch_the_cache_of_the_next(engine: str) -> None:
    heads, placed, results = Heads(3, 1, 64), Placed(Card("ae7100", engine=engine)), list[NDArray[np.uint16]]()
    rng, size, position = np.random.default_rng(13), Cache.bytes(Heads(3, 1, 64), 64, "bf16"), Variable("position", 40)
    q, k, v = split(heads, "bf16")
    for x in (q, k, v):
        placed.write(x.region, pack(x, rng.standard_normal((x.channels, 1, 1))), x.offset)
    content = bf16(rng.standard_normal(size // 2))
    for fetched in (False, True):
        layers = [Cache(Region("cache", size, "ddr"), heads, 64, "bf16") for _ in range(2)]
        tiles = [Region("tiles", room(layers[0]), "sram") for _ in range(2)]
        for cache in layers:
            placed.write(cache.region, content)
        outs = [tokens("out", 192, 1, "bf16") for _ in range(2)]
        following = Prefetch(At(tiles[1]), At(layers[1].region), used(layers[1], 40) // 2) if fetched else None
        placed.run(decode(q, k, v, outs[0], layers[0], position, tiles[0], then=following))
        placed.run(decode(q, k, v, outs[1], layers[1], position, tiles[1], fetched=fetched))
        results += [placed.read(out.region, np.uint16) for out in outs]
        results.append(placed.read(layers[1].region, np.uint16))
    np.testing.assert_array_equal(results[0], results[1])
    for one, other in zip(results[:3], results[3:], strict=True):
        np.testing.assert_array_equal(one, other)


def test_heads_that_do_not_fit_a_block_take_turns() -> None:
    heads = Heads(16, 16, 128)
    found, expected = generated(heads, 2048, 2, "bf16", "native")
    assert np.abs(found - expected).max() <= ERROR["bf16"]


def test_a_context_that_no_sram_holds_is_refused() -> None:
    heads = Heads(4, 4, 128)
    cache = Cache(Region("cache", 0, "ddr"), heads, 1 << 20, "f32")
    q, k, v = split(heads, "f32")
    with pytest.raises(ValueError, match="a context of 1048576 takes"):
        decode(q, k, v, tokens("out", 512, 1, "f32"), cache, Variable("position"), cache.region)


def test_heads_that_cannot_share_are_refused() -> None:
    with pytest.raises(ValueError, match="9 heads of 64 cannot share 2 key heads"):
        Heads(9, 2, 64)
