"""Definitions of the extension units: functions, votes, shuffles, atomic updates, addresses, int8 dot products."""

from __future__ import annotations

import struct
from decimal import Decimal, localcontext
from fractions import Fraction
from random import Random
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from openrpp.isa.crosslane import dot_int8
from openrpp.isa.form import Form
from openrpp.isa.numeric import DEFAULT, Numerics
from openrpp.isa.table import forms_by_name, spelling
from openrpp.isa.table.port import Lanes
from tests.isa.exact import is_finite, nearest_even, value

F32 = st.integers(0, 0xFFFFFFFF)
NAN, INF, MINUS_INF, ONE, MINUS_ZERO = 0x7FC00000, 0x7F800000, 0xFF800000, 0x3F800000, 0x80000000


def form(name: str, syntax: str = "") -> Form:
    return next(form for form in forms_by_name()[spelling(name)] if syntax in form.syntax)


def define(name: str, syntax: str = "") -> Any:
    found = form(name, syntax).define
    assert found is not None
    return found


def bits(values: list[int]) -> Any:
    return np.array(values, np.uint32)


def one(name: str, *operands: int, numerics: Numerics = DEFAULT) -> int:
    return int(define(name)(numerics, *(bits([each]) for each in operands))[0])


def is_nan(pattern: int) -> bool:
    return pattern & 0x7FFFFFFF > INF


@given(a=F32, b=F32)
def test_quotients_are_correctly_rounded(a: int, b: int) -> None:
    if is_finite(a, 32) and is_finite(b, 32) and value(b, 32) != 0:
        sign = (a ^ b) & MINUS_ZERO
        assert one("DIV.F32", a, b) == nearest_even(value(a, 32) / value(b, 32), 32, sign)
        assert one("RCP.F32", b) == nearest_even(1 / value(b, 32), 32)


def _root(number: Fraction) -> Decimal:
    with localcontext() as context:
        context.prec = 60
        return (Decimal(number.numerator) / Decimal(number.denominator)).sqrt()


@given(a=st.integers(1, INF - 1))
def test_roots_are_correctly_rounded(a: int) -> None:
    root = _root(value(a, 32))
    assert one("SQRT.F32", a) == nearest_even(Fraction(root), 32)
    with localcontext() as context:
        context.prec = 60
        assert one("RSQRT.F32", a) == nearest_even(Fraction(1 / root), 32)


@pytest.mark.parametrize(
    ("name", "argument", "wanted"),
    [
        ("RCP", 0, INF),
        ("RCP", MINUS_ZERO, MINUS_INF),
        ("RCP", MINUS_INF, MINUS_ZERO),
        ("RSQRT", 0, INF),
        ("RSQRT", INF, 0),
        ("SQRT", MINUS_ZERO, MINUS_ZERO),
        ("SQRT", INF, INF),
        ("EX2", 0, ONE),
        ("EX2", INF, INF),
        ("EX2", MINUS_INF, 0),
        ("EX2", 0x43000000, INF),  # 128
        ("EX2", 0xC3160000, 0),  # -150
        ("EX2", 0xC3150000, 1),  # -149
        ("EX2", 0xC0400000, 0x3E000000),  # -3
        ("LG2", 0, MINUS_INF),
        ("LG2", MINUS_ZERO, MINUS_INF),
        ("LG2", INF, INF),
        ("LG2", ONE, 0),
        ("LG2", 1, 0xC3150000),  # 2^-149
        ("LG2", 0x41000000, 0x40400000),  # 8
    ],
)
def test_special_arguments(name: str, argument: int, wanted: int) -> None:
    assert one(f"{name}.F32", argument) == wanted


def test_arguments_without_a_value_give_nan() -> None:
    for name in ("RCP", "RSQRT", "SQRT", "EX2", "LG2"):
        assert is_nan(one(f"{name}.F32", NAN))
    for name in ("RSQRT", "SQRT", "LG2"):
        assert is_nan(one(f"{name}.F32", 0xBF800000))


def _units_off(name: str, arguments: Any, exact: Any) -> float:
    """Largest distance from the exact value in units of the result's last place."""
    with np.errstate(all="ignore"):
        got = define(name)(DEFAULT, arguments).view(np.float32).astype(np.float64)
    inside = np.isfinite(got) & (exact != 0)
    unit = np.exp2(np.maximum(np.floor(np.log2(np.abs(exact[inside]))), -126) - 23)
    return float(np.max(np.abs(got[inside] - exact[inside]) / unit))


def test_powers_and_logarithms_stay_within_half_a_unit_and_a_trifle() -> None:
    random = np.random.default_rng(20261122)
    patterns = random.integers(0, 1 << 32, 400_000, dtype=np.uint32)
    patterns = patterns[np.isfinite(patterns.view(np.float32))]
    numbers = patterns.view(np.float32).astype(np.float64)
    powers = patterns[(np.abs(numbers) < 150) & (np.abs(numbers) > 2.0**-40)]
    assert _units_off("EX2.F32", powers, np.exp2(powers.view(np.float32).astype(np.float64))) < 0.5001
    near_one = random.integers(0x3F000000, 0x40000000, 200_000, dtype=np.uint32)
    logs = np.concatenate([near_one, patterns[numbers > 0]])
    assert _units_off("LG2.F32", logs, np.log2(logs.view(np.float32).astype(np.float64))) < 0.5001


def test_denormal_results_may_be_set_to_flush() -> None:
    flush = Numerics(denormals="flush")
    assert one("EX2.F32", 0xC3150000, numerics=flush) == 0
    assert one("DIV.F32", 0x80800000, 0x40000000, numerics=flush) == MINUS_ZERO


def test_every_half_becomes_its_float32_value_and_back() -> None:
    halves = np.arange(1 << 16, dtype=np.uint16)
    wide = define("CVT.H16.F32")(DEFAULT, halves)
    back = define("CVT.F32.H16.RN")(DEFAULT, wide)
    assert wide.dtype == np.uint32
    assert back.dtype == np.uint16
    for half, single, again in zip(halves.tolist(), wide.tolist(), back.tolist(), strict=True):
        if half & 0x7FFF > 0x7C00:
            assert single == (half & 0x8000) << 16 | 0x7FC00000 | (half & 0x3FF) << 13
            assert again == half | 0x200
        else:
            assert struct.pack("<f", struct.unpack("<e", struct.pack("<H", half))[0]) == struct.pack("<I", single)
            assert again == half


def _half_by_the_book(number: Fraction, sign: int) -> int:
    """Half pattern of the nearest multiple of the last place, ties to even."""
    size, exponent = abs(number), -14
    while exponent < 16 and size >= Fraction(2) ** (exponent + 1):
        exponent += 1
    count, rest = divmod(size, Fraction(2) ** (exponent - 10))
    count += rest * 2 > Fraction(2) ** (exponent - 10) or (rest * 2 == Fraction(2) ** (exponent - 10) and count % 2)
    return sign << 15 | min((exponent + 14 << 10) + int(count), 0x7C00)


@given(a=st.one_of(F32, st.integers(0x33000000, 0x47800000), st.integers(0x19800, 0x23C00).map(lambda k: k << 13 >> 1)))
def test_float32_to_half_rounds_to_nearest_even(a: int) -> None:
    got = one("CVT.F32.H16.RN", a)
    if is_finite(a, 32):
        assert got == _half_by_the_book(value(a, 32), a >> 31)
    elif is_nan(a):
        assert got == a >> 16 & 0x8000 | 0x7E00 | a >> 13 & 0x3FF
    else:
        assert got == (a >> 16 & 0x8000 | 0x7C00)


# --- lanes -----------------------------------------------------------------------------------------------------


def test_votes_look_at_every_lane() -> None:
    predicate = np.zeros(70, np.uint16)
    assert [int(define(f"VOTE.{name}")(DEFAULT, predicate)) for name in ("ANY", "ALL", "COUNT")] == [0, 0, 0]
    predicate[[3, 69]] = 5, 0x8000
    assert [int(define(f"VOTE.{name}")(DEFAULT, predicate)) for name in ("ANY", "ALL", "COUNT")] == [1, 0, 2]
    predicate[:] = 1
    assert [int(define(f"VOTE.{name}")(DEFAULT, predicate)) for name in ("ANY", "ALL", "COUNT")] == [1, 1, 70]


def test_a_ballot_gives_every_lane_the_predicates_of_its_warp() -> None:
    predicate = np.zeros((2, 32), np.uint16)
    predicate[0, [0, 31]] = 7
    out = define("BALLOT")(DEFAULT, predicate)
    assert out.dtype == np.uint32
    assert out.tolist() == [[0x80000001] * 32, [0] * 32]


SHUFFLES = {
    "IDX": lambda lane, b: b % 32,
    "UP": lambda lane, b: lane - b,
    "DOWN": lambda lane, b: lane + b,
    "XOR": lambda lane, b: lane ^ b % 32,
}


@pytest.mark.parametrize("name", SHUFFLES)
@given(random=st.randoms(use_true_random=False), b=st.integers(0, 0xFFFF), each=st.booleans())
def test_shuffles_read_the_named_lane_or_their_own(name: str, random: Random, b: int, each: bool) -> None:
    data = bits([random.getrandbits(32) for _ in range(64)]).reshape(2, 32)
    steps = [[random.randint(0, 40) for _ in range(32)] for _ in range(2)] if each else [[b] * 32] * 2
    operand = np.array(steps, np.uint16) if each else np.asarray(b, np.uint16)
    out = define(f"SHFL.{name}.U32")(DEFAULT, data, operand)
    for warp in range(2):
        for lane in range(32):
            source = SHUFFLES[name](lane, steps[warp][lane])
            assert out[warp, lane] == data[warp, source if 0 <= source < 32 else lane]


ATOMICS = {
    "ADD.U32": lambda old, r: (old + r) % (1 << 32),
    "MIN.U32": min,
    "MAX.U32": max,
    "MIN.S32": lambda old, r: min(old, r, key=lambda v: (v ^ 1 << 31) - (1 << 31)),
    "MAX.S32": lambda old, r: max(old, r, key=lambda v: (v ^ 1 << 31) - (1 << 31)),
    "AND.U32": lambda old, r: old & r,
    "OR.U32": lambda old, r: old | r,
    "XOR.U32": lambda old, r: old ^ r,
    "EXCH.U32": lambda old, r: r,
}


@pytest.mark.parametrize("name", ATOMICS)
@given(old=F32, r=F32)
def test_atomic_updates(name: str, old: int, r: int) -> None:
    combine = form(f"ATOM.{name}").combine
    assert combine is not None
    assert int(combine(DEFAULT, np.uint32(old), np.uint32(r))) == ATOMICS[name](old, r)


def test_atomic_compare_and_swap_and_float_sum() -> None:
    swap, add = form("ATOM.CAS.U32").combine, form("ATOM.ADD.F32").combine
    assert swap is not None
    assert add is not None
    assert int(swap(DEFAULT, np.uint32(5), np.uint32(9), np.uint32(5))) == 9
    assert int(swap(DEFAULT, np.uint32(6), np.uint32(9), np.uint32(5))) == 6
    assert int(add(DEFAULT, np.uint32(ONE), np.uint32(ONE))) == 0x40000000


_TOP = 1 << 63
LONG_ATOMICS = {
    "ADD.U64": lambda old, r: (old + r) % (1 << 64),
    "MIN.U64": min,
    "MAX.U64": max,
    "MIN.S64": lambda old, r: min(old, r, key=lambda v: (v ^ _TOP) - _TOP),
    "MAX.S64": lambda old, r: max(old, r, key=lambda v: (v ^ _TOP) - _TOP),
    "EXCH.U64": lambda old, r: r,
}


@pytest.mark.parametrize("name", LONG_ATOMICS)
@given(old=st.integers(0, 2**64 - 1), r=st.integers(0, 2**64 - 1))
def test_atomic_updates_of_64_bits(name: str, old: int, r: int) -> None:
    combine = form(f"ATOM.{name}").combine
    assert combine is not None
    assert int(combine(DEFAULT, np.uint64(old), np.uint64(r))) == LONG_ATOMICS[name](old, r)


def test_atomic_compare_and_swap_and_float_sum_of_64_bits() -> None:
    swap, add = form("ATOM.CAS.U64").combine, form("ATOM.ADD.F64").combine
    assert swap is not None
    assert add is not None
    big, other = np.uint64(5 << 40), np.uint64(6 << 40)
    assert int(swap(DEFAULT, big, np.uint64(9), big)) == 9
    assert int(swap(DEFAULT, other, np.uint64(9), big)) == int(other)
    a, b = (np.array(value).view(np.uint64) for value in (0.1, 0.2))
    assert float(np.asarray(add(DEFAULT, a, b)).view(np.float64)) == 0.1 + 0.2


# --- memory ----------------------------------------------------------------------------------------------------


def _lanes(count: int) -> Lanes:
    i = np.arange(count, dtype=np.uint32)
    return Lanes(i, i, i * 0, i * 0)


def test_addresses_of_wide_and_ddr_accesses() -> None:
    lanes = _lanes(3)
    dva = bits([8, 12, 0xFFFFFFFC])
    assert define("LOADCONT.W32")(DEFAULT, lanes, np.uint32(100)).tolist() == [100, 104, 108]
    assert define("LOAD.W32", "[DVA]")(DEFAULT, lanes, dva).tolist() == dva.tolist()
    assert define("STORE.U8", "offset")(DEFAULT, lanes, dva[:2], np.uint32(3)).tolist() == [11, 15]
    base = 0x12_3456_7800
    out = define("LOAD.D32")(DEFAULT, lanes, np.uint64(base), dva)
    assert out.dtype == np.uint64
    assert out.tolist() == [base + 8, base + 12, base + 0xFFFFFFFC]


def test_access_sizes_stand_in_the_width() -> None:
    sizes = {name: form(name).width for name in ("LOAD.W32", "LOAD.U8", "STORE.D8", "LOAD.D16", "STORE.D32")}
    assert sizes == {"LOAD.W32": 32, "LOAD.U8": 8, "STORE.D8": 8, "LOAD.D16": 16, "STORE.D32": 32}


@given(random=st.randoms(use_true_random=False))
def test_int8_dot_products_are_exact(random: Random) -> None:
    left = [random.choice([0x8080, 0x7F80, random.getrandbits(16)]) for _ in range(8)]
    right = [random.choice([0x8080, 0x807F, random.getrandbits(16)]) for _ in range(8)]

    def signed(byte: int) -> int:
        return byte - 256 if byte > 127 else byte

    pairs = list(zip(left, right, strict=True))
    wanted = sum(signed(a & 0xFF) * signed(b & 0xFF) + signed(a >> 8) * signed(b >> 8) for a, b in pairs)
    out = dot_int8(np.array([left], np.uint16), np.array([right], np.uint16))
    assert int(out[0]) == wanted % (1 << 32)


@given(a=F32, s=F32, c=st.integers(0, 0xFFFF))
def test_merge_takes_a_scalar_on_either_side(a: int, s: int, c: int) -> None:
    """The form with a scalar b gives it where the condition holds, the form with a scalar a where it does not."""
    rows = [form for form in forms_by_name()[spelling("MERGE")] if form.extension]
    assert [form.operands["a"].kind.name for form in rows] == ["V32", "S32"]
    for row in rows:
        assert row.define is not None
        found: Any = row.define(DEFAULT, bits([a]), bits([s]), np.array([c], np.uint16))
        assert int(found[0]) == (s if c else a)
