"""The checks follow the instructions that only `ae7100x` has."""

from __future__ import annotations

import numpy as np
import pytest

from openrpp.machine import Device
from openrpp.machine.faults import OrderingFault, TokenFault, UndefinedValue
from tests.machine.programs import kernel, shaped

IN, OUT, EMPTY = 0x0400_0000, 0x0400_2000, 0x0400_4000
DDR = 0x5000_0000
LANES = 64
PARAMS = "src dst empty ddr ddrhi"


def run(body: str, *checks: str, device: Device | None = None) -> Device:
    """Run a body on a card whose input (lane numbers as words of 32 bits) and output are written."""
    device = device or Device("ae7100x", check=checks)
    device.write(IN, np.arange(256, dtype=np.uint32))
    device.write(OUT, np.zeros(1024, np.uint16))
    params = [IN, OUT, EMPTY, DDR, 0]
    device.launch(kernel(shaped(body, PARAMS)), block=(LANES, 1, 1), params=params)
    return device


def undefined(body: str, device: Device | None = None) -> UndefinedValue:
    with pytest.raises(UndefinedValue) as caught:
        run(body, "undefined", device=device)
    return caught.value


STORE = "STORECONT %dst, VA\n##\n"


def test_wide_accesses_are_followed() -> None:
    copy = "LOADCONT.W32 {}, MAB\nMOVE.U32 MAB, VAB\n##\nSTORECONT.W32 %dst, VAB\n##\n"
    run(copy.format("%src"), "tokens", "order", "undefined")
    assert undefined(copy.format("%empty")).sentence.startswith(
        "the VAB that STORECONT.W32 stores is undefined: LOADCONT.W32 at word "
    )
    half = "MOVE.U16 1, VA\n##\nCOPY VA, IA\n##\nSTORECONT.W32 %dst, IAB\n##"
    assert (
        undefined(half).sentence == "the IAB that STORECONT.W32 stores is undefined: IB was not written in this block"
    )


def test_a_wide_store_defines_both_halves() -> None:
    body = "LOADCONT.W32 %src, MAB\nMOVE.U32 MAB, VAB\n##\nSTORECONT.W32 %empty, VAB\n##\n"
    body += "MOVE.U32 126, DS12\nADD.U32 %empty, DS12, DS12\nLOADCONT DS12, MB\nMOVE.U16 MB, VA\n##\n"
    device = run(body + STORE, "undefined")
    assert device.read(OUT, 1, np.uint16)[0] == 0, "high half of lane 31"


def test_a_wide_load_races_with_both_halves() -> None:
    body = "MOVE.U16 1, VA\n##\nSTORECONT %dst, VA\n##\n"
    body += "LOADCONT.W32 %dst, MAB\nMOVE.U32 MAB, VAB\n##\nSTORECONT %src, VA\n##"
    with pytest.raises(OrderingFault) as caught:
        run(body, "order")
    assert (caught.value.lane, caught.value.address) == (16, OUT + 66), "the last word of the lane names the place"


def test_bytes_count_for_their_words() -> None:
    body = "MMOV %empty, DVA\nMOVE.U16 1, VA\n##\nSTORE.U8 VA, [DVA]\n##\nLOAD.U8 [DVA+1], MA\nMOVE.U16 MA, VA\n##\n"
    run(body + STORE, "undefined")
    assert "LOAD.U8 at word" in undefined(body.replace("DVA+1", "DVA+2") + STORE).sentence


def test_direct_accesses_to_ddr_are_followed_word_by_word() -> None:
    load = "MMOV 0, DVA\n##\nLOAD.D16 [%ddr+DVA], MA\nMOVE.U16 MA, VA\n##\n" + STORE
    store = "MMOV 0, DVA\nMOVE.U16 5, VA\n##\nSTORE.D16 VA, [%ddr+DVA]\n##\n"
    device = Device("ae7100x", check=["undefined"])
    assert "LOAD.D16 at word" in undefined(load, device).sentence
    run(store, device=device)
    run(load, device=device)
    assert device.read(OUT, 1, np.uint16)[0] == 5
    assert "LOAD.D16 at word" in undefined(load.replace("MMOV 0", "MMOV 2"), device).sentence
    assert undefined(load.replace("MMOV 0, DVA\n##\n", "")).sentence == (
        "the address of LOAD.D16 is undefined: DVA was not written in this block"
    )


ATOMIC = "MMOV {at}, DVA\nMOVE.U32 1, VAB\n##\nCOPY VAB, IAB\n##\nATOM.ADD.U32 [DVA], {value}, MAB\n{use}\n##\n"
USE_OLD = "MOVE.U32 MAB, VAB"


def test_an_atomic_update_stores_its_operand_and_loads_the_old_word() -> None:
    run(ATOMIC.format(at="%src", value="IAB", use=USE_OLD) + STORE, "tokens", "order", "undefined")
    assert undefined(ATOMIC.format(at="%src", value="ICD", use=USE_OLD)).sentence == (
        "the ICD that ATOM.ADD.U32 stores is undefined: ID was not written in this block"
    )
    fault = undefined(ATOMIC.format(at="%empty", value="IAB", use=USE_OLD) + STORE)
    assert "ATOM.ADD.U32 at word" in fault.sentence


def test_atomic_updates_order_themselves_but_not_plain_loads() -> None:
    twice = (
        ATOMIC.format(at="%src", value="IAB", use="") + "ATOM.ADD.U32 [DVA], IAB, MAB\n" + USE_OLD + "\n##\n" + STORE
    )
    run(twice, "order")
    body = ATOMIC.format(at="%src", value="IAB", use="") + "LOAD [DVA], MA\nMOVE.U16 MA, VA\n##\n" + STORE
    with pytest.raises(OrderingFault) as caught:
        run(body, "order")
    assert "LOAD reads what ATOM.ADD.U32 stored for warp 1" in caught.value.sentence


def test_a_vote_over_undefined_predicates_may_not_decide() -> None:
    body = "{}VOTE.ANY IA, %w\n##\nJMPC %w, $over\n##\n$over:\nMOVE.U16 0, VA\n##"
    fault = undefined(body.format("MOVE.U16 0, VA\n##\n"))
    assert fault.sentence.startswith("JMPC tests S10, which is undefined: VOTE.ANY at word ")
    run(body.format("MOVE.U16 0, VA\n##\nCOPY VA, IA\n##\n"), "tokens", "undefined")


def test_a_vote_writes_no_vector_register() -> None:
    body = ".forward manual\nMOVE.U16 1, VA\n##\nCOPY VA, IA\n##\nTERM VA\nFORWARD IA\n##\nVOTE.ANY IA, %w\n##\n"
    run(body, "tokens")
    with pytest.raises(TokenFault) as caught:
        run(body + "ADD.U16 VA, 1, VA\n##", "tokens")
    assert caught.value.sentence.startswith("VA is read but not live: its last value ended after word")


LOAD_EDGE = (
    "MOVE.U32 {start}, DS12\nADD.U32 %src, DS12, DS12\nLOADCONT DS12, IA\n##\nMOVE.U16 0, VA\n##\nCOPY VA, IB\n##\n"
)


def test_a_shuffle_moves_reasons_with_the_values() -> None:
    # The input ends after lane 39 of this load: lanes 40 to 63 of IA are undefined.
    edge = LOAD_EDGE.format(start=1024 - 80)
    keep = edge + "SHFL.{} IAB, {}, VAB\n##\n" + STORE
    assert undefined(keep.format("IDX.U32", 8)).lane == 32, "lane 40 is lane 8 of its warp"
    run(keep.format("IDX.U32", 7), "undefined")
    assert undefined(keep.format("UP.U32", 1)).lane == 41
    assert undefined(keep.format("DOWN.U32", 1)).lane == 39
    assert undefined(keep.format("XOR.U32", 8)).lane == 32


def test_a_ballot_depends_on_every_lane_of_its_warp() -> None:
    edge = LOAD_EDGE.format(start=1024 - 80)
    assert undefined(edge + "BALLOT IA, VAB\n##\n" + STORE).lane == 32


def test_a_shuffle_by_an_undefined_lane_number_is_undefined() -> None:
    body = LOAD_EDGE.format(start=0) + "SHFL.IDX.U32 IAB, IC, VAB\n##\n" + STORE
    assert undefined(body).sentence.endswith("IC was not written in this block")
