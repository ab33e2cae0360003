"""bf16 matrix product with the dot instruction, four tiles of 32 output columns at a time. Assembly: matmul.s."""

from __future__ import annotations

import sys
from dataclasses import dataclass

import numpy as np
from harness import (
    F32,
    MAX_WARPS,
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

from openrpp.machine import Device

TILE = 32
TILES = 4


@dataclass(frozen=True)
class Plan:
    """Where the matrices of a product lie in SRAM, and its launch."""

    m: int
    k: int
    n: int
    batch: int
    a: int
    b: int
    c: int
    launch: Launch


def rows_per_block(m: int) -> int:
    """Rows of a block: as few blocks as 255 warps allow, all of nearly one height, so that none runs nearly empty."""
    return ceil_div(m, ceil_div(m, MAX_WARPS))


def plan(m: int, k: int, n: int, batch: int = 1) -> Plan:
    """Plan C[m][n] = A[m][k] B[k][n] for a batch of matrices.

    Raises ValueError for sizes that the kernel does not cover, OutOfMemory if SRAM does not hold the matrices.
    """
    need(m >= 2, f"m = {m}: a block of fewer than 33 threads is not allowed, so at least 2 rows are needed")
    need(k > 0 and k % TILE == 0, f"k = {k} is not a multiple of {TILE}")
    need(n > 0 and n % (TILES * TILE) == 0, f"n = {n} is not a multiple of {TILES * TILE}")
    memory = sram()
    a, b, c = (memory.take(2 * batch * size) for size in (m * k, k * n, m * n))
    rows = rows_per_block(m)
    blocks = ceil_div(m, rows)
    row = 2 * TILE  # bytes of one row of a slab of A, or of a tile of C
    launch = Launch(
        "matmul",
        grid=(n // (TILES * TILE), blocks, batch),
        block=(WARP, rows, 1),
        tail=(WARP, m - rows * (blocks - 1), 1),
        params=(a, b, c, k // TILE, m * row - 48, k * row, m * row, 2 * m * k, 2 * k * n, 2 * m * n),
    )
    return Plan(m, k, n, batch, a, b, c, launch)


# --- layouts of the published kernels ---------------------------------------------------------------------------------


def slabs(a: U16) -> U16:
    """A [batch][m][k] -> [batch][k/32][m][32]; also C's layout of [batch][m][n]."""
    batch, m, k = a.shape
    return np.ascontiguousarray(a.reshape(batch, m, k // TILE, TILE).transpose(0, 2, 1, 3))


def column_tiles(b: U16) -> U16:
    """B [batch][k][n] -> [batch][n/32][k][32]."""
    batch, k, n = b.shape
    return np.ascontiguousarray(b.reshape(batch, k, n // TILE, TILE).transpose(0, 2, 1, 3))


def unslabbed(c: U16, batch: int, m: int, n: int) -> U16:
    """[batch][n/32][m][32] -> [batch][m][n]."""
    return np.ascontiguousarray(c.reshape(batch, n // TILE, m, TILE).transpose(0, 2, 1, 3).reshape(batch, m, n))


# --- what the card must compute ---------------------------------------------------------------------------------------


def model(a: U16, b: U16) -> U16:
    """C of A [batch][m][k] and B [batch][k][n] in the card's order of operations, bit for bit.

    Each dot of 8 is the chain over its even terms plus the chain over its odd terms, each from +0 in float32; its
    value is added to the running float32 sum. The sum is rounded to bf16, nearest even.
    """
    x, w = f32(a), f32(b)
    total = np.zeros((x.shape[0], x.shape[1], w.shape[2]), np.float32)
    for k in range(0, x.shape[2], 8):
        chains = [np.zeros_like(total), np.zeros_like(total)]
        for j in range(8):
            chains[j % 2] += x[:, :, k + j, None] * w[:, None, k + j, :]
        total += chains[0] + chains[1]
    return bf16(total)


def run(device: Device, a: F32, b: F32, check: bool = True) -> Outcome:
    """A [m][k] times B [k][n], or batches of them [batch][m][k], [batch][k][n]; inputs are rounded to bf16.

    Returns C as float32 of the bf16 results, [m][n] or [batch][m][n].
    """
    flat = a.ndim == 2
    a16, b16 = (bf16(v[None] if flat else v) for v in (a, b))
    batch, m, k = a16.shape
    n = b16.shape[2]
    planned = plan(m, k, n, batch)
    device.write(planned.a, slabs(a16))
    device.write(planned.b, column_tiles(b16))
    report = planned.launch.on(device)
    c16 = unslabbed(device.read(planned.c, batch * m * n, np.uint16), batch, m, n)
    checks = ()
    if check:
        exact = f32(a16).astype(np.float64) @ f32(b16).astype(np.float64)
        checks = (
            same_bits(c16, model(a16, b16), "the NumPy model of the dot"),
            close(f32(c16), exact, "a float64 product", 4e-3),
        )
    values = f32(c16)[0] if flat else f32(c16)
    return Outcome(values, (report,), checks, {"MAC": float(batch * m * k * n)})


def main() -> int:
    """A product with a ragged last row block."""
    rng = np.random.default_rng(1)
    a, b = (rng.standard_normal(shape).astype(np.float32) for shape in ((300, 512), (512, 256)))
    return show("matmul: 300 x 512 times 512 x 256, bf16", run(Device("ae7100"), a, b))


if __name__ == "__main__":
    sys.exit(main())
