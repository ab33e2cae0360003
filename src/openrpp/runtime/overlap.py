"""Launches on the card's clock beside transfers that outlive the kernels which started them."""

from __future__ import annotations

from openrpp.machine.report import LaunchReport
from openrpp.runtime.costs import LaunchKind, kernel_plan, parted_plan, tail_plan
from openrpp.runtime.schedule import Frontier, Schedule


def submit_launch(
    schedule: Schedule, report: LaunchReport, name: str, stream: str, kind: LaunchKind, before: Frontier
) -> Frontier:
    """Queue a launch; what later work waits for.

    Transfers that earlier kernels left behind go on beside it. If it waits for DMA itself, it comes to a stop there
    until they are over; else they stay behind it, too.
    """
    costs, hertz = schedule.costs, schedule.hertz
    tails = tuple(tail for tail in before.tails if tail.finish is None)
    if tails and report.first_poll is not None:
        first, rest = parted_plan(costs, report, kind, hertz)
        begun = schedule.submit(name, stream, first, before.works)
        work, tails = schedule.submit(name, stream, rest, (begun, *tails)), ()
    else:
        work = schedule.submit(name, stream, kernel_plan(costs, report, kind, hertz), before.works)
    if report.dma_tail.nominal > 0:
        plan = tail_plan(costs, report, hertz)
        tails = (schedule.submit(f"{name} (transfer)", stream, plan, (work, *tails)),)
    return Frontier((work,), tails)
