"""Boxes out of a detector's numbers, classes out of a classifier's."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from openrpp.vision.boxes import decode, find_boxes, grid, head_of, overlaps, suppress
from openrpp.vision.classes import best_classes, read_labels
from openrpp.vision.errors import VisionError
from openrpp.vision.facts import Facts
from openrpp.vision.images import Placement

from .conftest import CELLS, SIZE, yolox_output

SAME = Placement((1.0, 1.0), (0.0, 0.0))


def test_cells_follow_each_other_row_by_row() -> None:
    places, strides = grid(SIZE)
    assert len(places) == CELLS and places[13].tolist() == [1, 1] and places[96 + 7].tolist() == [1, 1]
    assert strides[0, 0] == 8 and strides[96, 0] == 16 and strides[120, 0] == 32


def test_yolox_boxes_are_relative_to_their_cells() -> None:
    found = find_boxes(yolox_output([(13, 1, 2, 0.9), (120, 0, 1, 0.8)]), Facts(head="yolox"), SIZE, SAME, SIZE)
    assert [(box.label, box.name) for box in found] == [(1, "class 1"), (0, "class 0")]
    assert np.allclose([found[0].x0, found[0].y0, found[0].x1, found[0].y1], [4, 4, 20, 20], atol=1e-4)
    assert np.allclose([found[1].x0, found[1].y0, found[1].x1, found[1].y1], [0, 0, 32, 32], atol=1e-4)
    assert [round(box.score, 6) for box in found] == [0.9, 0.8]


def test_yolov8_boxes_are_pixels_and_are_cut_at_the_picture() -> None:
    output = np.zeros((1, 6, CELLS), np.float32)
    output[0, :, 5] = (10, 20, 30, 8, 0.2, 0.7)
    found = find_boxes(output, Facts(labels=("cat", "dog")), SIZE, SAME, SIZE)
    assert [(box.name, box.x0, box.y0, box.x1, box.y1) for box in found] == [("dog", 0.0, 16.0, 25.0, 24.0)]


def test_boxes_are_put_back_onto_the_picture() -> None:
    output = yolox_output([(13, 0, 2, 0.9)])
    found = find_boxes(output, Facts(), SIZE, Placement((0.5, 0.25), (2.0, 4.0)), (1000, 1000))
    assert np.allclose([found[0].x0, found[0].y0, found[0].x1, found[0].y1], [4, 0, 36, 64], atol=1e-3)


def test_the_head_is_found_by_the_shape() -> None:
    assert head_of(Facts(), (1, 6, CELLS), SIZE) == "yolov8"
    assert head_of(Facts(), (1, CELLS, 7), SIZE) == "yolox"
    assert head_of(Facts(), (1, 1000), SIZE) == "classes"
    assert head_of(Facts(), (1, 25200, 85), (640, 640)) == ""


@pytest.mark.parametrize(
    ("facts", "shape", "says"),
    [
        (Facts(), (1, 25200, 85), r"\[1, 25200, 85\] is no detector's"),
        (Facts(head="yolox"), (1, 7, CELLS), r"not that of head yolox for \(64, 96\): \[1, 126, 5 \+ classes\]"),
        (Facts(head="yolov8"), (2, 7, CELLS), "not that of head yolov8"),
        (Facts(head="classes"), (1, 10), "no detector's"),
    ],
)
def test_other_outputs_are_refused(facts: Facts, shape: tuple[int, ...], says: str) -> None:
    with pytest.raises(VisionError, match=says):
        find_boxes(np.zeros(shape, np.float32), facts, SIZE, SAME, SIZE)


def test_numbers_that_are_too_large_give_no_warning() -> None:
    output = yolox_output([(0, 0, 1, 0.9)])
    output[0, 0, 2] = 1e9
    corners, _ = decode(output, "yolox", SIZE)
    assert np.isfinite(corners).all()


def plain_suppress(corners: np.ndarray, scores: np.ndarray, labels: np.ndarray, overlap: float) -> list[int]:
    """The definition: a box stays unless a better one of its class that stays overlaps it."""
    kept: list[int] = []
    for index in sorted(range(len(scores)), key=lambda place: (-scores[place], place)):
        rivals = [place for place in kept if labels[place] == labels[index]]
        if not any(plain_overlap(corners[place], corners[index]) > overlap for place in rivals):
            kept.append(index)
    return kept


def plain_overlap(a: np.ndarray, b: np.ndarray) -> float:
    width, height = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    common = max(width, 0) * max(height, 0)
    return common / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - common)


def test_suppression_keeps_what_its_definition_keeps() -> None:
    seed = int(np.random.SeedSequence().generate_state(1)[0])
    print("seed", seed)
    random = np.random.default_rng(seed)
    corners = random.integers(0, 40, (200, 4)).astype(np.float32)
    corners[:, 2:] = corners[:, :2] + random.integers(1, 20, (200, 2))
    scores, labels = random.integers(1, 50, 200).astype(np.float32) / 50, random.integers(0, 3, 200)
    for overlap in (0.0, 0.3, 0.45, 1.0):
        assert suppress(corners, scores, labels, overlap).tolist() == plain_suppress(corners, scores, labels, overlap)
    expected = [plain_overlap(corners[0], other) for other in corners]
    assert np.allclose(overlaps(corners[0], corners), expected, atol=1e-6)


def test_empty_boxes_do_not_overlap() -> None:
    assert overlaps(np.zeros(4, np.float32), np.zeros((1, 4), np.float32)).tolist() == [0]


def test_the_best_classes_have_shares() -> None:
    found = best_classes(np.log(np.array([[1, 4, 3, 2]], np.float32)), Facts(labels=("a", "b")), 3)
    assert [(guess.label, guess.name) for guess in found] == [(1, "b"), (2, "class 2"), (3, "class 3")]
    assert np.allclose([guess.score for guess in found], [0.4, 0.3, 0.2])
    assert np.allclose([g.score for g in best_classes(np.array([[0.25, 0.75]]), Facts())], [0.75, 0.25])
    with pytest.raises(VisionError, match=r"shape \[1, 2, 3\] is no classifier's"):
        best_classes(np.zeros((1, 2, 3)), Facts())


def test_labels_are_lists_tables_or_lines(tmp_path: Path) -> None:
    (tmp_path / "list.json").write_text('["a", "b"]')
    (tmp_path / "table.json").write_text('{"1": "b", "0": "a"}')
    (tmp_path / "names.txt").write_text("a\nb\n\n")
    for name in ("list.json", "table.json", "names.txt"):
        assert read_labels(tmp_path / name) == ("a", "b")
    for text in ("[1", '{"1": "b"}', "7"):
        (tmp_path / "bad.json").write_text(text)
        with pytest.raises(VisionError, match=r"bad\.json: no list of names"):
            read_labels(tmp_path / "bad.json")
