"""A card's sheet for the terminal."""

from __future__ import annotations

from itertools import groupby

from rich.table import Table

from openrpp.arch import EXTENSIONS, Card, sheet
from openrpp.arch.card import section_fields
from openrpp.arch.schema import declared
from openrpp.report.tables import grid, pairs


def card_tables(card: Card) -> list[Table]:
    """The sheet: one table per section, each figure with unit, source and reference."""
    used = ", ".join(card.extensions) or "none: the published machine"
    rows = [("name", card.name), ("inherits", card.inherits or "nothing"), ("extensions", used)]
    rows += [(f"  {name}", EXTENSIONS[name]) for name in card.extensions]
    tables = [pairs(card.title, rows)]
    titles = {item.name: declared(item).meaning for item in section_fields()}
    for section, lines in groupby(sheet(card), key=lambda row: row.section):
        cells = (
            (row.key, row.text, row.unit, row.source, row.reference + (f" ({row.note})" if row.note else ""))
            for row in lines
        )
        tables.append(grid(("figure", "value", "unit", "source", "reference"), cells, titles[section]))
    return tables
