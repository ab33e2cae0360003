"""How the slice compares boxes and classes, and that what is missing is said."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks.bars import compare
from conformance.slice import classifiers, detectors, pictures
from conformance.slice.board import Skipped, weights_of
from conformance.slice.detectors import agreement
from openrpp.vision.boxes import Box
from openrpp.weights import entries

BOX = Box(1, "cat", 0.8, 0, 0, 100, 100)


def test_boxes_are_compared_both_ways() -> None:
    moved, doubted = replace(BOX, x0=4.0), replace(BOX, score=0.79)
    near = agreement([moved, doubted], [BOX], 0.25)
    assert (near.own, near.other, near.wanted, near.strangers) == (2, 1, 3, 0)
    assert near.overlap == pytest.approx(0.96) and near.score == pytest.approx(0.01)


@pytest.mark.parametrize(
    "other", [replace(BOX, x0=6.0), replace(BOX, score=0.77), replace(BOX, label=2), replace(BOX, x0=200, x1=300)]
)
def test_boxes_beyond_the_bounds_are_strangers(other: Box) -> None:
    assert agreement([BOX], [other], 0.25).strangers == 2


def test_boxes_at_the_least_score_may_be_missing() -> None:
    assert agreement([BOX], [BOX, replace(BOX, label=3, score=0.26)], 0.25).strangers == 0
    assert agreement([BOX], [BOX, replace(BOX, label=3, score=0.28)], 0.25).strangers == 1
    assert agreement([], [], 0.25).wanted == 0


def test_order_and_its_smallest_step() -> None:
    logits = np.array([1.0, 5.0, 4.5, 3.0, 2.0, 1.5, 0.0])
    assert classifiers.order(logits) == [1, 2, 3, 4, 5] and classifiers.closest(logits) == 0.5


def test_models_of_other_licences_are_not_ours() -> None:
    assert "nudenet-320n" not in entries() and "nudenet-320n" in detectors.CASES


def test_every_figure_has_a_bar() -> None:
    names = ("pictures", "boxes_same_bf16", "boxes_same_f32", "classes_same_bf16", "classes_same_f32")
    bars = compare("answers", {**dict.fromkeys(names, 1.0), "classes_differ_f32": 0.0})
    assert [bar.name for bar in bars if not bar.met] == ["pictures", "classes_same_bf16", "classes_same_f32"]


def test_pictures_are_rgb() -> None:
    for picture in (pictures.photo("camera"), pictures.photo("horse"), pictures.written("A7", 40, 12)):
        assert picture.ndim == 3 and picture.shape[2] == 3 and picture.dtype == np.uint8 and np.ptp(picture) > 100


def test_weights_that_cannot_be_had_skip_a_part(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RPP_WEIGHTS", str(tmp_path))
    monkeypatch.setenv("RPP_OFFLINE", "1")
    with pytest.raises(Skipped, match="nudenet-320n is not here, and RPP_OFFLINE forbids to fetch it"):
        weights_of("nudenet-320n")
    done = subprocess.run(
        [sys.executable, "-m", "conformance.slice", "--only", "detectors"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0 and "detectors: skipped: yolox-tiny-glyphs is not here" in done.stdout
    wrong = subprocess.run(
        [sys.executable, "-m", "conformance.slice", "--only", "x"], capture_output=True, text=True, check=False
    )
    assert wrong.returncode == 2 and "there is no part x; there are detectors" in wrong.stderr
