"""From a walk's items to cycles: the ring, the sequencer, the DMA and DDR as a max-plus recurrence.

Times are whole ticks, a fraction of a cycle in which both a cycle and the fetch of a word are whole numbers, so that a
loop that has settled repeats exactly and its further rounds need no simulation.

The recurrence for column j (C physical columns, stage latency L, b configurations buffered per column, r words fetched
per cycle, `occupancy` its cycles for all warps):

    issue_j = max(issue_{j-1} + scalar words_j / r, start_{j-bC}) + vector words_j / r
    start_j = max(issue_j, start_{j-1} + L, end_{j-C})
    end_j   = max(start_j + occupancy_j, end_{j-1} + L)

so a full ring takes max(warps, C L) cycles per C columns. A barrier or a vote holds the sequencer until the last
column has ended; a poll holds it until the transfers are done; a transfer takes setup, then its bytes at the slower of
the DMA's and the DDR's rate, and its DDR latency overlaps the next transfer. A column that reads DDR directly adds the
DDR's latency to its own.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from math import lcm

from openrpp.arch import LEVELS, Card, Level
from openrpp.machine.items import BlockItem, ColumnItem, Item, Repeat, SyncItem, TransferItem, WordsItem

SETTLE = 4096
"""Rounds of a loop after which it is extrapolated even if its state has not repeated exactly."""
REMEMBERED = 1 << 14
"""Loops, with the states that they were entered in, whose ends are kept."""


@dataclass(frozen=True)
class Rates:
    """The card's figures at one end of their intervals, in ticks. A cycle has as many ticks at every end."""

    cycle: int
    word: int
    columns: int
    buffered: int
    latency: int
    barrier: int
    block_gap: int
    ldwarp: int
    setup: int
    ddr_latency: int
    ddr_ticks: float  # per byte
    dma_ticks: float  # per byte
    port_ticks: float  # per port pass, all ports together

    @classmethod
    def of(cls, card: Card, level: Level) -> Rates:
        """Favourable ("low" time), nominal or unfavourable ("high" time) figures of a card."""
        slow, fast = level, OPPOSITE[level]
        words = {end: Fraction(card.array.words_per_cycle.at(end)).limit_denominator(1000) for end in LEVELS}
        cycle = lcm(*(rate.numerator for rate in words.values()))

        def ticks(cycles: float) -> int:
            return round(cycles * cycle)

        megahertz = card.clock.core.value
        ddr = card.ddr.rate.value * 1e3 / megahertz * card.ddr.efficiency.at(fast)  # bytes per cycle
        return cls(
            cycle=cycle,
            word=int(cycle / words[fast]),
            columns=card.array.columns.value,
            buffered=card.array.config_buffers.at(fast),
            latency=ticks(card.array.stage_latency.at(slow)),
            barrier=ticks(card.array.barrier_latency.at(slow)),
            block_gap=ticks(card.array.block_gap.at(slow)),
            ldwarp=ticks(card.sram.ldwarp_cycles.at(slow)),
            setup=ticks(card.dma.setup.at(slow)),
            ddr_latency=ticks(card.ddr.latency.at(slow) * megahertz / 1e3),
            ddr_ticks=cycle / ddr,
            dma_ticks=cycle / card.dma.rate.at(fast),
            port_ticks=cycle / card.sram.ports.at(fast),
        )


OPPOSITE: dict[Level, Level] = {"low": "high", "nominal": "nominal", "high": "low"}


@dataclass(frozen=True)
class Traffic:
    """What a column does whose addresses depend on data: port passes, bytes of DDR lines read and written."""

    passes: float
    ddr_read: float = 0
    ddr_written: float = 0


Gathers = Mapping[ColumnItem, Traffic]
"""Of each column whose `passes` are None."""


@dataclass(frozen=True)
class Event:
    """What one item did, in ticks, for traces."""

    item: Item
    start: int
    end: int


class Pipeline:
    """State of the recurrence; `run` feeds items."""

    def __init__(self, rates: Rates, gathers: Gathers, watch: Callable[[Event], None] | None = None) -> None:
        self.rates = rates
        self.gathers = gathers
        self.watch = watch
        self.issue = 0  # the sequencer is free
        self.start = 0  # of the newest column
        self.end = 0
        self.ready = 0  # the newest column's first warp has left it
        self.left = 0  # and its last
        self.starts: deque[int] = deque([0] * (rates.columns * rates.buffered), rates.columns * rates.buffered)
        self.ends: deque[int] = deque([0] * rates.columns, rates.columns)
        self.dma_free = 0
        self.dma_done = 0
        self.first_poll: int | None = None
        self.settled = True
        # Loops that ended already: (loop, state at entry) -> (state at the end, ticks).
        self._known: dict[tuple[int, tuple[int, ...]], tuple[tuple[int, ...], int]] = {}
        self._numbers: dict[int, int] = {}
        self._equal: dict[object, int] = {}
        self._uses_dma: dict[int, bool] = {}
        self._costs: dict[tuple[int, int, int | None], tuple[int, int]] = {}

    def run(self, items: tuple[Item, ...]) -> None:
        """Advance through items."""
        for item in items:
            match item:
                case ColumnItem():
                    self._column(item)
                case Repeat():
                    self._repeat(item)
                case TransferItem():
                    self._transfer(item)
                case SyncItem():
                    self._sync(item)
                case WordsItem():
                    self.issue += item.fetch * self.rates.word
                case BlockItem():
                    if self.rates.block_gap:  # 0: the next block's words follow at once
                        self.issue = max(self.issue, self.start) + self.rates.block_gap

    @property
    def finish(self) -> int:
        """When the last column, and the sequencer, have ended."""
        return max(self.end, self.issue)

    # --- items -----------------------------------------------------------------------------------------------------

    def _cost(self, item: ColumnItem) -> tuple[int, int]:
        """Ticks for which a column is occupied, and after which its first warp is through."""
        key = (item.code.start, item.lanes, item.passes)
        if key not in self._costs:
            rates = self.rates
            traffic = self.gathers[item] if item.passes is None else Traffic(item.passes)
            ddr = traffic.ddr_read + traffic.ddr_written
            occupied = max(item.warps * rates.cycle, round(traffic.passes * rates.cycle), round(ddr * rates.ddr_ticks))
            if any(op.form.effect == "warp-load" for op in item.code.port):
                occupied += rates.ldwarp
            self._costs[key] = occupied, rates.latency + (rates.ddr_latency if traffic.ddr_read else 0)
        return self._costs[key]

    def _column(self, item: ColumnItem) -> None:
        occupied, latency = self._cost(item)
        vector = min(item.code.words, item.fetch)  # a repeated column is fetched once
        word = self.rates.word
        issued = self.issue = max(self.issue + (item.fetch - vector) * word, self.starts[0]) + vector * word
        start = max(issued, self.ready, self.ends[0])
        end = max(start + occupied, self.left)
        self.starts.append(start)
        self.ends.append(end)
        self.start, self.ready = start, start + latency
        self.end, self.left = end, end + latency
        if self.watch:
            self.watch(Event(item, start, end))

    def _transfer(self, item: TransferItem) -> None:
        self.issue += item.fetch * self.rates.word
        begin = max(self.issue + self.rates.setup, self.dma_free)
        through_ddr = (item.source == "DDR") + (item.target == "DDR")
        per_byte = max(self.rates.dma_ticks, through_ddr * self.rates.ddr_ticks)
        self.dma_free = begin + round(item.nbytes * per_byte)
        self.dma_done = self.dma_free + (self.rates.ddr_latency if through_ddr else 0)
        if self.watch:
            self.watch(Event(item, begin, self.dma_done))

    def _sync(self, item: SyncItem) -> None:
        begun = self.issue + item.fetch * self.rates.word
        if item.what == "poll" and self.first_poll is None:
            self.first_poll = begun
        self.issue = max(begun, self.dma_done if item.what == "poll" else self.end + self.rates.barrier)
        if self.watch:
            self.watch(Event(item, begun, self.issue))

    # --- loops -----------------------------------------------------------------------------------------------------

    def _times(self, dma: bool) -> list[int]:
        """What decides all further times, given when the sequencer is free."""
        times = [self.start, self.ready, self.left, self.end + self.rates.barrier, *self.starts, *self.ends]
        return [*times, self.dma_free - self.rates.setup, self.dma_done] if dma else times

    def _state(self, dma: bool) -> tuple[int, ...]:
        """All times relative to the sequencer's; a time that can delay nothing any more counts as now.

        The sequencer never goes back, so a time delays something only if it lies ahead of it where it is used.
        """
        now = self.issue
        return tuple([time - now if time > now else 0 for time in self._times(dma)])

    def _restore(self, state: tuple[int, ...], issue: int, dma: bool) -> None:
        """Take up a relative state at a sequencer's time."""
        self.issue = issue
        times = [time + issue for time in state]
        self.start, self.ready, self.left, held = times[:4]
        self.end = held - self.rates.barrier
        count = len(self.starts)
        self.starts.extend(times[4 : 4 + count])
        self.ends.extend(times[4 + count : 4 + count + len(self.ends)])
        if dma:
            self.dma_free, self.dma_done = times[-2] + self.rates.setup, times[-1]

    def _repeat(self, item: Repeat) -> None:
        """Run a loop; one that was entered in this very state before ends as it did then."""
        if self.watch:
            for _ in range(item.count):
                self.run(item.items)
            return
        dma = self._dma_inside(item)
        entry, entered = self._state(dma), self.issue
        key = (self._number(item), entry)
        known = self._known.get(key)
        if known is not None:
            self._restore(known[0], entered + known[1], dma)
        elif self._rounds(item, entry, dma):
            if len(self._known) >= REMEMBERED:
                self._known.clear()
            self._known[key] = (self._state(dma), self.issue - entered)

    def _dma_inside(self, item: Repeat) -> bool:
        """Whether a loop starts transfers or waits for them; else they go on beside it."""
        key = id(item)
        if key not in self._uses_dma:
            self._uses_dma[key] = any(
                self._dma_inside(inner)
                if isinstance(inner, Repeat)
                else isinstance(inner, TransferItem) or (isinstance(inner, SyncItem) and inner.what == "poll")
                for inner in item.items
            )
        return self._uses_dma[key]

    def _number(self, item: Item) -> int:
        """The same number for equal items, wherever they stand."""
        number = self._numbers.get(id(item))
        if number is None:
            same = (item.count, *map(self._number, item.items)) if isinstance(item, Repeat) else item
            number = self._numbers[id(item)] = self._equal.setdefault(same, len(self._equal))
        return number

    def _rounds(self, item: Repeat, entry: tuple[int, ...], dma: bool) -> bool:
        """Run rounds until the state repeats, then move on by whole periods; False where it never does."""
        seen: dict[tuple[int, ...], tuple[int, int]] = {entry: (0, self.issue)}
        done, periodic = 0, False
        while done < item.count:
            self.run(item.items)
            done += 1
            if periodic or done == item.count:
                continue
            state = self._state(dma)
            if state in seen:
                before, issue = seen[state]
                period = done - before
                rounds = (item.count - done) // period
                self._restore(state, self.issue + rounds * (self.issue - issue), dma)
                done += rounds * period
                periodic = True  # what is left is less than a period
            elif done == SETTLE:
                # Something drifts (a queue that grows): carry the mean of the last rounds on.
                (half,) = (issue for before, issue in seen.values() if before == SETTLE // 2)
                mean = (self.issue - half) / (SETTLE - SETTLE // 2)
                self._restore(state, self.issue + round(mean * (item.count - done)), dma)
                self.settled = False
                return False
            else:
                seen[state] = (done, self.issue)
        return True
