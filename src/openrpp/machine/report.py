"""What a launch reports: exact counts, card time over the intervals of the card's figures, and what limited it."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True)
class Span:
    """Card time at the favourable end of the card's intervals, at its nominal values, at the unfavourable end."""

    low: float
    nominal: float
    high: float

    def __add__(self, other: Span) -> Span:
        return Span(self.low + other.low, self.nominal + other.nominal, self.high + other.high)

    def scaled(self, factor: float) -> Span:
        """All three ends times a factor."""
        return Span(self.low * factor, self.nominal * factor, self.high * factor)


@dataclass(frozen=True)
class Roofline:
    """Position against the card's roofs: operations per DDR byte, what was reached, and the roof above it (GFLOP/s)."""

    intensity: float | None
    reached: float
    roof: float
    bound: str


@dataclass(frozen=True)
class LaunchReport:
    """One launch, in card time (never host time).

    `cycles` is the nominal count from the first fetched word to the last column's end, launch cost not included.
    `seconds` is kernel time from `cycles` at the core clock; `launch_seconds` the cost of queueing it on a stream.
    `utilisation` has shares of peak between 0 and 1 for "lanes", "dot", "ports", "sequencer" and "ddr".
    `counters` are exact event counts for a later energy model. `data_source` names the engine that the
    data-dependent part (gather addresses) came from, or "none" where nothing depended on data.
    """

    kernel: str
    grid: tuple[int, int, int]
    block: tuple[int, int, int]
    cycles: float
    columns: int
    span: Span  # cycles
    seconds: Span
    launch_seconds: Span
    counters: dict[str, int]
    utilisation: dict[str, float]
    limiter: str
    roofline: Roofline
    data_source: str = "none"
    dma_tail: Span = Span(0.0, 0.0, 0.0)  # cycles for which a kernel-started DMA outlives the kernel
    first_poll: Span | None = None  # cycles until it first waits for DMA; None where it never does
    notes: tuple[str, ...] = field(default=())

    def as_dict(self) -> dict[str, Any]:
        """A JSON-able dictionary."""
        return asdict(self)
