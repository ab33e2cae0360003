"""Tiny models: a detector whose boxes are constants, a classifier that names the brightest channel."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

SIZE = (64, 96)
CELLS = 8 * 12 + 4 * 6 + 2 * 3


def value(name: str, shape: Sequence[int | str]) -> ir.Value:
    return ir.Value(name=name, shape=ir.Shape(shape), type=ir.TensorType(ir.DataType.FLOAT))


def save(
    path: Path, nodes: Sequence[ir.Node], inputs: Sequence[ir.Value], constants: dict[str, Any], **more: Any
) -> None:
    """Write a model whose last node gives its output."""
    made = [ir.Value(name=name, const_value=ir.tensor(array, name=name)) for name, array in constants.items()]
    by_name = {item.name: item for item in made}
    for node in nodes:
        for index, given in enumerate(node.inputs):
            if given is not None and given.name in by_name:
                node.replace_input_with(index, by_name[given.name])
    output = nodes[-1].outputs[0]
    output.name, output.type = "out", ir.TensorType(ir.DataType.FLOAT)
    graph = ir.Graph(list(inputs), [output], nodes=list(nodes), initializers=made, opset_imports={"": 17}, name="net")
    ir.save(ir.Model(graph, ir_version=10, metadata_props=more.get("metadata", {})), path)


def constant_detector(path: Path, output: NDArray[np.float32], shape: Sequence[int | str], **more: Any) -> Path:
    """A model that answers `output`, whatever the picture of `shape` shows."""
    image = value("images", shape)
    mean = ir.node("ReduceMean", [image], {"keepdims": 0})
    nothing = ir.node("Mul", [mean.outputs[0], ir.Value(name="zero")])
    nodes = [mean, nothing, ir.node("Add", [nothing.outputs[0], ir.Value(name="boxes")])]
    save(path, nodes, [image], {"zero": np.zeros((), np.float32), "boxes": output}, **more)
    return path


def channel_classifier(path: Path) -> Path:
    """[1, 3, 8, 8] -> [1, 3]: the mean of each channel."""
    image = value("picture", [1, 3, 8, 8])
    save(path, [ir.node("ReduceMean", [image], {"axes": [2, 3], "keepdims": 0})], [image], {})
    return path


def yolox_output(boxes: Sequence[tuple[int, int, int, float]]) -> NDArray[np.float32]:
    """Raw YOLOX numbers with 2 classes for SIZE: (cell, label, extent in strides, score); all others score 0."""
    out = np.zeros((1, CELLS, 7), np.float32)
    for cell, label, extent, score in boxes:
        out[0, cell, :4] = (0.5, 0.5, np.log(extent), np.log(extent))
        out[0, cell, 4], out[0, cell, 5 + label] = 1.0, score
    return out
