"""Where a walked launch spends its time: cycles by column, and what each column waited for.

The pipeline's recurrence is run at the card's nominal figures. What an item adds to the time at which everything before
it has ended is that item's share, so the shares add up to the launch's cycles. Loops whose state repeats are multiplied
out, as the pipeline does.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from openrpp.isa.form import Slot
from openrpp.machine.counters import per_lane, products
from openrpp.machine.items import ColumnItem, Item, Repeat, SyncItem, TransferItem
from openrpp.machine.pipeline import Event, Pipeline, Rates, Traffic
from openrpp.machine.timing import Timed, report

ARRAY, LATENCY, ISSUE, PORTS, DDR, DDR_LATENCY, SYNC, DMA = (
    "array", "stage latency", "configuration issue", "ports", "DDR", "DDR latency", "sync", "DMA",
)  # fmt: skip
OTHER = -1
"""The place of what belongs to no column: words at the end of a block, gaps between blocks."""
ROUNDS = 512
"""Rounds of a loop after which its shares are extrapolated even if its state has not repeated."""

Shares = Counter[tuple[int, str]]
"""Ticks by (first word of a column, reason)."""


@dataclass
class ColumnProfile:
    """A column of a launch: `start` is the word that it is entered at.

    `cycles` are nominal, by what they were spent on; `executed` counts executions, `warps` those of all warps.
    `occupied` are cycles for which a column of the ring was taken, `passes` port passes (one per warp and path where
    nothing conflicts), `operations` those of the processing elements, over all lanes.
    """

    start: int
    cycles: dict[str, float] = field(default_factory=dict[str, float])
    executed: int = 0
    warps: int = 0
    occupied: float = 0.0
    passes: float = 0.0
    accesses: int = 0
    operations: int = 0
    dots: int = 0
    ddr_bytes: float = 0.0

    def spend(self, reason: str, cycles: float) -> None:
        """Add cycles."""
        self.cycles[reason] = self.cycles.get(reason, 0.0) + cycles

    @property
    def total(self) -> float:
        """Nominal cycles."""
        return sum(self.cycles.values())

    @property
    def conflicts(self) -> float:
        """Port passes beyond one per warp."""
        return max(self.passes - self.accesses, 0.0)


@dataclass(frozen=True)
class LaunchProfile:
    """A launch: its columns by first word (`OTHER` for what belongs to none), its cycles, and the ring's columns."""

    columns: dict[int, ColumnProfile]
    cycles: float
    ring: int
    lanes: int


def profile(timed: Timed) -> LaunchProfile:
    """Shares of a walked launch."""
    rates = Rates.of(timed.card, "nominal")
    shares = _Profiler(rates, timed).shares()
    cycles = report(timed).cycles
    found: dict[int, ColumnProfile] = {}
    for item, times in timed.tally.items():
        if isinstance(item, ColumnItem):
            _count(found.setdefault(item.code.start, ColumnProfile(item.code.start)), item, times, timed, rates)
    for (start, reason), ticks in shares.items():
        found.setdefault(start, ColumnProfile(start)).spend(reason, ticks / rates.cycle)
    _spread(found, cycles - sum(column.total for column in found.values()), rates)
    return LaunchProfile(found, cycles, rates.columns, timed.card.array.lanes.value)


def _count(column: ColumnProfile, item: ColumnItem, times: int, timed: Timed, rates: Rates) -> None:
    traffic = timed.gathers[item] if item.passes is None else Traffic(item.passes)
    ddr = traffic.ddr_read + traffic.ddr_written
    column.executed += times
    column.warps += times * item.warps
    column.occupied += times * max(item.warps, traffic.passes, ddr * rates.ddr_ticks / rates.cycle)
    column.passes += times * traffic.passes
    column.accesses += times * item.warps * any(op.form.slot in (Slot.SEQUENTIAL, Slot.GATHER) for op in item.code.port)
    column.operations += times * per_lane(item.code).get("pe_ops", 0) * item.lanes
    column.dots += times * products(item)[1] * item.lanes
    column.ddr_bytes += times * ddr


def _spread(found: dict[int, ColumnProfile], missing: float, rates: Rates) -> None:
    """Cycles that a shared resource adds go to the columns that use it: DDR by bytes, else ports by passes."""
    if missing <= 1e-6:
        return
    bytes_, passes = (sum(getattr(column, name) for column in found.values()) for name in ("ddr_bytes", "passes"))
    by_ddr = bytes_ * rates.ddr_ticks >= passes * rates.port_ticks
    name, reason, total = ("ddr_bytes", DDR, bytes_) if by_ddr else ("passes", PORTS, passes)
    for column in found.values():
        share = getattr(column, name) / total if total else 0.0
        if share:
            column.spend(reason, missing * share)


class _Profiler(Pipeline):
    """The pipeline, which notes what each item adds to the end."""

    def __init__(self, rates: Rates, timed: Timed) -> None:
        super().__init__(rates, timed.gathers)
        self.items = timed.items
        self.spent: Shares = Counter()
        self._waiting = 0  # ticks of a barrier or poll, for the column that follows
        self._last = OTHER
        self._far = False  # the last column reads DDR
        self._entered: dict[tuple[int, tuple[int, ...]], tuple[tuple[int, ...], int, Shares]] = {}

    def shares(self) -> Shares:
        """Ticks by column and reason."""
        self.run(self.items)
        self._settle(OTHER)
        return self.spent

    def run(self, items: tuple[Item, ...]) -> None:
        """Advance through items."""
        for item in items:
            before = self.finish
            match item:
                case ColumnItem():
                    self._settle(item.code.start)
                    reason = self._reason(item)
                    place = self._last if reason == DDR_LATENCY else item.code.start
                    super().run((item,))
                    self._add(place, reason, self.finish - before)
                    self._last, self._far = item.code.start, self._cost(item)[1] > self.rates.latency
                case Repeat():
                    self._repeat(item)
                case SyncItem():
                    super().run((item,))
                    if item.what == "vote":
                        self._add(self._last, SYNC, self.finish - before)
                    else:
                        self._waiting += self.finish - before
                case TransferItem():
                    super().run((item,))
                    self._add(self._last, DMA, self.finish - before)
                case _:
                    super().run((item,))
                    self._add(OTHER, ISSUE, self.finish - before)

    def _settle(self, start: int) -> None:
        """A wait belongs to the column behind it."""
        if self._waiting:
            self._add(start, SYNC, self._waiting)
            self._waiting = 0

    def _add(self, start: int, reason: str, ticks: int) -> None:
        if ticks:
            self.spent[start, reason] += ticks

    def _reason(self, item: ColumnItem) -> str:
        """What decides when a column ends."""
        occupied, _ = self._cost(item)
        vector = min(item.code.words, item.fetch)
        issued = max(self.issue + (item.fetch - vector) * self.rates.word, self.starts[0]) + vector * self.rates.word
        start = max(issued, self.ready, self.ends[0])
        behind = DDR_LATENCY if self._far else LATENCY
        if start + occupied < self.left:
            return behind
        if start == self.ends[0] and start > issued:
            return self._busy(item, occupied)
        if start == self.ready and start > issued:
            return behind
        return ISSUE if occupied <= item.warps * self.rates.cycle else self._busy(item, occupied)

    def _busy(self, item: ColumnItem, occupied: int) -> str:
        """What a column is occupied by."""
        if occupied <= item.warps * self.rates.cycle:
            return ARRAY
        traffic = self.gathers[item] if item.passes is None else Traffic(item.passes)
        ddr = (traffic.ddr_read + traffic.ddr_written) * self.rates.ddr_ticks
        return DDR if ddr > traffic.passes * self.rates.cycle else PORTS

    # --- loops ------------------------------------------------------------------------------------------------------

    def _repeat(self, item: Repeat) -> None:
        dma = self._dma_inside(item)
        entry, entered, before = self._state(dma), self.issue, self.spent.copy()
        key = (self._number(item), entry)
        known = self._entered.get(key)
        if known is not None:
            state, ticks, shares = known
            self._restore(state, entered + ticks, dma)
            self.spent.update(shares)
            return
        self._profiled_rounds(item, entry, dma)
        shares = self.spent.copy()
        shares.subtract(before)
        self._entered[key] = (self._state(dma), self.issue - entered, shares)

    def _profiled_rounds(self, item: Repeat, entry: tuple[int, ...], dma: bool) -> None:
        """Run rounds until the state repeats or there were many, then multiply the shares of a period."""
        seen: dict[tuple[int, ...], tuple[int, int, Shares]] = {entry: (0, self.issue, self.spent.copy())}
        done, skipped = 0, False
        while done < item.count:
            self.run(item.items)
            done += 1
            if skipped or done == item.count:
                continue
            state = self._state(dma)
            if state not in seen and done < ROUNDS:
                seen[state] = (done, self.issue, self.spent.copy())
                continue
            first, issue, shares = seen.get(state) or next(kept for kept in seen.values() if kept[0] == ROUNDS // 2)
            rounds = (item.count - done) // (done - first)
            added = self.spent.copy()
            added.subtract(shares)
            self.spent.update({name: ticks * rounds for name, ticks in added.items()})
            self._restore(state, self.issue + rounds * (self.issue - issue), dma)
            done += rounds * (done - first)
            skipped = True  # what is left is less than a period


# --- the ring --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Bar:
    """A column of the ring that is taken by a column of the program, in nominal cycles."""

    column: int
    start: float
    end: float
    word: int


def ring(timed: Timed, around: int, bars: int, most: int = 20_000) -> list[Bar]:
    """`bars` columns as the ring takes them, around an execution of the column that is entered at a word.

    Its third execution is taken, which has loops under way; the first `most` columns of the launch are looked at.
    """
    rates, found = Rates.of(timed.card, "nominal"), list[Bar]()

    def watch(event: Event) -> None:
        if isinstance(event.item, ColumnItem):
            start, end = event.start / rates.cycle, event.end / rates.cycle
            found.append(Bar(len(found) % rates.columns, start, end, event.item.code.start))

    pipeline = Pipeline(rates, timed.gathers, watch)
    for item in _flat(timed.items):
        pipeline.run((item,))
        if len(found) >= most:
            break
    places = [index for index, bar in enumerate(found) if bar.word == around]
    middle = places[min(2, len(places) - 1)] if places else 0
    first = max(min(middle - bars // 2, len(found) - bars), 0)
    return found[first : first + bars]


def _flat(items: tuple[Item, ...]) -> Iterator[Item]:
    for item in items:
        if isinstance(item, Repeat):
            for _ in range(item.count):
                yield from _flat(item.items)
        else:
            yield item
