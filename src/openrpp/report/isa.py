"""Rows of the instruction table for the terminal."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from rich.table import Table

from openrpp.isa.form import Instruction
from openrpp.report.tables import grid, pairs


def overview(rows: Iterable[Instruction]) -> Table:
    """One line per instruction."""
    cells = ((row.mnemonic, row.unit.value, "x" if row.extension else "", row.meaning) for row in rows)
    return grid(("instruction", "unit", "", "meaning"), cells)


def details(row: Instruction) -> Iterator[Table]:
    """Everything about one instruction: meaning, then its forms with their encoding."""
    where = f"extension '{row.extension}' (x)" if row.extension else "published chip"
    lines = [("unit", row.unit.value), ("meaning", row.meaning), ("equation", row.equation)]
    yield pairs(row.mnemonic, [*lines, ("confidence", row.confidence), ("available", where)])
    cells = ((form.name, form.syntax, f"{form.base:08X}", f"{form.mask:08X}", form.cost.value) for form in row.forms)
    yield grid(("form", "operands", "word", "mask", "cost"), cells)
