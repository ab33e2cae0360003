"""Arithmetic on i1 is logic: modulo 2, with -1 for 1 where it is signed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from openrpp.kir.ir import Instr, Value
from openrpp.kir.passes.expand.emit import Emit
from openrpp.kir.passes.expand.table import Rule, Table
from openrpp.kir.types import I1, I32

Logic = Callable[[Emit, Value, Value], Value]


def _without(e: Emit, a: Value, b: Value) -> Value:
    return e("and", a, e.flip(b))


def _unless(e: Emit, a: Value, b: Value) -> Value:
    return e("or", a, e.flip(b))


def _both(e: Emit, a: Value, b: Value) -> Value:
    return e("and", a, b)


def _either(e: Emit, a: Value, b: Value) -> Value:
    return e("or", a, b)


def _differ(e: Emit, a: Value, b: Value) -> Value:
    return e("xor", a, b)


def _swapped(logic: Logic) -> Logic:
    return lambda e, a, b: logic(e, b, a)


_OPS: Final[dict[str, Logic]] = {
    **dict.fromkeys(("add", "sub"), _differ),
    **dict.fromkeys(("mul", "umin", "smax"), _both),
    **dict.fromkeys(("umax", "smin"), _either),
    **dict.fromkeys(("shl", "lshr", "urem", "srem"), _without),
    **dict.fromkeys(("udiv", "sdiv"), _unless),
}
_RELATIONS: Final[dict[str, Logic]] = {
    "eq": lambda e, a, b: e.flip(e("xor", a, b)),
    "ne": _differ,
    **dict.fromkeys(("ugt", "slt"), _without),
    **dict.fromkeys(("uge", "sle"), _unless),
    **dict.fromkeys(("ult", "sgt"), _swapped(_without)),
    **dict.fromkeys(("ule", "sge"), _swapped(_unless)),
}
"""Relation -> logic; signed relations are the unsigned ones the other way round."""


def register(table: Table) -> None:
    """The rules of this file."""
    for name, logic in _OPS.items():
        table.add((name,), (I1,), _applied(logic))
    table.add(("ashr", "abs"), (I1,), lambda e, i: i.operands[0])
    table.add(("and", "or", "xor"), (I1,), _in_word)
    table.add(("icmp",), (I1,), lambda e, i: _RELATIONS[str(i.attr("pred"))](e, *i.operands))


def _applied(logic: Logic) -> Rule:
    return lambda e, i: logic(e, *i.operands)


def _in_word(e: Emit, instr: Instr) -> Value:
    """Where the target has no logic on truth values."""
    return e("trunc", e(instr.op.name, *(e.widen(value, I32) for value in instr.operands)), kind=I1)
