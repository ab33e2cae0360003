"""Programs on 64-bit floats on the reference engine: vector and scalar operands, tokens, both words of results."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from openrpp.isa.assembler import assemble
from openrpp.machine import Device
from openrpp.machine.faults import MissingExtension
from tests.machine.programs import kernel, shaped

IN, OUT, LANES, STEP = 0x0400_0000, 0x0400_4000, 64, 0x200
LOADS = """
LOADCONT.W32 %al, IAB
##
LOADCONT.W32 %ah, ICD
##
LOADCONT.W32 %bl, IEF
##
LOADCONT.W32 %bh, IGH
##
LOADCONT.W32 %cl, MAB
MOVE.U32 MAB, VAB
##
"""
NAMES = "al ah bl bh cl ch low high dst dst2"
STORES = ("STORECONT.W32 %dst, VAB", "STORECONT.W32 %dst2, VAB")
PAIR = 0.1
C = 3.7


def run(low: str, high: str, a: NDArray[Any], b: NDArray[Any]) -> NDArray[np.float64]:
    """a op b, with C as a third operand in VAB and MAB; %low and %high are the words of PAIR."""
    device = Device("ae7100x", check=("tokens", "order", "undefined"))
    for index, values in enumerate((a, b, np.full(LANES, C))):
        words = values.view(np.uint32).reshape(-1, 2)
        for half in (0, 1):
            device.write(IN + STEP * (2 * index + half), np.ascontiguousarray(words[:, half]))
    body = LOADS
    for place, (line, store) in enumerate(zip((low, high), STORES, strict=True)):
        third = "LOADCONT.W32 %ch, MAB\n" if "MAB" in line else ""
        again = "LOADCONT.W32 %cl, MAB\nMOVE.U32 MAB, VAB\n##\n" if place and "VAB, MAB" in line else ""
        body += f"{again}{third}{line}\n##\n{store}\n##\n"
    words = np.array([PAIR]).view(np.uint32)
    params = [*(IN + STEP * index for index in range(6)), int(words[0]), int(words[1]), OUT, OUT + STEP]
    program = kernel(shaped(body, NAMES))
    assert program.extensions == ("double", "wide")
    device.launch(program, block=(LANES, 1, 1), params=params)
    both = np.stack([device.read(OUT, LANES, np.uint32), device.read(OUT + STEP, LANES, np.uint32)], axis=1)
    return np.ascontiguousarray(both).view(np.float64).reshape(-1)


def values(seed: int) -> NDArray[np.float64]:
    random = np.random.default_rng(seed)
    found = random.standard_normal(LANES) * 2.0 ** random.integers(-40, 40, LANES)
    found[:4] = 0.0, -0.0, math.inf, 1e300
    return found


@pytest.mark.parametrize(
    ("name", "operation"), [("ADD", np.add), ("SUB", np.subtract), ("MUL", np.multiply), ("DIV", np.divide)]
)
def test_two_operands_in_any_pairs_or_scalars(name: str, operation: Any) -> None:
    a, b = values(1), values(2)
    with np.errstate(all="ignore"):
        wanted, with_scalar = operation(a, b), operation(a, PAIR)
    vector = [f"{name}.F64.{part} IAB, ICD, IEF, IGH, VAB" for part in ("LOW", "HIGH")]
    scalar = [f"{name}.F64.{part} IAB, ICD, %low, %high, VAB" for part in ("LOW", "HIGH")]
    assert np.array_equal(run(*vector, a, b), wanted, equal_nan=True)
    assert np.array_equal(run(*scalar, a, b), with_scalar, equal_nan=True)


def test_multiply_add_of_six_registers_or_two_scalars() -> None:
    a = np.full(LANES, 1 + 2.0**-30)
    b = 1 + 2.0**-30 + np.arange(LANES) * 2.0**-52
    third = [f"FMA.F64.{part} IAB, ICD, IEF, IGH, VAB, MAB, VAB" for part in ("LOW", "HIGH")]
    factor = [f"FMA.F64.{part} IAB, ICD, %low, %high, IEF, IGH, VAB" for part in ("LOW", "HIGH")]
    addend = [f"FMA.F64.{part} IAB, ICD, IEF, IGH, %low, %high, VAB" for part in ("LOW", "HIGH")]
    exact = [math.fsum([x * y for x, y in ((1.0, b_), (2.0**-30, b_))] + [C]) for b_ in b]
    assert run(*third, a, b).tolist() == exact  # both products are exact, and fsum rounds once
    assert run(*addend, a, -b).tolist() == [math.fsum([-b_, -b_ * 2.0**-30, PAIR]) for b_ in b]
    assert run(*factor, np.full(LANES, 2.0), b).tolist() == [math.fsum([2 * PAIR, b_]) for b_ in b]


def test_the_published_card_refuses() -> None:
    device = Device("ae7100")
    program = assemble("ADD.F64.LOW VAB, VAB, VAB, VAB, VAB", "k")
    with pytest.raises(MissingExtension, match="needs the extension 'double', which ae7100 lacks"):
        device.launch(program, block=(64, 1, 1))
