"""Random blocks of GGUF's formats."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from openrpp.kernels.quant import BLOCK_BYTES, Panels


def random_blocks(rng: np.random.Generator, weights: Panels) -> NDArray[Any]:
    """Bytes of a tensor [n][k] with any quants and scales such that values are about 1 / sqrt(k); floats elsewhere."""
    count, root = weights.outputs * weights.groups, np.sqrt(weights.inputs)
    if weights.format not in BLOCK_BYTES:
        return (rng.standard_normal((weights.outputs, weights.inputs)) / root).astype(np.float32)
    size = BLOCK_BYTES[weights.format]
    blocks = rng.integers(0, 256, (count, size), np.uint8)
    most = 128 if weights.format == "q8_0" else 8
    scales = rng.uniform(-1.5, 1.5, count) / (most * root)
    scales[: count // 8] = rng.uniform(-6e-5, 6e-5, count // 8)  # some are subnormal numbers of f16
    blocks[:, :2] = scales.astype(np.float16).view(np.uint8).reshape(-1, 2)
    if weights.format == "q4_1":
        blocks[:, 2:4] = (-8 * scales).astype(np.float16).view(np.uint8).reshape(-1, 2)
    return blocks.reshape(-1)
