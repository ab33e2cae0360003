"""The jobs of `benchmarks/cuda` as machine code on the virtual card, at sizes that its reference engine can run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.cuda import jobs
from benchmarks.cuda.jobs import Job
from openrpp.codegen import card
from openrpp.codegen.card.prepare import prepared
from openrpp.codegen.card.program import Program
from openrpp.codegen.errors import Unsupported
from openrpp.cuda import compile_file, read
from openrpp.kir.ir import Module
from openrpp.machine import Device, LaunchReport
from openrpp.runtime.merging import merges

KERNELS = Path(jobs.__file__).parent / "kernels"
_DDR, _SRAM = 0x1000_1000, 0x0400_1000
_SEED = 7

SMALL: tuple[Callable[[np.random.Generator], Job], ...] = (
    partial(jobs.saxpy, n=1 << 16),
    partial(jobs.matmul_naive, n=96),
    partial(jobs.matmul_tiled, n=128),
    partial(jobs.stencil, n=256),
    partial(jobs.reduction, n=1 << 16, blocks=64),
    partial(jobs.histogram, n=1 << 14, blocks=16),
    partial(jobs.shuffle_reduction, n=1 << 16, blocks=64),
    partial(jobs.mandelbrot, n=64, limit=64),
    partial(jobs.transpose, n=256),
    partial(jobs.nbody, n=512),
    partial(jobs.needleman_wunsch, n=128),
    partial(jobs.spmv, rows=1 << 11),
)
"""Jobs at sizes of at most some ten thousand executed columns."""


@dataclass(frozen=True)
class Ran:
    """A job that ran: its program, blocks merged, reports of its launches. `error` is as `Job.error` gives it."""

    job: Job
    merge: int
    program: Program
    reports: tuple[LaunchReport, ...]
    error: float

    @property
    def cycles(self) -> float:
        """Nominal cycles of all launches."""
        return sum(report.cycles for report in self.reports)

    @property
    def columns(self) -> int:
        """Columns that all launches executed."""
        return sum(report.columns for report in self.reports)

    def share(self, unit: str) -> float:
        """Utilisation of a unit over all launches, between 0 and 1."""
        return sum(report.utilisation[unit] * report.cycles for report in self.reports) / max(self.cycles, 1)

    @property
    def limiter(self) -> str:
        """What limited the longest launch."""
        return max(self.reports, key=lambda report: report.cycles).limiter


@cache
def module(name: str) -> Module:
    """The kernels of a job."""
    return read(compile_file(KERNELS / f"{name}.cu")).module


def run(make: Callable[[np.random.Generator], Job], merged: bool, pairs: int | None = None) -> Ran:
    """Run a job, one block of the card per CUDA block or as many merged as the runtime would.

    `pairs` is the number of register pairs, that of the card if it is not given.
    """
    job = make(np.random.default_rng(_SEED))
    device, places = Device("ae7100x"), dict[str, int]()
    end = _DDR
    for name, array in job.arrays.items():
        places[name], end = end, -(-(end + array.nbytes + 256) // 256) * 256
        device.write(places[name], array)
    (symbol,) = module(job.name).kernels
    merge, program = _program(device, job, symbol, merged, pairs)
    reports = tuple(_launch(device, program, launch.grid, [_value(arg, places) for arg in launch.args])
                    for launch in job.launches)  # fmt: skip
    found = {
        name: device.read(places[name], array.nbytes, np.uint8).view(array.dtype).reshape(array.shape)
        for name, array in job.arrays.items()
    }
    return Ran(job, merge, program, reports, job.error(found))


def _value(arg: Any, places: dict[str, int]) -> Any:
    return places[arg] if isinstance(arg, str) else arg


def _program(device: Device, job: Job, symbol: str, merged: bool, pairs: int | None) -> tuple[int, Program]:
    """(blocks merged, program): the most that can be merged."""
    choices = merges(device.card, job.launches[0].grid, job.block) if merged else [1]
    for merge in choices:
        try:
            return merge, card.compile(prepared(module(job.name), symbol, merge), symbol, job.block, pairs=pairs)
        except Unsupported:
            if merge == 1:
                raise
    raise AssertionError("one block is the last choice")


def _launch(device: Device, program: Program, grid: jobs.Triple, args: list[Any]) -> LaunchReport:
    area, end, places = program.area(grid, args, {}), _SRAM, list[int]()
    for size in (program.planes_bytes, len(area), program.shared_bytes, program.private_bytes):
        places.append(end)
        end = -(-(end + size + 512) // 512) * 512
    device.write(places[1], np.frombuffer(area, np.uint8))
    words: NDArray[np.uint32] = np.frombuffer(area, np.uint32)[: program.places.direct]
    merge, (x, y, z) = program.kernel.merge, program.block
    blocks = (-(-grid[0] // merge), grid[1], grid[2])
    return device.launch(program.machine, blocks, (x * y * z * merge, 1, 1), [*places, *map(int, words)])
