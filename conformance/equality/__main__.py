"""`python -m conformance.equality`: interpreter = native engine = machine code, naive, optimised and merged.

Random kernel IR, every op, our CUDA sources, and the kernels of public CUDA programs with small made-up arguments.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from rich.progress import track

from benchmarks.bars import judge
from conformance.corpora.__main__ import chosen
from conformance.equality import report
from conformance.equality.engines import DIFFERS, FAILED
from conformance.equality.jobs import Job, Random, Row, corpus_sources, op_batches, own_sources, run

JUDGED = (
    "differences",
    "failures",
    "machine_share",
    "columns_off",
    "cycles_off",
    "lifted_columns_off",
    "lifted_cycles_off",
    "compile_median",
    "compile_most",
)


def main() -> int:
    """Run everything; 0 if the bars are met."""
    parser = argparse.ArgumentParser(prog="python -m conformance.equality", description=__doc__)
    parser.add_argument("--polybench", type=Path, help="checkout of cavazos-lab/PolyBench-ACC")
    parser.add_argument("--rodinia", type=Path, help="checkout of yuhc/gpu-rodinia")
    parser.add_argument("--hecbench", type=Path, help="checkout of zjin-lcf/HeCBench")
    parser.add_argument("--only", default="", help="names of programs of the corpora, with commas; nothing is judged")
    parser.add_argument("--groups", default="", help="some of random, ops, own, polybench, rodinia, hecbench")
    parser.add_argument("--random", type=int, default=60, help="random programs (60)")
    parser.add_argument("--seed", type=int, help="of random programs and data; drawn if not given, and printed")
    parser.add_argument("--workers", type=int, default=2, help="processes (2)")
    parser.add_argument("--json", action="store_true", help="print all rows as JSON instead of tables")
    given = parser.parse_args()
    seed = random.SystemRandom().randrange(1 << 31) if given.seed is None else given.seed
    jobs = _jobs(given, seed)
    rows = _run(jobs, given.workers)
    figures = report.figures(rows)
    if given.json:
        print(json.dumps({"seed": seed, "figures": figures, "rows": [asdict(row) for row in rows]}, indent=1))
    else:
        _print(rows, seed)
    partial = given.only or given.groups
    return _judge(rows, figures, seed, given.json, bool(partial))


def _jobs(given: argparse.Namespace, seed: int) -> list[Job]:
    jobs: list[Job] = [Random(seed + index) for index in range(given.random)]
    jobs += [*op_batches(), *own_sources(seed)]
    if given.polybench or given.rodinia or given.hecbench:
        jobs += corpus_sources(chosen(given.polybench, given.rodinia, given.hecbench, given.only), seed)
    groups = {name for name in given.groups.split(",") if name}
    known = {job.group for job in jobs}
    if groups - known:
        raise SystemExit(
            f"equality: no group {', '.join(sorted(groups - known))}; there are {', '.join(sorted(known))}"
        )
    return [job for job in jobs if not groups or job.group in groups]


def _run(jobs: Sequence[Job], workers: int) -> list[Row]:
    """Rows in the order of the jobs. A job that ends its process is a row of its own."""
    found: dict[int, list[Row]] = {}
    progress = track(
        _done(jobs, workers), "comparing", len(jobs), console=Console(stderr=True), disable=not sys.stderr.isatty()
    )
    for index, rows in progress:
        found[index] = rows
        for row in rows:
            for verdict in row.verdicts:
                if verdict.outcome in (DIFFERS, FAILED):  # at once: the whole run takes minutes
                    sentence = f"{row.group} {row.program} {row.kernel}: {verdict.way} {verdict.outcome}: {verdict.why}"
                    print(sentence, file=sys.stderr, flush=True)
    return [row for index in sorted(found) for row in found[index]]


def _done(jobs: Sequence[Job], workers: int) -> Iterator[tuple[int, list[Row]]]:
    left = dict(enumerate(jobs))
    with ProcessPoolExecutor(workers) as pool:
        waiting = {pool.submit(run, job): index for index, job in left.items()}
        try:
            for done in as_completed(waiting):
                index = waiting[done]
                rows = _rows_of(done, jobs[index])
                del left[index]
                yield index, rows
        except BrokenProcessPool:
            pass
    for index, job in left.items():  # one process each, so that it is known which job ends it
        with ProcessPoolExecutor(1) as pool:
            try:
                yield index, _rows_of(pool.submit(run, job), job)
            except BrokenProcessPool:
                yield index, [Row(job.group, job.name, "", reason="an engine ends the process")]


def _rows_of(done: object, job: Job) -> list[Row]:
    from concurrent.futures import Future

    assert isinstance(done, Future)
    try:
        return done.result()
    except BrokenProcessPool:
        raise
    except Exception as error:  # a bug of the command itself must not hide the other results
        return [Row(job.group, job.name, "", reason=f"error: {type(error).__name__}: {error}".partition("\n")[0])]


def _print(rows: Sequence[Row], seed: int) -> None:
    console = Console(width=200)
    for table in (report.reasons(rows), report.wrong(rows), report.summary(rows)):
        if table.row_count:
            console.print(table)
    console.print(f"seed {seed}")


def _judge(rows: Sequence[Row], figures: dict[str, float], seed: int, as_json: bool, partial: bool) -> int:
    if partial:
        return int(bool(figures["differences"] or figures["failures"]))
    measured = {name: figures[name] for name in JUDGED}
    bars = judge("equality", measured, {"seed": seed, "figures": figures, "rows": [asdict(row) for row in rows]})
    if not as_json:
        for bar in bars:
            print(bar)
    return int(not all(bar.met for bar in bars))


if __name__ == "__main__":
    sys.exit(main())
