"""Models of random numbers, written as GGUF files, and a float32 Llama in NumPy to compare with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import gguf
import numpy as np
from numpy.typing import NDArray

from openrpp.llm.checkpoint import EMBEDDING, NORM, Checkpoint

TYPES = gguf.GGMLQuantizationType
PIECES = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256)), "▁", "a", "b", "ab", "▁ab"]
KINDS = [2, 3, 3, *([6] * 256), 1, 1, 1, 1, 1]


@dataclass(frozen=True)
class Small:
    """A Llama small enough for tests; `types` are formats of matrices by the end of their names."""

    layers: int = 2
    width: int = 64
    heads: int = 4
    kv_heads: int = 2
    head: int = 16
    feed: int = 96
    context: int = 32
    tied: bool = True
    types: dict[str, Any] = field(default_factory=lambda: {"": TYPES.Q8_0})
    extra: dict[str, tuple[int, ...]] = field(default_factory=dict)
    leave_out: tuple[str, ...] = ()
    architecture: str = "llama"

    def tensors(self) -> dict[str, tuple[int, ...]]:
        found: dict[str, tuple[int, ...]] = {EMBEDDING: (len(PIECES), self.width), NORM: (self.width,)}
        if not self.tied:
            found["output.weight"] = (len(PIECES), self.width)
        for index in range(self.layers):
            found |= {f"blk.{index}.{name}.weight": shape for name, shape in self._layer().items()}
        return {name: shape for name, shape in (found | self.extra).items() if name not in self.leave_out}

    def _layer(self) -> dict[str, tuple[int, ...]]:
        queries, keys = self.heads * self.head, self.kv_heads * self.head
        return {
            "attn_norm": (self.width,), "attn_q": (queries, self.width), "attn_k": (keys, self.width),
            "attn_v": (keys, self.width), "attn_output": (self.width, queries), "ffn_norm": (self.width,),
            "ffn_gate": (self.feed, self.width), "ffn_up": (self.feed, self.width), "ffn_down": (self.width, self.feed),
        }  # fmt: skip

    def type_of(self, name: str) -> Any:
        matching = [end for end in self.types if name.removesuffix(".weight").endswith(end)]
        return self.types[max(matching, key=len)]


def write(path: Path, model: Small, seed: int = 1) -> Path:
    """A GGUF file of the model."""
    writer = gguf.GGUFWriter(path, model.architecture)
    writer.add_name("small")
    writer.add_block_count(model.layers)
    writer.add_context_length(model.context)
    writer.add_embedding_length(model.width)
    writer.add_feed_forward_length(model.feed)
    writer.add_head_count(model.heads)
    writer.add_head_count_kv(model.kv_heads)
    writer.add_key_length(model.head)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_dimension_count(model.head)
    writer.add_tokenizer_model("llama")
    writer.add_token_list(PIECES)
    writer.add_token_scores([0.0] * 259 + [-5.0, -4.0, -3.0, -2.0, -1.0])
    writer.add_token_types(KINDS)
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    random = np.random.default_rng(seed)
    for name, shape in model.tensors().items():
        values = (random.standard_normal(shape) * (0.2 if len(shape) == 2 else 1)).astype(np.float32)
        kind = model.type_of(name) if len(shape) == 2 else TYPES.F32
        if kind == TYPES.Q8_0 and name in model.extra:
            kind = TYPES.F32
        writer.add_tensor(name, gguf.quants.quantize(values, kind), raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


class NumpyLlama:
    """The model in float32, one token after the other, straight from its definition (Touvron et al., LLaMA)."""

    def __init__(self, checkpoint: Checkpoint) -> None:
        self.shape = checkpoint.shape
        self._weights = {name: weight.values() for name, weight in checkpoint.weights.items()}
        self._head = checkpoint.head.values()
        self._cosines, self._sines = checkpoint.rotations(checkpoint.shape.context)
        self._cache: list[tuple[list[NDArray[Any]], list[NDArray[Any]]]] = [([], []) for _ in range(self.shape.layers)]
        self.past = 0

    def step(self, token: int) -> NDArray[np.float32]:
        """Logits after one more token."""
        hidden = self._weights[EMBEDDING][token]
        for index in range(self.shape.layers):
            hidden = hidden + self._attention(index, self._norm(hidden, self._of(index, "attn_norm")))
            normal = self._norm(hidden, self._of(index, "ffn_norm"))
            gate = self._of(index, "ffn_gate") @ normal
            gated = gate / (1 + np.exp(-gate)) * (self._of(index, "ffn_up") @ normal)
            hidden = hidden + self._of(index, "ffn_down") @ gated
        self.past += 1
        return self._head @ self._norm(hidden, self._weights[NORM])

    def steps(self, tokens: Sequence[int]) -> NDArray[np.float32]:
        """Logits after each of some tokens."""
        return np.stack([self.step(token) for token in tokens])

    def _of(self, index: int, part: str) -> NDArray[np.float32]:
        return self._weights[f"blk.{index}.{part}.weight"]

    def _norm(self, values: NDArray[np.float32], weight: NDArray[np.float32]) -> NDArray[np.float32]:
        return values / np.sqrt(np.mean(values * values) + np.float32(self.shape.epsilon)) * weight

    def _turned(self, heads: NDArray[np.float32]) -> NDArray[np.float32]:
        turned, pairs = heads.copy(), self.shape.rotated
        even, odd = heads[:, 0:pairs:2], heads[:, 1:pairs:2]
        cosine, sine = self._cosines[self.past], self._sines[self.past]
        turned[:, 0:pairs:2] = even * cosine - odd * sine
        turned[:, 1:pairs:2] = even * sine + odd * cosine
        return turned

    def _attention(self, index: int, normal: NDArray[np.float32]) -> NDArray[np.float32]:
        shape = self.shape
        query = self._turned((self._of(index, "attn_q") @ normal).reshape(shape.heads, shape.head))
        keys, values = self._cache[index]
        keys.append(self._turned((self._of(index, "attn_k") @ normal).reshape(shape.kv_heads, shape.head)))
        values.append((self._of(index, "attn_v") @ normal).reshape(shape.kv_heads, shape.head))
        group = shape.heads // shape.kv_heads
        seen = [self._head_of(query[head], keys, values, head // group) for head in range(shape.heads)]
        return self._of(index, "attn_output") @ np.concatenate(seen)

    def _head_of(
        self, query: NDArray[Any], keys: list[NDArray[Any]], values: list[NDArray[Any]], group: int
    ) -> NDArray[np.float32]:
        scores = np.array([key[group] @ query for key in keys], np.float32) / np.float32(np.sqrt(self.shape.head))
        shares = np.exp(scores - scores.max())
        return (shares / shares.sum()) @ np.array([value[group] for value in values])
