"""Loops of dots on the published chip: a column per dot, no numbers written again and again, no copies of sums."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest

from openrpp.codegen import card
from openrpp.codegen.card.program import Program
from openrpp.cuda.compile import compile_source
from openrpp.cuda.options import Options
from openrpp.cuda.reader import read
from openrpp.kir.interp import launch as interpret
from openrpp.kir.ir import Module

from .support import expanded
from .test_published import PublishedBoard

SOURCE = r"""
#include <rpp.h>
typedef unsigned short word;
static __device__ __forceinline__ uint4 column(const word *w) {
    return make_uint4(w[0] | w[32] << 16, w[64] | w[96] << 16, w[128] | w[160] << 16, w[192] | w[224] << 16);
}
extern "C" __global__ void dots(const word *x, const word *w, float *y, int slabs, unsigned plane) {
    unsigned from = 0, at = 0, lane = threadIdx.x, own = threadIdx.y * 32;
    float sum = 0;
#pragma unroll 1
    do {
#pragma unroll
        for (int part = 0; part < 4; part++) {
            const uint4 &row = *reinterpret_cast<const uint4 *>(x + from + own + part * 8);
            sum = rpp::dot8(row, column(w + at + lane + part * 256), sum);
        }
        from += plane, at += 1024;
    } while (--slabs);
    y[own + lane] = sum;
}
extern "C" __global__ void numbers(const float *x, float *y, int n) {
    int i = threadIdx.x;
    for (int turn = 0; turn < n; turn++) {
        float sum = x[i];
        for (int k = 0; k < 5; k++) sum = sum * 1.0009765f + 3.1415927f;
        y[i] = sum * 1.0009765f;
        x += 64;
        y += 64;
    }
}
"""


@cache
def module() -> Module:
    return read(compile_source(SOURCE, options=Options(contract=False))).module


def compiled(name: str, block: tuple[int, int, int]) -> Program:
    return card.compile(expanded(module(), target="ae7100"), name, block, target="ae7100")


def test_a_dot_takes_a_column() -> None:
    """Four dots a turn and the count of turns: four columns, the next address in the last of them."""
    (loop,) = compiled("dots", (32, 4, 1)).loops
    assert loop.columns == 4


@pytest.mark.parametrize("slabs", [1, 3])
def test_loops_of_dots_give_what_the_interpreter_gives(slabs: int) -> None:
    rng = np.random.default_rng(5)
    x, w = (
        (rng.standard_normal(slabs * size).astype(np.float32).view(np.uint32) >> 16).astype(np.uint16)
        for size in (128, 1024)
    )
    args = [x, w, np.zeros(128, np.float32), slabs, 128]
    check("dots", (32, 4, 1), args)


def test_numbers_of_loops_within_loops() -> None:
    x = np.random.default_rng(6).standard_normal(192).astype(np.float32)
    check("numbers", (64, 1, 1), [x, np.zeros(192, np.float32), 3])


def check(name: str, block: tuple[int, int, int], args: list[Any]) -> None:
    board = PublishedBoard(strict=True)
    places = [board.place(item) if isinstance(item, np.ndarray) else item for item in args]
    board.launch(compiled(name, block), (1, 1, 1), places, {})
    interpret(module(), name, (1, 1, 1), block, args)
    for item, place in zip(args, places, strict=True):
        if isinstance(item, np.ndarray):
            assert isinstance(place, int)
            np.testing.assert_array_equal(board.read(place, item), item)
