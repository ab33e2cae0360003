"""From text to words: layout, variables, macros, masks."""

from __future__ import annotations

from pathlib import Path

import pytest

from openrpp.isa.assembler import AssemblyError, assemble, assemble_file, listed_mode
from openrpp.isa.columns import END_WORD


def words(text: str, forward: bool = True) -> tuple[int, ...]:
    """Words of a text up to the terminator."""
    made = assemble(text, "k", forward=forward).words
    return made[: made.index(END_WORD)]


def test_a_kernel_ends_with_the_terminator_and_zeros_to_a_multiple_of_eight() -> None:
    assert assemble("##\n", "k").words == (0x50000018, END_WORD, 0, 0, 0, 0, 0, 0)
    assert len(assemble("##\n" * 7, "k").words) == 8
    assert len(assemble("##\n" * 8, "k").words) == 16


def test_the_last_column_end_may_be_missing() -> None:
    assert words("MOVE.U16 1, VA") == words("MOVE.U16 1, VA\n##\n") == (0xB1400001,)


def test_words_of_a_column_stand_in_the_order_of_the_slots() -> None:
    text = """
    MADD DVA, 2, DVA
    COPYEXT VA, IE
    ADD.F32 MAB, VAB, VAB
    MOVE.U16 5, S3
    LOAD [DVA], MA
    COPY VB, IB
    LOADCONT DS0, MB
    ##
    """
    assert [word >> 24 for word in words(text)] == [0xE4, 0x0F, 0x0C, 0x30, 0x71, 0x74, 0x80]


def test_variables_take_registers_in_order_and_pairs_start_even() -> None:
    text = ".var .u16 %a\n.var .u32 %b\n.var .U16 %c\nMOVE.U16 %a, %c\nADD.U32 %b, %b, %b\n##\n"
    assert words(text)[:2] == (0xE4000004, 0xE0242082)


def test_block_indices_have_fixed_registers() -> None:
    assert words("MOVE.U16 %blockIdx.z, S0\nMOVE.U16 %blockIdx, S0\n##\n")[:2] == (0xE401E000, 0xE401F000)


def test_variables_that_reach_the_scratch_pair_are_reported() -> None:
    text = "".join(f".var .u16 %v{index}\n" for index in range(27))
    warning = "k.s:27: '%v26' overlaps S26 and above (scratch pair and block indices)"
    assert assemble(text, "k", "k.s").warnings == (warning,)


def test_a_wide_result_in_a_narrow_variable_is_reported() -> None:
    kernel = assemble(".var .u16 %a\nCVT.U16.U32 S5, %a\n##\n", "k", "k.s")
    assert kernel.warnings == ("k.s:2: '%a' has 16 bits; CVT.U16.U32 writes S0 and S1",)


def test_a_scalar_immediate_above_16_bits_is_two_moves() -> None:
    assert words("MOVE.U32 0x3f800001, DS1\n##\n")[:2] == words("MOVE.U16 1, S2\nMOVE.U16 0x3f80, S3\n##\n")[:2]
    assert words("MOVE.S32 -1, DS1\n##\n")[:2] == words("MOVE.U16 0xffff, S2\nMOVE.U16 0xffff, S3\n##\n")[:2]


def test_a_vector_immediate_above_16_bits_goes_through_the_scratch_pair() -> None:
    moves = "MOVE.U16 0, S26\nMOVE.U16 0x3f80, S27\n"
    assert words("ADD.F32 VAB, 0x3f800000, VAB\n##\n") == words(f"{moves}ADD.F32 VAB, DS13, VAB\n##\n")
    assert words("ADD.U32 VAB, -1, VAB\n##\n")[-1] == words("ADD.U32 VAB, DS13, VAB\n##\n")[-1]
    assert words("MMOV 20000, DVA\n##\n")[-2] == words("MMOV DS13, DVA\n##\n")[-2]


def test_a_negative_16_bit_immediate_is_its_bits() -> None:
    assert words("ADD.U16 VA, -1, VA\n##\n") == words("ADD.U16 VA, 0xffff, VA\n##\n")


def test_a_result_for_an_i_register_adds_a_column_that_copies_it() -> None:
    assert words("ADD.F32 VAB, DS0, IEF\n##\n") == words("ADD.F32 VAB, DS0, VAB\n##\nCOPYEXT VAB, IEF\n##\n")
    assert words("ADD.U16 VA, S0, ID\n##\n") == words("ADD.U16 VA, S0, VA\n##\nCOPY VA, ID\n##\n")


def test_a_pair_copy_is_two_moves() -> None:
    assert words("COPY VAB, ICD\n##\n")[0] == 0x711002F2


def test_a_nop_repeats_the_bits_of_the_word_before_it_but_not_behind_a_gather() -> None:
    assert words("MOVE.U16 0x1234, VA\n##\n##\n")[1] == 0x50401218
    assert words("MOVE.U16 0x1234, VA\n##\nLOAD [DVA], IA\n##\n")[-1] == 0x50000018


def test_barrier_and_return_are_whole_columns() -> None:
    assert words("DMB_ORI\n##\n") == (0xD4000000, 0x50000018, 0xD2000000, 0x50000018)
    assert words("MOVE.U16 1, VA\nRET\n") == (0xB1400001, 0xE4000000, 0x50400018, 0x50400018)


def test_debug_prints_are_dropped() -> None:
    assert words("ISS_PRINT.T0 'x = %d', S0\nMOVE.U16 1, VA\n##\n") == (0xB1400001,)


def test_automatic_masks_keep_what_was_written_and_drop_what_is_replaced() -> None:
    text = "COPY VA, IA\n##\nCOPY VA, IB\nMMOV 0, DVA\n##\nCOPY VA, IA\n##\nADD.U16 IB, VA, VA\n##\n"
    masks = [word for word in words(text) if word >> 24 in (0x72, 0x73)]
    assert masks == [0x72000001, 0x72000012, 0x73000001, 0x73000011]


def test_manual_masks_are_those_of_the_text() -> None:
    text = "COPY VA, IA\n##\nFORWARD IA\nTERM VAB\n##\nADD.U16 IA, VA, VA\n##\n"
    masks = [word for word in words(text, forward=False) if word >> 24 in (0x72, 0x73)]
    assert masks == [0x72000001, 0x730000C0]


def test_the_text_may_choose_the_mode() -> None:
    text = "COPY VA, IA\n##\n##\n"
    assert words(f".forward manual\n{text}") == words(text, forward=False) != words(text)
    assert words(f".forward auto\n{text}", forward=False) == words(text)


def test_jumps_reach_labels_before_and_after_them() -> None:
    made = words("$top:\nJMPC S1, $end\n##\nJMP $top\n##\n$end:\nMOVE.U16 1, VA\n##\n")
    assert (made[0], made[2]) == (0xC5020004, 0xC4000000)


def test_a_load_and_a_store_may_share_the_sequential_slot() -> None:
    assert len(words("STORECONT DS0, VA\nLOADCONT DS1, MB\nMOVE.U16 MB, VA\n##\n")) == 3


def test_case_of_mnemonics_byte_order_marks_and_line_ends_do_not_matter() -> None:
    assert words("\ufeffmove.u16 1, VA // one\r\n## 0\r\n") == (0xB1400001,)


def test_elf_symbols_and_unknown_directives_are_ignored() -> None:
    assert words(".size k, 12\nk:\n.text\nMOVE.U16 1, VA\n#\n") == (0xB1400001,)


def test_lines_of_words_are_kept() -> None:
    kernel = assemble("\nMOVE.U16 1, S0\nMOVE.U16 1, VA\n##\n\nMOVE.U16 2, VA\n##\n", "k")
    assert kernel.lines == {0: 2, 1: 2, 2: 6}


def test_numbers_as_words_and_as_the_tail() -> None:
    text = ".word 0xF0000002, 5\nMOVE.U16 1, VA\n##\n.word 0xB1400002\n##\n.tail 0xD1000000, 7\n"
    assert assemble(text, "k").words == (0xF0000002, 5, 0xB1400001, 0xB1400002, 0xD1000000, 7)


def test_a_program_lists_its_extensions() -> None:
    text = "LOAD.W32 [DVA], MAB\nFMA.F32 MAB, VAB, VAB, VAB\n##\nMOVE.U16 1, VA\n##\n"
    assert assemble(text, "k").extensions == ("fma32", "wide")
    assert assemble("MOVE.U16 1, VA\n##\n", "k").extensions == ()


def test_a_file_is_named_after_itself_and_its_listing_sets_the_mode(tmp_path: Path) -> None:
    path = tmp_path / "twice.s"
    path.write_text("COPY VA, IA\n##\n##\n")
    assert assemble_file(path).name == "twice"
    listing = tmp_path / "kernel_cfg.json"
    listing.write_text('{"x": {"asm_source": "twice.s", "is_forward": false}, "y": 3}')
    assert listed_mode(path) is False
    assert assemble_file(path).words == assemble(path.read_text(), "twice", forward=False).words
    listing.write_text("not json")
    assert listed_mode(path) is True


def test_a_file_that_is_not_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "k.s"
    path.write_bytes(b"\x7fELF\xff")
    with pytest.raises(AssemblyError, match=r"k\.s:1:1: byte 4 is not UTF-8; is this an object file\?$"):
        assemble_file(path)
