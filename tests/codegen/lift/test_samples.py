"""Card time of programs whose addresses and votes depend on data: the same as from the reference engine."""

from __future__ import annotations

import numpy as np
import pytest

from openrpp.codegen.lift import LiftedDevice
from openrpp.codegen.lift.run import Engine
from openrpp.machine import Device, LaunchReport
from tests.machine.programs import kernel, shaped

from .support import ENGINES

SRAM, TABLE, OUT, DDR = 0x0400_0000, 0x0401_0000, 0x0404_0000, 0x1000_0000
LOOKUPS = """
MOVE.U16 {turns}, %w
##
$again:
LOADCONT %src, IA
##
LOAD [%table+(IA<<1)], MA
COPY MA, IB
##
LOADCONT %src, MB
LOAD [%table+(IB<<1)], MA
ADD.U16 MA, MB, VA
##
STORECONT %src, VA
MOVE.U16 1, %h
SUB.U16 %w, %h, %w
##
JMPC %w, $again
##
"""
DIRECT = """
MOVE.U32 {ddr}, DS4
MOVE.U32 0, DS6
MOVE.U32 0, %table
LOADCONT %src, IA
##
AND.U16 IA, 4095, VA
##
MSHIFTADD VA, %table, 2, DVA
##
LOADMASK.D32 [DS4 + DVA], IA, IAB
##
STORE.D32 IAB, [DS4 + DVA]
##
ATOM.ADD.U32 [DS4 + DVA], IAB, MAB
##
"""
VOTED = """
$again:
LOADCONT %src, IA
##
LOAD [%table+(IA<<1)], MA
SHR.U16 IA, 1, VA
COPY MA, IC
##
STORECONT %src, VA
COPY VA, IB
##
VOTE.ANY IB, %w
##
JMPC %w, $again
##
STORECONT %src, IC
##
"""


def reports(body: str, engine: Engine, arch: str) -> list[LaunchReport]:
    text = kernel(shaped(body, "src table"))
    found: list[LaunchReport] = []
    for device in (Device(arch), LiftedDevice(arch, engine)):
        rng = np.random.default_rng(11)
        device.write(SRAM, rng.integers(0, 5000, 4096, dtype=np.uint16))
        device.write(TABLE, rng.integers(0, 5000, 1 << 16, dtype=np.uint16))
        device.write(DDR, rng.integers(0, 1 << 32, 1 << 14, dtype=np.uint32))
        found.append(device.launch(text, (2, 1, 1), (72, 2, 1), [SRAM, TABLE]))
    return found


def check(body: str, engine: Engine, arch: str = "ae7100x") -> None:
    mine, theirs = (vars(report) for report in reports(body, engine, arch))
    assert mine["data_source"] == "reference" and theirs["data_source"] == engine
    assert {**mine, "data_source": ""} == {**theirs, "data_source": ""}


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("turns", [1, 4, 5, 70])
def test_lookups_in_a_loop(engine: Engine, turns: int) -> None:
    check(LOOKUPS.format(turns=turns), engine, "ae7100")


@pytest.mark.parametrize("engine", ENGINES)
def test_lines_of_ddr(engine: Engine) -> None:
    check(DIRECT.format(ddr=DDR), engine)


FETCHED = f"""
LDPARAM.U32 [src], DS4
STGLB.U32 DS4, [dma_ch0_mod1_src_lo]
MOVE.U32 {Device().memory.fram[0].base + 0x800 & 0xFFFF_FFFF}, DS6
STGLB.U32 DS6, [dma_ch0_mod1_dst_lo]
MOVE.U32 {Device().memory.fram[0].base >> 32}, DS6
STGLB.U32 DS6, [dma_ch0_mod1_dst_hi]
MOVE.U32 64, DS6
STGLB.U32 DS6, [dma_ch0_mod1_len]
##
POLL.CHN1
##
LDPARAM.U16 [cfg_fft_w4_3], %w
SHR.U16 %w, 8, %w
##
$again:
ADD.U16 VA, 3, VA
MOVE.U16 1, %h
SUB.U16 %w, %h, %w
##
JMPC %w, $again
##
STORECONT %src, VA
##
"""


@pytest.mark.parametrize("engine", ENGINES)
def test_trip_counts_that_a_transfer_brings(engine: Engine) -> None:
    mine, theirs = reports(FETCHED, engine, "ae7100")
    assert mine == theirs and mine.columns > 20


@pytest.mark.parametrize("engine", ENGINES)
def test_a_loop_that_a_vote_ends(engine: Engine) -> None:
    check(VOTED, engine)
