"""Compiling makes millions of objects that live to its end: looking for cycles among them is a third of its time."""

from __future__ import annotations

import gc
from collections.abc import Generator
from contextlib import contextmanager


@contextmanager
def paused_collection() -> Generator[None]:
    """No search for cycles of objects; also a decorator. What was allowed before is allowed again afterwards."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
