"""Floating-point rows: one rounding to nearest even per op, denormals kept, NaN results canonical.

f16 and bf16 arithmetic rounds the exact result once to its own type. `fneg`, `fabs`, `copysign` and `select` move bits
and keep NaN payloads.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from functools import cache
from typing import Any, Final

import numpy as np

from openrpp.isa import transcendental
from openrpp.isa.numeric import DEFAULT
from openrpp.kir.floats import DECODE, ENCODE, FORMATS, encode_exact, fused, is_nan
from openrpp.kir.ops.form import Define, Op, Typing, choice
from openrpp.kir.types import BF16, F32, FLOATS, Type

_F: Final = {"T": FLOATS}


def binary(operation: Callable[[float, float], float]) -> Define:
    """An operation that float64 arithmetic rounds innocuously or exactly (f16, f32, f64), or that is exact (bf16 *)."""

    def define(typing: Typing) -> Callable[[int, int], int]:
        kind = typing.result
        decode, encode = DECODE[kind], ENCODE[kind]
        return lambda a, b: encode(operation(decode(a), decode(b)))

    return define


def _sum(sign: float) -> Define:
    """a + b or a - b; a bf16 sum may not fit float64, so it is formed exactly."""
    in_double = binary(lambda a, b: a + sign * b)

    def define(typing: Typing) -> Callable[[int, int], int]:
        if typing.result is not BF16:
            return in_double(typing)
        one = ENCODE[BF16](sign)
        return lambda a, b: fused(BF16, one, b, a)

    return define


def divide(a: float, b: float) -> float:
    """IEEE division of float64."""
    if b:
        return a / b
    if not a or a != a:
        return math.nan
    return math.copysign(math.inf, a) * math.copysign(1.0, b)


def _quotient(typing: Typing) -> Callable[[int, int], int]:
    if typing.result is not BF16:
        return binary(divide)(typing)
    decode = DECODE[BF16]

    def quotient(a: int, b: int) -> int:
        x, y = decode(a), decode(b)
        if not (x and y and math.isfinite(x) and math.isfinite(y)):
            return ENCODE[BF16](divide(x, y))
        return encode_exact(BF16, Fraction(x) / Fraction(y))

    return quotient


def root(value: float) -> float:
    """IEEE square root of float64; -0 stays."""
    return math.sqrt(value) if value >= 0 or value != value else math.nan


def unary(operation: Callable[[float], float]) -> Define:
    """An operation on one value, rounded once more to the type."""

    def define(typing: Typing) -> Callable[[int], int]:
        decode, encode = DECODE[typing.operands[0]], ENCODE[typing.result]
        return lambda a: encode(operation(decode(a)))

    return define


def _reciprocal(typing: Typing) -> Callable[[int], int]:
    quotient, one = _quotient(typing), ENCODE[typing.result](1.0)
    return lambda a: quotient(one, a)


def integral(operation: Callable[[float], int]) -> Callable[[float], float]:
    """Rounding to an integral value that keeps the sign of zero, infinities and NaN."""

    def rounded(value: float) -> float:
        return math.copysign(float(operation(value)), value) if math.isfinite(value) else value

    return rounded


def _fma(typing: Typing) -> Callable[[int, int, int], int]:
    kind = typing.result
    return lambda a, b, c: fused(kind, a, b, c)


def _bits(operation: Callable[..., int]) -> Define:
    """An operation on bits that also takes the sign bit."""

    def define(typing: Typing) -> Callable[..., int]:
        sign = FORMATS[typing.result].sign
        return lambda *operands: operation(*operands, sign)

    return define


def _flipped(a: int, sign: int) -> int:
    return a ^ sign


def _cleared(a: int, sign: int) -> int:
    return a & (sign - 1)


def _with_sign(a: int, b: int, sign: int) -> int:
    return (a & (sign - 1)) | (b & sign)


def ordered(kind: Type, bits: int) -> int:
    """An integer that orders the values of a type, -0 below +0; NaNs excepted."""
    sign = FORMATS[kind].sign
    return -(bits & (sign - 1)) - 1 if bits & sign else bits


def extremum(larger: bool, number: bool) -> Define:
    """minimumNumber, maximumNumber (number) or minimum, maximum of IEEE 754-2019."""

    def define(typing: Typing) -> Callable[[int, int], int]:
        kind = typing.result
        nan = FORMATS[kind].nan

        def chosen(a: int, b: int) -> int:
            a_nan, b_nan = is_nan(kind, a), is_nan(kind, b)
            if a_nan or b_nan:
                return nan if (a_nan and b_nan) or not number else (b if a_nan else a)
            first = ordered(kind, a) < ordered(kind, b)
            return a if first is not larger else b

        return chosen

    return define


FLOAT_PREDICATES: Final = (
    *("oeq", "one", "olt", "ole", "ogt", "oge", "ord"),
    *("ueq", "une", "ult", "ule", "ugt", "uge", "uno"),
)
_RELATIONS: Final[dict[str, Callable[[float, float], bool]]] = {
    "eq": lambda a, b: a == b,
    "ne": lambda a, b: a != b,
    "lt": lambda a, b: a < b,
    "le": lambda a, b: a <= b,
    "gt": lambda a, b: a > b,
    "ge": lambda a, b: a >= b,
    "rd": lambda a, b: True,
    "no": lambda a, b: False,
}


def _compare(typing: Typing) -> Callable[[int, int], int]:
    predicate = str(typing.attrs["pred"])
    relation, unordered = _RELATIONS[predicate[-2:]], int(predicate[0] == "u")
    decode = DECODE[typing.operands[0]]

    def compare(a: int, b: int) -> int:
        x, y = decode(a), decode(b)
        return unordered if x != x or y != y else int(relation(x, y))

    return compare


def _unit(definition: Callable[..., Any]) -> Define:
    """A float32 unit of the card: its definition in `isa.transcendental`, on one value."""

    @cache
    def evaluate(bits: int) -> int:
        result = int(np.asarray(definition(DEFAULT, np.asarray([bits], np.uint32))).reshape(()))
        return FORMATS[F32].nan if is_nan(F32, result) else result

    return lambda typing: evaluate


def _dot8(typing: Typing) -> Callable[..., int]:
    decode, encode = DECODE[F32], ENCODE[F32]

    def halves(words: tuple[int, ...]) -> list[float]:
        return [decode(half) for word in words for half in (word << 16 & 0xFFFF_0000, word & 0xFFFF_0000)]

    def single(value: float) -> float:
        return decode(encode(value))

    def dot(*operands: int) -> int:
        chains = [0.0, 0.0]
        for index, (x, y) in enumerate(zip(halves(operands[:4]), halves(operands[4:8]), strict=True)):
            chains[index % 2] = single(chains[index % 2] + single(x * y))
        return encode(decode(operands[8]) + single(chains[0] + chains[1]))

    return dot


def rows() -> list[Op]:
    """Arithmetic, rounding to integral values, comparison, the card's units and its dot product."""
    return [*_arithmetic(), *_signs(), *_extrema(), *_integral(), *_units(), _comparison(), _dot_row()]


def _row(name: str, signature: str, doc: str, define: Define, commutative: bool = False) -> Op:
    return Op(name, signature, doc, define=define, where=_F, commutative=commutative)


def _arithmetic() -> list[Op]:
    return [
        _row("fadd", "T T -> T", "a + b.", _sum(1.0), True),
        _row("fsub", "T T -> T", "a - b.", _sum(-1.0)),
        _row("fmul", "T T -> T", "a b.", binary(lambda a, b: a * b), True),
        _row("fdiv", "T T -> T", "a / b.", _quotient),
        _row("fma", "T T T -> T", "a b + c, rounded once.", _fma),
        _row("frcp", "T -> T", "1 / a, correctly rounded.", _reciprocal),
        _row("fsqrt", "T -> T", "Square root, correctly rounded; NaN below -0.", unary(root)),
    ]


def _signs() -> list[Op]:
    return [
        _row("fneg", "T -> T", "The sign bit flipped.", _bits(_flipped)),
        _row("fabs", "T -> T", "The sign bit cleared.", _bits(_cleared)),
        _row("copysign", "T T -> T", "Magnitude of a, sign of b.", _bits(_with_sign)),
    ]


def _extrema() -> list[Op]:
    number = "of IEEE 754-2019: -0 below +0, a NaN loses against a number"
    propagate = "of IEEE 754-2019: -0 below +0, NaN if either is NaN"
    return [
        _row("fmin", "T T -> T", f"minimumNumber {number}.", extremum(False, True), True),
        _row("fmax", "T T -> T", f"maximumNumber {number}.", extremum(True, True), True),
        _row("fminimum", "T T -> T", f"minimum {propagate}.", extremum(False, False), True),
        _row("fmaximum", "T T -> T", f"maximum {propagate}.", extremum(True, False), True),
    ]


def _integral() -> list[Op]:
    return [
        _row("ffloor", "T -> T", "The next integral value at or below a.", unary(integral(math.floor))),
        _row("fceil", "T -> T", "The next integral value at or above a.", unary(integral(math.ceil))),
        _row("ftrunc", "T -> T", "The integral part.", unary(integral(math.trunc))),
        _row("frint", "T -> T", "The nearest integral value, ties to even.", unary(integral(round))),
    ]


def _units() -> list[Op]:
    def row(name: str, doc: str, definition: Callable[..., Any]) -> Op:
        return Op(name, "f32 -> f32", doc, define=_unit(definition))

    return [
        row("frsqrt", "1 / sqrt(a), correctly rounded.", transcendental.reciprocal_root),
        row("fexp2", "2^a as the card's EX2 gives it, within 0.50002 ulp.", transcendental.power_of_two),
        row("flog2", "log2(a) as the card's LG2 gives it, within 0.500001 ulp.", transcendental.binary_logarithm),
    ]


def _comparison() -> Op:
    return Op(
        "fcmp",
        "T T -> i1",
        "1 where the relation holds; with a NaN, o relations are 0 and u relations 1.",
        define=_compare,
        where=_F,
        attributes=(choice("pred", *FLOAT_PREDICATES),),
    )


def _dot_row() -> Op:
    return Op(
        "dot8_bf16",
        "i32 i32 i32 i32 i32 i32 i32 i32 f32 -> f32",
        "c + (E + O): eight products of bf16 pairs, low half first; E adds terms 0, 2, 4, 6 and O terms 1, 3, 5, 7 in "
        "float32, each from +0, ascending.",
        define=_dot8,
    )
