"""A 5x5 filter over a photo on the card, in bands that move over the link while others are filtered.

The padded planes of the photo lie one after another, so a run of their rows is filtered like any other; rows that hang
over a plane's lower edge give rubbish that is cut off again. Two streams take the bands in turn, each with its SRAM.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import ceil
from typing import Any

import numpy as np
from numpy.typing import NDArray

from openrpp.cli.arrays import from_bf16, to_bf16
from openrpp.machine.report import LaunchReport
from openrpp.runtime import Buffer, Card, Function, Stream
from openrpp.runtime.arguments import Argument

Pixels = NDArray[np.uint8]
Words = NDArray[np.uint16]
BORDER, TAPS = 2, 25
TAP_WORDS = 96
"""Room that the kernel wants for its taps."""
BANDS = 4
"""Bands at least, so that copies and filtering overlap."""


@dataclass(frozen=True)
class Filter:
    """out = clamp(round(scale * sum of taps times pixels + bias), 0, 255); taps row after row, exact as bf16."""

    taps: tuple[int, ...]
    scale: float
    bias: float = 0.0

    @property
    def words(self) -> Words:
        """The taps as bf16 bit patterns."""
        return to_bf16(np.array(self.taps, np.float32))


_BINOMIAL = tuple(a * b for a in (1, 4, 6, 4, 1) for b in (1, 4, 6, 4, 1))
FILTERS = {
    "sharpen": Filter(tuple((512 if place == 12 else 0) - tap for place, tap in enumerate(_BINOMIAL)), 1 / 256),
    "blur": Filter(_BINOMIAL, 1 / 256),
    "edges": Filter((0, 0, -1, 0, 0, 0, -1, -2, -1, 0, -1, -2, 16, -2, -1, 0, -1, -2, -1, 0, 0, 0, -1, 0, 0), 1.0),
    "emboss": Filter(
        (-1, -1, -1, -1, 0, -1, -1, -1, 0, 1, -1, -1, 0, 1, 1, -1, 0, 1, 1, 1, 0, 1, 1, 1, 1), 0.5, 128.0
    ),
}  # fmt: skip


def padded(image: Pixels) -> Words:
    """[h][w] or [h][w][planes] to [planes (h + 4)][w + 4] words; border pixels are repeated."""
    planes = np.atleast_3d(image).transpose(2, 0, 1)
    around = np.pad(planes, ((0, 0), (BORDER, BORDER), (BORDER, BORDER)), mode="edge")
    return around.reshape(-1, around.shape[2]).astype(np.uint16)


def cropped(rows: Words, image: Pixels) -> Pixels:
    """Filtered rows back to the image's shape."""
    height, width = image.shape[:2]
    planes = rows.reshape(-1, height + 2 * BORDER, width + 2 * BORDER)[:, :height, :width]
    return np.ascontiguousarray(planes.transpose(1, 2, 0).astype(np.uint8)).reshape(image.shape)


def model(image: Pixels, chosen: Filter) -> Pixels:
    """The filter in NumPy, in the kernel's order of operations: a float32 chain over the taps, row after row."""
    rows = padded(image).astype(np.float32)
    planes = rows.reshape(-1, image.shape[0] + 2 * BORDER, rows.shape[1])
    height, width = image.shape[:2]
    total = np.zeros((len(planes), height, width), np.float32)
    for index, tap in enumerate(from_bf16(chosen.words)):
        y, x = divmod(index, 5)
        total += planes[:, y : y + height, x : x + width] * tap
    value = total * np.float32(chosen.scale) + np.float32(chosen.bias)
    return np.rint(np.clip(value, 0, 255)).astype(np.uint8).transpose(1, 2, 0).reshape(image.shape)


@dataclass(frozen=True)
class Slot:
    """SRAM for one band, and the stream that uses it."""

    stream: Stream
    pixels: Buffer
    work: Buffer
    out: Buffer
    taps: Buffer


def band_rows(card: Card, rows: int, pitch: int) -> int:
    """Rows of a band: a share of all, as far as two slots fit into SRAM."""
    overhang = 2 * BORDER
    words = card.memory_info("sram").largest // 2 // 2 - 8 * 512 - TAP_WORDS
    fit = words // (3 * pitch) - 2 * overhang
    return max(min(ceil(rows / BANDS), fit), 1)


def slots(card: Card, rows: int, pitch: int) -> list[Slot]:
    """Two slots for bands of so many rows. Raises OutOfMemory for rows that are too long."""
    size = (rows + 2 * BORDER) * pitch
    behind = 2 * BORDER * (pitch + 1)  # words behind the band that its last windows read
    return [
        Slot(
            card.stream(f"bands {number}"),
            card.empty(size, np.uint16, "sram"),
            card.empty(size + behind, np.uint16, "sram"),
            card.empty(size, np.uint16, "sram"),
            card.empty(TAP_WORDS, np.uint16, "sram"),
        )
        for number in range(2)
    ]


def geometry(card: Card, threads: int) -> tuple[tuple[int, int, int], int, int]:
    """(grid, block, tail): two passes over blocks of equal size, the last one shorter."""
    most, warp = card.arch.limits.threads.value, card.arch.limits.warp.value
    blocks = ceil(threads / most)
    block = ceil(ceil(threads / blocks) / warp) * warp
    return (blocks, 1, 2), block, threads - block * (blocks - 1)


def bands(rows: Words, each: int) -> Iterator[tuple[int, Words]]:
    """(first row, rows of the band and the four below it, zeros past the end)."""
    for first in range(0, len(rows), each):
        part = rows[first : first + each + 2 * BORDER]
        below = each + 2 * BORDER - len(part)
        yield first, np.ascontiguousarray(np.pad(part, ((0, below), (0, 0))))


def filter_photo(card: Card, function: Function, image: Pixels, chosen: Filter) -> tuple[Pixels, list[LaunchReport]]:
    """Filter an 8-bit image [h][w] or [h][w][planes]; the image and one report per band."""
    rows = padded(image)
    pitch = rows.shape[1]
    each = band_rows(card, len(rows), pitch)
    places = slots(card, each, pitch)
    grid, block, tail = geometry(card, places[0].pixels.size)
    numbers: list[Argument] = [2 * pitch, chosen.scale, chosen.bias, *(int(word) for word in chosen.words)]
    result: NDArray[Any] = np.zeros((len(rows) + each, pitch), np.uint16)
    reports: list[LaunchReport] = []
    for index, (first, part) in enumerate(bands(rows, each)):
        slot = places[index % len(places)]
        slot.stream.copy(slot.pixels, part)
        buffers = (slot.pixels, slot.work, slot.out, slot.taps)
        report = function(grid, block, *buffers, *numbers, stream=slot.stream, tail=tail)
        assert report is not None  # the stream is not captured
        reports.append(report)
        slot.stream.copy(result[first : first + each], slot.out[: each * pitch])
    card.synchronize()
    return cropped(result[: len(rows)], image), reports
