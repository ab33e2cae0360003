"""Atomic updates of words in SRAM and DDR, 32 and 64 bits, at every kind of place, for all lanes and for some."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from openrpp.isa.assembler import AssemblyError
from openrpp.machine import Device
from openrpp.machine.faults import OutOfBounds, UndefinedValue
from tests.machine.programs import kernel, shaped

IN, OUT, LANES = 0x0400_0000, 0x0400_4000, 64
FAR = 0x1_6000_0000  # DDR, above 2^32
CHECKS = ("tokens", "order", "undefined")
PLACES = {"[DVA]": IN + 0x3000, "[%ddr + DVA]": FAR, "[IA:DVA]": FAR}
NAMES = "at low high some wantlow wanthigh old oldhigh ddr ddrhi"
# ICD, IEF: operand; IGH: a place for the old high word; IA: high half of pointers; IB: condition; DVA: offset.
SETUP = """
LOADCONT.W32 %at, MAB
MOVE.U32 MAB, VAB
##
COPY VAB, IAB
LOADCONT.W32 %low, ICD
##
MMOV IAB, DVA
LOADCONT.W32 %high, IEF
##
LOADCONT.W32 %some, IAB
##
"""
KEEP = "##\nSTORECONT.W32 %old, VAB\n##\nSTORECONT.W32 %oldhigh, IGH\n##\n"


def run(name: str, place: str, masked: bool, memory: Any, operand: Any, cells: Any, wanted: Any = 0) -> Any:
    """(memory afterwards, old values) of an update of `cells` of memory by each lane."""
    device = Device("ae7100x", check=CHECKS)
    device.write(PLACES[place], memory)
    width = memory.dtype.itemsize
    offset = cells * width + (PLACES[place] if place == "[DVA]" else FAR if place == "[IA:DVA]" else 0)
    lanes = np.arange(LANES)
    given = [
        (offset & 0xFFFF_FFFF).astype(np.uint32),
        (operand & np.uint64(0xFFFF_FFFF)).astype(np.uint32),
        (operand >> np.uint64(32)).astype(np.uint32),
        ((lanes % 3 != 1) << 16 | FAR >> 32).astype(np.uint32),
        np.full(LANES, wanted & 0xFFFF_FFFF, np.uint32),
        np.full(LANES, wanted >> 32, np.uint32),
    ]
    params = [IN + 0x400 * index for index in range(len(given))]
    for where, content in zip(params, given, strict=True):
        device.write(where, content)
    kind = "ATOMMASK" if masked else "ATOM"
    condition = ", IB" if masked else ""
    if width == 4:
        body = SETUP + f"{kind}.{name} {place}, ICD{condition}, MAB\nMOVE.U32 MAB, VAB\nCOPYEXT MAB, IGH\n"
    else:
        compare = ""
        if name == "CAS.U64":
            body = SETUP + "LOADCONT.W32 %wantlow, MAB\nMOVE.U32 MAB, VAB\n##\nLOADCONT.W32 %wanthigh, IGH\n##\n"
            compare = "ATOMCMP.U64 VAB, IGH\n"
        else:
            body = SETUP
        body += f"{compare}{kind}.{name} {place}, ICD, IEF{condition}, IGH, MAB\nMOVE.U32 MAB, VAB\n"
    params += [OUT, OUT + 0x400, FAR & 0xFFFF_FFFF, FAR >> 32]
    device.launch(kernel(shaped(body + KEEP, NAMES)), block=(LANES, 1, 1), params=params)
    after = device.read(PLACES[place], memory.size, memory.dtype)
    low, high = (device.read(where, LANES, np.uint32).astype(np.uint64) for where in (OUT, OUT + 0x400))
    return after, (low if width == 4 else low | high << np.uint64(32))


def by_turns(update: Any, masked: bool, memory: Any, operand: Any, cells: Any) -> Any:
    """What lanes in ascending order leave and find."""
    after, old = memory.copy(), np.zeros(LANES, np.uint64)
    for lane in range(LANES):
        if masked and lane % 3 == 1:
            continue
        before = int(after[cells[lane]])
        old[lane] = before
        after[cells[lane]] = update(before, int(operand[lane]))
    return after, old


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("place", PLACES)
def test_words_of_32_bits(place: str, masked: bool) -> None:
    rng = np.random.default_rng(5)
    memory, operand = rng.integers(0, 2**32, 8).astype(np.uint32), rng.integers(0, 2**32, LANES).astype(np.uint64)
    cells = rng.integers(0, 8, LANES)
    for name, update in {"ADD.U32": lambda a, b: (a + b) % 2**32, "MAX.U32": max}.items():
        after, old = run(name, place, masked, memory, operand, cells)
        wanted, before = by_turns(update, masked, memory, operand, cells)
        assert after.tolist() == wanted.tolist()
        assert old.tolist() == before.tolist()


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("place", PLACES)
def test_words_of_64_bits(place: str, masked: bool) -> None:
    rng = np.random.default_rng(6)
    memory, operand = (rng.integers(0, 2**64, size, np.uint64) for size in (8, LANES))
    cells = rng.integers(0, 8, LANES)
    for name, update in {"ADD.U64": lambda a, b: (a + b) % 2**64, "MIN.U64": min, "EXCH.U64": lambda a, b: b}.items():
        after, old = run(name, place, masked, memory, operand, cells)
        wanted, before = by_turns(update, masked, memory, operand, cells)
        assert after.tolist() == wanted.tolist()
        assert old.tolist() == before.tolist()


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("place", PLACES)
def test_compare_and_swap_of_64_bits(place: str, masked: bool) -> None:
    """The first lane to find the wanted value swaps; the others see what it left."""
    rng = np.random.default_rng(7)
    wanted = 0x1234_5678_9ABC_DEF0
    memory = np.array([wanted, wanted + 1, wanted ^ 1 << 40, wanted], np.uint64)
    operand, cells = rng.integers(0, 2**64, LANES, np.uint64), rng.integers(0, 4, LANES)
    after, old = run("CAS.U64", place, masked, memory, operand, cells, wanted)
    expected, before = by_turns(lambda a, b: b if a == wanted else a, masked, memory, operand, cells)
    assert after.tolist() == expected.tolist()
    assert old.tolist() == before.tolist()


def test_the_old_high_word_needs_a_pair_of_its_own_and_a_swap_its_comparison() -> None:
    with pytest.raises(AssemblyError, match="MAB gets the old low word"):
        kernel(shaped("ATOM.ADD.U64 [DVA], IAB, ICD, MAB, MAB\n##\n", "at"))
    with pytest.raises(AssemblyError, match="needs an ATOMCMP in the same column"):
        kernel(shaped("ATOM.CAS.U64 [DVA], IAB, ICD, IEF, MAB\n##\n", "at"))


def test_what_an_update_takes_must_be_defined() -> None:
    body = "MMOV %at, DVA\nMOVE.U32 1, VAB\n##\nCOPY VAB, IAB\nCOPY VAB, ICD\n##\n{}\n##\n"
    for line in (
        "ATOM.ADD.U64 [DVA], IAB, IEF, IGH, MAB",
        "ATOMCMP.U64 IAB, IEF\nATOM.CAS.U64 [DVA], IAB, ICD, IGH, MAB",
    ):
        with pytest.raises(UndefinedValue, match="U64 stores is undefined"):
            Device("ae7100x", check=["undefined"]).launch(
                kernel(shaped(body.format(line), "at")), block=(LANES, 1, 1), params=[IN]
            )


def test_an_update_outside_memory_faults() -> None:
    body = "MMOV 0, DVA\nMOVE.U32 9, VAB\n##\nCOPY VAB, IAB\n##\nATOM.ADD.U32 [IA:DVA], IAB, MAB\n##\n"
    with pytest.raises(OutOfBounds):
        Device("ae7100x").launch(kernel(shaped(body, "at")), block=(LANES, 1, 1), params=[IN])
