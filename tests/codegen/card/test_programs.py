"""CUDA kernels as machine code: what NumPy says, from the plain and the optimising back end, in every order."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pytest

from openrpp.codegen import card
from openrpp.codegen.card import program
from openrpp.codegen.card.program import Program
from openrpp.codegen.errors import Unsupported
from openrpp.cuda.compile import compile_source
from openrpp.cuda.reader import read
from openrpp.kir.ir import Module
from openrpp.kir.parser import parse_module

from .support import Board, expanded

SOURCE = r"""
#include <cuda_fp16.h>
extern "C" __global__ void saxpy(int n, float a, const float *x, float *y) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) y[i] = a * x[i] + y[i];
}
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
extern "C" __global__ void matmul(const float *a, const float *b, float *c, int n) {
    int row = blockIdx.y * 8 + threadIdx.y, column = blockIdx.x * 8 + threadIdx.x;
    float sum = 0;
    for (int k = 0; k < n; k++) sum += a[row * n + k] * b[k * n + column];
    c[row * n + column] = sum;
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
extern "C" __global__ void collatz(const int *x, int *out) {
    int i = blockIdx.x * blockDim.x + threadIdx.x, v = x[i], steps = 0;
    while (v != 1) {
        if (v & 1) v = 3 * v + 1; else v >>= 1;
        if (++steps > 60) break;
    }
    out[i] = steps;
}
extern "C" __global__ void search(const double *sorted, const double *x, int *out, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x, found = -1;
    for (int k = 0; k < n; k++)
        if (sorted[k] >= x[i]) { found = k; break; }
    out[i] = found;
}
extern "C" __global__ void histogram(const unsigned char *x, int *bins, int n) {
    __shared__ int mine[16];
    if (threadIdx.x < 16) mine[threadIdx.x] = 0;
    __syncthreads();
    for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < n; i += gridDim.x * blockDim.x)
        atomicAdd(&mine[x[i] & 15], 1);
    __syncthreads();
    if (threadIdx.x < 16) atomicAdd(&bins[threadIdx.x], mine[threadIdx.x]);
}
struct Row { float *values; int count; };
extern "C" __global__ void rows(const Row *table, float *sums) {
    int i = threadIdx.x;
    float sum = 0;
    for (int k = 0; k < table[i].count; k++) sum += table[i].values[k];
    sums[i] = sum;
}
extern "C" __global__ void halves(const __half *x, __half *y, short *z) {
    int i = threadIdx.x;
    y[i] = x[i] * x[(i + 1) & 31] + __float2half(0.5f);
    if (i & 1) z[i] = (short)(z[i] * 3);
}
"""
rng = np.random.default_rng(20)
Check = Callable[[Board, Program], None]


@cache
def module(merge: int = 1) -> Module:
    return expanded(read(compile_source(SOURCE)).module, merge)


def saxpy(board: Board, program: Program) -> None:
    x, y = (rng.normal(size=256).astype(np.float32) for _ in range(2))
    a, b = board.place(x), board.place(y)
    board.launch(program, (2, 1, 1), [200, 2.0, a, b], {})
    fused = (2.0 * x.astype(np.float64) + y).astype(np.float32)
    assert np.array_equal(board.read(b, y), np.where(np.arange(256) < 200, fused, y))


def reduce(board: Board, program: Program) -> None:
    x, out = rng.integers(-1000, 1000, 256).astype(np.int32), np.zeros(4, np.int32)
    a, b = board.place(x), board.place(out)
    board.launch(program, (4, 1, 1), [a, b], {})
    assert np.array_equal(board.read(b, out), x.reshape(4, 64).sum(1))


def product(board: Board, program: Program) -> None:
    n = 16
    a, b = (rng.integers(-8, 8, (n, n)).astype(np.float32) for _ in range(2))
    places = [board.place(item) for item in (a, b, np.zeros_like(a))]
    board.launch(program, (n // 8, n // 8, 1), [*places, n], {})
    assert np.array_equal(board.read(places[2], a), a @ b)


def collatz(board: Board, program: Program) -> None:
    x = rng.integers(1, 100, 128).astype(np.int32)

    def steps(v: int) -> int:
        count = 0
        while v != 1 and count <= 60:
            v, count = (3 * v + 1 if v & 1 else v >> 1), count + 1
        return count

    a, b = board.place(x), board.place(np.zeros_like(x))
    board.launch(program, (2, 1, 1), [a, b], {})
    assert board.read(b, x).tolist() == [steps(int(v)) for v in x]


def search(board: Board, program: Program) -> None:
    """Lanes leave the loop in different turns, over an edge that passes what the turn gave."""
    x, ordered, out = rng.normal(size=128), np.sort(rng.normal(size=40)), np.zeros(128, np.int32)
    places = [board.place(item) for item in (ordered, x, out)]
    board.launch(program, (2, 1, 1), [*places, 40], {})
    found = np.searchsorted(ordered, x)
    assert np.array_equal(board.read(places[2], out), np.where(found < 40, found, -1))


def histogram(board: Board, program: Program) -> None:
    x, bins = rng.integers(0, 256, 1000).astype(np.uint8), np.zeros(16, np.int32)
    a, b = board.place(x), board.place(bins)
    board.launch(program, (2, 1, 1), [a, b, 1000], {})
    assert np.array_equal(board.read(b, bins), np.bincount(x & 15, minlength=16))


def rows(board: Board, program: Program) -> None:
    """Pointers from memory; a row of no values has none."""
    counts = rng.integers(0, 5, 32)
    values = [rng.integers(0, 9, count).astype(np.float32) for count in counts]
    table = np.zeros(32, np.dtype([("values", "<u8"), ("count", "<i4"), ("_", "<i4")]))
    table["values"] = [board.place(item) if item.size else 0 for item in values]
    table["count"] = counts
    a, b = board.place(table), board.place(np.zeros(32, np.float32))
    board.launch(program, (1, 1, 1), [a, b], {})
    assert board.read(b, np.zeros(32, np.float32)).tolist() == [float(item.sum()) for item in values]


def halves(board: Board, program: Program) -> None:
    x, z = rng.normal(size=32).astype(np.float16), rng.integers(-9000, 9000, 32).astype(np.int16)
    a, b, c = board.place(x), board.place(np.zeros_like(x)), board.place(z)
    board.launch(program, (1, 1, 1), [a, b, c], {})
    assert np.array_equal(board.read(b, x), x * np.roll(x, -1) + np.float16(0.5))
    assert np.array_equal(board.read(c, z), np.where(np.arange(32) % 2, z * 3, z))


CASES: dict[str, tuple[tuple[int, int, int], Check]] = {
    "saxpy": ((128, 1, 1), saxpy),
    "reduce": ((64, 1, 1), reduce),
    "matmul": ((8, 8, 1), product),
    "tiled": ((8, 8, 1), product),
    "collatz": ((64, 1, 1), collatz),
    "search": ((64, 1, 1), search),
    "histogram": ((64, 1, 1), histogram),
    "rows": ((32, 1, 1), rows),
    "halves": ((32, 1, 1), halves),
}


@pytest.mark.parametrize("naive", [True, False], ids=["plain", "optimised"])
@pytest.mark.parametrize("name", CASES)
def test_kernels_give_what_numpy_gives(name: str, naive: bool) -> None:
    block, check = CASES[name]
    check(Board(), card.compile(module(), name, block, naive=naive))


@pytest.mark.parametrize("order", ["warp", "random", "descending"])
@pytest.mark.parametrize("name", CASES)
def test_the_order_of_warps_does_not_matter(name: str, order: Any) -> None:
    block, check = CASES[name]
    check(Board(order=order, strict=True), card.compile(module(), name, block))


@pytest.mark.parametrize(("merge", "naive"), [(2, False), (3, False), (8, False), (3, True)])
@pytest.mark.parametrize("name", CASES)
def test_merged_blocks_give_the_same(name: str, merge: int, naive: bool) -> None:
    """Also where the last blocks of the card are filled in part."""
    block, check = CASES[name]
    check(Board(), card.compile(module(merge), name, block, naive=naive))


@pytest.mark.parametrize("name", CASES)
def test_the_optimised_program_is_several_times_smaller(name: str) -> None:
    block, _ = CASES[name]
    plain, better = (card.compile(module(), name, block, naive=naive) for naive in (True, False))
    assert better.columns * 8 < plain.columns


def test_compiling_again_gives_the_same_words() -> None:
    first, second = (card.compile(module(), "tiled", (8, 8, 1)) for _ in range(2))
    assert first.machine.words == second.machine.words


def test_what_the_card_lacks_is_named_with_its_line() -> None:
    made = parse_module('module "m"\nkernel @k() {\n^e:\n  %c = clock : i32  !"k.cu":7:3\n  ret\n}')
    with pytest.raises(Unsupported, match=r"k\.cu:7: kernel k: 'clock' cannot be compiled"):
        card.compile(made, "k", (32, 1, 1))


@pytest.mark.parametrize("name", ["collatz", "reduce"])
def test_long_programs_jump_far(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """As if jumps reached eight words."""
    block, check = CASES[name]
    near = card.compile(module(), name, block)
    monkeypatch.setattr(program, "JUMP_REACH", 8)
    far = card.compile(module(), name, block)
    assert "far" in far.machine.extensions
    assert "far" not in near.machine.extensions
    assert far.loops == near.loops
    check(Board(), far)
    with pytest.raises(Unsupported, match=r"words; jumps of the published chip reach 8"):
        card.compile(module(), name, block, target="ae7100")


def test_a_program_must_fit_program_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(program, "JUMP_REACH", 8)
    monkeypatch.setattr(program, "PROGRAM_WORDS", 100)
    with pytest.raises(Unsupported, match=r"kernel tiled: .* has (more than )?\d+ words; program memory holds 100"):
        card.compile(module(), "tiled", (8, 8, 1))


def test_what_a_loop_passes_on_its_way_out_is_that_of_the_turn() -> None:
    """The counter, which all lanes share, goes on with the lanes that stay."""
    text = """module "turns"
    kernel @turns(%out: ptr.global) {
    ^entry:
      %i = tid axis=x : i32
      %most = and %i, 3:i32 : i32
      br ^turn(0:i32)
    ^turn(%k: i32):
      %next = add nsw nuw %k, 1:i32 : i32
      %more = icmp pred=ult %next, %most : i1
      cbr %more, ^turn(%next), ^behind(%k)
    ^behind(%last: i32):
      %wide = zext %i : i64
      %offset = mul %wide, 4:i64 : i64
      %to = ptr_add %out, %offset : ptr.global
      store %last, %to
      ret
    }"""
    board, lanes = Board(strict=True), np.arange(64, dtype=np.int32)
    program = card.compile(expanded(parse_module(text)), "turns", (64, 1, 1))
    out = board.place(np.zeros_like(lanes))
    board.launch(program, (1, 1, 1), [out], {})
    assert np.array_equal(board.read(out, lanes), np.maximum(lanes % 4 - 1, 0))
