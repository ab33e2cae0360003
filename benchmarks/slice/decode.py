"""Card time of a language model's decode step as a replayed graph, and its share of what DDR allows.

The step is made of the library's launches on buffers without content: card time needs no data. Per layer: norm, product
of q, k and v, attention with rotation and cache, product with the residual added, norm, gated product, product with the
residual added; then norm and head. The residual stream and the logits are float32; the token's row comes from the host
and the logits go there.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from benchmarks.slice.board import CardRow, Found
from openrpp.kernels import attention
from openrpp.kernels.attention import Cache, Heads, Rope
from openrpp.kernels.gemv import Tiles, gemv, link
from openrpp.kernels.launch import At, Launch, Region, Variable
from openrpp.kernels.norm import rms_norm
from openrpp.kernels.placed import Placed
from openrpp.kernels.quant import BLOCK_BYTES, GROUP, Format, Panels, panels_bytes
from openrpp.kernels.slabs import BYTES, SLAB, Element, Slabs
from openrpp.runtime.card import Card
from openrpp.runtime.costs import costs_of

CONTEXT = 128
"""Tokens that the new one attends to, itself included."""
TILE = 3 << 20


@dataclass(frozen=True)
class Model:
    """What decides a decode step of a Llama architecture."""

    name: str
    layers: int
    width: int
    heads: Heads
    hidden: int
    vocabulary: int
    format: Format
    head: Format

    @property
    def stream_bytes(self) -> int:
        """Bytes of the weights of all products, as GGUF keeps them, and of the keys and values of the context."""
        keys = self.heads.keys * self.heads.size
        each = self.width * (2 * self.width + 2 * keys + 3 * self.hidden)
        weights = self.layers * each * BLOCK_BYTES[self.format] + self.vocabulary * self.width * BLOCK_BYTES[self.head]
        return weights // GROUP + self.layers * 2 * CONTEXT * keys * BYTES["bf16"]


LLAMA_7B = Model("Llama-2-7B Q4_0", 32, 4096, Heads(32, 32, 128), 11008, 32000, "q4_0", "q4_0")
SMOLLM2 = Model("SmolLM2-135M Q4_1", 30, 576, Heads(9, 3, 64), 1536, 49152, "q4_1", "q4_1")


class Step:
    """The launches of a step; `x` and `logits` are its ends."""

    def __init__(self, model: Model) -> None:
        self.model = model
        self.launches: list[Launch] = []
        keys = model.heads.keys * model.heads.size
        self.x, self.logits = _tokens("x", model.width, "f32"), _tokens("logits", model.vocabulary, "f32")
        self._normed, self._mixed = _tokens("normed", model.width), _tokens("mixed", model.width)
        self._qkv, self._hidden = _tokens("qkv", model.width + 2 * keys), _tokens("hidden", model.hidden)
        self._tiles = Tiles(At(Region("tile 0", TILE, "sram")), At(Region("tile 1", TILE, "sram")), TILE)
        self._silu = Region("silu", 1 << 17, "sram")
        self._rope = Rope(Region("rope", 4 * model.heads.size * CONTEXT, "ddr"))
        self._cache_tiles: Region | None = None
        for _ in range(model.layers):
            self._layer()
        self._norm()
        self._product(self.logits, model.head)
        self.launches = link(self.launches, again=True)

    def _layer(self) -> None:
        model, heads = self.model, self.model.heads
        self._norm()
        self._product(self._qkv, model.format)
        region = Region("cache", Cache.bytes(heads, CONTEXT, "bf16"), "ddr")
        cache = Cache(region, heads, CONTEXT, "bf16")
        if self._cache_tiles is None:
            self._cache_tiles = Region("cache tiles", attention.room(cache), "sram")
        q, k, v = self._views()
        place = Variable("position", CONTEXT - 1)
        self.launches += attention.decode(q, k, v, self._mixed, cache, place, self._cache_tiles, rope=self._rope)
        self._product(self.x, model.format, self._mixed, self.x)
        self._norm()
        self._product(self._hidden, model.format, matrices=2)
        self._product(self.x, model.format, self._hidden, self.x)

    def _views(self) -> tuple[Slabs, Slabs, Slabs]:
        size, heads, start = self.model.heads.size, self.model.heads, 0
        found: list[Slabs] = []
        for count in (heads.queries, heads.keys, heads.keys):
            found.append(Slabs(self._qkv.region, BYTES["bf16"] * start, count * size, 1, 1))
            start += count * size
        return found[0], found[1], found[2]

    def _norm(self) -> None:
        weight = Region("weight", BYTES["f32"] * self.model.width, "sram")
        self.launches += rms_norm(self.x, self._normed, weight, 1e-5)

    def _product(
        self, y: Slabs, format: Format, x: Slabs | None = None, residual: Slabs | None = None, matrices: int = 1
    ) -> None:
        x = x or self._normed
        region = Region("weights", panels_bytes(format, y.channels, x.channels, matrices), "ddr")
        weights = Panels(region, 0, format, y.channels, x.channels, matrices)
        table = self._silu if matrices == 2 else None
        self.launches += gemv(x, y, weights, self._tiles, residual=residual, table=table)


def _tokens(name: str, channels: int, element: Element = "bf16") -> Slabs:
    return Slabs(Region(name, -(-channels // SLAB) * SLAB * BYTES[element], "sram"), 0, channels, 1, 1, element=element)


def measure() -> Found:
    """Decode steps of both models against the sustained rate of DDR."""
    found = Found()
    for bar, model in (("decode_7b", LLAMA_7B), ("decode_smollm2", SMOLLM2)):
        row = decode(model)
        found.card.append(row)
        found.bars[bar] = row.share
    return found


def decode(model: Model) -> CardRow:
    """A step of a model as a replayed graph; nothing runs. Raises AssertionError where a kernel's time is not known."""
    card = Card("ae7100", engine="native", workers=1, keep_timeline=False)
    placed, stream, step = Placed(card), card.stream(), Step(model)
    with card.capture(stream) as graph:
        stream.copy(placed.buffer(step.x.region), np.zeros(step.x.bytes, np.uint8))
        placed.run(step.launches, stream)
        stream.copy(np.empty(step.logits.bytes, np.uint8), placed.buffer(step.logits.region))
    time = graph.time()
    assert time.seconds is not None, "; ".join(time.unknown)
    limit = model.stream_bytes / costs_of(card.arch)[1].ddr_rate
    rate = f"{1 / time.seconds.nominal:.1f} tokens/s"
    name = f"{model.name}, decode at {CONTEXT}"
    return CardRow(name, time.seconds, time.launches, len(graph.nodes), ("DDR", limit), rate)
