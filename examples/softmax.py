"""Softmax of the rows of a bf16 matrix with table look-ups for exp and 1/x. Assembly: softmax.s."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

import numpy as np
from harness import (
    F32,
    MAX_WARPS,
    MIN_THREADS,
    U16,
    WARP,
    Launch,
    Outcome,
    bf16,
    ceil_div,
    close,
    f32,
    need,
    same_bits,
    show,
    sram,
)
from numpy.typing import NDArray

from openrpp.machine import Device

Layout = Literal["rows", "columns"]


@cache
def table(name: Literal["exp", "reciprocal"]) -> U16:
    """A function of all 65536 bf16 numbers, rounded to bf16, indexed by the bits; 1/0 is 0 as in published tables."""
    functions: dict[str, Callable[[NDArray[Any]], NDArray[Any]]] = {
        "exp": np.exp,
        "reciprocal": lambda v: np.where(v == 0, 0, 1 / np.where(v == 0, 1, v)),
    }
    with np.errstate(all="ignore"):
        x = f32(np.arange(1 << 16, dtype=np.uint16)).astype(np.float64)
        return bf16(functions[name](x).astype(np.float32))


@dataclass(frozen=True)
class Plan:
    """Buffers and launch of a softmax; `pitch` is the distance in words between rows (or columns) in memory."""

    rows: int
    cols: int
    layout: Layout
    pitch: int
    exp: int
    reciprocal: int
    source: int
    target: int
    launch: Launch


def plan(rows: int, cols: int, layout: Layout = "rows", in_place: bool = False) -> Plan:
    """Plan a softmax of [rows][cols] stored row after row, or column after column (`columns`).

    Row after row, the pitch is odd, so that the lanes of a warp meet different banks.
    Raises ValueError for sizes outside the kernel's 16-bit strides, OutOfMemory if SRAM does not hold the data.
    """
    need(rows > 0 and 0 < cols < 1 << 16, f"{rows} x {cols}: there must be rows, and 1 to 65535 columns")
    padded = max(rows, MIN_THREADS)
    pitch = cols | 1 if layout == "rows" else padded
    row_bytes, col_bytes = (2 * pitch, 2) if layout == "rows" else (2, 2 * pitch)
    need(2 * pitch < 1 << 16, f"a pitch of {pitch} words is too much; strides are 16-bit numbers of bytes")
    memory = sram()
    exp, reciprocal = (memory.take(1 << 17) for _ in range(2))
    size = 2 * pitch * (padded if layout == "rows" else cols)
    source = memory.take(size)
    target = source if in_place else memory.take(size)
    blocks = ceil_div(padded, MAX_WARPS * WARP)
    block = ceil_div(padded, blocks)
    launch = Launch(
        "softmax",
        grid=(blocks, 1, 1),
        block=(block, 1, 1),
        tail=(padded - block * (blocks - 1), 1, 1),
        params=(source, target, exp, reciprocal, row_bytes, col_bytes, cols),
    )
    return Plan(rows, cols, layout, pitch, exp, reciprocal, source, target, launch)


def stored(scores: U16, planned: Plan) -> U16:
    """[rows][cols] as it lies in memory; padding is zeros."""
    ordered = scores if planned.layout == "rows" else scores.T
    outer = max(planned.rows, MIN_THREADS) if planned.layout == "rows" else planned.cols
    memory = np.zeros((outer, planned.pitch), np.uint16)
    memory[: ordered.shape[0], : ordered.shape[1]] = ordered
    return memory


def loaded(device: Device, planned: Plan) -> U16:
    """[rows][cols] results."""
    outer = max(planned.rows, MIN_THREADS) if planned.layout == "rows" else planned.cols
    memory = device.read(planned.target, outer * planned.pitch, np.uint16).reshape(outer, planned.pitch)
    ordered = memory if planned.layout == "rows" else memory.T
    return np.ascontiguousarray(ordered[: planned.rows, : planned.cols])


def model(scores: U16) -> U16:
    """Softmax of [rows][cols] in the card's order of operations, bit for bit."""
    x = f32(scores)
    distance = bf16(x - x.max(axis=1, keepdims=True))
    powers = table("exp")[distance]
    total = np.zeros(len(x), np.float32)
    for column in f32(powers).T:
        total += column
    inverse = table("reciprocal")[bf16(total)]
    return bf16(f32(powers) * f32(inverse)[:, None])


def run(device: Device, scores: F32, layout: Layout = "rows", in_place: bool = False, check: bool = True) -> Outcome:
    """Softmax of the rows of scores [rows][cols], rounded to bf16; returns float32 of the bf16 results."""
    x = bf16(scores)
    planned = plan(x.shape[0], x.shape[1], layout, in_place)
    device.write(planned.exp, table("exp"))
    device.write(planned.reciprocal, table("reciprocal"))
    device.write(planned.source, stored(x, planned))
    report = planned.launch.on(device)
    got = loaded(device, planned)
    checks = ()
    if check:
        powers = np.exp(f32(x).astype(np.float64) - f32(x).max(axis=1, keepdims=True))
        exact = powers / powers.sum(axis=1, keepdims=True)
        worst = np.max(np.abs(f32(got) - exact) / exact.max(axis=1, keepdims=True), axis=1)
        checks = (
            same_bits(got, model(x), "the NumPy model with the same tables"),
            close(worst, np.zeros(len(worst)), "float64, relative to the row's largest", 2e-2),
        )
    return Outcome(f32(got), (report,), checks, {"score": float(x.size)})


def main() -> int:
    """Attention-like scores: 2048 rows of 77."""
    scores = np.random.default_rng(3).normal(0, 3, (2048, 77)).astype(np.float32)
    return show("softmax: 2048 rows of 77, bf16", run(Device("ae7100"), scores))


if __name__ == "__main__":
    sys.exit(main())
