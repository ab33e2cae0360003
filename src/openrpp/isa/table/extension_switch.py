"""Rows of the upper registers II to IP: copies to their banks, their tokens, and the fifth bits of their codes.

Published words hold four bits of a register's code. The fifth bits of a column's operands stand together in one word
in front of its other vector words; a column that names no upper register has none. Copies and tokens need none: banks
2 and 3 have copy words of their own, and the masks have room in bits that are zero in every published word.
"""

from __future__ import annotations

from dataclasses import replace

from openrpp.isa.form import FIFTH_BITS, Cost, Form, Instruction, Slot, Unit
from openrpp.isa.table import port
from openrpp.isa.table._build import imm
from openrpp.isa.table.extension import flagged

UPPER_TOKENS = 1 << 15
"""Marks a mask word whose bits [23:16] stand for II to IP."""


def _form(mnemonic: str) -> Form:
    """The published form of a switch box row."""
    (form,) = (form for row in port.switch_rows() for form in row.forms if row.mnemonic == mnemonic)
    return form


def _copy_row(mnemonic: str, base: int, slot: Slot, registers: str) -> Instruction:
    form = replace(_form(mnemonic), base=base, slot=slot)
    meaning = f"Copy VA, VB, MA or MB (or a pair) to {registers}; up to four moves share a word."
    return Instruction(f"{mnemonic} (upper)", Unit.SWITCH, meaning, "d = s", "", (form,))


def _mask_row(mnemonic: str, meaning: str) -> Instruction:
    form = _form(mnemonic)
    operands = form.operands | {"upper": imm(16, 8)}
    form = replace(form, syntax="{mask}, {upper}", base=form.base | UPPER_TOKENS, operands=operands)
    return Instruction(f"{mnemonic} (upper)", Unit.SWITCH, meaning, "tokens", "", (form,))


def _fifth_row() -> Instruction:
    operands = {"bits": imm(0, len(FIFTH_BITS))}
    form = Form("UPPER", "{bits}", 0x7700_0000, operands, slot=Slot.UPPER, cost=Cost.ROUTE, effect="upper")
    meaning = (
        "Fifth bits of the register codes in the words behind it; the assembler adds it to a column that reads or "
        f"loads II to IP. Vector registers in the order of bits, from 0: {', '.join(FIFTH_BITS)}."
    )
    return Instruction("UPPER", Unit.SWITCH, meaning, "code = code + 16", "", (form,))


def rows() -> list[Instruction]:
    """All extensions of the switch box."""
    return flagged(
        "registers",
        [
            _copy_row("COPY", 0x7500_0000, Slot.COPY2, "II to IL"),
            _copy_row("COPYEXT", 0x7600_0000, Slot.COPY3, "IM to IP"),
            _mask_row("FORWARD", "Keep registers alive past this column, with II to IP in [23:16]."),
            _mask_row("TERM", "Drop registers at this column, unread, with II to IP in [23:16]."),
            _fifth_row(),
        ],
    )
