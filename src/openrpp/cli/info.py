"""`rpp info`: what a card is."""

from __future__ import annotations

import click

from openrpp.cli.output import emit, json_option

EPILOG = """\b
Examples:
  rpp info
  rpp info --arch my-card.toml --json
"""


@click.command("info", epilog=EPILOG, short_help="Print a card's sheet with the source of each figure.")
@click.option("--arch", default="ae7100", show_default=True, help="Preset name or architecture file.")
@json_option
def command(arch: str, as_json: bool) -> None:
    """Print a card's sheet: every figure with its interval, unit, source and reference.

    Sources are published, measured (on public artefacts), inferred or assumed. Intervals read low / nominal / high.
    """
    from openrpp.arch import as_dict, load

    card = load(arch)
    if as_json:
        emit(as_dict(card))
        return
    from openrpp.report.sheet import card_tables
    from openrpp.report.tables import show

    show(*card_tables(card))
