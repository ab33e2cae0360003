"""half and bfloat16 through the reader."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from openrpp.kir.floats import DECODE, ENCODE, encode_exact
from openrpp.kir.types import BF16, F16, Type

FILE = "small"
Run = Callable[..., Any]
rng = np.random.default_rng(3)


def values(kind: Type, bits: np.ndarray) -> list[float]:
    return [DECODE[kind](int(word)) for word in bits.ravel()]


def words(kind: Type, numbers: Any) -> np.ndarray:
    return np.array([ENCODE[kind](float(number)) for number in numbers], np.uint16)


def rounded(kind: Type, exact: Fraction) -> float:
    return DECODE[kind](encode_exact(kind, exact))


@pytest.mark.parametrize(("kernel", "kind"), [("half_arithmetic", F16), ("bfloat_arithmetic", BF16)])
def test_operations_round_the_exact_result_once(run: Run, kernel: str, kind: Type) -> None:
    a, b = (words(kind, rng.normal(size=40) * 2.0 ** rng.integers(-4, 5, 40)) for _ in "ab")
    out = np.zeros((40, 12), np.uint16)
    run(FILE, kernel, 1, 40, [a, b, out])
    for x, y, row in zip(values(kind, a), values(kind, b), out, strict=True):
        p, q = Fraction(x), Fraction(y)
        expected = [rounded(kind, z) for z in (p + q, p - q, p * q, p / q, p * q + p)]
        expected += [-x, abs(x), max(x, y), min(x, y)]
        expected += [DECODE[kind](ENCODE[kind](float(np.sqrt(np.float32(abs(x))))))]
        expected += [float(x < y), float(np.rint(x))]
        assert values(kind, row) == expected


def test_pairs(run: Run) -> None:
    a, b = (words(F16, rng.integers(-8, 9, 12)).reshape(6, 2) for _ in "ab")
    out, wide = np.zeros((6, 2, 2), np.uint16), np.zeros((6, 2), np.float32)
    run(FILE, "half_pairs", 1, 6, [a, b, out, wide])
    x, y = (np.array(values(F16, words_)).reshape(6, 2) for words_ in (a, b))
    assert np.array_equal(np.array(values(F16, out[:, 0])).reshape(6, 2), x * y + 0.5)
    assert np.array_equal(np.array(values(F16, out[:, 1])).reshape(6, 2), (x + y[:, ::-1])[:, ::-1])
    assert np.array_equal(wide, x * y)


def test_conversions_in_every_direction(run: Run) -> None:
    x = np.concatenate([rng.normal(size=20) * 300, [0.0, -0.0, 1e-6, -1e-6, 65519.0, 2047.5]]).astype(np.float32)
    n = len(x)
    h, b = np.zeros((n, 4), np.uint16), np.zeros((n, 2), np.uint16)
    integers, back = np.zeros((n, 3), np.int32), np.zeros((n, 3), np.float32)
    run(FILE, "conversions", 1, n, [x, h, b, integers, back])
    for i, v in enumerate(x.tolist()):
        nearest, zero, up, down = values(F16, h[i])
        assert nearest == DECODE[F16](ENCODE[F16](v))
        assert down <= v <= up and abs(zero) <= abs(v)
        neighbours = {DECODE[F16](bits) for bits in range(2**16) if bits & 0x7C00 != 0x7C00}
        assert not any(down < other < v or v < other < up for other in neighbours)
        assert zero == (down if v > 0 else up) or v == 0
        assert DECODE[BF16](int(b[i, 0])) == DECODE[BF16](ENCODE[BF16](v))
        assert int(b[i, 1]) == int(x[i : i + 1].view(np.uint32)[0] >> 16)
        assert integers[i].tolist() == [int(np.rint(nearest)), int(DECODE[BF16](int(b[i, 0]))), int(np.floor(nearest))]
        assert back[i, 0] == nearest and back[i, 2] == DECODE[F16](ENCODE[F16](float(int(v))))


def test_shuffles_and_atomics(run: Run) -> None:
    x, y = words(F16, np.arange(32)), np.zeros(32, np.uint16)
    total, other = np.zeros(1, np.uint16), np.zeros(1, np.uint16)
    run(FILE, "exchanged", 1, 32, [x, y, total, other])
    assert np.array_equal(y, x[np.arange(32) ^ 1])
    assert values(F16, total) == [32] and values(BF16, other) == [64]
