"""Integer intrinsics, conversions, output, and the card's own functions through the reader."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from openrpp.isa.numeric import dot_even_odd
from openrpp.kir.interp.faults import AssertionFailed, Trapped

FILE = "intrinsics"
Run = Callable[..., Any]
rng = np.random.default_rng(13)
M32, M64 = 2**32 - 1, 2**64 - 1


def s32(value: int) -> int:
    return (value + 2**31) % 2**32 - 2**31


def test_bit_intrinsics(run: Run) -> None:
    x = np.array([0, 1, M32, 0x80000000, *rng.integers(0, 2**32, 20)], np.uint32)
    y = rng.permutation(x)
    out = np.zeros((len(x), 20), np.uint32)
    run(FILE, "bits", 1, len(x), [x, y, out])
    for a, b, row in zip(x.tolist(), y.tolist(), out.tolist(), strict=True):
        joined = b << 32 | a
        both = a.to_bytes(4, "little") + b.to_bytes(4, "little")
        p, q = s32(a << 8) >> 8, s32(b << 8) >> 8
        wanted = [
            a.bit_count(), 32 - a.bit_length(), (a & -a).bit_length(), int(f"{a:032b}"[::-1], 2),
            int.from_bytes(bytes([both[0], both[4], both[1], both[5]]), "little"),
            joined << 9 >> 32, joined >> 5, a,
            (a << 20 | b).bit_count(), 64 - b.bit_length(), int(f"{a:064b}"[::-1], 2),
            (s32(a) & -s32(a) & M64).bit_length() + 32 if a else 0,
            p * q, (a & 0xFFFFFF) * (b & 0xFFFFFF), s32(a) * s32(b) >> 32, a * b >> 32,
            abs(s32(a) - s32(b)) + 3, (a + b) >> 1, (a + b + 1) >> 1, (s32(a) + s32(b) + 1) >> 1,
        ]  # fmt: skip
        assert row == [value & M32 for value in wanted], (a, b)


def test_dot_products_of_bytes(run: Run) -> None:
    x, y = (rng.integers(-(2**31), 2**31, 12).astype(np.int32) for _ in "xy")
    out = np.zeros((12, 4), np.int32)
    run(FILE, "dots", 1, 12, [x, y, out])
    a, b, half = x.view(np.int8).reshape(-1, 4), y.view(np.int8).reshape(-1, 4), x.view(np.int16).reshape(-1, 2)
    unsigned = x.view(np.uint8).reshape(-1, 4).astype(np.int64), y.view(np.uint8).reshape(-1, 4).astype(np.int64)
    high = x.view(np.uint16).reshape(-1, 2).astype(np.int64) * unsigned[1][:, 2:]
    wanted = [
        (a.astype(np.int64) * b).sum(1) + 7, (unsigned[0] * unsigned[1]).sum(1) + 7,
        (half.astype(np.int64) * b[:, :2]).sum(1) + 1, high.sum(1) + 1,
    ]  # fmt: skip
    assert np.array_equal(out, np.stack(wanted, 1).astype(np.int32))


def test_arithmetic_on_parts_of_a_word(run: Run) -> None:
    x, y = (rng.integers(0, 2**32, 16, dtype=np.uint32) for _ in "xy")
    out = np.zeros((16, 8), np.uint32)
    run(FILE, "simd", 1, 16, [x, y, out])

    def parts(kind: Any) -> tuple[np.ndarray, np.ndarray]:
        return x.view(kind).astype(np.int64).reshape(16, -1), y.view(kind).astype(np.int64).reshape(16, -1)

    def packed(values: np.ndarray, kind: Any) -> np.ndarray:
        return values.astype(kind).view(np.uint32).reshape(16)

    (u, v), (a, b), (p, q), (s, t) = parts(np.uint8), parts(np.int8), parts(np.int16), parts(np.uint16)
    wanted = [
        packed(u + v, np.uint8), packed(np.clip(p - q, -32768, 32767), np.int16), packed(np.maximum(a, b), np.int8),
        packed(np.abs(u - v), np.uint8), packed(np.where(s > t, -1, 0), np.int16), packed((u + v + 1) >> 1, np.uint8),
        np.abs(u - v).sum(1), packed(np.minimum(u + v, 255), np.uint8),
    ]  # fmt: skip
    assert np.array_equal(out, np.stack(wanted, 1))


def test_min_and_max_of_mixed_types(run: Run) -> None:
    x, f, out = np.array([-2, 5], np.int32), np.array([0.25, -7.5], np.float32), np.zeros((2, 6))
    run(FILE, "extremes", 1, 2, [x, f, out])
    assert out.tolist() == [[3, 2, 0.25, 0.25, 0.25, 2], [3, 5, -7.5, 5, -7.5, 5]]


def test_conversions_with_a_rounding_direction(run: Run) -> None:
    x = np.array([1.5, 2.5, -1.5, -0.25, 1e12, np.nan], np.float32)
    d = np.array([2.5, -3.5, 1e-300, 7.75, -1e30, 5e9])
    out = np.zeros((6, 10), np.int64)
    run(FILE, "conversions", 1, 6, [x, d, out])

    def cut(value: float, low: int, high: int) -> int:
        return 0 if np.isnan(value) else int(min(max(value, low), high))

    for v, w, row in zip(x.tolist(), d.tolist(), out.tolist(), strict=True):
        low, high = -(2**31), 2**31 - 1
        bits = int(np.float64(w).view(np.int64))
        wanted = [cut(float(f(np.float32(v))), low, high) for f in (np.rint, np.trunc, np.ceil, np.floor)]
        wanted += [cut(float(np.rint(v)), -(2**63), 2**63 - 1), cut(float(np.rint(w)), low, high), bits]
        wanted += [int(np.float32(v).view(np.int32)), bits >> 32, cut(float(np.trunc(w)), 0, M32)]
        assert row == wanted


def test_printf_formats_on_the_host(run: Run) -> None:
    result = run(FILE, "printing", 1, 4, [np.array([1, 2.5, -3, 4], np.float32), 3])
    lines = ["thread 0 of block: 1.00 a\n", "thread 1 of block: 2.50 b\n", "thread 2 of block: -3.00 c\n"]
    assert result.output == "".join(lines)


def test_a_failed_assertion_names_condition_and_place(run: Run) -> None:
    with pytest.raises(AssertionFailed, match=r"intrinsics\.cu:51:.*'x\[threadIdx\.x\] > 0 && \"must be positive\"'"):
        run(FILE, "asserting", 1, 2, [np.array([1, 0], np.int32)])
    run(FILE, "asserting", 1, 2, [np.array([1, 3], np.int32)])


def test_a_trap_stops_the_launch(run: Run) -> None:
    with pytest.raises(Trapped):
        run(FILE, "trapping", 1, 2, [np.array([1, 3], np.int32)])


def test_clocks_go_on(run: Run) -> None:
    out = np.full(1, -1, np.int64)
    run(FILE, "clocks", 1, 1, [out], twice=False)
    assert out[0] >= 0


def test_dot8_adds_even_and_odd_terms_in_chains(run: Run) -> None:
    a, b = ((rng.normal(size=(9, 8)) * 2.0 ** rng.integers(-9, 9, (9, 8))).astype(np.float32) for _ in "ab")
    a, b = ((x.view(np.uint32) & np.uint32(0xFFFF0000)).view(np.float32) for x in (a, b))
    c, out = rng.normal(size=9).astype(np.float32), np.zeros(9, np.float32)
    packed = [(x.view(np.uint32) >> 16).astype(np.uint16) for x in (a, b)]
    run(FILE, "dot8", 1, 9, [*packed, c, out])
    assert np.array_equal(out, c + dot_even_odd([a[:, k] * b[:, k] for k in range(8)]))


def test_table_lookup(run: Run) -> None:
    table, x = rng.integers(0, 2**16, 256, dtype=np.uint16), rng.integers(0, 256, 20, dtype=np.uint16)
    y = np.zeros(20, np.uint16)
    run(FILE, "lookup", 1, 20, [table, x, y])
    assert np.array_equal(y, table[x])


def test_units_of_the_extended_card(run: Run) -> None:
    x, out = np.array([1.0, 2.0, 4.0, 0.5], np.float32), np.zeros((4, 4), np.float32)
    run(FILE, "units", 1, 4, [x, out])
    inverse = (1 / np.sqrt(x.astype(np.float64))).astype(np.float32)
    assert np.array_equal(out, np.stack([np.exp2(x), np.log2(x), inverse, inverse], axis=1))


def test_staging_by_dma(run: Run) -> None:
    x, y = rng.integers(0, 99, 40).astype(np.int32), np.zeros(40, np.int32)
    run(FILE, "staging", 1, 40, [x, y, 40])
    assert np.array_equal(y, 2 * x[::-1])
