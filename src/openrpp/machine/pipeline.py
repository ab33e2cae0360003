"""From a walk's items to cycles: the ring, the sequencer, the DMA and DDR as a max-plus recurrence.

Times are whole ticks, a fraction of a cycle in which both a cycle and the fetch of a word are whole numbers, so that a
loop that has settled repeats exactly and its further rounds need no simulation.

The recurrence for column j (physical columns C, stage latency L, `occupancy` its cycles for all warps):

    issue_j = max(issue_{j-1}, start_{j-bC}) + words_j / words per cycle      (b configurations are buffered)
    start_j = max(issue_j, start_{j-1} + L, end_{j-C})
    end_j   = max(start_j + occupancy_j, end_{j-1} + L)

so a full ring takes max(warps, C L) cycles per C columns. A barrier holds the sequencer until the last column has
ended; a poll holds it until the transfers are done; a transfer takes setup, then its bytes at the slower of the DMA's
and the DDR's rate, and its DDR latency overlaps the next transfer.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

from openrpp.arch import Card, Level
from openrpp.machine.items import BlockItem, ColumnItem, Item, Repeat, SyncItem, TransferItem, WordsItem

SETTLE = 4096
"""Rounds of a loop after which it is extrapolated even if its state has not repeated exactly."""


@dataclass(frozen=True)
class Rates:
    """The card's figures at one end of their intervals, in ticks."""

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

    @classmethod
    def of(cls, card: Card, level: Level) -> Rates:
        """Favourable ("low" time), nominal or unfavourable ("high" time) figures of a card."""
        slow = level
        fast = OPPOSITE[level]
        rate = Fraction(card.array.words_per_cycle.at(fast)).limit_denominator(1000)
        cycle = rate.numerator

        def ticks(cycles: float) -> int:
            return round(cycles * cycle)

        megahertz = card.clock.core.value
        ddr = card.ddr.rate.value * 1e3 / megahertz * card.ddr.efficiency.at(fast)  # bytes per cycle
        return cls(
            cycle=cycle,
            word=rate.denominator,
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
        )


OPPOSITE: dict[Level, Level] = {"low": "high", "nominal": "nominal", "high": "low"}
Passes = Callable[[ColumnItem], float]
"""Port passes of a column whose addresses depend on data."""


@dataclass(frozen=True)
class Event:
    """What one item did, in ticks, for traces."""

    item: Item
    start: int
    end: int


class Pipeline:
    """State of the recurrence; `run` feeds items."""

    def __init__(
        self,
        rates: Rates,
        passes: Passes,
        watch: Callable[[Event], None] | None = None,
        direct: Callable[[ColumnItem], float] = lambda item: 0.0,
    ) -> None:
        self.rates = rates
        self.passes = passes
        self.direct = direct  # DDR bytes that a column moves by itself
        self.watch = watch
        self.issue = 0
        self.start = -rates.latency
        self.end = -rates.latency
        self.starts: deque[int] = deque([0] * (rates.columns * rates.buffered), rates.columns * rates.buffered)
        self.ends: deque[int] = deque([0] * rates.columns, rates.columns)
        self.dma_free = 0
        self.dma_done = 0
        self.settled = True
        # Loops that ended already: (loop, state at entry) -> (state at the end, ticks).
        self._known: dict[tuple[int, tuple[int, ...]], tuple[tuple[int, ...], int]] = {}
        self._numbers: dict[int, int] = {}
        self._equal: dict[object, int] = {}
        self._occupancy: dict[tuple[int, int, int | None], int] = {}

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
                    if self.rates.block_gap:
                        self.issue = max(self.issue, self.start) + self.rates.block_gap

    @property
    def finish(self) -> int:
        """When the last column, and the sequencer, have ended."""
        return max(self.end, self.issue)

    # --- items -----------------------------------------------------------------------------------------------------

    def _cycles(self, item: ColumnItem) -> int:
        key = (item.code.start, item.lanes, item.passes)
        found = self._occupancy.get(key)
        if found is None:
            passes = self.passes(item) if item.passes is None else item.passes
            moving = round(self.direct(item) * self.rates.ddr_ticks)
            found = max(item.warps * self.rates.cycle, round(passes * self.rates.cycle), moving)
            if any(op.form.effect == "warp-load" for op in item.code.port):
                found += self.rates.ldwarp
            self._occupancy[key] = found
        return found

    def _column(self, item: ColumnItem) -> None:
        issued = self.issue = max(self.issue, self.starts[0]) + item.fetch * self.rates.word
        latency = self.rates.latency
        start = max(issued, self.start + latency, self.ends[0])
        end = max(start + self._cycles(item), self.end + latency)
        self.starts.append(start)
        self.ends.append(end)
        self.start, self.end = start, end
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
        self.issue = max(begun, self.dma_done if item.what == "poll" else self.end + self.rates.barrier)
        if self.watch:
            self.watch(Event(item, begun, self.issue))

    # --- loops -----------------------------------------------------------------------------------------------------

    def _state(self) -> tuple[int, ...]:
        """All times relative to the sequencer's; times long past can no longer matter and count as equal."""
        now = self.issue
        least = -max(self.rates.latency, 1)
        past = now + least
        times = (self.start, self.end, self.dma_free, self.dma_done, *self.starts, *self.ends)
        return tuple([time - now if time > past else least for time in times])

    def _restore(self, state: tuple[int, ...], issue: int) -> None:
        """Take up a relative state at a sequencer's time."""
        self.issue = issue
        times = [time + issue for time in state]
        self.start, self.end, self.dma_free, self.dma_done = times[:4]
        count = len(self.starts)
        self.starts.extend(times[4 : 4 + count])
        self.ends.extend(times[4 + count :])

    def _shift(self, ticks: int) -> None:
        self.issue += ticks
        self.start += ticks
        self.end += ticks
        self.dma_free += ticks
        self.dma_done += ticks
        for times in (self.starts, self.ends):
            moved = [time + ticks for time in times]
            times.clear()
            times.extend(moved)

    def _repeat(self, item: Repeat) -> None:
        """Run a loop; one that was entered in this very state before ends as it did then."""
        if self.watch:
            for _ in range(item.count):
                self.run(item.items)
            return
        entry, entered = self._state(), self.issue
        key = (self._number(item), entry)
        known = self._known.get(key)
        if known is not None:
            self._restore(known[0], entered + known[1])
        elif self._rounds(item, entry):
            self._known[key] = (self._state(), self.issue - entered)

    def _number(self, item: Item) -> int:
        """The same number for equal items, wherever they stand."""
        number = self._numbers.get(id(item))
        if number is None:
            same = (item.count, *map(self._number, item.items)) if isinstance(item, Repeat) else item
            number = self._numbers[id(item)] = self._equal.setdefault(same, len(self._equal))
        return number

    def _rounds(self, item: Repeat, entry: tuple[int, ...]) -> bool:
        """Run rounds until the state repeats, then move on by whole periods; False where it never does."""
        seen: dict[tuple[int, ...], tuple[int, int]] = {entry: (0, self.issue)}
        done, periodic = 0, False
        while done < item.count:
            self.run(item.items)
            done += 1
            if periodic:
                continue
            state = self._state()
            if state in seen:
                before, issue = seen[state]
                period, ticks = done - before, self.issue - issue
                rounds = (item.count - done) // period
                self._shift(rounds * ticks)
                done += rounds * period
                periodic = True  # what is left is less than a period
            elif done == SETTLE:
                # Something drifts (a queue that grows): carry the mean of the last rounds on.
                (half,) = (issue for before, issue in seen.values() if before == SETTLE // 2)
                mean = (self.issue - half) / (SETTLE - SETTLE // 2)
                self._shift(round(mean * (item.count - done)))
                self.settled = False
                return False
            else:
                seen[state] = (done, self.issue)
        return True
