"""Compiled kernels leave what the hand-written programs for the same jobs leave."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest

from benchmarks.mapping import byhand
from benchmarks.mapping.byhand import Pair
from openrpp.codegen import card
from openrpp.codegen.card.prepare import prepared

SMALL: dict[str, Callable[[], Pair]] = {
    "matmul": partial(byhand.matmul, m=70, k=64, n=128),
    "decode": partial(byhand.decode, n=128, k=64),
    "filter": partial(byhand.filtered, height=20, width=60),
    "fft": partial(byhand.fft, batch=40),
}


@pytest.mark.parametrize("job", SMALL)
def test_results_are_equal(job: str) -> None:
    pair = SMALL[job]()
    assert pair.job == job and pair.equal
    assert pair.compiled_cycles > 0 and pair.hand_cycles > 0


def test_the_published_chip_has_the_dots_too() -> None:
    ready = prepared(byhand.module("matmul"), "matmul", 1, "ae7100")
    program = card.compile(ready, "matmul", (32, 8, 1), target="ae7100")
    assert program.machine.extensions == ()
