"""Vector products with streamed weights: both engines, against products in float64, alone and in a chain."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from openrpp.kernels.gemv import Tiles, cut, gemv
from openrpp.kernels.launch import At, Launch, Region
from openrpp.kernels.quant import Format, Panels, dequantised, pack, panels_bytes
from openrpp.kernels.slabs import Element, bf16, f32, unpack
from openrpp.kernels.slabs import pack as slabs
from tests.kernels.engines import both, kept, native, tokens
from tests.kernels.gguf_blocks import random_blocks

FORMATS: tuple[Format, ...] = ("q4_0", "q4_1", "q8_0", "bf16")
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
    """Two tiles, parts of a block, bias, residual, outputs that fill no slab."""
    rng = np.random.default_rng(11)
    weights = matrix("w", format, 70, 256)
    tiles = places(2 * 4 * weights.group_words)
    assert cut(weights, tiles.bytes).tiles == 2 and cut(weights, tiles.bytes).parts > 1
    words, (values,) = content(rng, weights)
    x, y, more = tokens("x", 256, 1, element), tokens("y", 70, 1, element), tokens("r", 70, 1, element)
    given, added = kept(x, rng.standard_normal((256, 1, 1))), kept(more, rng.standard_normal((70, 1, 1)))
    bias = Region("bias", 4 * 96, "sram")
    numbers = np.zeros(96, np.float32)
    numbers[:70] = rng.standard_normal(70)
    contents = {x.region: slabs(x, given), weights.region: words, more.region: slabs(more, added), bias: numbers}
    (found,) = both(gemv(x, y, weights, tiles, bias=bias, residual=more), contents, [y.region])
    vector = given[:, 0, 0].astype(np.float64)
    expected = values @ vector + numbers[:70] + added[:, 0, 0]
    assert near(unpack(y, found)[:, 0, 0], expected, np.abs(values) @ np.abs(vector), element)
    assert not found.view(np.uint16 if element == "bf16" else np.float32)[70:].any()


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


def test_a_chain_hands_tiles_from_product_to_product() -> None:
    """Odd and even numbers of tiles, several panels; asked for before or not, results are the same."""
    rng = np.random.default_rng(13)
    sizes = ((9024, 96), (64, 9024), (9000, 64))
    weights = [matrix(f"w{number}", "q4_1", *size) for number, size in enumerate(sizes)]
    vectors = [
        tokens("x", 96, 1, "bf16"),
        tokens("a", 9024, 1, "bf16"),
        tokens("b", 64, 1, "bf16"),
        tokens("y", 9000, 1, "bf16"),
    ]
    contents: dict[Region, NDArray[Any]] = {item.region: content(rng, item)[0] for item in weights}
    contents[vectors[0].region] = slabs(vectors[0], rng.standard_normal((96, 1, 1)).astype(np.float32))
    results: list[NDArray[Any]] = []
    for chained in (True, False):
        tiles, launches = places(1 << 20), list[Launch]()
        for number, item in enumerate(weights):
            x, y = vectors[number], vectors[number + 1]
            then = weights[number + 1] if chained and number < 2 else None
            launches += gemv(x, y, item, tiles, fetched=chained and number > 0, then=then)
            tiles = tiles.after(item)
        results += native(launches, contents, [vectors[3].region])
    np.testing.assert_array_equal(results[0], results[1])
    assert results[0].any()


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
    with pytest.raises(ValueError, match="a group of 64 outputs takes 1,152 bytes, a tile has 100"):
        gemv(x, y, weights, places(100))
    with pytest.raises(ValueError, match="x has 96 channels, the matrix takes 64"):
        gemv(tokens("x", 96, 1, "bf16"), y, weights, places(4096))
    with pytest.raises(ValueError, match="table of SiLU"):
        gemv(x, y, matrix("w", "q4_0", 64, 64, 2), places(4096))
