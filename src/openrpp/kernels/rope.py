"""Rotary position embedding."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def table(cosines: NDArray[np.floating], sines: NDArray[np.floating]) -> NDArray[np.float32]:
    """ONNX RotaryEmbedding's tables [positions][size / 2] as the kernels take them: [positions][cos | sin]."""
    return np.ascontiguousarray(np.concatenate([cosines, sines], axis=1), np.float32)
