"""Tables for terminals: aligned and wrapped to the width there, one line per row in a pipe."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from typing import TextIO

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

PIPE_WIDTH = 1000
"""Wide enough that nothing wraps where nobody looks at a screen."""


def console(file: TextIO | None = None) -> Console:
    """A console on a file (standard output by default)."""
    target = file or sys.stdout
    return Console(file=target, width=None if target.isatty() else PIPE_WIDTH, highlight=False, emoji=False)


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
    for header in headers:
        table.add_column(header, overflow="fold")
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    return table


def show(*parts: Table | str, file: TextIO | None = None) -> None:
    """Print tables and lines of plain text."""
    out = console(file)
    for part in parts:
        out.print(Text(part) if isinstance(part, str) else part)
