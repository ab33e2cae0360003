"""How long a small kernel takes from source to its first result, without and with an entry in the cache on disk.

`python -m benchmarks.cuda.compiling` prints seconds from `RawModule(source)` to the end of the first launch, which is
when code for the block shape is made. An empty kernel goes before, so that importing is not part of it. `RPP_CACHE`
names the cache.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import numpy as np

_ROUNDS = 5


@dataclass(frozen=True)
class CompileTimes:
    """Median seconds with an empty cache, and with what that left in it."""

    cold: float
    cached: float


def measure() -> CompileTimes:
    """Both times, each in processes of their own."""
    cold: list[float] = []
    cached: list[float] = []
    for _ in range(_ROUNDS):
        with tempfile.TemporaryDirectory(prefix="rpp-bench-") as folder:
            cold.append(_in_process(folder))
            cached.append(_in_process(folder))
    return CompileTimes(median(cold), median(cached))


def _in_process(folder: str) -> float:
    from openrpp.storage.cache import VARIABLE

    command = [sys.executable, "-m", "benchmarks.cuda.compiling"]
    return float(subprocess.run(command, env={**os.environ, VARIABLE: folder}, check=True, capture_output=True).stdout)


def _run() -> float:
    from openrpp.cuda import RawModule

    source = Path(__file__).with_name("kernels").joinpath("saxpy.cu").read_text(encoding="utf-8")
    RawModule("__global__ void empty() {}").get_function("empty")((1,), (32,), ())
    x, y = np.ones(1000, np.float32), np.ones(1000, np.float32)
    begun = time.perf_counter()
    RawModule(source).get_function("saxpy")((4,), (256,), (1000, np.float32(2), x, y))
    seconds = time.perf_counter() - begun
    if not np.array_equal(y, np.full(1000, 3, np.float32)):
        raise SystemExit("saxpy gives wrong results")
    return seconds


if __name__ == "__main__":
    print(_run())
