"""What operations cost, from the figures of the card's description and the reports of launches.

Everything is worked out three times: with all figures at their favourable end (`low` times), nominal, and with all at
their unfavourable end (`high` times). A high rate is favourable, a high latency is not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from openrpp.arch import Card as Arch
from openrpp.arch import Level
from openrpp.machine.report import LaunchReport, Span
from openrpp.runtime.clock import Engine, Phase

LaunchKind = Literal["stream", "graph"]
Place = Literal["host", "ddr", "sram"]
Plan = tuple[tuple[Phase, ...], tuple[Phase, ...], tuple[Phase, ...]]
"""Phases on the low, the nominal and the high clock; the same tracks and engines in each."""

ENDS: tuple[Level, ...] = ("low", "nominal", "high")
_OTHER: dict[Level, Level] = {"low": "high", "nominal": "nominal", "high": "low"}


@dataclass(frozen=True)
class Costs:
    """The card's figures at one end, in seconds and bytes per second."""

    link_rate: float
    link_latency: float
    dma_rate: float
    dma_start: float
    """From the start of a transfer to its first data, where DDR takes part."""
    dma_setup: float
    """The same between places in SRAM."""
    ddr_rate: float
    launch: dict[LaunchKind, float]

    def copy(self, source: Place, target: Place, nbytes: int) -> tuple[Phase, ...]:
        """Phases of a copy. Between host and SRAM it takes both legs, through DDR, one after the other."""
        if source == "host":
            first = self._link("link in", nbytes)
            return (first, self._dma("DMA in", nbytes, 1)) if target == "sram" else (first,)
        if target == "host":
            last = self._link("link out", nbytes)
            return (self._dma("DMA out", nbytes, 1), last) if source == "sram" else (last,)
        ddr_sides = (source, target).count("ddr")
        return (self._dma("DMA in" if target == "sram" else "DMA out", nbytes, ddr_sides),)

    def _link(self, engine: Literal["link in", "link out"], nbytes: int) -> Phase:
        return Phase(engine, (engine,), self.link_latency, nbytes / self.link_rate, self.link_rate, nbytes)

    def _dma(self, track: str, nbytes: int, ddr_sides: int) -> Phase:
        delay = self.dma_start if ddr_sides else self.dma_setup
        return Phase(track, ("dma",), delay, nbytes / self.dma_rate, ddr_sides * self.dma_rate, nbytes)


def costs_of(arch: Arch) -> tuple[Costs, Costs, Costs]:
    """Figures for the low, the nominal and the high clock."""
    low, nominal, high = (_costs(arch, end, _OTHER[end]) for end in ENDS)
    return low, nominal, high


def _costs(arch: Arch, delay: Level, rate: Level) -> Costs:
    hertz = arch.clock.core.value * 1e6
    setup = arch.dma.setup.at(delay) / hertz
    return Costs(
        link_rate=arch.link.rate.at(rate) * 1e9 * arch.link.efficiency.at(rate),
        link_latency=arch.link.latency.at(delay) * 1e-6,
        dma_rate=arch.dma.rate.at(rate) * hertz,
        dma_start=setup + arch.ddr.latency.at(delay) * 1e-9,
        dma_setup=setup,
        ddr_rate=arch.ddr.rate.at(rate) * 1e9 * arch.ddr.efficiency.at(rate),
        launch={"stream": arch.launch.stream_us.at(delay) * 1e-6, "graph": arch.launch.graph_us.at(delay) * 1e-6},
    )


def copy_plan(costs: tuple[Costs, Costs, Costs], source: Place, target: Place, nbytes: int) -> Plan:
    """Phases of a copy on each clock."""
    low, nominal, high = (end.copy(source, target, nbytes) for end in costs)
    return low, nominal, high


def launch_costs(costs: tuple[Costs, Costs, Costs], kind: LaunchKind, names: Sequence[str] = ("",)) -> Plan:
    """Phases of launches one after another of which nothing is known but what it costs to hand them over."""
    low, nominal, high = (
        tuple(Phase("host queue", ("queue",), delay=end.launch[kind], name=name) for name in names) for end in costs
    )
    return low, nominal, high


def ddr_bytes(report: LaunchReport) -> int:
    """Bytes that a launch moved to and from DDR, by DMA or directly."""
    return report.counters.get("ddr_bytes_read", 0) + report.counters.get("ddr_bytes_written", 0)


def kernel_plan(costs: tuple[Costs, Costs, Costs], report: LaunchReport, kind: LaunchKind, hertz: float) -> Plan:
    """Phases of a launch on each clock: the queue hands it over, then the array (and DMA, if it moves data) runs it.

    The kernel's DDR traffic counts as spread evenly over its time, less what the transfer that outlives it moves.
    """
    return _phased(costs, report, kind, hertz, None)


def parted_plan(
    costs: tuple[Costs, Costs, Costs], report: LaunchReport, kind: LaunchKind, hertz: float
) -> tuple[Plan, Plan]:
    """`kernel_plan` in two: up to where the kernel first waits for DMA, and from there on, where its own traffic is."""
    poll = report.first_poll or Span(0.0, 0.0, 0.0)
    heads = ends_of(poll.scaled(1 / hertz))
    plans = _phased(costs, report, kind, hertz, heads)
    (queue_low, low), (queue, nominal), (queue_high, high) = plans
    first = (
        (queue_low, _head(heads[0])),
        (queue, _head(heads[1])),
        (queue_high, _head(heads[2])),
    )
    return first, ((low,), (nominal,), (high,))


def _head(seconds: float) -> Phase:
    return Phase("array", ("array",), seconds=seconds)


def _phased(
    costs: tuple[Costs, Costs, Costs],
    report: LaunchReport,
    kind: LaunchKind,
    hertz: float,
    heads: tuple[float, float, float] | None,
) -> Plan:
    engines: tuple[Engine, ...] = ("array", "dma") if report.counters.get("dma_transfers") else ("array",)
    tails = tail_bytes(costs, report, hertz)

    def phases(end: Costs, seconds: float, tail: float, head: float) -> tuple[Phase, Phase]:
        left, during = max(seconds - head, 0.0), max(ddr_bytes(report) - tail, 0.0)
        rate = min(during / left, end.ddr_rate) if left > 0 else 0.0
        return (
            Phase("host queue", ("queue",), delay=end.launch[kind]),
            Phase("array", engines, seconds=left, ddr=rate, nbytes=ddr_bytes(report)),
        )

    ends = zip(costs, ends_of(report.seconds), tails, heads or (0.0, 0.0, 0.0), strict=True)
    low, nominal, high = (phases(*end) for end in ends)
    return low, nominal, high


def tail_bytes(costs: tuple[Costs, Costs, Costs], report: LaunchReport, hertz: float) -> tuple[float, float, float]:
    """Bytes that are still to move when a kernel ends whose transfer outlives it, on each clock."""
    low, nominal, high = (
        cycles / hertz * min(end.dma_rate, end.ddr_rate)
        for end, cycles in zip(costs, ends_of(report.dma_tail), strict=True)
    )
    return low, nominal, high


def tail_plan(costs: tuple[Costs, Costs, Costs], report: LaunchReport, hertz: float) -> Plan:
    """The phase of a transfer that outlives its kernel, on each clock."""

    def phases(end: Costs, nbytes: float) -> tuple[Phase, ...]:
        return (Phase("DMA in", ("dma",), 0.0, nbytes / end.dma_rate, end.dma_rate, round(nbytes)),)

    low, nominal, high = (phases(*end) for end in zip(costs, tail_bytes(costs, report, hertz), strict=True))
    return low, nominal, high


def ends_of(span: Span) -> tuple[float, float, float]:
    """Low, nominal and high of a span."""
    return span.low, span.nominal, span.high
