"""Addresses by what kind they are: which port and which form reaches them, and that the right words are reached."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pytest

from openrpp.codegen import card
from openrpp.codegen.card.prepare import prepared
from openrpp.codegen.card.program import Program
from openrpp.codegen.card.steps import Memory
from openrpp.codegen.errors import Unsupported
from openrpp.cuda.compile import compile_source
from openrpp.cuda.reader import read
from openrpp.isa.disassembler import disassemble
from openrpp.kir.ir import Module

from .support import Board

SOURCE = r"""
#include <rpp.h>
#include <cuda_bf16.h>
typedef unsigned short word;
extern "C" __global__ void line(const float *x, float *y) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    y[i] = x[i] + 1;
}
extern "C" __global__ void rows(const word *x, word *y, int pitch) {
    int column = threadIdx.x, row = blockIdx.x * blockDim.y + threadIdx.y;
    y[row * pitch + column] = x[row * pitch + column] * 3;
}
extern "C" __global__ void guarded(const float *x, float *y, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) y[i] = x[i] * 2;
}
extern "C" __global__ void table(const word *entries, const word *x, word *y) {
    int i = threadIdx.x;
    y[i] = rpp::lookup(entries, x[i]);
}
extern "C" __global__ void halves(const word *x, word *y, int plane) {
    int i = threadIdx.x;
    float v = __uint_as_float(x[i] | x[i + plane] << 16) * 1.5f;
    y[i] = __float_as_uint(v);
    y[i + plane] = __float_as_uint(v) >> 16;
}
extern "C" __global__ void taps(const __nv_bfloat16 *x, const __nv_bfloat16 *t, float *y) {
    int i = threadIdx.x;
    float sum = 0;
    for (int k = 0; k < 4; k++) sum = fmaf(__bfloat162float(x[i + k]), __bfloat162float(t[k]), sum);
    y[i] = sum;
}
extern "C" __global__ void walk(const float *x, float *y, int n) {
    const float *p = x + threadIdx.x;
    float sum = 0;
    for (int k = 0; k < n; k++, p += 64) sum += *p;
    y[threadIdx.x] = sum;
}
extern "C" __global__ void dot(const uint4 *a, const word *b, float *c, int n) {
    int x = threadIdx.x, y = threadIdx.y;
    float sum = 0;
    for (int k = 0; k < n; k++) {
        const word *q = b + 256 * k + x;
        unsigned first = q[0] | q[32] << 16, second = q[64] | q[96] << 16;
        uint4 column = make_uint4(first, second, q[128] | q[160] << 16, q[192] | q[224] << 16);
        sum = rpp::dot8(a[y * n + k], column, sum);
    }
    c[y * 32 + x] = sum;
}
extern "C" __global__ void dots(const uint4 *a, const word *b, float *c, int n) {
    int x = threadIdx.x, y = threadIdx.y;
    float sums[6] = {};
    for (int k = 0; k < n; k++) {
        const word *q = b + 256 * k + x;
        unsigned first = q[0] | q[32] << 16, second = q[64] | q[96] << 16;
        uint4 column = make_uint4(first, second, q[128] | q[160] << 16, q[192] | q[224] << 16);
#pragma unroll
        for (int i = 0; i < 6; i++) sums[i] = rpp::dot8(a[(y + 4 * i) * n + k], column, sums[i]);
    }
#pragma unroll
    for (int i = 0; i < 6; i++) c[(y + 4 * i) * 32 + x] = sums[i];
}
extern "C" __global__ void scratch(const int *x, int *y, int n) {
    int a[8], i = threadIdx.x, s = 0;
    unsigned char c[12];
    for (int k = 0; k < 8; k++) a[k] = x[i + k];
    for (int k = 0; k < 12; k++) c[k] = x[i] >> k;
    for (int k = 0; k < n; k++) {
        s += a[(k * 3) & 7];
        if (i & 1) a[k & 7] += c[(i + k) % 12] + c[(k + n) % 12];
    }
    for (int k = 0; k < 8; k++) s = s * 3 + a[(k + i) & 7];
    y[i] = s;
}
extern "C" __global__ void either(float *x, float *y, int which) { (which ? x : y)[threadIdx.x] = 1; }
extern "C" __global__ void far(long long *y, int n) {
    long long sum = 0;
    for (unsigned long long k = 4294967290ull; k < 4294967290ull + n; k += 3) sum = sum * 5 ^ k;
    for (long long k = -5; k < n; k++) sum = sum * 3 + k * threadIdx.x;
    y[threadIdx.x] = sum;
}
"""
_SRAM = 0x0420_0000
rng = np.random.default_rng(4)
Check = Callable[[Board, Program], None]


@cache
def module() -> Module:
    return read(compile_source(SOURCE)).module


def compiled(name: str, block: tuple[int, int, int], merge: int = 1, near: bool = True) -> Program:
    ready = prepared(module(), name, merge)
    pointers = [param.name for param in ready.kernels[name].params if param.type.is_pointer]
    return card.compile(ready, name, block, placement=dict.fromkeys(pointers, Memory.SRAM) if near else None)


def text(program: Program) -> str:
    return disassemble(program.machine)


class Near:
    """Arrays in SRAM, or in DDR."""

    def __init__(self, near: bool, **how: Any) -> None:
        self.board = Board(**how)
        self.near = near
        self._end = _SRAM

    def place(self, array: np.ndarray[Any, Any]) -> int:
        if not self.near:
            return self.board.place(array)
        start, self._end = self._end, self._end + -(-array.nbytes // 512) * 512 + 512
        self.board.device.write(start, array)
        return start

    def read(self, address: int, like: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        return self.board.read(address, like)


def bf16(values: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    return (values.astype(np.float32).view(np.uint32) >> 16).astype(np.uint16)


def f32(bits: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    return (bits.astype(np.uint32) << 16).view(np.float32)


def run(name: str, merge: int, near: bool, **how: Any) -> str:
    """Run a kernel and compare with NumPy; its assembly text."""
    memory = Near(near, **how)
    if name == "line":
        program = compiled(name, (64, 1, 1), merge, near)
        x = rng.normal(size=320).astype(np.float32)
        a, b = memory.place(x), memory.place(x)
        memory.board.launch(program, (5, 1, 1), [a, b], {})
        assert np.array_equal(memory.read(b, x), x + np.float32(1))
    elif name == "rows":
        program = compiled(name, (32, 4, 1), merge, near)
        x = rng.integers(0, 1 << 16, (20, 40)).astype(np.uint16)
        a, b = memory.place(x), memory.place(x)
        memory.board.launch(program, (5, 1, 1), [a, b, 40], {})
        want = x.copy()
        want[:, :32] *= 3
        assert np.array_equal(memory.read(b, x), want)
    elif name == "guarded":
        program = compiled(name, (64, 1, 1), merge, near)
        x = rng.normal(size=320).astype(np.float32)
        a, b = memory.place(x), memory.place(x)
        memory.board.launch(program, (5, 1, 1), [a, b, 270], {})
        assert np.array_equal(memory.read(b, x), np.where(np.arange(320) < 270, x * 2, x))
    elif name == "table":
        program = compiled(name, (64, 1, 1), merge, near)
        entries, x = (rng.integers(0, 1 << 16, size).astype(np.uint16) for size in (1 << 16, 64))
        a, b, c = memory.place(entries), memory.place(x), memory.place(x)
        memory.board.launch(program, (1, 1, 1), [a, b, c], {})
        assert np.array_equal(memory.read(c, x), entries[x])
    elif name == "halves":
        program = compiled(name, (64, 1, 1), merge, near)
        x = rng.normal(size=64).astype(np.float32)
        planes = np.concatenate([x.view(np.uint32) & 0xFFFF, x.view(np.uint32) >> 16]).astype(np.uint16)
        a, b = memory.place(planes), memory.place(planes)
        memory.board.launch(program, (1, 1, 1), [a, b, 64], {})
        low, high = memory.read(b, planes).astype(np.uint32).reshape(2, -1)
        assert np.array_equal((low | high << 16).view(np.float32), x * np.float32(1.5))
    elif name == "taps":
        program = compiled(name, (64, 1, 1), merge, near)
        x, t, y = bf16(rng.integers(-8, 8, 80)), bf16(rng.integers(-8, 8, 4)), np.zeros(64, np.float32)
        a, b, c = memory.place(x), memory.place(t), memory.place(y)
        memory.board.launch(program, (1, 1, 1), [a, b, c], {})
        want = sum(f32(x)[k : k + 64] * f32(t)[k] for k in range(4))
        assert np.array_equal(memory.read(c, y), want)
    elif name == "walk":
        program = compiled(name, (64, 1, 1), merge, near)
        x, y = rng.integers(-8, 8, (6, 64)).astype(np.float32), np.zeros(64, np.float32)
        a, b = memory.place(x), memory.place(y)
        memory.board.launch(program, (1, 1, 1), [a, b, 6], {})
        assert np.array_equal(memory.read(b, y), x.sum(0))
    else:
        program = compiled(name, (32, 4, 1), merge, near)
        n = 3
        x, w = bf16(rng.integers(-8, 8, (4, 8 * n))), bf16(rng.integers(-8, 8, (8 * n, 32)))
        y = np.zeros((4, 32), np.float32)
        a, b, c = memory.place(x), memory.place(w), memory.place(y)
        memory.board.launch(program, (1, 1, 1), [a, b, c, n], {})
        assert np.array_equal(memory.read(c, y), f32(x) @ f32(w))
    return text(program)


FORMS = {
    "line": ("LOADCONT.W32", "STORECONT.W32"),
    "rows": ("LOADALN.Z32", "STOREALN.Z32"),
    "guarded": ("LOADCONT.W32", "STOREMASK.W32"),
    "table": ("<< 1)], ", "STORECONT"),
    "halves": ("MUL.F32", "STORECONT"),
    "taps": ("HFMA MB, MA", "STORECONT.W32"),
    "walk": ("LOAD", "STORECONT.W32"),
    "dot": ("LDWARP", "LDLANE_BFMAD", "GLANEADDR.Z32"),
}


@pytest.mark.parametrize("name", FORMS)
def test_buffers_in_sram_are_reached_by_the_best_form(name: str) -> None:
    found = run(name, 1, near=True, strict=True)
    assert all(form in found for form in FORMS[name]), found


@pytest.mark.parametrize("name", FORMS)
def test_the_same_kernels_reach_ddr(name: str) -> None:
    assert "LDWARP" not in run(name, 1, near=False, strict=True)


@pytest.mark.parametrize("order", ["warp", "random", "descending"])
@pytest.mark.parametrize("name", ["line", "rows", "guarded"])
def test_merged_blocks_of_a_ragged_grid(name: str, order: str) -> None:
    run(name, 3, near=True, order=order)


@pytest.mark.parametrize("pairs", [4, 8])
def test_more_dots_than_pairs(pairs: int) -> None:
    ready = prepared(module(), "dots")
    places = dict.fromkeys(("a", "b", "c"), Memory.SRAM)
    program = card.compile(ready, "dots", (32, 4, 1), placement=places, pairs=pairs)
    n, memory = 3, Near(near=True, strict=True)
    x, w = bf16(rng.integers(-8, 8, (24, 8 * n))), bf16(rng.integers(-8, 8, (8 * n, 32)))
    y = np.zeros((24, 32), np.float32)
    a, b, c = memory.place(x), memory.place(w), memory.place(y)
    memory.board.launch(program, (1, 1, 1), [a, b, c, n], {})
    assert np.array_equal(memory.read(c, y), f32(x) @ f32(w))
    assert text(program).count("LDWARP") == 6


def test_a_pointer_to_either_memory_is_refused() -> None:
    ready = prepared(module(), "either")
    with pytest.raises(Unsupported, match="may lead to SRAM or to DDR"):
        card.compile(ready, "either", (32, 1, 1), placement={"x": Memory.SRAM})
    card.compile(ready, "either", (32, 1, 1))


def scratch(x: np.ndarray[Any, Any], i: int, n: int) -> int:
    """What thread i of `scratch` computes."""
    a, c, total = [int(v) for v in x[i : i + 8]], [int(x[i]) >> k & 255 for k in range(12)], 0
    for k in range(n):
        total += a[(k * 3) & 7]
        if i & 1:
            a[k & 7] += c[(i + k) % 12] + c[(k + n) % 12]
    for k in range(8):
        total = total * 3 + a[(k + i) & 7]
    return total & 0xFFFF_FFFF


@pytest.mark.parametrize("naive", [False, True])
def test_private_arrays_lie_with_the_threads_side_by_side(naive: bool) -> None:
    program = card.compile(prepared(module(), "scratch"), "scratch", (64, 1, 1), naive=naive)
    memory = Near(near=False, strict=True)
    x, y = rng.integers(0, 1000, 100).astype(np.int32), np.zeros(64, np.uint32)
    a, b = memory.place(x), memory.place(y)
    memory.board.launch(program, (1, 1, 1), [a, b, 9], {})
    assert memory.read(b, y).tolist() == [scratch(x, i, 9) for i in range(64)]
    if not naive:
        assert "STORECONT.W32" in text(program) and "LOADCONT.W32" in text(program)


def test_counters_beyond_32_bits_stay_wide() -> None:
    n, memory = 11, Near(near=False)
    y = np.zeros(32, np.int64)
    at = memory.place(y)
    memory.board.launch(compiled("far", (32, 1, 1), near=False), (1, 1, 1), [at, n], {})
    start = 0
    for k in range(4294967290, 4294967290 + n, 3):
        start = start * 5 ^ k
    found = np.full(32, start, np.int64)
    for k in range(-5, n):
        found = found * 3 + k * np.arange(32)
    assert np.array_equal(memory.read(at, y), found)
