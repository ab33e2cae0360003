"""Pictures that the slice looks at: photos of scikit-image's own package, and text that pillow draws."""

from __future__ import annotations

from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from conformance.slice.board import Skipped
from openrpp.vision.images import Pixels

PHOTOS = ("astronaut", "camera", "chelsea", "coffee", "rocket", "coins", "moon", "clock")
"""Photos that come inside scikit-image's wheel."""


def photo(name: str) -> Pixels:
    """A photo as [height][width][3]. Raises Skipped where scikit-image is not installed."""
    try:
        from skimage import data
    except ImportError:
        raise Skipped("scikit-image is not installed; pip install 'openrpp[dev]'") from None
    found: Any = np.asarray(getattr(data, name)())
    grey = found.astype(np.uint8) * 255 if found.dtype == bool else found
    return np.ascontiguousarray(grey if grey.ndim == 3 else np.repeat(grey[:, :, None], 3, axis=2))


def written(text: str, size: int, angle: float = 0.0) -> Pixels:
    """Black letters of so many pixels on white, turned by so many degrees."""
    font: Any = ImageFont.load_default(size)
    left, above, right, below = font.getbbox(text)
    picture = Image.new("RGB", (int(right - left) + 2 * size, int(below - above) + 2 * size), "white")
    ImageDraw.Draw(picture).text((size - left, size - above), text, fill="black", font=font)
    turned = picture.rotate(angle, Image.Resampling.BICUBIC, expand=True, fillcolor="white")
    return np.asarray(turned)
