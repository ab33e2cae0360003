"""Worker threads: each calls generated code through ctypes, which releases the interpreter lock, and then sleeps.

The thread that launches is one of the workers: to wake another one takes longer (30 us) than many kernels.
"""

from __future__ import annotations

import ctypes
import os
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import suppress
from functools import cache

import numpy as np
from numpy.typing import NDArray

from openrpp.codegen.host import interrupts

Work = Callable[[int, int], None]
WORK = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p)


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@cache
def _executor(workers: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(workers, thread_name_prefix="rpp-native")


_local = threading.local()


def _scratch(size: int) -> int:
    """The address of scratch memory of this thread, a multiple of 64; kept from launch to launch."""
    held: NDArray[np.uint8] | None = getattr(_local, "scratch", None)
    if held is None or held.size < size + 64:
        held = np.zeros(size + 64, np.uint8)
        _local.scratch = held
    return -(-held.ctypes.data // 64) * 64


def _forget() -> None:
    """In a forked process: the threads of the parent are not there."""
    _executor.cache_clear()
    interrupts.forget()
    _local.__dict__.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)


def run(
    work: Work, context: NDArray[np.uint64], scratch: int, workers: int, stop: int, common: int | None = None
) -> None:
    """Let workers run `work` on a context until all are through.

    Each has `scratch` bytes of its own, or all use those at the address `common`.

    On KeyboardInterrupt, or an error of a worker, the word `stop` of the context is set, which ends the workers; the
    exception goes on once none of them uses the context any more.
    """
    address = context.ctypes.data

    def halt() -> None:
        context[stop] = 1

    def one() -> None:
        try:
            work(address, common or _scratch(scratch))
        except BaseException:
            halt()
            raise

    here = not interrupts.is_main() or interrupts.can_stop()
    others = workers - 1 if here else workers
    futures: list[Future[None]] = []
    try:
        for _ in range(others):
            futures.append(_executor(others).submit(one))  # an interrupt between two of them must stop the first
        if here:
            _run_here(one, halt)
            futures = [future for future in futures if not future.cancel()]  # nothing is left for late ones
        wait(futures)
    except BaseException:
        halt()
        _finish(futures)
        raise
    for future in futures:
        future.result()


def lead(
    work: Callable[[int], int], help: Callable[[int], None], scratch: int, helpers: int, halt: Callable[[], None]
) -> int:
    """The result of `work`, during which other threads call `help`; both get the address of `scratch` bytes.

    `help` returns once `work` has; helpers that have not started by then never do. `halt` ends both: it is called from
    another thread on an interrupt, and here on an error.
    """
    here = not interrupts.is_main() or interrupts.can_stop()
    threads = helpers if here else helpers + 1
    found: list[int] = []
    futures: list[Future[None]] = []

    def one() -> None:
        found.append(work(_scratch(scratch)))

    try:
        if not here:
            futures.append(_executor(threads).submit(one))
        for _ in range(helpers):
            futures.append(_executor(threads).submit(lambda: help(_scratch(scratch))))
        if here:
            _run_here(one, halt)
        else:
            futures[0].result()
    except BaseException:
        halt()
        raise
    finally:
        _finish(futures)
    return found[0]


def _run_here(one: Callable[[], None], halt: Callable[[], None]) -> None:
    """Work in this thread."""
    if not interrupts.is_main():
        one()
        return
    with interrupts.stoppable(halt):
        one()


def _finish(futures: Sequence[Future[None]]) -> None:
    """Wait for workers that have been told to stop, whatever else is pressed meanwhile."""
    for future in futures:
        future.cancel()
    while not all(future.done() for future in futures):
        with suppress(KeyboardInterrupt):
            wait(futures)
