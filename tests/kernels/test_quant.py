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


def test_bfloat16_panels_round_to_nearest() -> None:
    values = np.random.default_rng(22).standard_normal((33, 64)).astype(np.float32)
    panels = Panels(Region("w", 0, "ddr"), 0, "bf16", 33, 64)
    (found,) = dequantised(panels, pack(panels, values))
    assert np.all(np.abs(found - values) <= np.abs(values) * 2.0**-8)


def test_what_is_no_matrix_is_refused() -> None:
    with pytest.raises(ValueError, match=r"W\[8\]\[40\] has no groups of 32"):
        panels_bytes("q4_0", 8, 40)
    panels = Panels(Region("w", 0, "ddr"), 0, "q4_0", 8, 64)
    with pytest.raises(ValueError, match=r"100 bytes are no q4_0 W\[8\]\[64\], which takes 288"):
        pack(panels, np.zeros(100, np.uint8))
    with pytest.raises(ValueError, match="2 matrices for panels of 1"):
        pack(panels, np.zeros(288, np.uint8), np.zeros(288, np.uint8))
