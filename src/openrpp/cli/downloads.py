"""Progress of a download: a bar on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

PATIENCE = 0.5
"""Seconds before a bar appears."""
LINES = 10.0
"""Seconds between lines where there is no terminal."""


class Download:
    """Shows on standard error how much of a file has come; a short download shows nothing."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._screen = sys.stderr.isatty()
        self._due = time.monotonic() + (PATIENCE if self._screen else LINES)
        self._bar: Progress | None = None
        self._task: TaskID | None = None

    def reach(self, have: int, total: int | None) -> None:
        """So many bytes are there, of so many if that is known."""
        now = time.monotonic()
        if now < self._due:
            return
        if not self._screen:
            self._due = now + LINES
            share = f" of {total / 1e6:.0f}" if total else ""
            click.echo(f"{self.name}: {have / 1e6:.0f}{share} MB have come", err=True)
            return
        if self._bar is None or self._task is None:
            self._bar, self._task = self._start()
        self._bar.update(self._task, completed=have, total=total)

    def _start(self) -> tuple[Progress, TaskID]:
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            DownloadColumn,
            Progress,
            TextColumn,
            TimeRemainingColumn,
            TransferSpeedColumn,
        )

        columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
        bar = Progress(*columns, TimeRemainingColumn(), console=Console(stderr=True), transient=True)
        task = bar.add_task(self.name, total=None)
        bar.start()
        return bar, task

    def __enter__(self) -> Download:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()
