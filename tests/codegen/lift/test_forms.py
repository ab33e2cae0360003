"""Every form of the instruction table: reference engine = lifted on the interpreter = lifted on the native engine."""

from __future__ import annotations

from random import Random

import numpy as np
import pytest
from numpy.typing import NDArray

from openrpp.codegen.lift.run import Engine
from openrpp.isa.form import Form, Slot
from openrpp.isa.table import TABLE, decode_form

from . import forms
from .support import ENGINES, run_twice

SEED = 20261125
EVERY = [form for row in TABLE for form in row.forms]
PE = [form for form in EVERY if form.slot is Slot.PE and form.effect != "nop" and "F64" not in form.name]
DOUBLES = [form for form in EVERY if "F64" in form.name]
SCALAR = [form for form in EVERY if form.slot is Slot.SCALAR and not form.effect]
_BESIDE = ("warp-load", "compare")  # what other forms need in their columns
ACCESS = [form for form in EVERY if form.slot in (Slot.SEQUENTIAL, Slot.GATHER) and form.effect not in _BESIDE]
PORT = [form for form in ACCESS if "F64" not in form.name]
ADDRESS = (
    ("MOVE.U32 64, %p", "MMOV 64, DVA\n##\nMADD.SCA32 DVA, %in, DVA"),
    ("", "MMOV %in, DVA"),
    ("ADD.U32 VAB, %in, VAB", "MMOV VAB, DVA"),
    ("", "MADD DVA, 246, DVA"),
    ("MOVE.U16 34, %a", "MADD DVA, %a, DVA"),
    ("", "MADD DVA, VAB, DVA"),
    ("MOVE.U32 66, %p", "MADD.SCA32 DVA, %p, DVA"),
    ("", "MADD.SCA32 VAB, %in, DVA"),
    ("MOVE.U16 2, %a", "MADD DVA, 64, DVA\n##\nMSUB DVA, %a, DVA"),
    ("", "MSHIFTADD IG, %in, 3, DVA"),
    ("", "GLANEADDR %in, %sy, %sz, DVA"),
    ("CVT.U16.U32 %sz, DS13", "GLANEADDR.Z32 %in, %sy, DS13, DVA"),
)


def nan_aware(mine: NDArray[np.uint8], theirs: NDArray[np.uint8]) -> NDArray[np.intp]:
    """Places where 16-bit words differ; two halves of NaNs of any format do not."""
    a, b = mine.view(np.uint16), theirs.view(np.uint16)
    apart = np.flatnonzero(a != b)
    found: list[int] = []
    for place in apart:
        slot, rest = divmod(int(place) * 2 - (forms.OUTPUT - 0x0400_0000), forms.SLOT)
        plane = rest // (2 * forms.LANES)
        if slot < 0 or not any(_is_nan(a, b, int(place), plane, half) for half in (0, 1)):
            found.append(int(place) * 2)
    return np.array(found, np.intp)


def words_apart(mine: NDArray[np.uint8], theirs: NDArray[np.uint8]) -> NDArray[np.intp]:
    """32-bit words that differ; two float32 NaNs do not."""
    a, b = mine.view(np.uint32), theirs.view(np.uint32)
    nan = np.uint32(0x7F80_0000), np.uint32(0x7FFF_FFFF)
    return np.flatnonzero((a != b) & ~((a & nan[1] > nan[0]) & (b & nan[1] > nan[0])))


def _is_nan(a: NDArray[np.uint16], b: NDArray[np.uint16], place: int, plane: int, half: int) -> bool:
    """Whether both words are halves of float32 NaNs, in planes or side by side, or bf16 or half precision NaNs."""
    for words in (a, b):
        word = int(words[place])
        high = int(words[place + forms.LANES]) if plane % 2 == 0 else word
        low = word if plane % 2 == 0 else int(words[place - forms.LANES])
        wide = (high << 16 | low) & 0x7FFF_FFFF > 0x7F80_0000
        wide |= (int(words[place | 1]) << 16 | int(words[place & ~1])) & 0x7FFF_FFFF > 0x7F80_0000
        if not (wide or word & 0x7FFF > 0x7F80 or word & 0x7FFF > 0x7C00):
            return False
    return True


def run(made: forms.Forms, engine: Engine, seed: int, wanted: list[Form]) -> None:
    kernel = made.kernel()
    present = {form.base for form in map(decode_form, kernel.words) if form is not None}
    assert {form.base for form in wanted} <= present, "the program does not hold every form"
    params = [forms.INPUT, forms.INDEX, forms.OUTPUT, forms.WARP]
    fill = forms.prepared(seed, numbers=wanted is DOUBLES)
    twin = run_twice(kernel, fill, block=forms.BLOCK, params=params, engine=engine)
    apart = nan_aware(*(device.memory.sram.data for device in (twin.mine, twin.theirs)))
    slots = {(int(place) - (forms.OUTPUT - 0x0400_0000)) // forms.SLOT for place in apart}
    names = [(slot, made.slots[slot].name, made.slots[slot].syntax) for slot in sorted(slots) if slot < len(made.slots)]
    assert not apart.size, f"seed {seed}: {names}"
    twin.check(SRAM=nan_aware, DDR=words_apart)


def parts(given: list[Form], size: int) -> list[list[Form]]:
    return [given[start : start + size] for start in range(0, len(given), size)]


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("part", range(len(parts(PE, 40))))
def test_processing_element(engine: Engine, part: int) -> None:
    wanted = parts(PE, 40)[part]
    made = forms.Forms(Random(SEED + part))
    for form in wanted:
        made.pe(form)
    run(made, engine, SEED + part, wanted)


@pytest.mark.parametrize("engine", ENGINES)
def test_doubles(engine: Engine) -> None:
    made = forms.Forms(Random(SEED))
    for form in DOUBLES:
        made.pe(form) if form.slot is Slot.PE else made.port(form)
    run(made, engine, SEED, DOUBLES)


@pytest.mark.parametrize("engine", ENGINES)
def test_scalar_words(engine: Engine) -> None:
    made = forms.Forms(Random(SEED))
    for form in SCALAR:
        for _ in range(2):
            made.scalar(form)
    run(made, engine, SEED, SCALAR)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("part", range(len(parts(PORT, 30))))
def test_memory_port(engine: Engine, part: int) -> None:
    wanted = parts(PORT, 30)[part]
    made = forms.Forms(Random(SEED + part))
    for form in wanted:
        made.port(form)
    run(made, engine, SEED + part, wanted)


@pytest.mark.parametrize("engine", ENGINES)
def test_address_operations(engine: Engine) -> None:
    made = forms.Forms(Random(SEED))
    for setup, text in ADDRESS:
        made.address(setup, text)
    run(made, engine, SEED, [form for form in EVERY if form.slot is Slot.ADDRESS])
