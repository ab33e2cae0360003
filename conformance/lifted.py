"""Published kernels lifted: a case runs on the reference engine and, as kernel IR, on the native engine beside it."""

from __future__ import annotations

import importlib
import pkgutil
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import conformance.cases
from conformance.case import REGISTRY, Bench, Case, Source
from conformance.corpus import Corpus, load
from conformance.runs import kernels_of
from openrpp.arch import Card
from openrpp.arch import load as load_card
from openrpp.codegen.errors import CodegenError
from openrpp.codegen.lift import LiftedDevice
from openrpp.isa.program import Kernel
from openrpp.machine import Device, LaunchReport, MachineError
from openrpp.storage import Cache

DDR_BYTES = 32 << 20
"""Bytes of DDR from `Bench.DDR_BASE` on that are compared; the cases use less."""


@dataclass(frozen=True)
class Lifted:
    """How a case went: empty `failure` means that memory, columns and card time were equal after every launch."""

    failure: str
    launches: int
    seconds: float


class Differs(Exception):
    """Lifted code left something else."""


class Twin(Device):
    """A card whose launches run twice: by the reference engine here, and lifted on a card beside it.

    Raises Differs where the two leave different memories, columns or card time.
    """

    def __init__(self, card: Card, store: Cache | None) -> None:
        super().__init__(card)
        self.beside = LiftedDevice(card, store=store)
        self.count = 0

    def write(self, address: int, array: NDArray[Any]) -> None:
        """Write to both."""
        super().write(address, array)
        self.beside.write(address, array)

    def fram_write(self, offset: int, nbytes: int, value: int) -> None:
        """Write to both."""
        super().fram_write(offset, nbytes, value)
        self.beside.fram_write(offset, nbytes, value)

    def launch(
        self,
        kernel: Kernel,
        grid: Sequence[int] = (1, 1, 1),
        block: Sequence[int] = (1, 1, 1),
        params: Sequence[int] = (),
        tail: Sequence[int] | None = None,
    ) -> LaunchReport:
        """Run on both and compare."""
        mine = super().launch(kernel, grid, block, params, tail)
        theirs = self.beside.launch(kernel, grid, block, params, tail)
        self.count += 1
        self._compare()
        if mine.columns != theirs.columns:
            raise Differs(f"{mine.columns} columns, lifted {theirs.columns}")
        if mine.span != theirs.span or mine.counters != theirs.counters:
            raise Differs(f"card time {mine.span} and {mine.counters}, lifted {theirs.span} and {theirs.counters}")
        return mine

    def _compare(self) -> None:
        pairs = zip(self._memories(self), self._memories(self.beside), strict=True)
        for (name, a), (_, b) in pairs:
            apart = _apart(a.view(np.uint16), b.view(np.uint16))
            if apart.size:
                raise Differs(f"{name}: {apart.size} words differ, the first at offset {2 * int(apart[0]):#x}")

    @staticmethod
    def _memories(device: Device) -> list[tuple[str, NDArray[np.uint8]]]:
        banks = [(region.name, region.data) for region in (device.memory.sram, *device.memory.fram)]
        return [*banks, ("DDR", device.memory.view(Bench.DDR_BASE, DDR_BYTES))]


def _apart(a: NDArray[np.uint16], b: NDArray[np.uint16]) -> NDArray[np.intp]:
    """Words that differ; two that are bf16 NaNs, or the tops of float32 NaNs, do not."""
    found = np.flatnonzero(a != b)
    nan = ((a[found] & 0x7FFF) > 0x7F80) & ((b[found] & 0x7FFF) > 0x7F80)
    return found[~nan]


def run_lifted_case(case: Case, source: Source, kernel: Kernel, card: Card, seed: int, store: Cache | None) -> Lifted:
    """Run a case on both engines."""
    begun = time.perf_counter()
    twin = Twin(card, store)
    failure = ""
    try:
        list(case.run(Bench(twin, kernel, source, seed)))
    except (Differs, MachineError, CodegenError) as error:
        failure = str(error)
    if not failure and not twin.count:
        failure = "the case launches nothing"
    return Lifted(failure, twin.count, time.perf_counter() - begun)


# --- all cases, dealt to processes ---------------------------------------------------------------------------------


def import_cases() -> None:
    """Register every case."""
    for module in pkgutil.iter_modules(conformance.cases.__path__):
        importlib.import_module(f"conformance.cases.{module.name}")


def work(corpus: Corpus, only: str) -> list[tuple[Case, Source, str, Kernel]]:
    """Every case on every kernel that it is run on; `only` is a part of the kernel's name."""
    return [(case, *each) for case in REGISTRY.cases if only in case.kernel for each in kernels_of(case, corpus)]


_WORK: list[tuple[Case, Source, Kernel, int]] = []


def start_worker(vendor: Path, only: str, seed: int) -> None:
    """What a process knows before it takes cases by number."""
    import_cases()
    _WORK.extend((case, source, kernel, seed) for case, source, _, kernel in work(load(vendor), only))


def lifted_case(index: int) -> Lifted:
    """Run a case by its number in `work`."""
    case, source, kernel, seed = _WORK[index]
    return run_lifted_case(case, source, kernel, load_card("ae7100"), seed, Cache())
