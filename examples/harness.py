"""What the example drivers share: planned launches, memory layout by the published rules, bf16, a printed report.

The drivers run as scripts (`python examples/matmul.py`) or are imported with this folder on `sys.path`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from openrpp.machine import Device, Kernel, LaunchReport, load_text

U16 = NDArray[np.uint16]
F32 = NDArray[np.float32]

WARP: Final = 32
MAX_WARPS: Final = 255
MIN_THREADS: Final = 33
"""Published host code pads blocks to more than one warp."""

SRAM_BASE: Final = 0x0400_0000
SRAM_PLANNABLE: Final = 22 << 20
DDR_BASE: Final = 0x5000_0000
DDR_BYTES: Final = 15 << 30
UNIT: Final = 512
"""SRAM buffers are rounded up to this and followed by a guard of this size, since aligned loads may over-read."""


@cache
def kernel(name: str) -> Kernel:
    """The kernel of `NAME.s` beside this file."""
    return load_text(Path(__file__).with_name(f"{name}.s"))


@dataclass(frozen=True)
class Launch:
    """A launch that is planned but not made, so that it can be timed, printed or run."""

    kernel: str
    grid: tuple[int, int, int]
    block: tuple[int, int, int]
    params: tuple[int, ...]
    tail: tuple[int, int, int] | None = None

    def on(self, device: Device) -> LaunchReport:
        """Run it."""
        return device.launch(kernel(self.kernel), self.grid, self.block, list(self.params), self.tail)

    def timed(self, device: Device) -> LaunchReport:
        """Its card time, without running it."""
        return device.time(kernel(self.kernel), self.grid, self.block, list(self.params), self.tail)


class OutOfMemory(MemoryError):
    """A plan needs more memory than the card can give it."""


@dataclass
class Arena:
    """A bump allocator over an address range; addresses are multiples of 512."""

    base: int
    size: int
    guard: int
    what: str
    used: int = 0

    def take(self, nbytes: int) -> int:
        """Address of a new buffer. Raises OutOfMemory."""
        address = self.base + self.used
        self.used += -(-nbytes // UNIT) * UNIT + self.guard
        if self.used > self.size:
            raise OutOfMemory(f"{self.what}: {self.used} bytes are needed, {self.size} can be planned")
        return address


def sram() -> Arena:
    """All plannable SRAM."""
    return Arena(SRAM_BASE, SRAM_PLANNABLE, UNIT, "SRAM")


def ddr() -> Arena:
    """The DDR data region."""
    return Arena(DDR_BASE, DDR_BYTES, 0, "DDR")


def words(address: int) -> tuple[int, int]:
    """(low, high) parameter words of a 64-bit address."""
    return address & 0xFFFF_FFFF, address >> 32


def bits_of(value: float) -> int:
    """The 32-bit pattern of a float32 parameter."""
    return int(np.float32(value).view(np.uint32))


# --- bf16 ------------------------------------------------------------------------------------------------------------


def bf16(values: NDArray[Any]) -> U16:
    """float32 -> bfloat16 bits, nearest even; NaN stays NaN."""
    single = np.ascontiguousarray(values, np.float32)
    bits = single.view(np.uint32)
    rounded = ((bits + (0x7FFF + ((bits >> 16) & 1)).astype(np.uint32)) >> 16).astype(np.uint16)
    return np.where(np.isnan(single), np.uint16(0x7FC0), rounded)


def f32(bits: NDArray[Any]) -> F32:
    """bfloat16 bits -> float32, exact."""
    return (np.ascontiguousarray(bits, np.uint16).astype(np.uint32) << 16).view(np.float32)


def halves(values: NDArray[Any]) -> tuple[U16, U16]:
    """(low words, high words) of float32 values."""
    bits = np.ascontiguousarray(values, np.float32).view(np.uint32)
    return (bits & 0xFFFF).astype(np.uint16), (bits >> 16).astype(np.uint16)


def joined(low: U16, high: U16) -> F32:
    """float32 values of their low and high words."""
    return (low.astype(np.uint32) | high.astype(np.uint32) << 16).view(np.float32)


# --- results ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Check:
    """One comparison of a result: `equal` bits of `total` values, and the largest relative error against `against`."""

    against: str
    equal: int
    total: int
    error: float
    limit: float

    @property
    def passed(self) -> bool:
        """Whether the error is within its limit (0: all bits equal)."""
        return self.equal == self.total if self.limit == 0 else self.error <= self.limit

    def __str__(self) -> str:
        verdict = "ok" if self.passed else "FAILED"
        if self.limit == 0:
            return f"{verdict}: {self.equal} of {self.total} values equal {self.against} bit for bit"
        return f"{verdict}: largest error against {self.against} {self.error:.2e} (limit {self.limit:.0e})"


def same_bits(got: NDArray[Any], want: NDArray[Any], against: str) -> Check:
    """Compare bit patterns; NaNs count as equal to each other."""
    if got.dtype.kind == "f":
        same = (got.view(np.uint32) == want.view(np.uint32)) | (np.isnan(got) & np.isnan(want))
    else:
        same = got == want
    return Check(against, int(np.count_nonzero(same)), got.size, 0.0, 0.0)


def close(got: NDArray[Any], want: NDArray[Any], against: str, limit: float) -> Check:
    """Compare values; a difference counts relative to the wanted value or the rms of all, whichever is larger."""
    size = np.abs(want).astype(np.float64)
    scale = np.maximum(size, float(np.sqrt(np.mean(size**2))) or 1.0)
    difference = np.abs(got.astype(want.dtype) - want)
    error = float(np.max(difference / scale)) if difference.size else 0.0
    return Check(against, int(np.count_nonzero(difference == 0)), got.size, error, limit)


@dataclass(frozen=True)
class Outcome:
    """What an example returns: its values, the launches it made, the checks it passed or not."""

    values: NDArray[Any]
    reports: tuple[LaunchReport, ...]
    checks: tuple[Check, ...] = ()
    work: dict[str, float] = field(default_factory=dict[str, float])  # name -> amount, printed per second of card time

    @property
    def passed(self) -> bool:
        """Whether every check passed."""
        return all(check.passed for check in self.checks)

    @property
    def cycles(self) -> float:
        """Nominal cycles of all launches, launch cost not included."""
        return sum(report.cycles for report in self.reports)


def show(title: str, outcome: Outcome) -> int:
    """Print an outcome; the exit status of the script."""
    print(title)
    for report in outcome.reports[:8]:
        print(
            f"  {report.kernel:12} grid {report.grid} block {report.block}: {report.columns} columns, "
            f"{report.cycles:.0f} cycles, {report.seconds.nominal * 1e6:.1f} us "
            f"({report.seconds.low * 1e6:.1f} to {report.seconds.high * 1e6:.1f}), limited by {report.limiter}"
        )
    if len(outcome.reports) > 8:
        print(f"  ... and {len(outcome.reports) - 8} launches more")
    seconds = sum(report.seconds.nominal for report in outcome.reports)
    for name, amount in outcome.work.items() if seconds else ():
        print(f"  {amount / seconds / 1e9:.1f} G{name}/s of card time")
    for check in outcome.checks:
        print(f"  {check}")
    return 0 if outcome.passed else 1


def launch_all(device: Device, launches: Iterable[Launch]) -> tuple[LaunchReport, ...]:
    """Run launches one after another."""
    return tuple(launch.on(device) for launch in launches)


def ceil_div(a: int, b: int) -> int:
    """a / b, rounded up."""
    return -(-a // b)


def need(condition: bool, sentence: str) -> None:
    """Raise ValueError with a sentence unless a condition holds."""
    if not condition:
        raise ValueError(sentence)
