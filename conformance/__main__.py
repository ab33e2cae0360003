"""`python -m conformance --vendor DIR`: the published kernels, assembled, disassembled and run."""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

from rich.console import Console
from rich.progress import track
from rich.table import Table

from benchmarks.bars import Bar, judge
from conformance.corpus import Corpus, load
from conformance.lifted import Lifted, import_cases, lifted_case, start_worker, work
from conformance.pairs import Pair, compare, round_trip
from conformance.runs import Result, run_case
from openrpp.arch import load as load_card


def main() -> int:
    """Run everything; 0 if every case holds and the bars are met."""
    parser = argparse.ArgumentParser(prog="conformance", description=__doc__)
    parser.add_argument("--vendor", type=Path, required=True, help="checkout of xdltek/llama.cpp")
    parser.add_argument("--only", default="", help="run only cases whose kernel name contains this")
    parser.add_argument("--seed", type=int, default=1, help="seed of the random data (printed)")
    parser.add_argument("--lifted", action="store_true", help="only compare originals with lifted code, natively")
    parser.add_argument("--no-lifted", action="store_true", help="leave that comparison out")
    parser.add_argument("--workers", type=int, default=2, help="processes that compare lifted code")
    options = parser.parse_args()
    console = Console(width=150)
    corpus = load(options.vendor)
    import_cases()
    lifted = [] if options.no_lifted else _compare_lifted(options, corpus, console)
    if options.lifted:
        return _judge_lifted(console, lifted, options.only)
    pairs = compare(corpus)
    trips = {image.kernel.words: round_trip(image.kernel) for image in corpus.images}
    results = _run(corpus, options.only, options.seed, console)
    _print_pairs(console, pairs, trips, corpus)
    _print_runs(console, results)
    left = _not_run(corpus, results)
    _print_left(console, left)
    console.print(f"seed {options.seed}")
    wrong = _judge_lifted(console, lifted, options.only) if lifted else 0
    if options.only:
        return int(bool(wrong) or any(result.failure for result in results))
    return _judge(console, pairs, trips, results, left) | wrong


def _run(corpus: Corpus, only: str, seed: int, console: Console) -> list[Result]:
    card = load_card("ae7100")
    shown = track(work(corpus, only), "running", console=Console(stderr=True), disable=not sys.stderr.isatty())
    return [run_case(case, source, folder, kernel, card, seed) for case, source, folder, kernel in shown]


def _compare_lifted(options: argparse.Namespace, corpus: Corpus, console: Console) -> list[tuple[str, Lifted]]:
    """(kernel and source, how it went) of every case, in the order of the cases."""
    names = [f"{case.kernel} ({source}, {folder or 'any'})" for case, source, folder, _ in work(corpus, options.only)]
    given = (options.vendor, options.only, options.seed)
    with ProcessPoolExecutor(options.workers, get_context("spawn"), start_worker, given) as pool:
        found = pool.map(lifted_case, range(len(names)))
        shown = track(found, "comparing", len(names), console=Console(stderr=True), disable=not sys.stderr.isatty())
        return list(zip(names, shown, strict=True))


def _judge_lifted(console: Console, lifted: list[tuple[str, Lifted]], only: str) -> int:
    """Print what differs and judge the counts; 0 if all is well."""
    differing = [(name, result.failure) for name, result in lifted if result.failure]
    for name, failure in differing:
        console.print(f"lifted code differs: {name}: {failure}")
    equal, launches = len(lifted) - len(differing), sum(result.launches for _, result in lifted)
    console.print(f"original = lifted on the native engine: {equal} of {len(lifted)} cases, {launches} launches")
    if only:
        return int(bool(differing))
    measured: dict[str, float] = {"equal": equal, "differ": len(differing)}
    bars = judge("lifted", measured, {"differing": differing, "seconds": {name: r.seconds for name, r in lifted}})
    for bar in bars:
        console.print(str(bar))
    return int(any(not bar.met for bar in bars))


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
    measured: dict[str, float] = {
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
