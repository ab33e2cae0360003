"""How many register pairs are worth having: kernels of the corpora compiled with 4, 6 and 8 pairs.

    python -m benchmarks.mapping.pairs [--polybench DIR] [--rodinia DIR] [--hecbench DIR] [--only NAMES]

Every kernel body counts once, in blocks of 256 threads. Spills are accesses to planes in the code, one in a loop once;
"turned" counts a column in a loop ten times for each loop around it. Kernels of more than 900 instructions, which take
long, and those that the back end refuses are left out. The jobs of `benchmarks/cuda` run on the virtual card: cycles.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import geometric_mean, mean, median, quantiles

from rich.console import Console
from rich.progress import track
from rich.table import Table

from benchmarks.mapping import board
from benchmarks.mapping.board import SMALL
from benchmarks.mapping.spills import BLOCK, useful
from conformance.corpora.__main__ import chosen
from conformance.corpora.examine import LIMIT, STORE
from conformance.corpora.needs import fingerprint
from conformance.corpora.programs import Program, Unit
from openrpp.codegen import card
from openrpp.codegen.card.measures import column_starts
from openrpp.codegen.card.prepare import prepared
from openrpp.codegen.errors import Unsupported
from openrpp.cuda import CudaError, compile_file, read
from openrpp.isa.form import Slot
from openrpp.isa.table import decode_form
from openrpp.kir import KirError
from openrpp.kir.ir import Module
from openrpp.storage import Cache

PAIRS = (4, 6, 8)
TURNS = 10
MOST_INSTRUCTIONS = 900


@dataclass(frozen=True)
class Measured:
    """One kernel with one number of pairs. `operations` are vector instructions but for accesses to planes."""

    kernel: str
    pairs: int
    columns: int
    turned: int
    words: int
    fifth: int  # words with fifth bits of register codes
    spills: int
    operations: int
    seconds: float


def measure(module: Module, name: str, label: str, pairs: int) -> Measured:
    """Compile a prepared kernel. Raises Unsupported."""
    begun = time.perf_counter()
    threads = min(module.kernels[name].max_threads or BLOCK, BLOCK)
    program = card.compile(module, name, (threads, 1, 1), pairs=pairs)
    seconds = time.perf_counter() - begun
    words = program.machine.words[: column_starts(program.machine.words)[-1]]
    forms = [form for word in words if (form := decode_form(word)) is not None]
    inside = sum(loop.columns for loop in program.loops)
    turned = program.columns - inside + sum(loop.columns * TURNS ** (loop.depth + 1) for loop in program.loops)
    fifth = sum(form.slot is Slot.UPPER for form in forms)
    seconds = round(seconds, 3)
    return Measured(label, pairs, program.columns, turned, len(words), fifth, program.spills, useful(program), seconds)


def kernels(program: Program, unit: Unit, seen: set[str]) -> Iterator[tuple[Module, str, str]]:
    """(prepared module, symbol, label) of the kernels of a file whose body was not there before, but for large ones."""
    try:
        device = read(compile_file(unit.path, unit.options, Cache(STORE, LIMIT)), strict=False)
    except (CudaError, KirError):
        return
    for name, kernel in device.module.kernels.items():
        body = fingerprint(kernel)
        if body in seen:
            continue
        seen.add(body)
        try:
            module = prepared(device.module, name)
        except Unsupported:
            continue
        if sum(1 for _ in module.kernels[name].instructions()) <= MOST_INSTRUCTIONS:
            yield module, name, f"{program.corpus}/{program.name}/{name}"


def run(programs: Sequence[Program]) -> tuple[list[Measured], int]:
    """(figures of kernels that compile with every number of pairs, how many kernels were refused)."""
    found: list[Measured] = []
    refused, seen = 0, set[str]()
    for program in track(programs, "compiling", console=Console(stderr=True), disable=not sys.stderr.isatty()):
        for unit in program.units:
            for module, name, label in kernels(program, unit, seen):
                try:
                    found += [measure(module, name, label, pairs) for pairs in PAIRS]
                except Unsupported:
                    refused += 1
    return found, refused


def table(found: Sequence[Measured]) -> Table:
    """The decision table."""
    made = Table(title=f"{len(found) // len(PAIRS)} kernels")
    for title in (
        "pairs",
        "no spill",
        "spills per operation: mean, p90",
        "columns",
        "of 4 pairs",
        "turned, of 4 pairs: mean",
        "words with fifth bits",
        "seconds: median, most",
    ):
        made.add_column(title, justify="right")
    by_pairs = {pairs: [item for item in found if item.pairs == pairs] for pairs in PAIRS}
    base = by_pairs[PAIRS[0]]
    for pairs, items in by_pairs.items():
        ratios = [item.spills / max(item.operations, 1) for item in items]
        seconds = [item.seconds for item in items]
        columns = sum(item.columns for item in items)
        turned = mean(item.turned / first.turned for item, first in zip(items, base, strict=True))
        made.add_row(
            str(pairs),
            f"{mean(not item.spills for item in items):.0%}",
            f"{mean(ratios):.3f}, {quantiles(ratios, n=10)[-1]:.2f}",
            str(columns),
            f"{columns / sum(item.columns for item in base):.3f}",
            f"{turned:.3f}",
            f"{sum(item.fifth for item in items) / sum(item.words for item in items):.1%}",
            f"{median(seconds):.2f}, {max(seconds):.1f}",
        )
    return made


def cycles() -> Table:
    """Cycles of the benchmark jobs with each number of pairs, blocks merged."""
    made = Table(title="nominal cycles of jobs, and columns in their code")
    for title in ("job", *(f"{pairs} pairs" for pairs in PAIRS)):
        made.add_column(title, justify="right")
    gains: list[list[float]] = [[] for _ in PAIRS]
    for make in track(SMALL, "running", console=Console(stderr=True), disable=not sys.stderr.isatty()):
        ran = [board.run(make, True, pairs) for pairs in PAIRS]
        for gain, item in zip(gains, ran, strict=True):
            gain.append(item.cycles / ran[0].cycles)
        made.add_row(ran[0].job.name, *(f"{item.cycles:.0f} ({item.program.columns})" for item in ran))
    made.add_row("geometric mean, of 4 pairs", *(f"{geometric_mean(gain):.3f}" for gain in gains))
    return made


def main() -> int:
    """Measure and print; 1 where no kernel compiles."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.mapping.pairs", description=__doc__)
    parser.add_argument("--polybench", type=Path, help="checkout of cavazos-lab/PolyBench-ACC")
    parser.add_argument("--rodinia", type=Path, help="checkout of yuhc/gpu-rodinia")
    parser.add_argument("--hecbench", type=Path, help="checkout of zjin-lcf/HeCBench")
    parser.add_argument("--only", default="", help="names of programs, with commas")
    parser.add_argument("--results", type=Path, help="write every kernel's figures here, as JSON")
    given = parser.parse_args()
    console = Console(width=160)
    console.print(cycles())
    if not (given.polybench or given.rodinia or given.hecbench):
        return 0
    found, refused = run(chosen(given.polybench, given.rodinia, given.hecbench, given.only))
    if given.results:
        given.results.write_text(json.dumps([asdict(item) for item in found], indent=1) + "\n", encoding="utf-8")
    if not found:
        console.print(f"no kernel compiles; {refused} are refused")
        return 1
    console.print(table(found))
    console.print(f"{refused} more kernels are refused by the back end")
    return 0


if __name__ == "__main__":
    sys.exit(main())
