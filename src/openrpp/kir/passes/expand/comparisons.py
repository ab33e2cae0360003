"""Comparisons with the relations and types that the target has: with a NaN only `une` is true there."""

from __future__ import annotations

from typing import Final

from openrpp.kir.ir import Instr, Value
from openrpp.kir.passes.expand.emit import Emit
from openrpp.kir.passes.expand.table import Table
from openrpp.kir.types import BF16, F16, F32, F64, I1, I8, I16, I32, POINTERS

_OPPOSITE: Final = {"ueq": "one", "ult": "oge", "ule": "ogt", "ugt": "ole", "uge": "olt"}


def register(table: Table) -> None:
    """The rules of this file."""
    table.add(("icmp",), (I8, I16), _narrow, I1)
    table.add(("icmp",), POINTERS, lambda e, i: _again(e, i, *(e.bits(value) for value in i.operands)), I1)
    table.add(("fcmp",), (F16, BF16), lambda e, i: _again(e, i, *(e.single(value) for value in i.operands)), I1)
    table.add(("fcmp",), (F32, F64), _relation, I1)


def _again(e: Emit, instr: Instr, a: Value, b: Value) -> Value:
    return e(instr.op.name, a, b, pred=instr.attr("pred"))


def _narrow(e: Emit, instr: Instr) -> Value:
    signed = str(instr.attr("pred"))[0] == "s"
    return _again(e, instr, *(e.widen(value, I32, signed) for value in instr.operands))


def _relation(e: Emit, instr: Instr) -> Value:
    a, b = instr.operands
    predicate = str(instr.attr("pred"))
    if predicate in _OPPOSITE:
        return e.flip(e("fcmp", a, b, pred=_OPPOSITE[predicate]))
    match predicate:
        case "one":
            return e("or", e("fcmp", a, b, pred="olt"), e("fcmp", a, b, pred="ogt"))
        case "ord":
            return _itself(e, a, b, "oeq", "and")
        case _:
            return _itself(e, a, b, "une", "or")


def _itself(e: Emit, a: Value, b: Value, predicate: str, combine: str) -> Value:
    first = e("fcmp", a, a, pred=predicate)
    return first if a is b else e(combine, first, e("fcmp", b, b, pred=predicate))
