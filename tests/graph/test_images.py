"""Convolutions and pools of images on the card, with what follows them, against onnxruntime."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import helper

from benchmarks.slice import yolo
from openrpp.graph import GraphError, Session, Unsupported
from openrpp.kernels.slabs import Element
from tests.graph.models import expected, model
from tests.graph.test_rows import TOLERANCE, node


def weights(seed: int, *shape: int) -> NDArray[np.float32]:
    return (np.random.default_rng(seed).standard_normal(shape) * 0.3).astype(np.float32)


def check(
    nodes: Sequence[onnx.NodeProto],
    x: Sequence[int],
    y: Sequence[int],
    constants: Mapping[str, NDArray[Any]],
    dtype: Element = "bf16",
) -> Session:
    made = model(nodes, {"x": x}, {"y": y}, constants)
    feed = {"x": np.random.default_rng(3).standard_normal(x).astype(np.float32)}
    session = Session(made, dtype=dtype, no_host=True)
    (got,), (wanted,) = session.run(None, feed), expected(made, feed)
    assert got.shape == wanted.shape
    assert np.abs(got - wanted).max() <= TOLERANCE[dtype] * max(float(np.abs(wanted).max()), 1.0)
    return session


@pytest.mark.parametrize("dtype", ["bf16", "f32"])
@pytest.mark.parametrize("after", ["Relu", "LeakyRelu", "HardSwish", "HardSigmoid", "Sigmoid", "silu", "clip", "none"])
def test_a_convolution_its_activation_and_a_residual_are_one_launch(after: str, dtype: Element) -> None:
    nodes = [node("Conv", ["x", "v"], ["a"], pads=[1] * 4), node("Conv", ["a", "w", "b"], ["c"], pads=[1] * 4)]
    match after:
        case "silu":
            nodes += [node("Sigmoid", ["c"], ["s"]), node("Mul", ["c", "s"], ["d"])]
        case "clip":
            nodes += [node("Clip", ["c", "low", "high"], ["d"])]
        case "none":
            nodes += [node("Identity", ["c"], ["d"])]
        case _:
            nodes += [node(after, ["c"], ["d"])]
    nodes += [node("Add", ["a", "d"], ["y"])]
    constants = {"v": weights(1, 40, 3, 3, 3), "w": weights(2, 40, 40, 3, 3), "b": weights(3, 40)}
    constants |= {"low": np.float32(0), "high": np.float32(6)}  # type: ignore[dict-item]
    session = check(nodes, [1, 3, 6, 5], [1, 40, 6, 5], constants, dtype)
    assert len(session.plan().launches) == 2


def test_a_residual_before_the_activation_and_strides() -> None:
    nodes = [
        node("Conv", ["x", "v"], ["a"], pads=[0, 0, 1, 1], strides=[2, 2]),
        node("Conv", ["a", "w"], ["c"], pads=[2] * 4),
        node("Add", ["c", "a"], ["d"]),
        node("Relu", ["d"], ["y"]),
    ]
    constants = {"v": weights(1, 32, 3, 3, 3), "w": weights(2, 32, 32, 5, 5)}
    assert len(check(nodes, [1, 3, 8, 8], [1, 32, 4, 4], constants).plan().launches) == 2


def test_batch_normalisation_and_pads_go_into_the_convolution() -> None:
    nodes = [
        node("Pad", ["x", "pads"], ["p"]),
        node("Conv", ["p", "w"], ["c"]),
        node("BatchNormalization", ["c", "s", "b", "m", "v"], ["d"]),
        node("Relu", ["d"], ["y"]),
    ]
    constants = {"w": weights(1, 24, 3, 3, 3), "s": weights(2, 24), "b": weights(3, 24), "m": weights(4, 24)}
    constants |= {"v": np.abs(weights(5, 24)) + 1, "pads": np.array([0, 0, 1, 1, 0, 0, 1, 1])}
    session = check(nodes, [1, 3, 6, 6], [1, 24, 6, 6], constants)
    assert len(session.plan().launches) == 1


@pytest.mark.parametrize("parts", [2, 3])
def test_parts_of_sixteen_channels_are_written_where_they_belong(parts: int) -> None:
    nodes = [node("Conv", ["x", "v"], ["a"]), node("Split", ["a", "counts"], ["p", "q"], axis=1)]
    names = ["p", "q"]
    for index in range(parts - 1):
        nodes.append(node("Conv", [names[-1], "w"], [f"r{index}"], pads=[1] * 4))
        names.append(f"r{index}")
    nodes += [node("Concat", names, ["j"], axis=1), node("Conv", ["j", "u"], ["y"])]
    channels = 16 * (parts + 1)
    constants = {"v": weights(1, 32, 3, 1, 1), "w": weights(2, 16, 16, 3, 3), "u": weights(3, 8, channels, 1, 1)}
    session = check(nodes, [1, 3, 6, 6], [1, 8, 6, 6], constants | {"counts": np.array([16, 16])})
    assert len(session.plan().launches) == parts + 1


def test_pools_and_larger_images() -> None:
    nodes = [
        node("Conv", ["x", "v"], ["a"]),
        node("MaxPool", ["a"], ["m"], kernel_shape=[5, 5], pads=[2] * 4, strides=[1, 1]),
        node("Concat", ["a", "m"], ["j"], axis=1),
        node("Resize", ["j", "", "scales"], ["l"], mode="nearest", coordinate_transformation_mode="asymmetric",
             nearest_mode="floor"),
        node("AveragePool", ["l"], ["p"], kernel_shape=[2, 2], strides=[2, 2]),
        node("GlobalAveragePool", ["p"], ["g"]),
        node("Flatten", ["g"], ["y"]),
    ]  # fmt: skip
    constants = {"v": weights(1, 32, 3, 1, 1), "scales": np.array([1, 1, 2, 2], np.float32)}
    check(nodes, [1, 3, 6, 6], [1, 64], constants)


@pytest.mark.parametrize("step", [1, 2])
def test_depthwise_convolutions(step: int) -> None:
    nodes = [
        node("Conv", ["x", "v"], ["a"]),
        node("Conv", ["a", "w", "b"], ["c"], pads=[1] * 4, group=40, strides=[step, step]),
        node("Relu", ["c"], ["y"]),
    ]
    constants = {"v": weights(1, 40, 3, 1, 1), "w": weights(2, 40, 1, 3, 3), "b": weights(3, 40)}
    assert len(check(nodes, [1, 3, 6, 6], [1, 40, 6 // step, 6 // step], constants).plan().launches) == 2


def test_a_whole_detector() -> None:
    made = yolo.model(0.25, 64, classes=3)
    feed = {"images": np.random.default_rng(1).random((1, 3, 64, 64), np.float32)}
    (wanted,) = expected(made, feed)
    for dtype, tolerance in (("f32", 1e-5), ("bf16", 2e-3)):
        (got,) = Session(made, dtype=dtype, no_host=True).run(None, feed)
        assert np.abs(got - wanted).max() <= tolerance * np.abs(wanted).max()


def test_weights_that_find_no_room_are_fetched_ahead() -> None:
    made = yolo.model(0.25, 64, classes=3)
    feed = {"images": np.random.default_rng(1).random((1, 3, 64, 64), np.float32)}
    roomy, tight = Session(made), Session(made, card=_card())
    assert not roomy.plan().moves
    assert len(tight.plan().moves) > 10
    np.testing.assert_array_equal(roomy.run(None, feed)[0], tight.run(None, feed)[0])


def _card() -> Any:
    """A card most of whose SRAM is taken."""
    from openrpp.runtime.card import Card

    card = Card("ae7100", "native")
    card.taken = card.empty(17 << 20, np.uint8, "sram")  # type: ignore[attr-defined]
    return card


def test_what_has_no_kernel_is_refused_without_a_host() -> None:
    made = model([node("Conv", ["x", "v"], ["y"], auto_pad="SAME_UPPER")], {"x": [2, 3, 4, 4]}, {"y": [2, 8, 4, 4]},
                 {"v": weights(1, 8, 3, 3, 3)})  # fmt: skip
    with pytest.raises(Unsupported, match=r"1 nodes would run on the host: Conv convy \(a batch of 2\)"):
        Session(made, no_host=True)


def test_a_model_that_finds_no_room_is_told_with_the_figures() -> None:
    made = model([helper.make_node("Conv", ["x", "v"], ["y"])], {"x": [1, 32, 800, 800]}, {"y": [1, 32, 800, 800]},
                 {"v": weights(1, 32, 32, 1, 1)})  # fmt: skip
    with pytest.raises(GraphError, match=r"the model needs \d+ bytes of SRAM at a time, \d+ are there"):
        Session(made)
