"""`python -m benchmarks.calibrate`: what the two published FFT timings tell about the card.

Published (256 points, batch 1024, complex float32; host wall clock over 200 queued executions, divided): rows through
DDR with run-time buffers 844.6 us, columns kept in SRAM with fixed buffers 244.4 us. How many launches one execution
makes is not published, so it is a variable; each row of the table supposes one number and solves for the rest.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.bars import judge
from openrpp.arch import LEVELS, Card, Level
from openrpp.machine import Device
from openrpp.machine.report import Span

sys.path.insert(0, str(Path(__file__).parents[1] / "examples"))

import fft
from harness import Launch

ROWS_US, COLUMNS_US = 844.6, 244.4
"""Published microseconds per execution: xdltek/high-end-dsp-rpp-cuda, FFT guide."""
BATCH = 1024
PASS_BYTES = 2 * 8 * fft.POINTS * BATCH
"""Bytes of one pass over DDR: the data is read and written once."""
STAGES_PER_LAUNCH = (1, 2, 4, 8)


@dataclass(frozen=True)
class Kernels:
    """Card microseconds of all kernels of one execution, launch cost not included."""

    launches: int
    time: Span


@dataclass(frozen=True)
class Row:
    """What one supposed number of launches needs to meet the two figures."""

    stages: int
    columns: Kernels
    rows: Kernels
    launch_us: Span  # that meets the column figure; low where the kernels are slow
    predicted_columns: Span  # with the card's launch cost
    predicted_rows: Span
    ddr_single: Span  # GB/s of one pass over DDR that meets the row figure with that launch cost
    ddr_every_stage: Span  # the same where every launch streams through DDR while it computes

    def holds(self, published: float, predicted: Span) -> bool:
        """Whether a published figure lies in the predicted interval."""
        return predicted.low <= published <= predicted.high


def kernels(device: Device, launches: tuple[Launch, ...]) -> Kernels:
    """Time the launches of one execution."""
    total = Span(0.0, 0.0, 0.0)
    for launch in launches:
        total += launch.timed(device).seconds
    return Kernels(len(launches), total.scaled(1e6))


def suppose(device: Device, card: Card, stages: int) -> Row:
    """Suppose a number of stages per launch."""
    columns = kernels(device, fft.plan_columns(BATCH, stages).launches)
    rows = kernels(device, fft.plan_rows(BATCH, stages).launches)
    inner = columns.time
    launch = Span(*((COLUMNS_US - getattr(inner, level)) / columns.launches for level in reversed(LEVELS)))
    cost = card.launch.stream_us

    def predicted(what: Kernels) -> Span:
        return Span(*(getattr(what.time, level) + what.launches * cost.at(level) for level in LEVELS))

    # Kernel time and launch cost trade one for one, so the pass takes what is left of the row figure.
    beyond = ROWS_US - COLUMNS_US
    extra = rows.launches - columns.launches
    left = {level: beyond - extra * getattr(launch, level) for level in LEVELS}
    single = Span(*(_rate(PASS_BYTES, left[level]) for level in LEVELS))
    # The other way: every launch of the column FFT streams its data through DDR while it computes.
    streamed = {level: ROWS_US - columns.launches * getattr(launch, level) for level in LEVELS}
    every = Span(*(_rate(PASS_BYTES * columns.launches, streamed[level]) for level in LEVELS))
    return Row(stages, columns, rows, launch, predicted(columns), predicted(rows), single, every)


def _rate(nbytes: int, microseconds: float) -> float:
    """GB/s; no time left means that the supposition cannot be."""
    return nbytes / microseconds / 1e3 if microseconds > 0 else float("inf")


def overlaps(a: Span, low: float, high: float) -> bool:
    """Whether an interval meets another."""
    return min(a.low, a.high) <= high and max(a.low, a.high) >= low


def text(span: Span, digits: int = 1) -> str:
    """low / nominal / high."""
    return " / ".join(f"{value:.{digits}f}" for value in (span.low, span.nominal, span.high))


def show(console: Console, card: Card, rows: list[Row]) -> None:
    """Print both tables."""
    table = Table(title="column FFT kept in SRAM: published 244.4 us")
    for header in ("launches", "kernels us", "launch cost that meets it, us", "predicted us", "in the interval"):
        table.add_column(header)
    for row in rows:
        held = "yes" if row.holds(COLUMNS_US, row.predicted_columns) else "no"
        table.add_row(
            str(row.columns.launches), text(row.columns.time), text(row.launch_us), text(row.predicted_columns), held
        )
    console.print(table)
    table = Table(title="row FFT through DDR: published 844.6 us")
    for header in (
        "launches",
        "kernels us",
        "predicted us",
        "in the interval",
        "GB/s, one pass",
        "GB/s, a pass per launch",
    ):
        table.add_column(header)
    for row in rows:
        held = "yes" if row.holds(ROWS_US, row.predicted_rows) else "no"
        single, every = text(row.ddr_single), text(row.ddr_every_stage)
        table.add_row(str(row.rows.launches), text(row.rows.time), text(row.predicted_rows), held, single, every)
    console.print(table)
    cost = card.launch.stream_us
    console.print(f"launch cost of the card: {cost.low} / {cost.nominal} / {cost.high} us from a stream")


def main() -> int:
    """Suppose every number of launches, print, judge."""
    device = Device()
    card = device.card
    rows = [suppose(device, card, stages) for stages in STAGES_PER_LAUNCH]
    console = Console(width=140)
    show(console, card, rows)
    cost = card.launch.stream_us
    consistent = [row for row in rows if overlaps(row.launch_us, cost.low, cost.high)]
    peak = card.ddr.rate.value
    possible = [row for row in rows if row.ddr_single.nominal <= peak or row.ddr_every_stage.nominal <= peak]
    levels: tuple[Level, ...] = LEVELS
    bars = judge(
        "calibrate",
        {"launch_counts_consistent": len(consistent), "ddr_rates_possible": len(possible)},
        {
            "levels": levels,
            "published_us": {"rows": ROWS_US, "columns": COLUMNS_US},
            "suppositions": [
                {
                    "launches_columns": row.columns.launches,
                    "launches_rows": row.rows.launches,
                    **{
                        name: vars(value)
                        for name, value in (
                            ("kernels_columns_us", row.columns.time),
                            ("kernels_rows_us", row.rows.time),
                            ("launch_cost_us", row.launch_us),
                            ("predicted_columns_us", row.predicted_columns),
                            ("predicted_rows_us", row.predicted_rows),
                            ("ddr_one_pass_gb_s", row.ddr_single),
                            ("ddr_pass_per_launch_gb_s", row.ddr_every_stage),
                        )
                    },
                }
                for row in rows
            ],
        },
    )
    for bar in bars:
        console.print(str(bar))
    return int(any(not bar.met for bar in bars))


if __name__ == "__main__":
    sys.exit(main())
