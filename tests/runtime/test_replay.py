"""Graphs of kernel IR: replays equal the launches one by one, whatever stands between the kernels."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from openrpp.kir import parse_module
from openrpp.machine import LaunchError
from openrpp.runtime import BufferFreed, Card, KernelFault, Program

TEXT = """\
module "steps"

kernel @step(%x: ptr.global, %mul: i32, %add: i32) {
^entry:
  %t = tid axis=x : i32
  %b = ctaid axis=x : i32
  %n = ntid axis=x : i32
  %start = mul %b, %n : i32
  %i = add %start, %t : i32
  %o = mul %i, 4:i32 : i32
  %at = ptr_add %x, %o : ptr.global
  %v = load %at : i32
  %m = mul %v, %mul : i32
  %w = add %m, %add : i32
  store %w, %at
  ret
}

kernel @halt(%at: i32) {
^entry:
  %c = icmp pred=eq %at, 0:i32 : i1
  cbr %c, ^stop, ^out
^stop:
  trap  !"halt.cu":7:3
  ret
^out:
  ret
}

kernel @say(%n: i32) {
^entry:
  %t = tid axis=x : i32
  %c = icmp pred=eq %t, 0:i32 : i1
  cbr %c, ^one, ^out
^one:
  %r = printf format="%d\\n" %n : i32
  ret
^out:
  ret
}
"""


@pytest.fixture(params=["native", "reference"])
def card(request: pytest.FixtureRequest) -> Card:
    return Card("ae7100x", request.param)


@pytest.fixture
def program(card: Card) -> Program:
    return card.program(parse_module(TEXT))


def test_kernels_prints_and_copies_keep_their_order(card: Card, program: Program) -> None:
    x, host, stream = card.array(np.arange(64, dtype=np.int32)), np.zeros(64, np.int32), card.stream()
    with card.capture(stream) as graph:
        program["step"](2, 32, x, 2, 1, stream=stream)
        program["step"](2, 32, x, 3, 0, stream=stream)
        program["say"](1, 32, 7, stream=stream)
        program["step"](2, 32, x, 1, 5, stream=stream)
        stream.copy(host, x)
        program["step"](2, 32, x, 0, 0, stream=stream)
    for _ in range(2):
        x.write(np.arange(64, dtype=np.int32))
        reports = graph.launch(stream)
        assert [report.kernel for report in reports] == ["step", "step", "say", "step", "step"]
        assert [getattr(report, "output", None) for report in reports] == ["", "", "7\n", "", ""]
        assert len(reports) == 5 and reports[-1] is reports[4] and reports[1:3] == tuple(reports)[1:3]
        np.testing.assert_array_equal(host, (np.arange(64) * 2 + 1) * 3 + 5)
        assert not x.numpy().any()


def test_arguments_change_between_replays(card: Card, program: Program) -> None:
    one, two = (card.array(np.zeros(32, np.int32)) for _ in "ab")
    stream = card.stream()
    with card.capture(stream) as graph:
        program["step"](1, 32, one, 1, 1, stream=stream)
        program["step"](1, 32, one, 1, 10, stream=stream)
    first, second = graph.nodes
    graph.launch(stream)
    second.update(add=100)
    graph.launch(stream)
    assert (one.numpy() == 112).all()
    first.update(x=two, add=7)
    graph.launch(stream)
    assert (one.numpy() == 212).all() and (two.numpy() == 7).all()
    near = card.array(np.zeros(32, np.int32), "sram")
    second.update(x=near)
    graph.launch(stream)
    assert (two.numpy() == 14).all() and (near.numpy() == 100).all()
    with pytest.raises(LaunchError, match="does not fit"):
        first.update(add=1 << 40)
    graph.launch(stream)
    assert (two.numpy() == 21).all()
    two.free()
    with pytest.raises(BufferFreed, match="kernel step, argument 1"):
        graph.launch(stream)
    assert (near.numpy() == 200).all()  # nothing ran


def test_a_fault_ends_a_replay_and_the_next_one_runs(card: Card, program: Program) -> None:
    x, stream = card.array(np.zeros(32, np.int32)), card.stream()
    with card.capture(stream) as graph:
        program["step"](1, 32, x, 1, 1, stream=stream)
        program["halt"](1, 1, 0, stream=stream)
        program["step"](1, 32, x, 1, 1, stream=stream)
    with pytest.raises(KernelFault, match=r"halt\.cu:7: kernel halt: ") as found:
        graph.launch(stream)
    assert found.value.kernel == "halt" and (x.numpy() == 1).all()
    graph.nodes[1].update(at=1)
    graph.launch(stream)
    assert (x.numpy() == 3).all()


@pytest.mark.parametrize("timed", [False, True])
def test_the_clock_shows_what_launches_one_by_one_show(timed: bool) -> None:
    card = Card("ae7100x", "native", timed=timed, workers=2)
    program = card.program(parse_module(TEXT))
    x, one, two = card.array(np.zeros(6400, np.int32), "sram"), card.stream("one"), card.stream("two")
    step, node = program["step"], card.arch.launch.graph_us.value * 1e-6
    with card.capture(one) as line:
        for add in range(4):
            step(100, 64, x, 1, add, stream=one)
    with card.capture(one) as fork:
        step(100, 64, x, 1, 1, stream=one)
        two.wait(one.record())
        step(100, 64, x, 1, 1, stream=two)
        step(100, 64, x, 1, 1, stream=one)
        one.wait(two.record())
    kernel = step(100, 64, x, 1, 0)
    assert kernel is not None and kernel.seconds is not None
    each = kernel.seconds.nominal if timed else 0.0
    for graph, length in ((line, 4 * (node + each)), (fork, 3 * node + (3 if timed else 0) * each)):
        start, untimed = card.synchronize().nominal, card.untimed
        reports = graph.launch(one)
        taken = card.synchronize().nominal - start
        assert taken == pytest.approx(length, rel=1e-6) or (graph is fork and node < taken <= length)
        assert card.untimed - untimed == (0 if timed else len(graph.nodes))
        assert all(report.seconds == kernel.seconds for report in reports)
    assert (x.numpy() == 9).all()
    names = [record.name for record in card.timeline if record.engine == "host queue"]
    assert names == ["step"] * 8


PUBLISHED = """\
module "published"

kernel @rows(%x: ptr.global, %y: ptr.global, %turns: i32) {
^entry:
  %t = tid axis=x : i32
  %o = shl %t, 2:i32 : i32
  %from = ptr_add %x, %o : ptr.global
  %to = ptr_add %y, %o : ptr.global
  br ^turn(0:i32, 0:i32)
^turn(%i: i32, %s: i32):
  %v = load %from : i32
  %n = add %s, %v : i32
  %j = add %i, 1:i32 : i32
  %go = icmp pred=slt %j, %turns : i1
  cbr %go, ^turn(%j, %n), ^done(%n)
^done(%r: i32):
  store %r, %to
  ret
}

kernel @near(%x: ptr.global, %y: ptr.global) {
^entry:
  %c = icmp pred=ult %x, %y : i1
  cbr %c, ^one, ^out
^one:
  store 1:i32, %x
  ret
^out:
  ret
}
"""


def _counted(card: Card, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Kernels of launches that are walked from now on."""
    walked, walk = list[str](), card.device.time

    def time(kernel: Any, *rest: Any) -> Any:
        walked.append(kernel.name)
        return walk(kernel, *rest)

    monkeypatch.setattr(card.device, "time", time)
    return walked


def test_launches_that_differ_in_their_buffers_only_are_walked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    card = Card("ae7100", "native")
    walked, program = _counted(card, monkeypatch), card.program(parse_module(PUBLISHED))
    x, y, z = (card.array(np.ones(256, np.int32), "sram") for _ in "xyz")
    times = [program["rows"](1, 256, *pair, 9) for pair in ((x, y), (y, z), (z, x))]
    assert {report.seconds for report in times if report} == {times[0].seconds if times[0] else None}
    assert len(walked) == 1
    assert program["rows"](1, 256, x, x, 9).taken.launches and len(walked) == 2  # type: ignore[union-attr]
    far = program["rows"](1, 256, x, y, 18)
    assert far is not None and far.seconds is not None and times[0] is not None and times[0].seconds is not None
    assert far.seconds.nominal > times[0].seconds.nominal and len(walked) == 3
    other = Card("ae7100", "native")
    other.empty(1 << 20, np.uint8, "sram")
    y, x = (other.array(np.ones(256, np.int32), "sram") for _ in "yx")
    moved = other.program(program.module)["rows"](1, 256, x, y, 18)
    assert moved is not None and moved.seconds == far.seconds


def test_kernels_that_compare_addresses_are_walked_for_each(monkeypatch: pytest.MonkeyPatch) -> None:
    card = Card("ae7100x", "native")
    walked, near = _counted(card, monkeypatch), card.program(parse_module(PUBLISHED))["near"]
    x, y = (card.array(np.zeros(1, np.int32), "sram") for _ in "xy")
    up, down = near(1, 1, x, y), near(1, 1, y, x)
    assert up is not None and down is not None and up.taken.columns > down.taken.columns
    assert len(walked) == 2 and near(1, 1, x, y).seconds == up.seconds and len(walked) == 2  # type: ignore[union-attr]


def test_a_graph_tells_its_card_time_without_running() -> None:
    card = Card("ae7100", "native", timed=True)
    rows, stream = card.program(parse_module(PUBLISHED))["rows"], card.stream()
    x, y = (card.array(np.ones(256, np.int32), "sram") for _ in "xy")
    far, used = card.empty(256, np.int32), x.numpy().tolist()
    with card.capture(stream) as graph:
        for turns in (3, 4, 5):
            rows(1, 256, x, y, turns, stream=stream)
            rows(1, 256, y, x, turns, stream=stream)
        stream.copy(far, x)
    told = graph.time()
    assert x.numpy().tolist() == used and told.launches == len(told.taken) == 6 and not told.unknown
    start = card.synchronize()
    graph.launch(stream)
    end = card.synchronize()
    assert told.seconds is not None
    assert told.seconds.nominal == pytest.approx(end.nominal - start.nominal, rel=1e-9)
    assert told.seconds.low == pytest.approx(end.low - start.low, rel=1e-9)
    graph.nodes[0].update(turns=3000)
    later = graph.time().seconds
    assert later is not None and later.nominal > told.seconds.nominal
    with card.capture(stream) as unknown:
        rows(1, 256, far, x, 1, stream=stream)
    assert unknown.time().seconds is None and "rows: not known: " in unknown.time().unknown[0]


def test_a_graph_of_programs_in_machine_code_tells_its_card_time(add_file: Path) -> None:
    card = Card()
    add, stream, x = card.module(add_file)["add"], card.stream(), card.array(np.zeros(64, np.uint16), "sram")
    with card.capture(stream) as graph:
        add(2, 32, x, x, 1, stream=stream)
    told = graph.time()
    assert not x.numpy().any()
    start = card.synchronize().nominal
    graph.launch(stream)
    assert told.seconds is not None and told.launches == 1
    assert told.seconds.nominal == pytest.approx(card.synchronize().nominal - start, rel=1e-9)
