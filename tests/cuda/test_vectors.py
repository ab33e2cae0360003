"""Vector types through the reader: loads, stores, bitcasts, selects."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

FILE = "vectors"
Run = Callable[..., Any]
rng = np.random.default_rng(11)


def quads(count: int) -> np.ndarray:
    return rng.integers(-9, 10, (count, 4)).astype(np.float32)


def test_whole_vectors_are_copied(run: Run) -> None:
    x, y = quads(5), np.zeros((5, 4), np.float32)
    run(FILE, "copy4", 1, 5, [x, y])
    assert np.array_equal(x, y)


def test_components_of_float4(run: Run) -> None:
    x, y = quads(6), np.zeros((6, 4), np.float32)
    run(FILE, "arithmetic4", 1, 6, [x, y, np.float32(2)])
    expected = np.stack([x[:, 3] * 2, x[:, 2] + 2, x[:, 1] - 2, np.maximum(x[:, 0], 2)], axis=1)
    assert np.array_equal(y, expected)


def test_vectors_of_bytes_and_shorts(run: Run) -> None:
    x = rng.integers(0, 256, (7, 4), dtype=np.uint8)
    y, z = np.zeros((7, 2), np.int8), np.zeros((7, 2), np.uint16)
    run(FILE, "bytes", 1, 7, [x, y, z])
    wide = x.astype(np.int32)
    assert np.array_equal(y, np.stack([wide[:, 0] - wide[:, 1], wide[:, 2] + wide[:, 3]], 1).astype(np.int8))
    assert np.array_equal(z, np.stack([wide[:, 0] * wide[:, 1], wide[:, 2] << 8 | wide[:, 3]], 1).astype(np.uint16))


def test_double2_longlong2_and_int3(run: Run) -> None:
    x, y = rng.normal(size=(4, 2)), np.zeros((4, 2))
    a, b = rng.integers(-(2**40), 2**40, (4, 2)), np.zeros((4, 3), np.int32)
    run(FILE, "doubles2", 1, 4, [x, y, a, b])
    assert np.array_equal(y, x[:, ::-1])
    assert np.array_equal(b, np.concatenate([a.astype(np.int32), np.arange(4, dtype=np.int32)[:, None]], axis=1))


def test_floats_read_as_integers(run: Run) -> None:
    x, y = rng.normal(size=32).astype(np.float32), np.zeros(8, np.uint32)
    run(FILE, "reinterpret", 1, 8, [x, y])
    assert np.array_equal(y, np.bitwise_xor.reduce(x.view(np.uint32).reshape(8, 4), axis=1))


def test_shared_vectors_seen_as_floats(run: Run) -> None:
    x, y = quads(32), np.zeros(32, np.float32)
    run(FILE, "in_shared", 1, 32, [x, y])
    assert np.array_equal(y, x.ravel()[127 - 4 * np.arange(32)] + x[::-1, 0])


def test_a_condition_selects_a_whole_vector(run: Run) -> None:
    x, y = quads(9), np.zeros((9, 4), np.float32)
    run(FILE, "selected", 1, 9, [x, y, 9])
    assert np.array_equal(y, np.where((x[:, 0] > x[::-1, 0])[:, None], x, x[::-1]))
