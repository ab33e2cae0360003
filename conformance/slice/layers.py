"""One layer of each model as machine code on the reference engine, against the native engine: equal bit for bit.

A layer is what the models are made of: a stage of a detector, an inverted bottleneck of the classifier, a block of a
Llama for one token and for a chunk of them. Pictures are random and small where the model's shape lets them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
import onnx_ir as ir
from numpy.typing import NDArray
from onnx.utils import Extractor

from conformance.slice.board import MODELS, Found, Row, Skipped, weights_of
from openrpp.graph import Session
from openrpp.vision.models import open_model

SEED = 5


@dataclass(frozen=True)
class Stage:
    """A part of a vision model.

    `first` and `last` count its convolutions from 0 in the order of the graph; it starts at what the first one reads
    and ends with the last one's activation. `shape` is that of a random input, channels first.
    """

    model: str
    first: int
    last: int
    shape: tuple[int, int, int]


STAGES = (
    Stage("yolox-tiny-glyphs", 0, 3, (12, 32, 32)),
    Stage("nudenet-320n", 0, 5, (3, 64, 64)),
    Stage("efficientnet-lite0", 3, 6, (16, 32, 32)),
)


def cut(model: onnx.ModelProto, stage: Stage) -> onnx.ModelProto:
    """The stage as a model of its own, with a free height and width."""
    nodes = list(model.graph.node)
    convolutions = [node for node in nodes if node.op_type == "Conv"]
    start, end = convolutions[stage.first].input[0], _activated(nodes, convolutions[stage.last].output[0])
    known = onnx.shape_inference.infer_shapes(model)
    part = Extractor(known).extract_model([start], [end])
    for value in (*part.graph.input, *part.graph.output):
        value.type.tensor_type.ClearField("shape")
    del part.graph.value_info[:]
    size = [1, *stage.shape]
    part.graph.input[0].CopyFrom(onnx.helper.make_tensor_value_info(start, onnx.TensorProto.FLOAT, size))
    return part


def _activated(nodes: Sequence[onnx.NodeProto], value: str) -> str:
    """The value behind the activation that follows."""
    readers = [node for node in nodes if value in node.input]
    if {node.op_type for node in readers} == {"Sigmoid", "Mul"}:
        return next(node for node in readers if node.op_type == "Mul").output[0]
    return readers[0].output[0] if [node.op_type for node in readers] in (["Clip"], ["Relu"]) else value


def _compared(found: Found, name: str, model: Any, feed: dict[str, NDArray[Any]], dtype: str) -> None:
    """A row: the same session on both engines."""
    sessions = [Session(model, card="ae7100", engine=engine, dtype=dtype) for engine in ("native", "reference")]  # type: ignore[arg-type]
    results = [session.run(None, feed) for session in sessions]
    differ = sum(int((_bits(mine) != _bits(theirs)).sum()) for mine, theirs in zip(*results, strict=True))
    values = sum(item.size for item in results[0])
    report = sessions[1].report()
    says = f"{differ} of {values} values differ"
    found.rows.append(
        Row(name, "one layer", dtype, not differ, says, report.card, report.launches, len(report.host_nodes))
    )


def _bits(values: NDArray[Any]) -> NDArray[Any]:
    return values.view(f"u{values.itemsize}")


def measure(dtypes: Sequence[str]) -> Found:
    """All models that can be had here. Raises Skipped where none can."""
    found, rng, missing = Found(), np.random.default_rng(SEED), list[str]()
    for stage in STAGES:
        try:
            weights_of(stage.model)
        except Skipped as why:
            missing.append(str(why))
            continue
        whole = ir.to_proto(open_model(stage.model, (MODELS,)).model)
        part = cut(whole, stage)
        feed = {part.graph.input[0].name: rng.random((1, *stage.shape), np.float32)}
        for dtype in dtypes:
            _compared(found, stage.model, part, feed, dtype)
    if missing and not found.rows:
        raise Skipped(missing[0])
    found.bars["layers_differ"] = sum(not row.same for row in found.rows)
    found.details["layers_seed"] = SEED
    return found
