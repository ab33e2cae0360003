"""The ONNX graph of a Llama against a float32 forward pass in NumPy, carried out by onnxruntime."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx_ir as ir
import onnxruntime
import pytest
from numpy.typing import NDArray
from onnx.reference import ReferenceEvaluator

from openrpp.llm.checkpoint import Checkpoint, open_checkpoint
from openrpp.llm.errors import ModelError
from openrpp.llm.functions import DOMAIN, OPSET, function
from openrpp.llm.llama import build, feed
from openrpp.llm.tokenizer import Tokenizer
from tests.llm.models import TYPES, NumpyLlama, Small, write

STORIES = Path("/work/shared/data/stories260K.bin")
SEED = 7


class Runner:
    """A graph on onnxruntime, its cache carried from run to run."""

    def __init__(self, checkpoint: Checkpoint, context: int) -> None:
        model = ir.serde.serialize_model(build(checkpoint, context))
        onnx.checker.check_model(model)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.log_severity_level = 3
        self._session = onnxruntime.InferenceSession(model.SerializeToString(), options)
        inputs = [item for item in self._session.get_inputs() if item.name.startswith("past_")]
        self._cache = {item.name: np.zeros(item.shape, np.float32) for item in inputs}
        self.past = 0

    def run(self, tokens: Sequence[int], take: Sequence[int] | None = None) -> NDArray[np.float32]:
        names = [item.name for item in self._session.get_outputs()]
        found: Any = self._session.run(None, {**feed(tokens, self.past, take), **self._cache})
        outputs = dict(zip(names, found, strict=True))
        self._cache = {name: outputs[name.replace("past_", "present_")] for name in self._cache}
        self.past += len(tokens)
        return outputs["logits"][0]


@pytest.mark.parametrize("kind", ["F32", "F16", "BF16", "Q4_0", "Q4_1", "Q8_0"])
@pytest.mark.parametrize("tied", [True, False])
def test_the_graph_is_the_model(kind: str, tied: bool, tmp_path: Path) -> None:
    path = write(tmp_path / "m.gguf", Small(tied=tied, types={"": TYPES[kind]}), SEED)
    checkpoint = open_checkpoint(path)
    tokens = np.random.default_rng(SEED).integers(0, checkpoint.shape.vocabulary, 12).tolist()
    expected = NumpyLlama(checkpoint).steps(tokens)
    runner = Runner(checkpoint, 16)
    chunks = [runner.run(tokens[:5], range(5)), runner.run(tokens[5:11], range(6)), runner.run(tokens[11:])]
    assert np.allclose(np.concatenate(chunks), expected, rtol=1e-4, atol=1e-4), f"seed {SEED}"


@pytest.mark.parametrize("kind", ["Q4_0", "Q4_1", "Q8_0"])
def test_the_bodies_of_our_operators_are_the_format(kind: str, tmp_path: Path) -> None:
    weight = open_checkpoint(write(tmp_path / "m.gguf", Small(types={"": TYPES[kind]}), SEED)).layer(0, "ffn_up")
    random = np.random.default_rng(SEED)
    x = random.standard_normal((1, 3, weight.columns)).astype(np.float32)
    product = _alone("MatMul", kind, {"x": x, "stored": weight.data})
    assert np.allclose(product, x @ weight.values().T, rtol=1e-5, atol=1e-5)
    tokens = random.integers(0, weight.rows, (1, 4))
    assert np.array_equal(_alone("Gather", kind, {"table": weight.data, "tokens": tokens}), weight.values()[tokens])


def test_all_scales_are_decoded_exactly() -> None:
    words = np.arange(1 << 16, dtype=np.uint16)
    finite = words[(words & 0x7C00) != 0x7C00]
    found = _alone("HalfOfBytes", "", {"bytes": finite.view(np.uint8).reshape(-1, 2)})
    assert np.array_equal(found[:, 0], finite.view(np.float16).astype(np.float32))


def _alone(kind: str, name: str, inputs: dict[str, NDArray[Any]]) -> NDArray[Any]:
    """What an operator of ours gives on the reference evaluator."""
    helper = onnx.helper
    values = [
        helper.make_tensor_value_info(key, helper.np_dtype_to_tensor_dtype(value.dtype), value.shape)
        for key, value in inputs.items()
    ]
    output = helper.make_tensor_value_info("result", onnx.TensorProto.FLOAT, None)
    node = helper.make_node(f"{kind}{name}", list(inputs), ["result"], domain=DOMAIN)
    graph = helper.make_graph([node], "alone", values, [output])
    bodies = [function("HalfOfBytes"), *([function(kind, name)] if name else [])]
    imports = [helper.make_opsetid("", OPSET), helper.make_opsetid(DOMAIN, 1)]
    model = helper.make_model(graph, functions=bodies, opset_imports=imports)
    (result,) = ReferenceEvaluator(model).run(None, inputs)
    return np.asarray(result)


def test_a_context_that_the_model_was_not_made_for_is_refused(tmp_path: Path) -> None:
    checkpoint = open_checkpoint(write(tmp_path / "m.gguf", Small()))
    with pytest.raises(ModelError, match="a context of 33 tokens; small takes 1 to 32"):
        build(checkpoint, 33)


@pytest.mark.skipif(not STORIES.is_file(), reason=f"{STORIES} is not there")
def test_stories_are_told_as_published() -> None:
    checkpoint = open_checkpoint(STORIES)
    tokenizer = Tokenizer(checkpoint.tokenizer)
    runner, model = Runner(checkpoint, 208), NumpyLlama(checkpoint)
    tokens, expected = [1], [1]
    for _ in range(200):
        tokens.append(int(runner.run(tokens[runner.past :])[-1].argmax()))
        expected.append(int(model.step(expected[-1]).argmax()))
    assert tokens == expected
    # The beginning of karpathy/llama2.c, doc/stories260K.md.
    told = (
        "Once upon a time, there was a little girl named Lily. She loved to play outside in the park. One day, she saw"
    )
    assert tokenizer.decode(tokens).startswith(told)
