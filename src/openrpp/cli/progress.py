"""Progress on a terminal, for work that takes longer than two seconds of host time."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import TYPE_CHECKING, Self

from openrpp.machine.faults import Place
from openrpp.machine.observe import Observer

if TYPE_CHECKING:
    from rich.progress import Progress, ProgressColumn, TaskID

PATIENCE = 2.0
"""Seconds before a bar appears."""
_INTERVAL = 0.1


class Bar:
    """A bar on standard error that appears with the first `show`; a context that takes it away again."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._bar: Progress | None = None
        self._task: TaskID | None = None

    def columns(self) -> tuple[ProgressColumn, ...]:
        """What the bar consists of."""
        raise NotImplementedError

    def show(self, done: float, total: float | None) -> None:
        """So much of so much is done."""
        if self._bar is None or self._task is None:
            from rich.console import Console
            from rich.progress import Progress

            self._bar = Progress(*self.columns(), console=Console(stderr=True), transient=True)
            self._task = self._bar.add_task(self.name, total=total)
            self._bar.start()
        self._bar.update(self._task, completed=done, total=total)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()


class BlockProgress(Bar, Observer):
    """Counts the blocks that an engine begins; a bar on standard error, if that is a terminal, and only after a while.

    `blocks` is their number, 0 if it is not known.
    """

    def __init__(self, name: str, blocks: int) -> None:
        super().__init__(name)
        self.blocks = blocks
        self.begun = 0
        self.visible = sys.stderr.isatty()
        self._due = time.monotonic() + PATIENCE

    def block(self, place: Place) -> None:
        """A block begins."""
        self.begun += 1
        self.reach(self.begun - 1)

    def reach(self, done: int) -> None:
        """So many blocks are done."""
        if self.visible and time.monotonic() >= self._due:
            self._due = time.monotonic() + _INTERVAL
            self.show(done, self.blocks or None)

    def columns(self) -> tuple[ProgressColumn, ...]:
        """The share and the number of blocks."""
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn

        return TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("blocks")
