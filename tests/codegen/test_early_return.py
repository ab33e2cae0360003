"""Threads that return before a barrier which others reach, in blocks of several groups."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from openrpp.codegen import host
from openrpp.cuda import compile_source, read
from openrpp.kir.interp import launch
from tests.codegen.support import BASE

SOURCE = """
__global__ void after_barrier(int n, int *x) {
    __syncthreads();
    if (threadIdx.x >= n) return;
    __syncthreads();
    x[blockIdx.x * 128 + threadIdx.x] = 7;
}
__global__ void more_in_later_blocks(int n, int *x) {
    if (threadIdx.x >= n + blockIdx.x * 40) return;
    __syncthreads();
    x[blockIdx.x * 128 + threadIdx.x] = 7;
}
__global__ void fewer_in_later_blocks(int n, int *x) {
    if (threadIdx.x >= n + 68 - blockIdx.x * 64) return;
    __syncthreads();
    x[blockIdx.x * 128 + threadIdx.x] += 7;
}
__global__ void whole_warps(int n, int *x) {
    if (threadIdx.x / 32 == 2) return;
    __syncthreads();
    x[blockIdx.x * 128 + threadIdx.x] = n;
}
__global__ void loop(int n, int *x) {
    if (threadIdx.x / 64 == 1) return;
    for (int i = 0; i < 3; i++) {
        __syncthreads();
        x[blockIdx.x * 128 + threadIdx.x] += n;
    }
}
__global__ void rows(int n, int *x) {
    if (threadIdx.y == 1) return;
    __syncthreads();
    x[blockIdx.x * 128 + threadIdx.y * 64 + threadIdx.x] = n;
}
"""
BLOCKS: dict[str, tuple[int, int, int]] = {
    "after_barrier": (128, 1, 1),
    "more_in_later_blocks": (128, 1, 1),
    "fewer_in_later_blocks": (128, 1, 1),
    "whole_warps": (128, 1, 1),
    "loop": (128, 1, 1),
    "rows": (64, 2, 1),
}


@pytest.fixture(scope="module")
def run() -> Callable[[str, int | None], tuple[Any, Any]]:
    device = read(compile_source(SOURCE))

    def go(name: str, lanes: int | None) -> tuple[Any, Any]:
        symbol, block = device.names[name][0], BLOCKS[name]
        expected = np.zeros(256, np.int32)
        launch(device.module, symbol, (2, 1, 1), block, [60, expected])
        found = np.zeros(1024, np.uint8)
        kernel = host.compile(device.module, symbol, block, lanes=lanes)
        kernel.launch((2, 1, 1), [60, BASE], host.HostMemory([(BASE, found)]), workers=1)
        return expected, found.view(np.int32)

    return go


@pytest.mark.parametrize("lanes", [None, 1, 16, 32])
@pytest.mark.parametrize("name", BLOCKS)
def test_native_equals_the_interpreter(
    run: Callable[[str, int | None], tuple[Any, Any]], name: str, lanes: int | None
) -> None:
    expected, found = run(name, lanes)
    assert expected.any()
    assert np.array_equal(found, expected)
