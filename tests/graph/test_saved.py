"""Compiled models in files."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from onnx import helper

from openrpp.graph import GraphError, Session
from tests.graph.models import model

NORM = model(
    [
        helper.make_node("LayerNormalization", ["x", "w"], ["n"], "norm"),
        helper.make_node("Transpose", ["n"], ["y"], "swap", perm=[0, 2, 1]),
    ],
    {"x": [1, "rows", 40]},
    {"y": [1, 40, "rows"]},
    {"w": np.linspace(0.5, 1.5, 40, dtype=np.float32)},
)
WITHOUT_ONNX = """
import sys
import numpy as np
for name in ("onnx", "onnx_ir", "onnxscript", "openrpp.cuda.clang"):
    sys.modules[name] = None
from openrpp.graph import Session
session = Session.load(sys.argv[1])
x = np.load(sys.argv[2])
np.save(sys.argv[3], session.run(None, {"x": x})[0])
"""


def test_a_saved_model_runs_without_clang_and_onnx(tmp_path: Path) -> None:
    session = Session(NORM)
    x = np.random.default_rng(3).standard_normal((1, 5, 40)).astype(np.float32)
    wanted = session.run(None, {"x": x})[0]
    session.save(tmp_path / "norm.rppm")
    np.save(tmp_path / "x.npy", x)
    command = [sys.executable, "-c", WITHOUT_ONNX, *(str(tmp_path / name) for name in ("norm.rppm", "x.npy", "y.npy"))]
    subprocess.run(command, check=True)
    np.testing.assert_array_equal(np.load(tmp_path / "y.npy"), wanted)


def test_a_saved_model_has_the_report_of_the_first(tmp_path: Path) -> None:
    session = Session(NORM, dims={"rows": 4})
    session.save(tmp_path / "norm.rppm")
    again = Session.load(tmp_path / "norm.rppm")
    assert again.report() == session.report()
    again.save(tmp_path / "again.rppm")
    assert (tmp_path / "again.rppm").read_bytes() == (tmp_path / "norm.rppm").read_bytes()


def test_shapes_without_a_plan_are_told(tmp_path: Path) -> None:
    session = Session(NORM)
    with pytest.raises(GraphError, match="nothing is compiled yet"):
        session.save(tmp_path / "norm.rppm")
    session.run(None, {"x": np.zeros((1, 2, 40), np.float32)})
    session.save(tmp_path / "norm.rppm")
    again = Session.load(tmp_path / "norm.rppm")
    with pytest.raises(GraphError, match=r"no plan for x \[1, 3, 40\]; there is x \[1, 2, 40\]"):
        again.run(None, {"x": np.zeros((1, 3, 40), np.float32)})


@pytest.mark.parametrize("kept", [0, 100, 2000])
def test_a_damaged_file_is_refused(tmp_path: Path, kept: int) -> None:
    Session(NORM, dims={"rows": 4}).save(tmp_path / "norm.rppm")
    (tmp_path / "cut.rppm").write_bytes((tmp_path / "norm.rppm").read_bytes()[:kept])
    with pytest.raises(GraphError, match=r"cut\.rppm is no compiled model, or a damaged one"):
        Session.load(tmp_path / "cut.rppm")
