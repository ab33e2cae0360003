"""`rpp trace`: a launch as a trace for Perfetto."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from openrpp.cli.cuda_run import is_cuda
from openrpp.cli.errors import InputError
from openrpp.cli.launching import SYNTAX, Prepared, Request, launch_options, prepare
from openrpp.cli.output import json_option
from openrpp.cli.run import show_result

if TYPE_CHECKING:
    from openrpp.report.trace import KernelEvent
    from openrpp.runtime.clock import Notice

EPILOG = (
    SYNTAX
    + """

\b
Examples:
  rpp trace scale.s --grid 4 --block 256 --in x=a.npy --param k=3 -o trace.json
  rpp run --help     (the options of a launch are the same)
"""
)


@click.command("trace", epilog=EPILOG, short_help="Run a kernel and write a trace for Perfetto.")
@launch_options
@click.option("-o", "--output", required=True, metavar="FILE", help="Trace file, in Chrome's JSON format.")
@click.option("--max-events", default=2_000_000, show_default=True, help="Events of the kernel's inside to write.")
@json_option
def command(output: str, max_events: int, as_json: bool, **options: Any) -> None:
    """Run a kernel as `rpp run` does and write what happened when, in card time, for https://ui.perfetto.dev.

    Tracks: host queue, link and DMA in and out, array; inside the kernel its sequencer and columns; a counter of DDR.
    """
    from openrpp.cli.arrays import check_writable

    if is_cuda(options["program"]):
        raise InputError(f"{options['program']}: there is no trace of CUDA yet; 'rpp run' has its card time")
    from openrpp.report.trace import TraceWriter

    check_writable(output)
    before: list[Notice] = []
    prepared = prepare(Request(**options), before.append)
    note = ""
    with TraceWriter(output, prepared.card.arch.name, max_events) as writer:
        for notice in before:
            writer.notice(notice)
        prepared.card.watch(writer.notice)
        report = prepared.launch()
        start = next(record.start for record in prepared.card.timeline if record.engine == "array")
        writer.kernel(report.kernel, inside(prepared), start, prepared.card.arch.clock.core.value * 1e6)
        prepared.save()
        prepared.card.synchronize()
    extra: dict[str, Any] = {"trace": output, "trace_events": writer.events}
    if writer.cut:
        note = f"the kernel has more than {max_events} events inside; see --max-events"
    if note:
        extra["trace_note"] = note
    show_result(prepared, report, as_json, extra)


def inside(prepared: Prepared) -> Iterator[KernelEvent]:
    """Events inside the kernel that was launched last."""
    from openrpp.machine.timing import events

    timed = prepared.card.device.timed
    assert timed is not None
    return iter(events(timed))
