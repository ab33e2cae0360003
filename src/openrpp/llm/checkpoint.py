"""A model of the Llama architecture, wherever its file came from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from openrpp.llm.errors import ModelError
from openrpp.llm.formats import Weight

if TYPE_CHECKING:
    from openrpp.llm.gguf import GgufFile

EMBEDDING, NORM, HEAD, FREQUENCIES = "token_embd.weight", "output_norm.weight", "output.weight", "rope_freqs.weight"
LAYER = ("attn_norm", "attn_q", "attn_k", "attn_v", "attn_output", "ffn_norm", "ffn_gate", "ffn_up", "ffn_down")
"""Tensors of a layer, as GGUF names them: `blk.LAYER.NAME.weight`."""


@dataclass(frozen=True)
class Hyperparameters:
    """The shape of a Llama.

    Attributes:
        width: numbers per token between layers.
        head: numbers per head; `heads * head` need not be `width`.
        feed: width of the feed-forward part.
        context: most tokens that it was made for.
        rotated: numbers of a head that are rotated, the first ones.
        base: base of the rotation's frequencies; `stretch` divides all of them.
    """

    layers: int
    width: int
    heads: int
    kv_heads: int
    head: int
    feed: int
    vocabulary: int
    context: int
    epsilon: float
    rotated: int
    base: float
    stretch: float = 1.0

    def shape(self, part: str) -> tuple[int, ...]:
        """Extents of a tensor of a layer: [outputs][inputs], or [width] for a norm."""
        attention, keys = self.heads * self.head, self.kv_heads * self.head
        return {
            "attn_norm": (self.width,),
            "attn_q": (attention, self.width),
            "attn_k": (keys, self.width),
            "attn_v": (keys, self.width),
            "attn_output": (self.width, attention),
            "ffn_norm": (self.width,),
            "ffn_gate": (self.feed, self.width),
            "ffn_up": (self.feed, self.width),
            "ffn_down": (self.width, self.feed),
        }[part]


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """A model: its shape, its tensors under GGUF's names, and what its tokenizer is made of.

    Attributes:
        name: for people.
        path: where it was read.
        weights: all tensors; the head's is there only if it is not the embedding.
        tokenizer: GGUF's metadata whose keys begin with "tokenizer.".
    """

    name: str
    path: Path
    shape: Hyperparameters
    weights: Mapping[str, Weight]
    tokenizer: Mapping[str, Any] = field(default_factory=dict[str, Any])

    def layer(self, index: int, part: str) -> Weight:
        """A tensor of a layer."""
        return self.weights[f"blk.{index}.{part}.weight"]

    @property
    def head(self) -> Weight:
        """The matrix that makes logits."""
        return self.weights.get(HEAD, self.weights[EMBEDDING])

    @property
    def bytes(self) -> int:
        """Bytes of all tensors as they are stored."""
        return sum(weight.data.nbytes for weight in self.weights.values())

    def rotations(self, positions: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Cosines and sines [positions][rotated / 2] of the rotary embedding.

        The angle of pair i at position p is p / (base^(2i / rotated) * stretch * factor_i), in float64 until the end
        (Su et al., RoFormer, equation 15; the factors are those of Llama 3.1, `rope_freqs.weight`).
        """
        shape = self.shape
        steps = shape.base ** (-np.arange(0, shape.rotated, 2, dtype=np.float64) / shape.rotated) / shape.stretch
        if FREQUENCIES in self.weights:
            steps = steps / self.weights[FREQUENCIES].values()
        angles = np.arange(positions, dtype=np.float64)[:, None] * steps
        return np.cos(angles).astype(np.float32), np.sin(angles).astype(np.float32)


def open_checkpoint(path: str | Path) -> Checkpoint:
    """Open a GGUF file, or a checkpoint of llama2.c (`.bin`, with its tokenizer beside it).

    Raises ModelError for a file that cannot be used, OSError for one that cannot be read.
    """
    from openrpp.llm.gguf import MAGIC, GgufFile
    from openrpp.llm.llama2c import read_llama2c

    file = Path(path)
    with file.open("rb") as opened:
        begin = opened.read(4)
    if file.suffix == ".bin" and begin != MAGIC:
        return read_llama2c(file)
    return _of_gguf(GgufFile(file))


def _of_gguf(file: GgufFile) -> Checkpoint:
    architecture = file.metadata.get("general.architecture")
    if architecture != "llama":
        raise ModelError(f"{file.path.name} has architecture {architecture}, which is not supported; llama is")
    shape = _hyperparameters(file)
    weights = {name: file.weight(name) for name in _expected(file, shape)}
    for name, wanted in _extents(shape, HEAD in file).items():
        if weights[name].shape != wanted:
            raise ModelError(f"{file.path.name}: tensor {name} has shape {weights[name].shape}, expected {wanted}")
    tokenizer = {key: value for key, value in file.metadata.items() if key.startswith("tokenizer.")}
    name = str(file.metadata.get("general.name") or file.path.stem)
    return Checkpoint(name, file.path, shape, weights, tokenizer)


def _expected(file: GgufFile, shape: Hyperparameters) -> list[str]:
    """The tensors to read. Raises ModelError if the file has others, whose part would be left out."""
    names = list(_extents(shape, HEAD in file))
    if FREQUENCIES in file:
        names.append(FREQUENCIES)
    more = sorted(set(file.names) - set(names))
    missing = [name for name in names if name not in file]
    if missing:
        raise ModelError(f"{file.path.name}: tensor {missing[0]} is missing{_others(missing)}")
    if more:
        raise ModelError(f"{file.path.name}: tensor {more[0]} is not part of a Llama that is supported{_others(more)}")
    return names


def _others(names: list[str]) -> str:
    return f" (and {len(names) - 1} others)" if len(names) > 1 else ""


def _extents(shape: Hyperparameters, head: bool) -> dict[str, tuple[int, ...]]:
    found: dict[str, tuple[int, ...]] = {EMBEDDING: (shape.vocabulary, shape.width), NORM: (shape.width,)}
    if head:
        found[HEAD] = (shape.vocabulary, shape.width)
    for index in range(shape.layers):
        found |= {f"blk.{index}.{part}.weight": shape.shape(part) for part in LAYER}
    return found


def _hyperparameters(file: GgufFile) -> Hyperparameters:
    def number(key: str, default: float | None = None) -> float:
        value = file.metadata.get(f"llama.{key}", default)
        if not isinstance(value, int | float):
            raise ModelError(f"{file.path.name} has no number llama.{key} in its metadata")
        return value

    def whole(key: str, default: float | None = None) -> int:
        return int(number(key, default))

    scaling = file.metadata.get("llama.rope.scaling.type", "none")
    if scaling not in ("none", "linear"):
        raise ModelError(f"{file.path.name} scales its rotary embedding by {scaling}, which is not supported")
    width, heads = whole("embedding_length"), whole("attention.head_count")
    head = whole("attention.key_length", width // max(heads, 1))
    if heads < 1 or whole("block_count") < 1:
        raise ModelError(f"{file.path.name} has {whole('block_count')} layers of {heads} heads")
    kv_heads = whole("attention.head_count_kv", heads)
    if kv_heads < 1 or heads % kv_heads:
        raise ModelError(f"{file.path.name} has {heads} heads for {kv_heads} heads of keys, which do not divide them")
    return Hyperparameters(
        layers=whole("block_count"),
        width=width,
        heads=heads,
        kv_heads=kv_heads,
        head=head,
        feed=whole("feed_forward_length"),
        vocabulary=len(file.metadata.get("tokenizer.ggml.tokens", ())) or whole("vocab_size"),
        context=whole("context_length"),
        epsilon=float(number("attention.layer_norm_rms_epsilon")),
        rotated=whole("rope.dimension_count", head),
        base=float(number("rope.freq_base", 10000.0)),
        stretch=float(number("rope.scaling.factor", 1.0)) if scaling == "linear" else 1.0,
    )
