"""Models that cannot be read or run are refused with one sentence."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper

from openrpp.graph import GraphError, Session, Unsupported
from openrpp.graph.source import read_model
from tests.graph.models import model

RELU = model([helper.make_node("Relu", ["x"], ["y"], "act")], {"x": [1, 4]}, {"y": [1, 4]})


def test_models_are_read_from_files_bytes_and_protos(tmp_path: Path) -> None:
    path = tmp_path / "relu.onnx"
    onnx.save(RELU, path)
    for source in (path, str(path), RELU.SerializeToString(), RELU, read_model(RELU)):
        assert [node.op_type for node in read_model(source).graph] == ["Relu"]


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(GraphError, match=r"none\.onnx cannot be read: No such file"):
        read_model(tmp_path / "none.onnx")


@pytest.mark.parametrize("kept", [0, 10, 60])
def test_a_truncated_file_is_refused(tmp_path: Path, kept: int) -> None:
    path = tmp_path / "cut.onnx"
    path.write_bytes(RELU.SerializeToString()[:kept])
    with pytest.raises(GraphError, match=r"cut\.onnx (is empty|is no ONNX model)"):
        read_model(path)


def test_weights_in_another_file_must_be_there_and_whole(tmp_path: Path) -> None:
    made = model(
        [helper.make_node("Add", ["x", "w"], ["y"])], {"x": [1, 64]}, {"y": [1, 64]}, {"w": np.ones(64, np.float32)}
    )
    path = tmp_path / "add.onnx"
    onnx.save(made, path, save_as_external_data=True, location="add.bin", size_threshold=0)
    data = tmp_path / "add.bin"
    assert len(read_model(path).graph.initializers) == 1
    data.write_bytes(data.read_bytes()[:100])
    with pytest.raises(GraphError, match=r"add\.bin is truncated: w ends at byte 256 of 100"):
        read_model(path)
    data.unlink()
    with pytest.raises(GraphError, match=r"the weights of w are in .*add\.bin, which is not there"):
        read_model(path)


def test_an_unknown_operator_is_named_with_its_node() -> None:
    made = model([helper.make_node("Relux", ["x"], ["y"], "act")], {"x": [1, 4]}, {"y": [1, 4]})
    with pytest.raises(Unsupported, match=r"operator Relux of ONNX opset 17 is not known \(node act\).*Relu"):
        Session(made)


def test_open_extents_are_bound_by_name_or_by_the_arrays() -> None:
    made = model([helper.make_node("Relu", ["x"], ["y"])], {"x": ["rows", 4]}, {"y": ["rows", 4]})
    session = Session(made)
    assert session.get_inputs()[0].shape == ("rows", 4)
    for rows in (1, 3):
        assert session.run(None, {"x": np.full((rows, 4), -1, np.float32)})[0].shape == (rows, 4)
    assert Session(made, dims={"rows": 2}).get_inputs()[0].shape == (2, 4)


def test_arrays_that_do_not_fit_are_refused() -> None:
    session = Session(RELU)
    with pytest.raises(GraphError, match=r"input x is missing; it is tensor\(float\) \[1, 4\]"):
        session.run(None, {})
    with pytest.raises(GraphError, match=r"input x is tensor\(float\), not float64"):
        session.run(None, {"x": np.zeros((1, 4))})
    with pytest.raises(GraphError, match=r"input x has shape \[1, 4\], not \[4\]"):
        session.run(None, {"x": np.zeros(4, np.float32)})
    with pytest.raises(GraphError, match="there is no input z; there are x"):
        session.run(None, {"x": np.zeros((1, 4), np.float32), "z": np.zeros(1)})
    with pytest.raises(GraphError, match="there is no output q; there are y"):
        session.run(["q"], {"x": np.zeros((1, 4), np.float32)})
