"""A Llama's decode step as launches of library kernels, straight from the model's shape.

One row goes through all layers: seven launches for each, and two in the end. It is a `Plan` of the graph compiler, so
memory, replay and card time are those of any session. The sum that goes from layer to layer is float32 in bf16 mode,
too: in bfloat16 it costs SmolLM2-135M seven times the error of everything else together.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from openrpp.graph.layout import Tensor
from openrpp.graph.plan import Constant, Download, Plan, Port, Upload
from openrpp.kernels import attention, elementwise, norm, rope
from openrpp.kernels.gemv import Tiles, gemv, link
from openrpp.kernels.launch import At, Launch, MemoryName, Region, Variable
from openrpp.kernels.quant import Format, Panels, pack, panels_bytes
from openrpp.kernels.slabs import BYTES, SLAB, Element, Slabs
from openrpp.llm.checkpoint import NORM, Checkpoint
from openrpp.llm.formats import Weight

EMBEDDED: Final = "embedded"
LOGITS: Final = "logits"
PAST: Final = "past"
TILE: Final = 3 << 20
"""Bytes of each of the two places in SRAM that weights are streamed through."""
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


def decode_plan(checkpoint: Checkpoint, context: int, element: Element) -> Plan:
    """The plan of one token, without addresses.

    Its input is `embedded` float32 [1, 1, width], its output `logits` float32 [1, 1, vocabulary]; the variable `past`
    is how many tokens came before. The states are the caches of the layers.

    Raises ValueError for shapes that kernels do not take, see `takes`.
    """
    return _Builder(checkpoint, context, element).plan


class _Builder:
    def __init__(self, checkpoint: Checkpoint, context: int, element: Element) -> None:
        shape = checkpoint.shape
        self._checkpoint = checkpoint
        self._shape = shape
        self._element: Element = element
        self._context = -(-context // SLAB) * SLAB
        self._past = Variable(PAST)
        self._heads = attention.Heads(shape.heads, shape.kv_heads, shape.head)
        self._tiles = Tiles(At(Region("tile0", TILE, "sram")), At(Region("tile1", TILE, "sram")), TILE)
        self._launches: list[Launch] = []
        self.plan = Plan(
            [Port(EMBEDDED, (1, 1, shape.width), "tensor(float)")],
            [Port(LOGITS, (1, 1, shape.vocabulary), "tensor(float)")],
        )
        angles = rope.table(*checkpoint.rotations(context))
        self._rope = attention.Rope(self._constant("rotations", angles, "ddr"), interleaved=True)
        silu = elementwise.table(elementwise.Function("silu")) if element == "bf16" else None
        self._silu = None if silu is None else self._constant("silu", silu, "sram")
        self._seen = Region("cache tiles", attention.room(self._cache(Region("", 0, "ddr"))), "sram")
        self._build()

    def _build(self) -> None:
        hidden = self._row(EMBEDDED, self._shape.width, "f32")
        upload = Upload(EMBEDDED, _tensor(hidden))
        for index in range(self._shape.layers):
            hidden = self._layer(index, hidden)
        normal = self._norm("output_norm", hidden, self._checkpoint.weights[NORM])
        logits = self._row(LOGITS, self._shape.vocabulary, "f32")
        self._product("head", normal, logits, [self._checkpoint.head])
        self.plan.steps = [upload, *link(self._launches), Download(_tensor(logits), LOGITS)]

    def _layer(self, index: int, hidden: Slabs) -> Slabs:
        name, shape = f"layer{index}", self._shape
        queries, keys = shape.heads * shape.head, shape.kv_heads * shape.head

        def weights(*parts: str) -> list[Weight]:
            return [self._checkpoint.layer(index, part) for part in parts]

        normal = self._norm(f"{name}.attn_norm", hidden, self._checkpoint.layer(index, "attn_norm"))
        qkv = self._row(f"{name}.qkv", queries + 2 * keys)
        self._product(f"{name}.qkv", normal, qkv, weights("attn_q", "attn_k", "attn_v"))
        query, key, value = _view(qkv, 0, queries), _view(qkv, queries, keys), _view(qkv, queries + keys, keys)
        seen = self._row(f"{name}.seen", queries)
        self._attention(index, query, key, value, seen)
        attended = self._row(f"{name}.attended", shape.width, "f32")
        self._product(f"{name}.attn_output", seen, attended, weights("attn_output"), residual=hidden)
        normal = self._norm(f"{name}.ffn_norm", attended, self._checkpoint.layer(index, "ffn_norm"))
        gated = self._row(f"{name}.gated", shape.feed)
        self._gated(f"{name}.gated", normal, gated, weights("ffn_gate", "ffn_up"))
        out = self._row(f"{name}.out", shape.width, "f32")
        self._product(f"{name}.ffn_down", gated, out, weights("ffn_down"), residual=attended)
        return out

    # --- launches ------------------------------------------------------------------------------------------------

    def _norm(self, name: str, x: Slabs, weight: Weight) -> Slabs:
        y = self._row(name, x.channels)
        scale = self._constant(weight.name, norm.scales(weight.values()), "sram")
        self._launches += norm.rms_norm(x, y, scale, self._shape.epsilon, name)
        return y

    def _cache(self, region: Region) -> attention.Cache:
        return attention.Cache(region, self._heads, self._context, self._element)

    def _attention(self, index: int, q: Slabs, k: Slabs, v: Slabs, out: Slabs) -> None:
        name, size = f"cache{index}", attention.Cache.bytes(self._heads, self._context, self._element)
        region = self.plan.states[name] = Region(name, size, "ddr")
        self._launches += attention.decode(
            q, k, v, out, self._cache(region), self._past, self._seen, rope=self._rope, node=f"layer{index}.attention"
        )

    def _product(self, name: str, x: Slabs, y: Slabs, weights: list[Weight], residual: Slabs | None = None) -> None:
        """y = W x + residual, the rows of all weights below each other where they have one format."""
        if len({weight.format.name for weight in weights}) == 1:
            content = np.concatenate([weight.data for weight in weights]) if len(weights) > 1 else weights[0].data
            panels = self._panels(name, weights[0], sum(weight.rows for weight in weights), [content])
            self._launches += gemv(x, y, panels, self._tiles, residual=residual, node=name)
            return
        first = 0
        for weight in weights:
            panels = self._panels(weight.name, weight, weight.rows, [weight.data])
            part = _view(y, first, weight.rows)
            self._launches += gemv(x, part, panels, self._tiles, residual=residual, node=weight.name)
            first += weight.rows

    def _gated(self, name: str, x: Slabs, y: Slabs, weights: list[Weight]) -> None:
        panels = self._panels(name, weights[0], weights[0].rows, [weight.data for weight in weights])
        self._launches += gemv(x, y, panels, self._tiles, table=self._silu, node=name)

    # --- memory --------------------------------------------------------------------------------------------------

    def _panels(self, name: str, weight: Weight, rows: int, contents: list[NDArray[Any]]) -> Panels:
        format = FORMATS[weight.format.name]
        size = panels_bytes(format, rows, weight.columns, len(contents))
        panels = Panels(Region(name, size, "ddr"), 0, format, rows, weight.columns, len(contents))
        self.plan.constants.append(Constant(panels.region, name, pack(panels, *contents).view(np.uint8)))
        return panels

    def _constant(self, name: str, content: NDArray[Any], memory: MemoryName) -> Region:
        flat = np.ascontiguousarray(content).reshape(-1).view(np.uint8)
        region = Region(name, flat.size, memory)
        self.plan.constants.append(Constant(region, name, flat))
        return region

    def _row(self, name: str, channels: int, element: Element | None = None) -> Slabs:
        chosen = element or self._element
        return Slabs(Region(name, -(-channels // SLAB) * SLAB * BYTES[chosen], "sram"), 0, channels, 1, 1, 0, chosen)


def _view(row: Slabs, first: int, channels: int) -> Slabs:
    """Some channels of a row, from a slab's first on."""
    return replace(row, offset=row.offset + first // SLAB * row.plane * BYTES[row.element], channels=channels)


def _tensor(row: Slabs) -> Tensor:
    return Tensor((1, 1, row.channels), 2, row)
