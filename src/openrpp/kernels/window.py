"""What convolutions and pools have in common: windows over images, and blocks of pixels that fill the card."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from openrpp.kernels.slabs import SLAB, Slabs

WARPS = 255
_LATENCY = 128  # columns of the ring times stage latency: warps below it leave cycles unused
_FETCH = 8  # cycles in which a column fetches what its warps share

Pair = tuple[int, int]


@dataclass(frozen=True)
class Window:
    """A window of taps, (vertical, horizontal): how many, how far apart results and taps are, pads before the first."""

    kernel: Pair = (1, 1)
    stride: Pair = (1, 1)
    pads: Pair = (0, 0)
    dilation: Pair = (1, 1)

    def check(self, x: Slabs, y: Slabs) -> None:
        """Raises ValueError where taps of a result lie outside the border of x."""
        for axis, (size, results) in enumerate(((x.height, y.height), (x.width, y.width))):
            pad = self.pads[axis]
            last = (results - 1) * self.stride[axis] - pad + (self.kernel[axis] - 1) * self.dilation[axis]
            if pad > x.border or last >= size + x.border:
                name = ("rows", "columns")[axis]
                raise ValueError(
                    f"{name} from {-pad} to {last} of an image with {size} of them need a border of "
                    f"{max(pad, last - size + 1)}, not {x.border}"
                )


@dataclass(frozen=True)
class Tiling:
    """Blocks of `x` by `y` pixels, `step_x` and `step_y` apart: they may overlap, the last ones end with the image."""

    x: int
    y: int
    step_x: int
    step_y: int
    columns: int
    rows: int

    @property
    def pixels(self) -> int:
        """Pixels of a block, a warp each."""
        return self.x * self.y

    def grid(self, slabs: int) -> tuple[int, int, int]:
        """The grid for a result of so many slabs."""
        return self.columns, self.rows, slabs

    @property
    def block(self) -> tuple[int, int, int]:
        """The threads of a block."""
        return SLAB, self.x, self.y


@lru_cache(maxsize=4096)
def tiling(width: int, height: int) -> Tiling:
    """Blocks for an image: those that take the ring least time."""
    best, least = None, 0
    for columns in range(1, width + 1):
        x, step_x = _part(width, columns)
        if x > WARPS:
            continue
        for rows in range(-(-height // (WARPS // x)), height + 1):
            y, step_y = _part(height, rows)
            if x * y > WARPS:
                continue
            time = columns * rows * max(x * y + _FETCH, _LATENCY)
            if best is None or time < least:
                best, least = Tiling(x, y, step_x, step_y, columns, rows), time
            if x * y <= _LATENCY:
                break
        if x * height <= _LATENCY:
            break
    assert best is not None
    return best


def _part(size: int, parts: int) -> Pair:
    """(extent, distance) of parts of a line that begin equally far apart and cover it."""
    step = size // parts
    return size - (parts - 1) * step, step
