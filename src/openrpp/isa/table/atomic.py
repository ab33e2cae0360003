"""Rows of the extension group `atomic`: updates of words of SRAM and DDR, lane by lane.

A place is `[DVA]` in SRAM, `[base + DVA]` in DDR, or a pointer of each lane's own, whose high word a register holds.
Updates of 64 bits take their operand as a low and a high pair; the old low word is in MAB, the old high word goes to a
pair as that of a load does. What a 64-bit compare-and-swap compares with stands in a word of its own, in front of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from openrpp.isa import crosslane
from openrpp.isa.form import Cost, Field, Form, Instruction, Kind, Operand, Slot, Unit
from openrpp.isa.table import port
from openrpp.isa.table._build import bits, vector
from openrpp.isa.table.extension import flagged
from openrpp.isa.table.extension_port import DATA, STORES, ddr_address, ddr_pointer

_WORD, _DDR, _POINTER, _MASKED = 1 << 24 | 4 << 21, 1 << 20, 1 << 1, 1 << 7
_LONG = tuple(1 << 24 | kind << 21 for kind in (5, 6, 7))
"""Classes of 64-bit updates by place."""
_COMPARE = 0x6200_0000
_BASE = Operand(Kind.S64, bits(3, 4, 2))
_HIGH = vector(16, 3)

_UPDATES: tuple[tuple[str, int, crosslane.Update, str], ...] = (
    ("ADD.U32", 0, crosslane.add_u32, "old + r"),
    ("ADD.F32", 1, crosslane.add_f32, "old + r"),
    ("MIN.U32", 2, crosslane.extremum(larger=False, signed=False), "min(old, r)"),
    ("MIN.S32", 3, crosslane.extremum(larger=False, signed=True), "min(old, r)"),
    ("MAX.U32", 4, crosslane.extremum(larger=True, signed=False), "max(old, r)"),
    ("MAX.S32", 5, crosslane.extremum(larger=True, signed=True), "max(old, r)"),
    ("AND.U32", 6, crosslane.bitwise(np.bitwise_and), "old & r"),
    ("OR.U32", 7, crosslane.bitwise(np.bitwise_or), "old | r"),
    ("XOR.U32", 8, crosslane.bitwise(np.bitwise_xor), "old ^ r"),
    ("EXCH.U32", 9, crosslane.exchange, "r"),
    ("CAS.U32", 10, crosslane.compare_and_swap, "old == k ? r : old"),
)
_LONG_UPDATES: tuple[tuple[str, int, crosslane.Update, str], ...] = (
    ("ADD.U64", 0, crosslane.add_u64, "old + s:r"),
    ("ADD.F64", 1, crosslane.add_f64, "old + s:r"),
    ("MIN.U64", 2, crosslane.extremum64(larger=False, signed=False), "min(old, s:r)"),
    ("MIN.S64", 3, crosslane.extremum64(larger=False, signed=True), "min(old, s:r)"),
    ("MAX.U64", 4, crosslane.extremum64(larger=True, signed=False), "max(old, s:r)"),
    ("MAX.S64", 5, crosslane.extremum64(larger=True, signed=True), "max(old, s:r)"),
    ("EXCH.U64", 6, crosslane.exchange64, "s:r"),
    ("CAS.U64", 7, crosslane.compare_and_swap64, "old == m:k ? s:r : old"),
)


@dataclass(frozen=True)
class _Place:
    """How a form says where: its text, the operand in bits 6:3, how it is reached."""

    text: str
    operands: dict[str, Operand]
    bits: int
    common: dict[str, Any]


def _places() -> tuple[_Place, ...]:
    near: dict[str, Any] = {"define": port.at_dva, "sources": ("DVA",), "cost": Cost.GATHER}
    far: dict[str, Any] = {"define": ddr_address, "sources": ("base", "DVA"), "cost": Cost.DIRECT}
    own: dict[str, Any] = {"define": ddr_pointer, "sources": ("h", "DVA"), "cost": Cost.DIRECT}
    return (
        _Place("[DVA]", {}, 0, near),
        _Place("[{base}+DVA]", {"base": _BASE}, _DDR, far),
        _Place("[{h}:DVA]", {"h": _HIGH}, _DDR | _POINTER, own),
    )


def _form(
    name: str, place: _Place, base: int, order: tuple[str, ...], operands: dict[str, Operand], **more: Any
) -> list[Form]:
    """The form for all lanes and the one for lanes with a condition."""
    forms: list[Form] = []
    for masked in (False, True):
        given = {**operands, **({"c": vector(16, 8)} if masked else {}), **place.operands}
        shown = ", ".join(f"{{{key}}}" for key in order if key in given)
        forms.append(
            Form(
                f"ATOM{'MASK' if masked else ''}.{name}",
                f"{place.text}, {shown}, MAB",
                STORES | base | masked * _MASKED,
                given,
                slot=Slot.GATHER,
                effect="atomic",
                **place.common,
                **more,
            )
        )
    return forms


def _rows() -> list[Instruction]:
    rows: list[Instruction] = []
    for name, code, update, new in _UPDATES:
        operands = {"r": Operand(Kind.STORE32, DATA)}
        operands |= {"k": vector(32, 12)} if name.startswith("CAS") else {}
        forms: list[Form] = []
        for place in _places():
            base = _WORD | place.bits | code << 16
            forms += _form(name, place, base, ("k", "r", "c"), operands, width=32, combine=update)
        meaning = (
            "Lanes take turns in ascending order; MAB is the old word (ATOMMASK: only where c is not zero, else 0)."
        )
        equation = f"MAB = old = mem32[address]; mem32[address] = {new}"
        rows.append(Instruction(f"ATOM.{name}", Unit.PORT, meaning, equation, "", tuple(forms)))
    return rows


def _long_rows() -> list[Instruction]:
    rows: list[Instruction] = []
    operands = {
        "r": Operand(Kind.STORE32, DATA),
        "s": vector(32, 12),
        "d": Operand(Kind.LOAD32, Field(((1, 2), (19, 2)))),
    }
    for name, code, update, new in _LONG_UPDATES:
        forms: list[Form] = []
        for place, kind in zip(_places(), _LONG, strict=True):
            forms += _form(name, place, kind | code << 16, ("r", "s", "c", "d"), operands, width=64, combine=update)
        meaning = "As for 32 bits, with r and s the low and the high word of the operand and d that of the old value."
        if name.startswith("CAS"):
            meaning += " ATOMCMP of the same column names what is compared."
        equation = f"d:MAB = old = mem64[address]; mem64[address] = {new}"
        rows.append(Instruction(f"ATOM.{name}", Unit.PORT, meaning, equation, "", tuple(forms)))
    return rows


def _compare_row() -> Instruction:
    form = Form(
        "ATOMCMP.U64",
        "{k}, {m}",
        _COMPARE,
        {"k": vector(32, 12), "m": vector(32, 8)},
        slot=Slot.SEQUENTIAL,
        cost=Cost.ADDRESS,
        effect="compare",
        width=64,
    )
    meaning = "The low and the high word that ATOM.CAS.U64 of the same column compares with."
    return Instruction("ATOMCMP.U64", Unit.PORT, meaning, "compared = m:k", "", (form,))


def rows() -> list[Instruction]:
    """All atomic updates."""
    return flagged("atomic", [*_rows(), *_long_rows(), _compare_row()])
