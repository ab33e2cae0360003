"""Operators on the card against onnxruntime."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import helper

from openrpp.graph import Session
from openrpp.kernels.slabs import Element
from tests.graph.models import Shape, expected, model

TOLERANCE: dict[Element, float] = {"f32": 3e-6, "bf16": 1.5e-2}


def node(op: str, inputs: Sequence[str], outputs: Sequence[str], **attributes: Any) -> onnx.NodeProto:
    return helper.make_node(op, inputs, outputs, op.lower() + outputs[0], **attributes)


def check(
    nodes: Sequence[onnx.NodeProto],
    x: Shape,
    y: Mapping[str, Shape],
    dtype: Element,
    *,
    hosted: Sequence[str] = (),
    constants: Mapping[str, NDArray[Any]] | None = None,
) -> Session:
    """A model of x, put on the card by a norm without effect on its kind, answers what onnxruntime answers."""
    weights = {f"{index}": np.ones(x[-1], np.float32) for index in ("one",)}  # type: ignore[arg-type]
    first = node("LayerNormalization", ["x", "one"], ["n"])
    made = model([first, *nodes], {"x": x}, y, {**weights, **(constants or {})})
    feed = {"x": np.random.default_rng(5).standard_normal(tuple(x)).astype(np.float32)}  # type: ignore[arg-type]
    session = Session(made, dtype=dtype)
    for _ in range(2):
        for got, wanted in zip(session.run(None, feed), expected(made, feed), strict=True):
            scale = max(float(np.abs(wanted).max()), 1.0)
            assert got.shape == wanted.shape
            assert np.abs(got - wanted).max() <= TOLERANCE[dtype] * scale
    hosts = session.host_nodes()
    assert [host.op for host in hosts] == list(hosted), hosts
    return session


@pytest.mark.parametrize("dtype", ["f32", "bf16"])
def test_norms_and_the_views_around_them(dtype: Element) -> None:
    nodes = [
        node("LayerNormalization", ["n", "w", "b"], ["m"], epsilon=1e-6),
        node("Transpose", ["m"], ["t"], perm=[0, 2, 1]),
        node("Reshape", ["t", "shape"], ["y"]),
    ]
    rng = np.random.default_rng(5)
    constants = {name: rng.standard_normal(40).astype(np.float32) for name in "wb"} | {"shape": np.array([1, 40, 3, 2])}
    session = check(nodes, [1, 6, 40], {"y": [1, 40, 3, 2]}, dtype, constants=constants)
    report = session.report()
    assert report.launches == 2
    assert report.card is not None and report.card.low <= report.card.nominal <= report.card.high


@pytest.mark.parametrize("dtype", ["f32", "bf16"])
@pytest.mark.parametrize(
    ("op", "attributes"),
    [("Relu", {}), ("Sigmoid", {}), ("Tanh", {}), ("LeakyRelu", {"alpha": 0.2}), ("HardSwish", {}), ("Exp", {})],
)
def test_functions_of_one_operand(op: str, attributes: dict[str, float], dtype: Element) -> None:
    check([node(op, ["n"], ["y"], **attributes)], [1, 5, 40], {"y": [1, 5, 40]}, dtype)


def test_a_gate_and_its_product_are_one_launch() -> None:
    nodes = [node("Sigmoid", ["n"], ["g"]), node("Mul", ["g", "n"], ["y"])]
    assert len(check(nodes, [1, 5, 40], {"y": [1, 5, 40]}, "bf16").plan().launches) == 2


@pytest.mark.parametrize("dtype", ["f32", "bf16"])
@pytest.mark.parametrize("op", ["Add", "Sub", "Mul", "Div"])
@pytest.mark.parametrize("shape", [(1, 5, 40), (40,), (5, 1), (), (1, 1, 1)])
def test_functions_of_two_operands(op: str, shape: tuple[int, ...], dtype: Element) -> None:
    other = np.asarray(np.random.default_rng(8).random(shape) + 0.5, np.float32)
    check([node(op, ["n", "c"], ["y"])], [1, 5, 40], {"y": [1, 5, 40]}, dtype, constants={"c": other})


@pytest.mark.parametrize("op", ["Sub", "Div"])
def test_the_first_operand_may_be_the_constant(op: str) -> None:
    other = np.random.default_rng(8).random((1, 5, 1)).astype(np.float32)
    nodes = [node("Exp", ["n"], ["e"]), node(op, ["c", "e"], ["y"])]
    check(nodes, [1, 5, 40], {"y": [1, 5, 40]}, "bf16", constants={"c": other})


@pytest.mark.parametrize("counts", [(32, 8), (16, 24), (3, 30, 7)])
def test_parts_of_the_channels_and_back(counts: tuple[int, ...]) -> None:
    names = [f"p{index}" for index in range(len(counts))]
    nodes = [
        node("Split", ["n", "counts"], names, axis=2),
        *(node("Relu", [name], [f"r{name}"]) for name in names),
        node("Concat", [*(f"r{name}" for name in names), "n"], ["y"], axis=2),
    ]
    check(nodes, [1, 5, 40], {"y": [1, 5, 80]}, "bf16", constants={"counts": np.array(counts)})


def test_parts_of_the_pixels_and_back() -> None:
    nodes = [
        node("Split", ["n", "counts"], ["p", "q"], axis=1),
        node("Relu", ["q"], ["r"]),
        node("Concat", ["r", "p", "n"], ["y"], axis=1),
    ]
    check(nodes, [1, 5, 40], {"y": [1, 10, 40]}, "bf16", constants={"counts": np.array([2, 3])})


def test_a_value_that_is_in_a_concat_twice_and_in_two() -> None:
    nodes = [
        node("Relu", ["n"], ["r"]),
        node("Concat", ["n", "r", "n"], ["y"], axis=2),
        node("Concat", ["n", "n", "r"], ["z"], axis=2),
    ]
    check(nodes, [1, 5, 64], {"y": [1, 5, 192], "z": [1, 5, 192]}, "bf16")


def test_slices() -> None:
    nodes = [
        node("Slice", ["n", "start", "end", "axes", "steps"], ["s"]),
        node("Slice", ["n", "some", "end", "last"], ["t"]),
        node("Relu", ["s"], ["y"]),
        node("Relu", ["t"], ["z"]),
    ]
    constants = {
        "start": np.array([1]), "end": np.array([100]), "axes": np.array([1]), "steps": np.array([2]),
        "some": np.array([-5]), "last": np.array([2]),
    }  # fmt: skip
    check(nodes, [1, 6, 40], {"y": [1, 3, 40], "z": [1, 6, 5]}, "bf16", constants=constants)


def test_nodes_without_a_kernel_run_between_launches() -> None:
    nodes = [node("CumSum", ["n", "axis"], ["c"]), node("Add", ["c", "n"], ["y"]), node("Relu", ["n"], ["z"])]
    session = check(
        nodes, [1, 5, 40], {"y": [1, 5, 40], "z": [1, 5, 40]}, "f32", hosted=["CumSum", "Add"],
        constants={"axis": np.array(1)},
    )  # fmt: skip
    assert session.host_nodes()[0].reason == "no kernel of the library"


@pytest.mark.parametrize("dtype", ["f32", "bf16"])
@pytest.mark.parametrize("after", ["", "bias", "residual"])
def test_products_of_a_few_rows(after: str, dtype: Element) -> None:
    rng = np.random.default_rng(6)
    nodes = [node("MatMul", ["n", "m"], ["p"])]
    if after == "bias":
        nodes.append(node("Add", ["b", "p"], ["q"]))
    elif after == "residual":
        nodes.append(node("Add", ["p", "n"], ["q"]))
    nodes.append(node("Relu", ["q" if after else "p"], ["y"]))
    constants = {"m": rng.standard_normal((40, 40)).astype(np.float32) / 6, "b": rng.random(40).astype(np.float32)}
    session = check(nodes, [1, 3, 40], {"y": [1, 3, 40]}, dtype, constants=constants)
    assert [launch.kernel.split("/")[0] for launch in session.plan().launches] == ["norm", *["gemv"] * 3, "elementwise"]


def test_gemm() -> None:
    rng = np.random.default_rng(6)
    nodes = [node("Gemm", ["n", "m", "b"], ["y"], transB=1)]
    constants = {"m": rng.standard_normal((70, 48)).astype(np.float32) / 6, "b": rng.random(70).astype(np.float32)}
    check(nodes, [1, 48], {"y": [1, 70]}, "bf16", constants=constants)


@pytest.mark.parametrize("dtype", ["f32", "bf16"])
def test_softmax_over_the_channels(dtype: Element) -> None:
    check([node("Softmax", ["n"], ["y"])], [1, 5, 40], {"y": [1, 5, 40]}, dtype)
