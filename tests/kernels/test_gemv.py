"""Vector products with streamed weights: both engines, against products in float64, alone and in a chain."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from openrpp.kernels.gemv import Tiles, cut, gemv, link
from openrpp.kernels.launch import At, Launch, Region
from openrpp.kernels.quant import Format, Panels, dequantised, pack, panels_bytes
from openrpp.kernels.slabs import Element, bf16, f32, unpack
from openrpp.kernels.slabs import pack as slabs
from tests.kernels.engines import both, kept, native, tokens
from tests.kernels.gguf_blocks import random_blocks

FORMATS: tuple[Format, ...] = ("q4_0", "q4_1", "q8_0", "bf16", "f16", "f32")
ERROR: dict[Element, float] = {"bf16": 2.0**-8, "f32": 1e-5}
SILU = Region("silu", 1 << 17, "sram")


def matrix(name: str, format: Format, outputs: int, inputs: int, matrices: int = 1) -> Panels:
    region = Region(name, panels_bytes(format, outputs, inputs, matrices), "ddr")
    return Panels(region, 0, format, outputs, inputs, matrices)


def places(size: int) -> Tiles:
    return Tiles(At(Region("tile 0", size, "sram")), At(Region("tile 1", size, "sram")), size)


def silu_table() -> NDArray[np.uint16]:
    with np.errstate(all="ignore"):
        x = f32(np.arange(1 << 16, dtype=np.uint16)).astype(np.float64)
        return bf16((x / (1 + np.exp(-x))).astype(np.float32))


def content(rng: np.random.Generator, weights: Panels) -> tuple[NDArray[np.uint16], list[NDArray[np.float64]]]:
    """Packed weights, and the numbers [n][k] that they stand for."""
    words = pack(weights, *(random_blocks(rng, weights) for _ in range(weights.matrices)))
    return words, [values.astype(np.float64) for values in dequantised(weights, words)]


def near(found: NDArray[Any], expected: NDArray[Any], terms: NDArray[Any], element: Element) -> bool:
    """Within rounding of the result and of sums of so large terms."""
    return bool(np.all(np.abs(found - expected) <= ERROR[element] * (np.abs(expected) + 0.02 * terms)))


@pytest.mark.parametrize("element", ["bf16", "f32"])
@pytest.mark.parametrize("format", FORMATS)
def test_a_product_is_numpys_on_both_engines(format: Format, element: Element) -> None:
    """A panel in two tiles, parts of a block, bias, residual, outputs that fill no slab."""
    rng = np.random.default_rng(11)
    weights = matrix("w", format, 999, 512)
    tiles = places(2 * weights.parts * weights.group_words)
    weights_cut = cut(weights, tiles.bytes)
    assert weights_cut.chunk < weights_cut.groups and weights.parts > 1
    words, (values,) = content(rng, weights)
    x, y, more = tokens("x", 512, 1, element), tokens("y", 999, 1, element), tokens("r", 999, 1, element)
    given, added = kept(x, rng.standard_normal((512, 1, 1))), kept(more, rng.standard_normal((999, 1, 1)))
    bias = Region("bias", 4 * 1024, "sram")
    numbers = np.zeros(1024, np.float32)
    numbers[:999] = rng.standard_normal(999)
    contents = {x.region: slabs(x, given), weights.region: words, more.region: slabs(more, added), bias: numbers}
    (found,) = both(gemv(x, y, weights, tiles, bias=bias, residual=more), contents, [y.region])
    vector = given[:, 0, 0].astype(np.float64)
    expected = values @ vector + numbers[:999] + added[:, 0, 0]
    assert near(unpack(y, found)[:, 0, 0], expected, np.abs(values) @ np.abs(vector), element)
    assert not found.view(np.uint16 if element == "bf16" else np.float32)[999:].any()


def test_float32_results_of_bfloat16_and_inputs_that_fill_no_group() -> None:
    """Several panels, the last tile with fewer than the others."""
    rng = np.random.default_rng(15)
    weights = matrix("w", "f32", 4100, 172)
    tiles = places(2 * 2 * weights.groups * weights.group_words)
    weights_cut = cut(weights, tiles.bytes)
    assert weights_cut.together == 2 and weights_cut.panels == 3
    words, (values,) = content(rng, weights)
    x, y = tokens("x", 172, 1, "bf16"), tokens("y", 4100, 1, "f32")
    given = kept(x, rng.standard_normal((172, 1, 1)))
    (found,) = native(gemv(x, y, weights, tiles), {x.region: slabs(x, given), weights.region: words}, [y.region])
    vector = given[:, 0, 0].astype(np.float64)
    assert near(unpack(y, found)[:, 0, 0], values @ vector, np.abs(values) @ np.abs(vector), "f32")


@pytest.mark.parametrize("element", ["bf16", "f32"])
@pytest.mark.parametrize("format", ["q4_0", "q8_0"])
def test_a_gated_product(format: Format, element: Element) -> None:
    rng = np.random.default_rng(12)
    weights = matrix("w", format, 64, 128, 2)
    words, (gate, up) = content(rng, weights)
    x, y = tokens("x", 128, 1, element), tokens("y", 64, 1, element)
    given = kept(x, rng.standard_normal((128, 1, 1)))
    contents = {x.region: slabs(x, given), weights.region: words, SILU: silu_table()}
    (found,) = both(gemv(x, y, weights, places(1 << 16), table=SILU), contents, [y.region])
    vector = given[:, 0, 0].astype(np.float64)
    g, u = gate @ vector, up @ vector
    expected = g / (1 + np.exp(-g)) * u
    assert np.all(np.abs(unpack(y, found)[:, 0, 0] - expected) <= 4 * ERROR[element] * (np.abs(expected) + np.abs(u)))


@pytest.mark.parametrize("together", [1, 2, 3])
def test_a_chain_hands_tiles_from_product_to_product(together: int) -> None:
    """Odd and even numbers of tiles; asked for before or not, results are the same, and so in a step that goes on."""
    rng = np.random.default_rng(13)
    weights = [
        matrix(f"w{number}", "q4_1", *size) for number, size in enumerate(((1024, 9600), (64, 1024), (9600, 64)))
    ]
    assert weights[0].panels > 3
    vectors = [tokens(name, size, 1, "bf16") for name, size in (("x", 9600), ("a", 1024), ("b", 64), ("y", 9600))]
    contents: dict[Region, NDArray[Any]] = {item.region: content(rng, item)[0] for item in weights}
    contents[vectors[0].region] = slabs(vectors[0], rng.standard_normal((9600, 1, 1)).astype(np.float32))
    tiles = places(2 * together * weights[0].groups * weights[0].group_words)
    alone = [
        launch
        for number, item in enumerate(weights)
        for launch in gemv(vectors[number], vectors[number + 1], item, tiles)
    ]
    (first,), (second,), (third,) = (
        native(launches, contents, [vectors[3].region]) for launches in (alone, link(alone), _twice(alone))
    )
    np.testing.assert_array_equal(first, second)
    np.testing.assert_array_equal(first, third)
    assert first.any()


def _twice(launches: list[Launch]) -> list[Launch]:
    """A step that asks for the next step's first tile, and that next step."""
    again = link(launches, again=True)
    begun = [*again]
    begun[0] = dataclasses.replace(again[0], arguments=(*again[0].arguments[:3], 0, *again[0].arguments[4:]))
    return [*begun, *again]


def test_a_rows_result_does_not_depend_on_the_other_rows() -> None:
    rng = np.random.default_rng(14)
    weights = matrix("w", "q4_0", 96, 64)
    words, _ = content(rng, weights)
    values = rng.standard_normal((64, 1, 3)).astype(np.float32)
    found: list[NDArray[np.float32]] = []
    for rows, row in ((1, 0), (3, 2)):
        x, y = tokens("x", 64, rows, "f32"), tokens("y", 96, rows, "f32")
        given = values if rows == 3 else values[:, :, 2:]
        contents = {x.region: slabs(x, np.ascontiguousarray(given)), weights.region: words}
        (raw,) = native(gemv(x, y, weights, places(1 << 16), row=row), contents, [y.region])
        found.append(unpack(y, raw)[:, 0, row])
    np.testing.assert_array_equal(found[0], found[1])


def test_what_does_not_match_is_refused() -> None:
    weights = matrix("w", "q4_0", 64, 64)
    x, y = tokens("x", 64, 1, "bf16"), tokens("y", 64, 1, "bf16")
    with pytest.raises(ValueError, match=r"what a block takes at a time is .* bytes, a tile has 100"):
        gemv(x, y, weights, places(100))
    with pytest.raises(ValueError, match="a vector product does not take elements f32, bf16"):
        gemv(tokens("x", 64, 1, "f32"), y, weights, places(4096))
    with pytest.raises(ValueError, match="x has 96 channels, the matrix takes 64"):
        gemv(tokens("x", 96, 1, "bf16"), y, weights, places(4096))
    with pytest.raises(ValueError, match="table of SiLU"):
        gemv(x, y, matrix("w", "q4_0", 64, 64, 2), places(4096))
