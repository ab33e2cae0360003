"""A 5x5 filter over an 8-bit photo, grey or colour. Assembly: filter5x5.s.

Run it as `python examples/filter5x5.py [FILTER] [OUT.png]`.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass

import numpy as np
from harness import (
    MAX_WARPS,
    U16,
    WARP,
    Launch,
    Outcome,
    bf16,
    bits_of,
    ceil_div,
    f32,
    need,
    same_bits,
    show,
    sram,
)
from numpy.typing import NDArray

from openrpp.machine import Device

U8 = NDArray[np.uint8]
SIZE = 5
BORDER = SIZE // 2
TAP_WORDS = 96


@dataclass(frozen=True)
class Filter:
    """out = clamp(round(scale sum(tap pixel) + bias), 0, 255), with taps [5][5] that the card rounds to bf16."""

    taps: tuple[tuple[float, ...], ...]
    scale: float = 1.0
    bias: float = 0.0

    @property
    def words(self) -> U16:
        """The 25 taps as bf16 bits."""
        taps = np.array(self.taps, np.float32)
        need(taps.shape == (SIZE, SIZE), f"a filter has {SIZE} x {SIZE} taps, not {taps.shape}")
        return bf16(taps.ravel())


BLUR = tuple(tuple(float(a * b) for b in (1, 4, 6, 4, 1)) for a in (1, 4, 6, 4, 1))
SHARPEN = tuple(tuple(512.0 * ((x, y) == (2, 2)) - tap for x, tap in enumerate(row)) for y, row in enumerate(BLUR))
EDGES = (
    (0, 0, -1, 0, 0),
    (0, -1, -2, -1, 0),
    (-1, -2, 16, -2, -1),
    (0, -1, -2, -1, 0),
    (0, 0, -1, 0, 0),
)
EMBOSS = (
    (-1, -1, -1, -1, 0),
    (-1, -1, -1, 0, 1),
    (-1, -1, 0, 1, 1),
    (-1, 0, 1, 1, 1),
    (0, 1, 1, 1, 1),
)
FILTERS = {
    "blur": Filter(BLUR, 1 / 256),
    "sharpen": Filter(SHARPEN, 1 / 256),
    "edges": Filter(EDGES),
    "emboss": Filter(EMBOSS, 0.5, 128),
}
"""Their taps are whole numbers that bf16 holds exactly; the scale is float32."""


@dataclass(frozen=True)
class Plan:
    """Buffers and launch for `planes` planes of height x width; all planes are padded by two pixels on each side."""

    planes: int
    height: int
    width: int
    pixels: int
    work: int
    out: int
    launch: Launch

    @property
    def shape(self) -> tuple[int, int, int]:
        """Padded planes in memory."""
        return self.planes, self.height + 2 * BORDER, self.width + 2 * BORDER

    @property
    def size(self) -> int:
        """Words of all padded planes."""
        return int(np.prod(self.shape))

    @property
    def overhang(self) -> int:
        """Words behind the planes that the last windows read."""
        return 2 * BORDER * (self.shape[2] + 1)


def plan(planes: int, height: int, width: int, chosen: Filter) -> Plan:
    """Plan a filter. Raises OutOfMemory for an image that SRAM does not hold."""
    need(min(planes, height, width) > 0, f"an image of {planes} planes of {height} x {width} has no pixels")
    pitch = width + 2 * BORDER
    size = planes * (height + 2 * BORDER) * pitch
    memory = sram()
    pixels, out = (memory.take(2 * size) for _ in range(2))
    work = memory.take(2 * (size + 2 * BORDER * (pitch + 1)))
    taps = memory.take(2 * TAP_WORDS)
    threads = max(size, 2 * WARP)
    blocks = ceil_div(threads, MAX_WARPS * WARP)
    block = ceil_div(ceil_div(threads, blocks), WARP) * WARP
    launch = Launch(
        "filter5x5",
        grid=(blocks, 1, 2),
        block=(block, 1, 1),
        tail=(threads - block * (blocks - 1), 1, 1),
        params=(
            pixels, work, out, taps, 2 * pitch, bits_of(chosen.scale), bits_of(chosen.bias),
            *(int(word) for word in chosen.words),
        ),
    )  # fmt: skip
    return Plan(planes, height, width, pixels, work, out, launch)


def padded(image: U8) -> U16:
    """[h][w] or [h][w][channels] -> [planes][h+4][w+4] words; border pixels are repeated."""
    planes = np.atleast_3d(image).transpose(2, 0, 1)
    return np.pad(planes, ((0, 0), (BORDER, BORDER), (BORDER, BORDER)), mode="edge").astype(np.uint16)


def model(image: U8, chosen: Filter) -> U8:
    """The filter in the card's order of operations, bit for bit: a float32 chain over the taps, row after row."""
    planes = padded(image).astype(np.float32)
    height, width = image.shape[:2]
    total = np.zeros((len(planes), height, width), np.float32)
    for index, tap in enumerate(f32(chosen.words)):
        y, x = divmod(index, SIZE)
        total += planes[:, y : y + height, x : x + width] * tap
    value = total * np.float32(chosen.scale) + np.float32(chosen.bias)
    rounded = np.rint(np.clip(value, 0, 255)).astype(np.uint8)
    return rounded.transpose(1, 2, 0).reshape(image.shape)


def run(device: Device, image: U8, chosen: Filter | str = "sharpen", check: bool = True) -> Outcome:
    """Filter an 8-bit image [h][w] or [h][w][channels]; returns the same shape and dtype."""
    if image.dtype != np.uint8 or image.ndim not in (2, 3):
        raise ValueError(f"an image is uint8 [h][w] or [h][w][channels], not {image.dtype} {list(image.shape)}")
    if isinstance(chosen, str):
        need(chosen in FILTERS, f"filter {chosen!r} is not known; there are {', '.join(FILTERS)}")
        chosen = FILTERS[chosen]
    source = padded(image)
    planned = plan(len(source), image.shape[0], image.shape[1], chosen)
    device.write(planned.pixels, source)
    device.write(planned.work + 2 * planned.size, np.zeros(planned.overhang, np.uint16))
    report = planned.launch.on(device)
    planes = device.read(planned.out, planned.size, np.uint16).reshape(planned.shape)
    inner = planes[:, : planned.height, : planned.width].astype(np.uint8)
    got = np.ascontiguousarray(inner.transpose(1, 2, 0).reshape(image.shape))
    checks = (same_bits(got, model(image, chosen), "the NumPy model"),) if check else ()
    return Outcome(got, (report,), checks, {"pixel": float(image.size), "MAC": 25.0 * image.size})


def photo() -> U8:
    """The colour photo of an astronaut that comes with scikit-image, [512][512][3]."""
    from skimage import data

    return data.astronaut()


def main() -> int:
    """Filter a real photo; write it next to the original."""
    name = sys.argv[1] if len(sys.argv) > 1 else "sharpen"
    image = photo()
    outcome = run(Device("ae7100"), image, name)
    if len(sys.argv) > 2:
        from PIL import Image

        Image.fromarray(np.concatenate([image, outcome.values], axis=1)).save(sys.argv[2])
    return show(f"filter5x5: {name} on a {image.shape[1]} x {image.shape[0]} photo", outcome)


if __name__ == "__main__":
    sys.exit(main())
