"""Comparisons and conversions of floats with published instructions.

The published comparisons of floats are LT and GT, false with a NaN. As integers, the bits of a NaN without its sign are
above those of infinity.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping

from openrpp.codegen.card.lowering import ALL_ONES
from openrpp.codegen.card.published.expander import SIGN, Expander, Rule
from openrpp.codegen.card.steps import Read, Source

INFINITE = 0x7F80_0000
_NAN_FROM = INFINITE + 1
_MAGNITUDE = SIGN - 1
_ONE = 0x3F80_0000


# --- comparisons -------------------------------------------------------------------------------------------------


def _compare(relation: str) -> Rule:
    def rule(x: Expander, first: Read, second: Read) -> Source:
        a, b = first.source, second.source
        if isinstance(a, int) and not isinstance(b, int):
            swapped = {"LT": "GT", "GT": "LT", "LE": "GE", "GE": "LE"}
            return _ordered(x, swapped.get(relation, relation), b, a)
        return _ordered(x, relation, a, b)

    return rule


def _ordered(x: Expander, relation: str, a: Source, b: Source) -> Source:
    lower = x.lower
    if isinstance(b, int) and (b & _MAGNITUDE) > INFINITE:
        return int(relation == "NE")
    if relation in ("LT", "GT"):
        return lower.compare(f"CMP.F32.{relation}", a, b)
    if relation in ("EQ", "NE"):
        return _equality(x, relation == "EQ", a, b)
    return _weakly(x, relation, a, b)


def _equality(x: Expander, wanted: bool, a: Source, b: Source) -> Source:
    """a == b or a != b. Zeros have two patterns, other numbers one; without a constant, neither order holds."""
    lower = x.lower
    if isinstance(b, int):
        distance = lower.sub(a, b) if b & _MAGNITUDE else lower.shift("SHL.U32", a, 1)
        return x.below(distance, 1) if wanted else x.above(distance, 0)
    apart = _nan(x, a)
    if a is not b:
        apart = lower.either(apart, _nan(x, b))
        for relation in ("LT", "GT"):
            apart = lower.either(apart, lower.compare(f"CMP.F32.{relation}", a, b))
    return x.opposite(apart) if wanted else apart


def _nan(x: Expander, a: Source) -> Source:
    return x.above(x.lower.both(a, _MAGNITUDE), INFINITE)


def _weakly(x: Expander, relation: str, a: Source, b: Source) -> Source:
    """LE or GE: against a number, the strict relation to the next number; else neither the opposite nor a NaN."""
    lower, strict = x.lower, "LT" if relation == "LE" else "GT"
    if isinstance(b, int):
        beyond = _next(b, up=relation == "LE")
        if beyond is not None:
            return lower.compare(f"CMP.F32.{strict}", a, beyond)
        return x.below(lower.both(a, _MAGNITUDE), _NAN_FROM)
    opposite = lower.compare(f"CMP.F32.{'GT' if relation == 'LE' else 'LT'}", a, b)
    return x.opposite(lower.either(opposite, lower.either(_nan(x, a), _nan(x, b))))


def _next(bits: int, up: bool) -> int | None:
    """The next float32 above (or below); None beyond infinity."""
    negative, magnitude = bool(bits & SIGN), bits & _MAGNITUDE
    if not magnitude:
        return 1 if up else SIGN | 1
    if negative != up:
        return None if magnitude == INFINITE else bits + 1
    return bits - 1


# --- integers ------------------------------------------------------------------------------------------------------


def _float_bits(value: float) -> int:
    (bits,) = struct.unpack("<I", struct.pack("<f", value))
    return int(bits)


def _from_integer(is_signed: bool) -> Rule:
    """High and low half as exact floats by their place in a mantissa; their sum rounds once."""
    taken = 2.0**39 + 2.0**23 + (2.0**31 if is_signed else 0)

    def rule(x: Expander, value: Read) -> Source:
        lower, a = x.lower, value.source
        if is_signed:
            a = lower.add(a, SIGN)
        low = lower.either(lower.both(a, 0xFFFF), _float_bits(2.0**23))
        high = lower.either(lower.shift("SHR.U32", a, 16), _float_bits(2.0**39))
        return lower.pe("ADD.F32", lower.pe("SUB.F32", high, _float_bits(taken)), low)

    return rule


def _whole(x: Expander, a: Source, magnitude: Source) -> Source:
    """The integral part of a magnitude from 1 up to below 2^32; 0 below 1, nothing sensible beyond."""
    lower = x.lower
    mantissa = lower.either(lower.shift("SHL.U32", a, 8), SIGN)
    exponent = lower.shift("SHR.U32", magnitude, 23)
    found = lower.shift("SHR.U32", mantissa, lower.add(x.negative(exponent), 158))
    return lower.select(x.below(magnitude, _ONE), 0, found)


def _to_signed(x: Expander, value: Read) -> Source:
    lower, a = x.lower, value.source
    magnitude, negative = lower.both(a, _MAGNITUDE), lower.shift("SHR.U32", a, 31)
    found = _whole(x, a, magnitude)
    found = lower.select(negative, x.negative(found), found)
    fits = x.below(magnitude, _float_bits(2.0**31))
    found = lower.select(fits, found, lower.add(negative, SIGN - 1))
    return lower.select(x.above(magnitude, INFINITE), 0, found)


def _to_unsigned(x: Expander, value: Read) -> Source:
    """What is above infinity as an integer is a NaN or negative."""
    lower, a = x.lower, value.source
    found = lower.select(x.below(a, _float_bits(2.0**32)), _whole(x, a, a), ALL_ONES)
    return lower.select(x.above(a, INFINITE), 0, found)


# --- 16-bit floats -------------------------------------------------------------------------------------------------


def _rounded(x: Expander, a: Source, places: int) -> Source:
    """a / 2^places, to nearest even."""
    lower = x.lower
    odd = lower.both(lower.shift("SHR.U32", a, places), 1)
    return lower.shift("SHR.U32", lower.add(lower.add(a, odd), (1 << (places - 1)) - 1), places)


def _to_bf16(x: Expander, value: Read) -> Source:
    lower, a = x.lower, value.source
    quiet = lower.either(lower.shift("SHR.U32", a, 16), 0x40)
    return lower.select(_nan(x, a), quiet, _rounded(x, a, 16))


def _from_half(x: Expander, value: Read) -> Source:
    """Mantissa and exponent in place, then 2^112 times as much; what had the highest exponent gets the highest."""
    lower, a = x.lower, value.source
    magnitude = lower.shift("SHL.U32", lower.both(a, 0x7FFF), 13)
    scaled = lower.pe("MUL.F32", magnitude, _float_bits(2.0**112))
    beyond = x.above(magnitude, (0x7C00 << 13) - 1)
    found = lower.select(beyond, lower.either(scaled, INFINITE), scaled)
    return lower.either(found, lower.shift("SHL.U32", lower.both(a, 0x8000), 16))


def _to_half(x: Expander, value: Read) -> Source:
    """Normal numbers by rounding their bits; smaller ones by a sum with 0.5, whose last place is theirs."""
    lower, a = x.lower, value.source
    magnitude = lower.both(a, _MAGNITUDE)
    normal = _rounded(x, lower.sub(magnitude, 112 << 23), 13)
    half = _float_bits(0.5)
    small = lower.sub(lower.pe("ADD.F32", magnitude, half), half)
    found = lower.select(x.below(magnitude, _float_bits(2.0**-14)), small, normal)
    found = lower.select(x.above(magnitude, _float_bits(2.0**16) - 1), 0x7C00, found)
    found = lower.select(x.above(magnitude, INFINITE), 0x7E00, found)
    return lower.either(found, lower.both(lower.shift("SHR.U32", a, 16), 0x8000))


RULES: Mapping[str, Rule] = {
    **{f"CMP.F32.{relation}": _compare(relation) for relation in ("EQ", "NE", "LE", "GE")},
    "CVT.S32.F32": _from_integer(is_signed=True),
    "CVT.U32.F32": _from_integer(is_signed=False),
    "CVT.F32.S32": _to_signed,
    "CVT.F32.U32": _to_unsigned,
    "CVT.F32.F16.RN": _to_bf16,
    "CVT.H16.F32": _from_half,
    "CVT.F32.H16.RN": _to_half,
}
