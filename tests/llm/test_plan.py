"""Decode steps on the card: against NumPy, and machine code against the native engine."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from openrpp.kernels.slabs import Element
from openrpp.llm.card import CardModel
from openrpp.llm.checkpoint import Checkpoint, open_checkpoint
from openrpp.llm.errors import ModelError
from openrpp.llm.model import SessionModel, open_model
from openrpp.llm.plan import takes
from openrpp.runtime.card import Card
from tests.llm.models import TYPES, NumpyLlama, Small, write

SEED = 3
WIDE = Small(layers=1, width=64, heads=4, kv_heads=2, head=16, feed=96)


def _logits(checkpoint: Checkpoint, tokens: list[int], dtype: Element, engine: str) -> NDArray[np.float32]:
    model = open_model(checkpoint, context=32, engine=engine, dtype=dtype)
    assert not isinstance(model, SessionModel)
    return np.stack([model.step([token], past) for past, token in enumerate(tokens)])


@pytest.mark.parametrize("kind", ["Q4_0", "Q4_1", "Q8_0", "F32"])
def test_decode_in_float32_is_the_model(kind: str, tmp_path: Path) -> None:
    checkpoint = open_checkpoint(write(tmp_path / "m.gguf", Small(types={"": TYPES[kind]}), SEED))
    tokens = np.random.default_rng(SEED).integers(0, checkpoint.shape.vocabulary, 6).tolist()
    found, expected = _logits(checkpoint, tokens, "f32", "native"), NumpyLlama(checkpoint).steps(tokens)
    assert np.allclose(found, expected, rtol=1e-4, atol=2e-4), f"seed {SEED}"


def test_decode_in_bfloat16_is_near(tmp_path: Path) -> None:
    checkpoint = open_checkpoint(write(tmp_path / "m.gguf", Small(tied=False, types={"": TYPES.Q4_1}), SEED))
    tokens = np.random.default_rng(SEED).integers(0, checkpoint.shape.vocabulary, 6).tolist()
    found, expected = _logits(checkpoint, tokens, "bf16", "native"), NumpyLlama(checkpoint).steps(tokens)
    assert np.abs(found - expected).max() < 0.03 * np.abs(expected).max(), f"seed {SEED}"


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["bf16", "f32"])
def test_machine_code_decodes_as_the_native_engine(dtype: Element, tmp_path: Path) -> None:
    checkpoint = open_checkpoint(write(tmp_path / "m.gguf", WIDE, SEED))
    native, machine = (_logits(checkpoint, [5, 70], dtype, engine) for engine in ("native", "reference"))
    assert np.array_equal(native, machine)


def test_steps_may_be_taken_together_and_again(tmp_path: Path) -> None:
    checkpoint = open_checkpoint(write(tmp_path / "m.gguf", WIDE, SEED))
    model = open_model(checkpoint, context=32)
    whole = model.step([5, 70, 9], 0)
    model.step([11, 12], 1)
    assert np.array_equal(model.step([70], 1), model.step([70], 1))
    # A chunk's products add up in another order than those of a single token.
    assert np.abs(model.step([9], 2) - whole).max() < 0.03 * np.abs(whole).max()


def test_the_card_time_of_a_step_is_known(tmp_path: Path) -> None:
    model = open_model(open_checkpoint(write(tmp_path / "m.gguf", WIDE, SEED)), context=32)
    one, three = model.card_time(1, 4), model.card_time(3, 4)
    assert one is not None and three is not None
    assert 0 < one.low < one.nominal < one.high < three.high


def test_a_model_that_no_kernel_takes_is_a_session(tmp_path: Path) -> None:
    odd = Small(layers=1, heads=4, kv_heads=1, head=16)
    checkpoint = open_checkpoint(write(tmp_path / "m.gguf", odd, SEED))
    assert not takes(checkpoint)
    model = open_model(checkpoint, context=32, dtype="f32")
    assert isinstance(model, SessionModel)
    expected = NumpyLlama(checkpoint).steps([5, 70, 9])[-1]
    assert np.allclose(model.step([5, 70, 9], 0), expected, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("dtype", ["bf16", "f32"])
def test_chunks_are_as_good_as_single_tokens(dtype: Element, tmp_path: Path) -> None:
    checkpoint = open_checkpoint(write(tmp_path / "m.gguf", Small(types={"": TYPES.Q8_0}), SEED))
    tokens = np.random.default_rng(SEED).integers(0, checkpoint.shape.vocabulary, 13).tolist()
    expected = NumpyLlama(checkpoint).steps(tokens)
    model = CardModel(checkpoint, Card("ae7100", "native"), context=32, dtype=dtype, chunk=8)
    steps = [model.step(tokens[:5], 0), model.step(tokens[5:12], 5), model.step(tokens[12:], 12)]
    bound = (0.03 if dtype == "bf16" else 1e-4) * np.abs(expected).max()
    for found, row in zip(steps, (4, 11, 12), strict=True):
        assert np.abs(found - expected[row]).max() < bound, f"seed {SEED}, row {row}"


def test_a_model_that_is_larger_than_the_card_is_refused_with_the_figures(tmp_path: Path) -> None:
    checkpoint = open_checkpoint(write(tmp_path / "m.gguf", Small(context=1 << 28)))
    with pytest.raises(ModelError) as error:
        open_model(checkpoint, context=1 << 28)
    begin = "small does not fit the card: 0.00 GB of weights and 68.72 GB of cache for 268435456 tokens; ae7100 has 1"
    assert str(error.value).startswith(begin)
    with pytest.raises(ModelError, match="a context of 0 tokens; small takes 1 to"):
        open_model(checkpoint, context=0)
