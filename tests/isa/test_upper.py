"""The upper registers II to IP in text and words: fifth bits, copies, token masks."""

from __future__ import annotations

import pytest

from openrpp.arch import load
from openrpp.isa.assembler import AssemblyError, assemble
from openrpp.isa.columns import COPY_FORMS
from openrpp.isa.disassembler import disassemble
from openrpp.isa.form import COPIES, FIFTH_BITS, VECTOR_KINDS, Kind, Op, Slot
from openrpp.isa.program import from_words
from openrpp.isa.registers import UPPER_HALVES, UPPER_PAIRS
from openrpp.isa.syntax import value_text
from openrpp.isa.table import PUBLISHED, decode_form
from tests.isa.programs import FORMS

UPPER = 0x7700_0000
NOP, FILLER = 0x5000_0018, 0x00FF_FFC0


def column(text: str) -> list[int]:
    """The words of one column."""
    found = assemble(f".forward manual\n{text}\n##\n", "k").words
    return list(found[: found.index(0xD100_0000)])


ENCODED = {
    "MOVE.U16 II, VA": [UPPER | 1, 0xB100_0000],
    "MOVE.U32 IOP, VAB": [UPPER | 1, 0xB101_0000 | 10 << 18],
    "ADD.U32 IAB, IKL, VAB": [UPPER | 2, 0x9001_0000 | 2 << 12],
    "HFMA IA, IB, IMN, VAB": [UPPER | 4, 0x5000_0005 | 1 << 12 | 8 << 8],
    "CMP.U16.LT IP, IA, VA": [UPPER | 1, 0xA800_0000 | 11 << 19],
    "LOADCONT DS0, IJ": [UPPER | 1 << 6, 0x0360_0000, NOP],
    "STORECONT DS0, IM": [UPPER | 1 << 7, 0x1160_0001, NOP],
    "LOADCONT DS0, IJ\nSTORECONT DS0, IM": [UPPER | 3 << 6, 0x0360_0000, 0x1160_0001, NOP],
    "LOAD [DVA], IN": [UPPER | 1 << 8, 0x020E_8005, NOP],
    "STOREMASK IA, IL, [DVA]": [UPPER | 1 << 10, 0x100E_8002 | 3 << 10, NOP],
    "LOAD [DS0 + (IO << 1)], MA": [UPPER | 1 << 11, 0x0C00_4048 | 10 << 16, NOP],
    "MMOV IIJ, DVA": [UPPER | 1 << 13, 0x4802_0001, NOP],
    "COPY VAB, IIJ": [0x7510_0000 | 0x10 | 0x15 << 5, NOP],
    "COPYEXT VA, IP": [0x7600_0000 | 0x13, NOP],
    "COPY VA, IA\nCOPY VB, IL": [0x7100_0010, 0x7500_0000 | 0x17, NOP],
    "FORWARD IA, IM": [0x7200_8001 | 1 << 20, NOP],
    "FORWARD IA": [0x7200_0001, NOP],
    "TERM IIJ, DVA": [0x7300_8010 | 3 << 16, NOP],
}


@pytest.mark.parametrize("text", ENCODED)
def test_a_column_with_upper_registers_has_these_words(text: str) -> None:
    found = column(text)
    assert [word & ~FILLER if word & ~FILLER == NOP else word for word in found] == ENCODED[text]


def test_every_vector_operand_of_every_form_has_a_fifth_bit_of_its_own() -> None:
    for form in FORMS:
        names = {name for name, each in form.operands.items() if each.kind in VECTOR_KINDS}
        assert set(form.fifth_bits) == (set() if form.slot in COPIES else names), form
        assert len(set(form.fifth_bits.values())) == len(form.fifth_bits), form
        assert all(0 <= bit < len(FIFTH_BITS) for bit in form.fifth_bits.values()), form


def test_units_of_one_column_share_no_fifth_bit() -> None:
    """A sequential load and a store may stand in one column, with a gather, an address and an operation."""
    loads = {"load", "load32", "warp-load"}
    places: list[set[int]] = [set() for _ in range(5)]
    for form in FORMS:
        match form.slot:
            case Slot.SEQUENTIAL if form.effect == "compare":
                continue  # it takes the bits of both, since neither may share its column
            case Slot.SEQUENTIAL:
                group = 0 if form.effect in loads else 1
            case Slot.GATHER | Slot.ADDRESS | Slot.PE:
                group = 2 + (Slot.GATHER, Slot.ADDRESS, Slot.PE).index(form.slot)
            case _:
                continue
        places[group] |= set(form.fifth_bits.values())
    assert [sorted(group) for group in places] == [[6], [7], [8, 9, 10, 11, 12], [13], [0, 1, 2, 3, 4, 5]]


def _upper_text(form_name: str, op: Op) -> str:
    text = op.form.syntax
    for name, operand in op.form.operands.items():
        text = text.replace(f"{{{name}}}", value_text(operand.kind, op.values[name]))
    return f"{form_name} {text}"


def _lines() -> dict[str, str]:
    """For every form with vector registers a line in which each of them is an upper one."""
    found: dict[str, str] = {}
    for form in FORMS:
        if not form.fifth_bits:
            continue
        values: dict[str, int] = {}
        for index, (name, operand) in enumerate(form.operands.items()):
            if operand.kind in VECTOR_KINDS:
                wide = operand.kind in (Kind.V32, Kind.A32, Kind.LOAD32, Kind.STORE32)
                values[name] = (24 + 2 * (index % 2)) if wide else (16, 17, 18, 26, 27)[index]
            else:
                values[name] = min(4, operand.field.limit)
        found[_upper_text(form.name, Op(form, values))] = form.name
    return found


LINES = _lines()


@pytest.mark.parametrize("line", LINES)
def test_every_form_with_upper_registers_survives_words_and_text(line: str) -> None:
    needs = {"R0MB": "LOADCONT DS0, MB\n", "CAS.U64": "ATOMCMP.U64 IAB, ICD\n"}
    before = next((text for name, text in needs.items() if line.split()[0].endswith(name)), "")
    kernel = assemble(f".forward manual\n{before}{line}\n##\n", "k")
    assert kernel.words[0] >> 24 == 0x77
    assert "registers" in kernel.extensions
    text = disassemble(kernel)
    assert ".word" not in text
    assert line.replace(" ", "") in text.replace(" ", "")
    assert assemble(text, "k").words == kernel.words
    noted = disassemble(kernel, annotate=True)
    assert "// UPPER" in noted
    assert assemble(noted, "k").words == kernel.words


def test_the_automatic_masks_carry_upper_registers_to_the_end() -> None:
    text = "MOVE.U32 0, VAB\n##\nCOPY VAB, IIJ\nCOPYEXT VAB, IMN\n##\nADD.U32 IIJ, IMN, VAB\n##\nMOVE.U16 IJ, VA\n##\n"
    kernel = assemble(text, "k")
    masks = [word for word in kernel.words if word >> 24 in (0x72, 0x73)]
    assert masks == [0x7200_8000 | 0x33 << 16, 0x7300_8000 | 0x31 << 16]
    assert assemble(disassemble(kernel), "k").words == kernel.words


def test_a_macro_destination_may_be_an_upper_pair() -> None:
    kernel = assemble(".forward manual\nADD.U32 IAB, IAB, IOP\n##\n", "k")
    assert [word for word in kernel.words if word >> 24 == 0x76] == [0x7610_0000 | 0x12 | 0x17 << 5]


def test_all_sixteen_halves_may_be_copied_to_in_one_column() -> None:
    copies = [f"COPY{'EXT' if index % 8 > 3 else ''} VA, I{letter}" for index, letter in enumerate("ABCDEFGHIJKLMNOP")]
    found = column("\n".join(copies))
    assert [word >> 20 for word in found[:-1]] == [0x713, 0x743, 0x753, 0x763]


def test_only_programs_that_use_them_need_the_extension() -> None:
    for text in ("MOVE.U16 IA, VA", "COPY VA, IB", "FORWARD IA, IE, DVA", "TERM VAB, IH"):
        assert assemble(f"{text}\n##\n", "k").extensions == ()
    for text in ("MOVE.U16 II, VA", "COPY VA, IJ", "FORWARD IM", "TERM IP"):
        assert assemble(f".forward manual\n{text}\n##\n", "k").extensions == ("registers",)
    assert "registers" in load("ae7100x").extensions
    assert "registers" not in load("ae7100").extensions


def test_no_published_form_decodes_from_the_new_words() -> None:
    published = {id(form) for row in PUBLISHED for form in row.forms}
    new = [UPPER | 1, 0x7500_0010, 0x7600_0010, 0x7201_8000, 0x7301_8000]
    assert all(form is not None and id(form) not in published for form in map(decode_form, new))
    assert decode_form(0x7201_0000) is None, "upper bits without the mark"
    assert decode_form(UPPER | 1 << len(FIFTH_BITS)) is None


def test_words_that_no_assembler_makes_are_printed_as_numbers() -> None:
    for image in (
        [UPPER, 0xB100_0000],  # no bit
        [UPPER | 2, 0xB100_0000],  # the bit of an operand that is not there
        [0x7200_0001, UPPER | 1, 0xB100_0000],  # behind a mask
        [UPPER | 1, UPPER | 1, 0xB100_0000],
        [UPPER | 1, 0xB100_0000 | 4 << 18],  # VA has no fifth bit
        [0x7200_8001, 0xB100_0000],  # a wide mask without upper registers
    ):
        kernel = from_words([*image, 0xD100_0000], [], "k")
        text = disassemble(kernel)
        assert ".word" in text
        assert assemble(text, "k").words == kernel.words


def test_fifth_bits_are_no_line() -> None:
    with pytest.raises(AssemblyError, match="UPPER is no line: the assembler adds it to columns that name II to IP"):
        assemble("UPPER 1\n##\n", "k")
    with pytest.raises(
        AssemblyError, match=r"expected a destination of COPYEXT \(IE to IH, IM to IP or a pair of them\)"
    ):
        assemble("COPYEXT VA, IL\n##\n", "k")


def test_the_copy_words_cover_the_banks_in_order() -> None:
    assert [COPY_FORMS[slot].name for slot in COPIES] == ["COPY", "COPYEXT", "COPY", "COPYEXT"]
    assert len({*UPPER_HALVES, *UPPER_PAIRS}) == 12
