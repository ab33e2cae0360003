"""Rows that change the type of a value, and select.

Float to integer truncates toward zero and saturates, NaN gives 0; everything else rounds once to nearest even.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Final

from openrpp.kir.floats import DECODE, ENCODE, encode_exact, to_integer
from openrpp.kir.ops.form import Define, Op, Typing, choice
from openrpp.kir.types import ANY, FLOATS, INTS, POINTERS, SCALARS, Space, signed

_INT_INT: Final = {"S": INTS, "T": INTS}
_FLOAT_FLOAT: Final = {"S": FLOATS, "T": FLOATS}
_FLOAT_INT: Final = {"S": FLOATS, "T": INTS}
_VIEWS: Final = tuple(kind for kind in POINTERS if kind.space is not Space.PARAM)
_INT_FLOAT: Final = {"S": INTS, "T": FLOATS}

Unary = Callable[[int], int]


def _truncate(typing: Typing) -> Unary:
    mask = typing.result.mask
    return lambda a: a & mask


def _extend_zero(typing: Typing) -> Unary:
    return lambda a: a


def _extend_sign(typing: Typing) -> Unary:
    width, mask = typing.operands[0].bits, typing.result.mask
    return lambda a: signed(a, width) & mask


def _float_to_float(typing: Typing) -> Unary:
    decode, encode = DECODE[typing.operands[0]], ENCODE[typing.result]
    return lambda a: encode(decode(a))


def _float_to_int(is_signed: bool) -> Define:
    def define(typing: Typing) -> Unary:
        decode, width, mask = DECODE[typing.operands[0]], typing.result.bits, typing.result.mask
        low, high = (-(1 << (width - 1)), (1 << (width - 1)) - 1) if is_signed else (0, mask)
        return lambda a: to_integer(decode(a), low, high) & mask

    return define


def _int_to_float(is_signed: bool) -> Define:
    def define(typing: Typing) -> Unary:
        kind, width = typing.result, typing.operands[0].bits
        if is_signed:
            return lambda a: encode_exact(kind, Fraction(signed(a, width)))
        return lambda a: encode_exact(kind, Fraction(a))

    return define


def _select(typing: Typing) -> Callable[[int, int, int], int]:
    return lambda condition, a, b: a if condition else b


def rows() -> list[Op]:
    """Integer, float and pointer conversions."""
    same_width = "The same bits as another type of the same width."
    space = choice("space", *(space.value for space in Space if space not in (Space.GENERIC, Space.PARAM)))
    return [
        Op("trunc", "S -> T", "The low bits.", define=_truncate, where=_INT_INT, widths="narrower"),
        Op("zext", "S -> T", "Extended with zeros.", define=_extend_zero, where=_INT_INT, widths="wider"),
        Op("sext", "S -> T", "Extended with the sign.", define=_extend_sign, where=_INT_INT, widths="wider"),
        Op(
            "fptrunc",
            "S -> T",
            "To a narrower float type, rounded once.",
            define=_float_to_float,
            where=_FLOAT_FLOAT,
            widths="narrower",
        ),
        Op(
            "fpext",
            "S -> T",
            "To a wider float type; exact.",
            define=_float_to_float,
            where=_FLOAT_FLOAT,
            widths="wider",
        ),
        Op("fptosi", "S -> T", "Toward zero, saturated; NaN gives 0.", define=_float_to_int(True), where=_FLOAT_INT),
        Op(
            "fptoui",
            "S -> T",
            "Toward zero, saturated at 0; NaN gives 0.",
            define=_float_to_int(False),
            where=_FLOAT_INT,
        ),
        Op("sitofp", "S -> T", "Signed integer to float, rounded once.", define=_int_to_float(True), where=_INT_FLOAT),
        Op(
            "uitofp",
            "S -> T",
            "Unsigned integer to float, rounded once.",
            define=_int_to_float(False),
            where=_INT_FLOAT,
        ),
        Op("bitcast", "S -> T", same_width, define=_extend_zero, where={"S": SCALARS, "T": SCALARS}, widths="same"),
        Op("select", "i1 T T -> T", "b where the condition is 1, else c.", define=_select, where={"T": ANY}),
        Op(
            "ptrtoint",
            "P -> T",
            "The address as an integer, low bits.",
            define=_truncate,
            where={"P": POINTERS, "T": INTS},
        ),
        Op("inttoptr", "T -> P", "An integer as an address.", define=_extend_zero, where={"P": POINTERS, "T": INTS}),
        Op(
            "space_cast",
            "P -> Q",
            "The same place seen through another address space.",
            where={"P": _VIEWS, "Q": _VIEWS},
        ),
        Op(
            "is_space",
            "P -> i1",
            "Whether a generic address lies in a space.",
            where={"P": _VIEWS},
            attributes=(space,),
        ),
    ]
