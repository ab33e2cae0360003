"""Right kernels with one line less: every barrier, fence and atomic is missed."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pytest

from openrpp.kir import check
from openrpp.kir.fuzz import Program, program
from openrpp.kir.interp import Order, launch
from tests.kir.check.launches import right

Check = Callable[..., check.Report]
BARRIERS = [
    ("matmul", "__syncthreads();  // loaded\n        for", "for"),
    ("matmul", "__syncthreads();  // used", ""),
    ("reduce", "__syncthreads();  // loaded\n    for (int step = blockDim", "for (int step = blockDim"),
    ("reduce", "__syncthreads();  // added", ""),
    ("scan", "__syncthreads();  // loaded\n    for (int step = 1", "for (int step = 1"),
    ("scan", "__syncthreads();  // read", ""),
    ("scan", "__syncthreads();  // written", ""),
    ("histogram", "__syncthreads();  // cleared", ""),
    ("histogram", "__syncthreads();  // counted", ""),
    ("ping_pong", "__syncthreads();  // loaded\n    for (int k = 0; k < rounds", "for (int k = 0; k < rounds"),
    ("ping_pong", "__syncthreads();  // stepped", ""),
    ("warp_synchronous", "__syncwarp();  // added", ""),
    ("grid_sync", "grid.sync();", ""),
    ("last_block", "        __threadfence();\n        last = atomicInc", "        last = atomicInc"),
    ("fenced_by_all", "    __threadfence();\n    __syncthreads();\n    if", "    __syncthreads();\n    if"),
    ("locked", "    __threadfence();\n    atomicExch", "    atomicExch"),
    ("flag", "        __threadfence();\n        *ready", "        *ready"),
    ("histogram", "atomicAdd(&local[x[i] & 15], 1u);", "local[x[i] & 15] += 1;"),
    ("histogram", "atomicAdd(&bins[threadIdx.x], local[threadIdx.x]);", "bins[threadIdx.x] += local[threadIdx.x];"),
]


@pytest.mark.parametrize("order", list(Order))
@pytest.mark.parametrize(("name", "old", "new"), BARRIERS)
def test_what_orders_threads_is_missed(checked: Check, name: str, old: str, new: str, order: Order) -> None:
    grid, block, args, options = right(name)
    report = checked("right", name, grid, block, args, (old, new), order=order, checks="race", **options)
    assert [item for item in report.findings if item.kind == "race"], report.text()


def results(made: Program, order: Order) -> bytes:
    args = made.arguments()
    launch(made.module, "fuzz", made.grid, made.block, args, order=order, seed=made.seed)
    return b"".join(item.tobytes() for item in args[1:3] if isinstance(item, np.ndarray))


def without_barriers(seed: int) -> Iterator[Program]:
    """A random program, each time without another of its barriers."""
    made = program(seed)
    for block in made.kernel.blocks:
        for barrier in [item for item in block.body if item.op.name == "barrier"][:4]:
            place = block.body.index(barrier)
            del block.body[place]
            yield made
            block.body.insert(place, barrier)


def test_random_programs_without_a_barrier() -> None:
    """Where the order of threads shows in the results, there is a race, and it is found in every order."""
    found = 0
    for seed in range(40):
        for made in without_barriers(seed):
            if len({results(made, order) for order in Order}) == 1:
                continue
            found += 1
            for order in Order:
                args = made.arguments()
                report = check.run(made.module, "fuzz", made.grid, made.block, args, order=order, checks="race")
                assert not report.clean, (seed, order)
        if found >= 5:
            break
    assert found >= 5
