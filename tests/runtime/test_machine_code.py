"""Kernel IR as machine code of the card: the interpreter's results, and card time."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from openrpp.codegen.errors import Unsupported
from openrpp.kir import parse_module
from openrpp.machine import LaunchError
from openrpp.machine.report import Span
from openrpp.runtime import Card, Event, KernelFault, Program
from openrpp.runtime.merging import merges
from openrpp.storage import Cache

TEXT = """\
module "sums.cu"
global @tile shared size 256 align 4
global @pad shared size 0 align 4 dynamic
global @step constant size 4 align 4 data "03000000"

kernel @add(%n: i32, %x: ptr.global, %y: ptr.global) {
^entry:
  %b = ctaid axis=x : i32
  %w = ntid axis=x : i32
  %t = tid axis=x : i32
  %s = mul %b, %w : i32
  %i = add %s, %t : i32
  %in = icmp pred=slt %i, %n : i1
  cbr %in, ^body, ^out
^body:
  %o = shl %i, 2:i32 : i32
  %p = ptr_add inbounds %x, %o : ptr.global  !"sums.cu":4:3
  %q = ptr_add inbounds %y, %o : ptr.global
  %a = load align=4 %p : i32  !"sums.cu":4:3
  %k = global_addr symbol=step : ptr.constant
  %c = load align=4 %k : i32
  %r = mul %a, %c : i32
  %g = nctaid axis=x : i32
  %z = add %r, %g : i32
  store align=4 %z, %q
  br ^out
^out:
  ret
}

kernel @turn(%x: ptr.global) {
^entry:
  %t = tid axis=x : i32
  %b = ctaid axis=x : i32
  %e = ctaid axis=y : i32
  %f = nctaid axis=x : i32
  %row = mul %e, %f : i32
  %which = add %row, %b : i32
  %s = shl %which, 6:i32 : i32
  %i = add %s, %t : i32
  %o = shl %i, 2:i32 : i32
  %p = ptr_add inbounds %x, %o : ptr.global
  %v = load align=4 %p : i32
  %m = global_addr symbol=tile : ptr.shared
  %d = shl %t, 2:i32 : i32
  %at = ptr_add %m, %d : ptr.shared
  store align=4 %v, %at
  barrier
  %u = xor %t, 63:i32 : i32
  %h = shl %u, 2:i32 : i32
  %from = ptr_add %m, %h : ptr.shared
  %l = load align=4 %from : i32
  store align=4 %l, %p
  ret
}

kernel @spin(%x: ptr.global) {
  local @many size 4194304 align 4
^entry:
  %l = local_addr symbol=many : ptr.private
  store align=4 7:i32, %l
  %v = load align=4 %l : i32
  store align=4 %v, %x
  ret
}

kernel @until(%x: ptr.global) {
^entry:
  %t = tid axis=x : i32
  %b = ctaid axis=x : i32
  %n = ntid axis=x : i32
  %first = mul %b, %n : i32
  %i = add %first, %t : i32
  %o = shl %i, 2:i32 : i32
  %p = ptr_add inbounds %x, %o : ptr.global
  br ^loop
^loop:
  %v = load align=4 %p : i32
  %w = lshr %v, 1:i32 : i32
  store align=4 %w, %p
  %c = icmp pred=ne %w, 0:i32 : i1
  cbr %c, ^loop, ^out
^out:
  ret
}

kernel @lines(%x: ptr.global) { !"sums.cu":28:1
^entry:
  %b = ctaid axis=x : i32  !"sums.cu":29:3
  %t = tid axis=x : i32
  %s = shl %b, 6:i32 : i32
  %i = add %s, %t : i32
  %o = shl %i, 2:i32 : i32
  %p = ptr_add inbounds %x, %o : ptr.global
  store align=4 %i, %p
  grid_barrier  !"sums.cu":30:3
  %m = sub 255:i32, %i : i32
  %d = shl %m, 2:i32 : i32
  %q = ptr_add inbounds %x, %d : ptr.global
  %v = load align=4 %q : i32
  grid_barrier  !"sums.cu":31:3
  store align=4 %v, %p
  ret
}
"""


@pytest.fixture
def store(tmp_path: Path) -> Cache:
    return Cache(tmp_path / "cache")


def _program(card: Card, store: Cache) -> Program:
    return card.program(parse_module(TEXT), store=store)


def _card(arch: str | Path = "ae7100x", engine: str = "reference") -> Card:
    return Card(arch, engine)


@pytest.mark.parametrize("blocks", [1, 3, 9, 40])
def test_a_launch_gives_what_the_interpreter_gives_and_has_card_time(blocks: int, store: Cache) -> None:
    results: list[list[int]] = []
    times: list[Span | None] = []
    for engine in ("reference", "native", "interpreter"):
        card = _card(engine=engine)
        x = card.array(np.arange(blocks * 64, dtype=np.int32))
        y = card.array(np.zeros(blocks * 64, np.int32))
        report = _program(card, store)["add"](blocks, 64, blocks * 64 - 5, x, y)
        assert report is not None and report.engine == engine
        assert card.untimed == (engine != "reference")
        results.append(y.numpy().tolist())
        times.append(report.seconds)
    assert results[0] == results[1] == results[2]
    assert times[0] is not None and times[0] == times[1] == times[2]


def test_blocks_are_merged_where_the_ring_would_idle(store: Cache) -> None:
    card = _card()
    x = card.array(np.arange(6 * 50 * 64, dtype=np.int32))
    report = _program(card, store)["turn"]((50, 6), 64, x)
    assert np.array_equal(x.numpy().reshape(-1, 64), np.arange(6 * 50 * 64).reshape(-1, 64)[:, ::-1])
    assert report is not None and report.taken.merge > 1
    assert report.taken.launches[0].grid == (-(-50 // report.taken.merge), 6, 1)
    assert report.taken.launches[0].block == (64 * report.taken.merge, 1, 1)


def test_how_many_blocks_are_merged() -> None:
    arch = _card().arch
    full = arch.array.columns.value * arch.array.stage_latency.value  # warps of a full ring
    assert merges(arch, (1, 1, 1), (64, 1, 1)) == [1]
    assert merges(arch, (4096, 1, 1), (32 * round(full), 1, 1)) == [1]
    first, *rest = merges(arch, (4096, 1, 1), (32, 1, 1))
    assert first >= full and rest[-1] == 1 and first <= 255
    assert merges(arch, (3, 1, 1), (32, 1, 1))[0] == 3


def test_card_time_is_on_the_clock(store: Cache) -> None:
    card = _card()
    x = card.array(np.arange(64, dtype=np.int32))
    before = Event().record(card.default_stream)
    report = _program(card, store)["turn"](1, 64, x)
    after = Event().record(card.default_stream)
    assert report is not None and report.seconds is not None and card.untimed == 0
    launch = report.taken.launches[0].launch_seconds
    span = after.elapsed(before)
    assert span.nominal == pytest.approx(report.seconds.nominal + launch.nominal)
    assert span.low < span.nominal < span.high
    assert report.as_dict()["seconds"]["nominal"] == report.seconds.nominal


@pytest.mark.parametrize("engine", ["native", "interpreter"])
def test_a_card_may_put_time_on_its_clock_whichever_engine_runs(engine: str, store: Cache) -> None:
    spans: list[Span] = []
    for card in (Card("ae7100x", engine, timed=True), _card()):
        x = card.array(np.arange(640, dtype=np.int32))
        before = Event().record(card.default_stream)
        _program(card, store)["turn"](10, 64, x)
        spans.append(Event().record(card.default_stream).elapsed(before))
        assert card.untimed == 0
    assert spans[0] == spans[1] and spans[0].nominal > 0


def test_the_native_engine_times_control_that_depends_on_data(store: Cache) -> None:
    values = np.array([1, 0, 7, 1000, 3, 2**31 - 1] * 50, np.int32)
    found: list[tuple[list[int], Span | None]] = []
    for card in (Card("ae7100x", "native", timed=True), _card()):
        x = card.array(values)
        report = _program(card, store)["until"](3, 100, x)
        assert report is not None and report.engine == card.engine and card.untimed == 0
        found.append((x.numpy().tolist(), report.seconds))
        assert card.memory_info("sram").used == 0
    assert found[0][0] == found[1][0]
    native, reference = found[0][1], found[1][1]
    assert native is not None and reference is not None
    assert native.nominal == pytest.approx(reference.nominal, rel=0.02)


def test_why_there_is_no_card_time(store: Cache) -> None:
    card = _card(engine="native")
    x = card.array(np.arange(64, dtype=np.int32))
    program = _program(card, store)
    report = program["until"](1, 64, x)
    assert report is not None and report.seconds is None
    assert "not known: kernel until cannot be timed without running it: the vote" in report.taken.reason
    assert report.as_dict()["seconds_note"] == report.taken.reason
    event, later = Event().record(card.default_stream), Event()
    program["until"](1, 64, x)
    with pytest.raises(LaunchError, match="a card made with timed=True"):
        later.record(card.default_stream).elapsed(event)


def test_a_long_grid_takes_several_launches(tmp_path: Path, store: Cache) -> None:
    file = tmp_path / "short.toml"
    origin = 'source = "assumed"\nreference = "a test"'
    file.write_text(f'name = "short"\ntitle = "short"\ninherits = "ae7100x"\n[limits.grid]\nvalue = 3\n{origin}\n')
    card = Card(file, "reference")
    x = card.array(np.arange(7 * 4096, dtype=np.int32))
    y = card.array(np.zeros(7 * 4096, np.int32))
    report = _program(card, store)["add"](7, 4096, 7 * 4096 - 1, x, y)
    assert report is not None and [launch.grid[0] for launch in report.taken.launches] == [3, 3, 1]
    assert report.taken.seconds is not None
    parts = [launch.seconds.nominal for launch in report.taken.launches]
    assert report.taken.seconds.nominal == pytest.approx(sum(parts))
    expected = np.arange(7 * 4096) * 3 + 7
    expected[-1] = 0
    assert np.array_equal(y.numpy(), expected)


def test_a_stopped_kernel_names_its_source_line_and_gives_its_memory_back(store: Cache) -> None:
    card = _card()
    program = _program(card, store)
    with pytest.raises(KernelFault, match=r"^sums\.cu:4: kernel add: ") as found:
        program["add"](1, 64, 64, 0, card.array(np.zeros(64, np.int32)))
    assert found.value.location == "sums.cu:4"
    assert card.memory_info("sram").used == 0


def test_scratch_memory_is_held_for_the_launch_only(store: Cache) -> None:
    card = _card()
    x = card.array(np.arange(64, dtype=np.int32))
    _program(card, store)["turn"](1, 64, x)
    assert card.memory_info("sram").used == 0


def test_a_kernel_that_does_not_fit_sram_says_what_it_takes(store: Cache) -> None:
    card = _card()
    x = card.array(np.zeros(64, np.int32))
    sentence = r"kernel spin: a block of 32 threads takes .*134,217,728 bytes of private memory: SRAM has no room"
    with pytest.raises(LaunchError, match=sentence):
        _program(card, store)["spin"](1, 32, x)
    assert card.memory_info("sram").used == 0


def test_fewer_blocks_are_merged_where_sram_is_short(store: Cache) -> None:
    card = _card()
    x = card.array(np.arange(255 * 64, dtype=np.int32))
    info = card.memory_info("sram")
    rest = card.empty(info.largest - 6_000, np.uint8, memory="sram")
    report = _program(card, store)["turn"](255, 64, x)
    assert report is not None
    assert np.array_equal(x.numpy().reshape(-1, 64), np.arange(255 * 64).reshape(-1, 64)[:, ::-1])
    assert any("SRAM has no room" in note for note in report.taken.notes)
    assert rest.nbytes + 6_000 == info.largest


def test_blocks_that_wait_for_each_other_are_one_block_of_the_card(store: Cache) -> None:
    card = _card()
    program = _program(card, store)
    x = card.array(np.zeros(4 * 64, np.int32))
    report = program["lines"](4, 64, x)
    assert report is not None and report.taken.merge == 4
    assert x.numpy().tolist() == [4 * 64 - 1 - i for i in range(4 * 64)]
    for grid in ((200, 1), (20, 10)):
        with pytest.raises(Unsupported, match=r"sums\.cu:\d+: kernel lines: .*block"):
            program["lines"](grid, 64, x)
    assert card.memory_info("sram").used == 0


def test_the_published_chip_takes_buffers_in_sram(store: Cache) -> None:
    card = _card("ae7100")
    x = card.array(np.arange(128, dtype=np.int32), memory="sram")
    y = card.array(np.zeros(128, np.int32), memory="sram")
    program = _program(card, store)
    report = program["add"](2, 64, 125, x, y)
    assert report is not None and report.seconds is not None
    assert y.numpy().tolist() == [3 * i + 2 if i < 125 else 0 for i in range(128)]
    z = card.array(np.zeros(128, np.int32))
    report = program["add"](2, 64, 125, x, z)
    assert report is not None and report.taken.stages[0].fetched == (500,)  # x is there already
    assert np.array_equal(z.numpy(), y.numpy())


def test_a_card_without_an_instruction_says_which(tmp_path: Path, store: Cache) -> None:
    file = tmp_path / "less.toml"
    file.write_text('name = "less"\ntitle = "less"\ninherits = "ae7100x"\nextensions = ["ddr", "wide"]\n')
    card = _card(file)
    x = card.array(np.zeros(64, np.int32))
    with pytest.raises(LaunchError, match=r"kernel add needs the extensions? .*compare.*, which less lacks"):
        _program(card, store)["add"](1, 64, 64, x, x)


def test_programs_are_kept_between_processes(store: Cache, monkeypatch: pytest.MonkeyPatch) -> None:
    card = _card()
    x = card.array(np.arange(64, dtype=np.int32))
    _program(card, store)["turn"](1, 64, x)
    assert len([entry for entry in store.entries() if entry.kind == "card"]) == 1
    monkeypatch.setattr("openrpp.codegen.card.compile", None)  # nothing is compiled again
    _program(card, store)["turn"](1, 64, x)
    assert np.array_equal(x.numpy(), np.arange(64))


WAITING = """module "wait.cu"
kernel @swap(%x: ptr.global) {
^entry:
  %t = tid axis=x : i32
  %b = ctaid axis=x : i32
  %e = ctaid axis=y : i32
  %f = nctaid axis=x : i32
  %g = nctaid axis=y : i32
  %row = mul %e, %f : i32
  %block = add %row, %b : i32
  %s = mul %block, 32:i32 : i32
  %i = add %s, %t : i32
  %all = mul %f, %g : i32
  %threads = mul %all, 32:i32 : i32
  %last = sub %threads, 1:i32 : i32
  %j = sub %last, %i : i32
  %o = shl %i, 2:i32 : i32
  %p = shl %j, 2:i32 : i32
  %at = ptr_add %x, %o : ptr.global
  %far = ptr_add %x, %p : ptr.global
  %v = load %far : i32
  grid_barrier
  store %v, %at
  %stop = icmp pred=eq %i, 9999:i32 : i1
  cbr %stop, ^bad, ^out
^bad:
  trap
  unreachable
^out:
  ret
}
"""


@pytest.mark.parametrize("grid", [(6, 1), (2, 3), (1, 5)])
def test_blocks_that_wait_for_each_other_run_as_one_block_of_the_card(grid: tuple[int, int]) -> None:
    card = Card("ae7100x", engine="reference")
    count = 32 * grid[0] * grid[1]
    x = card.array(np.arange(count, dtype=np.int32))
    report = card.program(parse_module(WAITING))["swap"](grid, (32,), x)
    assert x.numpy().tolist() == list(range(count))[::-1]
    assert report is not None
    assert report.seconds is not None


def test_blocks_that_wait_for_each_other_must_fit_one_block_of_the_card() -> None:
    card = Card("ae7100x", engine="reference")
    x = card.array(np.arange(32 * 300, dtype=np.int32))
    with pytest.raises(Unsupported, match=r"its 300 blocks of 32 threads wait for each other.* has 8160 threads"):
        card.program(parse_module(WAITING))["swap"]((30, 10), (32,), x)
