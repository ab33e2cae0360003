"""The kernels of the comparison: inputs, launches and what the results must be.

Where an input may be chosen freely it is small integers, so that float sums are exact in every order and results are
equal bit by bit whatever the order.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Arrays = Mapping[str, Array]
Triple = tuple[int, int, int]
Argument = int | np.float32 | str


@dataclass(frozen=True)
class Launch:
    """One launch: grid in blocks, and arguments, where a string names an array."""

    grid: Triple
    args: tuple[Argument, ...]


@dataclass(frozen=True)
class Job:
    """A kernel with its data.

    `arrays` are as before the first run; those of `cleared` are set to zero before every run, outside the time. `peer`
    is the C function (by default that of the kernel's name) and `peer_args` its arguments behind (part, parts). `error`
    gives the largest error of the results as a share of what is allowed: 0 where they must be and are equal bit by bit.
    """

    name: str
    size: str
    block: Triple
    arrays: dict[str, Array]
    launches: Sequence[Launch]
    peer_args: tuple[Argument, ...]
    error: Callable[[Arrays], float]
    cleared: tuple[str, ...] = ()
    peer: str = ""
    has_opencl: bool = True
    operations: float = 0


def _small(rng: np.random.Generator, *shape: int) -> Array:
    return rng.integers(-2, 3, shape).astype(np.float32)


def _differs(got: Array, wanted: Array) -> float:
    return 0.0 if np.array_equal(got, wanted) else np.inf


def _blocks(count: int, size: int) -> int:
    return -(-count // size)


def saxpy(rng: np.random.Generator, n: int = 1 << 24) -> Job:
    """y = a x + y."""
    x, y, a = _small(rng, n), _small(rng, n), np.float32(2)
    args = (n, a, "x", "y")
    launch = Launch((_blocks(n, 256), 1, 1), args)
    return Job(
        "saxpy", f"{n:,}", (256, 1, 1), {"x": x, "y": y.copy()}, [launch], args,
        lambda found: _differs(found["y"], a * x + y),
    )  # fmt: skip


def _matmul(name: str, block: Triple, rng: np.random.Generator, n: int) -> Job:
    a, b = _small(rng, n, n), _small(rng, n, n)
    args = (n, "a", "b", "c")
    launch = Launch((_blocks(n, block[0]), _blocks(n, block[1]), 1), args)
    arrays = {"a": a, "b": b, "c": np.zeros_like(a)}
    return Job(
        name, f"{n} x {n}", block, arrays, [launch], args,
        lambda found: _differs(found["c"], a @ b), peer="matmul", operations=2.0 * n**3,
    )  # fmt: skip


def matmul_naive(rng: np.random.Generator, n: int = 512) -> Job:
    """One thread per element."""
    return _matmul("matmul_naive", (16, 16, 1), rng, n)


def matmul_tiled(rng: np.random.Generator, n: int = 512) -> Job:
    """Tiles in shared memory."""
    return _matmul("matmul_tiled", (32, 32, 1), rng, n)


def stencil(rng: np.random.Generator, n: int = 2048) -> Job:
    """Five points."""
    given = rng.random((n, n), np.float32)
    wanted = given.copy()
    inner = given[1:-1, 1:-1] + given[1:-1, :-2]
    for other in (given[1:-1, 2:], given[:-2, 1:-1], given[2:, 1:-1]):
        inner += other
    wanted[1:-1, 1:-1] = np.float32(0.2) * inner
    args = (n, n, "given", "out")
    launch = Launch((_blocks(n, 32), _blocks(n, 8), 1), args)
    arrays = {"given": given, "out": np.zeros_like(given)}
    return Job(
        "stencil", f"{n} x {n}", (32, 8, 1), arrays, [launch], args,
        lambda found: float(np.abs(found["out"] - wanted).max() / 3e-7),
    )  # fmt: skip


def _sum(name: str, rng: np.random.Generator, n: int, blocks: int) -> Job:
    x = _small(rng, n)
    total = float(x.sum(dtype=np.float64))
    launches = [Launch((blocks, 1, 1), (n, "x", "sums")), Launch((1, 1, 1), (blocks, "sums", "total"))]
    arrays = {"x": x, "sums": np.zeros(blocks, np.float32), "total": np.zeros(16, np.float32)}

    def error(found: Arrays) -> float:
        return 0.0 if float(found["total"].sum()) == total else np.inf

    return Job(
        name, f"{n:,}", (256, 1, 1), arrays, launches, (n, "x", "total"), error, cleared=("total",), peer="reduction",
        has_opencl=name == "reduction",
    )  # fmt: skip


def reduction(rng: np.random.Generator, n: int = 1 << 24, blocks: int = 1024) -> Job:
    """A sum through shared memory, in two launches."""
    return _sum("reduction", rng, n, blocks)


def shuffle_reduction(rng: np.random.Generator, n: int = 1 << 24, blocks: int = 1024) -> Job:
    """A sum through shuffles, in two launches."""
    return _sum("shuffle_reduction", rng, n, blocks)


def histogram(rng: np.random.Generator, n: int = 1 << 24, blocks: int = 1024) -> Job:
    """Counts of bytes."""
    data = rng.integers(0, 256, n, np.uint8)
    wanted = np.bincount(data, minlength=256).astype(np.uint32)
    args = (n, "data", "counts")
    arrays = {"data": data, "counts": np.zeros(256, np.uint32)}
    return Job(
        "histogram", f"{n:,} bytes", (256, 1, 1), arrays, [Launch((blocks, 1, 1), args)], args,
        lambda found: _differs(found["counts"], wanted), cleared=("counts",),
    )  # fmt: skip


def mandelbrot(_: np.random.Generator, n: int = 512, limit: int = 256) -> Job:
    """A divergent loop. Points near the border of the set escape at another turn where sums are rounded otherwise."""
    left, top, step = np.float32(-2), np.float32(-1.5), np.float32(3 / n)
    args = (n, n, limit, left, top, step, "iterations")
    launch = Launch((_blocks(n, 32), _blocks(n, 8), 1), args)
    wanted = _escapes(n, limit, left, top, step)
    arrays = {"iterations": np.zeros((n, n), np.int32)}
    return Job(
        "mandelbrot", f"{n} x {n}, {limit} turns", (32, 8, 1), arrays, [launch], args,
        lambda found: float(np.mean(found["iterations"] != wanted) / 0.02),
    )  # fmt: skip


def _escapes(n: int, limit: int, left: np.float32, top: np.float32, step: np.float32) -> Array:
    index = np.arange(n, dtype=np.float32)
    cx, cy = np.meshgrid(left + index * step, top + index * step)
    x, y, count = np.zeros_like(cx), np.zeros_like(cx), np.zeros(cx.shape, np.int32)
    for _ in range(limit):
        inside = x * x + y * y <= 4
        following = x * x - y * y + cx
        y = np.where(inside, 2 * x * y + cy, y)
        x = np.where(inside, following, x)
        count += inside
    return count


def transpose(rng: np.random.Generator, n: int = 2048) -> Job:
    """Through a tile in shared memory."""
    given = rng.random((n, n), np.float32)
    args = (n, n, "given", "out")
    arrays = {"given": given, "out": np.zeros_like(given)}
    return Job(
        "transpose", f"{n} x {n}", (32, 8, 1), arrays, [Launch((n // 32, n // 32, 1), args)], args,
        lambda found: _differs(found["out"], given.T),
    )  # fmt: skip


def nbody(rng: np.random.Generator, n: int = 4096) -> Job:
    """Gravity of all pairs."""
    bodies, softening = rng.random((n, 4), np.float32), np.float32(0.01)
    wide = bodies.astype(np.float64)
    wanted = np.empty((n, 3))
    for i in range(n):
        away = wide[:, :3] - wide[i, :3]
        wanted[i] = (away * (wide[:, 3] * ((away**2).sum(1) + float(softening)) ** -1.5)[:, None]).sum(0)
    args = (n, softening, "bodies", "accelerations")
    arrays = {"bodies": bodies, "accelerations": np.zeros_like(bodies)}
    allowed = 1e-5 * np.abs(wanted).max() * max(1, n / 1024)
    return Job(
        "nbody", f"{n}^2 pairs", (256, 1, 1), arrays, [Launch((n // 256, 1, 1), args)], args,
        lambda found: float(np.abs(found["accelerations"][:, :3] - wanted).max() / allowed), operations=20.0 * n * n,
    )  # fmt: skip


def needleman_wunsch(rng: np.random.Generator, n: int = 2048, penalty: int = 10) -> Job:
    """Alignment scores; one launch per diagonal of tiles."""
    similarity = rng.integers(-10, 11, (n, n), np.int32)
    score = np.zeros((n + 1, n + 1), np.int32)
    score[0] = score[:, 0] = -penalty * np.arange(n + 1)
    tiles = n // 32
    launches: list[Launch] = []
    for diagonal in range(2 * tiles - 1):
        first = max(0, diagonal - tiles + 1)
        count = min(diagonal, tiles - 1) - first + 1
        launches.append(Launch((count, 1, 1), (n, penalty, diagonal, first, "similarity", "score")))
    wanted = _alignment(similarity, score, penalty)
    arrays = {"similarity": similarity, "score": score, "done": np.zeros(16, np.int32)}
    return Job(
        "needleman_wunsch", f"{n} x {n}", (32, 1, 1), arrays, launches, (n, penalty, "similarity", "score", "done"),
        lambda found: _differs(found["score"], wanted), cleared=("done",),
    )  # fmt: skip


def _alignment(similarity: Array, score: Array, penalty: int) -> Array:
    """Row by row: the best of a row that gaps may come from is a running maximum."""
    found, count = score.copy(), len(similarity)
    slope = penalty * np.arange(count + 1, dtype=np.int32)
    for i in range(count):
        row = np.maximum(found[i, :-1] + similarity[i], found[i, 1:] - penalty)
        row = np.concatenate((found[i + 1, :1], row))
        found[i + 1] = np.maximum.accumulate(row + slope) - slope
    return found


def spmv(rng: np.random.Generator, rows: int = 1 << 18) -> Job:
    """A sparse matrix of 8 to 24 values in each row, at random columns of a band of 4096."""
    counts = rng.integers(8, 25, rows)
    starts = np.concatenate(([0], np.cumsum(counts))).astype(np.int32)
    centre = np.repeat(np.arange(rows), counts)
    columns = np.sort(np.clip(centre + rng.integers(-2048, 2048, len(centre)), 0, rows - 1) + centre * (1 << 20))
    columns = (columns % (1 << 20)).astype(np.int32)
    values, x = _small(rng, len(columns)), _small(rng, rows)
    wanted = np.add.reduceat(values * x[columns], starts[:-1])
    args = (rows, "starts", "columns", "values", "x", "y")
    arrays = {"starts": starts, "columns": columns, "values": values, "x": x, "y": np.zeros(rows, np.float32)}
    return Job(
        "spmv", f"{rows:,} rows, {len(columns):,} values", (256, 1, 1), arrays,
        [Launch((_blocks(rows, 256), 1, 1), args)], args, lambda found: _differs(found["y"], wanted),
    )  # fmt: skip


JOBS = (
    saxpy, matmul_naive, matmul_tiled, stencil, reduction, histogram, shuffle_reduction, mandelbrot, transpose, nbody,
    needleman_wunsch, spmv,
)  # fmt: skip
"""In the order of the table."""


def dot_matmul(rng: np.random.Generator, n: int = 2048) -> Job:
    """bfloat16 with the dot of eight products. Rows are padded, since rows 4096 bytes apart would share cache sets."""
    a, b = _small(rng, n, n), _small(rng, n, n)
    rows = np.zeros((n, n + 32), np.float32)
    rows[:, :n] = a
    panels = b.reshape(n // 8, 8, n // 16, 16).transpose(2, 0, 3, 1)
    args = (n, n + 32, "a", "b", "c")
    arrays = {"a": _bfloat(rows), "b": _bfloat(panels), "c": np.zeros((n, n), np.float32)}
    return Job(
        "dot_matmul", f"{n} x {n}", (16, 16, 1), arrays, [Launch((n // 32, n // 32, 1), args)], args,
        lambda found: _differs(found["c"], a @ b), operations=2.0 * n**3,
    )  # fmt: skip


def _bfloat(values: Array) -> Array:
    return (np.ascontiguousarray(values).view(np.uint32) >> 16).astype(np.uint16)
