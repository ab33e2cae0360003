"""Text from words, and words from that text: random programs, random words, the odd corners."""

from __future__ import annotations

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from openrpp.isa.assembler import assemble
from openrpp.isa.columns import END_WORD, PRINT_WORD
from openrpp.isa.disassembler import disassemble
from openrpp.isa.form import Op
from openrpp.isa.program import Kernel, from_words
from tests.isa.programs import FORMS, operand_values, program_text


def again(kernel: Kernel, annotate: bool = False) -> Kernel:
    return assemble(disassemble(kernel, annotate), kernel.name)


@given(random=st.randoms(use_true_random=False), columns=st.integers(1, 6))
def test_a_random_program_survives_text_words_text_words(random: Random, columns: int) -> None:
    text = program_text(random, columns)
    kernel = assemble(text, "k")
    printed = disassemble(kernel)
    assert ".word" not in printed
    assert ".tail" not in printed
    second = assemble(printed, "k")
    assert second.words == kernel.words
    assert second.params == kernel.params
    assert disassemble(second) == printed
    assert again(kernel, annotate=True).words == kernel.words


@given(words=st.lists(st.integers(0, 2**32 - 1), max_size=30), place=st.integers(0, 30))
def test_any_words_survive(words: list[int], place: int) -> None:
    kernel = from_words([*words[:place], END_WORD, *words[place:]], [], "k")
    assert again(kernel).words == kernel.words


@given(random=st.randoms(use_true_random=False), count=st.integers(1, 30))
def test_known_words_in_any_order_survive(random: Random, count: int) -> None:
    """Orders that no assembler would choose, registers that may not be read: printed as numbers where needed."""
    forms = [random.choice(FORMS) for _ in range(count)]
    words = [Op(form, operand_values(form, random, role=(6, 7))).word() for form in forms]
    if random.random() < 0.3:
        words.insert(random.randint(0, len(words)), PRINT_WORD)
    kernel = from_words([*words, END_WORD], ["a", "b"], "k")
    assert again(kernel, annotate=random.random() < 0.5).words == kernel.words


EXAMPLE = """\
.forward auto
.param .u32 src
    LDPARAM.U16 [tbDim.x], S0
    LDPARAM.U32 [src], DS1
    CFGXYZ S0, S0, S0
    MMOV 0, DVA
    MOVE.U16 0, VA
##
    COPY VA, IA
    COPYEXT VAB, IEF
##
$L0:
    MOVE.U16 3, S4
    JMPC %blockIdx, $L1
    LOADCONT DS1, MB
    LOAD [DS1 + (IA << 1)], MA
    MADD DVA, 2, DVA
    HFMA MA, MB, VAB, VAB
##
$L1:
    TERM VAB
    STORE IA, [DVA]
##
    JMP $L0
##
    SUB.U16 S4, S0, S4
    JMPNC S4, $L0
##
"""


def test_text_is_printed_as_one_would_write_it() -> None:
    assert disassemble(assemble(EXAMPLE, "k")) == EXAMPLE


def test_annotation_shows_words_and_automatic_masks() -> None:
    lines = disassemble(assemble(EXAMPLE, "k"), annotate=True).splitlines()
    assert "    LDPARAM.U16 [tbDim.x], S0                   //   0: e6202100" in lines
    assert "    // FORWARD DVA                              //   5: 72000010" in lines
    assert "    COPYEXT VAB, IEF                            //   7: 741002b0" in lines


def test_words_of_a_mask_by_hand_are_printed_one_line_each() -> None:
    text = ".forward manual\n    FORWARD IAB, DVA\n    TERM IC\n    TERM VA\n    MOVE.U16 1, VA\n##\n"
    kernel = assemble(text, "k")
    assert kernel.words[:4] == (0x72000013, 0x73000004, 0x73000040, 0xB1400001)
    assert disassemble(kernel) == text


def test_a_label_may_mark_a_scalar_word_inside_a_column() -> None:
    text = ".forward auto\n    MOVE.U16 1, S0\n$L0:\n    SUB.U16 S0, S1, S0\n##\n    JMPC S0, $L0\n##\n"
    assert disassemble(assemble(text, "k")) == text


def test_a_jump_to_a_word_that_no_label_can_mark_is_a_number() -> None:
    kernel = assemble("JMP 0x40\n##\n", "k")
    assert "JMP 0x40" in disassemble(kernel)


def test_dead_words_behind_a_jump_survive() -> None:
    kernel = assemble("MMOV 0, DVA\n##\n$a:\nMADD DVA, 2, DVA\n##\nJMP $a\n##\nMOVE.U16 VA, VA\n##\n", "k")
    assert kernel.words[4:6] == (0xC4000002, 0x72000010)
    assert again(kernel).words == kernel.words


def test_unknown_words_are_numbers_where_they_stand() -> None:
    words = assemble("MOVE.U16 1, S0\nMOVE.U16 0, VA\n##\n", "k").words
    kernel = from_words([words[0], 0xFEDCBA98, *words[1:]], [], "k")
    assert ".word 0xfedcba98" in disassemble(kernel)
    assert again(kernel).words == kernel.words


def test_an_unusual_filler_of_a_nop_is_kept() -> None:
    kernel = from_words([0x50ABCDD8, END_WORD, 0, 0, 0, 0, 0, 0], [], "k")
    assert "NOP 0x2af37" in disassemble(kernel)
    assert again(kernel).words == kernel.words


def test_an_unusual_end_is_kept() -> None:
    kernel = from_words([0xB1400000, END_WORD], [], "k")
    assert disassemble(kernel).splitlines()[-1] == ".tail 0xd1000000"
    assert again(kernel).words == kernel.words


def test_parameters_whose_names_cannot_be_written_are_numbered() -> None:
    kernel = from_words(assemble("LDPARAM.U32 [4], DS0\n##\n", "k").words, [("a b", "u32"), ("c", "u16")], "k")
    text = disassemble(kernel)
    assert ".param .u32 p0\n.param .u16 p1\n    LDPARAM.U32 [p1], DS0\n" in text


def test_builtin_names_that_a_parameter_hides_are_numbers() -> None:
    kernel = assemble(".param .u32 tid_base\nLDPARAM.U32 [tid_base], DS0\nLDPARAM.U32 [0x13c], DS1\n##\n", "k")
    assert "[tid_base], DS0\n    LDPARAM.U32 [0x13c], DS1" in disassemble(kernel)
    assert again(kernel).words == kernel.words
