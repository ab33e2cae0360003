"""LOADMASK with a condition per lane: other lanes get 0 and touch no memory, whatever their address is."""

from __future__ import annotations

import numpy as np
import pytest

from openrpp.isa.assembler import assemble
from openrpp.isa.program import Kernel
from openrpp.machine import Device
from openrpp.machine.faults import OutOfBounds, UndefinedValue
from tests.machine.programs import kernel, shaped

IN, OUT, LANES = 0x0400_0000, 0x0400_2000, 64
DDR = 0x4_0FFF_F000  # near its end
CHECKS = ("tokens", "order", "undefined")
# DVA is 4 x lane number where the condition IA is 1 (even lanes) and far outside all memory elsewhere.
ADDRESSES = """
LOADCONT.W32 %far, MAB
MOVE.U32 MAB, VAB
##
COPY VA, IC
COPY VB, ID
LOADCONT %even, IA
##
MMOV ICD, DVA
##
"""


def program(load: str, register: str) -> Kernel:
    body = ADDRESSES + f"{load}, IA, {register}\nMOVE.U{32 if register == 'MAB' else 16} "
    body += f"{register}, {'VAB' if register == 'MAB' else 'VA'}\n##\n"
    body += "STORECONT.W32 %dst, VAB\n##\n" if register == "MAB" else "STORECONT %dst, VA\n##\n"
    return kernel(shaped(body, "src dst far even ddr ddrhi"))


def run(load: str, register: str, base: int, active_far: bool = False) -> np.ndarray[tuple[int], np.dtype[np.generic]]:
    device = Device("ae7100x", check=CHECKS)
    lanes = np.arange(LANES, dtype=np.uint32)
    data = lanes * np.uint32(0x01030507) + np.uint32(0x11223344)
    device.write(IN, data)
    device.write(DDR, data)
    far = np.where(lanes % 2 == 0, base + 4 * lanes, 0xFFFF_FFF1).astype(np.uint32)
    if active_far:
        far[2] = 0xFFFF_FFF0
    device.write(IN + 0x1000, far)
    device.write(IN + 0x1800, (lanes % 2 == 0).astype(np.uint16))
    params = [IN, OUT, IN + 0x1000, IN + 0x1800, DDR & 0xFFFF_FFFF, DDR >> 32]
    device.launch(program(load, register), block=(LANES, 1, 1), params=params)
    return device.read(OUT, LANES, np.uint32 if register == "MAB" else np.uint16)


FORMS = [
    ("LOADMASK.W32 [DVA]", "MAB", IN, 0xFFFF_FFFF),
    ("LOADMASK.U8 [DVA]", "MA", IN, 0xFF),
    ("LOADMASK.U16 [DVA]", "MA", IN, 0xFFFF),
    ("LOADMASK.D32 [%ddr + DVA]", "MAB", 0, 0xFFFF_FFFF),
    ("LOADMASK.D16 [%ddr + DVA]", "MA", 0, 0xFFFF),
    ("LOADMASK.D8 [%ddr + DVA]", "MA", 0, 0xFF),
]


@pytest.mark.parametrize(("load", "register", "base", "mask"), FORMS)
def test_lanes_without_the_condition_get_zero_and_do_not_fault(load: str, register: str, base: int, mask: int) -> None:
    wanted = [(k * 0x01030507 + 0x11223344 & mask) if k % 2 == 0 else 0 for k in range(LANES)]
    assert run(load, register, base).tolist() == wanted


@pytest.mark.parametrize("masked", [False, True])
def test_lanes_reach_ddr_through_pointers_of_their_own(masked: bool) -> None:
    """Even lanes point above, odd lanes below 2^32; each word is read, raised by one and written back."""
    device = Device("ae7100x", check=CHECKS)
    lanes = np.arange(LANES, dtype=np.uint32)
    high = (lanes % 2).astype(np.uint16)
    low = np.uint32(0x6000_0000) + 4 * lanes
    for place in (0x6000_0000, 0x1_6000_0000):
        device.write(place, lanes + np.uint32(place >> 32 << 16))
    device.write(IN, low)
    device.write(IN + 0x1000, high)
    device.write(IN + 0x1800, (lanes < 40).astype(np.uint16))
    load, store = ("LOADMASK", "STOREMASK") if masked else ("LOAD", "STORE")
    c, stored = (", IB", "VAB, IB") if masked else ("", "VAB")
    body = "LOADCONT.W32 %low, MAB\nMOVE.U32 MAB, VAB\n##\nCOPY VA, IC\nCOPY VB, ID\nLOADCONT %high, IA\n##\n"
    body += "MMOV ICD, DVA\nLOADCONT %some, IB\n##\n"
    body += f"{load}.D32 [IA:DVA]{c}, MAB\nADD.U32 MAB, 1, VAB\n##\n{store}.D32 {stored}, [IA:DVA]\n##\n"
    params = [IN, IN + 0x1000, IN + 0x1800]
    device.launch(kernel(shaped(body, "low high some")), block=(LANES, 1, 1), params=params)
    for number, place in enumerate((0x6000_0000, 0x1_6000_0000)):
        before = lanes + np.uint32(number << 16)
        after = np.where((lanes % 2 == number) & ((lanes < 40) | (not masked)), before + 1, before)
        assert device.read(place, LANES, np.uint32).tolist() == after.tolist()


@pytest.mark.parametrize(("load", "register", "base", "mask"), FORMS)
def test_an_active_lane_outside_memory_still_faults(load: str, register: str, base: int, mask: int) -> None:
    with pytest.raises(OutOfBounds) as caught:
        run(load, register, base, active_far=True)
    assert caught.value.lane == 2


def test_an_undefined_condition_is_found() -> None:
    device = Device("ae7100x", check=("undefined",))
    body = "MMOV %src, DVA\n##\nLOADMASK.W32 [DVA], IA, MAB\nMOVE.U32 MAB, VAB\n##\n"
    with pytest.raises(UndefinedValue, match=r"the condition of LOADMASK\.W32 is undefined"):
        device.launch(kernel(shaped(body, "src")), block=(LANES, 1, 1), params=[IN])


def test_the_published_masked_load_keeps_its_word() -> None:
    assert assemble("LOADMASK [DVA], S5, MA\n##\n", "k").words[0] == 0x0C0E_8542
