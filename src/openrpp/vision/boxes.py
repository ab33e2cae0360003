"""From a detector's numbers to boxes on the picture.

Heads, by the shape of their output for an input of h x w pixels; cells of 8, of 16 and of 32 pixels follow each other,
row by row:

- `yolox` (Ge et al. 2021, "YOLOX: Exceeding YOLO Series in 2021"): [1, cells, 5 + classes]; centre = (out + cell) *
  stride, extent = exp(out) * stride; score = objectness * class, both sigmoids already.
- `yolov8` (Ultralytics' anchor-free heads of YOLOv8, v9 and 11, and v5u): [1, 4 + classes, cells]; centre and extent in
  pixels, scores sigmoids already.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from openrpp.vision.errors import VisionError
from openrpp.vision.facts import Facts, Head
from openrpp.vision.images import Placement

STRIDES: Final = (8, 16, 32)
MOST: Final = 300
"""Boxes that are kept of a picture, the best first."""
Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Box:
    """Something found: class number, its name, score between 0 and 1, corners in pixels of the picture."""

    label: int
    name: str
    score: float
    x0: float
    y0: float
    x1: float
    y1: float

    def as_dict(self) -> dict[str, Any]:
        """A JSON-able dictionary."""
        return asdict(self)


def cells(size: tuple[int, int]) -> int:
    """Cells of all strides for an input of (height, width)."""
    return sum((size[0] // stride) * (size[1] // stride) for stride in STRIDES)


def head_of(facts: Facts, shape: Sequence[int], size: tuple[int, int]) -> Head:
    """The head that an output of this shape has; empty for one that is none we know."""
    if facts.head:
        return facts.head
    if len(shape) == 3 and shape[2] == cells(size) and shape[1] > 4:
        return "yolov8"
    if len(shape) == 3 and shape[1] == cells(size) and shape[2] > 5:
        return "yolox"
    return "classes" if len(shape) == 2 and shape[0] == 1 and shape[1] > 1 else ""


def find_boxes(
    output: NDArray[Any], facts: Facts, size: tuple[int, int], placement: Placement, picture: tuple[int, int]
) -> list[Box]:
    """Boxes of a detector's output, best first.

    Args:
        output: first output of the model.
        facts: head, labels, least score and overlap.
        size: height and width of the input.
        placement: where the picture lies in it.
        picture: height and width of the picture, which boxes are cut at.

    Raises VisionError for an output that is no detector's.
    """
    corners, scores = decode(np.asarray(output, np.float32), head_of(facts, output.shape, size), size)
    labels = scores.argmax(1)
    best = scores[np.arange(len(labels)), labels]
    chosen = np.flatnonzero(best >= facts.score)
    kept = chosen[suppress(corners[chosen], best[chosen], labels[chosen], facts.overlap)][:MOST]
    limits = np.array([picture[1], picture[0]] * 2, np.float32)
    placed = np.clip(placement.back(corners[kept]), 0, limits)
    return [
        Box(int(labels[index]), name_of(facts, int(labels[index])), float(best[index]), *(float(v) for v in corner))
        for index, corner in zip(kept, placed, strict=True)
    ]


def name_of(facts: Facts, label: int) -> str:
    """The name of a class, or its number where it has none."""
    return facts.labels[label] if isinstance(facts.labels, tuple) and label < len(facts.labels) else f"class {label}"


def decode(output: Floats, head: Head, size: tuple[int, int]) -> tuple[Floats, Floats]:
    """Corners [cells, 4] in pixels of the input and scores [cells, classes] of an output. Raises VisionError."""
    expected = cells(size)
    match head:
        case "yolox" if output.ndim == 3 and output.shape[0] == 1 and output.shape[1] == expected:
            rows = output[0]
            place, strides = grid(size)
            centre = (rows[:, :2] + place) * strides
            extent = np.exp(np.minimum(rows[:, 2:4], np.float32(20))) * strides
            return _corners(centre, extent.astype(np.float32)), rows[:, 4:5] * rows[:, 5:]
        case "yolov8" if output.ndim == 3 and output.shape[0] == 1 and output.shape[2] == expected:
            rows = np.ascontiguousarray(output[0].T)
            return _corners(rows[:, :2], rows[:, 2:4]), rows[:, 4:]
        case "yolox" | "yolov8":
            wanted = f"[1, {expected}, 5 + classes]" if head == "yolox" else f"[1, 4 + classes, {expected}]"
            raise VisionError(f"the output {list(output.shape)} is not that of head {head} for {size}: {wanted}")
        case _:
            raise VisionError(
                f"an output of shape {list(output.shape)} is no detector's that is known; see --fact head"
            )


def grid(size: tuple[int, int]) -> tuple[Floats, Floats]:
    """(x, y) of each cell, counted in cells, and its stride: [cells, 2] and [cells, 1]."""
    places: list[Floats] = []
    strides: list[Floats] = []
    for stride in STRIDES:
        y, x = np.mgrid[: size[0] // stride, : size[1] // stride]
        places.append(np.stack([x.ravel(), y.ravel()], 1).astype(np.float32))
        strides.append(np.full((x.size, 1), stride, np.float32))
    return np.concatenate(places), np.concatenate(strides)


def _corners(centre: Floats, extent: Floats) -> Floats:
    return np.concatenate([centre - extent / 2, centre + extent / 2], 1).astype(np.float32)


def suppress(corners: Floats, scores: Floats, labels: NDArray[Any], overlap: float) -> NDArray[np.intp]:
    """Non-maximum suppression within each class: indices of the boxes that stay, best first; ties by position."""
    order = np.argsort(-scores, kind="stable")
    kept: list[int] = []
    while order.size:
        first, rest = order[0], order[1:]
        kept.append(int(first))
        same = labels[rest] == labels[first]
        order = rest[~(same & (overlaps(corners[first], corners[rest]) > overlap))]
    return np.array(kept, np.intp)


def overlaps(box: Floats, others: Floats) -> Floats:
    """Intersection over union of a box [4] with others [n, 4]; 0 where both are empty."""
    low, high = np.maximum(box[:2], others[:, :2]), np.minimum(box[2:], others[:, 2:])
    common = np.prod(np.maximum(high - low, 0), axis=1)
    union = np.prod(box[2:] - box[:2]) + np.prod(others[:, 2:] - others[:, :2], axis=1) - common
    return (common / np.where(union > 0, union, 1)).astype(np.float32)
