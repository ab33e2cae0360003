"""The instruction table as plain rows, for `rpp isa`, for the documentation and as JSON."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from openrpp.isa.form import Field, Form, Instruction
from openrpp.isa.suggest import did_you_mean
from openrpp.isa.syntax import spaced
from openrpp.isa.table import TABLE, find, mnemonics

CONFIDENCE = {
    "V": "verified: published kernels give the right results, or the same words, only this way",
    "I": "inferred: agrees with every published use, no decisive test",
    "?": "open: the published material does not tell; the card's file has a setting where it matters",
    "ours": "an extension of OpenRPP",
}
"""What the letters of `confidence` mean."""


class UnknownInstruction(LookupError):
    """No row of the table has this name; the sentence gives the nearest one."""


@dataclass(frozen=True)
class FieldRow:
    """An operand: what may stand there and which bits of the word hold it."""

    name: str
    kind: str
    bits: str


@dataclass(frozen=True)
class FormRow:
    """One spelling: the line as one writes it, the word without operands, the fields."""

    name: str
    text: str
    word: str
    fields: tuple[FieldRow, ...]
    slot: str
    cost: str
    result_bits: int
    effect: str
    extension: str


@dataclass(frozen=True)
class InstructionRow:
    """One row of the table."""

    mnemonic: str
    unit: str
    meaning: str
    equation: str
    confidence: str
    extension: str
    forms: tuple[FormRow, ...]

    def to_json(self) -> dict[str, Any]:
        """The row as values that `json` can write."""
        return asdict(self)


def bits_text(field: Field) -> str:
    """Bit ranges from the value's high end down, and the factor of a scaled value: `[0][27:25]`, `[20:16] x 2`."""
    ranges = [f"[{low + width - 1}:{low}]" if width > 1 else f"[{low}]" for low, width in reversed(field.segments)]
    return "".join(ranges) + (f" x {field.scale}" if field.scale != 1 else "")


def form_text(form: Form) -> str:
    """The line as one writes it, operands by their names."""
    operands = spaced(form.syntax.replace("{", "").replace("}", ""))
    return f"{form.name} {operands}".rstrip()


def form_row(form: Form) -> FormRow:
    """A form as plain values."""
    fields = tuple(FieldRow(name, each.kind.value, bits_text(each.field)) for name, each in form.operands.items())
    return FormRow(
        form.name,
        form_text(form),
        f"{form.base:08X}",
        fields,
        form.slot.value,
        form.cost.value,
        form.width,
        form.effect,
        form.extension,
    )


def instruction_row(row: Instruction) -> InstructionRow:
    """An instruction as plain values."""
    forms = tuple(form_row(form) for form in row.forms)
    unit = row.unit.value
    return InstructionRow(row.mnemonic, unit, row.meaning, row.equation, row.confidence, row.extension, forms)


def describe(name: str | None = None) -> tuple[InstructionRow, ...]:
    """All rows, or those that a mnemonic or a full name means.

    Raises:
        UnknownInstruction: no row has the name.
    """
    if name is None:
        return rows_of(TABLE)
    found = find(name)
    if not found:
        raise UnknownInstruction(f"'{name}' is not an instruction{did_you_mean(name.upper(), mnemonics())}")
    return rows_of(found)


def rows_of(table: Iterable[Instruction]) -> tuple[InstructionRow, ...]:
    """Instructions as plain values."""
    return tuple(instruction_row(row) for row in table)
