"""Helpers of the elementwise, activation, norm, reduce, convert, layout and rope cases."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from conformance.case import Bench, Check, Geometry, Run, bf16, case, f32

Array = NDArray[Any]
Words = NDArray[np.uint16]
Floats = NDArray[np.float32]
Dim = tuple[int, int, int]

LANES = 32
MAX_THREADS = 8192  # host code keeps blocks below this
UNTOUCHED = 0x7A5A  # fills output buffers before a launch
MARGIN = 64  # words behind an output that are compared with UNTOUCHED

FRAM_BANKS = (0x10_0600_0000, 0x10_0600_1000)
RUN_TIME_WORDS = 0x800  # cfg_fft_w4_n at +4n


# --- registration -----------------------------------------------------------------------------------------------------


def register(
    kernel: str,
    both: tuple[str, ...] = (),
    *,
    texts: tuple[str, ...] = (),
    images: tuple[str, ...] = (),
    image: str | None = None,
    geometry: Geometry = "host",
    note: str = "",
) -> Callable[[Run], Run]:
    """Register one run for folders that hold text and image, only the text, or only the image."""

    def apply(run: Run) -> Run:
        if both:
            case(kernel, *both, image=image, geometry=geometry, note=note)(run)
        if texts:
            case(kernel, *texts, image=image, geometry=geometry, sources=("text",), note=note)(run)
        if images:
            case(kernel, *images, image=image, geometry=geometry, sources=("image",), note=note)(run)
        return run

    return apply


# --- launch shapes ----------------------------------------------------------------------------------------------------


def flat_launch(rows: int, columns: int) -> tuple[Dim, Dim]:
    """Grid and block over rows*columns items in one dimension (host: calc_tbdim_flattern).

    One block if the items fit, else one per row, halved until a block fits; 33 lanes stand in for 32 or fewer.
    """
    if rows * columns < MAX_THREADS:
        block, grid = rows * columns, 1
    else:
        block, grid = columns, rows
    while block >= MAX_THREADS:
        block, grid = block // 2, grid * 2
    if block <= LANES:
        block = LANES + 1
    return (grid, 1, 1), (block, 1, 1)


def volume(dim: Dim) -> int:
    """Number of lanes or blocks."""
    return dim[0] * dim[1] * dim[2]


def float_bits(value: float | np.floating[Any]) -> int:
    """A float32 parameter as the word that the host passes."""
    return int(np.float32(value).view(np.uint32))


def set_run_time_word(bench: Bench, index: int, value: int) -> None:
    """Write cfg_fft_w4_<index> in both FRAM banks, as the host does before it replays a graph."""
    for bank in FRAM_BANKS:
        bench.device.write(bank + RUN_TIME_WORDS + 4 * index, np.array([value], np.uint32))


# --- buffers ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Output:
    """An output buffer of 16-bit words, marked before the launch, with marked words behind it."""

    bench: Bench
    address: int
    count: int

    @classmethod
    def words(cls, bench: Bench, count: int) -> Output:
        blank = np.full(count + MARGIN, UNTOUCHED, np.uint16)
        return cls(bench, bench.put(blank), count)

    def read(self) -> Words:
        """The words of the buffer proper."""
        return self.bench.read(self.address, self.count, np.uint16)

    def behind(self) -> Check:
        """Nothing was written past the end."""
        got = self.bench.read(self.address + 2 * self.count, MARGIN, np.uint16)
        return Check("words behind the output", got, np.full(MARGIN, UNTOUCHED, np.uint16))


def lookup_table(function: Callable[[Floats], Array]) -> Words:
    """65,536 bfloat16 results, indexed by the argument's bits (every `*_table` loop of the host code)."""
    with np.errstate(all="ignore"):
        return bf16(function(f32(np.arange(1 << 16, dtype=np.uint16))))


def _with_zero_at_zero(table: Words) -> Words:
    table[[0x0000, 0x8000]] = 0
    return table


def silu_table() -> Words:
    """x / (1 + exp(-x))."""
    return lookup_table(lambda x: x / (np.float32(1) + np.exp(-x)))


def reciprocal_table() -> Words:
    """1 / x, with 0 at both zeros as the host stores it."""
    return _with_zero_at_zero(lookup_table(lambda x: np.float32(1) / x))


def rsqrt_table() -> Words:
    """1 / sqrt(x), with 0 at both zeros as the host stores it."""
    return _with_zero_at_zero(lookup_table(lambda x: np.float32(1) / np.sqrt(x)))


def exp_table() -> Words:
    """exp(x)."""
    return lookup_table(np.exp)
