"""Models by file and by name, with the facts that they come with."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx_ir as ir
import onnxruntime
import pytest

from openrpp.graph import GraphError
from openrpp.vision.errors import VisionError
from openrpp.vision.models import open_model
from openrpp.weights import WeightsError

from .conftest import CELLS, SIZE, channel_classifier, constant_detector, save, value, yolox_output

PICTURE = np.zeros((640, 960, 3), np.uint8)
PICTURE[:, :, 1] = 255


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("RPP_WEIGHTS", str(tmp_path / "weights"))
    monkeypatch.setenv("RPP_MODELS", str(tmp_path / "models.toml"))
    return tmp_path


def session(path: Path) -> onnxruntime.InferenceSession:
    return onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])


def test_a_file_finds_boxes_by_the_shape_of_its_output(home: Path) -> None:
    path = constant_detector(home / "x.onnx", yolox_output([(13, 1, 2, 0.9)]), [1, 3, *SIZE])
    (box,) = open_model(str(path)).detect(session(path), PICTURE)
    assert (box.label, box.name) == (1, "class 1")
    assert np.allclose([box.x0, box.y0, box.x1, box.y1], [40, 40, 200, 200], atol=1e-2)


def test_metadata_and_open_extents(home: Path) -> None:
    output = np.zeros((1, 6, CELLS), np.float32)
    output[0, :, 0] = (48, 32, 10, 10, 0, 0.75)
    metadata = {"task": "detect", "names": "{0: 'cat', 1: 'dog'}", "imgsz": f"[{SIZE[0]}, {SIZE[1]}]"}
    path = constant_detector(home / "v8.onnx", output, ["b", 3, "h", "w"], metadata=metadata)
    model = open_model(str(path))
    assert model.size == SIZE and model.feed(PICTURE).feed["images"].shape == (1, 3, *SIZE)
    assert [(box.name, box.score) for box in model.detect(session(path), PICTURE)] == [("dog", 0.75)]
    assert open_model(str(path), more={"score": 0.8}).detect(session(path), PICTURE) == []


def test_a_name_has_its_facts_from_the_catalogue(home: Path) -> None:
    channel_classifier(home / "net.onnx")
    (home / "names.txt").write_text("red\ngreen\nblue\n")
    (home / "models.toml").write_text(
        f'[colours]\nkind = "classifier"\nsource = {{ path = "net.onnx" }}\n'
        f'facts = {{ head = "classes", place = "crop", labels = "{home / "names.txt"}" }}\n'
    )
    model = open_model("colours")
    assert model.facts.place == "crop"
    guesses = model.classify(session(home / "net.onnx"), PICTURE, 2)
    assert [(guess.label, guess.name) for guess in guesses] == [(1, "green"), (0, "red")]
    labels = open_model("colours", more={"labels": "imagenet-labels"}).facts.labels
    assert labels == ()  # not pulled


def test_channels_may_be_the_last_axis_and_pixels_bytes(home: Path) -> None:
    image = ir.Value(name="raw", shape=ir.Shape([1, 4, 6, 3]), type=ir.TensorType(ir.DataType.UINT8))
    node = ir.node("Cast", [image], {"to": int(ir.DataType.FLOAT)})
    save(home / "raw.onnx", [node], [image], {})
    feed = open_model(str(home / "raw.onnx")).feed(PICTURE).feed["raw"]
    assert feed.shape == (1, 4, 6, 3) and feed.dtype == np.uint8 and (feed[..., 1] == 255).all()


def test_what_cannot_be_used_is_a_sentence(home: Path) -> None:
    with pytest.raises(WeightsError, match="'rpp pull efficientnet-lite0' fetches it"):
        open_model("efficientnet-lite0")
    with pytest.raises(VisionError, match="is a language model; 'rpp chat smollm2-135m-instruct' talks to it"):
        open_model("smollm2-135m-instruct")
    with pytest.raises(GraphError, match="cannot be read: No such file"):
        open_model("none.onnx")
    path = channel_classifier(home / "net.onnx")
    (home / "cut.onnx").write_bytes(path.read_bytes()[:40])
    with pytest.raises(GraphError, match=r"cut\.onnx is no ONNX model, or it is truncated"):
        open_model(str(home / "cut.onnx"))
    save(home / "flat.onnx", [ir.node("Relu", [flat := value("flat", [1, 10])])], [flat], {})
    with pytest.raises(VisionError, match=r"input flat .* takes no picture"):
        open_model(str(home / "flat.onnx"))
    save(home / "many.onnx", [ir.node("Relu", [many := value("many", [8, 3, 9, 9])])], [many], {})
    with pytest.raises(VisionError, match="takes no single picture of three channels"):
        open_model(str(home / "many.onnx"))
    pair = [value("a", [1, 3, 4, 4]), value("b", [1, 3, 4, 4])]
    save(home / "two.onnx", [ir.node("Add", pair)], pair, {})
    with pytest.raises(VisionError, match=r"which input takes the picture\? They are a .*, b tensor"):
        open_model(str(home / "two.onnx"))
