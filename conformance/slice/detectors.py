"""YOLOX-tiny and YOLOv8n: the boxes of onnxruntime on the same pictures.

Both get the same input array and share the host's decoding, which has tests of its own. A box is the same if the other
has one of its class with an intersection over union of 0.95 and a score within 0.02; boxes whose score lies within 0.02
of the least score may be missing. In float32 every box must be the same. In bfloat16 rounding the weights alone moves
scores near 0.5 by up to 0.016 (onnxruntime with rounded weights), so a few of a hundred boxes may miss the bound.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import onnx_ir as ir

from conformance.slice.board import MODELS, Found, Row, Skipped, taken, weights_of
from conformance.slice.pictures import photo, written
from openrpp.graph import Session
from openrpp.vision.boxes import Box, overlaps
from openrpp.vision.images import Pixels
from openrpp.vision.models import VisionModel, open_model

OVERLAP, SCORE = 0.95, 0.02


def glyphs() -> dict[str, Pixels]:
    """Pictures with writing."""
    return {
        "page of a book": photo("page"),
        "handwriting": photo("text"),
        "A7 Q K9": written("A7 Q K9", 50),
        "HELLO 2026": written("HELLO 2026", 40),
        "turned by 12 degrees": written("9 5 2 H W", 44, 12),
    }


def people() -> dict[str, Pixels]:
    """Pictures with faces."""
    astronaut, camera = photo("astronaut"), photo("camera")
    return {
        "astronaut": astronaut,
        "astronaut, mirrored": np.ascontiguousarray(astronaut[:, ::-1]),
        "astronaut, cut": np.ascontiguousarray(astronaut[:300, 100:400]),
        "camera": camera,
        "both": np.concatenate([astronaut, camera], axis=1),
    }


CASES = {"yolox-tiny-glyphs": glyphs, "nudenet-320n": people}


@dataclass(frozen=True)
class Agreement:
    """Boxes of both, how many were looked for in the other and not found, and the worst of the pairs."""

    own: int
    other: int
    wanted: int
    strangers: int
    overlap: float
    score: float

    def __str__(self) -> str:
        missing = f", {self.strangers} of {self.wanted} not the same" if self.strangers else ""
        return f"{self.own} of {self.other} boxes{missing}; IoU {self.overlap:.3f}, score {self.score:.4f} at worst"


def agreement(own: Sequence[Box], other: Sequence[Box], least: float) -> Agreement:
    """Compare boxes both ways."""
    wanted, strangers, overlap, score = 0, 0, 1.0, 0.0
    for mine, theirs in ((own, other), (other, own)):
        for box in mine:
            if box.score < least + SCORE:
                continue
            pairs = [
                (_overlap(box, rival), abs(box.score - rival.score)) for rival in theirs if rival.label == box.label
            ]
            best = max(pairs, default=(0.0, box.score))
            wanted += 1
            strangers += best[0] < OVERLAP or best[1] > SCORE
            overlap, score = min(overlap, best[0]), max(score, best[1])
    return Agreement(len(own), len(other), wanted, strangers, overlap, score)


def _overlap(box: Box, other: Box) -> float:
    corners = [np.array([item.x0, item.y0, item.x1, item.y1], np.float32) for item in (box, other)]
    return float(overlaps(corners[0], corners[1][None])[0])


def measure(dtypes: Sequence[str]) -> Found:
    """Compare on every picture. Raises Skipped where a model or onnxruntime is not to be had."""
    found = Found()
    shares: dict[str, list[Agreement]] = {dtype: [] for dtype in dtypes}
    for name, pictures in CASES.items():
        weights_of(name)
        found.rows += _rows(open_model(name, (MODELS,)), pictures(), shares)
    found.bars["pictures"] = len({(row.model, row.what) for row in found.rows})
    for dtype, near in shares.items():
        wanted, strangers = (sum(getattr(item, part) for item in near) for part in ("wanted", "strangers"))
        found.bars[f"boxes_same_{dtype}"] = 1 - strangers / wanted if wanted else 0.0
    return found


def _rows(model: VisionModel, pictures: dict[str, Pixels], shares: dict[str, list[Agreement]]) -> list[Row]:
    try:
        import onnxruntime
    except ImportError:
        raise Skipped("onnxruntime is not installed; pip install 'openrpp[dev]'") from None
    rows: list[Row] = []
    oracle = onnxruntime.InferenceSession(
        ir.to_proto(model.model).SerializeToString(), providers=["CPUExecutionProvider"]
    )
    for dtype, found in shares.items():
        session = Session(model.model, dtype=dtype)  # type: ignore[arg-type]  # argparse knows the two
        for what, pixels in pictures.items():
            near = agreement(model.detect(session, pixels), model.detect(oracle, pixels), model.facts.score)
            found.append(near)
            rows.append(Row(model.title, what, dtype, near.strangers == 0, str(near)))
        rows[-len(pictures) :] = [replace(row, **taken(session)) for row in rows[-len(pictures) :]]
    return rows
