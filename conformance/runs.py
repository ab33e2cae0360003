"""Running the registered cases: published text and image, three legal orders, strict tokens."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np

from conformance.case import Bench, Case, Source
from conformance.corpus import Corpus
from openrpp.arch import Card
from openrpp.isa.program import Kernel
from openrpp.machine import Device, MachineError
from openrpp.machine.reference import Order

LEGAL_ORDERS: tuple[Order, ...] = ("column", "warp", "random")
SMALL = 3_000_000
"""Lane-columns up to which the random order, which runs warp by warp in Python, is tried as well."""


@dataclass(frozen=True)
class Result:
    """One case on one kernel: empty `failure` means that every check held in every order that was run."""

    case: Case
    source: Source
    folder: str
    orders: tuple[str, ...]
    checks: int
    failure: str
    seconds: float
    cycles: float
    strict: str


def kernels_of(case: Case, corpus: Corpus) -> list[tuple[Source, str, Kernel]]:
    """Every kernel that a case is run on: each folder's text, each distinct image."""
    found: list[tuple[Source, str, Kernel]] = []
    seen: set[tuple[Source, tuple[int, ...]]] = set()
    for folder in case.folders or ("",):
        text = corpus.text(case.kernel, folder)
        image = corpus.image(case.image, folder)
        options: list[tuple[Source, Kernel | str | None]] = [
            ("text", text.assembled if text else None),
            ("image", image.kernel if image else None),
        ]
        for source, kernel in options:
            if source in case.sources and isinstance(kernel, Kernel) and (source, kernel.words) not in seen:
                seen.add((source, kernel.words))
                found.append((source, folder, kernel))
    return found


def run_case(case: Case, source: Source, folder: str, kernel: Kernel, card: Card, seed: int) -> Result:
    """Run a case in the legal orders that its size allows; images also under strict tokens."""
    begun = time.perf_counter()
    orders: list[str] = []
    failure, checks, cycles, strict = "", 0, 0.0, ""
    for order in LEGAL_ORDERS:
        bench = Bench(Device(card, order=order, seed=seed), kernel, source, seed)
        try:
            held = list(case.run(bench))
        except MachineError as error:
            failure = f"{order} order: {error}"
            break
        orders.append(order)
        checks = len(held)
        wrong = [sentence for check in held if (sentence := check.failure())]
        if wrong or not held:
            failure = f"{order} order: {wrong[0] if wrong else 'the case checks nothing'}"
            break
        cycles = sum(report.cycles for report in bench.reports)
        if sum(report.counters["warp_columns"] for report in bench.reports) * 32 > SMALL:
            break
    if source == "image" and not failure:
        strict = _strict(case, kernel, card, seed)
    return Result(case, source, folder, tuple(orders), checks, failure, time.perf_counter() - begun, cycles, strict)


def _strict(case: Case, kernel: Kernel, card: Card, seed: int) -> str:
    """ "clean", or the token fault that strict rules find."""
    bench = Bench(Device(card, strict=True), kernel, "image", seed)
    try:
        with np.errstate(all="ignore"):
            list(case.run(bench))
    except MachineError as error:
        return str(error)
    return "clean"
