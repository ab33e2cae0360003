"""Whole kernels: random programs, expanded, leave the same memory."""

from __future__ import annotations

import numpy as np
import pytest

from openrpp.kir.fuzz import program, run_interpreter
from openrpp.kir.interp import Order
from openrpp.kir.ir import Exit
from openrpp.kir.passes import PassManager, eliminate_dead_code, fold_constants
from openrpp.kir.passes.expand import is_legal
from tests.kir.expand.harness import expanded


@pytest.mark.parametrize("seed", range(25))
def test_random_programs_leave_the_same_memory(seed: int) -> None:
    made = program(seed, 8)
    out, cells, _ = run_interpreter(made)
    module = expanded(made.module)
    for order in (Order.ASCENDING, Order.RANDOM):
        again, cells_again, _ = run_interpreter(made, order, module=module)
        assert np.array_equal(out, again)
        assert np.array_equal(cells, cells_again)
    PassManager([fold_constants, eliminate_dead_code]).run(module)
    kernel = module.kernels[made.kernel.name]
    assert all(is_legal(instr) for instr in kernel.instructions())
    assert all(block.terminator.kind is not Exit.SWITCH for block in kernel.blocks)
    again, cells_again, _ = run_interpreter(made, module=module)
    assert np.array_equal(out, again)
    assert np.array_equal(cells, cells_again)
