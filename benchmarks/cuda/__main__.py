"""`python -m benchmarks.cuda`: the native engine against C (gcc) and PoCL, and how long compiling takes.

All contestants of a kernel run in turn, round after round, on the same memory; figures are medians of the rounds.
Results are compared with NumPy before anything is timed.
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import geometric_mean, median
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.bars import judge
from benchmarks.cuda import compiling, contestants
from benchmarks.cuda.jobs import JOBS, Job, dot_matmul
from openrpp.codegen.host import llvm
from openrpp.cuda.llvm import version

SECONDS = 4.0
"""Time for the rounds of one kernel."""
ONE, TWO, C_ONE, C_TWO, FAST, POCL = "native", "native, 2 threads", "C", "C, 2 threads", "C fast-math", "PoCL"


@dataclass(frozen=True)
class Timed:
    """Seconds of the rounds of each contestant."""

    job: Job
    seconds: dict[str, list[float]]

    def median(self, who: str) -> float:
        """Median seconds."""
        return median(self.seconds[who])

    def ratio(self, who: str, other: str) -> float | None:
        """How many times as long `other` takes as `who`: the median over rounds of their ratio."""
        if other not in self.seconds:
            return None
        return median(b / a for a, b in zip(self.seconds[who], self.seconds[other], strict=True))

    def as_dict(self) -> dict[str, Any]:
        """For the results file, in milliseconds."""
        found = {
            who: {"median": 1e3 * median(times), "min": 1e3 * min(times), "rounds": len(times)}
            for who, times in self.seconds.items()
        }
        return {"kernel": self.job.name, "size": self.job.size, "milliseconds": found}


def measure(job: Job, rounds: int) -> Timed:
    """Check and time all contestants of a job. Raises SystemExit where a result is wrong."""
    memory = contestants.Memory(job)
    runs: dict[str, contestants.Run | None] = {
        ONE: contestants.native(job, memory, 1),
        C_ONE: contestants.c_peer(job, memory, 1, fast=False),
        FAST: contestants.c_peer(job, memory, 1, fast=True),
        POCL: contestants.opencl(job, memory),
        TWO: contestants.native(job, memory, 2),
        C_TWO: contestants.c_peer(job, memory, 2, fast=False),
    }
    going = {who: run for who, run in runs.items() if run is not None}
    first = 0.0
    for who, run in going.items():
        memory.restore(job)
        begun = time.perf_counter()
        run()
        first += time.perf_counter() - begun
        error = job.error(memory.arrays)
        if not error <= 1:
            raise SystemExit(f"{job.name}: the results of '{who}' are wrong (error {error:g} of what is allowed)")
    seconds: dict[str, list[float]] = {who: [] for who in going}
    ended = time.perf_counter() + SECONDS
    while len(seconds[ONE]) < 5 or (len(seconds[ONE]) < rounds and time.perf_counter() < ended):
        for who, run in going.items():
            for name in job.cleared:
                memory.arrays[name][...] = 0
            begun = time.perf_counter()
            run()
            seconds[who].append(time.perf_counter() - begun)
    return Timed(job, seconds)


def _cell(value: float | None, form: str = "{:.2f}") -> str:
    return "-" if value is None else form.format(value)


def table(found: list[Timed]) -> Table:
    """Milliseconds and ratios of all kernels."""
    made = Table(title="one interleaved run, medians; ratios are times of the other / time of native, 1 thread")
    heads = ("kernel", "size", "native ms", "min", "C ms", "fast-math ms", "PoCL ms", "/ C", "/ fast-math", "/ PoCL")
    for head in (*heads, "native 2t ms", "C 2t ms", "2t / C 2t"):
        made.add_column(head, justify="left" if head in ("kernel", "size") else "right")
    for item in found:
        job = item.job
        cells = [job.name, job.size, f"{1e3 * item.median(ONE):.2f}", f"{1e3 * min(item.seconds[ONE]):.2f}"]
        for who in (C_ONE, FAST, POCL):
            cells.append(f"{1e3 * item.median(who):.2f}" if who in item.seconds else "-")
        cells += [_cell(item.ratio(ONE, who)) for who in (C_ONE, FAST, POCL)]
        cells += [f"{1e3 * item.median(TWO):.2f}", f"{1e3 * item.median(C_TWO):.2f}", _cell(item.ratio(TWO, C_TWO))]
        made.add_row(*cells)
    return made


def mean(found: list[Timed], who: str, other: str) -> float | None:
    """Geometric mean of ratios over the kernels that both ran."""
    ratios = [ratio for item in found if (ratio := item.ratio(who, other)) is not None]
    return geometric_mean(ratios) if ratios else None


def scaling(found: list[Timed], one: str, two: str) -> list[float]:
    """Speed-ups by a second thread."""
    return [ratio for item in found if (ratio := item.ratio(two, one)) is not None]


def _means(found: list[Timed]) -> dict[str, float]:
    """The figures that have bars."""
    given = {"over_c": (ONE, C_ONE), "over_pocl": (ONE, POCL), "two_threads": (TWO, C_TWO)}
    means = {name: mean(found, *pair) for name, pair in given.items()}
    measured = {name: value for name, value in means.items() if value is not None}
    gains = geometric_mean(scaling(found, ONE, TWO)), geometric_mean(scaling(found, C_ONE, C_TWO))
    return measured | {"two_threads_gain": gains[0] / gains[1]}


def has_amx() -> bool:
    """Whether this host multiplies bf16 tiles."""
    return "amx_bf16" in _cpuinfo("flags").split()


def dot_rate() -> float:
    """GFLOP/s of the bf16 matmul of 2048 through the dot intrinsic, one thread, median of three checked runs."""
    job = dot_matmul(np.random.default_rng(1))
    memory = contestants.Memory(job)
    run = contestants.native(job, memory, 1)
    seconds: list[float] = []
    for _ in range(3):
        memory.restore(job)
        begun = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - begun)
        if job.error(memory.arrays):
            raise SystemExit("dot_matmul: the results are wrong")
    return job.operations / median(seconds) / 1e9


def _cpuinfo(name: str) -> str:
    path = Path("/proc/cpuinfo")
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    pairs = (line.partition(":") for line in lines)
    return next((text.strip() for key, _, text in pairs if key.strip() == name), "")


def _cpu() -> str:
    name = _cpuinfo("model name") or platform.machine()
    return f"{name}, family {_cpuinfo('cpu family')}, model {_cpuinfo('model')}, {'with' if has_amx() else 'no'} AMX"


def main() -> int:
    """Measure, print, compare with the bars."""
    parser = argparse.ArgumentParser("python -m benchmarks.cuda", description="The native engine against C and PoCL.")
    parser.add_argument("--only", default="", help="names of kernels, with commas")
    parser.add_argument("--rounds", type=int, default=101, help="most rounds for a kernel")
    given = parser.parse_args()
    console = Console(width=180)
    if contestants.gcc_version() is None:
        raise SystemExit("bench-cuda: the C that it compares with needs gcc: apt install gcc")
    device = contestants.pocl()
    about = {
        "host": _cpu(),
        "tier": llvm.host_tier().name,
        "gcc": f"{contestants.gcc_version()}, {' '.join(contestants.FLAGS)}",
        "llvm": ".".join(map(str, version())),
        "pocl": device if isinstance(device, str) else f"{device.version}, {device.device}",
        "load": f"{os.getloadavg()[0]:.1f} before, on {os.cpu_count()} cores",
    }
    for key, text in about.items():
        console.print(f"{key}: {text}", highlight=False)
    rng, wanted = np.random.default_rng(1), [name for name in given.only.split(",") if name]
    found = [measure(make(rng), given.rounds) for make in JOBS if not wanted or make.__name__ in wanted]
    if found:
        console.print(table(found))
    if wanted:
        return 0
    measured = _means(found)
    control = geometric_mean(scaling(found, C_ONE, C_TWO))
    console.print(f"speed-up of C by a second thread (the control): {control:.2f}, geometric mean", highlight=False)
    rate = dot_rate()
    if has_amx():
        measured["dot_gflops"] = rate
    else:
        where = "through vectors; the bar is for hosts with AMX, which this one has not"
        console.print(f"bf16 dot matmul 2048: {rate:.1f} GFLOP/s of one core, {where}", highlight=False)
    times = compiling.measure()
    measured |= {"compile_cold": times.cold, "compile_cached": times.cached}
    bars = judge("cuda", measured, {"about": about, "kernels": [item.as_dict() for item in found], "dot_gflops": rate})
    for bar in bars:
        console.print(str(bar), highlight=False)
    if isinstance(device, str):
        console.print(f"not measured: the ratio to PoCL ({device})")
    return int(any(not bar.met for bar in bars))


if __name__ == "__main__":
    sys.exit(main())
