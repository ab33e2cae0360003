"""Card time of a launch: walk its sequencer, count its events, run the pipeline at three ends of the card's figures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import ceil

from openrpp.arch import LEVELS, Card, Level
from openrpp.isa.form import Cost
from openrpp.machine.banks import WARP
from openrpp.machine.code import CodeError
from openrpp.machine.counters import count, tally
from openrpp.machine.foresight import Foresight
from openrpp.machine.items import ColumnItem, Item, Repeat, SyncItem, TransferItem
from openrpp.machine.launch import Launch
from openrpp.machine.memory import Memory
from openrpp.machine.pipeline import Event, Pipeline, Rates, Traffic
from openrpp.machine.report import LaunchReport, Roofline, Span
from openrpp.machine.sample import PassSamples
from openrpp.machine.walk import MAX_ITEMS, Walk

MAC_FLOPS = 2
WALKED_ITEMS = 64_000_000
"""Items after which a walk gives up although an engine ran, and so knows that the program ends."""


@dataclass(frozen=True)
class Timed:
    """A walked launch, ready to be timed or traced."""

    card: Card
    launch: Launch
    items: tuple[Item, ...]
    samples: PassSamples | None

    @cached_property
    def tally(self) -> Counter[Item]:
        """How often each item runs."""
        return tally(self.items)

    @cached_property
    def gathers(self) -> dict[ColumnItem, Traffic]:
        """Columns whose addresses depend on data: what each execution does, as measured or, with no engine, at best."""
        return {
            item: self._measured(item) for item in self.tally if isinstance(item, ColumnItem) and item.passes is None
        }

    def _measured(self, item: ColumnItem) -> Traffic:
        found = self._sampled(item)
        return _best(item, self.card.ddr.line.value) if found is None else found

    def _sampled(self, item: ColumnItem) -> Traffic | None:
        return self.samples.mean(item.code.start, item.lanes) if self.samples else None

    @property
    def unmeasured(self) -> int:
        """Columns whose addresses depend on data that nobody has seen."""
        supposed = self.samples.supposed if self.samples else set[tuple[int, int]]()
        return sum(self._sampled(item) is None or (item.code.start, item.lanes) in supposed for item in self.gathers)


def _best(item: ColumnItem, line: int) -> Traffic:
    """One pass per warp, and neighbouring lanes at neighbouring addresses of DDR."""
    read, written = 0, 0
    for op in item.code.port:
        if op.form.cost is Cost.DIRECT:
            full, rest = divmod(item.lanes, WARP)
            moved = (full * ceil(WARP * op.form.width / 8 / line) + ceil(rest * op.form.width / 8 / line)) * line
            read += moved if op.form.effect != "store-ddr" else 0
            written += moved if op.form.effect != "load-ddr" else 0
    return Traffic(item.warps, read, written)


def walk(
    card: Card,
    memory: Memory,
    launch: Launch,
    bank: int,
    loaded: tuple[int, ...] = (),
    samples: PassSamples | None = None,
) -> Timed:
    """Walk a launch that an engine ran, whose parameters stand in FRAM bank `bank`. Raises WalkError."""
    most = MAX_ITEMS if samples is None else WALKED_ITEMS
    return Timed(card, launch, Walk(card, memory, launch, bank, loaded, most).run(), samples)


def foreseen(
    card: Card,
    memory: Memory,
    launch: Launch,
    bank: int,
    apart: Sequence[tuple[int, int]] = (),
    effort: int | None = None,
) -> Timed:
    """Walk a launch that is not run; `apart` and `effort` as `Foresight` takes them.

    Raises WalkError where data decides the control.

    Gathers are measured where their addresses depend on no data.
    """
    words: list[int] = memory.fram[bank].data.view("<u2").tolist()
    try:
        foresight = Foresight(card, memory, launch, words, apart, effort)
    except CodeError:
        foresight = None
    items = Walk(card, memory, launch, bank, foresight=foresight).run()
    return Timed(card, launch, items, foresight.samples if foresight else None)


def report(timed: Timed, engine: str = "none") -> LaunchReport:
    """Time a walked launch. `engine` names the engine whose data-dependent measurements it uses."""
    card, launch = timed.card, timed.launch
    counters = count(timed.tally)
    direct = _count_direct(timed, counters)
    runs: dict[Level, Pipeline] = {level: _run(timed, level) for level in LEVELS}
    bounds = {level: _bounds(timed, counters, run.rates) for level, run in runs.items()}
    # Ports and DDR are shared: all accesses together need at least this long, whatever the columns do.
    cycles = {
        level: max(run.finish, direct * run.rates.ddr_ticks, bounds[level]["ports"] * run.rates.cycle) / run.rates.cycle
        for level, run in runs.items()
    }
    span = Span(cycles["low"], cycles["nominal"], cycles["high"])
    per_cycle = 1e-6 / card.clock.core.value
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
        utilisation=_utilisation(card, counters, bounds["nominal"], span.nominal),
        limiter=_limiter(bounds["nominal"], span.nominal),
        roofline=_roofline(card, counters, span.nominal * per_cycle),
        data_source=engine if timed.gathers else "none",
        dma_tail=_span(runs, lambda run: max(run.dma_done - run.finish, 0)),
        first_poll=None if runs["nominal"].first_poll is None else _span(runs, lambda run: run.first_poll or 0),
        notes=_notes(timed, runs.values()),
    )


def _span(runs: Mapping[Level, Pipeline], ticks: Callable[[Pipeline], int]) -> Span:
    """Cycles at each end."""
    low, nominal, high = (ticks(runs[level]) / runs[level].rates.cycle for level in ("low", "nominal", "high"))
    return Span(low, nominal, high)


def _run(timed: Timed, level: Level, watch: Callable[[Event], None] | None = None) -> Pipeline:
    pipeline = Pipeline(Rates.of(timed.card, level), timed.gathers, watch)
    pipeline.run(timed.items)
    return pipeline


def _count_direct(timed: Timed, counters: dict[str, int]) -> float:
    """Add the DDR bytes of direct accesses to the counters; their number."""
    read = sum(timed.tally[item] * traffic.ddr_read for item, traffic in timed.gathers.items())
    written = sum(timed.tally[item] * traffic.ddr_written for item, traffic in timed.gathers.items())
    counters["ddr_bytes_read"] += round(read)
    counters["ddr_bytes_written"] += round(written)
    return read + written


def _bounds(timed: Timed, counters: dict[str, int], rates: Rates) -> dict[str, float]:
    """Cycles that each resource alone would need."""
    occupied, passes = 0.0, 0.0
    for item, times in timed.tally.items():
        if isinstance(item, ColumnItem):
            taken = timed.gathers[item].passes if item.passes is None else item.passes
            occupied += times * max(item.warps, taken)
            passes += times * taken
    ddr_bytes = counters["ddr_bytes_read"] + counters["ddr_bytes_written"]
    return {
        "array": occupied / rates.columns,
        "stage latency": counters["columns"] * rates.latency / rates.cycle,
        "configuration issue": counters["words"] * rates.word / rates.cycle,
        "ports": passes * rates.port_ticks / rates.cycle,
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
    lanes = cycles * card.array.columns.value * card.array.lanes.value
    bf16 = counters["dot_macs"] / card.array.bf16_macs_per_lane.value
    int8 = counters["int8_macs"] / card.array.int8_macs_per_lane.value
    return {
        "lanes": counters["pe_ops"] / lanes,
        "dot": (bf16 + int8) / lanes,
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


def _notes(timed: Timed, runs: Iterable[Pipeline]) -> tuple[str, ...]:
    notes: list[str] = []
    if timed.unmeasured:
        unknown = f"{timed.unmeasured} columns gather at addresses that depend on data"
        notes.append(f"{unknown}: taken as free of bank conflicts")
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

    pipeline = Pipeline(rates, timed.gathers, watch)
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
