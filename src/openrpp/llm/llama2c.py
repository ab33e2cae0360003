"""Checkpoints of Karpathy's llama2.c (`.bin`, version 0): float32, rotary pairs side by side, as GGUF has them."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any, Final

import numpy as np

from openrpp.llm.checkpoint import EMBEDDING, HEAD, NORM, Checkpoint, Hyperparameters
from openrpp.llm.errors import ModelError
from openrpp.llm.formats import BY_NAME, Weight

_HEADER: Final = struct.Struct("<7i")
_CONTROL, _BYTE, _NORMAL, _UNKNOWN = 3, 6, 1, 2
_BYTES: Final = range(3, 259)
"""Tokens that stand for one byte each."""
_ORDER: Final = (
    "attn_norm", "attn_q", "attn_k", "attn_v", "attn_output", "ffn_norm", "ffn_gate", "ffn_down", "ffn_up",
)  # fmt: skip
"""Tensors of all layers, as they follow each other in the file."""


def read_llama2c(path: Path) -> Checkpoint:
    """Read a checkpoint; its tokenizer is `tokN.bin` (N tokens) or `tokenizer.bin` in the same folder.

    Epsilon 1e-5 and base 10000 are fixed in llama2.c. Raises ModelError, OSError.
    """
    if path.stat().st_size < _HEADER.size:
        raise ModelError(f"{path.name} is truncated: it has {path.stat().st_size} bytes, a header {_HEADER.size}")
    content: Any = np.memmap(path, np.uint8, "r")
    width, feed, layers, heads, kv_heads, signed, context = _HEADER.unpack(content[: _HEADER.size])
    if min(width, feed, layers, heads, kv_heads, abs(signed), context) < 1 or width % heads or heads % kv_heads:
        raise ModelError(f"{path.name} is no checkpoint of llama2.c: its header makes no sense")
    head = width // heads
    shape = Hyperparameters(
        layers, width, heads, kv_heads, head, feed, abs(signed), context, epsilon=1e-5, rotated=head, base=10000.0
    )
    tokenizer = _vocabulary(path, abs(signed))
    return Checkpoint(path.stem, path, shape, _weights(path, content, shape, shared=signed > 0), tokenizer)


def _weights(path: Path, content: Any, shape: Hyperparameters, shared: bool) -> dict[str, Weight]:
    at = _HEADER.size
    found: dict[str, Weight] = {}

    def take(name: str, extents: tuple[int, ...]) -> None:
        nonlocal at
        end = at + 4 * int(np.prod(extents))
        if end > len(content):
            raise ModelError(f"{path.name} is truncated: tensor {name} ends at byte {end}, the file has {len(content)}")
        rows, columns = extents if len(extents) == 2 else (0, extents[0])
        found[name] = Weight(name, BY_NAME["F32"], rows, columns, content[at:end].view(np.float32).reshape(extents))
        at = end

    take(EMBEDDING, (shape.vocabulary, shape.width))
    for part in _ORDER:
        for layer in range(shape.layers):
            take(f"blk.{layer}.{part}.weight", shape.shape(part))
    take(NORM, (shape.width,))
    if not shared:
        # Tables of cosines and sines that nobody reads any more.
        at += 4 * shape.context * shape.head
        take(HEAD, (shape.vocabulary, shape.width))
    return found


def _vocabulary(path: Path, count: int) -> dict[str, Any]:
    """The tokenizer as GGUF's metadata, empty if there is none."""
    for name in (f"tok{count}.bin", "tokenizer.bin"):
        file = path.with_name(name)
        if file.is_file():
            return _read_vocabulary(file, count)
    return {}


def _read_vocabulary(file: Path, count: int) -> dict[str, Any]:
    content = file.read_bytes()
    tokens: list[str] = []
    scores: list[float] = []
    at = 4
    for _ in range(count):
        if at + 8 > len(content):
            raise ModelError(f"{file.name} is truncated: it has {len(tokens)} of {count} tokens")
        score, length = struct.unpack_from("<fi", content, at)
        tokens.append(content[at + 8 : at + 8 + length].decode("utf-8", "replace"))
        scores.append(score)
        at += 8 + length
    # llama2.c has spaces where the vocabulary of SentencePiece has U+2581, and writes special tokens between newlines.
    pieces = [text.strip("\n") if index < 3 else text.replace(" ", "▁") for index, text in enumerate(tokens)]
    kinds = [_UNKNOWN, _CONTROL, _CONTROL, *(_BYTE if index in _BYTES else _NORMAL for index in range(3, count))]
    return {
        "tokenizer.ggml.model": "llama",
        "tokenizer.ggml.tokens": pieces,
        "tokenizer.ggml.scores": scores,
        "tokenizer.ggml.token_type": kinds,
        "tokenizer.ggml.bos_token_id": 1,
        "tokenizer.ggml.eos_token_id": 2,
        "tokenizer.ggml.unknown_token_id": 0,
        "tokenizer.ggml.add_bos_token": True,
    }
