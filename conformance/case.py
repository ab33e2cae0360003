"""How a conformance case is written: data in, one or more launches, values out against a NumPy reference.

A case is a function that receives a `Bench` (a fresh card with the kernel loaded) and returns `Check`s.
The harness runs the same function for the published text and for the published image, in several warp orders.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from openrpp.machine import Device, Kernel, LaunchReport

Array = NDArray[Any]
Source = Literal["text", "image"]
Geometry = Literal["host", "reduced"]


@dataclass(frozen=True)
class Check:
    """One comparison. With both tolerances zero the bits must be equal (NaNs compare equal)."""

    what: str
    got: Array
    want: Array
    rtol: float = 0.0
    atol: float = 0.0

    def failure(self) -> str | None:
        """None if it holds, else a sentence with the first difference."""
        if self.got.shape != self.want.shape:
            return f"{self.what}: shape {self.got.shape}, expected {self.want.shape}"
        if self.rtol == 0.0 and self.atol == 0.0:
            same = self.got == self.want
            if self.got.dtype.kind == "f":
                same |= np.isnan(self.got) & np.isnan(self.want)
        else:
            same = np.isclose(self.got, self.want, rtol=self.rtol, atol=self.atol, equal_nan=True)
        if bool(np.all(same)):
            return None
        where = tuple(int(i) for i in np.argwhere(~same)[0])
        wrong = int(np.count_nonzero(~same))
        return (
            f"{self.what}: {wrong} of {same.size} values differ, first at {where}: "
            f"got {self.got[where]}, expected {self.want[where]}"
        )


class Bench:
    """A fresh card, one loaded kernel, and a bump allocator that follows the published SRAM rules."""

    SRAM_BASE = 0x0400_0000
    DDR_BASE = 0x5000_0000

    def __init__(self, device: Device, kernel: Kernel, source: Source, seed: int) -> None:
        self.device = device
        self.kernel = kernel
        self.source: Source = source
        self.rng = np.random.default_rng(seed)
        self.reports: list[LaunchReport] = []
        self._sram = self.SRAM_BASE
        self._ddr = self.DDR_BASE

    def sram(self, nbytes: int) -> int:
        """Address of a new SRAM buffer: rounded up to 512 bytes plus a 512-byte guard."""
        address = self._sram
        self._sram += -(-nbytes // 512) * 512 + 512
        return address

    def ddr(self, nbytes: int) -> int:
        """Address of a new DDR buffer, 512-byte aligned."""
        address = self._ddr
        self._ddr += -(-nbytes // 512) * 512
        return address

    def put(self, array: Array) -> int:
        """Copy an array into a new SRAM buffer; its address."""
        address = self.sram(array.nbytes)
        self.device.write(address, np.ascontiguousarray(array))
        return address

    def put_ddr(self, array: Array) -> int:
        """Copy an array into a new DDR buffer; its address."""
        address = self.ddr(array.nbytes)
        self.device.write(address, np.ascontiguousarray(array))
        return address

    def launch(
        self,
        grid: tuple[int, int, int],
        block: tuple[int, int, int],
        params: Sequence[int],
        tail: tuple[int, int, int] | None = None,
    ) -> LaunchReport:
        """Launch the case's kernel; parameters beyond what an older image declares are the case's to drop."""
        report = self.device.launch(self.kernel, grid=grid, block=block, params=list(params), tail=tail)
        self.reports.append(report)
        return report

    def read(self, address: int, count: int, dtype: Any) -> Array:
        """`count` elements at a device address, as a one-dimensional array."""
        return self.device.read(address, count, dtype)


Run = Callable[[Bench], Iterable[Check]]


@dataclass(frozen=True)
class Case:
    """A registered case: which published kernel, where it stands, how it is run."""

    kernel: str  # stem of the .s file, or the exported image name where there is no text
    image: str  # name in `.text.<name>`
    folders: tuple[str, ...]  # below ggml/src/ggml-rpp; every folder whose copy is run
    geometry: Geometry  # "host": the host code's own launch shape and parameters for a real size
    sources: tuple[Source, ...]
    run: Run
    note: str = ""


@dataclass
class Registry:
    cases: list[Case] = field(default_factory=list[Case])


REGISTRY = Registry()


def case(
    kernel: str,
    *folders: str,
    image: str | None = None,
    geometry: Geometry = "host",
    sources: tuple[Source, ...] = ("text", "image"),
    note: str = "",
) -> Callable[[Run], Run]:
    """Register a function as the case (or one of several cases) of a published kernel."""

    def register(run: Run) -> Run:
        REGISTRY.cases.append(Case(kernel, image or kernel, folders, geometry, sources, run, note))
        return run

    return register


def bf16(values: Array) -> NDArray[np.uint16]:
    """float32 -> bfloat16 bits, round to nearest even (what the host does before it uploads)."""
    bits = np.ascontiguousarray(values, np.float32).view(np.uint32)
    return ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype(np.uint16)


def truncated(values: Array) -> NDArray[np.uint16]:
    """float32 -> bfloat16 bits by dropping the low half (what CVT.F32.F16 does)."""
    return (np.ascontiguousarray(values, np.float32).view(np.uint32) >> 16).astype(np.uint16)


def f32(bits: Array) -> NDArray[np.float32]:
    """bfloat16 bits -> float32, exact."""
    return (np.ascontiguousarray(bits, np.uint16).astype(np.uint32) << 16).view(np.float32)
