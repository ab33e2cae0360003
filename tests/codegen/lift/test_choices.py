"""The settings that the specification leaves open: lifted code follows the card's, as the reference engine does."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import pytest

from openrpp.arch import load
from openrpp.codegen.errors import Unsupported
from openrpp.codegen.lift import lift
from openrpp.isa.form import Slot
from openrpp.isa.table import TABLE
from tests.machine.programs import kernel, shaped

from . import forms
from .support import run_twice
from .test_forms import nan_aware, words_apart

CHOICES = {
    "bf16_rounding": "truncate",
    "float_to_int": "wrap",
    "int_to_bf16": "truncate",
    "minmax_nan": "propagate",
    "denormals": "flush",
    "mask_lanes": "div",
    "ben_high_byte": "undefined",
    "shift_overflow": "modulo",
    "compare_true": 65535,
    "jump_tests": "full32",
    "block_index_31": "x",
}
AFFECTED = {
    "bf16_rounding": ("ADD.F16", "SUB.F16", "MUL.F16"),
    "float_to_int": ("CVT.F",),
    "int_to_bf16": ("CVT.S", "CVT.U"),
    "minmax_nan": ("MIN.F", "MAX.F"),
    "denormals": ("ADD.F32", "SUB.F", "MUL.F", "DIV", "FMA.F32", "HFMA", "RCP", "EX2", "ADD.F16"),
    "mask_lanes": ("MERGEMASK", "LOADMASK"),
    "ben_high_byte": ("LOAD.BEN",),
    "shift_overflow": ("SHL", "SHR", "SAR"),
    "compare_true": ("CMP.U16", "CMP.F"),
}
EVERY = [form for row in TABLE for form in row.forms if form.slot in (Slot.PE, Slot.GATHER) and "F64" not in form.name]


@pytest.mark.parametrize("choice", AFFECTED)
def test_numeric_settings(choice: str) -> None:
    card = load("ae7100x")
    chosen = replace(getattr(card.choices, choice), value=CHOICES[choice])
    card = replace(card, choices=replace(card.choices, **{choice: chosen}))
    wanted = [form for form in EVERY if form.name.startswith(AFFECTED[choice]) and form.effect != "vote"][:40]
    made = forms.Forms(Random(77))
    for form in wanted:
        made.pe(form) if form.slot is Slot.PE else made.port(form)
    params = [forms.INPUT, forms.INDEX, forms.OUTPUT, forms.WARP]
    twin = run_twice(made.kernel(), forms.prepared(77), (1, 1, 1), forms.BLOCK, params, engine="interpreter", arch=card)
    apart = nan_aware(*(device.memory.sram.data for device in (twin.mine, twin.theirs)))
    slots = {(int(place) - (forms.OUTPUT - 0x0400_0000)) // forms.SLOT for place in apart}
    assert not apart.size, sorted(made.slots[slot].name for slot in slots)
    twin.check(SRAM=nan_aware, DDR=words_apart)


def test_a_setting_that_no_op_follows_is_refused() -> None:
    card = load("ae7100x")
    chosen = replace(card.choices.bf16_rounding, value="truncate")
    card = replace(card, choices=replace(card.choices, bf16_rounding=chosen))
    made = forms.Forms(Random(1))
    made.pe(next(form for form in EVERY if form.name == "FMA.F16"))
    with pytest.raises(Unsupported, match=r"FMA.F16 with results of bf16 truncated"):
        lift(card, made.kernel(), forms.BLOCK)


@pytest.mark.parametrize("choice", ["jump_tests", "block_index_31"])
def test_settings_of_the_sequencer(choice: str) -> None:
    card = load("ae7100x")
    chosen = replace(getattr(card.choices, choice), value=CHOICES[choice])
    card = replace(card, choices=replace(card.choices, **{choice: chosen}))
    body = """
MOVE.U32 0x30000, DS10
MOVE.U16 1, VA
##
JMPC S20, $skip
##
MOVE.U16 5, VA
##
$skip:
ADD.U16 VA, %blockIdx, VA
MOVE.U16 %blockIdx, %w
MUL.U16 %w, %n, %w
CVT.U16.U32 %w, DS11
ADD.U32 %dst, DS11, %dst
ADD.U32 %dst, DS11, %dst
##
STORECONT %dst, VA
##
"""
    text = kernel(shaped(body, "dst"))
    run_twice(text, lambda device: None, (2, 2, 2), (40, 1, 1), [0x0400_4000], engine="interpreter", arch=card).check()
