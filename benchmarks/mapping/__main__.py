"""`python -m benchmarks.mapping`: how compiled kernels map to columns of the card, against hand-written code.

All figures are card figures of the timing model, except compile times, which are host seconds.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from statistics import geometric_mean, median
from typing import Any

from rich.console import Console
from rich.progress import track
from rich.table import Table

from benchmarks.bars import judge
from benchmarks.mapping.board import SMALL, Ran, run
from benchmarks.mapping.byhand import Pair, pairs
from benchmarks.mapping.prototype import SLACK, Row, prototype
from benchmarks.mapping.spills import Sized, sized
from conformance.corpora.__main__ import chosen
from conformance.corpora.report import quantile


def main() -> int:
    """Measure everything; 0 if the bars are met."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.mapping", description=__doc__)
    parser.add_argument("--polybench", type=Path, help="checkout of cavazos-lab/PolyBench-ACC")
    parser.add_argument("--rodinia", type=Path, help="checkout of yuhc/gpu-rodinia")
    parser.add_argument("--hecbench", type=Path, help="checkout of zjin-lcf/HeCBench")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON instead of tables")
    given = parser.parse_args()
    if given.polybench or given.rodinia or given.hecbench:
        programs = chosen(given.polybench, given.rodinia, given.hecbench, "")
        kernels = list(sized(_shown(programs, "corpora")))
    else:
        kernels = []
    ten, hand = prototype(), pairs()
    ran = [(run(make, False), run(make, True)) for make in _shown(SMALL, "running")]
    figures = _figures(ten, hand, ran, kernels)
    details = {"prototype": [_row(row) for row in ten], "jobs": [_job(*pair) for pair in ran]}
    details["by_hand"] = [{**asdict(pair), "over_hand": pair.ratio} for pair in hand]
    details["corpora"] = [asdict(kernel) for kernel in kernels]
    bars = judge("mapping", figures, details)
    if given.json:
        print(json.dumps({"figures": figures, **details}, indent=1))
    else:
        console = Console(width=170)
        for table in (_prototype(ten), _by_hand(hand), _jobs(ran), *([_corpora(kernels)] if kernels else [])):
            console.print(table)
        for bar in bars:
            print(bar)
    return int(not all(bar.met for bar in bars))


def _shown(items: Sequence[Any], what: str) -> Any:
    return track(items, what, console=Console(stderr=True), disable=not sys.stderr.isatty())


def _figures(ten: list[Row], hand: list[Pair], ran: list[tuple[Ran, Ran]], kernels: list[Sized]) -> dict[str, float]:
    loops = [now / hand for row in ten for now, hand in zip(row.loops, row.job.loops, strict=False)]
    made = [kernel for kernel in kernels if not kernel.refused]
    found: dict[str, float] = {
        "prototype_columns": max(row.columns / row.job.most for row in ten),
        "prototype_loops": max(loops),
        "over_hand": max(pair.ratio for pair in hand),
        "wrong_pairs": sum(not pair.equal for pair in hand),
        "wrong_results": sum(one.error > 1 for pair in ran for one in pair),
        "merging_gain": geometric_mean(alone.cycles / merged.cycles for alone, merged in ran if merged.merge > 1),
        "builds_that_differ": len({_digest(seed) for seed in ("1", "2", "random")}) - 1,
    }
    if made:
        found |= {
            "spills_median": median(kernel.per_operation for kernel in made),
            "spills_p90": quantile([kernel.per_operation for kernel in made], 90),
            "compile_median": median(kernel.seconds for kernel in made),
            "compile_most": max(kernel.seconds for kernel in made),
            "corpora_share": len(made) / len(kernels),
        }
    return found


def _digest(hash_seed: str) -> str:
    """A digest of the machine code of the ten kernels, compiled by a process with other hashes."""
    code = "from benchmarks.mapping.__main__ import words; print(words())"
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
    return subprocess.run(
        [sys.executable, "-c", code], env=environment, check=True, capture_output=True
    ).stdout.decode()


def words() -> str:
    """A digest of the machine code of the ten kernels."""
    from benchmarks.mapping.prototype import JOBS, program

    return hashlib.sha256(repr([program(job).machine.words for job in JOBS]).encode()).hexdigest()


# --- tables ------------------------------------------------------------------------------------------------------


def _prototype(ten: list[Row]) -> Table:
    table = Table(title=f"the ten kernels of the first back end; loops may take {SLACK} times the hand-written columns")
    for column in ("kernel", "columns", "at most", "loops", "by hand", "spill accesses", ""):
        table.add_column(column, justify="left" if column in ("kernel", "") else "right")
    for row in ten:
        loops, hand = (" ".join(map(str, item)) for item in (row.loops, row.job.loops))
        verdict = "" if row.met else "MISSED"
        table.add_row(row.job.name, str(row.columns), str(row.job.most), loops, hand, str(row.spills), verdict)
    return table


def _by_hand(hand: list[Pair]) -> Table:
    table = Table(title="compiled CUDA against hand-written assembly that does the same job")
    for column in ("job", "columns by hand", "compiled", "cycles by hand", "compiled", "times", "results"):
        table.add_column(column, justify="left" if column in ("job", "results") else "right")
    for pair in hand:
        table.add_row(
            pair.job, f"{pair.hand_columns:,}", f"{pair.compiled_columns:,}", f"{pair.hand_cycles:,.0f}",
            f"{pair.compiled_cycles:,.0f}", f"{pair.ratio:.2f}", "equal" if pair.equal else "DIFFER",
        )  # fmt: skip
    return table


def _jobs(ran: list[tuple[Ran, Ran]]) -> Table:
    table = Table(title="kernels on the card: one CUDA block per block of the card, and merged")
    names = ("kernel", "size", "columns", "spills", "executed", "cycles", "merged", "columns", "cycles", "gain")
    for column in (*names, "lanes", "ports", "ddr", "limit", "result"):
        table.add_column(column, justify="left" if column in ("kernel", "size", "limit", "result") else "right")
    for alone, merged in ran:
        shares = (f"{merged.share(unit):.0%}" for unit in ("lanes", "ports", "ddr"))
        right = "right" if max(alone.error, merged.error) <= 1 else "WRONG"
        table.add_row(
            alone.job.name, alone.job.size, f"{alone.program.columns}", f"{alone.program.spills}", f"{alone.columns:,}",
            f"{alone.cycles:,.0f}", str(merged.merge), f"{merged.program.columns}", f"{merged.cycles:,.0f}",
            f"{alone.cycles / merged.cycles:.2f}", *shares, merged.limiter, right,
        )  # fmt: skip
    return table


def _corpora(kernels: list[Sized]) -> Table:
    made = [kernel for kernel in kernels if not kernel.refused]
    table = Table(title=f"kernels of the corpora: {len(made)} of {len(kernels)} compiled")
    for column in ("", "p10", "p50", "p75", "p90", "most"):
        table.add_column(column, justify="right" if column else "left")
    rows = (
        ("columns", [kernel.columns for kernel in made], "{:.0f}"),
        ("spill accesses per useful operation", [kernel.per_operation for kernel in made], "{:.2f}"),
        ("seconds to compile (host)", [kernel.seconds for kernel in made], "{:.3f}"),
    )
    for name, values, form in rows:
        table.add_row(name, *(form.format(quantile(values, point)) for point in (10, 50, 75, 90, 100)))
    return table


def _row(row: Row) -> dict[str, Any]:
    return {**asdict(row), "met": row.met}


def _job(alone: Ran, merged: Ran) -> dict[str, Any]:
    def one(ran: Ran) -> dict[str, Any]:
        shares = {unit: ran.share(unit) for unit in ran.reports[0].utilisation}
        return {
            "merge": ran.merge, "columns": ran.program.columns, "spills": ran.program.spills, "executed": ran.columns,
            "cycles": ran.cycles, "limiter": ran.limiter, "utilisation": shares, "error": ran.error,
        }  # fmt: skip

    return {"kernel": alone.job.name, "size": alone.job.size, "alone": one(alone), "merged": one(merged)}


if __name__ == "__main__":
    sys.exit(main())
