"""Buffers in DDR on the published chip: parts of a grid with their bytes in SRAM leave what the whole leaves."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from openrpp.cuda.compile import compile_source
from openrpp.cuda.options import Options
from openrpp.cuda.reader import read
from openrpp.kir.interp import launch as interpret
from openrpp.kir.ir import Module
from openrpp.machine.faults import LaunchError
from openrpp.runtime import Card
from openrpp.runtime.program import ProgramReport

SOURCE = r"""
extern "C" __global__ void saxpy(int n, float a, const float *x, float *y) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) y[i] = a * x[i] + y[i];
}
extern "C" __global__ void stencil(const float *in, float *out, int width, int height) {
    int x = blockIdx.x * blockDim.x + threadIdx.x, y = blockIdx.y * blockDim.y + threadIdx.y;
    if (x > 0 && y > 0 && x < width - 1 && y < height - 1) {
        int i = y * width + x;
        out[i] = 0.5f * in[i] + 0.125f * (in[i - 1] + in[i + 1] + in[i - width] + in[i + width]);
    }
}
extern "C" __global__ void matmul(const float *a, const float *b, float *c, int n) {
    int row = blockIdx.y * 8 + threadIdx.y, column = blockIdx.x * 8 + threadIdx.x;
    float sum = 0;
    for (int k = 0; k < n; k++) sum += a[row * n + k] * b[k * n + column];
    c[row * n + column] = sum;
}
extern "C" __global__ void shift(float *x, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) x[i] = x[i + n];
}
extern "C" __global__ void layers(const short *x, short *y, int rows, int columns) {
    int i = (blockIdx.z * rows + blockIdx.y) * columns + blockIdx.x * blockDim.x + threadIdx.x;
    y[i] = (short)(x[i] + 3 * blockIdx.z + blockIdx.y);
}
extern "C" __global__ void gather(const int *index, const float *x, float *y) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    y[i] = x[index[i]];
}
extern "C" __global__ void walk(const float *x, float *y, int n) {
    const float *p = x + threadIdx.x;
    float sum = 0;
    for (int i = 0; i < n; i++, p += 32) sum += *p;
    y[threadIdx.x] = sum;
}
"""
rng = np.random.default_rng(11)


@cache
def module() -> Module:
    return read(compile_source(SOURCE, options=Options(contract=False))).module


class Small:
    """A published card whose SRAM has few bytes left, beside what programs take."""

    def __init__(self, left: int) -> None:
        self.card = Card("ae7100", "reference")
        pool = self.card.pools["sram"]
        self.rest = self.card.empty(pool.largest - pool.guard - left, np.uint8, "sram")


@pytest.fixture
def small() -> Iterator[Small]:
    yield Small(96 * 1024)


def run(card: Card, name: str, grid: Any, block: Any, *args: Any) -> ProgramReport:
    """Launch with buffers in DDR; arrays are as the interpreter leaves them."""
    buffers = [card.array(item) if isinstance(item, np.ndarray) else item for item in args]
    report = card.program(module())[name](grid, block, *buffers)
    assert report is not None
    expected = [item.copy() if isinstance(item, np.ndarray) else item for item in args]
    interpret(module(), name, grid, block, expected)
    for buffer, item in zip(buffers, expected, strict=True):
        if isinstance(item, np.ndarray):
            assert np.array_equal(buffer.numpy(), item)
    return report


def floats(*shape: int) -> NDArray[Any]:
    return rng.integers(-99, 99, shape).astype(np.float32)


def test_what_fits_is_staged_at_once() -> None:
    report = run(Card("ae7100", "reference"), "saxpy", 4, 64, 250, 2.0, floats(256), floats(256))
    (stage,) = report.taken.stages
    assert stage.fetched == (1000, 1000) and stage.stored == (1000,)


def test_a_row_is_cut_into_parts(small: Small) -> None:
    n = 20_000
    report = run(small.card, "saxpy", -(-n // 256), 256, n, 2.0, floats(n), floats(n))
    stages = report.taken.stages
    assert len(stages) > 3 and report.taken.slots == 2 and not any(stage.waits for stage in stages)
    assert sum(sum(stage.stored) for stage in stages) == 4 * n


def test_bands_of_an_image_take_the_rows_around_them(small: Small) -> None:
    width, height = 96, 120
    report = run(small.card, "stencil", (12, 15), (8, 8), floats(height, width), floats(height, width), width, height)
    stages = report.taken.stages
    assert len(stages) > 1
    assert sum(stage.fetched[0] for stage in stages) < 4 * width * height * 1.5


def test_a_product_takes_bands_and_all_of_the_other_matrix() -> None:
    n, small = 40, Small(20 * 1024)
    report = run(small.card, "matmul", (5, 5), (8, 8), floats(n, n), floats(n, n), floats(n, n), n)
    assert len(report.taken.stages) > 1


def test_parts_of_one_buffer_share_their_bytes(small: Small) -> None:
    n = 12_000
    report = run(small.card, "shift", -(-n // 256), 256, floats(2 * n), n)
    assert len(report.taken.stages) > 1


def test_all_axes_of_a_grid_are_cut() -> None:
    rows, columns, small = 6, 1024, Small(24 * 1024)
    x = rng.integers(-99, 99, (5, rows, columns)).astype(np.int16)
    report = run(small.card, "layers", (columns // 128, rows, 5), 128, x, np.zeros_like(x), rows, columns)
    assert len(report.taken.stages) > 5


def test_an_index_from_memory_takes_the_whole_buffer(small: Small) -> None:
    index = rng.integers(0, 3000, 16384).astype(np.int32)
    report = run(small.card, "gather", 128, 128, index, floats(3000), np.zeros(16384, np.float32))
    stages = report.taken.stages
    assert len(stages) > 1 and all(12_000 in stage.fetched for stage in stages)


def test_a_pointer_that_walks_takes_the_whole_buffer(small: Small) -> None:
    run(small.card, "walk", 1, 32, floats(320), np.zeros(32, np.float32), 10)


def test_what_does_not_fit_is_refused_with_line_and_figures(small: Small) -> None:
    index = np.zeros(128, np.int32)
    line = 1 + SOURCE[: SOURCE.index("x[index[i]]")].count("\n")
    sentence = rf"kernel gather: kernel\.cu:{line}.*: the access reaches 400,000 bytes of argument 2 \(x\); .* SRAM has"
    with pytest.raises(LaunchError, match=sentence):
        run(small.card, "gather", 1, 128, index, floats(100_000), np.zeros(128, np.float32))


def test_card_time_includes_the_transfers(small: Small) -> None:
    """Transfers of one part overlap the work of another, so the whole takes less than the sum and more than either."""
    n = 20_000
    report = run(small.card, "saxpy", -(-n // 256), 256, n, 2.0, floats(n), floats(n))
    taken, arch = report.taken, small.card.arch
    seconds, hertz = report.seconds, arch.clock.core.value * 1e6
    assert seconds is not None and taken.cycles is not None
    work = taken.cycles.nominal / hertz
    moved = sum(sum(stage.fetched) + sum(stage.stored) for stage in taken.stages)
    transfer = moved / (arch.ddr.rate.nominal * 1e9 * arch.ddr.efficiency.nominal)
    assert max(work, transfer) < seconds.nominal
    before = small.card.synchronize().nominal
    program = small.card.program(module())["saxpy"]
    program(-(-n // 256), 256, n, 2.0, small.card.empty((n,), np.float32), small.card.empty((n,), np.float32))
    assert small.card.synchronize().nominal - before >= seconds.nominal
