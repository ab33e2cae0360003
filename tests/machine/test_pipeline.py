"""Cycles worked out by hand, loops extrapolated against plain simulation, and order among the ends of the figures."""

from __future__ import annotations

import itertools
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openrpp.arch import LEVELS, Card, load
from openrpp.isa.form import Op
from openrpp.isa.table import forms_by_name, spelling
from openrpp.machine import pipeline as module
from openrpp.machine.code import ColumnCode, VectorOp
from openrpp.machine.items import BlockItem, ColumnItem, Item, Repeat, SyncItem, TransferItem, WordsItem
from openrpp.machine.pipeline import Event, Pipeline, Rates, Traffic
from tests.machine.cards import changed, exact

LDWARP = VectorOp(Op(forms_by_name()[spelling("LDWARP")][0], {"base": 0, "sy": 0, "sz": 0}), 0, ())
NONE = frozenset[int]()


def column(
    warps: int = 2, words: int = 1, scalars: int = 0, passes: int | None = 0, warp_load: bool = False
) -> ColumnItem:
    """A column of some warps whose configuration takes some words, scalar words before it."""
    port = (LDWARP,) if warp_load else ()
    start = 1000 * words + warp_load
    code = CODES.setdefault(
        (words, warp_load), ColumnCode(start, start + words, port, (), None, NONE, NONE, NONE, NONE)
    )
    return ColumnItem(code, words + scalars, 32 * warps, warps, passes)


CODES: dict[tuple[int, bool], ColumnCode] = {}


def run(items: list[Item] | tuple[Item, ...], card: Card | None = None, **gathers: Any) -> Pipeline:
    """The pipeline after items, on the exact card."""
    pipeline = Pipeline(Rates.of(card or exact(), "nominal"), gathers.get("gathers", {}))
    pipeline.run(tuple(items))
    return pipeline


def cycles(items: list[Item] | tuple[Item, ...], card: Card | None = None, **gathers: Any) -> float:
    """Cycles until columns and sequencer have ended."""
    pipeline = run(items, card, **gathers)
    return pipeline.finish / pipeline.rates.cycle


def per_round(item: ColumnItem, card: Card | None = None) -> float:
    """Cycles for 32 more columns of a kind, once the ring is full."""
    return cycles([item] * 32 * 9, card) - cycles([item] * 32 * 8, card)


# --- columns ---------------------------------------------------------------------------------------------------------


def test_one_column_takes_its_words_and_its_warps() -> None:
    assert cycles([column(warps=7, words=3, scalars=2)]) == 3 + 2 + 7


def test_a_second_column_follows_after_the_stage_latency() -> None:
    assert cycles([column(warps=7), column(warps=7)]) == 1 + 4 + 7


def test_a_full_ring_takes_a_cycle_per_warp_for_32_columns() -> None:
    assert per_round(column(warps=255)) == 255


def test_few_warps_wait_for_the_stage_latency() -> None:
    assert per_round(column(warps=2)) == 32 * 4
    assert per_round(column(warps=128)) == 128
    assert per_round(column(warps=129)) == 129


def test_many_words_wait_for_the_sequencer() -> None:
    assert per_round(column(warps=2, words=6)) == 32 * 6
    assert per_round(column(warps=2, words=3, scalars=3)) == 32 * 6
    assert per_round(column(warps=255, words=7)) == 255
    assert per_round(column(warps=255, words=8)) == 256


def test_words_per_cycle_is_a_rate() -> None:
    assert per_round(column(warps=2, words=6), exact(array__words_per_cycle=1.5)) == 32 * 4
    assert per_round(column(warps=2, words=9), exact(array__words_per_cycle=1.5)) == 32 * 6
    assert per_round(column(warps=2, words=47), exact(array__words_per_cycle=0.94)) == pytest.approx(32 * 50)


def test_a_word_waits_for_a_free_configuration_buffer_and_a_scalar_word_does_not() -> None:
    """Column 32 goes to the physical column of column 0: buffered once, its word waits for column 0 to start."""
    slow = [column(warps=2, words=40), *([column(warps=2)] * 31)]
    assert cycles([*slow, column(warps=2)]) == 40 + 32 * 4 + 2
    waiting = [*([column(warps=1)] * 31), column(warps=1, words=9)]
    early = [*waiting, column(warps=1, scalars=9)]
    assert cycles(early) == cycles([*waiting, column(warps=1)])


def test_two_buffers_let_the_sequencer_run_ahead() -> None:
    """40 words for one column in 32 are hidden only if the 31 others were fetched before."""
    body = [column(warps=40, words=40), *([column(warps=40)] * 31)]
    once, twice = cycles(body * 8), cycles(body * 8, exact(array__config_buffers=2))
    assert twice <= once


def test_port_passes_beyond_the_warps_hold_the_column() -> None:
    assert per_round(column(warps=255, passes=510)) == 510
    assert per_round(column(warps=255, passes=100)) == 255


def test_an_ldwarp_costs_its_fetch() -> None:
    assert per_round(column(warps=255, warp_load=True)) == 263


def test_gathers_take_what_was_measured() -> None:
    item = column(warps=255, passes=None)
    assert cycles([item], gathers={item: Traffic(300.0)}) == 1 + 300


def test_direct_reads_take_the_rate_and_the_latency_of_ddr() -> None:
    """50 bytes per cycle, 100 cycles: 20000 bytes hold the column for 400 cycles, the next starts 104 later."""
    item = column(warps=2, words=2, passes=None)
    assert cycles([item], gathers={item: Traffic(2.0, ddr_read=20_000)}) == 2 + 400
    assert cycles([item, column(warps=2)], gathers={item: Traffic(2.0, ddr_read=200)}) == 2 + 104 + 4
    assert cycles([item, column(warps=2)], gathers={item: Traffic(2.0, ddr_written=200)}) == 2 + 4 + 4


def test_a_repeated_column_is_fetched_once() -> None:
    item = column(warps=2, words=9)
    again = ColumnItem(item.code, 0, item.lanes, item.warps, item.passes)
    assert cycles([item, Repeat(100, (again,))]) == 9 + 100 * 4 + 2


# --- waits -----------------------------------------------------------------------------------------------------------


def test_a_barrier_waits_for_the_last_column() -> None:
    assert cycles([column(warps=20), SyncItem(1, "barrier"), column(warps=2)]) == (1 + 20 + 8) + 1 + 2
    assert cycles([column(warps=20), SyncItem(1, "vote"), column(warps=2)]) == (1 + 20 + 8) + 1 + 2


def test_a_poll_waits_for_the_transfer() -> None:
    """5 words, setup 64, 6400 bytes at 64 per cycle; the poll's word passes meanwhile."""
    assert cycles([TransferItem(5, 6400, "SRAM", "SRAM"), SyncItem(1, "poll"), column(warps=2)]) == 5 + 64 + 100 + 1 + 2


def test_a_transfer_through_ddr_takes_its_rate_and_its_latency() -> None:
    wait = SyncItem(0, "poll")
    assert cycles([TransferItem(0, 6400, "DDR", "SRAM"), wait]) == 64 + 128 + 100
    assert cycles([TransferItem(0, 6400, "DDR", "DDR"), wait]) == 64 + 256 + 100
    assert cycles([TransferItem(0, 6400, "DDR", "SRAM"), wait], exact(ddr__rate=100)) == 64 + 100 + 100


def test_transfers_queue_and_their_latencies_overlap() -> None:
    two = [TransferItem(0, 6400, "DDR", "SRAM")] * 2
    assert cycles([*two, SyncItem(0, "poll")]) == 64 + 128 + 128 + 100


def test_columns_run_beside_a_transfer() -> None:
    pipeline = run([TransferItem(1, 64_000, "SRAM", "SRAM"), *([column(warps=2)] * 10)])
    assert pipeline.finish / pipeline.rates.cycle == 1 + 1 + 9 * 4 + 2
    assert pipeline.dma_done / pipeline.rates.cycle == 1 + 64 + 1000


def test_a_block_begins_a_gap_after_the_last_column_of_the_one_before() -> None:
    items = [column(warps=2), column(warps=2), BlockItem(), column(warps=2)]
    assert cycles(items, exact(array__block_gap=30)) == (1 + 4) + 30 + 1 + 2
    assert cycles(items) == 1 + 4 + 4 + 2


def test_words_on_their_own_take_the_sequencer_only() -> None:
    assert cycles([column(warps=50), WordsItem(9)]) == 51
    assert cycles([column(warps=2), WordsItem(9)]) == 10


# --- loops -----------------------------------------------------------------------------------------------------------


def random_items(random: Random, depth: int = 2, dma: bool = True) -> list[Item]:
    """A random item list with repeats."""
    items: list[Item] = []
    for _ in range(random.randint(1, 6)):
        kind = random.randrange(14)
        if kind < 6:
            warps = random.choice([1, 2, 8, 33, 128, 255])
            passes = random.choice([0, warps, 2 * warps, 17])
            items.append(
                column(warps, random.randint(1, 9), random.choice([0, 0, 1, 20]), passes, random.random() < 0.2)
            )
        elif kind == 6:
            items.append(SyncItem(random.randint(0, 3), random.choice(["barrier", "vote", *(["poll"] if dma else [])])))
        elif kind == 7 and dma:
            ends = random.choice([("SRAM", "DDR"), ("DDR", "SRAM"), ("DDR", "DDR"), ("SRAM", "FRAM")])
            items.append(TransferItem(random.randint(0, 6), random.choice([4, 700, 5000, 60_000]), *ends))
            items.append(SyncItem(1, "poll"))
        elif kind == 8:
            items.append(WordsItem(random.randint(1, 9)))
        elif kind == 9:
            items.append(BlockItem())
        elif depth:
            times = random.choice([1, 2, 3, 7, 40, 150, 300])
            items.append(Repeat(times, tuple(random_items(random, depth - 1, dma and random.random() < 0.6))))
    return items


def written_out(items: list[Item] | tuple[Item, ...]) -> list[Item]:
    """The items without repeats."""
    plain: list[Item] = []
    for item in items:
        plain += written_out(item.items) * item.count if isinstance(item, Repeat) else [item]
    return plain


def check_extrapolation(seed: int) -> None:
    """Folded items end when the same items written out do, and so does whatever follows them."""
    random = Random(seed)
    items, tail = random_items(random), random_items(random, 0)
    plain = written_out(items)
    if len(plain) > 12_000:
        return
    for level in LEVELS:
        rates = Rates.of(load("ae7100"), level)
        folded, simulated = Pipeline(rates, {}), Pipeline(rates, {})
        folded.run(tuple(items))
        simulated.run(tuple(plain))
        assert folded.settled
        assert (folded.finish, folded.issue) == (simulated.finish, simulated.issue)
        assert max(folded.dma_done, folded.issue) == max(simulated.dma_done, simulated.issue)
        for item in tail:
            folded.run((item,))
            simulated.run((item,))
            assert (folded.finish, folded.issue) == (simulated.finish, simulated.issue)


@settings(max_examples=120)
@given(st.integers(0, 1 << 32))
def test_loops_are_extrapolated_without_error(seed: int) -> None:
    check_extrapolation(seed)


def test_a_loop_of_any_length_takes_the_same_work() -> None:
    """10^9 rounds settle in a few. The slower of two columns in turn sets the pace of the ring."""
    seen = 0

    class Counting(Pipeline):
        def _column(self, item: ColumnItem) -> None:
            nonlocal seen
            seen += 1
            super()._column(item)

    body = (column(255, 6), column(255, 7, 1, warp_load=True), WordsItem(2))
    pipeline = Counting(Rates.of(load("ae7100"), "nominal"), {})
    pipeline.run((Repeat(10**9, body),))
    assert seen < 2000
    assert pipeline.finish / pipeline.rates.cycle == pytest.approx(10**9 * 263 / 16, rel=1e-3)


def test_a_transfer_that_outlives_a_loop_does_not_keep_it_from_settling() -> None:
    """A loop without transfers runs beside one, however long that takes."""
    before = TransferItem(1, 1 << 30, "DDR", "SRAM")
    pipeline = run([before, Repeat(10**8, (column(255),)), SyncItem(1, "poll")])
    assert pipeline.settled
    assert pipeline.finish / pipeline.rates.cycle == pytest.approx(10**8 * 255 / 32, rel=1e-3)


def test_an_inner_loop_is_run_once_per_state_that_it_is_entered_in() -> None:
    runs = 0

    class Counting(Pipeline):
        def _rounds(self, *arguments: Any) -> bool:
            nonlocal runs
            runs += 1
            return super()._rounds(*arguments)

    inner = Repeat(991, (column(255), WordsItem(1)))  # with one column more, 31 times round the ring
    pipeline = Counting(Rates.of(exact(), "nominal"), {})
    pipeline.run((Repeat(3, (inner, column(2, 30))),) * 50)
    assert runs < 20
    assert pipeline.finish == run(written_out((Repeat(3, (inner, column(2, 30))),) * 50)).finish


def test_a_loop_that_drifts_is_carried_on_at_its_mean_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """Transfers that nobody waits for queue up: the state never repeats."""
    body = (TransferItem(1, 6400, "SRAM", "SRAM"), column(2))
    assert run([Repeat(60, body)]).settled
    monkeypatch.setattr(module, "SETTLE", 200)
    drifting, plain = run([Repeat(600, body)]), run(written_out([Repeat(600, body)]))
    assert not drifting.settled
    assert drifting.finish == pytest.approx(plain.finish, rel=0.02)


def test_watched_loops_are_written_out() -> None:
    events: list[Event] = []
    pipeline = Pipeline(Rates.of(exact(), "nominal"), {}, events.append)
    pipeline.run((Repeat(50, (column(255), SyncItem(1, "barrier"))),))
    assert len(events) == 100
    assert pipeline.finish == run([Repeat(50, (column(255), SyncItem(1, "barrier")))]).finish


# --- the ends of the figures -----------------------------------------------------------------------------------------

SLOWER = {
    "array__stage_latency": (1, 2, 4, 8),
    "array__words_per_cycle": (4, 2, 1.5, 0.94),
    "array__config_buffers": (3, 2, 1),
    "array__block_gap": (0, 1, 8, 32),
    "array__barrier_latency": (4, 8, 16),
    "sram__ldwarp_cycles": (0, 8, 16),
    "dma__setup": (16, 64, 128),
    "dma__rate": (128, 64, 32),
    "ddr__latency": (80, 120, 200),
    "ddr__efficiency": (0.94, 0.87, 0.78),
}


@settings(max_examples=60)
@given(st.integers(0, 1 << 32), st.sampled_from(sorted(SLOWER)))
def test_a_slower_figure_never_makes_a_program_faster(seed: int, figure: str) -> None:
    items = random_items(Random(seed), 1)
    taken = [cycles(items, changed(load("ae7100"), **{figure: value})) for value in SLOWER[figure]]
    transfers = sum(isinstance(item, TransferItem) for item in written_out(items))
    rounding = 1e-9 + (transfers if figure == "array__words_per_cycle" else 0)  # of bytes to ticks of another size
    assert all(slow >= fast - rounding for fast, slow in itertools.pairwise(taken)), taken


@settings(max_examples=60)
@given(st.integers(0, 1 << 32))
def test_favourable_is_at_most_nominal_is_at_most_unfavourable(seed: int) -> None:
    items = tuple(random_items(Random(seed)))
    found: list[int] = []
    for level in LEVELS:
        pipeline = Pipeline(Rates.of(load("ae7100"), level), {})
        pipeline.run(items)
        found.append(pipeline.finish)
    assert found == sorted(found)
