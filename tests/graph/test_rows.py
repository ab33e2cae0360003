"""Operators on the card against onnxruntime."""

from __future__ import annotations

import numpy as np
import pytest
from onnx import helper

from openrpp.graph import Session
from openrpp.kernels.slabs import Element
from tests.graph.models import expected, model

TOLERANCE: dict[Element, float] = {"f32": 2e-6, "bf16": 1e-2}


def check(made: object, feed: dict[str, np.ndarray], dtype: Element, hosted: int = 0) -> Session:
    """The session's answers are those of onnxruntime, within what the element type can hold."""
    session = Session(made, dtype=dtype)
    for _ in range(2):
        for got, wanted in zip(session.run(None, feed), expected(made, feed), strict=True):  # type: ignore[arg-type]
            scale = max(float(np.abs(wanted).max()), 1.0)
            assert got.shape == wanted.shape
            assert np.abs(got - wanted).max() <= TOLERANCE[dtype] * scale
    hosts = session.report().host_nodes
    assert len(hosts) == hosted, hosts
    return session


@pytest.mark.parametrize("dtype", ["f32", "bf16"])
def test_norms_and_the_views_around_them(dtype: Element) -> None:
    rng = np.random.default_rng(5)
    nodes = [
        helper.make_node("LayerNormalization", ["x", "w", "b"], ["n"], "norm", epsilon=1e-6),
        helper.make_node("Transpose", ["n"], ["t"], "swap", perm=[0, 2, 1]),
        helper.make_node("Reshape", ["t", "shape"], ["y"], "fold"),
    ]
    constants = {
        "w": rng.standard_normal(40).astype(np.float32),
        "b": rng.standard_normal(40).astype(np.float32),
        "shape": np.array([1, 40, 3, 2]),
    }
    made = model(nodes, {"x": [1, 6, 40]}, {"y": [1, 40, 3, 2]}, constants)
    session = check(made, {"x": rng.standard_normal((1, 6, 40)).astype(np.float32)}, dtype)
    report = session.report()
    assert report.launches == 1
    assert report.card is not None and report.card.low <= report.card.nominal <= report.card.high
    assert report.timed_nodes[0].name == "norm"
