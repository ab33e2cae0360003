"""Model files: what is read, and the sentence for each that cannot be used."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest

from openrpp.llm.checkpoint import open_checkpoint
from openrpp.llm.errors import ModelError
from openrpp.llm.gguf import GgufFile
from tests.llm.models import PIECES, TYPES, Small, write

SEED = 20261125


@pytest.mark.parametrize("kind", ["F32", "F16", "BF16", "Q4_0", "Q4_1", "Q8_0"])
def test_values_of_a_format_are_those_of_the_gguf_package(kind: str, tmp_path: Path) -> None:
    path = write(tmp_path / "m.gguf", Small(layers=1, types={"": TYPES[kind]}), SEED)
    checkpoint = open_checkpoint(path)
    for tensor in gguf.GGUFReader(path).tensors:
        weight = checkpoint.weights[tensor.name]
        expected = gguf.quants.dequantize(tensor.data, tensor.tensor_type)
        assert np.array_equal(weight.values(), expected.reshape(weight.shape)), f"{tensor.name}, seed {SEED}"
        if len(weight.shape) == 2:
            assert weight.format.name == kind


def test_a_format_that_no_kernel_reads_becomes_float32(tmp_path: Path) -> None:
    path = write(tmp_path / "m.gguf", Small(layers=1, types={"": TYPES.Q4_0, "token_embd": TYPES.Q5_0}))
    weight = open_checkpoint(path).weights["token_embd.weight"]
    assert weight.format.name == "F32"
    assert weight.values().shape == (len(PIECES), 64)


def test_the_header_is_what_the_gguf_package_reads(tmp_path: Path) -> None:
    path = write(tmp_path / "m.gguf", Small())
    ours, theirs = GgufFile(path), gguf.GGUFReader(path)
    assert list(ours.names) == [tensor.name for tensor in theirs.tensors]
    for key, value in ours.metadata.items():
        assert theirs.fields[key].contents() == value


def test_the_shape_is_read(tmp_path: Path) -> None:
    shape = open_checkpoint(write(tmp_path / "m.gguf", Small(tied=False))).shape
    assert (shape.layers, shape.width, shape.heads, shape.kv_heads, shape.head, shape.feed) == (2, 64, 4, 2, 16, 96)
    assert (shape.vocabulary, shape.context, shape.rotated, shape.base) == (len(PIECES), 32, 16, 10000.0)


@pytest.mark.parametrize(
    ("model", "sentence"),
    [
        (Small(architecture="falcon"), "m.gguf has architecture falcon, which is not supported; llama is"),
        (Small(leave_out=("blk.1.ffn_up.weight",)), "m.gguf: tensor blk.1.ffn_up.weight is missing"),
        (
            Small(extra={"blk.0.attn_q.bias": (64,)}),
            "m.gguf: tensor blk.0.attn_q.bias is not part of a Llama that is supported",
        ),
        (Small(types={"": TYPES.Q8_0, "ffn_up": TYPES.TQ2_0}, width=256, feed=256, heads=16), None),
    ],
)
def test_a_model_that_is_not_supported_is_named(model: Small, sentence: str | None, tmp_path: Path) -> None:
    path = write(tmp_path / "m.gguf", model)
    if sentence is None:
        assert open_checkpoint(path).layer(0, "ffn_up").format.name == "F32"
        return
    with pytest.raises(ModelError) as error:
        open_checkpoint(path)
    assert str(error.value) == sentence


def test_a_type_that_nobody_can_read_is_named(tmp_path: Path) -> None:
    path = write(tmp_path / "m.gguf", Small())
    file = GgufFile(path)
    for code, sentence in (
        (9, "m.gguf: tensor token_embd.weight has type Q8_1, which is not supported; use one of"),
        (99, "m.gguf: tensor token_embd.weight has type 99, which GGUF does not name"),
    ):
        entry = file._entries["token_embd.weight"]  # pyright: ignore[reportPrivateUsage]
        changed: Any = type(entry)(entry.extents, code, entry.offset)
        file._entries["token_embd.weight"] = changed  # pyright: ignore[reportPrivateUsage]
        with pytest.raises(ModelError) as error:
            file.weight("token_embd.weight")
        assert str(error.value).startswith(sentence)


def test_every_truncation_is_a_sentence(tmp_path: Path) -> None:
    whole = write(tmp_path / "whole.gguf", Small(layers=1)).read_bytes()
    path = tmp_path / "m.gguf"
    random = np.random.default_rng(SEED)
    for length in [1, 4, 8, 20, 24, *random.integers(24, len(whole) - 64, 60).tolist()]:
        path.write_bytes(whole[:length])
        with pytest.raises(ModelError) as error:
            open_checkpoint(path)
        assert "m.gguf" in str(error.value) and ("truncated" in str(error.value) or length < 4), f"length {length}"


def test_what_is_no_model_file_is_said(tmp_path: Path) -> None:
    path = tmp_path / "m.gguf"
    path.write_bytes(b"PK\x03\x04 and so on, and so on")
    with pytest.raises(ModelError, match=r"m\.gguf is not a GGUF file: it begins with"):
        open_checkpoint(path)
    path.write_bytes(b"")
    with pytest.raises(ModelError, match=r"m\.gguf is empty"):
        open_checkpoint(path)
    path.write_bytes(b"GGUF\x01\0\0\0" + bytes(64))
    with pytest.raises(ModelError, match="is GGUF version 1; versions 2 and 3"):
        open_checkpoint(path)


def test_a_checkpoint_of_llama2c_that_ends_early_is_a_sentence(tmp_path: Path) -> None:
    path = tmp_path / "m.bin"
    path.write_bytes(b"\0" * 8)
    with pytest.raises(ModelError, match=r"m\.bin is truncated: it has 8 bytes, a header 28"):
        open_checkpoint(path)
    path.write_bytes(np.array([64, 172, 5, 8, 4, 512, 512], np.int32).tobytes() + bytes(1000))
    with pytest.raises(ModelError, match=r"m\.bin is truncated: tensor token_embd\.weight ends at byte 131100"):
        open_checkpoint(path)
    path.write_bytes(bytes(2000))
    with pytest.raises(ModelError, match="its header makes no sense"):
        open_checkpoint(path)
