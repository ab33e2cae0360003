"""Profiles: the shares of columns and source lines add up to the launch, and say what it waited for."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import numpy as np
import pytest

from openrpp.codegen import card
from openrpp.isa.assembler import assemble
from openrpp.machine import Device
from openrpp.machine.items import ColumnItem
from openrpp.machine.profile import DDR, DMA, ISSUE, LATENCY, OTHER, SYNC, profile, ring
from openrpp.machine.timing import Timed, report

from .test_programs import CASES, Board, module


def _timed(name: str, merge: int = 1) -> Timed:
    board = Board()
    block, check = CASES[name]
    check(board, card.compile(module(merge), name, block))
    assert board.device.timed is not None
    return board.device.timed


@pytest.mark.parametrize("merge", [1, 3])
@pytest.mark.parametrize("name", CASES)
def test_the_shares_are_the_launch(name: str, merge: int) -> None:
    timed = _timed(name, merge)
    found, whole = profile(timed), report(timed)
    assert sum(column.total for column in found.columns.values()) == pytest.approx(whole.cycles)
    assert sum(column.executed for column in found.columns.values()) == whole.columns
    assert sum(column.warps for column in found.columns.values()) == whole.counters["warp_columns"]
    assert sum(column.operations for column in found.columns.values()) == whole.counters["pe_ops"]
    moved = whole.counters["ddr_bytes_read"] + whole.counters["ddr_bytes_written"]
    assert sum(column.ddr_bytes for column in found.columns.values()) == pytest.approx(moved, abs=1)
    assert min(cycles for column in found.columns.values() for cycles in column.cycles.values()) >= 0
    executed = Counter[int]()
    for item, times in timed.tally.items():
        if isinstance(item, ColumnItem):
            executed[item.code.start] += times
    assert {start: column.executed for start, column in found.columns.items() if start != OTHER} == executed


LOOP = """
.param .u32 rounds
.param .u32 place
LDPARAM.U32 [rounds], DS1
LDPARAM.U32 [place], DS2
MOVE.U32 0, DS3
MOVE.U32 1, DS4
##
$again:
{body}
ADD.U32 DS3, DS4, DS3
CMP.U32.EQ DS3, DS1, S10
JMPNC S10, $again
NOP
##
"""
BODIES = {
    "latency": ("ADD.U32 VAB, 1, VAB\n##", (32, 1, 1), LATENCY),
    "array": ("ADD.U32 VAB, 1, VAB\n##", (8160, 1, 1), "array"),
    "issue": ("MOVE.U32 7, DS5\nMOVE.U32 8, DS6\n" * 12 + "ADD.U32 VAB, 1, VAB\n##", (32, 1, 1), ISSUE),
    "sync": ("DMB_ORI\nNOP\n##", (32, 1, 1), SYNC),
}


@pytest.mark.parametrize("what", BODIES)
def test_what_a_loop_waits_for(what: str) -> None:
    body, block, reason = BODIES[what]
    device = Device("ae7100x")
    timed = device.walk(assemble(LOOP.format(body=body), "loop"), (1, 1, 1), block, [2000, 0x0400_0000])
    found = profile(timed)
    spent = Counter[str]()
    for column in found.columns.values():
        spent.update(column.cycles)  # type: ignore[arg-type]  # cycles are floats
    assert sum(spent.values()) == pytest.approx(report(timed).cycles)
    assert max(spent, key=lambda each: spent[each]) == reason


def test_a_long_loop_is_extrapolated_to_what_it_is() -> None:
    """Rounds that are counted one by one and rounds that are multiplied out give the same."""
    device = Device("ae7100x")
    kernel = assemble(LOOP.format(body="ADD.U32 VAB, 1, VAB\n##\nNOP\n##"), "loop")
    few, many = (profile(device.walk(kernel, (1, 1, 1), (64, 1, 1), [rounds, 0])) for rounds in (40, 4040))
    for start, column in few.columns.items():
        assert many.columns[start].total >= column.total
    per_round = (many.cycles - few.cycles) / 4000
    assert sum(c.total for c in many.columns.values()) == pytest.approx(few.cycles + 4000 * per_round)


def test_reasons_of_memory() -> None:
    reasons = {reason for column in profile(_timed("saxpy")).columns.values() for reason in column.cycles}
    assert DDR in reasons or "DDR latency" in reasons
    assert DMA not in reasons


def test_the_ring_takes_columns_in_turn() -> None:
    timed = _timed("matmul")
    found = profile(timed)
    hottest = max(found.columns.values(), key=lambda column: column.total)
    bars = ring(timed, hottest.start, 3 * found.ring)
    assert len(bars) == 3 * found.ring and hottest.start in {bar.word for bar in bars}
    assert all((after.column - before.column) % found.ring == 1 for before, after in pairwise(bars))
    ends = np.zeros(found.ring)
    for bar in bars:
        assert bar.start >= ends[bar.column] and bar.end >= bar.start
        ends[bar.column] = bar.end
