"""Card time of a launch."""

from __future__ import annotations

from openrpp.arch import Card
from openrpp.machine.launch import Launch
from openrpp.machine.reference import Outcome
from openrpp.machine.report import LaunchReport, Roofline, Span


def report_of(card: Card, launch: Launch, outcome: Outcome) -> LaunchReport:
    """Report of a finished launch."""
    zero = Span(0.0, 0.0, 0.0)
    counters = {"words": outcome.words, "columns": outcome.columns}
    return LaunchReport(
        launch.kernel.name, launch.grid, launch.block, 0.0, outcome.columns, zero, zero, zero, counters, {}, "none",
        Roofline(None, 0.0, 0.0, "none"),
    )
