"""Random kernels of what the published chip can do leave what they leave on the interpreter."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openrpp.codegen import card
from openrpp.kir.fuzz import Features, program, run_interpreter
from openrpp.kir.fuzz.program import NAME
from openrpp.kir.types import BF16, F16, F32, I1, I8, I16, I32, I64

from .support import expanded
from .test_published import PublishedBoard

FUNCTIONS = frozenset({"fsqrt", "frsqrt", "fexp2", "flog2", "fma"})
QUOTIENTS = frozenset({"udiv", "sdiv", "urem", "srem"})
CONVERSIONS = frozenset({"sitofp", "uitofp", "fptosi", "fptoui"})


def features(seed: int) -> Features:
    """Types of other widths, or divisions and conversions, which need 64-bit floats for those types."""
    wide = seed % 2
    kinds = (I1, I8, I16, I32, I32, F32, F32, *((I64, F16, BF16) * wide))
    without = FUNCTIONS | (CONVERSIONS | QUOTIENTS if wide else frozenset[str]())
    return Features(kinds, barrier_results=False, meetings=False, without=without, breaks=True)


seeds = st.integers(0, 1 << 32)


def check(seed: int, size: int, merge: int = 1, **how: Any) -> None:
    made = program(seed, size, features(seed))
    expected, _, _ = run_interpreter(made)
    board = PublishedBoard(strict=True, **how)
    compiled = card.compile(expanded(made.module, merge, "ae7100"), NAME, made.block, target="ae7100")
    assert compiled.machine.extensions == ()
    places = [board.place(item) if isinstance(item, np.ndarray) else 0 for item in made.arguments()]
    args = [place or item for place, item in zip(places, made.arguments(), strict=True)]
    board.launch(compiled, made.grid, args, board.symbols(made.module))
    assert np.array_equal(board.read(places[1], expected), expected)


@settings(max_examples=4)
@given(seed=seeds)
def test_programs_equal_the_interpreter(seed: int) -> None:
    check(seed, 4)


@pytest.mark.parametrize("order", ["warp", "random", "descending"])
@settings(max_examples=2)
@given(seed=seeds)
def test_every_order_of_warps_gives_the_same(order: Any, seed: int) -> None:
    check(seed, 3, order=order)
