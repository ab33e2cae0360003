"""Card time of a 512-token prompt through a 7B Llama as a replayed graph, and its share of the peak MAC rate.

The prompt goes in chunks, as many tokens at once as SRAM has room for: residual stream in float32, q, k and v, and the
tiles of the cache of half of the heads. Per layer and chunk: norm, product of q, k and v, rotation of q, then twice
(cache, attention), product with the residual added, norm, gated product, product with the residual added. The last
token alone goes through norm and head. Launches work on buffers without content: card time needs no data.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from benchmarks.slice.board import CardRow, Found
from benchmarks.slice.decode import LLAMA_7B, Model
from openrpp.kernels.attention import Cache, Rope
from openrpp.kernels.gemv import Tiles, gemv
from openrpp.kernels.launch import At, Launch, Region, Variable
from openrpp.kernels.matmul import matmul
from openrpp.kernels.norm import rms_norm
from openrpp.kernels.placed import Placed
from openrpp.kernels.prefill import attention, room
from openrpp.kernels.quant import Panels, panels_bytes
from openrpp.kernels.rope import ROWS_BEHIND, rope
from openrpp.kernels.rows import take
from openrpp.kernels.slabs import BYTES, Element, Slabs
from openrpp.runtime.card import Card

TOKENS, CHUNK = 512, 256
PEAK = 8192e9
"""MAC per second: 1024 cores, 8 each, at 1 GHz."""


@dataclass(frozen=True)
class Chunk:
    """Tensors of a chunk of tokens; the hidden layer lies where q, k and v lay."""

    x: Slabs
    normed: Slabs
    qkv: Region
    tiles: Region


class Prompt:
    """The launches of a prompt; `x` of its chunk comes from the host, `logits` of the last token go there."""

    def __init__(self, model: Model) -> None:
        self.model, self.heads = model, model.heads
        self.launches: list[Launch] = []
        keys = model.heads.keys * model.heads.size
        wide = max(model.width + 2 * keys, model.hidden)
        self._caches = [self._cache() for _ in range(model.layers)]
        self.chunk = Chunk(
            self._tokens(Region("x", 4 * CHUNK * model.width, "sram"), model.width, "f32"),
            self._tokens(Region("normed", 2 * CHUNK * model.width, "sram"), model.width),
            Region("qkv", 2 * CHUNK * wide, "sram"),
            Region("tiles", room(self._caches[0], TOKENS, model.heads.keys // 2), "sram"),
        )
        self.logits = Slabs(Region("logits", 4 * model.vocabulary, "sram"), 0, model.vocabulary, 1, 1, 0, "f32")
        self._silu = Region("silu", 1 << 17, "sram")
        self._weight = Region("norm", 4 * model.width, "sram")
        self._rope = Rope(Region("rope", 4 * model.heads.size * (TOKENS + ROWS_BEHIND), "ddr"))
        self._weights: dict[tuple[int, str], Panels] = {}
        for begin in range(0, TOKENS, CHUNK):
            for layer in range(model.layers):
                self._layer(layer, Variable("position", begin))
        self._head()

    def _cache(self) -> Cache:
        region = Region("cache", Cache.bytes(self.heads, TOKENS, "bf16"), "ddr")
        return Cache(region, self.heads, TOKENS, "bf16")

    def _layer(self, layer: int, position: Variable) -> None:
        chunk, heads, model = self.chunk, self.heads, self.model
        q, k, v = self._views()
        hidden = self._tokens(chunk.qkv, model.hidden)
        qkv = self._tokens(chunk.qkv, q.channels + k.channels + v.channels)
        self._norm()
        self._product(layer, "qkv", chunk.normed, qkv)
        self.launches += rope(q, chunk.normed, heads.size, position, self._rope)
        self.launches += attention(
            chunk.normed, k, v, q, self._caches[layer], position, chunk.tiles, rope=self._rope, tokens=TOKENS
        )
        self._product(layer, "o", q, chunk.x, chunk.x)
        self._norm()
        self._product(layer, "gate and up", chunk.normed, hidden, matrices=2)
        self._product(layer, "down", hidden, chunk.x, chunk.x)

    def _head(self) -> None:
        """The last token's row, its norm and logits; its tensors lie where q, k and v lay."""
        width, place = self.model.width, self.chunk.qkv
        row, normed = Slabs(place, 0, width, 1, 1, 0, "f32"), Slabs(place, 4 * width, width, 1, 1)
        begin = 8 * width
        half = (place.bytes - begin) // 2
        tiles = Tiles(At(place, begin), At(place, begin + half), half)
        self.launches += take(self.chunk.x, row, Variable("row", CHUNK - 1))
        self.launches += rms_norm(row, normed, self._weight, 1e-5)
        self.launches += gemv(normed, self.logits, self._panels(self.logits.channels, width), tiles)

    def _views(self) -> tuple[Slabs, Slabs, Slabs]:
        found, start = list[Slabs](), 0
        for count in (self.heads.queries, self.heads.keys, self.heads.keys):
            channels = count * self.heads.size
            found.append(Slabs(self.chunk.qkv, BYTES["bf16"] * start * CHUNK, channels, 1, CHUNK))
            start += channels
        return found[0], found[1], found[2]

    def _norm(self) -> None:
        self.launches += rms_norm(self.chunk.x, self.chunk.normed, self._weight, 1e-5)

    def _product(
        self, layer: int, name: str, x: Slabs, y: Slabs, residual: Slabs | None = None, matrices: int = 1
    ) -> None:
        weights = self._weights.setdefault((layer, name), self._panels(y.channels, x.channels, matrices))
        table = self._silu if matrices == 2 else None
        self.launches += matmul(x, y, weights, residual=residual, table=table, node=name)

    def _panels(self, outputs: int, inputs: int, matrices: int = 1) -> Panels:
        form = self.model.format
        return Panels(
            Region("weights", panels_bytes(form, outputs, inputs, matrices), "ddr"), 0, form, outputs, inputs, matrices
        )

    @staticmethod
    def _tokens(region: Region, channels: int, element: Element = "bf16") -> Slabs:
        return Slabs(region, 0, channels, 1, CHUNK, 0, element)


def measure() -> Found:
    """The prompt against the peak MAC rate."""
    found, row = Found(), prefill(LLAMA_7B)
    found.card.append(row)
    found.bars["prefill_7b"] = row.share
    return found


def prefill(model: Model) -> CardRow:
    """A prompt as a replayed graph; nothing runs. Raises AssertionError where a kernel's time is not known."""
    card = Card("ae7100", engine="native", workers=1, keep_timeline=False)
    placed, stream, prompt = Placed(card), card.stream(), Prompt(model)
    per_chunk = (len(prompt.launches) - 3) // (TOKENS // CHUNK)
    with card.capture(stream) as graph:
        for begin in range(0, TOKENS, CHUNK):
            first = begin // CHUNK * per_chunk
            last = len(prompt.launches) if begin + CHUNK == TOKENS else first + per_chunk
            stream.copy(placed.buffer(prompt.chunk.x.region), np.zeros(prompt.chunk.x.bytes, np.uint8))
            placed.run(prompt.launches[first:last], stream)
        stream.copy(np.empty(prompt.logits.bytes, np.uint8), placed.buffer(prompt.logits.region))
    time = graph.time()
    assert time.seconds is not None, "; ".join(time.unknown)
    limit = sum(launch.macs for launch in prompt.launches) / PEAK
    rate = f"{TOKENS / time.seconds.nominal:.0f} tokens/s"
    name = f"{model.name}, {TOKENS} tokens"
    return CardRow(name, time.seconds, time.launches, len(graph.nodes), ("MAC", limit), rate)
