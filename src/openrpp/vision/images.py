"""Pictures: read, made into a model's input, and drawn on."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from openrpp.vision.errors import VisionError
from openrpp.vision.facts import CROP_MARGIN, Facts

if TYPE_CHECKING:
    from PIL import Image as Pillow

    from openrpp.vision.boxes import Box

Pixels = NDArray[np.uint8]
GREY: Final = 114
"""What YOLO models are trained to see beside a picture."""
_COLOURS: Final = ("#e6194b", "#3cb44b", "#4363d8", "#f58231", "#911eb4", "#008080", "#9a6324", "#808000")


@dataclass(frozen=True)
class Placement:
    """Where a picture lies in a model's input: input = scale * picture + offset, for x and y."""

    scale: tuple[float, float]
    offset: tuple[float, float]

    def back(self, corners: NDArray[np.float32]) -> NDArray[np.float32]:
        """Boxes [n, 4] (x0, y0, x1, y1) of the input in the picture's pixels."""
        return (corners - np.tile(self.offset, 2)).astype(np.float32) / np.tile(self.scale, 2).astype(np.float32)


def read_image(path: str | Path) -> Pixels:
    """A picture as [height][width][3], 8 bits; turned as its EXIF says, transparency on white.

    Raises VisionError for what is no picture, OSError for a file that cannot be read.
    """
    pillow = _pillow()
    with Path(path).open("rb") as file, warnings.catch_warnings():
        warnings.simplefilter("ignore", pillow.DecompressionBombWarning)
        try:
            with pillow.open(file) as opened:
                return _rgb(opened)
        except pillow.UnidentifiedImageError:
            raise VisionError(f"{path}: not a picture that pillow can read") from None
        except pillow.DecompressionBombError:
            raise VisionError(f"{path}: a picture of more pixels than pillow opens") from None
        except (OSError, SyntaxError, ValueError, EOFError) as error:  # what pillow raises for damaged files
            raise VisionError(f"{path}: a damaged picture: {error}") from None


def _rgb(opened: Pillow.Image) -> Pixels:
    from PIL import Image, ImageOps

    turned = ImageOps.exif_transpose(opened)
    if turned.mode.startswith("I;16"):
        turned = Image.fromarray((np.asarray(turned) >> 8).astype(np.uint8))
    if turned.mode in ("RGBA", "LA", "PA") or "transparency" in turned.info:
        clear = turned.convert("RGBA")
        turned = Image.alpha_composite(Image.new("RGBA", clear.size, "white"), clear)
    return np.asarray(turned.convert("RGB"))


def fit(pixels: Pixels, size: tuple[int, int], facts: Facts) -> tuple[Pixels, Placement]:
    """The picture in an input of (height, width), and where it lies there."""
    from PIL import Image

    height, width = pixels.shape[:2]
    picture = Image.fromarray(pixels)
    if facts.place == "stretch":
        resized = picture.resize((size[1], size[0]), Image.Resampling.BILINEAR)
        return np.asarray(resized), Placement((size[1] / width, size[0] / height), (0.0, 0.0))
    if facts.place == "crop":
        scale = max(size[0] / height, size[1] / width) / CROP_MARGIN
        left, above = (width - size[1] / scale) / 2, (height - size[0] / scale) / 2
        box = (left, above, left + size[1] / scale, above + size[0] / scale)
        resized = picture.resize((size[1], size[0]), Image.Resampling.BICUBIC, box)
        return np.asarray(resized), Placement((scale, scale), (-left * scale, -above * scale))
    scale = min(size[0] / height, size[1] / width)
    inner = (max(round(height * scale), 1), max(round(width * scale), 1))
    above, left = ((size[0] - inner[0]) // 2, (size[1] - inner[1]) // 2) if facts.place == "centre" else (0, 0)
    canvas = np.full((*size, 3), GREY, np.uint8)
    resized = picture.resize((inner[1], inner[0]), Image.Resampling.BILINEAR)
    canvas[above : above + inner[0], left : left + inner[1]] = np.asarray(resized)
    return canvas, Placement((inner[1] / width, inner[0] / height), (float(left), float(above)))


def normalised(pixels: Pixels, facts: Facts) -> NDArray[np.float32]:
    """[height][width][3] as the model counts: order of channels, mean and deviation."""
    ordered = pixels[:, :, ::-1] if facts.channels == "BGR" else pixels
    return (ordered.astype(np.float32) - np.array(facts.mean, np.float32)) / np.array(facts.deviation, np.float32)


def draw(pixels: Pixels, boxes: Sequence[Box]) -> Pixels:
    """The picture with boxes and their names."""
    from PIL import Image, ImageDraw, ImageFont

    picture = Image.fromarray(pixels.copy())
    pen = ImageDraw.Draw(picture)
    line = max(round(min(pixels.shape[:2]) / 200), 2)
    font: Any = ImageFont.load_default(max(line * 5, 10))
    for box in boxes:
        colour = _COLOURS[box.label % len(_COLOURS)]
        pen.rectangle((box.x0, box.y0, box.x1, box.y1), outline=colour, width=line)
        text = f"{box.name} {box.score:.2f}"
        left, above, right, below = pen.textbbox((0, 0), text, font=font)
        top = max(box.y0 - (below - above) - 2 * line, 0)
        pen.rectangle((box.x0, top, box.x0 + right - left + 2 * line, top + below - above + 2 * line), fill=colour)
        pen.text((box.x0 + line - left, top + line - above), text, fill="white", font=font)
    return np.asarray(picture)


def write_image(path: str | Path, pixels: Pixels) -> None:
    """Write a picture; the kind of file is that of the name. Raises VisionError for an unknown kind, OSError."""
    try:
        _pillow().fromarray(pixels).save(path)
    except ValueError:
        raise VisionError(f"{path}: pillow writes no such kind of file; use .png or .jpg") from None


def _pillow() -> Any:
    try:
        from PIL import Image
    except ImportError:
        raise VisionError("pillow is not installed; pip install 'openrpp[vision]'") from None
    return Image
