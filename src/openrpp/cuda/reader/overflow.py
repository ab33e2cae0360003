"""Translation of intrinsics without a row of their own: overflow, saturation, three-way comparison, float classes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from openrpp.cuda.reader import types
from openrpp.cuda.reader.arithmetic import Scalar, extended, masked, translate
from openrpp.cuda.reader.context import Context, Tree
from openrpp.cuda.reader.syntax import Instruction
from openrpp.cuda.reader.types import Type
from openrpp.kir import Constant, Value, constant
from openrpp.kir import types as kir
from openrpp.kir.floats import FORMATS

Translate = Callable[[Context, Instruction], Tree | None]
"""Translates a call whose operands are the callee and the arguments."""


def arguments(instr: Instruction) -> Instruction:
    """The call without its callee."""
    return Instruction(instr.op, instr.type, instr.operands[1:], instr.result, instr.words)


def elementwise(scalar: Scalar, count: int = 0) -> Translate:
    """A translation of scalars for calls whose arguments may be vectors; `count` leaves out flags behind them."""

    def translated(context: Context, instr: Instruction) -> Tree:
        call = arguments(instr)
        call.operands = call.operands[: count or len(call.operands)]
        return translate(context, call, scalar)

    return translated


def _carry(op: str, signed: bool) -> Scalar:
    """Whether `op` of integers overflows, for integers of 8 to 64 bits."""

    def overflow(context: Context, instr: Instruction, kind: Type, values: list[Value]) -> Value:
        a, b = values
        if types.is_odd(kind):
            context.refuse(f"overflow of {op} of {kind}", "this operation has 8, 16, 32 or 64 bits")
        result = context.emit(op, a, b)
        if op == "mul":
            return _product_overflows(context, values, result, signed)
        if not signed:
            return context.emit("icmp", *((result, a) if op == "add" else (a, b)), pred="ult")
        # Overflow: the operands' signs are equal (of a difference: not) and the result's is another one.
        sides = context.emit("xor", a, result)
        other = context.emit("xor", b, result) if op == "add" else context.emit("xor", a, b)
        return context.emit("icmp", context.emit("and", sides, other), constant(a.type, 0), pred="slt")

    return overflow


def _product_overflows(context: Context, values: list[Value], low: Value, signed: bool) -> Value:
    kind = values[0].type
    if kind.bits in (32, 64):
        high = context.emit("mulhi_s" if signed else "mulhi_u", *values)
        sign = context.emit("ashr", low, constant(kind, kind.bits - 1)) if signed else constant(kind, 0)
        return context.emit("icmp", high, sign, pred="ne")
    wide = context.emit("mul", *(context.resized(value, 32, signed) for value in values))
    return context.emit("icmp", wide, context.resized(low, 32, signed), pred="ne")


def with_overflow(op: str, signed: bool) -> Translate:
    """(result, whether it overflowed) of add, sub or mul."""
    overflow = _carry(op, signed)

    def translated(context: Context, instr: Instruction) -> Tree:
        call = arguments(instr)
        values = [context.value(operand) for operand in call.operands]
        return context.emit(op, *values), overflow(context, call, call.operands[0].type, values)

    return translated


def saturating(op: str, signed: bool) -> Translate:
    """`add.sat` and `sub.sat`."""

    def scalar(context: Context, instr: Instruction, kind: Type, values: list[Value]) -> Value:
        beyond = _carry(op, signed)(context, instr, kind, values)
        result, width = context.emit(op, *values), values[0].type
        if not signed:
            return context.emit("select", beyond, constant(width, width.mask if op == "add" else 0), result)
        # The sign of the first operand decides on which side the result went out.
        sign = context.emit("ashr", values[0], constant(width, width.bits - 1))
        edge = context.emit("xor", sign, constant(width, width.mask >> 1))
        return context.emit("select", beyond, edge, result)

    return elementwise(scalar)


def three_way(signed: bool) -> Translate:
    """scmp and ucmp: -1, 0 or 1."""

    def scalar(context: Context, instr: Instruction, kind: Type, values: list[Value]) -> Value:
        if signed:
            values = [extended(context, value, kind) for value in values]
        wanted, letter = context.kind_of(instr.type), "s" if signed else "u"
        above = context.emit("icmp", *values, pred=f"{letter}gt")
        below = context.emit("icmp", *values, pred=f"{letter}lt")
        either = context.emit("select", above, constant(wanted, 1), constant(wanted, 0))
        return masked(context, context.emit("select", below, constant(wanted, -1), either), instr.type)

    return elementwise(scalar)


_CLASSES: Final = (
    (0x003, "nan"),
    (0x204, "infinite"),
    (0x108, "normal"),
    (0x090, "subnormal"),
    (0x060, "zero"),
)
"""Bits of is.fpclass and what they ask for, both signs together."""


def is_class(context: Context, instr: Instruction) -> Tree:
    """is.fpclass, from the bits of the number without its sign (or with it where one sign only is asked for)."""
    value, mask = context.value(instr.operands[1]), context.value(instr.operands[2])
    bits = mask.bits if isinstance(mask, Constant) else 0
    form = FORMATS[value.type]
    exponent = (form.sign - 1) & ~((1 << form.fraction) - 1)
    whole = {16: kir.I16, 32: kir.I32, 64: kir.I64}[value.type.bits]
    number = context.emit("bitcast", value, kind=whole)
    size = context.emit("and", number, constant(whole, form.sign - 1))
    ranges = {
        "nan": (exponent + 1, form.sign - 1),
        "infinite": (exponent, exponent),
        "normal": (1 << form.fraction, exponent - 1),
        "subnormal": (1, (1 << form.fraction) - 1),
        "zero": (0, 0),
    }
    negative = context.emit("icmp", number, constant(whole, 0), pred="slt")
    found: Value = constant(kir.I1, 0)
    for both, name in _CLASSES:
        asked = bits & both
        if not asked:
            continue
        low, high = ranges[name]
        inside = context.emit(
            "icmp", context.emit("sub", size, constant(whole, low)), constant(whole, high - low), pred="ule"
        )
        if asked != both and name != "nan":
            is_negative = bool(asked & 0x03C)
            sign = negative if is_negative else context.emit("xor", negative, constant(kir.I1, 1))
            inside = context.emit("and", inside, sign)
        found = context.emit("or", found, inside)
    return found
