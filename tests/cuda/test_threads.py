"""Atomics, shuffles, votes, barriers and cooperative groups through the reader, in several orders of threads."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from openrpp.kir.interp import Order

FILE = "threads"
Run = Callable[..., Any]
rng = np.random.default_rng(5)
LANES = np.arange(32)


@pytest.mark.parametrize("order", list(Order))
def test_histogram_by_atomic_additions(run: Run, order: Order) -> None:
    x, bins = rng.integers(0, 10, 300, dtype=np.uint8), np.zeros(10, np.int32)
    run(FILE, "histogram", 3, 32, [x, bins, 300], order=order)
    assert np.array_equal(bins, np.bincount(x, minlength=10))


def test_every_atomic_function(run: Run) -> None:
    a = np.array([0, 100, 0, 0, -1, 0, 0, 0, 0, 0], np.int32)
    b = np.array([0, 5, 0, 2**32 - 1, 0], np.uint32)
    c, d, e = np.zeros(4, np.uint64), np.zeros(2, np.float32), np.zeros(1)
    run(FILE, "atomics", 1, 20, [a, b, c, d, e])
    ones = (1 << 20) - 1
    xor = int(np.bitwise_xor.reduce(np.arange(20)))
    assert a.tolist() == [190, -90, 19, -19, ~ones, ones, xor, 42, 20, 40]
    assert b.tolist() == [0, 5, 2**32 - 1, 5, 20]  # 20 steps of 0..9; down from 5 by 20 steps of ten
    assert c.tolist() == [ones, 19, 99, ones]
    assert d.tolist() == [10, 3.5] and e[0] == 5


@pytest.mark.parametrize("order", list(Order))
def test_compare_and_swap_loops_end(run: Run, order: Order) -> None:
    x, most = rng.normal(size=48).astype(np.float32), np.zeros(1, np.float32)
    run(FILE, "float_maximum", 1, 48, [x, most], order=order)
    assert most[0] == x.max()


def test_the_last_block_sums_up(run: Run) -> None:
    x, partial = rng.integers(0, 9, 7).astype(np.int32), np.zeros(7, np.int32)
    done, total = np.zeros(1, np.uint32), np.zeros(1, np.int32)
    run(FILE, "last_block", 7, 32, [x, partial, done, total])
    assert total[0] == x.sum()


def test_shuffles_of_every_kind_and_width(run: Run) -> None:
    x, out = rng.integers(0, 1000, 32).astype(np.int32), np.zeros((32, 8), np.int32)
    run(FILE, "shuffles", 1, 32, [x, out])

    def segment(width: int) -> np.ndarray:
        return LANES // width * width

    down = np.where(segment(8) + 8 > LANES + 2, LANES + 2, LANES)
    up = np.where(segment(4) <= LANES - 1, LANES - 1, LANES)
    expected = [
        x[np.full(32, 5)], x[np.where(LANES >= 3, LANES - 3, LANES)], x[down], x[LANES ^ 9],
        x[segment(16) + LANES * 7 % 16], x[up],
        x[np.minimum(LANES + 1, 31)], x[LANES ^ 4] + x[31],
    ]  # fmt: skip
    assert np.array_equal(out, np.stack(expected, axis=1))


def test_votes_matches_and_reductions_of_a_warp(run: Run) -> None:
    x, out = rng.integers(0, 7, 32).astype(np.int32), np.zeros((32, 10), np.uint32)
    run(FILE, "votes", 1, 32, [x, out])
    odd = sum(1 << int(i) for i in LANES[x % 2 == 1])
    same = [sum(1 << int(k) for k in LANES[x == value]) for value in x]
    all_lanes = 2**32 - 1
    for i in range(32):
        last = int((x % 2).sum()) if x[i] % 2 else all_lanes
        wanted = [int((x > 6).any()), 1, odd, same[i], all_lanes, 1, x.sum(), x.max(), np.bitwise_xor.reduce(x), last]
        assert out[i].tolist() == [int(value) for value in wanted]


def test_barriers_that_count_and_vote(run: Run) -> None:
    x, out = rng.integers(0, 6, 50).astype(np.int32), np.zeros((50, 3), np.int32)
    run(FILE, "barriers", 1, 50, [x, out])
    assert np.all(out == [(x > 2).sum(), 1, 0])


@pytest.mark.parametrize("threads", [32, 96])
def test_sum_of_a_block_by_shuffles(run: Run, threads: int) -> None:
    x, out = rng.integers(0, 9, 500).astype(np.float32), np.zeros(1, np.float32)
    run(FILE, "warp_sum", 1, threads, [x, out, 500])
    assert out[0] == x.sum()


def test_tiles_reduce_scan_and_know_their_place(run: Run) -> None:
    x, out = rng.integers(0, 9, 48).astype(np.int32), np.zeros((48, 10), np.int32)
    run(FILE, "tiles", 1, 48, [x, out])
    for i in range(48):
        tile, rank = x[i // 8 * 8 : i // 8 * 8 + 8], i % 8
        pair = x[i // 2 * 2 : i // 2 * 2 + 2]
        wanted = [tile.sum(), tile.max(), tile[: rank + 1].sum(), tile[:rank].sum(), tile[3]]
        wanted += [sum(1 << k for k in range(8) if tile[k] & 1), rank * 100 + i // 8 * 10 + 6, rank // 2 * 10 + 4]
        wanted += [int((pair > 5).any()), tile[rank + 2] if rank < 6 else tile[rank]]
        assert out[i].tolist() == [int(value) for value in wanted]


def test_groups_of_structs_labels_and_coalesced_threads(run: Run) -> None:
    x, out = rng.integers(0, 50, 32).astype(np.int32), np.zeros((32, 4), np.int32)
    run(FILE, "groups", 1, 32, [x, out])
    odd = x[x % 2 == 1]
    for i in range(32):
        label = x % 3 == x[i] % 3
        last = len(odd) * 100 + odd[-1] if x[i] % 2 else -1
        wanted = [2 * x[i ^ 1], label.sum() * 100 + label[:i].sum(), x[label].sum(), last]
        assert out[i].tolist() == [int(value) for value in wanted]


def test_the_grid_meets(run: Run) -> None:
    x, out = np.zeros(24, np.int32), np.zeros(24, np.int32)
    run(FILE, "grid_sync", 3, 8, [x, out])
    assert np.array_equal(out, np.roll(np.arange(1, 25), -1))
