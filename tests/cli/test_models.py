"""`rpp run` of models and `rpp detect`: answers, reports, and one sentence for what is wrong."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx_ir as ir
import pytest
from PIL import Image

from openrpp.vision.images import read_image
from tests.vision.conftest import SIZE, channel_classifier, constant_detector, save, value, yolox_output

from .conftest import Rpp


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A red picture, a detector that sees one thing in it, a classifier of colours."""
    monkeypatch.setenv("RPP_WEIGHTS", str(tmp_path / "weights"))
    monkeypatch.setenv("RPP_MODELS", str(tmp_path / "models.toml"))
    pixels = np.zeros((640, 960, 3), np.uint8)
    pixels[:, :, 0] = 255
    Image.fromarray(pixels).save(tmp_path / "red.png")
    constant_detector(tmp_path / "x.onnx", yolox_output([(13, 1, 2, 0.9)]), [1, 3, *SIZE])
    channel_classifier(tmp_path / "colours.onnx")
    (tmp_path / "colours.txt").write_text("red\ngreen\nblue\n")
    return tmp_path


def test_a_detector_prints_boxes_and_draws_them(rpp: Rpp, home: Path) -> None:
    result = rpp("detect", "red.png", "--model", "x.onnx", "-o", "boxes.png", "--fact", "labels=colours.txt")
    assert result.exit_code == 0, result.stderr
    lines = [line.split() for line in result.stdout.splitlines()]
    assert ["green", "0.900", "40.0", "40.0", "200.0", "200.0"] in lines
    assert "card time" in result.stdout and "not card time" in result.stdout
    drawn = read_image(home / "boxes.png")
    assert drawn.shape == (640, 960, 3) and drawn[120, 40, 1] > 0 and drawn[400, 400].tolist() == [255, 0, 0]


def test_a_detection_as_json(rpp: Rpp) -> None:
    found = json.loads(rpp("detect", "red.png", "--model", "x.onnx", "--json").stdout)
    (box,) = found["boxes"]
    assert box["name"] == "class 1" and found["size"] == [960, 640] and found["report"]["nodes"] >= 1
    none = json.loads(rpp("detect", "red.png", "--model", "x.onnx", "--score", "0.95", "--json").stdout)
    assert none["boxes"] == []


def test_a_classifier_names_its_classes_and_saves_its_output(rpp: Rpp, home: Path) -> None:
    words = ["run", "colours.onnx", "--input", "red.png", "--out", "out=y.npy", "--fact", "labels=colours.txt"]
    result = rpp(*words, "--dtype", "f32", "--fact", "head=classes")
    assert result.exit_code == 0, result.stderr
    assert np.allclose(np.load(home / "y.npy"), [[1, 0, 0]])
    found = json.loads(rpp(*words, "--json", "--top", "2").stdout)
    assert [(row["label"], row["name"]) for row in found["classes"]] == [(0, "red"), (1, "green")]
    assert found["outputs"] == [{"name": "out", "shape": [1, 3], "dtype": "float32", "file": "y.npy"}]


def test_inputs_are_arrays_as_well(rpp: Rpp, home: Path) -> None:
    ports = [value("a", [2, 3]), value("b", [2, 3])]
    save(home / "sum.onnx", [ir.node("Add", ports)], ports, {})
    np.save(home / "a.npy", np.arange(6).reshape(2, 3))
    np.save(home / "b.npy", np.ones((2, 3)))
    result = rpp("run", "sum.onnx", "--input", "b=b.npy", "--input", "a.npy", "--out", "s.npy", "--dtype", "f32")
    assert result.exit_code == 0, result.stderr
    assert np.load(home / "s.npy").tolist() == [[1, 2, 3], [4, 5, 6]]


def test_a_name_of_a_catalogue_is_a_model(rpp: Rpp, home: Path) -> None:
    (home / "models.toml").write_text('[mine]\nsource = { path = "colours.onnx" }\nfacts = { head = "classes" }\n')
    result = rpp("run", "mine", "--input", "red.png")
    assert result.exit_code == 0, result.stderr
    assert "class 0" in result.stdout


def test_a_compiled_model_is_saved_and_runs(rpp: Rpp, home: Path) -> None:
    result = rpp("run", "colours.onnx", "--input", "red.png", "--save", "colours.rppm", "--dtype", "f32")
    assert result.exit_code == 0, result.stderr
    assert " compiled model -> colours.rppm" in result.stdout
    again = rpp("run", "colours.rppm", "--input", "picture=red.png", "--out", "y.npy", "--json")
    assert again.exit_code == 0, again.stderr
    assert np.allclose(np.load(home / "y.npy"), [[1, 0, 0]])


def test_the_help_of_models_is_another(rpp: Rpp) -> None:
    assert "--fact NAME=VALUE" in rpp("run", "x.onnx", "--help").stdout
    assert "--grid" in rpp("run", "--help").stdout


def _broken(home: Path) -> None:
    (home / "cut.onnx").write_bytes((home / "colours.onnx").read_bytes()[:40])
    (home / "text.png").write_text("no picture")
    image = value("a", [1, 3, 8, 8])
    save(home / "odd.onnx", [ir.node("Relux", [image])], [image], {})


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("run cut.onnx --input red.png", "rpp: graph: cut.onnx is no ONNX model, or it is truncated"),
        ("run none.onnx --input red.png", "rpp: graph: none.onnx cannot be read: No such file or directory"),
        ("run odd.onnx --input red.png", "operator Relux of ONNX opset 17 is not known"),
        (
            "run colours.onnx",
            "rpp: run: input picture has no value; give --input picture=FILE (inputs are picture tensor(float)",
        ),
        ("run colours.onnx --input none.png", "none.png: No such file or directory"),
        ("run colours.onnx --input text.png", "rpp: vision: text.png: not a picture that pillow can read"),
        ("run colours.onnx --input red.png --input a.npy", "a.npy: no input is left for this file"),
        ("run colours.onnx --input x=red.png", "there is no input x; there are picture"),
        ("run colours.onnx --input red.png --out y=y.npy", "there is no output y; there are out"),
        ("run colours.onnx --input red.png --fact head", "rpp: vision: 'head' is no fact; write NAME=VALUE"),
        ("run colours.onnx --input red.png --grid 4", "No such option '--grid'"),
        ("run colours.onnx --input red.png --save a.onnx", "--save a.onnx: a compiled model is called FILE.rppm"),
        ("run none.rppm --input red.png", "none.rppm"),
        ("detect red.png --model colours.onnx", "an output of shape [1, 3] is no detector's that is known"),
        ("detect text.png --model x.onnx", "rpp: vision: text.png: not a picture that pillow can read"),
        ("detect none.png --model x.onnx", "rpp: detect: none.png: No such file or directory"),
        ("detect red.png", "rpp: weights: yolox-tiny-glyphs is not here; 'rpp pull yolox-tiny-glyphs' fetches it"),
        ("detect red.png --model x.onnx -o none/y.png", "rpp: detect: none/y.png: folder none does not exist"),
        ("detect red.png --model x.onnx --fact head=yolov8", "is not that of head yolov8"),
    ],
)
def test_mistakes_are_one_sentence(rpp: Rpp, home: Path, words: str, says: str) -> None:
    _broken(home)
    result = rpp(*words.split())
    assert result.exit_code == 2 and says in result.stderr
    assert len(result.stderr.splitlines()) == 1
