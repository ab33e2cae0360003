"""Kernels as published machine words: what the interpreter says, in every order of warps, with strict tokens."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from openrpp.codegen import card
from openrpp.codegen.card.program import Program
from openrpp.cuda.compile import compile_source
from openrpp.cuda.options import Options
from openrpp.cuda.reader import read
from openrpp.kir.interp import launch as interpret
from openrpp.kir.ir import Module

from .support import Board, expanded

SOURCE = r"""
#include <rpp.h>
extern "C" __global__ void mixed(const unsigned short *q, const unsigned short *x, float *y) {
    int i = threadIdx.x;
    unsigned word = q[i], two = (word & 15 | (word & 0xF0) << 12) | 0x43004300;  // 128 + a nibble, twice
    float sum = fmaf(__uint_as_float(two << 16), __uint_as_float(x[i] << 16), 0.5f);
    sum = fmaf(__uint_as_float(two & 0xFFFF0000), __uint_as_float(x[i + 1] << 16), sum);
    sum = fmaf(word & 256 ? -__uint_as_float(x[i] << 16) : 3.5f, -1.25f, sum);
    y[i] = rpp::hfma(q[i + 1], x[i], sum);
}
extern "C" __global__ void saxpy(int n, float a, const float *x, float *y) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) y[i] = a * x[i] + y[i];
}
extern "C" __global__ void add2d(const float *a, const float *b, float *c, int width, int height, int pitch) {
    int x = blockIdx.x * blockDim.x + threadIdx.x, y = blockIdx.y * blockDim.y + threadIdx.y;
    if (x < width && y < height) c[y * pitch + x] = a[y * pitch + x] + b[y * pitch + x];
}
extern "C" __global__ void matmul(const float *a, const float *b, float *c, int n) {
    int row = blockIdx.y * 8 + threadIdx.y, column = blockIdx.x * 8 + threadIdx.x;
    float sum = 0;
    for (int k = 0; k < n; k++) sum += a[row * n + k] * b[k * n + column];
    c[row * n + column] = sum;
}
extern "C" __global__ void stencil(const float *in, float *out, int width, int height) {
    int x = blockIdx.x * blockDim.x + threadIdx.x, y = blockIdx.y * blockDim.y + threadIdx.y;
    if (x > 0 && y > 0 && x < width - 1 && y < height - 1) {
        int i = y * width + x;
        out[i] = 0.5f * in[i] + 0.125f * (in[i - 1] + in[i + 1] + in[i - width] + in[i + width]);
    }
}
extern "C" __global__ void mandel(int *counts, int width, float left, float top, float step, int most) {
    int px = blockIdx.x * blockDim.x + threadIdx.x, py = blockIdx.y * blockDim.y + threadIdx.y;
    float cx = left + step * px, cy = top + step * py, x = 0, y = 0;
    int i = 0;
    while (i < most && x * x + y * y < 4.0f) {
        float t = x * x - y * y + cx;
        y = 2.0f * x * y + cy;
        x = t;
        i++;
    }
    counts[py * width + px] = i;
}
extern "C" __global__ void tiled(const float *a, const float *b, float *c, int n) {
    __shared__ float s[8][8], t[8][8];
    int y = threadIdx.y, x = threadIdx.x, row = blockIdx.y * 8 + y, column = blockIdx.x * 8 + x;
    float sum = 0;
    for (int k = 0; k < n; k += 8) {
        s[y][x] = a[row * n + k + x];
        t[y][x] = b[(k + y) * n + column];
        __syncthreads();
        for (int j = 0; j < 8; j++) sum += s[y][j] * t[j][x];
        __syncthreads();
    }
    c[row * n + column] = sum;
}
extern "C" __global__ void reduce(const float *x, float *sums, int n) {
    __shared__ float s[64];
    int t = threadIdx.x, i = blockIdx.x * 64 + t;
    s[t] = i < n ? x[i] : 0.0f;
    __syncthreads();
    for (int k = 32; k > 0; k >>= 1) {
        if (t < k) s[t] += s[t + k];
        __syncthreads();
    }
    if (t == 0) sums[blockIdx.x] = s[0];
}
extern "C" __global__ void collatz(const int *x, int *out) {
    int i = blockIdx.x * blockDim.x + threadIdx.x, v = x[i], steps = 0;
    while (v != 1) {
        if (v & 1) v = 3 * v + 1; else v >>= 1;
        if (++steps > 60) break;
    }
    out[i] = steps;
}
__device__ short weights[4] = {1, -2, 3, -4};
extern "C" __global__ void narrow(const unsigned char *x, const short *y, short *z, long long *wide) {
    int i = threadIdx.x;
    short w = weights[i & 3];
    z[i] = (short)(x[i] * w + (y[i] >> 3)) ^ y[(i + 1) & 31];
    wide[i] = (long long)y[i] * 100000 - x[i] < -5 ? (long long)x[i] << 33 : (long long)y[i] * y[i] * y[i];
}
"""
rng = np.random.default_rng(7)
Triple = tuple[int, int, int]
_NEAR = 0x0480_0000


class PublishedBoard(Board):
    """The published chip, with all arrays in SRAM."""

    def __init__(self, **how: Any) -> None:
        super().__init__("ae7100", **how)
        self._ddr = _NEAR


@cache
def module(merge: int = 1) -> Module:
    return expanded(original(), merge, "ae7100")


@cache
def original() -> Module:
    return read(compile_source(SOURCE, options=Options(contract=False))).module


def floats(*shape: int) -> NDArray[Any]:
    return rng.normal(size=shape).astype(np.float32)


def words(count: int) -> NDArray[Any]:
    return rng.integers(0, 0x4700, count).astype(np.uint16)


def squares() -> list[Any]:
    return [floats(16, 16), floats(16, 16), floats(16, 16), 16]


CASES: dict[str, tuple[Triple, Triple, Callable[[], list[Any]]]] = {
    "saxpy": ((2, 1, 1), (128, 1, 1), lambda: [200, 1.25, floats(256), floats(256)]),
    "mixed": ((1, 1, 1), (64, 1, 1), lambda: [words(65), floats(33).view(np.uint16), np.zeros(64, np.float32)]),
    "add2d": ((3, 3, 1), (8, 8, 1), lambda: [floats(20, 24), floats(20, 24), floats(20, 24), 21, 19, 24]),
    "matmul": ((2, 2, 1), (8, 8, 1), squares),
    "stencil": ((3, 3, 1), (8, 8, 1), lambda: [floats(22, 21), floats(22, 21), 21, 22]),
    "mandel": ((3, 2, 1), (8, 8, 1), lambda: [np.zeros((16, 24), np.int32), 24, -2.0, -1.25, 0.15, 50]),
    "tiled": ((2, 2, 1), (8, 8, 1), squares),
    "reduce": ((4, 1, 1), (64, 1, 1), lambda: [floats(250), np.zeros(4, np.float32), 250]),
    "collatz": ((2, 1, 1), (64, 1, 1), lambda: [rng.integers(1, 100, 128).astype(np.int32), np.zeros(128, np.int32)]),
    "narrow": (
        (1, 1, 1),
        (32, 1, 1),
        lambda: [
            rng.integers(0, 256, 32).astype(np.uint8),
            rng.integers(-(2**15), 2**15, 32).astype(np.int16),
            np.zeros(32, np.int16),
            np.zeros(32, np.int64),
        ],
    ),
}


def compiled(name: str, merge: int = 1) -> Program:
    program = card.compile(module(merge), name, CASES[name][1], target="ae7100")
    assert program.machine.extensions == ()
    return program


def check(name: str, board: Board, program: Program) -> None:
    """Every array is as the interpreter leaves it, NaN payloads excepted."""
    grid, block, make = CASES[name]
    args = make()
    places = [board.place(item) if isinstance(item, np.ndarray) else item for item in args]
    board.launch(program, grid, places, board.symbols(original()))
    interpret(original(), name, grid, block, args)
    for item, place in zip(args, places, strict=True):
        if isinstance(item, np.ndarray):
            assert np.array_equal(board.read(place, item), item, equal_nan=item.dtype.kind == "f")


@pytest.mark.parametrize("name", CASES)
def test_kernels_give_what_the_interpreter_gives(name: str) -> None:
    check(name, PublishedBoard(strict=True), compiled(name))


@pytest.mark.parametrize("order", ["warp", "random", "descending"])
@pytest.mark.parametrize("name", CASES)
def test_the_order_of_warps_does_not_matter(name: str, order: Any) -> None:
    check(name, PublishedBoard(order=order, strict=True), compiled(name))


@pytest.mark.parametrize("name", [name for name in CASES if name != "narrow"])
def test_merged_blocks_give_the_same(name: str) -> None:
    check(name, PublishedBoard(), compiled(name, 3))


def test_a_program_votes_in_either_bank_of_parameter_memory() -> None:
    """Launches take the banks in turn."""
    board, program = PublishedBoard(), compiled("collatz")
    for _ in range(3):
        check("collatz", board, program)


def test_compiling_again_gives_the_same_words() -> None:
    assert compiled("mandel").machine.words == compiled("mandel").machine.words
