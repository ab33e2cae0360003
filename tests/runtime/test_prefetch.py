"""Transfers between buffers: DDR on the published chip without staging, and data that comes while kernels change."""

from __future__ import annotations

import numpy as np
import pytest

from openrpp import Card
from openrpp.kir.parser import parse_module
from openrpp.machine.faults import LaunchError

TEXT = """module "m"

kernel @ask(%sram: ptr.global, %ddr: ptr.global, %bytes: i32) {
^entry:
  transfer %sram, %ddr, %bytes
  ret
}

kernel @idle(%x: ptr.global) {
^entry:
  %t = tid axis=x : i32
  %two = mul %t, 2:i32 : i32
  %at = ptr_add %x, %two : ptr.global
  %v = load %at : i16
  store %v, %at
  ret
}

kernel @take(%sram: ptr.global, %out: ptr.global, %ddr: ptr.global, %bytes: i32) {
^entry:
  stage_wait
  %t = tid axis=x : i32
  %two = mul %t, 2:i32 : i32
  %at = ptr_add %sram, %two : ptr.global
  %v = load %at : i16
  %w = add %v, 1:i16 : i16
  %to = ptr_add %out, %two : ptr.global
  store %w, %to
  %there = ptr_add %ddr, %bytes : ptr.global
  transfer %there, %out, %bytes
  stage_wait
  ret
}

kernel @some(%x: ptr.global, %ddr: ptr.global, %bytes: i32) {
^entry:
  %t = tid axis=x : i32
  %two = mul %t, 2:i32 : i32
  %at = ptr_add %x, %two : ptr.global
  transfer %x, %ddr, %bytes
  stage_wait
  br ^test
^test:
  %v = load %at : i16
  %more = icmp pred=ult %v, 100:i16 : i1
  cbr %more, ^turn, ^end
^turn:
  %w = add %v, 7:i16 : i16
  store %w, %at
  br ^test
^end:
  transfer %ddr, %x, %bytes
  ret
}
"""
N = 64


def far(card: Card) -> tuple[int, np.ndarray]:
    """An address in DDR beyond 32 bits with two pieces of N words, and the content."""
    _ = card.empty(4 << 30, np.uint8)
    content = np.random.default_rng(5).integers(0, 100, 2 * N).astype(np.uint16)
    address = card.array(content).address
    assert address >> 32
    return address, content


@pytest.mark.parametrize("engine", ["interpreter", "native", "reference"])
def test_what_only_transfers_move_stays_in_ddr(engine: str) -> None:
    card = Card("ae7100", engine=engine)
    ddr, content = far(card)
    sram, out = (card.empty(N, np.uint16, "sram") for _ in range(2))
    program = card.program(parse_module(TEXT))
    asked = program["ask"](1, N, sram, ddr, 2 * N)
    taken = program["take"](1, N, sram, out, ddr, 2 * N)
    assert (out.numpy() == content[:N] + 1).all()
    assert (card.device.read(ddr + 2 * N, N, np.uint16) == content[:N] + 1).all()
    assert asked and asked.taken.launches and taken and taken.taken.launches
    (first,), (second,) = asked.taken.launches, taken.taken.launches
    assert first.dma_tail.nominal > 0 and first.first_poll is not None and second.dma_tail.nominal == 0
    assert first.counters["ddr_bytes_read"] == 2 * N and second.counters["ddr_bytes_written"] == 2 * N


@pytest.mark.parametrize("engine", ["native", "reference"])
def test_a_kernel_that_asks_its_lanes_moves_data_too(engine: str) -> None:
    card = Card("ae7100", engine=engine)
    ddr, content = far(card)
    x = card.empty(N, np.uint16, "sram")
    card.program(parse_module(TEXT))["some"](1, N, x, ddr, 2 * N)
    expected = [int(value) + -(-(100 - int(value)) // 7) * 7 for value in content[:N]]
    assert x.numpy().tolist() == expected and card.device.read(ddr, N, np.uint16).tolist() == expected


def test_lanes_and_transfers_cannot_both_use_a_buffer_in_ddr() -> None:
    card = Card("ae7100", engine="reference")
    x, ddr = card.empty(N, np.uint16), card.empty(2 * N, np.uint16)
    with pytest.raises(LaunchError, match=r"argument 1 \(x\) lies in DDR, and both transfers and lanes use it"):
        card.program(parse_module(TEXT))["some"](1, N, x, ddr, 2 * N)


@pytest.mark.parametrize("engine", ["native", "reference"])
def test_a_transfer_goes_on_while_the_next_kernels_are_launched(engine: str) -> None:
    """Asking, a kernel that needs nothing, the one that waits: only what launches do not cover counts."""
    card = Card("ae7100", engine=engine, timed=True)
    size = 2 << 20
    sram, ddr, out = card.empty(size, np.uint8, "sram"), card.empty(size, np.uint8), card.empty(N, np.uint16, "sram")
    program, stream = card.program(parse_module(TEXT)), card.default_stream
    with card.capture(stream) as graph:
        program["ask"](1, N, sram, ddr, size)
        program["idle"](1, N, out)
        program["take"](1, N, sram, out, ddr, 2 * N)
    reports = graph.launch()
    ask, idle, take = (report.taken.launches[0] for report in reports)  # type: ignore[union-attr]
    total = card.synchronize()
    hertz = card.arch.clock.core.value * 1e6
    for end in ("low", "nominal", "high"):
        node = getattr(card.arch.launch.graph_us, end) * 1e-6

        def of(span: object, end: str = end) -> float:
            return getattr(span, end)

        tail, polled = of(ask.dma_tail) / hertz, of(take.first_poll) / hertz
        asked = node + of(ask.seconds)
        begun = asked + node + of(idle.seconds) + node + polled
        assert of(total) == pytest.approx(max(begun, asked + tail) + of(take.seconds) - polled, rel=1e-6)
    assert ask.dma_tail.nominal / hertz > 36e-6  # longer than two launches: the wait counts
