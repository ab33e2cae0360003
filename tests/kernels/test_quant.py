"""Panels of GGUF's blocks against the gguf package."""

from __future__ import annotations

import numpy as np
import pytest

from openrpp.kernels.launch import Region
from openrpp.kernels.quant import Format, Panels, dequantised, pack, panels_bytes
from tests.kernels.gguf_blocks import random_blocks

gguf = pytest.importorskip("gguf", reason="the gguf package is not installed")


@pytest.mark.parametrize("format", ["q4_0", "q4_1", "q8_0"])
@pytest.mark.parametrize("outputs", [40, 8200])
def test_panels_keep_what_gguf_says(format: Format, outputs: int) -> None:
    rng = np.random.default_rng(21)
    panels = Panels(Region("w", 0, "ddr"), 0, format, outputs, 96, 2)
    blocks = [random_blocks(rng, panels) for _ in range(2)]
    words = pack(panels, *blocks)
    assert words.nbytes == panels.bytes == panels_bytes(format, outputs, 96, 2)
    kind = gguf.GGMLQuantizationType[format.upper()]
    for found, raw in zip(dequantised(panels, words), blocks, strict=True):
        expected = gguf.dequantize(raw.reshape(outputs, -1), kind)
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize(("format", "error"), [("bf16", 2.0**-8), ("f16", 2.0**-11), ("f32", 0.0)])
def test_panels_of_floats_round_to_nearest(format: Format, error: float) -> None:
    values = np.random.default_rng(22).standard_normal((33, 70)).astype(np.float32)
    panels = Panels(Region("w", 0, "ddr"), 0, format, 33, 70)
    (found,) = dequantised(panels, pack(panels, values))
    assert np.all(np.abs(found - values) <= np.abs(values) * error)


@pytest.mark.parametrize(("outputs", "inputs", "matrices"), [(12288, 4096, 1), (4096, 11008, 1), (11008, 4096, 2)])
def test_panels_are_small_and_waste_little(outputs: int, inputs: int, matrices: int) -> None:
    panels = Panels(Region("w", 0, "ddr"), 0, "q4_0", outputs, inputs, matrices)
    assert 2 * panels.groups * panels.group_words <= 5 << 18
    assert panels.panels * panels.width <= 1.01 * outputs
    assert panels.groups % panels.parts == 0 and panels.parts * panels.width <= 8160


def test_what_is_no_matrix_is_refused() -> None:
    with pytest.raises(ValueError, match=r"W\[8\]\[40\] has no groups of 32"):
        panels_bytes("q4_0", 8, 40)
    panels = Panels(Region("w", 0, "ddr"), 0, "q4_0", 8, 64)
    with pytest.raises(ValueError, match=r"100 bytes are no q4_0 W\[8\]\[64\], which takes 288"):
        pack(panels, np.zeros(100, np.uint8))
    with pytest.raises(ValueError, match="2 matrices for panels of 1"):
        pack(panels, np.zeros(288, np.uint8), np.zeros(288, np.uint8))
