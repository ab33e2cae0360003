from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from openrpp.cli import demo
from openrpp.cli.errors import InputError
from openrpp.cli.photo import FILTERS, band_rows, filter_photo, model, slots
from openrpp.runtime import Card, Function

from .conftest import Rpp

Image = pytest.importorskip("PIL.Image")
pytest.importorskip("skimage")


@pytest.fixture
def kernel() -> tuple[Card, Function]:
    card = Card()
    return card, card.module(demo.program_file("filter5x5"))["filter5x5"]


def test_the_demo_filters_a_real_photo_and_says_what_it_took(rpp: Rpp) -> None:
    result = rpp("demo", "photo", "--out", "build/photo.png")
    assert result.exit_code == 0, result.stderr
    picture = np.asarray(Image.open("build/photo.png"))
    np.testing.assert_array_equal(picture, model(demo.load_photo("astronaut"), FILTERS["sharpen"]))
    assert "photo      astronaut, 512 x 512, colour" in result.stdout
    assert "build/photo.png, equal to NumPy bit for bit" in result.stdout
    assert "host time" in result.stdout.splitlines()[-1]


def test_the_demo_takes_files_and_gives_json(rpp: Rpp, folder: Path) -> None:
    grey = np.random.default_rng(7).integers(0, 256, (37, 53), dtype=np.uint8)
    Image.fromarray(grey).save("grey.png")
    result = rpp("demo", "photo", "--image", "grey.png", "--filter", "edges", "--out", "e.png", "--compare", "--json")
    assert result.exit_code == 0, result.stderr
    document = json.loads(result.stdout)
    assert document["equals_numpy"] is True and document["shape"] == [37, 53] and len(document["launches"]) == 4
    assert document["total_card_seconds"]["nominal"] > 0
    picture = np.asarray(Image.open("e.png"))
    np.testing.assert_array_equal(picture, np.concatenate([grey, model(grey, FILTERS["edges"])], axis=1))


@pytest.mark.parametrize("shape", [(1, 1), (5, 1, 3), (2, 300), (64, 7, 3)])
@pytest.mark.parametrize("name", FILTERS)
def test_bands_of_any_shape_equal_the_model(kernel: tuple[Card, Function], shape: tuple[int, ...], name: str) -> None:
    image = np.random.default_rng(3).integers(0, 256, shape, dtype=np.uint8)
    result, _ = filter_photo(*kernel, image, FILTERS[name])
    np.testing.assert_array_equal(result, model(image, FILTERS[name]))


def test_copies_of_one_band_overlap_the_filtering_of_another(kernel: tuple[Card, Function]) -> None:
    card, function = kernel
    image = np.zeros((200, 300), np.uint8)
    filter_photo(card, function, image, FILTERS["blur"])
    busy = demo.busy(card)
    assert card.now.nominal < sum(busy.values()) * 0.75
    assert set(busy) == {"link in", "DMA in", "host queue", "array", "DMA out", "link out"}


@pytest.mark.parametrize(("rows", "pitch"), [(1, 5), (1548, 516), (9012, 4004), (30000, 20000), (40, 400_000)])
def test_two_bands_fit_sram_or_the_photo_is_refused(rows: int, pitch: int) -> None:
    card = Card()
    each = band_rows(card, rows, pitch)
    assert 1 <= each <= rows
    if pitch < 400_000:
        assert len(slots(card, each, pitch)) == 2
    else:
        with pytest.raises(MemoryError):
            slots(card, each, pitch)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("--image none.jpg --out x.png", "none.jpg: no such file; photos by name are astronaut, camera, coffee"),
        ("--image add.s --out x.png", "add.s: not a picture that pillow can read"),
        ("--image camera --out x.foo", "x.foo: pillow writes no such kind of file; use .png"),
    ],
)
def test_the_demo_refuses_bad_files_in_one_sentence(rpp: Rpp, line: str, said: str) -> None:
    result = rpp("demo", "photo", *line.split())
    assert (result.stderr, result.stdout, result.exit_code) == (f"rpp: demo photo: {said}\n", "", 2)


def test_a_program_that_is_not_installed_has_its_sentence() -> None:
    with pytest.raises(InputError) as caught:
        demo.program_file("none")
    assert caught.value.message == "none.s is not installed; run the demo from a checkout of OpenRPP"
