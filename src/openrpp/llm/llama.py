"""A Llama as a standard ONNX graph, weights as they lie in the file.

One graph serves prompts and answers: its axis `rows` is bound to the tokens of a chunk, or to one. The cache of keys
and values goes in and comes out; `TensorScatter` puts the chunk's own rows in at `past`.
"""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from openrpp.llm.checkpoint import EMBEDDING, NORM, Checkpoint
from openrpp.llm.errors import ModelError
from openrpp.llm.formats import Weight
from openrpp.llm.functions import DOMAIN, OPSET, function

IR_VERSION: Final = 11
TOKENS, POSITIONS, PAST, TOTAL, TAKE, LOGITS = "tokens", "positions", "past", "total", "take", "logits"


def build(checkpoint: Checkpoint, context: int) -> Any:
    """The graph as an onnx_ir.Model.

    Inputs: `tokens` int64 [1, rows]; `positions` int64 [1, rows], past to past + rows - 1; `past` int64 [1], how many
    tokens came before; `total` int64 [1], past + rows; `take` int64 [taken], the rows whose logits are wanted;
    `past_key.L` and `past_value.L` float32 [1, kv_heads, context, head] for each layer L.
    Outputs: `logits` float32 [1, taken, vocabulary], `present_key.L` and `present_value.L`.

    Args:
        checkpoint: the model.
        context: tokens that the cache has room for.

    Raises ModelError for a context that the model was not made for.
    """
    if not 1 <= context <= checkpoint.shape.context:
        raise ModelError(f"a context of {context} tokens; {checkpoint.name} takes 1 to {checkpoint.shape.context}")
    return _Builder(checkpoint, context).model()


def feed(tokens: Sequence[int], past: int, take: Sequence[int] | None = None) -> dict[str, NDArray[np.int64]]:
    """Inputs for a chunk of tokens but the cache; `take` are the rows whose logits are wanted, the last by default."""
    rows = len(tokens)
    return {
        TOKENS: np.array([tokens], np.int64),
        POSITIONS: np.arange(past, past + rows, dtype=np.int64)[None],
        PAST: np.array([past], np.int64),
        TOTAL: np.array([past + rows], np.int64),
        TAKE: np.array([rows - 1] if take is None else list(take), np.int64),
    }


class _Builder:
    """Nodes in order; values by what they are called."""

    def __init__(self, checkpoint: Checkpoint, context: int) -> None:
        self.ir: Any = _library()
        self.checkpoint = checkpoint
        self.shape = checkpoint.shape
        self.context = context
        self._nodes: list[Any] = []
        self._inputs: list[Any] = []
        self._outputs: list[Any] = []
        self._constants: dict[str, Any] = {}
        self._functions: set[tuple[str, str]] = set()
        self.past: Any = None
        self.total: Any = None

    def model(self) -> Any:
        ir = self.ir
        tokens = self._input(TOKENS, "INT64", (1, "rows"))
        positions = self._input(POSITIONS, "INT64", (1, "rows"))
        self.past = self._input(PAST, "INT64", (1,))
        self.total = self._input(TOTAL, "INT64", (1,))
        take = self._input(TAKE, "INT64", ("taken",))
        cosines, sines = self.checkpoint.rotations(self.context)
        turn = (self._constant("cosines", cosines), self._constant("sines", sines), positions)
        hidden = self._weighted("Gather", EMBEDDING, self.checkpoint.weights[EMBEDDING], tokens, "embedded")
        caches: list[Any] = []
        for index in range(self.shape.layers):
            hidden, cache = self._layer(index, hidden, turn)
            caches += cache
        rows = self._op("Gather", "taken", hidden, take, axis=1)
        normal = self._norm("output_norm", rows, self.checkpoint.weights[NORM])
        logits = self._weighted("MatMul", "head", self.checkpoint.head, normal, LOGITS)
        self._outputs = [self._typed(logits, (1, "taken", self.shape.vocabulary)), *caches]
        graph = ir.Graph(
            self._inputs, self._outputs, nodes=self._nodes, initializers=list(self._constants.values()),
            opset_imports={"": OPSET, DOMAIN: 1}, name="llama",
        )  # fmt: skip
        return ir.Model(graph, ir_version=IR_VERSION, producer_name="openrpp", functions=self._bodies())

    def _layer(self, index: int, hidden: Any, turn: tuple[Any, Any, Any]) -> tuple[Any, list[Any]]:
        name = f"layer{index}"
        normal = self._norm(f"{name}.attn_norm", hidden, self._at(index, "attn_norm"))
        mixed, cache = self._attention(index, normal, turn)
        hidden = self._op("Add", f"{name}.attended", hidden, mixed)
        normal = self._norm(f"{name}.ffn_norm", hidden, self._at(index, "ffn_norm"))
        gate = self._product(index, "ffn_gate", normal)
        up = self._product(index, "ffn_up", normal)
        open_ = self._op("Mul", f"{name}.silu", gate, self._op("Sigmoid", f"{name}.sigmoid", gate))
        down = self._product(index, "ffn_down", self._op("Mul", f"{name}.gated", open_, up))
        return self._op("Add", f"{name}.out", hidden, down), cache

    def _attention(self, index: int, normal: Any, turn: tuple[Any, Any, Any]) -> tuple[Any, list[Any]]:
        name, shape = f"layer{index}", self.shape
        query = self._turned(f"{name}.q", self._heads(f"{name}.q", index, "attn_q", normal, shape.heads), turn)
        key = self._turned(f"{name}.k", self._heads(f"{name}.k", index, "attn_k", normal, shape.kv_heads), turn)
        value = self._heads(f"{name}.v", index, "attn_v", normal, shape.kv_heads)
        keys, values = self._cached("key", index, key), self._cached("value", index, value)
        nothing = (None, None, None)
        seen = self._op("Attention", f"{name}.heads", query, keys, values, *nothing, self.total, is_causal=1)
        rows = self._op("Transpose", f"{name}.rows", seen, perm=[0, 2, 1, 3])
        joined = self._constant("joined", np.array([1, -1, shape.heads * shape.head], np.int64))
        return self._product(index, "attn_output", self._op("Reshape", f"{name}.joined", rows, joined)), [keys, values]

    def _heads(self, name: str, index: int, part: str, normal: Any, heads: int) -> Any:
        """A product [1, rows, heads * head] as [1, heads, rows, head]."""
        apart = self._constant(f"apart{heads}", np.array([1, -1, heads, self.shape.head], np.int64))
        rows = self._op("Reshape", f"{name}.apart", self._product(index, part, normal), apart)
        return self._op("Transpose", f"{name}.heads", rows, perm=[0, 2, 1, 3])

    def _turned(self, name: str, heads: Any, turn: tuple[Any, Any, Any]) -> Any:
        partial: dict[str, Any] = (
            {} if self.shape.rotated == self.shape.head else {"rotary_embedding_dim": self.shape.rotated}
        )
        return self._op("RotaryEmbedding", f"{name}.turned", heads, *turn, interleaved=1, **partial)

    def _cached(self, what: str, index: int, rows: Any) -> Any:
        extents = (1, self.shape.kv_heads, self.context, self.shape.head)
        past = self._input(f"past_{what}.{index}", "FLOAT", extents)
        return self._typed(self._op("TensorScatter", f"present_{what}.{index}", past, rows, self.past, axis=2), extents)

    def _norm(self, name: str, rows: Any, weight: Weight) -> Any:
        scale = self._constant(weight.name, weight.values())
        return self._op("RMSNormalization", name, rows, scale, axis=-1, epsilon=self.shape.epsilon)

    def _product(self, index: int, part: str, rows: Any) -> Any:
        return self._weighted("MatMul", f"layer{index}.{part}", self._at(index, part), rows, f"layer{index}.{part}")

    def _at(self, index: int, part: str) -> Weight:
        return self.checkpoint.layer(index, part)

    # --- nodes and values --------------------------------------------------------------------------------------

    def _weighted(self, kind: str, name: str, weight: Weight, rows: Any, result: str) -> Any:
        stored = self._constant(weight.name, weight.data, bf16=weight.format.name == "BF16")
        self._functions.add((kind, weight.format.name))
        operands = (rows, stored) if kind == "MatMul" else (stored, rows)
        return self._op(f"{kind}{weight.format.name}", result, *operands, domain=DOMAIN)

    def _op(self, kind: str, result: str, *operands: Any, domain: str = "", **attributes: Any) -> Any:
        ir = self.ir
        given = ir.convenience.convert_attributes(attributes)
        value = ir.Value(name=result)
        self._nodes.append(ir.Node(domain, kind, operands, given, outputs=[value], name=result))
        return value

    def _input(self, name: str, kind: str, extents: tuple[int | str, ...]) -> Any:
        ir = self.ir
        value = ir.Value(name=name, shape=ir.Shape(extents), type=ir.TensorType(getattr(ir.DataType, kind)))
        self._inputs.append(value)
        return value

    def _typed(self, value: Any, extents: tuple[int | str, ...]) -> Any:
        value.shape, value.type = self.ir.Shape(extents), self.ir.TensorType(self.ir.DataType.FLOAT)
        return value

    def _constant(self, name: str, content: NDArray[Any], bf16: bool = False) -> Any:
        """An initializer, one for each name; a view of the file stays one."""
        found = self._constants.get(name)
        if found is None:
            ir = self.ir
            tensor = ir.Tensor(content, dtype=ir.DataType.BFLOAT16 if bf16 else None, name=name)
            found = self._constants[name] = ir.Value(
                name=name, shape=tensor.shape, type=ir.TensorType(tensor.dtype), const_value=tensor
            )
        return found

    def _bodies(self) -> list[Any]:
        bodies = [function(kind, name) for kind, name in sorted(self._functions)]
        return [self.ir.serde.deserialize_function(body) for body in (function("HalfOfBytes"), *bodies)]


def _library() -> Any:
    try:
        importlib.import_module("onnx")
        return importlib.import_module("onnx_ir")
    except ImportError:
        raise ModelError("onnx-ir is not installed; pip install 'openrpp[llm]'") from None
