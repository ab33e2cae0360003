"""Tables of what became of the trials."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from statistics import median
from typing import Any

from rich.table import Table

from conformance.equality.engines import APART, DIFFERS, EQUAL, FAILED, REFUSED, WARP_BY_WARP
from conformance.equality.jobs import Row


def counts(rows: Sequence[Row]) -> dict[str, dict[str, Counter[str]]]:
    """group -> way -> outcome -> kernels."""
    found: dict[str, dict[str, Counter[str]]] = {}
    for row in rows:
        group = found.setdefault(row.group, {})
        for verdict in row.verdicts:
            if verdict.why not in APART:
                group.setdefault(verdict.way, Counter())[verdict.outcome] += 1
    return found


def summary(rows: Sequence[Row]) -> Table:
    """Kernels per group and engine."""
    table = Table(title="against the scalar interpreter: kernels that leave the same memory and output")
    for column in ("group", "engine", EQUAL, DIFFERS, REFUSED, FAILED):
        table.add_column(column, justify="right" if column not in ("group", "engine") else "left")
    for group, ways in counts(rows).items():
        for way, found in ways.items():
            table.add_row(group, way, *(str(found[name] or "") for name in (EQUAL, DIFFERS, REFUSED, FAILED)))
    return table


def wrong(rows: Sequence[Row]) -> Table:
    """Everything that differs or fails."""
    table = Table(title="differences and failures")
    for column in ("group", "program", "kernel", "engine", "what"):
        table.add_column(column, overflow="fold")
    for row in rows:
        for verdict in row.verdicts:
            if verdict.outcome in (DIFFERS, FAILED):
                table.add_row(row.group, row.program, row.kernel[:60], verdict.way, verdict.why)
    return table


def reasons(rows: Sequence[Row]) -> Table:
    """Why kernels were refused or got no arguments, most frequent first."""
    table = Table(title="refused, and not tried")
    table.add_column("kernels", justify="right")
    table.add_column("what")
    table.add_column("why", overflow="fold")
    found: Counter[tuple[str, str]] = Counter()
    for row in rows:
        if row.reason:
            found["not tried", _short(row.reason)] += 1
        for why in {verdict.why for verdict in row.verdicts if verdict.outcome == REFUSED and verdict.why not in APART}:
            found["refused", _short(why)] += 1
    for (what, why), number in found.most_common():
        table.add_row(str(number), what, why)
    return table


def _short(why: str) -> str:
    """A reason without the numbers and names that make it particular."""
    why = re.sub(r"kernel \S+: ", "", why)
    why = re.sub(r"thread \(.*?\)", "thread", re.sub(r"0x[0-9a-f]+|\d+", "N", why))
    return why[:110]


def figures(rows: Sequence[Row]) -> dict[str, Any]:
    """What the bars judge: shares and counts over all kernels that were tried."""
    verdicts = [verdict for row in rows for verdict in row.verdicts if verdict.why not in APART]
    programs = [verdict.figures for verdict in verdicts if "executed" in verdict.figures]
    walked = [item for item in programs if "walked" in item]
    off = [abs(item["cycles without data"] / item["cycles"] - 1) for item in walked if item["cycles"]]
    lifted = list(_lifted(rows))
    times = [verdict.figures["compile"] for verdict in verdicts if "compile" in verdict.figures]
    tried = [verdict for verdict in verdicts if verdict.way != "native"]
    return {
        "differences": sum(verdict.outcome == DIFFERS for verdict in verdicts),
        "failures": sum(verdict.outcome == FAILED for verdict in verdicts),
        "machine_share": sum(verdict.outcome == EQUAL for verdict in tried) / max(len(tried), 1),
        "columns_off": sum(item["walked"] != item["executed"] for item in walked),
        "cycles_off": max(off, default=0.0),
        "cycles_off_median": median(off) if off else 0.0,
        "walked_without_data": len(walked),
        "lifted_columns_off": sum(mine["executed"] != theirs["executed"] for mine, theirs in lifted),
        "lifted_cycles_off": max((abs(theirs["cycles"] / mine["cycles"] - 1) for mine, theirs in lifted), default=0.0),
        "compile_median": median(times) if times else 0.0,
        "compile_most": max(times, default=0.0),
    }


def _lifted(rows: Sequence[Row]) -> Iterator[tuple[dict[str, float], dict[str, float]]]:
    """Figures of the reference engine in the order of lifted code, and of the same program lifted, on native."""
    for row in rows:
        found = {verdict.way: verdict.figures for verdict in row.verdicts if "executed" in verdict.figures}
        if "optimised" in found and "lifted" in found:
            if WARP_BY_WARP.name in found or found["optimised"]["by order"]:  # the order decides addresses, too
                ordered = found.get(WARP_BY_WARP.name, found["optimised"])
                yield {**found["lifted"], "executed": ordered["executed"]}, found["lifted"]
            else:
                yield found["optimised"], found["lifted"]
