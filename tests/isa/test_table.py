"""What must hold for every row of the instruction table."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openrpp.arch.extensions import EXTENSIONS as GROUPS
from openrpp.isa.assembler import assemble
from openrpp.isa.form import COPIES, Form, Kind, Op, Slot, Unit
from openrpp.isa.pieces import decode
from openrpp.isa.syntax import operand_text
from openrpp.isa.table import EXTENSIONS, PUBLISHED, TABLE, decode_form, find, forms_by_name, spelling
from tests.isa.programs import operand_values

FORMS = [form for row in TABLE for form in row.forms]
PUBLISHED_FORMS = [form for row in PUBLISHED for form in row.forms]
_NOT_LINES = ("COPY", "COPYEXT", "FORWARD", "TERM", "UPPER")  # their words gather several lines


def _id(form: Form) -> str:
    return f"{form.name} {form.syntax}"


def test_operand_fields_and_fixed_bits_do_not_overlap() -> None:
    for form in FORMS:
        if form.slot in COPIES:
            continue  # a word of several moves; its row shows the first
        taken = form.free
        for name, operand in form.operands.items():
            assert not taken & operand.field.mask, f"{_id(form)}: {name}"
            taken |= operand.field.mask
        assert not form.base & taken, _id(form)


def test_no_two_forms_claim_a_word_unless_one_is_the_special_case_of_the_other() -> None:
    for index, first in enumerate(FORMS):
        for second in FORMS[index + 1 :]:
            if not (first.base ^ second.base) & first.mask & second.mask:
                assert first.mask != second.mask, (_id(first), _id(second))
                assert first.mask | second.mask in (first.mask, second.mask), (_id(first), _id(second))


def test_extensions_leave_every_published_word_alone() -> None:
    for form in PUBLISHED_FORMS:
        for row in EXTENSIONS:
            for other in row.forms:
                assert (form.base ^ other.base) & form.mask & other.mask, (_id(form), _id(other))


def test_extension_forms_name_their_group_and_published_ones_do_not() -> None:
    assert {form.extension for form in PUBLISHED_FORMS} == {""}
    assert {form.extension for row in EXTENSIONS for form in row.forms} == set(GROUPS)


def test_the_units_own_the_slots() -> None:
    slots = {
        Unit.SCALAR: {Slot.SCALAR},
        Unit.PORT: {Slot.SEQUENTIAL, Slot.GATHER, Slot.ADDRESS},
        Unit.SWITCH: {*COPIES, Slot.UPPER, Slot.FORWARD, Slot.TERM},
        Unit.PE: {Slot.PE},
    }
    for row in TABLE:
        assert {form.slot for form in row.forms} <= slots[row.unit], row.mnemonic
        assert row.meaning.endswith("."), row.mnemonic
        assert row.equation and row.confidence, row.mnemonic


def test_every_form_says_what_it_does() -> None:
    for form in FORMS:
        assert form.define is not None or form.effect, _id(form)
        for source in form.sources:
            assert source in form.operands or source in ("DVA", "MB"), _id(form)
        if form.effect == "atomic":
            assert form.combine is not None, _id(form)


def test_mnemonics_of_rows_are_unique() -> None:
    names = [row.mnemonic for row in TABLE]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("form", FORMS, ids=_id)
def test_a_word_decodes_to_the_form_and_operands_that_it_was_made_from(form: Form) -> None:
    random = Random(_id(form))
    for _ in range(20):
        op = Op(form, operand_values(form, random))
        if form.slot in COPIES:
            assert decode_form(op.word()) is form
            continue
        decoded = decode(op.word())
        assert decoded is not None
        assert decoded.word() == op.word()
        assert decoded == op or decoded.form.mask & form.mask == form.mask, decoded  # [DVA] is [DVA + 0]


@given(random=st.randoms(use_true_random=False))
def test_text_of_a_form_assembles_to_its_word(random: Random) -> None:
    form = random.choice([form for form in FORMS if form.name not in _NOT_LINES])
    op = Op(form, operand_values(form, random))
    needs = "LDWARP DS0, S0, S0, WARPVEC\n" if form.effect.startswith("dot") else ""
    needs += "ATOMCMP.U64 IAB, ICD\n" if form.name.endswith("CAS.U64") else ""
    fills = {"MA": "LOAD [DVA], MA\n", "MB": "LOADCONT DS0, MB\n"} if form.slot is Slot.PE else {}
    line = f"{form.name} {operand_text(op, {})}\n"
    pair = "MAB" in line or form.name == "ADD.F32.R0MB"
    loads = "".join(load for name, load in fills.items() if pair or name in line)
    text = f".forward manual\n{needs}{loads}{line}##\n"
    assert op.word() in assemble(text, "one").words


def test_names_find_their_rows() -> None:
    assert [row.mnemonic for row in find("cmp.f16.gt")] == ["CMP (vector)"]
    assert {row.unit for row in find("ADD")} == {Unit.SCALAR, Unit.PE}
    assert find("NO_SUCH_THING") == []


def test_modifiers_may_stand_in_any_order_except_the_types_of_a_conversion() -> None:
    assert spelling("mul.wide.u16") == spelling("MUL.U16.WIDE")
    assert spelling("CVT.U16.U32") != spelling("CVT.U32.U16")
    assert {form.slot for form in forms_by_name()[spelling("MUL.U32")]} == {Slot.SCALAR, Slot.PE}


def test_scalar_operands_of_vector_forms_are_sources() -> None:
    for form in FORMS:
        if form.slot is Slot.PE and form.effect != "merge-mask":
            scalars = [name for name, each in form.operands.items() if each.kind in (Kind.S16, Kind.S32)]
            written = ["d"] if form.effect == "vote" else []
            assert all(name in (*form.sources, *written) for name in scalars), _id(form)
