"""Jumps to words that 16 bits do not name."""

from __future__ import annotations

import numpy as np
import pytest

from openrpp.machine import Device
from openrpp.machine.faults import MissingExtension
from tests.machine.programs import kernel, shaped

OUT = 0x0400_2000
FILL = "##\n" * 65_600
# Far forward, back to the start of the middle part, and on from there: 3 columns store their number.
PROGRAM = f"""
MOVE.U16 0, %k
JMP.FAR $end
$middle:
MOVE.U16 2, VA
##
STORECONT %second, VA
##
MOVE.U16 1, %k
JMPC.FAR %k, $last
{FILL}$end:
MOVE.U16 1, VA
##
STORECONT %first, VA
##
JMPNC.FAR %k, $middle
MOVE.U16 7, VA
##
$last:
MOVE.U16 3, VA
##
STORECONT %third, VA
##
"""


def test_jumps_reach_all_of_program_memory() -> None:
    text = shaped(PROGRAM, "first second third").replace(".param", ".var .u16 %k\n.param", 1)
    made = kernel(text)
    assert len(made.words) > 1 << 16
    assert list(made.extensions) == ["far"]
    device = Device("ae7100x", strict=True)
    report = device.launch(made, block=(32, 1, 1), params=[OUT, OUT + 0x200, OUT + 0x400])
    found = [int(device.read(OUT + 0x200 * k, 1, np.uint16)[0]) for k in range(3)]
    assert found == [1, 2, 3]
    assert report.columns < 20
    with pytest.raises(MissingExtension, match="'far'"):
        Device("ae7100").launch(made, block=(32, 1, 1), params=[OUT, OUT + 0x200, OUT + 0x400])
