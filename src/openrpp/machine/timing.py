"""Card time of a launch: walk its sequencer, count its events, run the pipeline at three ends of the card's figures."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from math import ceil

from openrpp.arch import LEVELS, Card, Level
from openrpp.isa.form import Cost
from openrpp.machine.banks import WARP
from openrpp.machine.counters import count, tally
from openrpp.machine.items import ColumnItem, Item, Repeat, SyncItem, TransferItem
from openrpp.machine.launch import Launch
from openrpp.machine.memory import Memory
from openrpp.machine.pipeline import Event, Passes, Pipeline, Rates
from openrpp.machine.report import LaunchReport, Roofline, Span
from openrpp.machine.sample import PassSamples
from openrpp.machine.walk import Walk

MAC_FLOPS = 2


@dataclass(frozen=True)
class Timed:
    """A walked launch, ready to be timed or traced."""

    card: Card
    launch: Launch
    items: tuple[Item, ...]
    samples: PassSamples | None

    def passes(self, item: ColumnItem) -> float:
        """Port passes of a column whose addresses depend on data: measured, or one per warp where no engine ran."""
        measured = self.samples.mean(item.code.start) if self.samples else None
        return item.warps if measured is None else measured

    def direct(self, item: ColumnItem) -> tuple[float, float]:
        """DDR bytes (read, written) of a column's direct accesses: measured, or those of consecutive words."""
        read, written = 0.0, 0.0
        if not any(op.form.cost is Cost.DIRECT for op in item.code.port):
            return read, written
        measured = self.samples.direct(item.code.start) if self.samples else None
        if measured is not None:
            return measured
        line = self.card.ddr.line.value
        for op in item.code.port:
            if op.form.cost is Cost.DIRECT:
                moved = item.warps * ceil(WARP * op.form.width / 8 / line) * line
                read += moved if op.form.effect != "store-ddr" else 0
                written += moved if op.form.effect != "load-ddr" else 0
        return read, written


def walk(
    card: Card,
    memory: Memory,
    launch: Launch,
    bank: int,
    loaded: tuple[int, ...] = (),
    samples: PassSamples | None = None,
) -> Timed:
    """Walk a launch whose parameters stand in FRAM bank `bank`. Raises WalkError."""
    return Timed(card, launch, Walk(card, memory, launch, bank, loaded).run(), samples)


def report(timed: Timed, engine: str = "none") -> LaunchReport:
    """Time a walked launch. `engine` names the engine whose data-dependent measurements it uses."""
    card, launch, items = timed.card, timed.launch, timed.items
    counters = count(items)
    direct = _count_direct(timed, counters)
    runs: dict[Level, Pipeline] = {level: _run(timed, level) for level in LEVELS}
    bounds = _bounds(timed, counters)
    # Ports and DDR are shared: all accesses together need at least this long, whatever the columns do.
    cycles = {
        level: max(run.finish, direct * run.rates.ddr_ticks, bounds["ports"] * run.rates.cycle) / run.rates.cycle
        for level, run in runs.items()
    }
    span = Span(cycles["low"], cycles["nominal"], cycles["high"])
    per_cycle = 1e-6 / card.clock.core.value
    nominal = runs["nominal"]
    cost = card.launch.stream_us
    return LaunchReport(
        kernel=launch.kernel.name,
        grid=launch.grid,
        block=launch.block,
        cycles=span.nominal,
        columns=counters["columns"],
        span=span,
        seconds=span.scaled(per_cycle),
        launch_seconds=Span(cost.low, cost.nominal, cost.high).scaled(1e-6),
        counters=counters,
        utilisation=_utilisation(card, counters, bounds, span.nominal),
        limiter=_limiter(bounds, span.nominal),
        roofline=_roofline(card, counters, span.nominal * per_cycle),
        data_source=_data_source(timed, engine),
        dma_tail=max(nominal.dma_done - nominal.finish, 0) / nominal.rates.cycle,
        notes=_notes(timed, runs.values()),
    )


def _run(timed: Timed, level: Level, watch: Callable[[Event], None] | None = None) -> Pipeline:
    passes: Passes = timed.passes
    pipeline = Pipeline(Rates.of(timed.card, level), passes, watch, lambda item: sum(timed.direct(item)))
    pipeline.run(timed.items)
    return pipeline


def _count_direct(timed: Timed, counters: dict[str, int]) -> float:
    """Add the DDR bytes of direct accesses to the counters; their number."""
    read, written = 0.0, 0.0
    for item, times in tally(timed.items).items():
        if isinstance(item, ColumnItem):
            more = timed.direct(item)
            read, written = read + times * more[0], written + times * more[1]
    counters["ddr_bytes_read"] += round(read)
    counters["ddr_bytes_written"] += round(written)
    return read + written


def _bounds(timed: Timed, counters: dict[str, int]) -> dict[str, float]:
    """Cycles that each resource alone would need, nominal."""
    card = timed.card
    rates = Rates.of(card, "nominal")
    occupied, passes = 0.0, 0.0
    for item, times in tally(timed.items).items():
        if isinstance(item, ColumnItem):
            taken = timed.passes(item) if item.passes is None else item.passes
            occupied += times * max(item.warps, taken)
            passes += times * taken
    ddr_bytes = counters["ddr_bytes_read"] + counters["ddr_bytes_written"]
    return {
        "array": occupied / rates.columns,
        "stage latency": counters["columns"] * rates.latency / rates.cycle,
        "configuration issue": counters["words"] * rates.word / rates.cycle,
        "ports": passes / card.sram.ports.value,
        "DDR": ddr_bytes * rates.ddr_ticks / rates.cycle,
        "DMA": counters["dma_bytes"] * rates.dma_ticks / rates.cycle,
    }


def _limiter(bounds: dict[str, float], cycles: float) -> str:
    """The resource that is busy for most of the time; waits, where none is busy for more than half of it."""
    name = max(bounds, key=lambda bound: bounds[bound])
    return name if bounds[name] > 0.5 * cycles else "waits (fill, drain, barriers, polls)"


def _utilisation(card: Card, counters: dict[str, int], bounds: dict[str, float], cycles: float) -> dict[str, float]:
    """Shares of what the card could do in the same cycles; DDR against its sustained rate."""
    if not cycles:
        return dict.fromkeys(("lanes", "dot", "ports", "sequencer", "ddr"), 0.0)
    lanes = card.array.columns.value * card.array.lanes.value
    return {
        "lanes": counters["pe_ops"] / (cycles * lanes),
        "dot": counters["dot_macs"] / (cycles * lanes * card.array.bf16_macs_per_lane.value),
        "ports": bounds["ports"] / cycles,
        "sequencer": bounds["configuration issue"] / cycles,
        "ddr": bounds["DDR"] / cycles,
    }


def _roofline(card: Card, counters: dict[str, int], seconds: float) -> Roofline:
    """Operations per DDR byte against the array's roof, in GFLOP/s: a multiply-add per lane, and the dots if any."""
    flops = counters["flops"] + MAC_FLOPS * counters["dot_macs"]
    ddr_bytes = counters["ddr_bytes_read"] + counters["ddr_bytes_written"]
    macs = 1 + (card.array.bf16_macs_per_lane.value if counters["dot_macs"] else 0)
    roof = card.array.columns.value * card.array.lanes.value * card.clock.core.value * 1e-3 * MAC_FLOPS * macs
    intensity = flops / ddr_bytes if ddr_bytes else None
    memory_roof = None if intensity is None else intensity * card.ddr.rate.value * card.ddr.efficiency.value
    reached = flops / seconds / 1e9 if seconds else 0.0
    if memory_roof is not None and memory_roof < roof:
        return Roofline(intensity, reached, memory_roof, "DDR")
    return Roofline(intensity, reached, roof, "dot units and lanes" if counters["dot_macs"] else "lanes")


def _depends_on_data(timed: Timed) -> int:
    return sum(1 for item in tally(timed.items) if isinstance(item, ColumnItem) and item.passes is None)


def _data_source(timed: Timed, engine: str) -> str:
    return engine if timed.samples is not None and _depends_on_data(timed) else "none"


def _notes(timed: Timed, runs: Iterable[Pipeline]) -> tuple[str, ...]:
    notes: list[str] = []
    unknown = _depends_on_data(timed)
    if unknown and timed.samples is None:
        notes.append(f"{unknown} columns gather at addresses that depend on data: taken as free of bank conflicts")
    if any(not pipeline.settled for pipeline in runs):
        notes.append("a loop did not settle: its later rounds are extrapolated")
    return tuple(notes)


# --- traces ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class TraceEvent:
    """A bar of a trace: track, name, start and end in nominal cycles, and details."""

    track: str
    name: str
    start_cycle: float
    end_cycle: float
    details: dict[str, int | str]


def events(timed: Timed) -> Iterator[TraceEvent]:
    """What happened when, nominal, without compression: one event per column, transfer and wait."""
    found: list[TraceEvent] = []
    rates = Rates.of(timed.card, "nominal")
    place = 0

    def watch(event: Event) -> None:
        nonlocal place
        start, end = event.start / rates.cycle, event.end / rates.cycle
        match event.item:
            case ColumnItem():
                names = [op.form.name for op in event.item.code.port]
                names += [event.item.code.pe.form.name] if event.item.code.pe else []
                details: dict[str, int | str] = {"word": event.item.code.start, "warps": event.item.warps}
                found.append(TraceEvent(f"column {place % rates.columns}", " ".join(names) or "-", start, end, details))
                place += 1
            case TransferItem():
                way = "out" if event.item.target == "DDR" else "in"
                name = f"{event.item.source} to {event.item.target}"
                found.append(TraceEvent(f"DMA {way}", name, start, end, {"bytes": event.item.nbytes}))
            case SyncItem():
                found.append(TraceEvent("sequencer", event.item.what, start, end, {}))
            case _:
                pass

    pipeline = Pipeline(rates, timed.passes, watch, lambda item: sum(timed.direct(item)))
    for chunk in _flat(timed.items):
        pipeline.run((chunk,))
        yield from found
        found.clear()


def _flat(items: tuple[Item, ...]) -> Iterator[Item]:
    for item in items:
        if isinstance(item, Repeat):
            for _ in range(item.count):
                yield from _flat(item.items)
        else:
            yield item
