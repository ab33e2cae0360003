"""`python -m conformance --vendor DIR`: the published kernels, assembled, disassembled and run."""

from __future__ import annotations

import argparse
import importlib
import pkgutil
import sys
from collections import Counter
from pathlib import Path

from rich.console import Console
from rich.progress import track
from rich.table import Table

import conformance.cases
from benchmarks.bars import Bar, judge
from conformance.case import REGISTRY
from conformance.corpus import Corpus, load
from conformance.pairs import Pair, compare, round_trip
from conformance.runs import Result, kernels_of, run_case
from openrpp.arch import load as load_card


def main() -> int:
    """Run everything; 0 if every case holds and the bars are met."""
    parser = argparse.ArgumentParser(prog="conformance", description=__doc__)
    parser.add_argument("--vendor", type=Path, required=True, help="checkout of xdltek/llama.cpp")
    parser.add_argument("--only", default="", help="run only cases whose kernel name contains this")
    parser.add_argument("--seed", type=int, default=1, help="seed of the random data (printed)")
    options = parser.parse_args()
    console = Console(width=150)
    corpus = load(options.vendor)
    for module in pkgutil.iter_modules(conformance.cases.__path__):
        importlib.import_module(f"conformance.cases.{module.name}")
    pairs = compare(corpus)
    trips = {image.kernel.words: round_trip(image.kernel) for image in corpus.images}
    results = _run(corpus, options.only, options.seed, console)
    _print_pairs(console, pairs, trips, corpus)
    _print_runs(console, results)
    left = _not_run(corpus, results)
    _print_left(console, left)
    console.print(f"seed {options.seed}")
    if options.only:
        return int(any(result.failure for result in results))
    return _judge(console, pairs, trips, results, left)


def _run(corpus: Corpus, only: str, seed: int, console: Console) -> list[Result]:
    card = load_card("ae7100")
    work = [(case, *kernel) for case in REGISTRY.cases if only in case.kernel for kernel in kernels_of(case, corpus)]
    shown = track(work, "running", console=Console(stderr=True), disable=not sys.stderr.isatty())
    return [run_case(case, source, folder, kernel, card, seed) for case, source, folder, kernel in shown]


def _print_pairs(console: Console, pairs: list[Pair], trips: dict[tuple[int, ...], str | None], corpus: Corpus) -> None:
    table = Table(title="published texts against published images (those that are not bit for bit)")
    for column in ("text", "status", "why"):
        table.add_column(column, overflow="fold")
    for pair in pairs:
        if pair.status != "exact":
            table.add_row(pair.name, pair.status, pair.note)
    console.print(table)
    counts = Counter(pair.status for pair in pairs)
    console.print(f"{len(pairs)} text names: " + ", ".join(f"{number} {status}" for status, number in counts.items()))
    broken = [sentence for sentence in trips.values() if sentence]
    console.print(f"{len(corpus.images)} images ({len(trips)} distinct): {len(broken)} differ after text and back")
    for sentence in broken:
        console.print(f"  {sentence}")


def _print_runs(console: Console, results: list[Result]) -> None:
    table = Table(title="kernels run against NumPy references (card time is nominal cycles)")
    for column in ("kernel", "source", "geometry", "orders", "checks", "strict", "cycles", "host s", "result"):
        table.add_column(column, overflow="fold")
    for result in results:
        table.add_row(
            result.case.kernel,
            result.source,
            result.case.geometry,
            "+".join(result.orders),
            str(result.checks),
            result.strict or "-",
            f"{result.cycles:.0f}",
            f"{result.seconds:.2f}",
            result.failure or "ok",
        )
    console.print(table)


def _not_run(corpus: Corpus, results: list[Result]) -> list[tuple[str, str]]:
    """Published names that no passing case covers, with the reason where one is known."""
    covered = {name for result in results if not result.failure for name in (result.case.kernel, result.case.image)}
    names: dict[str, str] = {}
    for text in corpus.texts:
        if text.stem not in covered and not set(text.exports) & covered:
            reason = text.assembled if isinstance(text.assembled, str) else "no case is written for it"
            names[text.stem] = f"text: {reason}"
    for image in corpus.images:
        if image.kernel.name not in covered and not _made_from(image.kernel.name, image.folder, corpus) & covered:
            names.setdefault(image.kernel.name, "image: no case is written for it")
    return sorted(names.items())


def _made_from(name: str, folder: str, corpus: Corpus) -> set[str]:
    return {text.stem for text in corpus.texts if name in text.exports and text.folder == folder}


def _print_left(console: Console, left: list[tuple[str, str]]) -> None:
    table = Table(title="published kernels that are not run")
    table.add_column("kernel")
    table.add_column("why", overflow="fold")
    for name, reason in left:
        table.add_row(name, reason)
    console.print(table)


def _judge(
    console: Console,
    pairs: list[Pair],
    trips: dict[tuple[int, ...], str | None],
    results: list[Result],
    left: list[tuple[str, str]],
) -> int:
    passed = {result.case.kernel for result in results if not result.failure}
    measured = {
        "exact_pairs": sum(pair.status == "exact" for pair in pairs),
        "images_that_differ": sum(bool(sentence) for sentence in trips.values()),
        "kernels_checked": len(passed),
        "failures": sum(bool(result.failure) for result in results),
        "strict_faults": sum(result.strict not in ("", "clean") for result in results),
    }
    details = {
        "not_exact": [vars(pair) for pair in pairs if pair.status != "exact"],
        "runs": [
            {"kernel": r.case.kernel, "source": r.source, "folder": r.folder, "geometry": r.case.geometry,
             "orders": r.orders, "checks": r.checks, "strict": r.strict, "cycles": r.cycles, "failure": r.failure}
            for r in results
        ],
        "not_run": [{"kernel": name, "why": why} for name, why in left],
    }  # fmt: skip
    bars: list[Bar] = judge("conformance", measured, details)
    for bar in bars:
        console.print(str(bar))
    return int(any(not bar.met for bar in bars))


if __name__ == "__main__":
    sys.exit(main())
