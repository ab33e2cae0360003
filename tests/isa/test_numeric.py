"""Definitions of the processing element against exact arithmetic with fractions."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from openrpp.isa.form import Form
from openrpp.isa.numeric import DEFAULT, Numerics, dot_even_odd, mask_selects
from openrpp.isa.table import forms_by_name, spelling
from tests.isa.exact import is_finite, nearest_even, truncated, value

F16 = st.integers(0, 0xFFFF)
F32 = st.integers(0, 0xFFFFFFFF)
# Near-equal exponents, so that sums and products meet ties, cancellation and denormals often.
CLOSE16 = st.builds(lambda s, e, m: s << 15 | e << 7 | m, st.integers(0, 1), st.integers(120, 134), st.integers(0, 127))
TINY16 = st.builds(lambda s, e, m: s << 15 | e << 7 | m, st.integers(0, 1), st.integers(0, 80), st.integers(0, 127))
CLOSE32 = st.builds(
    lambda s, e, m: s << 31 | e << 23 | m, st.integers(0, 1), st.integers(115, 139), st.integers(0, 0x7FFFFF)
)
TINY32 = st.builds(
    lambda s, e, m: s << 31 | e << 23 | m, st.integers(0, 1), st.integers(0, 80), st.integers(0, 0x7FFFFF)
)
ANY16, ANY32 = st.one_of(F16, CLOSE16, TINY16), st.one_of(F32, CLOSE32, TINY32)


def form(name: str) -> Form:
    return next(form for form in forms_by_name()[spelling(name)] if form.slot.value == "processing element")


def run(name: str, *bits: tuple[int, int], numerics: Numerics = DEFAULT) -> int:
    """Result of a form for one lane; operands are (bits, width)."""
    define = form(name).define
    assert define is not None
    arrays = [np.array([value], np.uint16 if width == 16 else np.uint32) for value, width in bits]
    with np.errstate(all="ignore"):
        out: Any = define(numerics, *arrays)
    assert out.dtype == (np.uint32 if form(name).width == 32 else np.uint16), name
    return int(out[0])


def check(name: str, exact: Fraction, width: int, *bits: tuple[int, int]) -> None:
    """The result is the exact number rounded once (zeros of either sign are taken)."""
    got = run(name, *bits)
    if exact == 0:
        assert got << 1 & (1 << width) - 1 == 0, (name, bits)
    else:
        assert got == nearest_even(exact, width), (name, [hex(each) for each, _ in bits])


OPERATIONS = {"ADD": lambda a, b: a + b, "SUB": lambda a, b: a - b, "MUL": lambda a, b: a * b}


@pytest.mark.parametrize("name", OPERATIONS)
@given(a=ANY16, b=ANY16)
def test_bf16_arithmetic_rounds_the_exact_result_once(name: str, a: int, b: int) -> None:
    if is_finite(a, 16) and is_finite(b, 16):
        check(f"{name}.F16", OPERATIONS[name](value(a, 16), value(b, 16)), 16, (a, 16), (b, 16))


@pytest.mark.parametrize("name", OPERATIONS)
@given(a=ANY32, b=ANY32)
def test_float32_arithmetic_rounds_the_exact_result_once(name: str, a: int, b: int) -> None:
    if is_finite(a, 32) and is_finite(b, 32):
        check(f"{name}.F32", OPERATIONS[name](value(a, 32), value(b, 32)), 32, (a, 32), (b, 32))


@given(a=ANY16, b=ANY16, c=ANY16)
def test_bf16_multiply_add_rounds_once(a: int, b: int, c: int) -> None:
    if all(is_finite(each, 16) for each in (a, b, c)):
        exact = value(a, 16) * value(b, 16) + value(c, 16)
        check("FMA.F16", exact, 16, (a, 16), (b, 16), (c, 16))


@given(a=ANY16, b=ANY16, c=ANY32)
def test_bf16_product_plus_float32_rounds_once(a: int, b: int, c: int) -> None:
    if is_finite(a, 16) and is_finite(b, 16) and is_finite(c, 32):
        exact = value(a, 16) * value(b, 16) + value(c, 32)
        check("HFMA", exact, 32, (a, 16), (b, 16), (c, 32))


@given(a=ANY32, b=ANY32, c=ANY32)
def test_float32_multiply_add_rounds_once(a: int, b: int, c: int) -> None:
    if all(is_finite(each, 32) for each in (a, b, c)):
        exact = value(a, 32) * value(b, 32) + value(c, 32)
        check("FMA.F32", exact, 32, (a, 32), (b, 32), (c, 32))


def test_multiply_add_where_two_roundings_would_differ() -> None:
    """The product lies just beside a tie of bf16, and the addend tells on which side."""
    one, tie, tiny = 0x3F80, 0x3B80, 0x0080  # 1, 2^-8 (half a unit of 1), 2^-126
    assert run("FMA.F16", (one, 16), (one, 16), (tie, 16)) == one
    assert run("FMA.F16", (0x3F81, 16), (one, 16), (tie, 16)) == 0x3F82
    a, b = 0x3F800001, 0x3F7FFFFE
    assert run("FMA.F32", (a, 32), (b, 32), (0xBF800000, 32)) == nearest_even(value(a, 32) * value(b, 32) - 1, 32)
    assert run("HFMA", (tiny, 16), (tiny, 16), (0x3F800000, 32)) == 0x3F800000


@given(a=F32)
def test_float32_to_bf16_drops_the_low_half_and_rounds_to_nearest_in_the_extension(a: int) -> None:
    assert run("CVT.F32.F16", (a, 32)) == a >> 16
    if is_finite(a, 32):
        zero = a >> 16 & 0x8000
        assert run("CVT.F32.F16.RN", (a, 32)) == nearest_even(value(a, 32), 16, zero)


def test_conversions_to_bf16_keep_nan() -> None:
    for nan in (0x7F800001, 0xFFFFFFFF, 0x7FC00000):
        out = run("CVT.F32.F16.RN", (nan, 32))
        assert out & 0x7F80 == 0x7F80
        assert out & 0x7F


INTEGERS = {"S8": (-128, 127), "U8": (0, 255), "S16": (-(1 << 15), (1 << 15) - 1), "U16": (0, (1 << 16) - 1)}
INTEGERS |= {"S32": (-(1 << 31), (1 << 31) - 1), "U32": (0, (1 << 32) - 1)}


def registers(name: str) -> int:
    return 32 if name.endswith("32") else 16


@pytest.mark.parametrize("target", ["F16", "F32"])
@pytest.mark.parametrize("source", INTEGERS)
@given(data=st.data())
def test_integers_to_floats_round_once(source: str, target: str, data: st.DataObject) -> None:
    number = data.draw(st.integers(*INTEGERS[source]))
    width, out = registers(source), registers(target)
    junk = 0xAB00 if source.endswith("8") else 0  # the high byte of an 8-bit operand has no meaning
    bits = number % (1 << int(source[1:])) | junk
    assert run(f"CVT.{source}.{target}", (bits, width)) == nearest_even(Fraction(number), out)


@pytest.mark.parametrize("target", INTEGERS)
@pytest.mark.parametrize("source", ["F16", "F32"])
@given(bits=ANY32)
def test_floats_to_integers_go_toward_zero_and_saturate(source: str, target: str, bits: int) -> None:
    width, out = registers(source), registers(target)
    bits >>= 32 - width
    if is_finite(bits, width):
        wanted = truncated(value(bits, width), *INTEGERS[target])
        assert run(f"CVT.{source}.{target}", (bits, width)) == wanted % (1 << out)


def test_special_floats_to_integers() -> None:
    assert run("CVT.F32.S32", (0x7F800000, 32)) == 0x7FFFFFFF
    assert run("CVT.F32.S32", (0xFF800000, 32)) == 0x80000000
    assert run("CVT.F32.U16", (0xFF800000, 32)) == 0
    assert run("CVT.F16.S16", (0x7FC0, 16)) == 0
    wrap = Numerics(float_to_int="wrap")
    assert run("CVT.F32.U16", (0x47800080, 32), numerics=wrap) == 1  # 65537


@pytest.mark.parametrize(
    ("name", "bits", "wanted"),
    [
        ("CVT.S8.S16", 0x1280, 0xFF80),
        ("CVT.S8.S32", 0x0080, 0xFFFFFF80),
        ("CVT.U8.U16", 0x1280, 0x80),
        ("CVT.U8.U32", 0x12FF, 0xFF),
        ("CVT.S16.S32", 0x8000, 0xFFFF8000),
        ("CVT.U16.S32", 0x8000, 0x8000),
        ("CVT.U16.U32", 0xFFFF, 0xFFFF),
    ],
)
def test_integers_are_extended_by_their_sign_or_by_zero(name: str, bits: int, wanted: int) -> None:
    assert run(name, (bits, 16)) == wanted


ZERO, MINUS, ONE, NAN, INF = 0, 0x80000000, 0x3F800000, 0x7FC00000, 0x7F800000


@pytest.mark.parametrize(
    ("name", "a", "b", "wanted"),
    [
        ("MIN", ZERO, MINUS, MINUS),
        ("MIN", MINUS, ZERO, MINUS),
        ("MAX", MINUS, ZERO, ZERO),
        ("MAX", ZERO, MINUS, ZERO),
        ("MIN", NAN, ONE, ONE),
        ("MAX", ONE, NAN, ONE),
        ("MIN", ONE, INF, ONE),
        ("MAX", ONE, INF, INF),
        ("MIN", MINUS, MINUS, MINUS),
        ("MAX", ONE, ONE, ONE),
    ],
)
def test_minimum_and_maximum_order_zeros_and_prefer_numbers(name: str, a: int, b: int, wanted: int) -> None:
    assert run(f"{name}.F32", (a, 32), (b, 32)) == wanted
    assert run(f"{name}.F16", (a >> 16, 16), (b >> 16, 16)) == wanted >> 16


def test_minimum_may_be_set_to_propagate_nan() -> None:
    propagate = Numerics(minmax_nan="propagate")
    assert run("MIN.F32", (NAN, 32), (ONE, 32), numerics=propagate) == NAN
    assert run("MAX.F32", (ONE, 32), (NAN, 32), numerics=propagate) == NAN


RELATIONS = {
    "EQ": lambda a, b: a == b, "NE": lambda a, b: a != b, "LT": lambda a, b: a < b,
    "LE": lambda a, b: a <= b, "GT": lambda a, b: a > b, "GE": lambda a, b: a >= b,
}  # fmt: skip


@pytest.mark.parametrize("relation", RELATIONS)
@given(a=ANY32, b=ANY32, same=st.booleans())
def test_comparisons_follow_the_type(relation: str, a: int, b: int, same: bool) -> None:
    b = a if same else b
    for width in (16, 32):
        x, y = a >> (32 - width), b >> (32 - width)
        half = 1 << (width - 1)
        views = {"U": (x, y), "S": ((x ^ half) - half, (y ^ half) - half)}
        if is_finite(x, width) and is_finite(y, width):
            views["F"] = (value(x, width), value(y, width))
        for kind, (left, right) in views.items():
            wanted = int(RELATIONS[relation](left, right))
            assert run(f"CMP.{kind}{width}.{relation}", (x, width), (y, width)) == wanted


def test_comparisons_with_nan_are_false_except_not_equal() -> None:
    for relation in RELATIONS:
        assert run(f"CMP.F32.{relation}", (NAN, 32), (ONE, 32)) == int(relation == "NE")
        assert run(f"CMP.F16.{relation}", (NAN >> 16, 16), (NAN >> 16, 16)) == int(relation == "NE")
    assert run("CMP.F32.EQ", (ZERO, 32), (MINUS, 32)) == 1


@pytest.mark.parametrize("width", [16, 32])
@given(a=F32, b=F32, count=st.integers(0, 40))
def test_integer_operations_wrap_and_shifts_end_at_the_width(width: int, a: int, b: int, count: int) -> None:
    mask, half = (1 << width) - 1, 1 << (width - 1)
    a, b = a & mask, b & mask
    signed = (a ^ half) - half
    two = {"ADD": a + b, "SUB": a - b, "MUL": a * b, "AND": a & b, "OR": a | b, "XOR": a ^ b}
    for name, wanted in two.items():
        assert run(f"{name}.U{width}", (a, width), (b, width)) == wanted & mask, name
    assert run(f"NOT.U{width}", (a, width)) == ~a & mask
    assert run(f"SHL.U{width}", (a, width), (count, 16)) == (a << count) & mask
    assert run(f"SHR.U{width}", (a, width), (count, 16)) == a >> count
    assert run(f"SAR.S{width}", (a, width), (count, 16)) == (signed >> count) & mask


def test_shift_counts_may_be_set_to_wrap() -> None:
    modulo = Numerics(shift_overflow="modulo")
    assert run("SHL.U16", (1, 16), (17, 16), numerics=modulo) == 2
    assert run("SAR.S32", (0x80000000, 32), (33, 16), numerics=modulo) == 0xC0000000


@given(a=F16, b=F16)
def test_small_integer_operations(a: int, b: int) -> None:
    assert run("MUL.U16.WIDE", (a, 16), (b, 16)) == a * b
    assert run("UNPACK.U8", (a, 16)) == (a & 0xFF) | a >> 8 << 16
    assert run("UNPACK.U4.LOW", (a, 16)) == (a & 15) | (a >> 4 & 15) << 16
    assert run("UNPACK.U4.HIGH", (a, 16)) == (a >> 8 & 15) | (a >> 12) << 16
    assert run("COPYSIGN.F16", (a, 16), (b, 16)) == a & 0x8000 | b & 0x7FFF
    assert run("NEG.F16", (a, 16)) == a ^ 0x8000
    assert run("MERGE", (a, 16), (b, 16), (a & 1, 16)) == (b if a & 1 else a)


def test_denormal_results_may_be_set_to_flush() -> None:
    flush = Numerics(denormals="flush")
    assert run("MUL.F32", (0x00800000, 32), (0xBF000000, 32), numerics=flush) == MINUS
    assert run("MUL.F16", (0x0080, 16), (0x3F00, 16), numerics=flush) == 0
    assert run("MUL.F16", (0x0080, 16), (0x3F00, 16)) == 0x0040


def test_bf16_results_may_be_set_to_truncate() -> None:
    assert run("ADD.F16", (0x3F81, 16), (0x3B80, 16), numerics=Numerics(bf16_rounding="truncate")) == 0x3F81


def test_bf16_dot_adds_an_even_chain_and_an_odd_chain() -> None:
    products = [np.array([each], np.float32) for each in (1.0, 2.0**24, 2.0**-24, 1.0, 2.0**-24, 1.0)]
    assert dot_even_odd(products)[0] == np.float32(1.0) + np.float32(2.0**24)


def test_lane_masks_select_an_eighth_per_bit() -> None:
    lanes = np.arange(32)
    assert list(np.flatnonzero(mask_selects(DEFAULT, 1, lanes))) == [0, 8, 16, 24]
    assert list(np.flatnonzero(mask_selects(Numerics(mask_lanes="div"), 2, lanes))) == [4, 5, 6, 7]
    assert mask_selects(DEFAULT, 0xFF, lanes).all()


@pytest.mark.parametrize("signed", ["S", "U"])
@given(a=F32, b=F32, count=st.integers(0, 63))
def test_scalar_operations_on_integers(signed: str, a: int, b: int, count: int) -> None:
    for width in (16, 32):
        mask, half = (1 << width) - 1, 1 << (width - 1)
        x, y = a & mask, b & mask

        def scalar(name: str, *values: int, mask: int = mask) -> int:
            found = next(form for form in forms_by_name()[spelling(name)] if form.slot.value == "scalar")
            assert found.define is not None
            return found.define(*values) & mask

        view = (lambda v, half=half: (v ^ half) - half) if signed == "S" else (lambda v: v)
        assert scalar(f"ADD.{signed}{width}", x, y) == (x + y) & mask
        for relation in ("EQ", "NE", "LT", "LE"):
            wanted = int(RELATIONS[relation](view(x), view(y)))
            assert scalar(f"CMP.{signed}{width}.{relation}", x, y) == wanted
        assert scalar(f"AND.U{width}", x, y) == x & y
        assert scalar(f"XOR.U{width}", x, y) == x ^ y
        assert scalar(f"NOT.U{width}", x) == ~x & mask
        assert scalar(f"SAR.S{width}", x, count) == (((x ^ half) - half) >> count) & mask
