"""Integer definitions against independent arithmetic, at the edges that C leaves undefined."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from openrpp.kir.ops import OPS, lookup
from openrpp.kir.types import I1, I8, I16, I32, I64, INTS, WIDE_INTS, Type, signed

ALL = st.sampled_from(INTS)
EDGES = st.sampled_from((0, 1, 2, (1 << 63) - 1, 1 << 63, (1 << 64) - 1, 1 << 31, (1 << 31) - 1, 127, 128))
WORDS = st.one_of(EDGES, st.integers(0, (1 << 64) - 1))


def apply(name: str, kind: Type, *operands: int, result: Type | None = None, **attrs: bool | str) -> int:
    op = lookup(name)
    kinds = [kind] * len(operands)
    return op.definition(kinds, op.result_type(kinds, result), attrs)(*[bits & kind.mask for bits in operands])


@given(ALL, WORDS, WORDS)
def test_sums_and_products_wrap(kind: Type, a: int, b: int) -> None:
    assert apply("add", kind, a, b) == (a + b) % (1 << kind.bits)
    assert apply("sub", kind, a, b) == (a - b) % (1 << kind.bits)
    assert apply("mul", kind, a, b) == (a * b) % (1 << kind.bits)


@given(ALL, WORDS, WORDS)
def test_quotient_and_remainder_belong_together(kind: Type, a: int, b: int) -> None:
    a, b = a & kind.mask, b & kind.mask
    for quotient, rest in (("udiv", "urem"), ("sdiv", "srem")):
        q, r = apply(quotient, kind, a, b), apply(rest, kind, a, b)
        assert (q * b + r) & kind.mask == a


@pytest.mark.parametrize("kind", WIDE_INTS)
def test_division_by_zero_gives_all_ones_and_the_dividend(kind: Type) -> None:
    assert apply("udiv", kind, 7, 0) == apply("sdiv", kind, 7, 0) == kind.mask
    assert apply("urem", kind, 7, 0) == apply("srem", kind, 7, 0) == 7
    least = 1 << (kind.bits - 1)
    assert apply("sdiv", kind, least, -1) == least
    assert apply("srem", kind, least, -1) == 0


def test_signed_division_truncates_toward_zero() -> None:
    assert signed(apply("sdiv", I32, -7, 2), 32) == -3
    assert signed(apply("srem", I32, -7, 2), 32) == -1


@given(st.sampled_from(WIDE_INTS), WORDS, st.integers(0, 200))
def test_a_shift_by_the_width_or_more_leaves_zero_or_the_sign(kind: Type, a: int, count: int) -> None:
    a &= kind.mask
    count &= kind.mask
    assert apply("shl", kind, a, count) == (a << count) & kind.mask
    assert apply("lshr", kind, a, count) == a >> count
    assert apply("ashr", kind, a, count) == (signed(a, kind.bits) >> count) & kind.mask


@given(st.sampled_from((I8, I16, I32, I64)), WORDS, WORDS, st.integers(0, 200))
def test_funnel_shifts_take_their_count_modulo_the_width(kind: Type, a: int, b: int, count: int) -> None:
    a, b = a & kind.mask, b & kind.mask
    count &= kind.mask
    joined = a << kind.bits | b
    assert apply("fshl", kind, a, b, count) == (joined << count % kind.bits) >> kind.bits & kind.mask
    assert apply("fshr", kind, a, b, count) == joined >> count % kind.bits & kind.mask


@given(st.sampled_from(WIDE_INTS), WORDS)
def test_counts_of_bits(kind: Type, a: int) -> None:
    a &= kind.mask
    text = f"{a:0{kind.bits}b}"
    assert apply("popc", kind, a) == text.count("1")
    assert apply("clz", kind, a) == (text + "1").index("1") if a else kind.bits
    assert apply("ctz", kind, a) == (text[::-1].index("1") if a else kind.bits & kind.mask)
    assert apply("ffs", kind, a) == (text[::-1].index("1") + 1 if a else 0)
    assert apply("brev", kind, a) == int(text[::-1], 2)


@given(st.sampled_from((I32, I64)), WORDS, WORDS)
def test_high_halves_of_products(kind: Type, a: int, b: int) -> None:
    a, b, width = a & kind.mask, b & kind.mask, kind.bits
    assert apply("mulhi_u", kind, a, b) == a * b >> width
    assert apply("mulhi_s", kind, a, b) == (signed(a, width) * signed(b, width) >> width) & kind.mask


@given(ALL, WORDS, WORDS)
def test_comparisons_agree_with_python(kind: Type, a: int, b: int) -> None:
    a, b = a & kind.mask, b & kind.mask
    x, y = signed(a, kind.bits), signed(b, kind.bits)
    wanted = {"eq": a == b, "ne": a != b, "ult": a < b, "ule": a <= b, "ugt": a > b, "uge": a >= b}
    wanted |= {"slt": x < y, "sle": x <= y, "sgt": x > y, "sge": x >= y}
    assert {pred: apply("icmp", kind, a, b, pred=pred) for pred in wanted} == wanted
    assert apply("umin", kind, a, b) == min(a, b)
    assert apply("smax", kind, a, b) == max(x, y) & kind.mask


def test_the_least_value_has_no_absolute_value() -> None:
    assert apply("abs", I8, -5) == 5
    assert apply("abs", I8, -128) == 0x80


@given(st.binary(min_size=8, max_size=8), st.integers(0, (1 << 32) - 1), st.booleans(), st.booleans())
def test_dp4a_adds_four_byte_products(data: bytes, c: int, a_signed: bool, b_signed: bool) -> None:
    a, b = (
        np.frombuffer(part, np.int8 if flag else np.uint8)
        for part, flag in ((data[:4], a_signed), (data[4:], b_signed))
    )
    wanted = (c + int(np.dot(a.astype(int), b.astype(int)))) & 0xFFFF_FFFF
    words = [int.from_bytes(part, "little") for part in (data[:4], data[4:])]
    assert apply("dp4a", I32, *words, c, a_signed=a_signed, b_signed=b_signed) == wanted


def test_prmt_picks_bytes_and_signs() -> None:
    assert apply("prmt", I32, 0x33221100, 0x77665544, 0x7531) == 0x77553311
    assert apply("prmt", I32, 0x000000F0, 0x0000000F, 0x8C80) == 0xFF00FFF0
    assert apply("bswap", I32, 0x11223344) == 0x44332211


@given(st.sampled_from(INTS), st.sampled_from(INTS), WORDS)
def test_widths_change_by_the_rule_of_each_op(source: Type, target: Type, a: int) -> None:
    a &= source.mask
    if target.bits > source.bits:
        assert apply("zext", source, a, result=target) == a
        assert apply("sext", source, a, result=target) == signed(a, source.bits) & target.mask
    elif target.bits < source.bits:
        assert apply("trunc", source, a, result=target) == a & target.mask


def test_every_row_has_a_sentence_and_a_definition_where_it_computes() -> None:
    no_value = {"space_cast", "is_space"}
    for op in OPS.values():
        assert op.doc.endswith("."), op.name
        assert op.effect.value not in ("pure", "geometry", "atomic", "warp") or op.define or op.name in no_value, (
            op.name
        )


def test_a_bit_is_minus_one_when_signed() -> None:
    assert apply("icmp", I1, 1, 0, pred="slt") == 1
    assert apply("sext", I1, 1, result=I8) == 0xFF


def test_unpacked_parts_stand_in_halves() -> None:
    assert apply("unpack4", I32, 0x9876_5432, 0x4300_4300) == 0x4303_4302
    assert apply("unpack4", I32, 0x9876_5432, 0, high=True) == 0x0005_0004
    assert apply("unpack8", I32, 0x9876_5432, 0x4300_4300) == 0x4354_4332
