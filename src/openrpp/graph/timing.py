"""Card time of a plan: its launches as nodes of replayed graphs; nothing runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from openrpp.graph.plan import Download, Upload
from openrpp.graph.report import NodeTime
from openrpp.graph.run import Runner
from openrpp.kernels.launch import Launch
from openrpp.machine.report import Span
from openrpp.runtime.card_time import CardTime
from openrpp.runtime.costs import copy_plan
from openrpp.runtime.schedule import Frontier, Schedule


@dataclass(frozen=True)
class Timing:
    """Card time of one run, of its edges, and of each launch; `unknown` says why the first is not known."""

    card: Span | None
    edges: Span
    taken: tuple[CardTime, ...]
    unknown: tuple[str, ...]


def time_plan(runner: Runner) -> Timing:
    """Walk the machine code of every launch, one graph after another; nothing runs."""
    total, taken, unknown = Span(0.0, 0.0, 0.0), list[CardTime](), list[str]()
    for graph in runner.graphs():
        time = graph.time()
        taken += time.taken
        unknown += time.unknown
        if time.seconds is not None:
            total = total + time.seconds
    return Timing(None if unknown else total, _edges(runner), tuple(taken), tuple(dict.fromkeys(unknown)))


def _edges(runner: Runner) -> Span:
    schedule = Schedule(runner.card.arch, lambda _: None)
    before = Frontier()
    for step in runner.plan.steps:
        if isinstance(step, Upload):
            plan = copy_plan(schedule.costs, "host", step.to.region.memory, step.to.bytes)
        elif isinstance(step, Download):
            plan = copy_plan(schedule.costs, step.source.region.memory, "host", step.source.bytes)
        else:
            continue
        before = Frontier((schedule.submit("edge", "graph", plan, before.all),))
    return schedule.drain()


def by_node(launches: Sequence[Launch], taken: Sequence[CardTime], rate: float) -> tuple[NodeTime, ...]:
    """Card time of the launches put together by their node; `rate` is the card's multiply-accumulates per second."""
    groups: dict[str, list[tuple[Launch, CardTime]]] = {}
    for launch, time in zip(launches, taken, strict=True):
        groups.setdefault(launch.node or launch.kernel, []).append((launch, time))
    return tuple(_node_time(name, group, rate) for name, group in groups.items())


def _node_time(name: str, group: Sequence[tuple[Launch, CardTime]], rate: float) -> NodeTime:
    spans = [time.seconds for _, time in group]
    macs = sum(launch.macs for launch, _ in group)
    total: Span | None = Span(0.0, 0.0, 0.0)
    for span in spans:
        total = total + span if total is not None and span is not None else None
    longest = max(group, key=lambda item: item[1].seconds.nominal if item[1].seconds else 0.0)
    peak = macs / rate / total.nominal if total and total.nominal and macs else None
    kernels = tuple(dict.fromkeys(launch.kernel for launch, _ in group))
    reason = next((time.reason for _, time in group if not time.launches), "")
    return NodeTime(name, kernels, len(group), macs, total, peak, longest[1].limiter, reason)
