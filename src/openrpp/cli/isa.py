"""`rpp isa`: the instruction table."""

from __future__ import annotations

import click

from openrpp.cli.errors import InputError
from openrpp.cli.output import emit, json_option

EPILOG = """\b
Examples:
  rpp isa
  rpp isa LDLANE_BFMAD
  rpp isa ADD.F16 --json
"""


@click.command("isa", epilog=EPILOG, short_help="List or describe instructions.")
@click.argument("name", required=False)
@json_option
def command(name: str | None, as_json: bool) -> None:
    """List all instructions, or describe those that NAME means or begins.

    Instructions marked x are OpenRPP's extensions; all others are on the published chip.
    """
    from openrpp.isa.describe import UnknownInstruction, describe

    try:
        rows = describe(name)
    except UnknownInstruction as error:
        start = (name or "").upper()
        rows = tuple(row for row in describe() if any(form.name.startswith(start) for form in row.forms))
        if not rows:
            hint = "" if str(error).endswith("?") else "; 'rpp isa' lists all"
            raise InputError(f"{error}{hint}") from None
    if as_json:
        emit({"instructions": [row.to_json() for row in rows]})
        return
    from openrpp.report.isa import details, overview
    from openrpp.report.tables import show

    if name is None:
        show(overview(rows))
    else:
        show(*(table for row in rows for table in details(row)))
