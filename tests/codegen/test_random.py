"""Random kernels on the native engine leave what they leave on the interpreter, on every tier and number of workers."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openrpp.codegen.host import llvm
from openrpp.codegen.host.tiers import TIERS
from openrpp.kir.fuzz import Features, program, run_interpreter

from .support import compiled, run_native

RUNNABLE = [name for name, tier in TIERS.items() if llvm.is_runnable(tier)]
seeds = st.integers(0, 1 << 32)
BREAKS = Features(breaks=True)


def check(seed: int, size: int, workers: int, tier: str | None = None, lanes: int | None = None) -> None:
    made = program(seed, size)
    out, cells, _ = run_interpreter(made)
    again, cells_again = run_native(made, compiled(made, tier=tier, lanes=lanes), workers)
    assert np.array_equal(out, again)
    assert np.array_equal(cells, cells_again)


@pytest.mark.parametrize("tier", RUNNABLE)
@settings(max_examples=12)
@given(seed=seeds, workers=st.integers(1, 2))
def test_every_tier_equals_the_interpreter(tier: str, seed: int, workers: int) -> None:
    check(seed, 12, workers, tier)


@settings(max_examples=8)
@given(seed=seeds)
def test_large_programs(seed: int) -> None:
    check(seed, 40, 1)


@settings(max_examples=16)
@given(seed=seeds, lanes=st.sampled_from([1, 4, 8, 16, 64]))
def test_every_group_size_equals_the_interpreter(seed: int, lanes: int) -> None:
    check(seed, 10, 2, None, lanes)


@settings(max_examples=16)
@given(seed=seeds)
def test_loops_that_lanes_leave_at_several_places(seed: int) -> None:
    made = program(seed, 6, BREAKS)
    out, cells, _ = run_interpreter(made)
    again, cells_again = run_native(made, compiled(made), 1)
    assert np.array_equal(out, again)
    assert np.array_equal(cells, cells_again)


@pytest.mark.parametrize("seed", range(6))
def test_every_tier_compiles_a_random_kernel(seed: int) -> None:
    """Also those that this host cannot run."""
    made = program(seed)
    for name in set(TIERS) - set(RUNNABLE):
        assert "ret" in compiled(made, tier=name).assembly()
