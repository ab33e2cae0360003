"""A Llama as launches of library kernels, straight from the model's shape.

One row takes seven launches for each layer and two in the end: vector products that stream the weights, and an
attention that turns, keeps and attends at once. A chunk of rows takes nine for each layer, and three in the end for its
last row. Both are a `Plan` of the graph compiler, so memory, replay and card time are those of any session; they share
weights and caches. The sum that goes from layer to layer is float32 in bf16 mode, too: in bfloat16 it costs
SmolLM2-135M seven times the error of everything else together.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from openrpp.graph.layout import Tensor
from openrpp.graph.plan import Constant, Download, Plan, Port, Upload
from openrpp.kernels import attention, elementwise, norm, prefill, rope, rows
from openrpp.kernels.gemv import Tiles, gemv, link
from openrpp.kernels.launch import At, Launch, MemoryName, Region, Variable
from openrpp.kernels.matmul import matmul
from openrpp.kernels.quant import Format, Panels, pack, panels_bytes
from openrpp.kernels.slabs import BYTES, SLAB, Element, Slabs
from openrpp.llm.checkpoint import NORM, Checkpoint
from openrpp.llm.formats import Weight

EMBEDDED: Final = "embedded"
LOGITS: Final = "logits"
PAST: Final = "past"
LAST: Final = "last"
TILE: Final = 3 << 20
"""Bytes of each of the two places in SRAM that weights are streamed through."""
SEEN: Final = 8 << 20
"""Bytes of SRAM, at most, for the tiles of the cache that a chunk attends to."""
FORMATS: Final[dict[str, Format]] = {
    "Q4_0": "q4_0", "Q4_1": "q4_1", "Q8_0": "q8_0", "BF16": "bf16", "F16": "f16", "F32": "f32",
}  # fmt: skip
"""GGUF's formats -> those of panels."""


def takes(checkpoint: Checkpoint) -> bool:
    """Whether kernels of the library take the model as it is."""
    shape = checkpoint.shape
    try:
        attention.Heads(shape.heads, shape.kv_heads, shape.head)
    except ValueError:
        return False
    pairs = [(checkpoint.layer(index, "ffn_gate"), checkpoint.layer(index, "ffn_up")) for index in range(shape.layers)]
    return shape.rotated == shape.head and all(gate.format is up.format for gate, up in pairs)


class Weights:
    """What the plans of a model share: constants by name, each packed once."""

    def __init__(self, checkpoint: Checkpoint) -> None:
        self.checkpoint = checkpoint
        self._constants: dict[str, Constant] = {}
        self._panels: dict[str, Panels] = {}

    def constant(self, plan: Plan, name: str, content: NDArray[Any] | None, memory: MemoryName) -> Region:
        """A constant of a plan; the content may be left out where it is known."""
        found = self._constants.get(name)
        if found is None:
            assert content is not None
            flat = np.ascontiguousarray(content).reshape(-1).view(np.uint8)
            found = self._constants[name] = Constant(Region(name, flat.size, memory), name, flat)
        if found not in plan.constants:
            plan.constants.append(found)
        return found.region

    def panels(self, plan: Plan, name: str, weights: list[Weight], matrices: int) -> Panels:
        """Weights in panels: the rows of all below each other, or two matrices that share panels."""
        found = self._panels.get(name)
        if found is not None:
            self.constant(plan, name, None, "ddr")
            return found
        first, format = weights[0], FORMATS[weights[0].format.name]
        rows = first.rows if matrices == 2 else sum(weight.rows for weight in weights)
        contents = [weight.data for weight in weights]
        if matrices == 1 and len(contents) > 1:
            contents = [np.concatenate(contents)]
        size = panels_bytes(format, rows, first.columns, matrices)
        made = Panels(Region(name, size, "ddr"), 0, format, rows, first.columns, matrices)
        region = self.constant(plan, name, pack(made, *contents), "ddr")
        found = self._panels[name] = replace(made, region=region)
        return found


def token_plan(weights: Weights, context: int, element: Element, count: int = 1) -> Plan:
    """The plan of a chunk of `count` tokens, without addresses.

    Its input is `embedded` float32 [1, count, width], its output `logits` float32 [1, 1, vocabulary]. The variable
    `past` is how many tokens came before, `last` the row whose logits are wanted (of more than one row). The states are
    the caches of the layers.

    Raises ValueError for shapes that kernels do not take, see `takes`.
    """
    return _Builder(weights, context, element, count).plan


class _Builder:
    def __init__(self, weights: Weights, context: int, element: Element, count: int) -> None:
        shape = weights.checkpoint.shape
        self._weights = weights
        self._shape = shape
        self._element: Element = element
        self._rows = count
        self._context = -(-context // SLAB) * SLAB
        self._past = Variable(PAST)
        self._heads = attention.Heads(shape.heads, shape.kv_heads, shape.head)
        self._tiles = Tiles(At(Region("tile0", TILE, "sram")), At(Region("tile1", TILE, "sram")), TILE)
        self._launches: list[Launch] = []
        self.plan = Plan(
            [Port(EMBEDDED, (1, count, shape.width), "tensor(float)")],
            [Port(LOGITS, (1, 1, shape.vocabulary), "tensor(float)")],
        )
        angles = rope.table(*weights.checkpoint.rotations(context))
        self._rope = attention.Rope(weights.constant(self.plan, "rotations", angles, "ddr"), interleaved=True)
        silu = elementwise.table(elementwise.Function("silu")) if element == "bf16" else None
        self._silu = None if silu is None else weights.constant(self.plan, "silu", silu, "sram")
        self._seen = Region("cache tiles", self._room(self._cache(Region("", 0, "ddr"))), "sram")
        self._build()

    def _build(self) -> None:
        shape = self._shape
        hidden = self._tensor(EMBEDDED, shape.width, "f32")
        upload = Upload(EMBEDDED, Tensor((1, self._rows, shape.width), 2, hidden))
        for index in range(shape.layers):
            hidden = self._layer(index, hidden)
        if self._rows > 1:
            last = self._tensor("last", shape.width, "f32", rows=1)
            self._launches += rows.take(hidden, last, Variable(LAST), "last")
            hidden = last
        normal = self._norm("output_norm", hidden, self._weights.checkpoint.weights[NORM])
        logits = self._tensor(LOGITS, shape.vocabulary, "f32", rows=1)
        self._product("head", normal, logits, [self._weights.checkpoint.head])
        steps = link(self._launches)
        self.plan.steps = [upload, *steps, Download(Tensor((1, 1, shape.vocabulary), 2, logits), LOGITS)]

    def _layer(self, index: int, hidden: Slabs) -> Slabs:
        name, shape = f"layer{index}", self._shape
        queries, keys = shape.heads * shape.head, shape.kv_heads * shape.head

        def weights(*parts: str) -> list[Weight]:
            return [self._weights.checkpoint.layer(index, part) for part in parts]

        normal = self._norm(f"{name}.attn_norm", hidden, self._weights.checkpoint.layer(index, "attn_norm"))
        qkv = self._tensor(f"{name}.qkv", queries + 2 * keys)
        self._product(f"{name}.qkv", normal, qkv, weights("attn_q", "attn_k", "attn_v"))
        query, key, value = _view(qkv, 0, queries), _view(qkv, queries, keys), _view(qkv, queries + keys, keys)
        seen = self._tensor(f"{name}.seen", queries)
        self._attention(index, query, key, value, seen)
        attended = self._tensor(f"{name}.attended", shape.width, "f32")
        self._product(f"{name}.attn_output", seen, attended, weights("attn_output"), residual=hidden)
        normal = self._norm(f"{name}.ffn_norm", attended, self._weights.checkpoint.layer(index, "ffn_norm"))
        gated = self._tensor(f"{name}.gated", shape.feed)
        self._gated(f"{name}.gated", normal, gated, weights("ffn_gate", "ffn_up"))
        out = self._tensor(f"{name}.out", shape.width, "f32")
        self._product(f"{name}.ffn_down", gated, out, weights("ffn_down"), residual=attended)
        return out

    # --- launches ------------------------------------------------------------------------------------------------

    def _norm(self, name: str, x: Slabs, weight: Weight) -> Slabs:
        y = self._tensor(name, x.channels, rows=x.width)
        scale = self._weights.constant(self.plan, weight.name, norm.scales(weight.values()), "sram")
        self._launches += norm.rms_norm(x, y, scale, self._shape.epsilon, name)
        return y

    def _room(self, cache: attention.Cache) -> int:
        """Bytes of SRAM for tiles of the cache: all of it if that is not too much, at least those of one head."""
        if self._rows == 1:
            return attention.room(cache)
        return max(prefill.room(cache, heads=1), min(prefill.room(cache), SEEN))

    def _cache(self, region: Region) -> attention.Cache:
        return attention.Cache(region, self._heads, self._context, self._element)

    def _attention(self, index: int, q: Slabs, k: Slabs, v: Slabs, out: Slabs) -> None:
        name, size = f"cache{index}", attention.Cache.bytes(self._heads, self._context, self._element)
        region = self.plan.states[name] = Region(name, size, "ddr")
        cache, past, tiles, node = self._cache(region), self._past, self._seen, f"layer{index}.attention"
        if self._rows == 1:
            self._launches += attention.decode(q, k, v, out, cache, past, tiles, rope=self._rope, node=node)
            return
        turned = self._tensor(f"layer{index}.turned", q.channels)
        self._launches += rope.rope(q, turned, self._shape.head, past, self._rope, node)
        self._launches += prefill.attention(turned, k, v, out, cache, past, tiles, rope=self._rope, node=node)

    def _product(self, name: str, x: Slabs, y: Slabs, weights: list[Weight], residual: Slabs | None = None) -> None:
        """y = W x + residual, the rows of all weights below each other where they have one format."""
        if len({weight.format.name for weight in weights}) == 1:
            self._multiply(name, x, y, self._weights.panels(self.plan, name, weights, 1), residual)
            return
        first = 0
        for weight in weights:
            panels = self._weights.panels(self.plan, weight.name, [weight], 1)
            self._multiply(weight.name, x, _view(y, first, weight.rows), panels, residual)
            first += weight.rows

    def _gated(self, name: str, x: Slabs, y: Slabs, weights: list[Weight]) -> None:
        self._multiply(name, x, y, self._weights.panels(self.plan, name, weights, 2), None, self._silu)

    def _multiply(
        self, name: str, x: Slabs, y: Slabs, panels: Panels, residual: Slabs | None, table: Region | None = None
    ) -> None:
        if x.width == 1:
            self._launches += gemv(x, y, panels, self._tiles, residual=residual, table=table, node=name)
        else:
            self._launches += matmul(x, y, panels, residual=residual, table=table, node=name)

    def _tensor(self, name: str, channels: int, element: Element | None = None, rows: int | None = None) -> Slabs:
        chosen, count = element or self._element, rows or self._rows
        size = -(-channels // SLAB) * SLAB * count * BYTES[chosen]
        return Slabs(Region(name, size, "sram"), 0, channels, 1, count, 0, chosen)


def _view(tensor: Slabs, first: int, channels: int) -> Slabs:
    """Some channels of a tensor, from a slab's first on."""
    offset = tensor.offset + first // SLAB * tensor.plane * BYTES[tensor.element]
    return replace(tensor, offset=offset, channels=channels)
