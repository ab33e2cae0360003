"""Whole programs by lifting: the hand-written examples, and kernels compiled to machine code and lifted back."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from openrpp.codegen import card
from openrpp.codegen.lift import LiftedDevice
from openrpp.cuda.compile import compile_source
from openrpp.cuda.reader import read
from openrpp.kir.fuzz import program, run_interpreter
from openrpp.kir.fuzz.program import NAME
from openrpp.machine import Device
from tests.codegen.card.support import Board, expanded
from tests.codegen.card.test_random import FEATURES

EXAMPLES = Path(__file__).resolve().parents[3] / "examples"
sys.path.insert(0, str(EXAMPLES))

import decode  # noqa: E402
import fft  # noqa: E402
import filter5x5  # noqa: E402
import harness  # noqa: E402
import matmul  # noqa: E402
import softmax  # noqa: E402


def normal(*shape: int, seed: int = 5) -> NDArray[np.float32]:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def weights() -> decode.Weights:
    return decode.random_weights(np.random.default_rng(6), 96, 256)


RUNS: dict[str, Callable[[Device], harness.Outcome]] = {
    "matmul": lambda device: matmul.run(device, normal(37, 64), normal(64, 256)),
    "decode": lambda device: decode.run(device, weights(), normal(256)),
    "softmax": lambda device: softmax.run(device, normal(70, 77)),
    "filter5x5": lambda device: filter5x5.run(device, np.arange(40 * 70, dtype=np.uint8).reshape(40, 70)),
    "fft": lambda device: fft.run_rows(device, fft.signals(256, 64).T.copy()),
}


@pytest.mark.parametrize("name", RUNS)
def test_examples(name: str) -> None:
    mine, theirs = RUNS[name](Device("ae7100")), RUNS[name](LiftedDevice("ae7100"))
    assert all(check.passed for check in theirs.checks)
    assert [report.columns for report in mine.reports] == [report.columns for report in theirs.reports]


SOURCE = r"""
extern "C" __global__ void reduce(const int *x, int *out) {
    __shared__ int s[64];
    int t = threadIdx.x;
    s[t] = x[blockIdx.x * 64 + t];
    __syncthreads();
    for (int k = 32; k; k >>= 1) {
        if (t < k) s[t] += s[t + k];
        __syncthreads();
    }
    if (!t) out[blockIdx.x] = s[0];
}
extern "C" __global__ void collatz(const int *x, int *out) {
    int i = blockIdx.x * blockDim.x + threadIdx.x, v = x[i], steps = 0;
    while (v != 1) { v = v & 1 ? 3 * v + 1 : v / 2; steps++; }
    atomicAdd(out, steps);
    out[i + 1] = steps;
}
"""


class LiftedBoard(Board):
    """A board whose card runs programs by lifting them."""

    def __init__(self) -> None:
        super().__init__()
        self.device = LiftedDevice("ae7100x")


@pytest.mark.parametrize("name", ["reduce", "collatz"])
def test_compiled_kernels(name: str) -> None:
    module = read(compile_source(SOURCE)).module
    made = card.compile(expanded(module), name, (64, 1, 1))
    x = np.random.default_rng(3).integers(1, 60, 256, dtype=np.int32)
    left: list[Any] = []
    for board in (Board(), LiftedBoard()):
        out = np.zeros(257, np.int32)
        places = [board.place(x), board.place(out)]
        report = board.launch(made, (4, 1, 1), places, board.symbols(module))
        left.append((board.read(places[1], out).tolist(), report.columns))
    assert left[0] == left[1]


@settings(max_examples=3, deadline=None)
@given(seed=st.integers(0, 1 << 32))
def test_random_kernels_compiled_and_lifted(seed: int) -> None:
    made = program(seed, 4, FEATURES)
    out, cells, _ = run_interpreter(made)
    board, values, args = LiftedBoard(), made.arguments(), list[Any]()
    symbols = board.symbols(made.module)
    for item in values:
        args.append(board.place(item) if isinstance(item, np.ndarray) else item)
    board.launch(card.compile(expanded(made.module), NAME, made.block), made.grid, args, symbols)
    assert np.array_equal(board.read(args[1], out), out)
    assert np.array_equal(board.read(args[2], cells), cells)
