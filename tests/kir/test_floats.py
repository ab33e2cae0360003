"""Float definitions against NumPy, exact rationals and the definitions of the card's instructions."""

from __future__ import annotations

import math
import struct
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from openrpp.isa import numeric
from openrpp.kir.floats import DECODE, ENCODE, FORMATS, encode_exact, is_nan
from openrpp.kir.ops import lookup
from openrpp.kir.types import BF16, F16, F32, F64, FLOATS, I8, I32, I64, INTS, Type, signed

RAW = {F16: np.uint16, F32: np.uint32, F64: np.uint64}
NUMPY = {F16: np.float16, F32: np.float32, F64: np.float64}


def bits(kind: Type) -> st.SearchStrategy[int]:
    form = FORMATS[kind]
    special = [0, 1, form.infinity, form.infinity - 1, form.nan, form.infinity + 1, 1 << form.fraction]
    special += [bits | form.sign for bits in special] + [ENCODE[kind](v) for v in (1.0, -1.0, 0.5, 3.0, 1e-3)]
    return st.one_of(st.sampled_from(special), st.integers(0, kind.mask))


def several(count: int) -> st.SearchStrategy[tuple[Type, tuple[int, ...]]]:
    return st.sampled_from(FLOATS).flatmap(lambda kind: st.tuples(st.just(kind), st.tuples(*[bits(kind)] * count)))


def apply(name: str, kind: Type, *operands: int, result: Type | None = None, **attrs: str) -> int:
    op = lookup(name)
    kinds = [kind] * len(operands)
    return op.definition(kinds, op.result_type(kinds, result), attrs)(*operands)


def same(kind: Type, a: int, b: int) -> bool:
    return a == b or (is_nan(kind, a) and is_nan(kind, b))


def exact(kind: Type, a: int) -> Fraction:
    return Fraction(DECODE[kind](a))


@given(several(2))
def test_arithmetic_is_numpys_where_numpy_has_the_type(case: tuple[Type, tuple[int, int]]) -> None:
    kind, (a, b) = case
    if kind is BF16:
        return
    x, y = (np.array([v], RAW[kind]).view(NUMPY[kind]) for v in (a, b))
    with np.errstate(all="ignore"):
        results = {"fadd": x + y, "fsub": x - y, "fmul": x * y, "fdiv": x / y}
        for name, wanted in results.items():
            assert same(kind, apply(name, kind, a, b), int(wanted.view(RAW[kind])[0])), name
        for name, wanted in {"fsqrt": np.sqrt(x), "ffloor": np.floor(x), "frint": np.rint(x)}.items():
            assert same(kind, apply(name, kind, a), int(wanted.view(RAW[kind])[0])), name


@given(several(2))
def test_finite_results_are_the_exact_ones_rounded_once(case: tuple[Type, tuple[int, int]]) -> None:
    kind, (a, b) = case
    if not all(math.isfinite(DECODE[kind](v)) for v in (a, b)):
        return
    x, y = exact(kind, a), exact(kind, b)
    checks = {"fadd": x + y, "fsub": x - y, "fmul": x * y} | ({"fdiv": x / y} if y else {})
    for name, wanted in checks.items():
        if wanted:
            assert apply(name, kind, a, b) == encode_exact(kind, wanted), name


@given(several(3))
def test_fma_rounds_once(case: tuple[Type, tuple[int, int, int]]) -> None:
    kind, (a, b, c) = case
    got = apply("fma", kind, a, b, c)
    if all(math.isfinite(DECODE[kind](v)) for v in (a, b, c)):
        wanted = exact(kind, a) * exact(kind, b) + exact(kind, c)
        if wanted:
            assert got == encode_exact(kind, wanted)
        else:
            assert got in (0, FORMATS[kind].sign)
    else:
        product = (
            DECODE[kind](apply("fmul", kind, a, b)) if math.inf not in (DECODE[kind](a), DECODE[kind](b)) else None
        )
        assert product is None or not math.isfinite(DECODE[kind](got)) or math.isfinite(product)


def test_fma_keeps_what_a_detour_through_double_loses() -> None:
    a, c = ENCODE[F32](1 + 2.0**-12), ENCODE[F32](2.0**-80)
    assert apply("fma", F32, a, a, c) == ENCODE[F32](1 + 2.0**-11) + 1


@pytest.mark.parametrize(("a", "b", "c", "wanted"), [(1, -1, 1, 0.0), (-0.0, 1, -0.0, -0.0), (0.0, 1, -0.0, 0.0)])
def test_fma_signs_of_zero(a: float, b: float, c: float, wanted: float) -> None:
    assert apply("fma", F64, *(ENCODE[F64](v) for v in (a, b, c))) == ENCODE[F64](wanted)


@given(bits(F32), bits(F32), bits(F32))
def test_float32_is_the_cards(a: int, b: int, c: int) -> None:
    words = [np.array([v], np.uint32) for v in (a, b, c)]
    with np.errstate(all="ignore"):
        card = numeric.fma_f32(numeric.DEFAULT, *words)
        low = numeric.bits32(numeric.minimum(numeric.DEFAULT, *(numeric.f32(w) for w in words[:2])))
    assert same(F32, apply("fma", F32, a, b, c), int(card[0]))
    assert same(F32, apply("fmin", F32, a, b), int(low[0]))


@given(bits(BF16), bits(BF16), bits(BF16))
def test_bf16_is_the_cards(a: int, b: int, c: int) -> None:
    words = [np.array([v], np.uint16) for v in (a, b, c)]
    with np.errstate(all="ignore"):
        card = numeric.fma_bf16(numeric.DEFAULT, *words)
    assert same(BF16, apply("fma", BF16, a, b, c), int(card[0]))


@given(bits(F32))
def test_float32_to_bf16_is_the_cards_nearest_even(a: int) -> None:
    card = int(numeric.narrow(numeric.f32(np.array([a], np.uint32)), "nearest-even")[0])
    assert same(BF16, apply("fptrunc", F32, a, result=BF16), card)
    assert apply("fpext", BF16, a >> 16, result=F32) in (a & 0xFFFF_0000, FORMATS[F32].nan)


@given(bits(F64))
def test_exact_encoding_agrees_with_struct(a: int) -> None:
    value = DECODE[F64](a)
    if not math.isnan(value):
        for kind in (F16, F32, F64):
            assert encode_exact(kind, value) == ENCODE[kind](value)
    assert struct.unpack("<d", struct.pack("<Q", a))[0] == value or math.isnan(value)


@given(several(2))
def test_min_and_max_follow_ieee_2019(case: tuple[Type, tuple[int, int]]) -> None:
    kind, (a, b) = case
    x, y, nan = DECODE[kind](a), DECODE[kind](b), FORMATS[kind].nan
    number = {"fmin": b, "fmax": b} if math.isnan(x) else {"fmin": a, "fmax": a}
    for name, other in (("fmin", "fminimum"), ("fmax", "fmaximum")):
        if math.isnan(x) or math.isnan(y):
            assert same(kind, apply(name, kind, a, b), number[name])
            assert apply(other, kind, a, b) == nan
        else:
            assert apply(name, kind, a, b) == apply(other, kind, a, b)
            assert DECODE[kind](apply(name, kind, a, b)) == (min if name == "fmin" else max)(x, y)


@pytest.mark.parametrize("kind", FLOATS)
def test_minus_zero_is_below_plus_zero(kind: Type) -> None:
    zero, minus = 0, FORMATS[kind].sign
    assert apply("fmin", kind, zero, minus) == apply("fmin", kind, minus, zero) == minus
    assert apply("fmax", kind, zero, minus) == apply("fmax", kind, minus, zero) == zero


@given(several(2))
def test_comparisons_with_nan_depend_on_their_first_letter(case: tuple[Type, tuple[int, int]]) -> None:
    kind, (a, b) = case
    x, y = DECODE[kind](a), DECODE[kind](b)
    unordered = math.isnan(x) or math.isnan(y)
    relations = {"eq": x == y, "ne": x != y, "lt": x < y, "le": x <= y, "gt": x > y, "ge": x >= y}
    for name, holds in relations.items():
        assert apply("fcmp", kind, a, b, pred=f"o{name}") == int(holds and not unordered)
        assert apply("fcmp", kind, a, b, pred=f"u{name}") == int(holds or unordered)
    assert apply("fcmp", kind, a, b, pred="uno") == int(unordered)
    assert apply("fcmp", kind, a, b, pred="ord") == int(not unordered)


@given(st.sampled_from(FLOATS).flatmap(lambda k: st.tuples(st.just(k), bits(k))), st.sampled_from(INTS[1:]))
def test_float_to_integer_truncates_and_saturates(case: tuple[Type, int], target: Type) -> None:
    kind, a = case
    value, width = DECODE[kind](a), target.bits
    low, high = -(1 << (width - 1)), (1 << (width - 1)) - 1
    whole = 0 if math.isnan(value) else (math.copysign(2.0**80, value) if math.isinf(value) else value)
    assert signed(apply("fptosi", kind, a, result=target), width) == min(max(int(whole), low), high)
    assert apply("fptoui", kind, a, result=target) == min(max(int(whole), 0), target.mask)


@given(st.sampled_from((I8, I32, I64)), st.integers(0, (1 << 64) - 1), st.sampled_from(FLOATS))
def test_integer_to_float_rounds_once(source: Type, a: int, target: Type) -> None:
    a &= source.mask
    assert apply("uitofp", source, a, result=target) == encode_exact(target, Fraction(a))
    assert apply("sitofp", source, a, result=target) == encode_exact(target, Fraction(signed(a, source.bits)))


def test_large_integers_become_infinity_in_half_precision() -> None:
    assert apply("uitofp", I32, 65519, result=F16) == ENCODE[F16](65504.0)
    assert apply("uitofp", I32, 65520, result=F16) == FORMATS[F16].infinity


@given(several(2))
def test_sign_operations_keep_every_other_bit(case: tuple[Type, tuple[int, int]]) -> None:
    kind, (a, b) = case
    sign = FORMATS[kind].sign
    assert apply("fneg", kind, a) == a ^ sign
    assert apply("fabs", kind, a) == a & ~sign
    assert apply("copysign", kind, a, b) == (a & ~sign) | (b & sign)


@given(st.lists(st.integers(0, 0xFFFF), min_size=16, max_size=16), bits(F32))
def test_the_dot_of_eight_adds_even_and_odd_terms_apart(halves: list[int], c: int) -> None:
    pairs = [halves[k] | halves[k + 1] << 16 for k in range(0, 16, 2)]
    a, b = (np.array(part, np.uint16) for part in (halves[:8], halves[8:]))
    with np.errstate(all="ignore"):
        terms = [numeric.widen(a[k : k + 1]) * numeric.widen(b[k : k + 1]) for k in range(8)]
        wanted = numeric.bits32(numeric.f32(np.array([c], np.uint32)) + numeric.dot_even_odd(terms))
    got = lookup("dot8_bf16").definition([I32] * 8 + [F32], F32)(*pairs, c)
    assert same(F32, got, int(wanted[0]))


@pytest.mark.parametrize(("name", "x", "wanted"), [("fexp2", 3.0, 8.0), ("flog2", 8.0, 3.0), ("frsqrt", 4.0, 0.5)])
def test_the_cards_units_are_exact_on_powers_of_two(name: str, x: float, wanted: float) -> None:
    assert apply(name, F32, ENCODE[F32](x)) == ENCODE[F32](wanted)


@given(several(1))
def test_a_reciprocal_is_a_division(case: tuple[Type, tuple[int]]) -> None:
    kind, (a,) = case
    assert apply("frcp", kind, a) == apply("fdiv", kind, ENCODE[kind](1.0), a)
    assert apply("ftrunc", kind, a) in (apply("ffloor", kind, a), apply("fceil", kind, a))
