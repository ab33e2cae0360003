"""The kernels of `make bench-cuda` at small sizes: native engine, interpreter and C give what NumPy gives."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest

from benchmarks.cuda import contestants, jobs
from benchmarks.cuda.jobs import Job
from openrpp.kir.interp import Memory, launch

SMALL: dict[str, Callable[[np.random.Generator], Job]] = {
    "saxpy": partial(jobs.saxpy, n=1000),
    "matmul_naive": partial(jobs.matmul_naive, n=40),
    "matmul_tiled": partial(jobs.matmul_tiled, n=64),
    "stencil": partial(jobs.stencil, n=75),
    "reduction": partial(jobs.reduction, n=3001, blocks=3),
    "histogram": partial(jobs.histogram, n=3001, blocks=3),
    "shuffle_reduction": partial(jobs.shuffle_reduction, n=3001, blocks=3),
    "mandelbrot": partial(jobs.mandelbrot, n=40, limit=20),
    "transpose": partial(jobs.transpose, n=64),
    "nbody": partial(jobs.nbody, n=256),
    "needleman_wunsch": partial(jobs.needleman_wunsch, n=96),
    "spmv": partial(jobs.spmv, rows=700),
    "dot_matmul": partial(jobs.dot_matmul, n=64),
}
SLOW = ("nbody", "matmul_tiled", "dot_matmul")  # on the interpreter


def made(name: str) -> Job:
    return SMALL[name](np.random.default_rng(7))


def test_no_kernel_is_left_out() -> None:
    assert {make.__name__ for make in jobs.JOBS} | {"dot_matmul"} == set(SMALL)


@pytest.mark.parametrize("tier", ["avx512", "avx2", "sse"])
@pytest.mark.parametrize("name", SMALL)
def test_native(name: str, tier: str) -> None:
    from openrpp.codegen.host import llvm

    if not llvm.is_runnable(llvm.tier_named(tier)):
        pytest.skip(f"this host has no {tier}")
    job = made(name)
    memory = contestants.Memory(job)
    for workers in (1, 2):
        memory.restore(job)
        contestants.native(job, memory, workers, tier)()
        assert job.error(memory.arrays) <= 1


@pytest.mark.parametrize("name", [name for name in SMALL if name not in SLOW])
def test_native_leaves_the_bits_of_the_interpreter(name: str) -> None:
    job = made(name)
    memory, oracle = contestants.Memory(job), Memory()
    contestants.native(job, memory, 1)()
    device = contestants.device_module(name)
    expected = {key: array.copy() for key, array in job.arrays.items()}
    places = {key: oracle.bind(array) for key, array in expected.items()}
    for item in job.launches:
        args: list[Any] = [places[arg] if isinstance(arg, str) else arg for arg in item.args]
        launch(device.module, device.names[name][0], item.grid, job.block, args, memory=oracle)
    for key, array in expected.items():
        assert array.tobytes() == memory.arrays[key].tobytes(), key


@pytest.mark.skipif(shutil.which("gcc") is None, reason="there is no gcc")
@pytest.mark.parametrize("fast", [False, True])
@pytest.mark.parametrize("name", [name for name in SMALL if name != "dot_matmul"])
def test_peers(name: str, fast: bool) -> None:
    job = made(name)
    memory = contestants.Memory(job)
    for threads in (1, 2):
        memory.restore(job)
        contestants.c_peer(job, memory, threads, fast)()
        assert job.error(memory.arrays) <= 1
