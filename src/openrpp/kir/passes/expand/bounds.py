"""The largest value that an integer can have, as far as a few instructions back show it."""

from __future__ import annotations

from typing import Final

from openrpp.kir.ir import Constant, Instr, Value

DEPTH: Final = 4
_UP: Final = {"ult": 1, "ule": 0}


def most(value: Value, depth: int = DEPTH) -> int:
    """An upper bound of the unsigned value."""
    if isinstance(value, Constant):
        return value.bits
    whole = value.type.mask
    if not isinstance(value, Instr) or not depth:
        return whole
    below = [most(operand, depth - 1) for operand in value.operands if operand.type.is_int]
    match value.op.name, value.operands:
        case "and" | "umin", _:
            return min(below)
        case "or" | "xor", _:
            return (1 << max(below).bit_length()) - 1
        case "zext", _:
            return below[0]
        case "trunc", _:
            return min(below[0], whole)
        case "lshr", [_, Constant() as count]:
            return below[0] >> min(count.bits, value.type.bits)
        case "laneid", _:
            return 31
        case "urem", [_, Constant() as divisor] if divisor.bits:
            return divisor.bits - 1
        case "select", _:
            return _selected(value, depth)
        case _:
            return whole


def _selected(value: Instr, depth: int) -> int:
    condition, yes, no = value.operands
    limits = [most(yes, depth - 1), most(no, depth - 1)]
    if isinstance(condition, Instr) and condition.op.name == "icmp" and condition.attr("pred") in _UP:
        first, second = condition.operands
        if first is yes:  # x < k ? x : something
            limits[0] = min(limits[0], max(most(second, depth - 1) - _UP[str(condition.attr("pred"))], 0))
    return max(limits)
