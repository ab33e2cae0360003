"""Each way in which a text can be wrong, with its whole sentence."""

from __future__ import annotations

import pytest

from openrpp.isa.assembler import MAX_ERRORS, AssemblyError, assemble

V16 = "a 16-bit vector register (IA to IP, VA, VB, MA, MB)"
S16 = "a 16-bit scalar register (%name, Sn, %blockIdx.x)"
S32 = "a 32-bit scalar register pair (%name, DSn)"
V32 = "a 32-bit vector register pair (IAB to IOP, VAB, MAB)"


def complaints(text: str) -> list[str]:
    """What the assembler says about a text."""
    with pytest.raises(AssemblyError) as caught:
        assemble(text + "\n##\n", "k", "k.s")
    return [str(diagnostic) for diagnostic in caught.value.diagnostics]


ONE_LINE = {
    "QUUX S0, S1": "1:1: 'QUUX' is not an instruction",
    "ADDD.U16 S0, S1, S2": "1:1: 'ADDD.U16' is not an instruction; did you mean 'ADD'?",
    "SUB.F64 VAB, VAB, VAB": "1:1: 'SUB.F64' is not a form of SUB; "
    "there are SUB.F16, SUB.F32, SUB.F64.HIGH, SUB.F64.LOW, SUB.S16, SUB.S32, SUB.U16, SUB.U32",
    "MOVE.U16 1, S32": "1:13: 'S32' is out of range; scalar registers are S0 to S31",
    "MOVE.U32 1, DS16": "1:13: 'DS16' is out of range; scalar pairs are DS0 to DS15",
    "  ADD.U16 IX, VA, VA": f"1:11: expected {S16} or {V16}, found 'IX'",
    "ADD.F32 IAB, IX, VAB": f"1:14: expected {V32}, {S32} or an immediate, found 'IX'",
    "ADD.F32 IAB, DS0": "1:17: an operand is missing: expected 'VAB'",
    "ADD.F32 IAB, DS1, VAB, VA": "1:24: 'VA' is one operand too many",
    "MADD DVA, 2, VA": "1:14: expected 'DVA', found 'VA'",
    "ADD.U16 IA, 0x12345, VA": "1:13: '0x12345' is out of range; b may be 0 to 65535",
    "ADD.U16 IA, -40000, VA": "1:13: '-40000' is out of range; b may be 0 to 65535",
    "ADD.U32 VAB, 0x123456789, VAB": "1:14: '0x123456789' does not fit 32 bits",
    "MOVE.U16 70000, S1": "1:10: '70000' is out of range; a may be 0 to 65535",
    "MOVE.U32 0x100000000, DS1": "1:10: '0x100000000' does not fit 32 bits",
    "SHL.U16 S0, 64, S1": "1:13: '64' is out of range; b may be 0 to 63",
    "LOAD [DVA + 3], MA": "1:13: '3' does not fit; offset must be a multiple of 2",
    "LOADCONT S1, MB": "1:10: 'S1' does not fit; base must be an even register",
    "LOADCONT DS0, VA": "1:15: expected a load target (IA to IP, MA, MB), found 'VA'",
    "STORECONT DS0, MA": "1:16: expected a register to store (IA to IP, VA, VB), found 'MA'",
    "LDPARAM.U32 [nothing], DS0": "1:14: 'nothing' is neither a parameter (none) nor a built-in name",
    "LDPARAM.U32 [tidbase], DS0": "1:14: 'tidbase' is neither a parameter (none) nor a built-in name; "
    "did you mean 'tid_base'?",
    "MOVE.U16 1, %n": "1:13: '%n' is not declared; declared variables: none",
    "JMP $nowhere": "1:5: label '$nowhere' is not defined",
    "COPY VA, IE": "1:10: expected a destination of COPY (IA to ID, II to IL or a pair of them), found 'IE'",
    "COPYEXT VA, IA": "1:13: expected a destination of COPYEXT (IE to IH, IM to IP or a pair of them), found 'IA'",
    "COPY IA, IB": "1:6: expected VA, VB, MA or MB, found 'IA'",
    "COPY VA, IAB": "1:6: expected VAB or MAB, found 'VA'",
    "COPY VA": "1:8: COPY takes a source and a destination",
    "FORWARD MA": "1:9: expected IA to IP, VA, VB, a pair of them or DVA, found 'MA'",
    "TERM": "1:5: TERM takes one or more registers (IA to IP, VA, VB, a pair of them or DVA)",
    ".var .u64 %a": "1:6: type '.u64' is not known; .u16 and .u32 are",
    ".var .u16 a": "1:11: a variable's name starts with '%': '%a'",
    ".param .u32 %a": "1:13: a parameter's name has no '%': 'a'",
    ".var .u16 %blockIdx.x": "1:11: '%blockIdx.x' is reserved",
    ".param u32": "1:1: cannot read '.param u32'; a declaration is .param .u32 name or .var .u16 %name",
    ".forward maybe": "1:10: '.forward maybe' is not a mode; auto and manual are",
    ".word 0x123456789": "1:7: expected an unsigned 32-bit word, found '0x123456789'",
    "MOVE.U16 1 ; S1": "1:12: unexpected character ';'",
    "= 3": "1:1: cannot read '= 3'; a line is a directive, a label, an instruction or ##",
    "LOAD.D32 [DS15 + DVA], IAB": "1:11: 'DS15' leaves no registers for the high half of a 64-bit value",
    "VOTE.ANY VA, VB": f"1:14: expected {S16}, found 'VB'",
    "ATOM.ADD.U32 [DVA], MAB, MAB": "1:21: expected a 32-bit register to store (IAB to IOP, VAB), found 'MAB'",
}


@pytest.mark.parametrize("text", ONE_LINE)
def test_a_line_that_cannot_be_read_has_its_sentence(text: str) -> None:
    assert complaints(text) == [f"k.s:{ONE_LINE[text]}"]


COLUMNS = {
    "MOVE.U16 1, VA\nADD.U16 IA, IB, VA": "2:1: a second processing element operation in one column; "
    "end the column with ## first",
    "LOADCONT DS0, MB\nLOADCONT DS1, IA": "2:1: a second sequential memory access in one column; "
    "end the column with ## first",
    "LOAD [DVA], MA\nLOAD [DVA], IA": "2:1: a second gather memory access in one column; end the column with ## first",
    "MMOV 0, DVA\nMMOV 0, DVA": "2:1: a second DVA operation in one column; end the column with ## first",
    "$a:\nMOVE.U16 0, VA\nJMP $a": "3:1: a jump must stand before the vector instructions of its column; "
    "end the column first",
    "COPY VA, IA\nCOPY VA, IB\nCOPY VAB, ICD\nCOPY VB, ID": "4:6: more than four moves to bank 0 in one column",
    "LOADCONT DS0, IA\nADD.U16 IA, IB, VA": "2:1: IA is read here and written by line 1 of the same column; "
    "end the column with ## between them",
    "ADD.U32 VAB, IGH, VAB\nCOPYEXT VA, IH": "1:1: IH is read here and written by line 2 of the same column; "
    "end the column with ## between them",
    "LOADCONT DS0, IA\nCOPY VA, IA": "2:1: IA is written twice in one column; line 1 writes it too",
    "LOADCONT DS0, IA\nLOAD [DVA], IA": "2:1: IA is written twice in one column; line 1 writes it too",
    "ADD.U16 MA, IB, VA": "1:1: MA is read, but no load of this column fills it",
    "LOAD [DVA], MA\n##\nCOPY MA, IA": "3:1: MA is read, but no load of this column fills it",
    "ADD.F32.R0MB VA, IAB, VAB": "1:1: MB is read, but no load of this column fills it",
    "LOADCONT DS0, MB\nMSHIFTADD MB, DS0, 1, DVA": "2:1: MB cannot be read by the memory port, "
    "only by copies and the PE",
    "LDLANE_BFMAD [DVA], WARPVEC, S0, MAB\nCOPY MAB, IAB": "1:1: LDLANE_BFMAD needs an LDWARP in the same column; "
    "WARPVEC does not outlive it",
    "MMOV 0x12345, DVA\nADD.U32 VAB, 0x23456, VAB": "2:14: '0x23456' is a second immediate of 32 bits in one column; "
    "DS13 holds 0x12345 already",
    "MOVE.U16 1, VA\nDMB_ORI": "2:1: DMB_ORI takes a column of its own; end the column with ## first",
    ".word 0x50000018\nMOVE.U16 1, S0": "2:1: the last .word closes this column; end it with ## first",
    ".forward manual\nFORWARD IA\n.word 0x50000018": "3:6: a .word closes this column; "
    "its vector instructions, FORWARD and TERM must be words too",
    ".var .u16 %a\n.var .u16 %a": "2:11: '%a' is declared twice",
    ".param .u32 a\n.param .u32 a": "2:13: parameter 'a' is declared twice",
    "$a:\n$a:": "2:1: label '$a' stands on line 1 already",
    ".var .u16 %count\nMOVE.U16 1, %cuont": "2:13: '%cuont' is not declared; did you mean '%count'?",
    "$start:\nJMP $strat": "2:5: label '$strat' is not defined; did you mean '$start'?",
}


@pytest.mark.parametrize("text", COLUMNS)
def test_lines_that_do_not_fit_together_have_their_sentence(text: str) -> None:
    assert complaints(text) == [f"k.s:{COLUMNS[text]}"]


def test_more_parameters_than_a_launch_passes() -> None:
    text = "\n".join(f".param .u32 p{index}" for index in range(65))
    assert complaints(text) == ["k.s:65:13: parameter 'p64' is number 65; a launch passes at most 64"]


def test_more_variables_than_registers() -> None:
    text = "\n".join(f".var .u32 %v{index}" for index in range(17))
    assert complaints(text) == ["k.s:17:11: no scalar register is left for '%v16': the variables need 34 of 32"]


def test_all_complaints_come_at_once_in_order_and_at_most_twenty() -> None:
    assert [line.split(":")[1] for line in complaints("FOO\nMOVE.U16 1, VA\nCOPY VA")] == ["1", "3"]
    assert len(complaints("FOO\n" * 30)) == MAX_ERRORS


def test_an_unusual_use_of_the_port_registers_is_a_warning() -> None:
    kernel = assemble("LOADCONT DS0, MA\nMOVE.U16 MA, VA\n##\n", "k", "k.s")
    assert kernel.warnings == ("k.s:1: no published kernel fills MA by a sequential port access",)
