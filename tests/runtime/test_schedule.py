"""Card time of copies and launches, against times worked out by hand from the preset's figures.

Nominal: link 3.94 GB/s x 0.85 after 2 us; DMA 64 bytes per ns after 64 + 120 ns, held to DDR's 59.7 GB/s x 0.87.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

from openrpp.machine import LaunchError
from openrpp.machine.report import LaunchReport, Span
from openrpp.runtime import Card, DdrRate, Event, Function, Record
from openrpp.runtime.clock import Clock, Phase, fair_shares

MB = 1_000_000
LINK, LATENCY = 3.94e9 * 0.85, 2e-6
DDR, DMA, SETUP = 59.7e9 * 0.87, 64e9, 184e-9
LAUNCH, NODE = 25e-6, 12e-6


def near(seconds: float) -> object:
    return pytest.approx(seconds, rel=1e-9, abs=0)


def timed(
    monkeypatch: pytest.MonkeyPatch,
    card: Card,
    seconds: float,
    counters: dict[str, int] | None = None,
    dma_tail: float = 0.0,
) -> None:
    """Every launch reports a kernel of this length, traffic and transfer that outlives it (in cycles)."""
    launch = card.device.launch

    def replaced(*args: Any, **kwargs: Any) -> LaunchReport:
        report = launch(*args, **kwargs)
        span = Span(seconds / 2, seconds, seconds * 2)
        counted = {**report.counters, **(counters or {})}
        return dataclasses.replace(report, seconds=span, counters=counted, dma_tail=Span(dma_tail, dma_tail, dma_tail))

    monkeypatch.setattr(card.device, "launch", replaced)


def test_shares_are_max_min_fair() -> None:
    assert fair_shares([5, 1, 9], 10) == [4.5, 1, 4.5]
    assert fair_shares([2, 3], 10) == [2, 3]
    assert fair_shares([8, 8, 8, 8], 10) == [2.5] * 4
    assert fair_shares([], 10) == []


def test_a_copy_takes_link_latency_and_rate_at_three_ends_of_the_figures(card: Card) -> None:
    buffer = card.empty(MB, np.uint8)
    card.default_stream.copy(buffer, np.zeros(MB, np.uint8))
    end = card.synchronize()
    assert end.nominal == near(LATENCY + MB / LINK)
    assert end.low == near(1e-6 + MB / (3.94e9 * 0.9))
    assert end.high == near(5e-6 + MB / (3.94e9 * 0.75))
    assert card.timeline == [Record("link in", "copy host to ddr", 0.0, end.nominal, "default", 0, MB)]


def test_copies_both_ways_over_the_link_overlap_and_copies_one_way_do_not(card: Card) -> None:
    buffers = [card.empty(MB, np.uint8) for _ in range(3)]
    host = np.zeros(MB, np.uint8)
    one, two, three = (card.stream() for _ in range(3))
    one.copy(buffers[0], host)
    two.copy(np.empty(MB, np.uint8), buffers[1])
    assert card.synchronize().nominal == near(LATENCY + MB / LINK)
    start = card.now.nominal
    one.copy(buffers[0], host)
    three.copy(buffers[2], host)
    assert card.synchronize().nominal - start == near(2 * (LATENCY + MB / LINK))


def test_one_dma_copy_is_held_to_the_ddr_rate(card: Card) -> None:
    card.default_stream.copy(card.empty(MB, np.uint8, "sram"), card.empty(MB, np.uint8))
    end = card.synchronize()
    assert end.nominal == near(SETUP + MB / DDR)
    assert end.low == near(96e-9 + MB / (59.7e9 * 0.94))
    assert end.high == near(328e-9 + MB / (59.7e9 * 0.78))


def test_copies_inside_ddr_read_and_write_it_and_copies_inside_sram_do_not_touch_it(card: Card) -> None:
    card.default_stream.copy(card.empty(MB, np.uint8), card.empty(MB, np.uint8))
    assert card.synchronize().nominal == near(SETUP + 2 * MB / DDR)
    start = card.now.nominal
    card.default_stream.copy(card.empty(MB, np.uint8, "sram"), card.empty(MB, np.uint8, "sram"))
    assert card.synchronize().nominal - start == near(64e-9 + MB / DMA)


def test_a_host_copy_to_sram_takes_both_legs(card: Card) -> None:
    card.array(np.zeros(MB, np.uint8), "sram")
    assert card.now.nominal == near(LATENCY + MB / LINK + SETUP + MB / DDR)
    assert [record.engine for record in card.timeline] == ["link in", "DMA in"]


def test_two_dma_copies_share_ddr(card: Card) -> None:
    streams = card.stream("a"), card.stream("b")
    ends: list[Event] = []
    for stream, size in zip(streams, (MB, 2 * MB), strict=True):
        stream.copy(card.empty(size, np.uint8, "sram"), card.empty(size, np.uint8))
        ends.append(stream.record())
    # Half of DDR each until the first has its megabyte; the second has moved as much, and goes on alone.
    assert ends[0].synchronize().nominal == near(SETUP + 2 * MB / DDR)
    assert ends[1].synchronize().nominal == near(SETUP + 3 * MB / DDR)
    assert [(record.stream, record.unit) for record in card.timeline] == [("a", 0), ("b", 1)]


def test_the_link_keeps_its_rate_beside_dma_that_takes_the_rest_of_ddr(card: Card) -> None:
    link, dma = card.stream(), card.stream()
    link.copy(card.empty(4 * MB, np.uint8), np.zeros(4 * MB, np.uint8))
    slot = card.empty(2 * MB, np.uint8, "sram")
    source = card.empty(2 * MB, np.uint8)
    for _ in range(10):
        dma.copy(slot, source)
    assert link.record().synchronize().nominal == near(LATENCY + 4 * MB / LINK)
    first, *_, last = (record for record in card.timeline if record.engine == "DMA in")
    alone = LATENCY - SETUP  # the link's data starts to flow when its latency is over
    assert first.end == near(LATENCY + (2 * MB - alone * DDR) / (DDR - LINK))
    assert last.end - last.start == near(SETUP + 2 * MB / (DDR - LINK))


def test_a_fifth_dma_copy_waits_for_a_channel(card: Card) -> None:
    source, slot = card.empty(MB, np.uint8), card.empty(MB, np.uint8, "sram")
    for _ in range(5):
        card.stream().copy(slot, source)
    end = card.synchronize().nominal
    assert end == near(SETUP + 4 * MB / DDR + SETUP + MB / DDR)
    assert [record.unit for record in card.timeline] == [0, 1, 2, 3, 0]


def test_kernels_of_one_stream_pay_their_launch_each(
    card: Card, add: Function, monkeypatch: pytest.MonkeyPatch
) -> None:
    timed(monkeypatch, card, 100e-6)
    buffer = card.empty(64, np.uint16, "sram")
    for _ in range(3):
        add(1, 64, buffer, buffer, 1)
    end = card.synchronize()
    assert end.nominal == near(3 * (LAUNCH + 100e-6))
    assert end.low == near(3 * (10e-6 + 50e-6))
    assert end.high == near(3 * (50e-6 + 200e-6))


def test_kernels_of_two_streams_share_the_array_but_overlap_launch_and_run(
    card: Card, add: Function, monkeypatch: pytest.MonkeyPatch
) -> None:
    timed(monkeypatch, card, 100e-6)
    buffer = card.empty(64, np.uint16, "sram")
    for stream in (card.stream(), card.stream()):
        add(1, 64, buffer, buffer, 1, stream=stream)
    assert card.synchronize().nominal == near(LAUNCH + 2 * 100e-6)
    spans = [(record.start, record.end) for record in card.timeline if record.engine == "array"]
    assert spans == [(near(LAUNCH), near(LAUNCH + 100e-6)), (near(LAUNCH + 100e-6), near(LAUNCH + 200e-6))]


@pytest.mark.parametrize(("kernel", "tile"), [(100e-6, 1 * MB), (10e-6, 4 * MB)])
def test_ping_pong_hides_the_shorter_of_transfer_and_compute(
    card: Card, add: Function, monkeypatch: pytest.MonkeyPatch, kernel: float, tile: int
) -> None:
    timed(monkeypatch, card, kernel)
    source = card.empty((6, tile), np.uint8)
    slots = [card.empty(tile, np.uint8, "sram") for _ in range(2)]
    load, run = card.stream(), card.stream()
    loaded, free = [Event(), Event()], [Event(), Event()]
    for tile_number in range(6):
        slot = tile_number % 2
        if tile_number >= 2:
            load.wait(free[slot])
        load.copy(slots[slot], source[tile_number])
        run.wait(loaded[slot].record(load))
        add(1, 64, slots[slot], slots[slot], 1, stream=run)
        free[slot].record(run)
    transfer, compute = SETUP + tile / DDR, LAUNCH + kernel
    expected = transfer + 6 * compute if compute > transfer else 6 * transfer + compute
    assert card.synchronize().nominal == near(expected)


def test_a_transfer_that_outlives_its_kernel_holds_back_copies_but_not_kernels(
    card: Card, add: Function, monkeypatch: pytest.MonkeyPatch
) -> None:
    counters = {"dma_transfers": 1, "ddr_bytes_read": 4 * MB}
    timed(monkeypatch, card, 50e-6, counters, dma_tail=40_000.0)
    buffer, stream = card.empty(64, np.uint16, "sram"), card.stream()
    add(1, 64, buffer, buffer, 1, stream=stream)
    timed(monkeypatch, card, 100e-6, {"dma_transfers": 0, "ddr_bytes_read": 0})
    add(1, 64, buffer, buffer, 1, stream=stream)
    assert stream.synchronize().nominal == near(2 * LAUNCH + 50e-6 + 100e-6)
    tail = next(record for record in card.timeline if record.name == "add (transfer)")
    assert (tail.start, tail.end) == (near(LAUNCH + 50e-6), near(LAUNCH + 90e-6))


def test_a_tail_holds_back_the_copy_behind_it(card: Card, add: Function, monkeypatch: pytest.MonkeyPatch) -> None:
    timed(monkeypatch, card, 50e-6, {"dma_transfers": 1, "ddr_bytes_read": 4 * MB}, dma_tail=40_000.0)
    buffer = card.empty(64, np.uint16, "sram")
    add(1, 64, buffer, buffer, 1)
    card.default_stream.copy(card.empty(64, np.uint16), buffer)
    assert card.synchronize().nominal == near(LAUNCH + 90e-6 + SETUP + 128 / DDR)


def test_a_kernel_that_streams_from_ddr_slows_down_beside_a_copy(
    card: Card, add: Function, monkeypatch: pytest.MonkeyPatch
) -> None:
    seconds = 1e-3
    moved = round(DDR * seconds)
    timed(monkeypatch, card, seconds, {"dma_transfers": 1, "ddr_bytes_read": moved})
    buffer = card.empty(64, np.uint16, "sram")
    add(1, 64, buffer, buffer, 1)
    copy = card.stream()
    slot, source = card.empty(10 * MB, np.uint8, "sram"), card.empty(10 * MB, np.uint8)
    copy.wait(Event().record(card.stream()))
    for _ in range(4):
        copy.copy(slot, source)
    end = card.synchronize().nominal
    # All bytes go through DDR at its rate from the kernel's start to the end of the later one.
    before = LAUNCH - SETUP  # the first copy's data flow alone until the kernel starts
    assert end == pytest.approx(LAUNCH + (moved + 40 * MB - before * DDR) / DDR, rel=2e-3)


def test_events_tell_card_time_on_three_clocks(card: Card) -> None:
    stream = card.stream()
    buffer = card.empty(MB, np.uint8)
    start = stream.record()
    stream.copy(buffer, np.zeros(MB, np.uint8))
    end = stream.record()
    assert start.done and not end.done
    took = end.elapsed(start)
    assert end.done
    assert took.nominal == near(LATENCY + MB / LINK)
    assert took.low < took.nominal < took.high
    assert card.now == end.synchronize()


def test_work_queued_after_a_wait_does_not_change_the_past(card: Card) -> None:
    one, two = card.stream(), card.stream()
    slot, source = card.empty(MB, np.uint8, "sram"), card.empty(MB, np.uint8)
    one.copy(slot, source)
    first = one.record().synchronize().nominal
    two.copy(slot, source)
    assert card.synchronize().nominal - first == near(SETUP + MB / DDR)


def test_the_timeline_can_be_watched_with_the_rate_of_ddr(card: Card) -> None:
    seen: list[object] = []
    card.watch(seen.append)
    card.default_stream.copy(card.empty(MB, np.uint8, "sram"), card.empty(MB, np.uint8))
    end = card.synchronize().nominal
    assert seen == [
        DdrRate(near(SETUP), near(DDR)),  # type: ignore[arg-type]
        Record("DMA in", "copy ddr to sram", 0.0, end, "default", 0, MB),
        DdrRate(end, 0.0),
    ]


def test_a_card_without_a_timeline_keeps_nothing() -> None:
    card = Card(keep_timeline=False)
    card.array(np.zeros(8, np.uint8))
    assert card.timeline == []


def test_engines_serve_in_the_order_of_readiness() -> None:
    clock = Clock({"queue": 1, "array": 1, "link in": 1, "link out": 1, "dma": 1}, 1.0)
    run = Phase("array", ("array",), 0.0, 1.0)
    late = clock.submit("late", "", (Phase("host queue", ("queue",), 1.5), run), ())
    early = [clock.submit(name, "", (run,), ()) for name in ("a", "b", "c")]
    clock.drain()
    assert [task.finish for task in early] == [1.0, 2.0, 3.0] and late.finish == 4.0


@pytest.mark.parametrize(
    ("use", "said"),
    [
        (lambda card: Event().wait(card.stream()), "the event was never recorded; call event.record(stream) first"),
        (lambda card: Event().synchronize(), "the event was never recorded; call event.record(stream) first"),
        (lambda card: Card().stream().record().wait(card.stream()), "the event belongs to another card"),
        (
            lambda card: card.stream().copy(np.zeros(3), np.zeros(3)),
            "both sides of the copy are arrays of the host; one must be a buffer",
        ),
        (
            lambda card: card.stream().copy(Card().empty(3, "uint8"), np.zeros(3, np.uint8)),
            "the destination Buffer(ddr 0x50000000, shape (3,), uint8) belongs to another card",
        ),
        (
            lambda card: card.stream().copy(card.empty(3, "uint8"), [1, 2, 3]),
            "expected a NumPy array, got list; use numpy.asarray first",
        ),
        (
            lambda card: card.stream().copy(np.frombuffer(b"abc", np.uint8), card.empty(3, "uint8")),
            "the destination is a read-only array",
        ),
    ],
)
def test_streams_refuse_what_cannot_be(card: Card, use: object, said: str) -> None:
    with pytest.raises(LaunchError) as caught:
        use(card)  # type: ignore[operator]
    assert str(caught.value) == said


def test_a_stream_of_another_card_is_refused(add: Function) -> None:
    with pytest.raises(LaunchError) as caught:
        add(1, 64, 0, 0, 0, stream=Card().stream("s"))
    assert str(caught.value) == "stream s belongs to another card than kernel add"
