"""`python -m conformance.corpora`: kernels of public CUDA programs to verified kernel IR, and what they keep live."""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict
from pathlib import Path
from statistics import median

from rich.console import Console
from rich.progress import track

from benchmarks.bars import judge
from conformance.corpora import report
from conformance.corpora.examine import LIBRARY, MISSED, REACHED, Examined, examine
from conformance.corpora.programs import Program, hecbench, polybench, rodinia


def main() -> int:
    """Examine everything; 0 if the bars are met."""
    parser = argparse.ArgumentParser(prog="python -m conformance.corpora", description=__doc__)
    parser.add_argument("--polybench", type=Path, help="checkout of cavazos-lab/PolyBench-ACC")
    parser.add_argument("--rodinia", type=Path, help="checkout of yuhc/gpu-rodinia")
    parser.add_argument("--hecbench", type=Path, help="checkout of zjin-lcf/HeCBench")
    parser.add_argument("--only", default="", help="names of programs, with commas; bars are then not judged")
    parser.add_argument("--workers", type=int, default=2, help="processes (2)")
    given = parser.parse_args()
    found = chosen(given.polybench, given.rodinia, given.hecbench, given.only)
    console = Console(width=200)
    begun = time.perf_counter()
    units = _run(found, given.workers)
    console.print(report.programs(found, units))
    console.print(report.kernels(units))
    console.print(report.distribution(units))
    _print_sums(console, units, time.perf_counter() - begun)
    return 0 if given.only else _judge(console, units)


def chosen(poly: Path | None, rod: Path | None, hec: Path | None, only: str) -> list[Program]:
    """The programs asked for. Raises SystemExit with a sentence where a path or a name is wrong."""
    readers = [(poly, polybench), (rod, rodinia), (hec, hecbench)]
    found = [program for path, reader in readers if path is not None for program in reader(path)]
    if not found:
        raise SystemExit("corpora: no corpus is given; at least one of --polybench, --rodinia and --hecbench is needed")
    names = [name for name in only.split(",") if name]
    wrong = [name for name in names if name not in {program.name for program in found}]
    if wrong:
        raise SystemExit(f"corpora: no program is called {', '.join(wrong)}")
    return [program for program in found if not names or program.name in names]


def _run(found: Sequence[Program], workers: int) -> list[Examined]:
    results: dict[tuple[str, str], list[Examined]] = {}
    with ProcessPoolExecutor(workers) as pool:
        jobs = {pool.submit(examine, program): program for program in found}
        shown = track(
            as_completed(jobs), "compiling", len(jobs), console=Console(stderr=True), disable=not sys.stderr.isatty()
        )
        for job in shown:
            program = jobs[job]
            results[program.corpus, program.name] = job.result()
    return [unit for program in found for unit in results[program.corpus, program.name]]


def seconds(units: Sequence[Examined]) -> list[float]:
    """Compile seconds of each program all of whose files compile."""
    sums: dict[tuple[str, str], float] = {}
    stopped = {(unit.corpus, unit.program) for unit in units if unit.stopped}
    for unit in units:
        key = unit.corpus, unit.program
        sums[key] = sums.get(key, 0) + unit.seconds
    return [value for key, value in sums.items() if key not in stopped]


def _print_sums(console: Console, units: Sequence[Examined], past: float) -> None:
    for corpus in dict.fromkeys(unit.corpus for unit in units):
        counts = Counter(kernel.outcome for unit in units if unit.corpus == corpus for kernel in unit.kernels)
        console.print(f"{corpus}: {counts[REACHED]} of {counts[REACHED] + counts[MISSED]} kernels that use no library")
    users: dict[str, list[str]] = {}
    for unit in units:
        for kernel in unit.kernels:
            if kernel.outcome == LIBRARY:
                users.setdefault(kernel.reason, []).append(f"{unit.program}: {kernel.name}")
    for library, names in users.items():
        console.print(f"{len(names)} kernels use {library} and are not counted: {', '.join(names)}")
    compiled = seconds(units)
    if compiled:
        console.print(f"seconds to compile a program: median {median(compiled):.2f}, most {max(compiled):.2f}")
    console.print(
        f"one vote per program, medians: base {report.by_program(units, 'base'):g}, "
        f"machine model {report.by_program(units, 'machine'):g} (notes: 5 and 5.5)"
    )
    console.print(f"{past:.0f} s")


def _judge(console: Console, units: Sequence[Examined]) -> int:
    outcomes = Counter(kernel.outcome for unit in units for kernel in unit.kernels)
    values = {
        variant: [kernel.needs[variant] for kernels in report.unique(units).values() for kernel in kernels]
        for variant in report.VARIANTS
    }
    measured = {"share": outcomes[REACHED] / max(1, outcomes[REACHED] + outcomes[MISSED])}
    for variant in ("base", "machine"):
        measured[f"live_{variant}"] = report.by_program(units, variant)
    measured["rematerialised"] = report.share(values["base"], 4) - report.share(values["kept"], 4)
    measured["merging_costs"] = report.share(values["base"], 4) - report.share(values["merged"], 4)
    bars = judge("corpora", measured, {"units": [asdict(unit) for unit in units]})
    for bar in bars:
        console.print(str(bar))
    return int(any(not bar.met for bar in bars))


if __name__ == "__main__":
    sys.exit(main())
