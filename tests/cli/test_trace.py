"""Traces: their format, their tracks, and that bars never overlap on a track."""

from __future__ import annotations

import itertools
import json
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from openrpp.report.trace import TraceWriter
from openrpp.runtime import Card

from .conftest import Rpp

NUMBER = (int, float)
FIELDS: dict[str, dict[str, object]] = {
    # Trace Event Format: complete events, metadata, counters.
    "X": {"name": str, "cat": str, "pid": int, "tid": int, "ts": NUMBER, "dur": NUMBER, "args": dict},
    "M": {"name": str, "pid": int, "tid": int, "args": dict},
    "C": {"name": str, "pid": int, "tid": int, "ts": NUMBER, "args": dict},
}


def checked(path: Path) -> list[dict[str, Any]]:
    """The events of a trace, every one of them checked against the format."""
    document = json.loads(path.read_text())
    assert set(document) == {"displayTimeUnit", "traceEvents"} and document["displayTimeUnit"] in ("ns", "ms")
    events = document["traceEvents"]
    for event in events:
        fields = FIELDS[event["ph"]]
        assert set(event) == {"ph", *fields}, event
        assert all(isinstance(event[name], kind) for name, kind in fields.items()), event  # type: ignore[arg-type]
        assert event.get("ts", 0) >= 0 and event.get("dur", 0) >= 0
        if event["ph"] == "M":
            wanted = {"process_name": "name", "thread_name": "name", "thread_sort_index": "sort_index"}
            assert list(event["args"]) == [wanted[event["name"]]]
        if event["ph"] == "C":
            assert all(isinstance(value, NUMBER) for value in event["args"].values())
    return events


def tracks(events: list[dict[str, Any]]) -> dict[tuple[int, str], list[tuple[int, int, str]]]:
    """(process, track) -> bars as (start, end, name) in whole nanoseconds, as a reader that truncates sees them."""
    names = {(e["pid"], e["tid"]): e["args"]["name"] for e in events if e["name"] == "thread_name"}
    found: dict[tuple[int, str], list[tuple[int, int, str]]] = defaultdict(list)
    for event in events:
        if event["ph"] == "X":
            start = int(event["ts"] * 1000)
            bar = (start, start + int(event["dur"] * 1000), event["name"])
            found[event["pid"], names[event["pid"], event["tid"]]].append(bar)
    return found


def assert_no_overlap(events: list[dict[str, Any]]) -> None:
    for track, bars in tracks(events).items():
        ordered = sorted(bars)
        for (_, end, name), (start, _, following) in itertools.pairwise(ordered):
            assert start >= end, (track, name, following)


def test_a_traced_launch_has_all_tracks(rpp: Rpp, folder: Path) -> None:
    result = rpp(
        "trace", "add.s", "--grid", "40", "--block", "96", "--in", "src=a.npy", "--out", "dst=b.npy:uint16:4096",
        "--param", "n=3", "-o", "t.json", "--json",
    )  # fmt: skip
    assert result.exit_code == 0, result.stderr
    document = json.loads(result.stdout)
    events = checked(folder / "t.json")
    assert document["trace"] == "t.json" and document["trace_events"] == len(events)
    assert_no_overlap(events)
    found = tracks(events)
    card = {track for process, track in found if process == 1}
    assert card == {"host queue", "array", "link in", "link out", "DMA in", "DMA out"}
    inside = [track for process, track in found if process == 2]
    assert {f"column {number}" for number in range(32)} <= set(inside)
    assert sum(len(bars) for (process, _), bars in found.items() if process == 2) == document["report"]["columns"]
    ((start, end, _),) = found[1, "array"]
    assert end - start == pytest.approx(document["report"]["seconds"]["nominal"] * 1e9, abs=1)
    edges = [edge for (process, _), bars in found.items() if process == 2 for bar in bars for edge in bar[:2]]
    assert start <= min(edges) and max(edges) <= end + 1
    rates = [event["args"]["GB/s"] for event in events if event["ph"] == "C"]
    assert rates[-1] == 0 and max(rates) == pytest.approx(59.7 * 0.87)


def test_a_kernel_s_own_transfers_are_on_dma_tracks(rpp: Rpp, folder: Path) -> None:
    (folder / "fetch.s").write_text(
        ".param .u32 from_high\n.param .u32 from_low\n.param .u32 to_high\n.param .u32 to_low\n.param .u32 bytes\n"
        ".var .u32 %v\n.var .u16 %i\n.var .u16 %one\nMOVE.U16 3, %i\nMOVE.U16 1, %one\n$AGAIN:\n"
        + "".join(
            f"LDPARAM.U32 [{name}], %v\nSTGLB.U32 %v, [dma_ch0_mod1_{word}]\n"
            for name, word in (("from_high", "src_hi"), ("from_low", "src_lo"), ("to_high", "dst_hi"),
                               ("to_low", "dst_lo"), ("bytes", "len"))
        )
        + "SUB.U16 %i, %one, %i\nJMPC %i, $AGAIN\n##\nPOLL.CHN1\n##\n"
    )  # fmt: skip
    words = ["trace", "fetch.s", "--block", "64", "--in", "x=a.npy:ddr", "--out", "y=b.npy:uint16:1024"]
    for value in ("from_high=@x.high", "from_low=@x.low", "to_high=@y.high", "to_low=@y.low", "bytes=2048"):
        words += ["--param", value]
    result = rpp(*words, "-o", "t.json", "--json")
    assert result.exit_code == 0, result.stderr
    np.testing.assert_array_equal(np.load("b.npy"), np.arange(1024))
    assert json.loads(result.stdout)["report"]["counters"]["ddr_bytes_read"] == 3 * 2048
    events = checked(folder / "t.json")
    assert_no_overlap(events)
    found = tracks(events)
    inside = [
        bar for (process, track), bars in found.items() if process == 2 and track.startswith("DMA in") for bar in bars
    ]
    assert [name for _, _, name in inside] == ["DDR to SRAM"] * 3


def test_a_program_that_turns_on_data_is_traced_inside_as_well(rpp: Rpp, folder: Path) -> None:
    """A word goes from SRAM to parameter memory and decides a jump; the walk has it from the engine that ran."""
    (folder / "turn.s").write_text(
        ".param .u32 from\n.param .u32 to\n.param .u32 bytes\n.var .u32 %v\n.var .u16 %t\nMOVE.U32 0, %v\n"
        "STGLB.U32 %v, [dma_ch0_mod1_src_hi]\nSTGLB.U32 %v, [dma_ch0_mod1_dst_hi]\n"
        "LDPARAM.U32 [from], %v\nSTGLB.U32 %v, [dma_ch0_mod1_src_lo]\n"
        "LDPARAM.U32 [to], %v\nSTGLB.U32 %v, [dma_ch0_mod1_dst_lo]\n"
        "LDPARAM.U32 [bytes], %v\nSTGLB.U32 %v, [dma_ch0_mod1_len]\nPOLL.CHN1\n##\n"
        "LDPARAM.U16 [cfg_fft_w4_0], %t\nJMPC %t, $END\n##\n$END:\n##\n"
    )
    result = rpp("trace", "turn.s", "--block", "64", "--in", "from=a.npy", "--param", f"to={0x0600_0800}",
                 "--param", "bytes=4", "-o", "t.json", "--json")  # fmt: skip
    assert result.exit_code == 0, result.stderr
    assert "trace_note" not in json.loads(result.stdout)
    found = tracks(checked(folder / "t.json"))
    assert {process for process, _ in found} == {1, 2}


def test_a_large_trace_is_cut_and_says_so(rpp: Rpp, folder: Path) -> None:
    result = rpp(
        "trace", "add.s", "--grid", "40", "--block", "96", "--in", "src=a.npy", "--out", "dst=b.npy:uint16:4096",
        "--param", "n=3", "-o", "t.json", "--max-events", "10",
    )  # fmt: skip
    assert " trace note: the kernel has more than 10 events inside; see --max-events\n" in result.stdout
    found = tracks(checked(folder / "t.json"))
    assert sum(len(bars) for (process, _), bars in found.items() if process == 2) == 10


def test_a_trace_that_cannot_be_written_is_refused_before_anything_runs(rpp: Rpp) -> None:
    result = rpp("trace", "none.s", "--block", "64", "-o", "no/t.json")
    assert (result.exit_code, result.stderr) == (2, "rpp: trace: no/t.json: folder no does not exist\n")


@dataclass(frozen=True)
class Bar:
    track: str
    name: str
    start_cycle: float
    end_cycle: float
    details: dict[str, int | str] = field(default_factory=dict)


def test_events_reach_the_disk_as_they_come(tmp_path: Path) -> None:
    path = tmp_path / "t.json"
    sizes: list[int] = []

    def endless() -> Iterator[Bar]:
        for number in range(5000):
            sizes.append(path.stat().st_size)
            yield Bar("sequencer", "word", number, number + 1)

    with TraceWriter(path, "card") as writer:
        writer.kernel("k", endless(), 0.0, 1e9)
    assert sizes[0] < sizes[2500] < sizes[-1]
    assert len(tracks(checked(path))[2, "sequencer"]) == 5000


def test_bars_that_overlap_go_beside_each_other_and_rounding_makes_none(tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    chain = np.cumsum(rng.random(2000) * 3e-9)
    with TraceWriter(tmp_path / "t.json", "card") as writer:
        for start, end in itertools.pairwise(chain):
            writer.bar(1, "chain", "link", float(start), float(end), {})
        for start in rng.random(200) * 1e-3:
            writer.bar(1, "any", "bar", float(start), float(start) + 5e-5, {})
    events = checked(tmp_path / "t.json")
    assert_no_overlap(events)
    names = {track for _, track in tracks(events)}
    assert "chain" in names and "chain (2)" not in names and "any (2)" in names


def test_an_interrupted_trace_can_be_read(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), TraceWriter(tmp_path / "t.json", "card") as writer:
        writer.bar(1, "array", "k", 0.0, 1e-6, {})
        raise KeyboardInterrupt
    assert len(tracks(checked(tmp_path / "t.json"))[1, "array"]) == 1


def test_streams_that_overlap_give_bars_that_do_not(tmp_path: Path) -> None:
    card = Card()
    source, slot = card.empty(100_000, np.uint8), card.empty(100_000, np.uint8, "sram")
    with TraceWriter(tmp_path / "t.json", card.arch.name) as writer:
        card.watch(writer.notice)
        for _ in range(6):
            card.stream().copy(slot, source)
            card.stream().copy(source, slot)
        card.synchronize()
    events = checked(tmp_path / "t.json")
    assert_no_overlap(events)
    assert {track for _, track in tracks(events)} >= {"DMA in", "DMA out, channel 1", "DMA in, channel 2"}


def test_cuda_sources_have_no_trace_yet(rpp: Rpp) -> None:
    result = rpp("trace", "k.cu", "--block", "1", "-o", "t.json")
    assert result.exit_code == 2 and "there is no trace of CUDA yet; 'rpp run' has its card time" in result.stderr
