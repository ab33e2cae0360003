"""The report of a launch as a table."""

from __future__ import annotations

from collections.abc import Iterator
from math import prod

from rich.table import Table

from openrpp.machine.report import LaunchReport, Roofline
from openrpp.report.figures import durations, numbers, percent, scaled
from openrpp.report.tables import pairs

_SHOWN = {"ddr": "DDR"}
CARD_TIME = "card time, low / nominal / high over the card's figures"


def launch_table(report: LaunchReport, warp: int = 32) -> Table:
    """Kernel, geometry, card time, columns, utilisation, limiter, roofline. Nothing in it is host time."""
    return pairs(f"kernel {report.kernel} ({CARD_TIME})", launch_rows(report, warp))


def launch_rows(report: LaunchReport, warp: int = 32) -> Iterator[tuple[str, str]]:
    """(name, value) lines of a report."""
    threads = prod(report.block)
    yield "grid", f"{_extent(report.grid)}: {prod(report.grid):,} blocks"
    yield "block", f"{_extent(report.block)}: {threads:,} threads, {-(-threads // warp)} warps"
    yield "columns", f"{report.columns:,} configurations"
    yield "cycles", numbers(report.span)
    yield "kernel", durations(report.seconds)
    yield "launch", f"{durations(report.launch_seconds)} on a stream"
    if report.utilisation:
        yield (
            "utilisation",
            ", ".join(f"{_SHOWN.get(name, name)} {percent(share)}" for name, share in report.utilisation.items()),
        )
    yield "limiter", report.limiter
    yield "roofline", roofline_text(report.roofline)
    if report.data_source != "none":
        yield "data from", f"the {report.data_source} engine (gather addresses)"
    if report.dma_tail.nominal:
        yield "transfer", f"runs on for {report.dma_tail.nominal:,.0f} cycles after the kernel"
    for note in report.notes:
        yield "note", note


def roofline_text(roofline: Roofline) -> str:
    """Where a launch stands below the card's roofs."""
    reached, roof = (scaled(gigas * 1e9, "FLOP/s") for gigas in (roofline.reached, roofline.roof))
    if not roofline.reached:
        return f"no floating-point operations; the roof is {roof} ({roofline.bound})"
    share = f", {percent(roofline.reached / roofline.roof)}" if roofline.roof else ""
    where = "no DDR traffic" if roofline.intensity is None else f"{roofline.intensity:.3g} operations per DDR byte"
    return f"{reached} of {roof} ({roofline.bound}{share}), {where}"


def _extent(extent: tuple[int, int, int]) -> str:
    return " x ".join(map(str, extent))
