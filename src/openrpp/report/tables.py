"""Tables for terminals: aligned and wrapped to the width there, one line per row in a pipe."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from io import StringIO
from typing import TextIO, cast

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

PIPE_WIDTH = 1000
"""Wide enough that nothing wraps where nobody looks at a screen."""


def pairs(title: str, rows: Iterable[tuple[str, str]]) -> Table:
    """Names and values below a title."""
    table = Table(title=Text(title, style="bold"), title_justify="left", box=None, show_header=False, padding=(0, 1))
    table.add_column(style="cyan", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in rows:
        table.add_row(Text(name), Text(value))
    return table


def grid(headers: Sequence[str], rows: Iterable[Sequence[str]], title: str = "") -> Table:
    """Rows below headers; text only, so brackets in it are no markup."""
    table = Table(
        title=Text(title, style="bold") if title else None,
        title_justify="left",
        box=box.SIMPLE_HEAD,
        padding=(0, 1),
        pad_edge=False,
    )
    for index, header in enumerate(headers):
        table.add_column(header, overflow="fold", no_wrap=index == 0)
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    return table


def show(*parts: Table | str, file: TextIO | None = None) -> None:
    """Print tables and lines of plain text. Raises BrokenPipeError where nobody reads."""
    target = file or sys.stdout
    screen = target.isatty()
    console = Console(file=target if screen else StringIO(), width=None if screen else PIPE_WIDTH, highlight=False)
    for part in parts:
        if isinstance(part, Table) and not screen:
            part.box = None
        console.print(Text(part) if isinstance(part, str) else part)
    if not screen:
        text = cast("StringIO", console.file).getvalue()
        target.write("".join(f"{line.rstrip()}\n" for line in text.splitlines()))
