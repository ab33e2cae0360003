"""Progress of a download: a bar on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

import click

from openrpp.cli.progress import Bar

if TYPE_CHECKING:
    from rich.progress import ProgressColumn

PATIENCE = 0.5
"""Seconds before a bar appears."""
LINES = 10.0
"""Seconds between lines where there is no terminal."""


class Download(Bar):
    """Shows on standard error how much of a file has come; a short download shows nothing."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self._screen = sys.stderr.isatty()
        self._due = time.monotonic() + (PATIENCE if self._screen else LINES)

    def reach(self, have: int, total: int | None) -> None:
        """So many bytes are there, of so many if that is known."""
        now = time.monotonic()
        if now < self._due:
            return
        if self._screen:
            self.show(have, total)
            return
        self._due = now + LINES
        share = f" of {total / 1e6:.0f}" if total else ""
        click.echo(f"{self.name}: {have / 1e6:.0f}{share} MB have come", err=True)

    def columns(self) -> tuple[ProgressColumn, ...]:
        """Bytes, their rate and the time left."""
        from rich import progress

        text, bar, size = progress.TextColumn("{task.description}"), progress.BarColumn(), progress.DownloadColumn()
        return text, bar, size, progress.TransferSpeedColumn(), progress.TimeRemainingColumn()
