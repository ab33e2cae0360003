"""Timing needs no data: the walk without an engine gives the columns and cycles of the launch that ran."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openrpp.codegen import card
from openrpp.codegen.card.prepare import prepared
from openrpp.codegen.errors import Unsupported
from openrpp.cuda.compile import compile_source
from openrpp.cuda.reader import read
from openrpp.isa.assembler import assemble
from openrpp.kir.fuzz import program
from openrpp.machine import Device, LaunchError
from openrpp.machine.report import LaunchReport

from .support import run_fuzz
from .test_programs import CASES, Board, module
from .test_random import FEATURES

Foreseen = list[tuple[LaunchReport | None, LaunchReport, str]]
DATA = ("collatz", "rows", "search")
"""Kernels whose loops depend on what they load."""


@pytest.fixture
def launches(monkeypatch: pytest.MonkeyPatch) -> Foreseen:
    """Every launch of a device is timed before it runs: (time without data, report, why there is no time)."""
    found: Foreseen = []
    run = Device.launch

    def launch(
        self: Device, kernel: Any, grid: Any, block: Any, params: Sequence[int] = (), **more: Any
    ) -> LaunchReport:
        memory = self.memory.sram.data.copy()
        before, why = None, ""
        try:
            before = self.time(kernel, grid, block, params, apart=[(params[0], params[1] + 4096)])
        except LaunchError as error:
            why = str(error)
        assert np.array_equal(memory, self.memory.sram.data)
        report = run(self, kernel, grid, block, params, **more)
        found.append((before, report, why))
        return report

    monkeypatch.setattr(Device, "launch", launch)
    return found


@pytest.mark.parametrize("merge", [1, 3])
@pytest.mark.parametrize("name", CASES)
def test_kernels(name: str, merge: int, launches: Foreseen) -> None:
    block, check = CASES[name]
    check(Board(), card.compile(module(merge), name, block))
    ((before, report, why),) = launches
    if name in DATA:
        assert before is None and "depends on data that the kernel loads" in why
        return
    assert before is not None, why
    assert before.columns == report.columns and before.data_source == "none"
    if name == "histogram":  # its addresses are data
        assert before.cycles == pytest.approx(report.cycles, rel=0.1)
        assert before.notes[0].startswith("1 columns gather at addresses that depend on data")
    else:
        assert (before.span, before.counters) == (report.span, report.counters)


@settings(max_examples=5)
@given(seed=st.integers(0, 1 << 32))
def test_random_programs(seed: int) -> None:
    found: Foreseen = []
    with pytest.MonkeyPatch.context() as patch:
        run = Device.launch

        def launch(self: Device, kernel: Any, grid: Any, block: Any, params: Sequence[int] = ()) -> LaunchReport:
            try:
                before, why = self.time(kernel, grid, block, params, apart=[(params[0], params[1])]), ""
            except LaunchError as error:
                before, why = None, str(error)
            report = run(self, kernel, grid, block, params)
            found.append((before, report, why))
            return report

        patch.setattr(Device, "launch", launch)
        try:
            run_fuzz(program(seed, 4, FEATURES), naive=False)
        except Unsupported:
            return
    ((before, report, why),) = found
    assert before is None or before.columns == report.columns
    assert before is not None or "depends on data that the kernel loads" in why


UNEVEN = """
extern "C" __global__ void triangle(const float *a, float *sums, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    float sum = 0;
    for (int k = 0; k <= i && k < n; k++)
        sum += a[i * n + k];
    if (i < n) sums[i] = sum;
}
"""


def test_loops_that_end_apart_for_each_lane(launches: Foreseen) -> None:
    """Trip counts and strides come from thread numbers; every access is as costly as it was when it ran."""
    found = prepared(read(compile_source(UNEVEN)).module, "triangle")
    board, n = Board(), 40
    a = np.tril(np.arange(n * n).reshape(n, n) % 7).astype(np.float32)
    places = [board.place(a), board.place(np.zeros(n, np.float32))]
    board.launch(card.compile(found, "triangle", (32, 1, 1)), (2, 1, 1), [*places, n], {})
    assert np.array_equal(board.read(places[1], np.zeros(n, np.float32)), a.sum(1))
    ((before, report, why),) = launches
    assert before is not None, why
    assert before.columns == report.columns
    assert before.cycles == pytest.approx(report.cycles, rel=0.02)


VOTES = """
.param .u32 limit
.param .u32 place
LDPARAM.U32 [tid_base], DS1
LDPARAM.U32 [limit], DS2
LDPARAM.U32 [place], DS3
LOADCONT DS1, MB
CVT.U16.U32 MB, VAB
##
COPY VAB, IAB
{kept}
CMP.U32.LT VAB, DS2, VA
##
VOTE.ANY VA, S8
##
JMPNC S8, $out
ADD.U32 IAB, 1, VAB
##
$out:
NOP
##
"""
"""Skips a column where no thread's number is below a limit."""
THROUGH = "##\nSTORECONT.W32 DS3, IAB\n##\nMOVE.U32 0, VAB\n##\nLOADCONT.W32 DS3, IAB\n##\nMOVE.U32 IAB, VAB\n##"
"""The number goes through SRAM."""


@pytest.mark.parametrize("kept", ["", THROUGH], ids=["registers", "sram"])
@pytest.mark.parametrize("limit", [0, 1])
def test_votes_of_what_comes_from_thread_numbers(limit: int, kept: str) -> None:
    device = Device("ae7100x")
    kernel = assemble(VOTES.format(kept=kept), "votes")
    params = [limit, 0x0400_8000]
    timed = device.time(kernel, (3, 1, 1), (64, 1, 1), params)
    assert timed == device.launch(kernel, (3, 1, 1), (64, 1, 1), params)
    with pytest.raises(LaunchError, match="its votes take more columns than may be worked out"):
        device.time(kernel, (3, 1, 1), (64, 1, 1), params, effort=5)
