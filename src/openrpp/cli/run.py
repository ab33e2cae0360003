"""`rpp run`: launch a kernel on the virtual card."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from openrpp.cli.launching import SYNTAX, Prepared, Request, launch_options, prepare
from openrpp.cli.output import emit, json_option

if TYPE_CHECKING:
    from openrpp.machine.report import LaunchReport

EPILOG = (
    SYNTAX
    + """

\b
Examples:
  rpp run scale.s --grid 4 --block 256 --in src=a.npy --out dst=b.npy:uint16:1024 --param k=3
  rpp run lib.o --kernel add --block 1024 --in x=a.npy:bf16 --in y=b.npy:bf16 --out x=sum.npy --json
"""
)


@click.command("run", epilog=EPILOG, short_help="Run a kernel on the virtual card.")
@launch_options
@json_option
def command(as_json: bool, **options: Any) -> None:
    """Run a kernel of PROG (assembly text or an object) on the virtual card and print its report in card time."""
    prepared = prepare(Request(**options))
    report = prepared.launch()
    prepared.save()
    show_result(prepared, report, as_json, {})


def show_result(prepared: Prepared, report: LaunchReport, as_json: bool, extra: dict[str, Any]) -> None:
    """Print the report, what was saved, and the two kinds of time apart from each other."""
    total = prepared.card.synchronize()
    if as_json:
        document = {
            "report": report.as_dict(),
            "card": prepared.card.arch.name,
            "engine": prepared.request.engine,
            "total_card_seconds": {"low": total.low, "nominal": total.nominal, "high": total.high},
            "outputs": prepared.saved,
            "host_seconds": prepared.host_seconds,
            **extra,
        }
        emit(document)
        return
    from openrpp.report.figures import duration, durations
    from openrpp.report.launch import launch_table
    from openrpp.report.tables import show

    show(launch_table(report, prepared.card.arch.limits.warp.value))
    show(f" with launch and copies over the link and DMA: {durations(total)} of card time")
    for item in prepared.saved:
        shape = " x ".join(map(str, item["shape"])) or "one value"
        show(f" {item['name']} -> {item['file']} ({item['dtype']}, {shape})")
    for name, value in extra.items():
        show(f" {name.replace('_', ' ')}: {value}")
    engine = prepared.request.engine
    show(f" host time {duration(prepared.host_seconds)} ({engine} engine on this computer; not card time)")
