"""Loops whose condition is turned round as the low half of a pair are compressed all the same."""

from __future__ import annotations

import pytest

from openrpp.isa.assembler import assemble
from openrpp.machine import Device

LOOP = """
.param .u32 rounds
LDPARAM.U32 [rounds], DS1
MOVE.U32 0, DS7
NOP
##
$again:
SHL.U32 DS7, 9, DS8
MOVE.U32 1, DS12
ADD.U32 DS7, DS12, DS7
CMP.U32.EQ DS7, DS1, S16
MOVE.U32 1, DS12
{turned}
ADD.U16 VA, 1, VA
##
JMPC S6, $again
NOP
##
"""
TURNED = {
    "xor": "XOR.U32 DS8, DS12, DS3",
    "and": "XOR.U32 DS8, DS12, DS9\nAND.U32 DS9, DS12, DS3",
    "or": "XOR.U32 DS8, DS12, DS9\nMOVE.U32 0, DS12\nOR.U32 DS9, DS12, DS3",
}


@pytest.mark.parametrize("turned", TURNED)
@pytest.mark.parametrize("rounds", [1, 2, 5, 100, 300])
def test_walks_count_what_the_engine_executes(turned: str, rounds: int) -> None:
    device, kernel = Device("ae7100x"), assemble(LOOP.format(turned=TURNED[turned]), "loop")
    report = device.launch(kernel, (2, 1, 1), (64, 1, 1), [rounds])
    assert report.columns == 2 * (2 + rounds)
    assert device.time(kernel, (2, 1, 1), (64, 1, 1), [rounds]) == report


@pytest.mark.parametrize("turned", TURNED)
def test_a_long_loop_has_few_items(turned: str) -> None:
    kernel = assemble(LOOP.format(turned=TURNED[turned]), "loop")
    timed = Device("ae7100x").walk(kernel, (3, 1, 1), (64, 1, 1), [1_000_000])
    assert len(timed.items) < 100
    assert timed.tally.total() > 3_000_000
