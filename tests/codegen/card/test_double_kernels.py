"""CUDA kernels on doubles as machine code: arrays as the interpreter leaves them, bit for bit."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest

from openrpp.codegen import card
from openrpp.cuda.compile import compile_source
from openrpp.cuda.reader import read
from openrpp.kir.interp import launch as interpret
from openrpp.kir.ir import Module

from .support import Board, expanded

SOURCE = r"""
extern "C" __global__ void product(const double *a, const double *b, double *c, int n) {
    int row = blockIdx.y * 8 + threadIdx.y, column = blockIdx.x * 8 + threadIdx.x;
    double sum = 0;
    for (int k = 0; k < n; k++) sum += a[row * n + k] * b[k * n + column];
    c[row * n + column] = sum;
}
extern "C" __global__ void reduce(const double *x, double *out) {
    __shared__ double s[64];
    int t = threadIdx.x;
    s[t] = x[blockIdx.x * 64 + t];
    __syncthreads();
    for (int k = 32; k; k >>= 1) {
        if (t < k) s[t] += s[t + k];
        __syncthreads();
    }
    if (!t) out[blockIdx.x] = s[0];
}
extern "C" __global__ void functions(const double *x, double *out) {
    int i = threadIdx.x;
    out[4 * i] = sin(x[i]);
    out[4 * i + 1] = exp(x[i]);
    out[4 * i + 2] = pow(fabs(x[i]), 1.7);
    out[4 * i + 3] = fmod(x[i], 0.3) + floor(x[i]);
}
extern "C" __global__ void together(const double *x, double *out) {
    int i = threadIdx.x;
    atomicAdd(out + (i & 3), rint(8 * x[i]));
    double v = x[i];
    for (int d = 16; d; d >>= 1) v += __shfl_down_sync(-1, v, d);
    if (!(i & 31)) out[4 + i / 32] = v;
}
"""
Shape = tuple[int, int, int]
rng = np.random.default_rng(11)


@cache
def module() -> Module:
    return read(compile_source(SOURCE)).module


def doubles(*shape: int) -> Any:
    return rng.normal(size=shape)


CASES: dict[str, tuple[Shape, Shape, list[Any]]] = {
    "product": ((2, 2, 1), (8, 8, 1), [doubles(16, 16), doubles(16, 16), np.zeros((16, 16)), 16]),
    "reduce": ((4, 1, 1), (64, 1, 1), [doubles(256), np.zeros(4)]),
    "functions": ((1, 1, 1), (64, 1, 1), [4 * doubles(64), np.zeros(256)]),
    "together": ((1, 1, 1), (64, 1, 1), [doubles(64), np.zeros(6)]),
}


@pytest.mark.parametrize("pairs", [8, 4])
@pytest.mark.parametrize("name", CASES)
def test_kernels_give_what_the_interpreter_gives(name: str, pairs: int) -> None:
    grid, block, given = CASES[name]
    args = [item.copy() if isinstance(item, np.ndarray) else item for item in given]
    board = Board(strict=True, order="random")
    program = card.compile(expanded(module()), name, block, pairs=pairs)
    places = [board.place(item) if isinstance(item, np.ndarray) else item for item in args]
    board.launch(program, grid, places, board.symbols(module()))
    interpret(module(), name, grid, block, args)
    for item, place in zip(args, places, strict=True):
        if isinstance(item, np.ndarray):
            assert np.array_equal(board.read(place, item).view(np.uint64), item.view(np.uint64))
