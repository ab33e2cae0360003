"""Pictures as inputs of models: where they lie, how they are normalised, and what is no picture."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from openrpp.vision.boxes import Box
from openrpp.vision.errors import VisionError
from openrpp.vision.facts import Facts, fact, facts_in, facts_of
from openrpp.vision.images import GREY, draw, fit, normalised, read_image, write_image


def picture(height: int, width: int) -> np.ndarray:
    """Red grows to the right, green downwards."""
    y, x = np.mgrid[:height, :width]
    return np.stack([x * 255 // (width - 1), y * 255 // (height - 1), np.zeros_like(x)], 2).astype(np.uint8)


@pytest.mark.parametrize(
    ("place", "corner", "inner"),
    [("centre", (16, 0), (32, 64)), ("corner", (0, 0), (32, 64)), ("stretch", (0, 0), (64, 64))],
)
def test_a_picture_is_laid_into_the_input(place: str, corner: tuple[int, int], inner: tuple[int, int]) -> None:
    placed, placement = fit(np.full((100, 200, 3), 7, np.uint8), (64, 64), facts_of({"place": place}, "test"))
    inside = np.zeros((64, 64), bool)
    inside[corner[0] : corner[0] + inner[0], corner[1] : corner[1] + inner[1]] = True
    assert (placed[inside] == 7).all() and (placed[~inside] == GREY).all()
    box = np.array([[corner[1], corner[0], corner[1] + inner[1], corner[0] + inner[0]]], np.float32)
    assert np.allclose(placement.back(box), [[0, 0, 200, 100]])


def test_crop_takes_the_middle_of_the_shorter_side() -> None:
    placed, placement = fit(picture(256, 512), (224, 224), Facts(place="crop"))
    assert placed.shape == (224, 224, 3)
    assert np.allclose(placement.back(np.array([[0, 0, 224, 224]], np.float32)), [[144, 16, 368, 240]])
    assert abs(int(placed[112, 112, 0]) - 127) <= 2 and abs(int(placed[0, 0, 1]) - 16) <= 2


def test_pixels_are_normalised_in_the_order_of_the_model() -> None:
    pixels = np.array([[[10, 20, 30]]], np.uint8)
    assert np.allclose(normalised(pixels, Facts()), np.array([[[10, 20, 30]]]) / 255)
    facts = facts_of({"channels": "BGR", "mean": [30, 20, 0], "deviation": 2}, "test")
    assert np.allclose(normalised(pixels, facts), [[[0, 0, 5]]])


def test_pictures_of_every_kind_become_rgb(tmp_path: Path) -> None:
    rgb = picture(16, 16)
    clear = np.dstack([rgb, np.full((16, 16), 255, np.uint8)])
    clear[0, 0, 3] = 0
    kinds = {
        "rgb.png": Image.fromarray(rgb),
        "grey.png": Image.fromarray(rgb[:, :, 0]),
        "deep.png": Image.fromarray(rgb[:, :, 0].astype(np.uint16) << 8),
        "clear.png": Image.fromarray(clear),
        "one.png": Image.fromarray(rgb[:, :, 0] > 99),
        "palette.gif": Image.fromarray(rgb).quantize(8),
    }
    for name, image in kinds.items():
        image.save(tmp_path / name)
        assert read_image(tmp_path / name).shape == (16, 16, 3), name
    assert np.array_equal(read_image(tmp_path / "rgb.png"), rgb)
    assert np.array_equal(read_image(tmp_path / "deep.png"), read_image(tmp_path / "grey.png"))
    assert read_image(tmp_path / "clear.png")[0, 0].tolist() == [255, 255, 255]


def test_a_turned_photo_is_turned_back(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(picture(8, 16)).save(tmp_path / "a.png", exif=exif)
    assert read_image(tmp_path / "a.png").shape == (16, 8, 3)


def test_what_is_no_picture_is_a_sentence(tmp_path: Path) -> None:
    text = tmp_path / "a.txt"
    text.write_text("not a picture")
    with pytest.raises(VisionError, match=r"a\.txt: not a picture that pillow can read"):
        read_image(text)
    Image.fromarray(picture(64, 64)).save(tmp_path / "a.png")
    (tmp_path / "cut.png").write_bytes((tmp_path / "a.png").read_bytes()[:80])
    with pytest.raises(VisionError, match=r"cut\.png: a damaged picture: .*truncated"):
        read_image(tmp_path / "cut.png")
    with pytest.raises(FileNotFoundError):
        read_image(tmp_path / "none.png")


def test_boxes_are_drawn_and_written(tmp_path: Path) -> None:
    pixels = np.zeros((100, 100, 3), np.uint8)
    drawn = draw(pixels, [Box(0, "cat", 0.9, 20, 40, 60, 80), Box(1, "dog", 0.8, -5, -5, 10, 200)])
    assert not pixels.any() and drawn[40, 30].any() and not drawn[60, 40].any()
    write_image(tmp_path / "out.png", drawn)
    assert np.array_equal(read_image(tmp_path / "out.png"), drawn)
    with pytest.raises(VisionError, match="no such kind of file"):
        write_image(tmp_path / "out.xyz", drawn)


def test_facts_come_from_tables_metadata_and_the_command_line() -> None:
    metadata = {"task": "detect", "names": "{0: 'cat', 1: 'dog'}", "imgsz": "[320, 640]", "stride": "32"}
    facts = facts_of({**facts_in(metadata), **dict([fact("score=0.5"), fact("mean=[1,2,3]")])}, "test")
    assert facts == Facts("yolov8", (320, 640), "centre", "RGB", (1.0, 2.0, 3.0), (255.0,), ("cat", "dog"), 0.5)
    assert facts_in({"task": "segment", "names": "{}"}) == facts_in({}) == {}
    assert facts_in({"task": "detect", "names": "os.getcwd()"}) == {"head": "yolov8", "place": "centre"}


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"colour": 1}, "test: colour is no fact about a model; there are channels"),
        ({"head": "yolo"}, "test: head = 'yolo'; there are yolox, yolov8, classes"),
        ({"mean": [1, 2]}, "give one number or three"),
        ({"deviation": 0}, "a deviation is not 0"),
        ({"mean": "x"}, "mean = 'x' is no number"),
        ({"size": 0}, "size = 0 is no height and width"),
        ({"score": 2}, "score = 2 is not between 0 and 1"),
    ],
)
def test_wrong_facts_are_sentences(given: dict[str, object], says: str) -> None:
    with pytest.raises(VisionError, match=says):
        facts_of(given, "test")


def test_a_fact_needs_a_name_and_a_value() -> None:
    with pytest.raises(VisionError, match="'yolox' is no fact; write NAME=VALUE"):
        fact("yolox")
