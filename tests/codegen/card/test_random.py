"""Random kernels as machine code leave what they leave on the interpreter, from both back ends."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openrpp.kir.fuzz import Features, program, run_interpreter
from openrpp.kir.types import F32, F64, I1, I8, I16, I32

from .support import run_fuzz

FEATURES = Features((I1, I8, I16, I32, I32, F32, F32, F64), breaks=True)
seeds = st.integers(0, 1 << 32)


def check(seed: int, size: int, **how: Any) -> None:
    made = program(seed, size, FEATURES)
    out, cells, _ = run_interpreter(made)
    again, cells_again = run_fuzz(made, **how)
    assert np.array_equal(out, again)
    assert np.array_equal(cells, cells_again)


@settings(max_examples=12)
@given(seed=seeds)
def test_optimised_programs_equal_the_interpreter(seed: int) -> None:
    check(seed, 5, naive=False)


@settings(max_examples=4)
@given(seed=seeds)
def test_plain_programs_equal_the_interpreter(seed: int) -> None:
    check(seed, 2, naive=True)


@pytest.mark.parametrize("order", ["warp", "random", "descending"])
@settings(max_examples=4)
@given(seed=seeds)
def test_every_order_of_warps_gives_the_same(order: Any, seed: int) -> None:
    check(seed, 4, naive=False, order=order, strict=True)


@pytest.mark.parametrize("pairs", [4, 5, 6])
@settings(max_examples=3)
@given(seed=seeds)
def test_fewer_registers_give_the_same(pairs: int, seed: int) -> None:
    check(seed, 6, naive=False, pairs=pairs, strict=True)


def test_nothing_is_left_alive_at_the_end() -> None:
    """A value that only the last store reads is copied to no register there."""
    check(100017, 9, naive=False, strict=True)
