"""Random kernels with barriers, divergence, loops, all types, shared memory, shuffles and commutative atomics.

What a kernel leaves in memory does not depend on the order of threads, so every engine must leave the same, NaN
payloads excepted. A program is a function of its seed.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from openrpp.kir.fuzz.statements import ALL, CELLS, INPUTS, SLOTS, Features, Statements
from openrpp.kir.interp import Memory, Order, Result, launch
from openrpp.kir.interp.launch import Argument
from openrpp.kir.ir import Global, Kernel, Module, Parameter
from openrpp.kir.ops.threads import Triple
from openrpp.kir.types import F32, I32, PTR_GLOBAL, Space
from openrpp.kir.verify import verify_module

SHAPES: Final[tuple[Triple, ...]] = (
    (32, 1, 1),
    (64, 1, 1),
    (7, 1, 1),
    (8, 4, 1),
    (16, 3, 1),
    (4, 3, 5),
    (40, 1, 1),
    (150, 1, 1),
)
GRIDS: Final[tuple[Triple, ...]] = ((1, 1, 1), (3, 1, 1), (2, 2, 1), (5, 1, 1), (1, 2, 2))
NAME: Final = "fuzz"


@dataclass(frozen=True)
class Program:
    """A module with a kernel `fuzz`, its launch and its arguments.

    Parameters: in (i32 values), out (8 bytes x SLOTS per thread), cells (8 bytes per atomic op and width), n, x, and a
    struct of 16 bytes.
    """

    seed: int
    module: Module
    grid: Triple
    block: Triple

    @property
    def kernel(self) -> Kernel:
        """The kernel."""
        return self.module.kernels[NAME]

    def arguments(self) -> list[Argument]:
        """Fresh arguments: arrays for in, out and cells, then the scalars."""
        rng = np.random.default_rng(self.seed)
        threads = int(np.prod(self.grid)) * int(np.prod(self.block))
        given = rng.integers(-(2**31), 2**31, INPUTS, dtype=np.int64).astype(np.int32)
        given[::3] &= 0xFF
        out = np.zeros(threads * SLOTS, np.uint64)
        cells = np.zeros(CELLS, np.uint64)
        return [given, out, cells, int(rng.integers(0, 100)), float(rng.uniform(-4, 4)), rng.bytes(16)]


def program(seed: int, size: int = 12, features: Features = ALL) -> Program:
    """The program of a seed, verified. `size` is about the number of statements at the top."""
    rng = random.Random(seed)
    block, grid = rng.choice(SHAPES), rng.choice(GRIDS)
    module = Module(f"fuzz {seed}")
    threads = block[0] * block[1] * block[2]
    module.add_global(Global("tile", Space.SHARED, 8 * threads, 8))
    module.add_global(Global("count", Space.SHARED, 8, 8))
    module.add_global(Global("table", Space.CONSTANT, 128, 16, rng.randbytes(128)))
    params = [Parameter(PTR_GLOBAL, name) for name in ("in", "out", "cells")]
    params += [Parameter(I32, "n"), Parameter(F32, "x"), Parameter.by_value("s", 16, 8)]
    kernel = module.add_kernel(Kernel(NAME, params))
    kernel.max_threads = threads
    Statements(rng, kernel, threads, features).body(size)
    verify_module(module)
    return Program(seed, module, grid, block)


def run_interpreter(
    made: Program, order: Order = Order.ASCENDING, module: Module | None = None
) -> tuple[NDArray[Any], NDArray[Any], Result]:
    """(out, cells, result) of the program, or of another module with the same kernel."""
    args = made.arguments()
    result = launch(
        module or made.module, NAME, made.grid, made.block, args, memory=Memory(), order=order, seed=made.seed
    )
    out, cells = args[1], args[2]
    assert isinstance(out, np.ndarray) and isinstance(cells, np.ndarray)
    return out, cells, result
