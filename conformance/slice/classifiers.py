"""EfficientNet-Lite0: the order of onnxruntime's five best classes on photos.

In float32 every photo must have the same order. In bfloat16 the activations of 49 layers are rounded, which moves
logits of up to 11 by 0.1 to 0.3, so classes that onnxruntime holds for nearly equal change places on some photos; the
bar wants five photos with the same order. How near the closest two of the best are stands beside each answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import onnx_ir as ir

from conformance.slice.board import MODELS, Found, Row, Skipped, taken, weights_of
from conformance.slice.pictures import PHOTOS, photo
from openrpp.graph import Session
from openrpp.vision.models import open_model

NAME = "efficientnet-lite0"
BEST = 5


def order(logits: np.ndarray) -> list[int]:
    """The best classes, best first."""
    return [int(label) for label in np.argsort(-logits, kind="stable")[:BEST]]


def closest(logits: np.ndarray) -> float:
    """The smallest step between neighbours among the best classes and the next one."""
    return float(np.min(np.diff(np.sort(-logits)[: BEST + 1])))


def measure(dtypes: Sequence[str]) -> Found:
    """Compare on every photo. Raises Skipped where the model or onnxruntime is not to be had."""
    try:
        import onnxruntime
    except ImportError:
        raise Skipped("onnxruntime is not installed; pip install 'openrpp[dev]'") from None
    weights_of(NAME)
    model = open_model(NAME, (MODELS,))
    proto = ir.to_proto(model.model).SerializeToString()
    oracle = onnxruntime.InferenceSession(proto, providers=["CPUExecutionProvider"])
    found = Found()
    for dtype in dtypes:
        session = Session(model.model, dtype=dtype)  # type: ignore[arg-type]  # argparse knows the two
        rows: list[Row] = []
        for what in PHOTOS:
            feed = model.feed(photo(what)).feed
            own, other = (np.asarray(run(None, feed)[0][0], np.float64) for run in (session.run, oracle.run))
            same, step = order(own) == order(other), closest(other)
            says = f"{order(own)} and {order(other)}" if not same else f"{order(own)}"
            says += f"; logits {np.abs(own - other).max():.3f} apart at most, the closest two of the best {step:.3f}"
            rows.append(Row(model.title, what, dtype, same, says))
        found.rows += [replace(row, **taken(session)) for row in rows]
    for dtype in dtypes:
        rows = [row for row in found.rows if row.dtype == dtype]
        found.bars[f"classes_same_{dtype}"] = sum(bool(row.same) for row in rows)
    if "f32" in dtypes:
        found.bars["classes_differ_f32"] = len(PHOTOS) - found.bars["classes_same_f32"]
    return found
