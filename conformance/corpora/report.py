"""Tables of the command: programs, kernels, and how much is live beside the figures that were measured before."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from statistics import median
from typing import Final

from rich.table import Table

from conformance.corpora.examine import LIBRARY, MISSED, REACHED, Examined, Found
from conformance.corpora.needs import VARIANTS
from conformance.corpora.programs import Program

SHARES: Final = (4, 8, 16)
POINTS: Final = (10, 25, 50, 75, 90)

Row = tuple[str, str, int | None, tuple[float | None, ...], tuple[float | None, ...]]

NOTES: Final[tuple[Row, ...]] = (
    ("notes: 654 programs of 10 corpora", "base", 2617, (1, 2, 4, 9.5, 19.5), (52, 72, 87)),
    ("notes: 654 programs of 10 corpora", "kept", 2617, (2, 4, 6.5, 12, 22), (30, 62, 83)),
    ("notes: 654 programs of 10 corpora", "merged", 2617, (1, 2, 4.5, 10, 20), (50, 70, 86)),
    ("notes: 654 programs of 10 corpora", "machine", 2617, (1, 2.5, 5, 11, 22.5), (40, 66, 84)),
    ("notes: PolyBench-ACC", "base", 46, (None, None, 2, None, 3), (100, 100, 100)),
    ("notes: PolyBench-ACC", "machine", 46, (None,) * 5, (98, 100, 100)),
    ("notes: Rodinia", "base", 72, (None, None, 6, None, 36), (44, 61, 74)),
    ("notes: Rodinia", "machine", 72, (None,) * 5, (38, 54, 71)),
    ("notes: HeCBench, 444 programs", "base", 1770, (None, None, 6, None, 22), (43, 65, 83)),
    ("notes: HeCBench, 444 programs", "machine", 1770, (None,) * 5, (34, 59, 80)),
    ("notes: PolyBench, Rodinia and HeCBench", "base", 1885, (None, None, 5.5, None, 23), (44, 66, 83)),
)
"""Measured with LLVM's passes on clang 19's IR: shared/notes/register-need.md, tables 2 and 3."""


def unique(units: Iterable[Examined]) -> dict[str, list[Found]]:
    """Corpus -> kernels that reached kernel IR, without equal bodies and without a name and size seen before."""
    bodies: set[str] = set()
    shapes: set[tuple[str, int]] = set()
    found: dict[str, list[Found]] = {}
    for unit in units:
        for kernel in unit.kernels:
            shape = (kernel.symbol, kernel.instructions)
            if kernel.outcome == REACHED and kernel.body not in bodies and shape not in shapes:
                bodies.add(kernel.body)
                shapes.add(shape)
                found.setdefault(unit.corpus, []).append(kernel)
    return found


def quantile(values: Sequence[float], percent: int) -> float:
    """The smallest value that at least so many percent of the values do not exceed."""
    ordered = sorted(values)
    return ordered[max(0, -(-percent * len(ordered) // 100) - 1)]


def share(values: Sequence[float], most: float) -> float:
    """Percent of the values up to `most`."""
    return 100 * sum(value <= most for value in values) / len(values)


def programs(found: Sequence[Program], units: Sequence[Examined]) -> Table:
    """One row per program: kernels by outcome, seconds, what is special and what went wrong."""
    table = Table(title="programs (seconds: clang and reading, when it was compiled last)")
    for head in ("corpus", "program", "files", "kernels", "reached", "library", "missed", "s", "live", "remarks"):
        table.add_column(head, justify="left" if head in ("corpus", "program", "remarks") else "right", overflow="fold")
    for program in found:
        own = [unit for unit in units if (unit.corpus, unit.program) == (program.corpus, program.name)]
        kernels = [kernel for unit in own for kernel in unit.kernels]
        counts = Counter(kernel.outcome for kernel in kernels)
        live = [kernel.needs["base"] for kernel in kernels if kernel.outcome == REACHED]
        table.add_row(
            program.corpus,
            program.name,
            str(len(own)),
            str(len(kernels)),
            *(str(counts[outcome]) if counts[outcome] else "-" for outcome in (REACHED, LIBRARY, MISSED)),
            f"{sum(unit.seconds for unit in own):.2f}",
            "-" if not live else f"{min(live):g}" if min(live) == max(live) else f"{min(live):g} to {max(live):g}",
            _remarks(program, own, kernels),
        )
    return table


def _remarks(program: Program, units: Sequence[Examined], kernels: Sequence[Found]) -> str:
    remarks = [f"{' '.join((*program.extra.flags, *program.extra.left_out))}: {program.extra.why}"]
    remarks = remarks if program.extra.why else []
    remarks += [f"{unit.unit}: {unit.stopped}" for unit in units if unit.stopped]
    remarks += [f"{kernel.name}: {kernel.reason}" for kernel in kernels if kernel.outcome == MISSED]
    if not kernels:
        remarks.append("no kernel of its own")
    return "\n".join(dict.fromkeys(remarks))


def kernels(units: Sequence[Examined]) -> Table:
    """One row per kernel of the source; instances of a template share one, with the range of their figures."""
    table = Table(title="most live values of a thread, in units of 32 bits, at any point of a kernel")
    for head in ("corpus", "program", "kernel", "instances", *VARIANTS.values(), "median, base"):
        table.add_column(head, justify="left" if head in ("corpus", "program", "kernel") else "right", overflow="fold")
    rows: dict[tuple[str, str, str], list[Found]] = {}
    for unit in units:
        for kernel in unit.kernels:
            if kernel.outcome == REACHED:
                name = kernel.name.partition("<")[0]
                rows.setdefault((unit.corpus, unit.program, name), []).append(kernel)
    for key, found in rows.items():
        figures = [[kernel.needs[variant] for kernel in found] for variant in (*VARIANTS, "median")]
        spans = [
            f"{min(values):g}" + (f" to {max(values):g}" if min(values) < max(values) else "") for values in figures
        ]
        table.add_row(*key, str(len(found)), *spans)
    return table


def distribution(units: Sequence[Examined]) -> Table:
    """Quantiles and shares over unique kernels, per corpus and together, with the figures of the notes below."""
    table = Table(title="most live values over kernels: one vote each, equal kernels once")
    for head in (
        "kernels of",
        "variant",
        "n",
        *(f"p{point}" for point in POINTS),
        *(f"<= {most}, %" for most in SHARES),
    ):
        table.add_column(head, justify="left" if head in ("kernels of", "variant") else "right")
    found = unique(units)
    together = {**found, "together": [kernel for kernels in found.values() for kernel in kernels]}
    for corpus, chosen in together.items():
        for variant in VARIANTS:
            values = [kernel.needs[variant] for kernel in chosen]
            if values:
                points = tuple(quantile(values, point) for point in POINTS)
                table.add_row(
                    *_row((corpus, variant, len(values), points, tuple(share(values, most) for most in SHARES)))
                )
        table.add_section()
    for row in NOTES:
        table.add_row(*_row(row))
    return table


def _row(row: Row) -> list[str]:
    name, variant, count, points, shares = row
    cells = ["" if value is None else f"{value:g}" for value in points]
    return [name, VARIANTS[variant], str(count), *cells, *("" if value is None else f"{value:.0f}" for value in shares)]


def by_program(units: Sequence[Examined], variant: str) -> float:
    """The median over programs of the median over their kernels: floods of instances count once."""
    values: dict[tuple[str, str], list[float]] = {}
    for unit in units:
        for kernel in unit.kernels:
            if kernel.outcome == REACHED:
                values.setdefault((unit.corpus, unit.program), []).append(kernel.needs[variant])
    return median(median(found) for found in values.values()) if values else 0
