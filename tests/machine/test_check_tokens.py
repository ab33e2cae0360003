"""Strict tokens (specification 4.2): exactly one thing becomes of every live register in every column."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest

from openrpp.machine import Device, LaunchError, load_image
from openrpp.machine.faults import TokenFault
from tests.machine.programs import kernel

WRITE_IA = """.forward manual
MOVE.U16 5, VA
##
COPY VA, IA
##
"""


def strict_fault(text: str, blocks: int = 1) -> TokenFault:
    """The fault of a manual-mode text; the same text must run without the check."""
    built = kernel(text)
    Device().launch(built, (blocks, 1, 1), (40, 1, 1))
    device = Device(strict=True)
    with pytest.raises(TokenFault) as caught:
        device.launch(built, (blocks, 1, 1), (40, 1, 1))
    return caught.value


def strict_clean(text: str, blocks: int = 1) -> None:
    Device(strict=True).launch(kernel(text), (blocks, 1, 1), (40, 1, 1))


WRONG = {
    "leak": (
        WRITE_IA + "MOVE.U16 1, VA\n##",
        "IA (written at word 1) leaks: it is live but not forwarded, read or TERMed; add FORWARD IA or TERM IA",
        (2, 3, 6),
    ),
    "overwritten unread": (
        WRITE_IA + "COPY VA, IA\n##\nMOVE.U16 IA, VA\n##",
        "IA (written at word 1) leaks: it is live but not forwarded, read or TERMed; add FORWARD IA or TERM IA",
        (2, 3, 6),
    ),
    "leak of DVA": (
        ".forward manual\nMMOV 0, DVA\n##\nMOVE.U16 1, VA\n##",
        "DVA (written at word 0) leaks: it is live but not forwarded, read or TERMed; add FORWARD DVA or TERM DVA",
        (1, 2, 4),
    ),
    "never written": (
        ".forward manual\nMOVE.U16 IE, VA\n##",
        "IE is read but not live: it was never written in this block; write it, or FORWARD it up to here",
        (0, 0, 2),
    ),
    "consumed": (
        WRITE_IA + "MOVE.U16 IA, VA\n##\nMOVE.U16 IA, VA\n##",
        "IA is read but not live: its last value ended after word 1; write it, or FORWARD it up to here",
        (3, 4, 8),
    ),
    "VA before any write": (
        ".forward manual\nADD.U16 VA, 1, VA\n##",
        "VA is read but not live: it was never written in this block; write it first",
        (0, 0, 2),
    ),
    "VB after TERM": (
        ".forward manual\nMOVE.U32 0, VAB\n##\nTERM VB\n##\nCOPY VB, IA\n##",
        "VB is read but not live: its last value ended after word 0; write it first",
        (2, 3, 6),
    ),
    "forwarded and termed": (
        WRITE_IA + "FORWARD IA\nTERM IA\n##",
        "IA is both FORWARDed and TERMed; keep one of the two",
        (2, 3, 6),
    ),
    "forwarded and written": (
        WRITE_IA + "FORWARD IA\nCOPY VA, IA\n##",
        "IA is FORWARDed and written in one column; drop it from FORWARD, the new value lives by itself",
        (2, 3, 6),
    ),
    "forwarded while dead": (
        ".forward manual\nFORWARD DVA\nMOVE.U16 0, VA\n##",
        "DVA is FORWARDed but not live; drop it from FORWARD or write it before",
        (0, 0, 2),
    ),
    "termed while dead": (
        WRITE_IA + "TERM IA\n##\nTERM IA\n##",
        "IA is TERMed but not live; drop it from TERM",
        (3, 5, 8),
    ),
    "termed and read": (
        WRITE_IA + "TERM IA\nMOVE.U16 IA, VA\n##",
        "IA is both read and TERMed; the read consumes it, drop it from TERM",
        (2, 3, 6),
    ),
    "left at the end": (
        WRITE_IA,
        "the block ends while IA (written at word 1) is live; the last column must read or TERM every token",
        (2, 3, None),
    ),
    "two left at the end": (
        WRITE_IA.replace("COPY VA, IA", "COPY VA, IA\nMMOV 0, DVA"),
        "the block ends while IA (written at word 1), DVA (written at word 1) are live; "
        "the last column must read or TERM every token",
        (2, 4, None),
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_broken_token_rule_is_named_with_its_place_and_what_would_be_right(case: str) -> None:
    text, sentence, (column, word, line) = WRONG[case]
    fault = strict_fault(text)
    assert fault.sentence == sentence
    assert (fault.kernel, fault.block, fault.column, fault.word, fault.place.line) == (
        "k",
        (0, 0, 0),
        column,
        word,
        line,
    )
    assert (fault.lane, fault.address) == (None, None)


def test_the_message_holds_place_and_sentence() -> None:
    where = f" (line {WRONG['leak'][2][2]})"
    assert str(strict_fault(WRONG["leak"][0])) == (
        f"kernel k, block (0, 0, 0), column 2, word 3{where}: " + WRONG["leak"][1]
    )


def test_ma_and_mb_need_a_load_in_their_column() -> None:
    # The assembler refuses this text, an image may hold it.
    words = [*kernel("LOADCONT DS0, MB\nMOVE.U16 MB, VA\n##").words]
    with pytest.raises(TokenFault) as caught:
        Device(strict=True).launch(load_image(words[1:]), block=(40, 1, 1))
    assert caught.value.sentence == (
        "MB is read but no load of this column writes it; MA and MB live inside one column"
    )
    assert (caught.value.column, caught.value.word) == (0, 0)


def test_each_way_to_end_a_token_is_clean() -> None:
    strict_clean(WRITE_IA + "MOVE.U16 IA, VA\n##")
    strict_clean(WRITE_IA + "TERM IA\n##")
    strict_clean(WRITE_IA + "FORWARD IA\nADD.U16 IA, 1, VA\n##\nCOPY VA, IB\nTERM IA\n##\nTERM IB\n##")


def test_a_register_may_be_read_and_written_in_one_column() -> None:
    strict_clean(".forward manual\nMMOV 64, DVA\n##\nMADD DVA, 2, DVA\n##\nTERM DVA\n##")


def test_va_and_vb_pass_columns_without_a_mask() -> None:
    strict_clean(".forward manual\nMOVE.U32 7, VAB\n##\n##\n##\nCOPY VB, IA\n##\nTERM IA\n##")


def test_a_term_in_the_column_that_writes_va_drops_the_old_value_only() -> None:
    strict_clean(".forward manual\nMOVE.U16 1, VA\n##\nTERM VA\nMOVE.U16 2, VA\n##\nADD.U16 VA, 1, VA\n##")


def test_masks_made_by_the_assembler_are_clean() -> None:
    strict_clean("MMOV 0, DVA\nMOVE.U32 0, VAB\n##\nCOPY VAB, IAB\n##\nADD.U16 IA, IB, VA\n##\nCOPY VA, IC\n##\n##")


def test_every_block_starts_without_tokens() -> None:
    strict_clean(WRITE_IA + "TERM IA\n##", blocks=3)
    text = ".forward manual\nJMPC %blockIdx, $later\nMOVE.U16 5, VA\n##\n$later:\nCOPY VA, IA\n##\nTERM IA\n##"
    fault = strict_fault(text, blocks=2)
    assert (fault.block, fault.column, fault.word) == ((1, 0, 0), 0, 2)
    assert fault.sentence == "VA is read but not live: it was never written in this block; write it first"


LOOP = """.forward manual
.var .u16 %n
.var .u16 %one
MOVE.U16 2, %n
MOVE.U16 1, %one
MOVE.U16 5, VA
##
COPY VA, IA
##
$loop:
SUB.U16 %n, %one, %n
{mask}
ADD.U16 IA, 1, VA
##
JMPC %n, $loop
{end}
##
"""


def test_rules_follow_the_executed_path_not_the_text() -> None:
    fault = strict_fault(LOOP.format(mask="", end=""))
    assert fault.sentence == (
        "IA is read but not live: its last value ended after word 3; write it, or FORWARD it up to here"
    )
    assert fault.column == 3, "the first round of the loop is clean, the second is not"
    strict_clean(LOOP.format(mask="FORWARD IA", end="TERM IA"))


def test_words_behind_a_taken_jump_are_not_checked() -> None:
    skipped = "MOVE.U16 0, VA\n##\nJMP $over\nFORWARD IA\n##\nFORWARD IB\nCOPY VA, IB\n##\n$over:\nMOVE.U16 1, VA\n##"
    strict_clean(".forward manual\n" + skipped)


def test_a_repeated_column_is_checked_each_time() -> None:
    repeat = ".forward manual\n.var .u16 %n\nMOVE.U16 3, %n\nMOVE.U16 5, VA\n##\nCOPY VA, IA\n##\nREPEAT 1, %n\n"
    fault = strict_fault(repeat + "ADD.U16 IA, VA, VA\n##")
    assert (fault.column, fault.sentence.split(":")[0]) == (3, "IA is read but not live")
    strict_clean(repeat + "FORWARD IA\nADD.U16 IA, VA, VA\n##\nTERM IA\n##")


def test_a_wide_result_makes_both_halves_live_and_a_narrow_one_does_not() -> None:
    strict_clean(".forward manual\nMOVE.U32 0, VAB\n##\nADD.U32 VAB, 1, VAB\n##")
    fault = strict_fault(".forward manual\nMOVE.U16 0, VA\n##\nADD.U32 VAB, 1, VAB\n##")
    assert fault.sentence == "VB is read but not live: it was never written in this block; write it first"


def test_the_check_is_the_same_by_either_name() -> None:
    settings: list[dict[str, Any]] = [{"strict": True}, {"check": ["tokens"]}, {"check": "tokens"}]
    for device in (*(Device(**setting) for setting in settings), Device(strict=True, check=["tokens"])):
        with pytest.raises(TokenFault):
            device.launch(kernel(WRONG["leak"][0]), block=(40, 1, 1))


def test_an_unknown_check_is_refused() -> None:
    with pytest.raises(LaunchError) as caught:
        Device(check=["tokens", "token"])
    assert str(caught.value) == "check 'token' is not known; there are tokens, order, undefined"


def test_the_card_works_on_after_a_token_fault() -> None:
    device = Device(strict=True)
    built = [kernel(text) for text, *_ in WRONG.values()]
    for first, _ in pairwise(built):
        with pytest.raises(TokenFault):
            device.launch(first, block=(40, 1, 1))
        device.launch(kernel(WRITE_IA + "TERM IA\n##"), block=(40, 1, 1))
