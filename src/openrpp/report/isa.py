"""Rows of the instruction table for the terminal."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from rich.table import Table

from openrpp.isa.describe import CONFIDENCE, FormRow, InstructionRow
from openrpp.report.tables import grid, pairs


def overview(rows: Iterable[InstructionRow]) -> Table:
    """One line per instruction; extensions are marked x."""
    cells = ((row.mnemonic, row.unit, "x" if row.extension else "", row.meaning) for row in rows)
    return grid(("instruction", "unit", "", "meaning"), cells)


def details(row: InstructionRow) -> Iterator[Table]:
    """Everything about one instruction: meaning, then its forms with their encoding."""
    letter, _, remark = row.confidence.partition(" ")
    confidence = " ".join(part for part in (CONFIDENCE.get(letter, letter), remark) if part)
    where = f"extension '{row.extension}' (x)" if row.extension else "published chip"
    lines = [("unit", row.unit), ("meaning", row.meaning), ("equation", row.equation)]
    yield pairs(row.mnemonic, [*lines, ("confidence", confidence), ("available", where)])
    cells = ((form.text, form.word, _fields(form), form.cost) for form in row.forms)
    yield grid(("form", "word", "fields", "cost"), cells)


def _fields(form: FormRow) -> str:
    return ", ".join(f"{field.name} {field.bits}" for field in form.fields)
