"""Worker threads: each calls generated code through ctypes, which releases the interpreter lock, and then sleeps."""

from __future__ import annotations

import ctypes
import os
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from functools import cache

import numpy as np
from numpy.typing import NDArray

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


def run(work: Work, context: NDArray[np.uint64], scratch: int, workers: int, stop: int) -> None:
    """Let workers run `work` on a context until all are through.

    On KeyboardInterrupt the word `stop` of the context is set, which ends the workers, and the interrupt goes on.
    """
    address = context.ctypes.data

    def one() -> None:
        work(address, _scratch(scratch))

    futures: Sequence[Future[None]] = [_executor(workers).submit(one) for _ in range(workers)]
    try:
        wait(futures)
    except BaseException:
        context[stop] = 1
        wait(futures)
        raise
    for future in futures:
        future.result()
