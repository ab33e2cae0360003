"""Rows of the group `double`: 64-bit floats in the processing element, which the published machine does not have.

An operand is a low and a high word in any two register pairs; `b` (or `c` of a multiply-add) may be two scalar pairs.
The PE gives 32 bits per column, so an operation that yields 64 bits has a form for each word: a double costs two
columns, and needs neither registers nor paths that other operations do not need.

Word layout: opcode [31:24]; pairs are 3-bit fields that hold half of the register's code, from [23:21] downward; a
scalar pair is its 5-bit number; flag [7] says that b is scalar; the operation stands at [6:1]; [0] is set for the high
word.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import numpy as np

from openrpp.isa import doubles
from openrpp.isa.form import Form, Instruction, Kind, Operand
from openrpp.isa.table import pe
from openrpp.isa.table._build import bits, pair
from openrpp.isa.table.extension import flagged

_BINARY, _FUSED, _FUSED_B, _FUSED_C, _COMPARE, _UNARY, _NARROW, _WIDEN = range(0x88, 0x90)
_WORDS = (("LOW", False), ("HIGH", True))
_RELATIONS = ("LT", "GT", "EQ", "NE", "LE", "GE")


def _words(low: int) -> Operand:
    """A register pair as a field of three bits."""
    return Operand(Kind.V32, bits(low, 3, 2))


_A = {"al": _words(21), "ah": _words(18)}
_B = {"bl": _words(15), "bh": _words(12)}
_B_SCALAR = {"bl": pair(13), "bh": pair(8)}


def _form(name: str, opcode: int, flags: int, operands: dict[str, Operand], define: Any, target: str = "VAB") -> Form:
    syntax = ", ".join([*(f"{{{operand}}}" for operand in operands), target])
    return pe.form(name, syntax, opcode << 24 | flags, operands, define)


def _both_words(name: str, opcode: int, flags: int, operands: dict[str, Operand], define: doubles.Words) -> list[Form]:
    """The forms for the low and for the high word of a result."""
    return [_form(f"{name}.{suffix}", opcode, flags | int(high), operands, define(high)) for suffix, high in _WORDS]


def _binary_rows() -> list[Instruction]:
    operations: tuple[tuple[str, Callable[..., Any], str, str], ...] = (
        ("ADD", doubles.add, "Sum of float64 values, one word of it.", "a + b"),
        ("SUB", doubles.subtract, "Difference of float64 values, one word of it.", "a - b"),
        ("MUL", doubles.multiply, "Product of float64 values, one word of it.", "a b"),
        ("DIV", doubles.divide, "Quotient of float64 values, correctly rounded, one word of it.", "a / b"),
        ("MIN", doubles.minimum, "minimumNumber of IEEE 754-2019: -0 below +0, one word of it.", "min(a, b)"),
        ("MAX", doubles.maximum, "maximumNumber of IEEE 754-2019: +0 above -0, one word of it.", "max(a, b)"),
    )
    rows: list[Instruction] = []
    for code, (name, operation, meaning, equation) in enumerate(operations):
        define = doubles.arithmetic(operation, 2)
        forms = [
            form
            for b, flag in ((_B, 0), (_B_SCALAR, pe.SCALAR))
            for form in _both_words(f"{name}.F64", _BINARY, code << 1 | flag, _A | b, define)
        ]
        rows.append(pe.row(f"{name} (float64)", meaning, equation, "", *forms))
    return rows


def _fused_row() -> Instruction:
    define = doubles.arithmetic(doubles.fused_f64, 3)
    ways = (
        (_FUSED, _A | _B | {"cl": _words(9), "ch": _words(6)}),
        (_FUSED_B, _A | _B_SCALAR | {"cl": _words(5), "ch": _words(2)}),
        (_FUSED_C, _A | _B | {"cl": pair(7), "ch": pair(2)}),
    )
    forms = [form for opcode, operands in ways for form in _both_words("FMA.F64", opcode, 0, operands, define)]
    meaning = "float64 multiply-add, one rounding, one word of it; b or c may be scalar pairs."
    return pe.row("FMA.F64", meaning, "a b + c", "", *forms)


def _compare_row() -> Instruction:
    forms = [
        _form(
            f"CMP.F64.{relation}",
            _COMPARE,
            code << 1 | flag,
            _A | b,
            doubles.relation(getattr(operator, relation.lower())),
            "VA",
        )
        for code, relation in enumerate(_RELATIONS)
        for b, flag in ((_B, 0), (_B_SCALAR, pe.SCALAR))
    ]
    meaning = "Compare float64 values; with a NaN only NE is true."
    return pe.row("CMP.F64", meaning, "(a relation b) ? 1 : 0", "", *forms)


def _unary_rows() -> list[Instruction]:
    operations: tuple[tuple[str, Callable[..., Any], str, str], ...] = (
        ("SQRT", np.sqrt, "Square root of a float64, correctly rounded, one word of it.", "sqrt(a)"),
        ("FLOOR", np.floor, "The next integral float64 at or below a, one word of it.", "floor(a)"),
        ("CEIL", np.ceil, "The next integral float64 at or above a, one word of it.", "ceil(a)"),
        ("TRUNC", np.trunc, "The integral part of a float64, one word of it.", "trunc(a)"),
        ("RINT", np.rint, "The nearest integral float64, ties to even, one word of it.", "rint(a)"),
    )
    rows: list[Instruction] = []
    for code, (name, operation, meaning, equation) in enumerate(operations):
        forms = _both_words(f"{name}.F64", _UNARY, code << 1, _A, doubles.arithmetic(operation, 1))
        rows.append(pe.row(f"{name} (float64)", meaning, equation, "", *forms))
    return rows


def _conversion_row() -> Instruction:
    wide: tuple[tuple[str, doubles.Words], ...] = (
        ("CVT.F64.S64", doubles.to_wide_integer(np.int64)),
        ("CVT.F64.U64", doubles.to_wide_integer(np.uint64)),
        ("CVT.S64.F64", doubles.of_wide_integer(np.int64)),
        ("CVT.U64.F64", doubles.of_wide_integer(np.uint64)),
    )
    forms: list[Form] = []
    for code, (name, define) in enumerate(wide, start=8):
        forms += _both_words(name, _UNARY, code << 1, _A, define)
    narrow: tuple[tuple[str, Any, str], ...] = (
        ("F32", doubles.to_single, "VAB"),
        ("S32", doubles.to_integer(np.int32), "VAB"),
        ("U32", doubles.to_integer(np.uint32), "VAB"),
        ("F16.RN", doubles.to_bf16, "VA"),
        ("H16.RN", doubles.to_half, "VA"),
    )
    for code, (name, define, target) in enumerate(narrow):
        forms.append(_form(f"CVT.F64.{name}", _NARROW, code << 1, _A, define, target))
    for code, (name, view) in enumerate(doubles.VIEWS.items()):
        forms += _both_words(f"CVT.{name}.F64", _WIDEN, code << 1, {"a": _words(21)}, doubles.of_word(view))
    meaning = (
        "Conversions between float64 and other types, rounded once to nearest even; to integers toward zero and "
        "saturated, NaN gives 0. A result of 64 bits is given one word at a time."
    )
    return pe.row("CVT (float64)", meaning, "to(a)", "", *forms)


def rows() -> list[Instruction]:
    """All instructions on 64-bit floats."""
    made = [*_binary_rows(), _fused_row(), _compare_row(), *_unary_rows(), _conversion_row()]
    return flagged("double", made)
