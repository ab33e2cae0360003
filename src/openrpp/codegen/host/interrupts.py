"""Ctrl-C while the main thread runs generated code.

Python handles signals between bytecodes, so not while a call into generated code lasts. Its C handler does one thing
at once: it writes the signal's number to the wake-up descriptor. A thread that reads there tells the code to stop;
the call ends, and KeyboardInterrupt is raised where Python goes on.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from functools import cache


class _Bell:
    """The descriptor and the thread that reads there. `before` is the descriptor that others had set."""

    def __init__(self) -> None:
        self.running: list[Callable[[], None]] = []
        self.before = -1
        self._source, self.sink = os.pipe()
        os.set_blocking(self.sink, False)
        threading.Thread(target=self._listen, name="rpp-interrupts", daemon=True).start()

    def _listen(self) -> None:
        while numbers := os.read(self._source, 64):
            if signal.SIGINT in numbers:
                for halt in tuple(self.running):
                    halt()
            if self.before >= 0:
                with suppress(OSError):
                    os.write(self.before, numbers)


@cache
def _bell() -> _Bell:
    return _Bell()


def forget() -> None:
    """In a forked process: the thread of the parent is not there."""
    _bell.cache_clear()


def is_main() -> bool:
    """Whether this is the thread that gets signals."""
    return threading.current_thread() is threading.main_thread()


def can_stop() -> bool:
    """Whether an interrupt would raise KeyboardInterrupt rather than call a handler of the program's own."""
    return signal.getsignal(signal.SIGINT) is signal.default_int_handler


@contextmanager
def stoppable(halt: Callable[[], None]) -> Generator[None]:
    """In the main thread: an interrupt calls `halt` in another thread, which tells generated code to stop."""
    bell = _bell()
    bell.running.append(halt)
    bell.before = signal.set_wakeup_fd(bell.sink, warn_on_full_buffer=False)
    try:
        yield
    finally:
        signal.set_wakeup_fd(bell.before, warn_on_full_buffer=False)
        bell.running.pop()
