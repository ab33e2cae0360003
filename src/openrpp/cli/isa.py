"""`rpp isa`: the instruction table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from openrpp.cli.errors import InputError
from openrpp.cli.output import emit, json_option

if TYPE_CHECKING:
    from openrpp.isa.form import Instruction

EPILOG = """\b
Examples:
  rpp isa
  rpp isa LDLANE
  rpp isa ADD.F16 --json
"""


@click.command("isa", epilog=EPILOG)
@click.argument("name", required=False)
@json_option
def command(name: str | None, as_json: bool) -> None:
    """List all instructions, or describe those that NAME means.

    Instructions marked x are OpenRPP's extensions; all others are on the published chip.
    """
    from openrpp.isa.suggest import did_you_mean
    from openrpp.isa.table import TABLE, find, mnemonics

    rows = list(TABLE) if name is None else find(name)
    if not rows:
        hint = did_you_mean((name or "").upper().split(".")[0], mnemonics()) or "; 'rpp isa' lists all"
        raise InputError(f"{name} is no instruction{hint}")
    if as_json:
        emit({"instructions": [_document(row) for row in rows]})
        return
    from openrpp.report.isa import details, overview
    from openrpp.report.tables import show

    if name is None:
        show(overview(rows))
    else:
        for row in rows:
            show(*details(row))


def _document(row: Instruction) -> dict[str, Any]:
    return {
        "mnemonic": row.mnemonic,
        "unit": row.unit.value,
        "meaning": row.meaning,
        "equation": row.equation,
        "confidence": row.confidence,
        "extension": row.extension or None,
        "forms": [
            {
                "name": form.name,
                "operands": form.syntax,
                "base": f"{form.base:08x}",
                "mask": f"{form.mask:08x}",
                "slot": form.slot.value,
                "cost": form.cost.value,
            }
            for form in row.forms
        ],
    }
