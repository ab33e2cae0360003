"""256-point complex float32 FFTs, many at once: down columns kept in SRAM, and along rows that live in DDR.

Assembly: fft_stage.s (eight radix-2 stages), fft_load.s and fft_store.s (rows in DDR to and from planes in SRAM).
These are the two transforms whose times are published for batch 1024; `stages` sets how many stages one launch runs.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from functools import cache

import numpy as np
from harness import (
    F32,
    MAX_WARPS,
    U16,
    WARP,
    Arena,
    Check,
    Launch,
    Outcome,
    ceil_div,
    close,
    ddr,
    halves,
    joined,
    launch_all,
    need,
    same_bits,
    show,
    sram,
    words,
)
from numpy.typing import NDArray

from openrpp.machine import Device

POINTS = 256
STAGES = 8
HALF = POINTS // 2
C64 = NDArray[np.complex64]
TILE_ROWS = 64
SKEWED_ROW = 2 * (4 * POINTS + 1)
"""Rows that fft_load and fft_store take at a time, and bytes from one to the next where lanes go down a column."""


@cache
def twiddles() -> C64:
    """exp(-2 pi i m / 256) for m = 0..127, rounded to complex64."""
    return np.exp(-2j * np.pi * np.arange(HALF) / POINTS).astype(np.complex64)


def twiddle_table() -> U16:
    """[128][6] words: real part, imaginary part, real part, each low word first."""
    w = twiddles()
    pairs = [part for value in (w.real, w.imag, w.real) for part in halves(value)]
    return np.stack(pairs, axis=1)


@dataclass(frozen=True)
class Planes:
    """Two buffers of four planes [256][pitch] in SRAM, the twiddles, and the launches of all eight stages.

    Input and result are in `a`: real low, real high, imaginary low, imaginary high words.
    """

    batch: int
    pitch: int  # words
    a: int
    b: int
    twiddles: int
    launches: tuple[Launch, ...]

    @property
    def plane(self) -> int:
        """Bytes of a plane."""
        return 2 * POINTS * self.pitch


def plan_columns(batch: int, stages: int = STAGES, butterflies: int = 32, memory: Arena | None = None) -> Planes:
    """Plan FFTs down the columns of [256][batch].

    Args:
        batch: FFTs; lanes beyond it, up to a multiple of 32, compute on padding.
        stages: stages in one launch, 1 to 8.
        butterflies: of one FFT in a block, a power of two up to 128; the block takes as many FFTs as 255 warps allow.
    """
    need(1 <= stages <= STAGES, f"stages = {stages}; one launch runs 1 to {STAGES}")
    need(butterflies in {1 << i for i in range(8)}, f"butterflies = {butterflies} is not a power of two up to {HALF}")
    pitch = max(ceil_div(batch, WARP) * WARP, 2 * WARP)
    need(batch > 0 and pitch < 1 << 15, f"batch = {batch}: rows may have 1 to 32736 values")
    memory = memory or sram()
    a, b = (memory.take(4 * 2 * POINTS * pitch) for _ in range(2))
    table = memory.take(12 * HALF)
    tile = min(WARP * (MAX_WARPS // butterflies), pitch)
    tiles = ceil_div(pitch, tile)
    launches = tuple(
        Launch(
            "fft_stage",
            grid=(tiles, HALF // butterflies, min(stages, STAGES - first)),
            block=(tile, butterflies, 1),
            tail=(pitch - tile * (tiles - 1), butterflies, 1),
            params=(a, b, 2 * POINTS * pitch, pitch, table, first),
        )
        for first in range(0, STAGES, stages)
    )
    return Planes(batch, pitch, a, b, table, launches)


@dataclass(frozen=True)
class Rows:
    """FFTs along rows in DDR: where the rows are, and the launches: load, stages, store."""

    planes: Planes
    source: int  # DDR addresses
    target: int
    launches: tuple[Launch, ...]


def plan_rows(batch: int, stages: int = STAGES, butterflies: int = 32) -> Rows:
    """Plan FFTs along the rows of [batch][256] complex64 in DDR, batch a multiple of 64."""
    need(batch > 0 and batch % TILE_ROWS == 0, f"batch = {batch} is not a multiple of {TILE_ROWS}")
    memory, outside = sram(), ddr()
    planes = plan_columns(batch, stages, butterflies, memory)
    tile_bytes = 8 * POINTS * TILE_ROWS
    staging = memory.take(tile_bytes), memory.take(tile_bytes)
    source, target = (outside.take(8 * POINTS * batch) for _ in range(2))
    skewed = memory.take(TILE_ROWS * SKEWED_ROW)
    shared = (*staging, skewed, planes.a, planes.plane, planes.pitch)
    ends = [
        Launch(name, (batch // TILE_ROWS, 1, 1), (TILE_ROWS, POINTS // 4, 1), (*words(address), *shared))
        for name, address in (("fft_load", source), ("fft_store", target))
    ]
    return Rows(planes, source, target, (ends[0], *planes.launches, ends[1]))


# --- what the card must compute ---------------------------------------------------------------------------------------


def model(z: C64) -> C64:
    """FFTs down the columns of [256][batch] with the card's operations in their order, bit for bit."""
    re, im = z.real.copy(), z.imag.copy()
    j = np.arange(HALF)
    for stage in range(STAGES):
        q = j % (1 << stage)
        upper = q + 2 * (j - q)
        w = twiddles()[j - q, None]
        out_re, out_im = np.empty_like(re), np.empty_like(im)
        out_re[upper], out_im[upper] = re[:HALF] + re[HALF:], im[:HALF] + im[HALF:]
        dr, di = re[:HALF] - re[HALF:], im[:HALF] - im[HALF:]
        out_re[upper + (1 << stage)] = dr * w.real - di * w.imag
        out_im[upper + (1 << stage)] = dr * w.imag + di * w.real
        re, im = out_re, out_im
    return combined(re, im)


def combined(re: F32, im: F32) -> C64:
    """Complex numbers of their parts, without arithmetic."""
    return np.stack([re, im], axis=-1).view(np.complex64)[..., 0]


def checks_of(got: C64, z: C64) -> tuple[Check, ...]:
    """Bit for bit against the model, and against NumPy's FFT."""
    bits, want = (np.ascontiguousarray(v).view(np.float32) for v in (got, model(z)))
    exact = np.fft.fft(z.astype(np.complex128), axis=0)
    return (
        same_bits(bits, want, "the NumPy model"),
        close(got.astype(np.complex128), exact, "numpy.fft", 2e-6),
    )


# --- runs -------------------------------------------------------------------------------------------------------------


def write_planes(device: Device, planned: Planes, z: C64) -> None:
    """Split [256][batch] into the four planes of buffer a."""
    parts = [part for value in (z.real, z.imag) for part in halves(value)]
    planes = np.zeros((4, POINTS, planned.pitch), np.uint16)
    planes[:, :, : planned.batch] = parts
    device.write(planned.a, planes)


def read_planes(device: Device, planned: Planes) -> C64:
    """[256][batch] of the four planes of buffer a."""
    flat = device.read(planned.a, 4 * POINTS * planned.pitch, np.uint16)
    planes = flat.reshape(4, POINTS, planned.pitch)[:, :, : planned.batch]
    return combined(joined(planes[0], planes[1]), joined(planes[2], planes[3]))


def operations(batch: int) -> dict[str, float]:
    """The customary 5 n log2(n) operations of an FFT, whatever was executed."""
    return {"FLOP": 5.0 * POINTS * STAGES * batch}


def run(device: Device, z: C64, stages: int = STAGES, butterflies: int = 32, check: bool = True) -> Outcome:
    """FFTs down the columns of [256][batch] complex64, kept in SRAM."""
    planned = plan_columns(z.shape[1], stages, butterflies)
    device.write(planned.twiddles, twiddle_table())
    write_planes(device, planned, z)
    reports = launch_all(device, planned.launches)
    got = read_planes(device, planned)
    return Outcome(got, reports, checks_of(got, z) if check else (), operations(z.shape[1]))


def run_rows(device: Device, z: C64, stages: int = STAGES, butterflies: int = 32, check: bool = True) -> Outcome:
    """FFTs along the rows of [batch][256] complex64, from DDR to DDR."""
    batch = len(z)
    planned = plan_rows(batch, stages, butterflies)
    device.write(planned.planes.twiddles, twiddle_table())
    device.write(planned.source, z)
    reports = launch_all(device, planned.launches)
    got = device.read(planned.target, POINTS * batch, np.complex64).reshape(batch, POINTS)
    return Outcome(got, reports, checks_of(got.T, z.T) if check else (), operations(batch))


def signals(points: int, batch: int, seed: int = 4) -> C64:
    """Random complex signals."""
    rng = np.random.default_rng(seed)
    return (rng.standard_normal((points, batch)) + 1j * rng.standard_normal((points, batch))).astype(np.complex64)


def main() -> int:
    """Both published ways at batch 1024, one launch per stage."""
    device = Device("ae7100")
    z = signals(POINTS, 1024)
    down = show("fft: 1024 FFTs of 256 points down columns in SRAM", run(device, z, stages=1))
    rows = np.ascontiguousarray(z.T)
    along = show("fft: 1024 FFTs of 256 points along rows in DDR", run_rows(device, rows, stages=1))
    return down or along


if __name__ == "__main__":
    sys.exit(main())
