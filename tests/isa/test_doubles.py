"""Instructions on 64-bit floats: every definition against exact fractions or Python's own floats."""

from __future__ import annotations

import math
import struct
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from openrpp.isa.doubles import fused_f64
from openrpp.isa.form import Form, Kind
from openrpp.isa.numeric import DEFAULT
from openrpp.isa.table import PUBLISHED, decode_form, forms_by_name, spelling
from openrpp.isa.table.double import rows

INF, NAN = math.inf, math.nan
SPECIAL = [
    *(0.0, -0.0, 1.0, -1.0, 0.5, 1.5, 2.5, -2.5, 0.49999999999999994, 4503599627370495.5, 2.0**52, 2.0**53 + 2),
    *(5e-324, -5e-324, 2.2250738585072009e-308, 2.2250738585072014e-308, 1.7976931348623157e308, INF, -INF, NAN),
    *(2147483647.0, 2147483647.5, 2147483648.0, -2147483648.0, -2147483649.0, 4294967295.5, 4294967296.0),
    *(2.0**63, -(2.0**63), 2.0**64, 2.0**63 - 1024, 2.0**64 - 2048, -0.9, 3.4028235677973366e38, 65520.0, 2.0**-25),
]
patterns = st.one_of(
    st.sampled_from([struct.unpack("<Q", struct.pack("<d", value))[0] for value in SPECIAL]),
    st.integers(0, (1 << 64) - 1),
    st.integers(0x3F00_0000_0000_0000, 0x40FF_FFFF_FFFF_FFFF),
)


def value(pattern: int) -> float:
    return struct.unpack("<d", struct.pack("<Q", pattern))[0]


def bits(number: float) -> int:
    return struct.unpack("<Q", struct.pack("<d", number))[0]


def same(found: int, wanted: float) -> bool:
    """Equal bits, but for those of NaNs, which are quiet."""
    if wanted != wanted:
        return found & ~(1 << 63) >= 0x7FF8_0000_0000_0000
    return found == bits(wanted)


def define(name: str) -> Any:
    (first, *_) = forms_by_name()[spelling(name)]
    assert first.define is not None
    return first.define


def words(pattern: int) -> list[Any]:
    return [np.array([pattern >> shift & 0xFFFF_FFFF], np.uint32) for shift in (0, 32)]


def one(name: str, *operands: int) -> int:
    """The result of a form that gives 32 bits or fewer."""
    with np.errstate(all="ignore"):
        return int(define(name)(DEFAULT, *(word for operand in operands for word in words(operand)))[0])


def both(name: str, *operands: int) -> int:
    return one(f"{name}.LOW", *operands) | one(f"{name}.HIGH", *operands) << 32


def divided(a: float, b: float) -> float:
    if b:
        return a / b
    return NAN if a == 0 or a != a else math.copysign(INF, a) * math.copysign(1.0, b)


ARITHMETIC: dict[str, Callable[[float, float], float]] = {
    "ADD": lambda a, b: a + b,
    "SUB": lambda a, b: a - b,
    "MUL": lambda a, b: a * b,
    "DIV": divided,
}


@pytest.mark.parametrize("name", ARITHMETIC)
@given(a=patterns, b=patterns)
def test_arithmetic_rounds_once(name: str, a: int, b: int) -> None:
    assert same(both(f"{name}.F64", a, b), ARITHMETIC[name](value(a), value(b)))


def exact_fma(a: float, b: float, c: float) -> float:
    """By fractions; rounding by Python's division of integers, which is right to the last bit."""
    if not all(map(math.isfinite, (a, b, c))):
        return c if math.isfinite(a) and math.isfinite(b) else a * b + c
    total = Fraction(a) * Fraction(b) + Fraction(c)
    if total == 0:
        return 0.0 if a * b != 0 or Fraction(a) * Fraction(b) != 0 else a * b + c
    try:
        return total.numerator / total.denominator
    except OverflowError:
        return INF if total > 0 else -INF


@given(a=patterns, b=patterns, c=patterns)
def test_multiply_add_rounds_once(a: int, b: int, c: int) -> None:
    assert same(both("FMA.F64", a, b, c), exact_fma(value(a), value(b), value(c)))


@given(a=patterns, b=patterns, low=st.integers(-3, 3), shift=st.integers(-1100, 1100))
def test_multiply_add_near_cancellation_and_near_midpoints(a: int, b: int, low: int, shift: int) -> None:
    x, y = math.ldexp(math.frexp(value(a))[0], shift // 2), math.frexp(value(b))[0]
    z = bits(-x * y) + low
    if math.isfinite(x) and math.isfinite(y) and 0 <= z < 1 << 64:
        wanted = exact_fma(x, y, value(z))
        assert same(both("FMA.F64", bits(x), bits(y), z), wanted)
        tiny = x * y * 2.0**-53 * (1 + 2.0**-52 * low)
        assert same(both("FMA.F64", bits(x), bits(y), bits(tiny)), exact_fma(x, y, tiny))


def test_multiply_add_of_many_lanes_equals_one_lane_at_a_time() -> None:
    random = np.random.default_rng(5)
    triples = random.choice(np.array(SPECIAL), (3, 4000))
    triples[:, ::2] = random.standard_normal((3, 2000)) * 2.0 ** random.integers(-600, 600, (3, 2000))
    with np.errstate(all="ignore"):
        found = fused_f64(*triples).view(np.uint64)
    assert all(same(int(x), exact_fma(*map(float, y))) for x, y in zip(found, triples.T, strict=True))


@pytest.mark.parametrize(("name", "smaller"), [("MIN", True), ("MAX", False)])
@given(a=patterns, b=patterns)
def test_extrema_prefer_numbers_and_order_zeros(name: str, smaller: bool, a: int, b: int) -> None:
    x, y = value(a), value(b)
    if x != x or y != y:
        wanted = y if x != x else x
    else:
        order = sorted((x, y), key=lambda item: (item, math.copysign(1.0, item)))
        wanted = order[0] if smaller else order[1]
    found = both(f"{name}.F64", a, b)
    assert same(found, wanted) or (wanted != wanted and value(found) != value(found))


RELATIONS: dict[str, Callable[[float, float], bool]] = {
    "LT": lambda a, b: a < b,
    "GT": lambda a, b: a > b,
    "EQ": lambda a, b: a == b,
    "NE": lambda a, b: a != b,
    "LE": lambda a, b: a <= b,
    "GE": lambda a, b: a >= b,
}


@pytest.mark.parametrize("name", RELATIONS)
@given(a=patterns, b=patterns)
def test_relations(name: str, a: int, b: int) -> None:
    assert one(f"CMP.F64.{name}", a, b) == RELATIONS[name](value(a), value(b))


def whole(kind: Callable[[float], int]) -> Callable[[float], float]:
    """A rounding of Python's, which keeps the sign of zero."""
    return lambda a: math.copysign(float(kind(a)), a) if math.isfinite(a) else a


ROUNDINGS: dict[str, Callable[[float], float]] = {
    "FLOOR": whole(math.floor),
    "CEIL": whole(math.ceil),
    "TRUNC": whole(math.trunc),
    "RINT": whole(round),
    "SQRT": lambda a: NAN if a < 0 else math.copysign(math.sqrt(abs(a)), a),
}


@pytest.mark.parametrize("name", ROUNDINGS)
@given(a=patterns)
def test_roots_and_roundings(name: str, a: int) -> None:
    assert same(both(f"{name}.F64", a), ROUNDINGS[name](value(a)))


def integral(a: float, low: int, high: int) -> int:
    if a != a:
        return 0
    return low if a == -INF else high if a == INF else min(max(int(a), low), high)


@given(a=patterns)
def test_to_integers_toward_zero_and_saturated(a: int) -> None:
    x = value(a)
    for size, found in ((32, one), (64, both)):
        signed, unsigned = found(f"CVT.F64.S{size}", a), found(f"CVT.F64.U{size}", a)
        assert signed == integral(x, -(1 << size - 1), (1 << size - 1) - 1) & ((1 << size) - 1)
        assert unsigned == integral(x, 0, (1 << size) - 1)


@given(a=st.one_of(st.integers(0, (1 << 64) - 1), st.integers(0, 64).map(lambda n: (1 << n) - 1)))
def test_from_integers_rounded_once(a: int) -> None:
    assert value(both("CVT.U64.F64", a)) == float(a)
    assert value(both("CVT.S64.F64", a)) == float(a - (a >> 63 << 64))
    low = a & 0xFFFF_FFFF
    for name, wanted in (("U32", low), ("S32", low - (low >> 31 << 32))):
        found = [int(define(f"CVT.{name}.F64.{part}")(DEFAULT, *words(a)[:1])[0]) for part in ("LOW", "HIGH")]
        assert value(found[0] | found[1] << 32) == wanted


def nearest(a: float, precision: int, lowest: int, largest: float) -> float:
    """A number of few bits, ties to even; `lowest` is the exponent of the smallest denormal."""
    if a != a or math.isinf(a) or a == 0:
        return a
    unit = max(math.frexp(a)[1] - precision, lowest)
    rounded = Fraction(round(Fraction(a) / Fraction(2) ** unit)) * Fraction(2) ** unit
    return math.copysign(INF if abs(rounded) > largest else float(abs(rounded)), a)


@given(a=patterns, shift=st.integers(-180, 140), tie=st.integers(0, 3))
def test_to_narrower_floats_rounded_once(a: int, shift: int, tie: int) -> None:
    near_tie = bits(math.ldexp(1 + (2 * tie + 1) * 2.0**-11, shift)) + (a & 1)
    for pattern in (a, near_tie, bits(math.ldexp(1 + (2 * tie + 1) * 2.0**-8, shift)) + (a & 1)):
        x = value(pattern)
        single = value(bits(struct.unpack("<f", struct.pack("<I", one("CVT.F64.F32", pattern)))[0]))
        half = struct.unpack("<e", struct.pack("<H", one("CVT.F64.H16.RN", pattern)))[0]
        brain = struct.unpack("<f", struct.pack("<I", one("CVT.F64.F16.RN", pattern) << 16))[0]
        for found, wanted in (
            (single, nearest(x, 24, -149, 3.4028234663852886e38)),
            (half, nearest(x, 11, -24, 65504.0)),
            (brain, nearest(x, 8, -133, 3.3895313892515355e38)),
        ):
            assert bits(found) == bits(wanted) or (found != found and wanted != wanted)


@given(a=st.integers(0, 0xFFFF_FFFF))
def test_from_singles(a: int) -> None:
    found = [int(define(f"CVT.F32.F64.{part}")(DEFAULT, np.array([a], np.uint32))[0]) for part in ("LOW", "HIGH")]
    wanted = struct.unpack("<f", struct.pack("<I", a))[0]
    assert same(found[0] | found[1] << 32, wanted)


def scalar_forms() -> list[Form]:
    return [form for row in rows() for form in row.forms if any(o.kind is Kind.S32 for o in form.operands.values())]


def test_operations_of_two_operands_take_scalars() -> None:
    names = {form.name.rsplit(".", 1)[0] for form in scalar_forms() if not form.name.startswith("CMP")}
    assert names == {f"{name}.F64" for name in ("ADD", "SUB", "MUL", "DIV", "MIN", "MAX", "FMA")}


def test_words_of_the_group_mean_nothing_else() -> None:
    forms = [form for row in rows() for form in row.forms]
    others = [form for row in PUBLISHED for form in row.forms]
    assert {form.base >> 24 for form in forms} == set(range(0x88, 0x90))
    assert not any(0x88 <= form.base >> 24 <= 0x8F for form in others)
    found = [decode_form(form.base) for form in forms]
    assert [(form.name, form.syntax) for form in found if form] == [(form.name, form.syntax) for form in forms]
