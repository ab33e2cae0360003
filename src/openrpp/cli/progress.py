"""Progress on a terminal, for work that takes longer than two seconds of host time."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import TYPE_CHECKING

from openrpp.machine.faults import Place
from openrpp.machine.observe import Observer

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

PATIENCE = 2.0
"""Seconds before a bar appears."""
_INTERVAL = 0.1


class BlockProgress(Observer):
    """Counts the blocks that an engine begins; a bar on standard error, if that is a terminal, and only after a while.

    `blocks` is their number, 0 if it is not known.
    """

    def __init__(self, name: str, blocks: int) -> None:
        self.name = name
        self.blocks = blocks
        self.begun = 0
        self.visible = sys.stderr.isatty()
        self._due = time.monotonic() + PATIENCE
        self._bar: Progress | None = None
        self._task: TaskID | None = None

    def block(self, place: Place) -> None:
        """A block begins."""
        self.begun += 1
        self.reach(self.begun - 1)

    def reach(self, done: int) -> None:
        """So many blocks are done."""
        if not self.visible or time.monotonic() < self._due:
            return
        self._due = time.monotonic() + _INTERVAL
        if self._bar is None or self._task is None:
            self._bar, self._task = self._start()
        self._bar.update(self._task, completed=done)

    def _start(self) -> tuple[Progress, TaskID]:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("blocks"))
        bar = Progress(*columns, console=Console(stderr=True), transient=True)
        task = bar.add_task(self.name, total=self.blocks or None)
        bar.start()
        return bar, task

    def __enter__(self) -> BlockProgress:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()
