"""Machine code as people read it: assembly text with source lines, and columns one per line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rich.table import Table

from openrpp.isa.disassembler import disassemble
from openrpp.isa.form import Slot
from openrpp.isa.pieces import decode_piece, spans
from openrpp.isa.program import Kernel
from openrpp.kir.location import Location
from openrpp.report.tables import grid

Lines = Mapping[int, Sequence[Location]]
"""Source lines of the columns by the index of any of their words, the main one first."""
UNITS: dict[Slot, str] = {
    Slot.SEQUENTIAL: "port",
    Slot.GATHER: "gather",
    Slot.ADDRESS: "address",
    Slot.COPY: "copy",
    Slot.COPYEXT: "copy",
    Slot.PE: "PE",
}


@dataclass(frozen=True)
class ColumnText:
    """A column: its first word, how many words are scalar, its units, its instructions, its source lines."""

    word: int
    words: int
    scalar: int
    units: tuple[str, ...]
    text: tuple[str, ...]
    places: tuple[str, ...]


def columns_of(kernel: Kernel, lines: Lines) -> list[ColumnText]:
    """All columns of a kernel."""
    found: list[ColumnText] = []
    texts = _texts(kernel)
    for number, (start, scalar_end, end) in enumerate(spans(kernel.words)[0]):
        piece = decode_piece(start, scalar_end, kernel.words[start:end], 0)
        slots = [op.form.slot for op in piece.ops] if piece else []
        units = tuple(dict.fromkeys(UNITS[slot] for slot in UNITS if slot in slots))
        places = tuple(dict.fromkeys(str(place) for place in lines.get(end - 1, ())))
        found.append(ColumnText(start, end - start, scalar_end - start, units, texts[number], places))
    return found


def _texts(kernel: Kernel) -> list[tuple[str, ...]]:
    """The instructions of each column."""
    found: list[tuple[str, ...]] = []
    now: list[str] = []
    for line in disassemble(kernel).splitlines():
        text = line.strip()
        if text == "##":
            found.append(tuple(now))
            now = []
        elif not text.startswith("."):
            now.append(text)
    return found


def annotated(kernel: Kernel, lines: Lines) -> str:
    """Assembly text of a kernel that assembles to the same words; the end of each column names its source lines."""
    places = [column.places for column in columns_of(kernel, lines)]
    made: list[str] = []
    number = 0
    for line in disassemble(kernel).splitlines():
        if line.strip() == "##":
            line += f" // {', '.join(places[number])}" if places[number] else ""
            number += 1
        made.append(line)
    return "\n".join(made) + "\n"


def columns_table(kernel: Kernel, lines: Lines, title: str = "") -> Table:
    """Columns one per line: number, first word, scalar words, units, instructions, source lines."""
    rows = (
        (
            str(number),
            str(column.word),
            str(column.scalar or ""),
            " ".join(column.units) or "-",
            "; ".join(column.text),
            ", ".join(column.places),
        )
        for number, column in enumerate(columns_of(kernel, lines))
    )
    return grid(("column", "word", "scalar", "units", "instructions", "source"), rows, title)
