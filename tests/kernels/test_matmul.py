"""Matrix products with weights from panels: both engines, against products in float64."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from openrpp.kernels import activation
from openrpp.kernels.launch import Region
from openrpp.kernels.matmul import matmul, rows_of_block
from openrpp.kernels.quant import Format, Panels, dequantised, pack, panels_bytes
from openrpp.kernels.slabs import Element, Slabs, bf16, f32, unpack
from openrpp.kernels.slabs import pack as slabs
from tests.kernels.engines import both, kept, native, tokens
from tests.kernels.gguf_blocks import random_blocks

FORMATS: tuple[Format, ...] = ("q4_0", "q4_1", "q8_0", "bf16", "f16", "f32")
ERROR: dict[Element, float] = {"bf16": 2.0**-8, "f32": 1e-5}
SILU = Region("silu", activation.TABLE_BYTES, "sram")


def matrix(format: Format, outputs: int, inputs: int, matrices: int = 1) -> Panels:
    region = Region("w", panels_bytes(format, outputs, inputs, matrices), "ddr")
    return Panels(region, 0, format, outputs, inputs, matrices)


def content(rng: np.random.Generator, weights: Panels, x: Slabs) -> tuple[NDArray[np.uint16], list[NDArray[Any]]]:
    """Packed weights, and the numbers [n][k] that a product with x takes: rounded to bfloat16 if x is."""
    words = pack(weights, *(random_blocks(rng, weights) for _ in range(weights.matrices)))
    numbers = dequantised(weights, words)
    if x.element == "bf16":
        numbers = [f32(bf16(values)) for values in numbers]
    return words, [values.astype(np.float64) for values in numbers]


def near(found: NDArray[Any], expected: NDArray[Any], terms: NDArray[Any], element: Element) -> bool:
    """Within rounding of the result and of sums of so large terms."""
    share = 0.003 if element == "bf16" else 0.05
    return bool(np.all(np.abs(found - expected) <= ERROR[element] * (np.abs(expected) + share * terms)))


@pytest.mark.parametrize("element", ["bf16", "f32"])
@pytest.mark.parametrize("format", FORMATS)
def test_a_product_is_numpys_on_both_engines(format: Format, element: Element) -> None:
    """Outputs that fill no slab, bias, residual; the residual is y."""
    rng = np.random.default_rng(21)
    weights = matrix(format, 50, 96)
    x, y = tokens("x", 96, 5, element), tokens("y", 50, 5, element)
    words, (values,) = content(rng, weights, x)
    given, added = kept(x, rng.standard_normal((96, 1, 5))), kept(y, rng.standard_normal((50, 1, 5)))
    bias = Region("bias", 4 * 64, "sram")
    numbers = np.zeros(64, np.float32)
    numbers[:50] = rng.standard_normal(50)
    contents = {x.region: slabs(x, given), weights.region: words, y.region: slabs(y, added), bias: numbers}
    (found,) = both(matmul(x, y, weights, bias=bias, residual=y), contents, [y.region])
    rows = given[:, 0].astype(np.float64)
    expected = values @ rows + numbers[:50, None] + added[:, 0]
    assert near(unpack(y, found)[:, 0], expected, np.abs(values) @ np.abs(rows), element)


@pytest.mark.parametrize("element", ["bf16", "f32"])
def test_a_gated_product(element: Element) -> None:
    rng = np.random.default_rng(22)
    weights = matrix("q4_0", 64, 64, 2)
    x, y = tokens("x", 64, 4, element), tokens("y", 64, 4, element)
    words, (gate, up) = content(rng, weights, x)
    given = kept(x, rng.standard_normal((64, 1, 4)))
    contents = {x.region: slabs(x, given), weights.region: words, SILU: activation.table(activation.SILU)}
    table = SILU if element == "bf16" else None
    (found,) = both(matmul(x, y, weights, table=table), contents, [y.region])
    rows = given[:, 0].astype(np.float64)
    gates = gate @ rows
    expected = gates / (1 + np.exp(-gates)) * (up @ rows)
    np.testing.assert_allclose(unpack(y, found)[:, 0], expected, rtol=0.02 if element == "bf16" else 1e-4, atol=0.02)


def test_many_rows_and_panels() -> None:
    """Rows in two turns, the second of which leaves out a row; more panels than places; an odd number of rows."""
    rng = np.random.default_rng(23)
    weights = matrix("q8_0", 900, 3072)
    assert weights.panels > 2
    rows = 300
    assert rows_of_block(rows - 1) * 2 > rows - 1
    x, y = tokens("x", 3072, rows - 1, "bf16"), tokens("y", 900, rows - 1, "f32")
    words, (values,) = content(rng, weights, x)
    given = kept(x, rng.standard_normal((3072, 1, rows - 1)))
    added = rng.standard_normal((900, 1, rows - 1)).astype(np.float32)
    contents = {x.region: slabs(x, given), weights.region: words, y.region: slabs(y, added)}
    (found,) = native(matmul(x, y, weights, residual=y), contents, [y.region])
    columns = given[:, 0].astype(np.float64)
    expected = values @ columns + added[:, 0]
    assert near(unpack(y, found)[:, 0], expected, np.abs(values) @ np.abs(columns), "f32")


def test_a_row_does_not_depend_on_the_others() -> None:
    rng = np.random.default_rng(24)
    weights = matrix("q8_0", 64, 64)
    for element in ("bf16", "f32"):
        many, one = tokens("x", 64, 7, element), tokens("x1", 64, 1, element)
        words, _ = content(rng, weights, many)
        given = kept(many, rng.standard_normal((64, 1, 7)))
        found: list[NDArray[Any]] = []
        for x, values in ((many, given), (one, given[:, :, 3:4])):
            y = tokens("y", 64, x.width, element)
            contents = {x.region: slabs(x, values), weights.region: words}
            found.append(unpack(y, native(matmul(x, y, weights), contents, [y.region])[0]))
        np.testing.assert_array_equal(found[0][:, :, 3:4], found[1])


def test_tensors_that_do_not_match() -> None:
    weights = matrix("q4_0", 64, 64)
    x, y = tokens("x", 64, 4, "bf16"), tokens("y", 32, 4, "bf16")
    with pytest.raises(ValueError, match="64 channels and 4 rows"):
        matmul(x, y, weights)
    with pytest.raises(ValueError, match="x has 32 channels"):
        matmul(y, x, weights)
    with pytest.raises(ValueError, match="gated"):
        matmul(x, tokens("y", 64, 4, "bf16"), matrix("q4_0", 64, 64, 2))
