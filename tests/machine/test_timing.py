"""Card time of launches: engine against walk, port passes against a count lane by lane, reports that add up."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openrpp.arch import load
from openrpp.isa.assembler import assemble
from openrpp.isa.form import Cost, Slot
from openrpp.isa.table.port import Lanes
from openrpp.machine import Device, LaunchReport
from openrpp.machine.banks import gather_passes, lines, vector_passes
from openrpp.machine.items import ColumnItem, Item, Repeat
from openrpp.machine.observe import Observer
from openrpp.machine.pipeline import Traffic
from openrpp.machine.reference import Step
from openrpp.machine.sample import EAGER, STRIDE, PassSamples
from openrpp.machine.timing import report
from tests.machine.cards import changed
from tests.machine.programs import INPUT, IOTA, OUTPUT, Program, seeded, shaped

SRAM, DDR = 0x0400_0000, 0x5000_0000


# --- port passes, lane by lane ---------------------------------------------------------------------------------------


def passes_by_hand(addresses: Any, chosen: Any, nbytes: int, banks: int, port_bytes: int, dot: bool = False) -> int:
    """Passes of an access, warp by warp and lane by lane."""
    total = 0
    for first in range(0, len(addresses), 32):
        wanted: dict[int, set[int]] = defaultdict(set)
        vectors: set[int] = set()
        for lane in range(first, min(first + 32, len(addresses))):
            address = int(addresses[lane])
            if chosen is not None and not chosen[lane]:
                continue
            vectors.add(address)
            for word in range(address // 2, (address + nbytes + 1) // 2):
                wanted[word % banks].add(word)
        if dot:
            total += -(-len(vectors) * nbytes // port_bytes)
        else:
            total += max((len(words) for words in wanted.values()), default=0)
    return total


class ByHand(Observer):
    """The passes of every executed column, counted lane by lane on the addresses that the engine uses."""

    def __init__(self, device: Device) -> None:
        self.device = device
        self.seen: list[tuple[int, int, int]] = []

    def before(self, step: Step, lanes: Lanes, part: slice) -> None:
        card, path = self.device.card, self.device.engine.datapath
        totals = {Slot.SEQUENTIAL: 0, Slot.GATHER: 0}
        for op, captured in zip(step.column.port, step.captured, strict=False):
            if op.form.slot not in totals or op.form.cost is Cost.WARP_VECTOR:
                continue
            chosen = None
            if "c" in op.form.operands:
                chosen = path.vectors.halves[op.op.values["c"]][part] != 0
            elif op.form.effect == "load-masked":
                chosen = [captured["m"] >> (lane % 8) & 1 for lane in range(lanes.i.size)]
            dot = op.form.cost is Cost.LANE_VECTOR
            totals[op.form.slot] += passes_by_hand(
                path.addresses(op, lanes, part, captured),
                chosen,
                2 * captured["l"] if dot else 1 if op.form.effect == "load-byte" else 2,
                card.sram.banks.value,
                card.sram.port_bytes.value,
                dot,
            )
        self.seen.append((step.column.start, lanes.i.size, max(totals.values())))


def columns_of(items: tuple[Item, ...]) -> Iterator[ColumnItem]:
    """Every executed column, in order."""
    for item in items:
        if isinstance(item, Repeat):
            for _ in range(item.count):
                yield from columns_of(item.items)
        elif isinstance(item, ColumnItem):
            yield item


def observed(program: Program) -> tuple[Device, ByHand, LaunchReport]:
    """A random program run with every column measured, and counted by hand."""
    device = Device()
    by_hand = ByHand(device)
    device.samples = PassSamples(device.card, device.engine.datapath, every=1)
    device.engine.observers = (by_hand, device.samples)
    program.prepare(device)
    return device, by_hand, program.launch(device)


def check_passes(seed: int) -> None:
    """Passes that the walk knows, and those that the samples measure, are those counted by hand."""
    device, by_hand, _ = observed(seeded(seed))
    assert device.timed is not None
    walked = list(columns_of(device.timed.items))
    assert [(item.code.start, item.lanes) for item in walked] == [(start, lanes) for start, lanes, _ in by_hand.seen]
    counted: dict[tuple[int, int], list[int]] = defaultdict(list)
    for item, (start, lanes, passes) in zip(walked, by_hand.seen, strict=True):
        counted[start, lanes].append(passes)
        if item.passes is not None:
            assert item.passes == passes, item.code.port
    for item, traffic in device.timed.gathers.items():
        expected = counted[item.code.start, item.lanes]
        assert traffic == Traffic(sum(expected) / len(expected))


@settings(max_examples=40)
@given(st.integers(0, 1 << 32))
def test_passes_are_those_counted_lane_by_lane(seed: int) -> None:
    check_passes(seed)


def test_samples_take_the_first_executions_and_then_a_share() -> None:
    """A loop of 200: the first four executions of its gather and every 32nd after that."""
    text = shaped(
        "MOVE.U16 200, %w\nMOVE.U16 1, %h\n##\n$L:\nLOADCONT %src, IA\n##\nLOAD [%src+(IA<<1)], MA\n##\n"
        "SUB.U16 %w, %h, %w\nJMPC %w, $L\n##",
        "src",
    )
    device = Device()
    device.launch(assemble(text, "k"), (1, 1, 1), (64, 1, 1), [SRAM])
    (total,) = device.samples.totals.values()
    assert (total.executed, total.measured) == (200, EAGER + 200 // STRIDE)


# --- patterns ---------------------------------------------------------------------------------------------------------

BANKS = 32


@pytest.mark.parametrize(
    ("step", "passes"), [(0, 1), (2, 1), (4, 2), (6, 1), (8, 4), (64, 32), (66, 1), (128, 32), (130, 1)]
)
def test_a_stride_meets_as_many_banks_as_it_shares_no_factor_with(step: int, passes: int) -> None:
    """Lanes `step` bytes apart over 32 banks of 16-bit words; equal words are broadcast."""
    addresses = SRAM + step * np.arange(64)
    assert gather_passes(addresses, BANKS) == 2 * passes


def test_lanes_that_take_no_part_need_no_pass() -> None:
    addresses = 64 * np.arange(64)
    none = np.zeros(64, bool)
    assert gather_passes(addresses, BANKS, chosen=none) == 0
    few = none.copy()
    few[[0, 1, 33]] = True
    assert gather_passes(addresses, BANKS, chosen=few) == 2 + 1


def test_masked_lanes_stay_in_their_warps() -> None:
    """Two lanes of different warps that want one bank do not meet."""
    chosen = np.zeros(64, bool)
    chosen[[5, 40]] = True
    assert gather_passes(np.full(64, 0) + 64 * np.arange(64), BANKS, chosen=chosen) == 2


def test_wide_accesses_take_two_words() -> None:
    assert gather_passes(4 * np.arange(32), BANKS, words=2) == 2
    assert gather_passes(np.zeros(32, int), BANKS, words=2) == 1


def test_atomics_do_not_share() -> None:
    assert gather_passes(np.zeros(32, int), BANKS, shared=False) == 32


def test_vectors_are_fetched_once_each_over_the_port() -> None:
    assert vector_passes(np.zeros(32, int), 16, 64) == 1
    assert vector_passes(16 * np.arange(32), 16, 64) == 8
    assert vector_passes(np.repeat([0, 16, 32, 48, 64], 7)[:32], 16, 64) == 2
    assert vector_passes(np.zeros(33, int), 16, 64) == 2


def test_ddr_lines_are_counted_warp_by_warp() -> None:
    assert lines(2 * np.arange(64), 64) == 2
    assert lines(64 * np.arange(64), 64) == 64
    assert lines(np.zeros(64, int), 64) == 2


# --- engine and walk ----------------------------------------------------------------------------------------------


@settings(max_examples=40)
@given(st.integers(0, 1 << 32))
def test_a_launch_and_its_time_without_running_it_agree(seed: int) -> None:
    """Columns always; cycles and every counter, unless a gather depends on data."""
    program = seeded(seed)
    device = Device()
    program.prepare(device)
    params = [INPUT, IOTA, OUTPUT, program.slots * program.slot_bytes]
    timed = device.time(program.kernel(), (program.blocks, 1, 1), program.block, params, program.tail)
    launched = program.launch(device)
    assert timed.columns == launched.columns
    assert device.timed is not None
    if not device.timed.gathers:
        assert (timed.span, timed.counters, timed.limiter) == (launched.span, launched.counters, launched.limiter)
    assert timed.span.low <= launched.span.low + 1e-9


def launch(body: str, threads: int = 64, arch: str = "ae7100", grid: Any = (1, 1, 1), **data: Any) -> LaunchReport:
    """A body whose %src is at the start of SRAM."""
    device = Device(arch)
    for address, array in data.get("memory", {}).items():
        device.write(address, array)
    return device.launch(assemble(shaped(body, "src"), "k"), grid, (threads, 1, 1), [SRAM])


def test_counters_are_those_of_the_program() -> None:
    """Four blocks of two warps; CFGXYZ and parameter words stand before the first column."""
    body = (
        "LOADCONT %src, IA\nMMOV %src, DVA\nADD.F32 IEF, ICD, VAB\n##\nCOPY VAB, ICD\nFMA IA, IE, IF, VA\n##\n"
        "STORECONT %src, VA\nCOPYEXT VA, IE\n##\nDMB_ORI\n##"
    )
    counters = launch(body, grid=(2, 2, 1)).counters
    lanes = 4 * 64
    assert counters["blocks"] == 4
    assert counters["warp_columns"] == 2 * counters["columns"]
    assert (counters["words_loaded"], counters["words_stored"], counters["address_ops"]) == (lanes, lanes, lanes)
    assert counters["copies"] == 3 * lanes
    assert (counters["pe_ops"], counters["flops"]) == (2 * lanes, 3 * lanes)
    assert (counters["barriers"], counters["polls"], counters["votes"]) == (4, 0, 0)
    assert counters["dma_bytes"] == counters["ddr_bytes_read"] == counters["ddr_bytes_written"] == 0


def test_the_length_of_a_dot_is_its_register() -> None:
    for length in (1, 8):
        body = (
            f"MMOV %src, DVA\nMOVE.U16 {length}, %w\nMOVE.U16 0, %h\n##\n"
            "LDWARP %src, %h, %h, WARPVEC\nLDLANE_BFMAD [DVA], WARPVEC, %w, MAB\nADD.F32 MAB, IAB, VAB\n##"
        )
        found = launch(body)
        assert found.counters["dot_macs"] == 64 * length
        assert found.counters["flops"] == 64
        assert found.roofline.bound == "dot units and lanes"


def test_nothing_reaches_more_than_its_roof() -> None:
    """All 32 columns busy with a dot, or with a fused multiply-add."""
    dot = (
        "MMOV %src, DVA\nMOVE.U16 8, %w\nMOVE.U16 0, %h\nMOVE.U16 900, S20\nMOVE.U16 1, S21\n##\n$L:\n"
        + "LDWARP %src, %h, %h, WARPVEC\nLDLANE_BFMAD [DVA], WARPVEC, %w, MAB\nADD.F32 MAB, IAB, VAB\n##\n" * 16
        + "SUB.U16 S20, S21, S20\nJMPC S20, $L\n##"
    )
    fused = (
        "MOVE.U16 900, S20\nMOVE.U16 1, S21\n##\n$L:\n"
        + "HFMA IA, IB, ICD, VAB\n##\n" * 16
        + "SUB.U16 S20, S21, S20\nJMPC S20, $L\n##"
    )
    for body in (dot, fused):
        device = Device()
        found = device.time(assemble(shaped(body, "src"), "k"), (1, 1, 1), (8160, 1, 1), [SRAM])
        assert 0.9 < found.roofline.reached / found.roofline.roof <= 1


def test_a_vote_makes_the_sequencer_wait() -> None:
    body = "MOVE.U16 1, VA\n##\nVOTE.ANY VA, %w\n##\nJMPNC %w, $END\nNOP\n##\n$END:\n"
    found = launch(body, arch="ae7100x")
    assert found.counters["votes"] == 1
    assert found.columns == launch(body.replace("MOVE.U16 1", "MOVE.U16 0"), arch="ae7100x").columns + 1


def test_direct_ddr_accesses_count_their_lines() -> None:
    """64 lanes read 16 bits each, 64 bytes apart: a line per lane; then next to each other: a line per warp."""
    head = f"MOVE.U32 {DDR}, DS8\nMOVE.U32 0, DS9\nMOVE.U16 {{stride}}, %w\nMOVE.U16 0, %h\nCFGXYZ %y1, %n, %n\n"
    head = f"MOVE.U32 {DDR}, DS8\nMOVE.U32 0, DS9\nMOVE.U16 1, %h\nMOVE.U16 64, %w\nCFGXYZ %h, %w, %n\n"
    for stride, nbytes in ((64, 64 * 64), (2, 2 * 64)):
        body = (
            f"{head}MOVE.U16 {stride}, %w\nMOVE.U16 0, %h\nMOVE.U32 0, DS10\n"
            f"GLANEADDR DS10, %w, %h, DVA\n##\nLOAD.D16 [DS8+DVA], MA\n##"
        )
        found = launch(body, arch="ae7100x")
        assert found.counters["ddr_bytes_read"] == nbytes
        assert found.counters["ddr_bytes_written"] == 0
        assert found.data_source == "reference"


# --- reports ------------------------------------------------------------------------------------------------------


def test_gathers_without_an_engine_are_said_to_be_free_of_conflicts() -> None:
    kernel = assemble(shaped("LOADCONT %src, IA\n##\nLOAD [%src+(IA<<1)], MA\n##", "src"), "k")
    device = Device()
    device.write(SRAM, 32 * np.arange(64, dtype=np.uint16))
    timed, launched = (run(kernel, (1, 1, 1), (64, 1, 1), [SRAM]) for run in (device.time, device.launch))
    (note,) = timed.notes
    assert note == "1 columns gather at addresses that depend on data: taken as free of bank conflicts"
    assert (timed.data_source, launched.data_source, launched.notes) == ("none", "reference", ())
    assert launched.cycles == timed.cycles - 2 + 64


def test_ports_that_are_fewer_than_the_columns_bound_a_launch() -> None:
    body = "MOVE.U16 900, S20\nMOVE.U16 1, S21\n##\n$L:\n" + "LOADCONT %src, MB\n##\n" * 32
    kernel = assemble(shaped(body + "SUB.U16 S20, S21, S20\nJMPC S20, $L\n##", "src"), "k")
    card = changed(load("ae7100"), sram__ports=(16, 32, 32))
    found = Device(card).time(kernel, (1, 1, 1), (8160, 1, 1), [SRAM])
    assert found.span.nominal == pytest.approx(255 * 900, rel=0.05)
    assert found.span.high == pytest.approx(2 * 255 * 900, rel=0.05)
    few = Device(changed(load("ae7100"), sram__ports=8)).time(kernel, (1, 1, 1), (8160, 1, 1), [SRAM])
    assert few.limiter == "ports"


@pytest.mark.parametrize(
    ("body", "threads", "limiter"),
    [
        ("ADD.F32 VAB, IAB, VAB\n##\n" * 32, 8160, "array"),
        ("ADD.F32 VAB, IAB, VAB\n##\n" * 32, 64, "stage latency"),
        ("MOVE.U16 1, %h\n" * 12 + "ADD.F32 VAB, IAB, VAB\n##\n", 64, "configuration issue"),
        ("ADD.F32 VAB, IAB, VAB\n##\nDMB_ORI\n##\n", 8160, "waits (fill, drain, barriers, polls)"),
    ],
)
def test_the_limiter_is_the_busiest_resource(body: str, threads: int, limiter: str) -> None:
    text = shaped(f"MOVE.U16 900, S20\nMOVE.U16 1, S21\n##\n$L:\n{body}SUB.U16 S20, S21, S20\nJMPC S20, $L\n##", "src")
    assert Device().time(assemble(text, "k"), (1, 1, 1), (threads, 1, 1), [SRAM]).limiter == limiter


def test_a_report_is_worked_out_again_from_the_same_walk() -> None:
    """Timing a walked launch twice gives the same figures."""
    kernel = assemble(shaped("LOADCONT %src, MB\nADD.U16 MB, VA, VA\n##", "src"), "k")
    timed = Device().walk(kernel, (900, 900, 1), (64, 1, 1), [SRAM])
    assert report(timed) == report(timed)
