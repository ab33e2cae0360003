"""Translation of arithmetic, comparisons, casts and selects. Vectors are taken element by element.

An integer of an odd width (i33, i24) lies in the next wider type with its upper bits zero: results that may overflow
are masked, operands of signed operations are sign-extended first.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from openrpp.cuda.reader import types
from openrpp.cuda.reader.context import Context, Tree
from openrpp.cuda.reader.syntax import Instruction, Null, Operand
from openrpp.cuda.reader.types import ArrayType, IntType, PointerType, Type
from openrpp.kir import Constant, Value, constant
from openrpp.kir import types as kir
from openrpp.kir.types import Space

Scalar = Callable[[Context, Instruction, Type, list[Value]], Value]
"""Translates one element: (context, instruction, type of the first operand, operands) -> result."""

_WRAPPING: Final = frozenset({"add", "sub", "mul", "shl"})
_SIGNED: Final = frozenset({"sdiv", "srem", "ashr"})


def translate(context: Context, instr: Instruction, scalar: Scalar) -> Tree:
    """Apply a scalar translation to an instruction whose operands may be vectors."""
    first = instr.operands[0].type
    if isinstance(instr.type, ArrayType) or isinstance(first, ArrayType):
        return _by_element(context, instr, scalar)
    return scalar(context, instr, first, [context.value(operand) for operand in instr.operands])


def _by_element(context: Context, instr: Instruction, scalar: Scalar) -> Tree:
    vector = instr.type if isinstance(instr.type, ArrayType) else instr.operands[0].type
    count = vector.count if isinstance(vector, ArrayType) else 1
    rows = [
        context.members(operand) if isinstance(operand.type, ArrayType) else (context.value(operand),) * count
        for operand in instr.operands
    ]
    first = instr.operands[0].type
    kind = first.element if isinstance(first, ArrayType) else first
    single = Instruction(instr.op, _element(instr.type), instr.operands, instr.result, instr.words)
    return tuple(scalar(context, single, kind, [_only(context, row[place]) for row in rows]) for place in range(count))


def _element(kind: Type) -> Type:
    return kind.element if isinstance(kind, ArrayType) else kind


def _only(context: Context, tree: Tree) -> Value:
    if not isinstance(tree, Value):
        context.refuse("vector", "vectors of vectors have no kernel IR")
    return tree


# --- integers of odd widths --------------------------------------------------------------------------------------


def masked(context: Context, value: Value, kind: Type) -> Value:
    """The value with the bits above an odd width cleared."""
    if isinstance(kind, IntType) and types.is_odd(kind):
        return context.emit("and", value, constant(value.type, (1 << kind.bits) - 1))
    return value


def extended(context: Context, value: Value, kind: Type) -> Value:
    """An integer of an odd width sign-extended within the type that holds it."""
    if isinstance(kind, IntType) and types.is_odd(kind):
        count = constant(value.type, value.type.bits - kind.bits)
        return context.emit("ashr", context.emit("shl", value, count), count)
    return value


# --- scalars -------------------------------------------------------------------------------------------------------


def binary(context: Context, instr: Instruction, kind: Type, values: list[Value]) -> Value:
    """Integer arithmetic. An `or` of numbers without common bits is their sum, which address analysis understands."""
    op = instr.op
    odd = types.is_odd(kind)
    wraps = {flag: True for flag in ("nuw", "nsw") if flag in instr.words} if op in _WRAPPING and not odd else {}
    if op in _SIGNED and odd:
        values = [extended(context, values[0], kind), values[1] if op == "ashr" else extended(context, values[1], kind)]
    if op == "or" and instr.has("disjoint") and kind != IntType(1):
        return context.emit("add", *values, nuw=True, nsw=not odd)
    result = context.emit(op, *values, attrs=wraps)
    return masked(context, result, kind) if op in _WRAPPING or op in _SIGNED else result


def float_binary(context: Context, instr: Instruction, kind: Type, values: list[Value]) -> Value:
    """Float arithmetic; 1 / x is a row of its own."""
    if instr.op == "frem":
        context.refuse("frem", "the remainder of floats is a function: call fmod or fmodf")
    if instr.op == "fdiv" and isinstance(values[0], Constant) and values[0].bits == _one(values[0].type):
        return context.emit("frcp", values[1])
    return context.emit(instr.op, *values)


def _one(kind: kir.Type) -> int:
    return constant(kind, 1.0).bits


def negate(context: Context, instr: Instruction, kind: Type, values: list[Value]) -> Value:
    """fneg."""
    return context.emit("fneg", values[0])


def integer_compare(context: Context, instr: Instruction, kind: Type, values: list[Value]) -> Value:
    """icmp of integers or pointers. Addresses of two spaces, or of one that has no null, compare as generic ones."""
    predicate = instr.words[0]
    if isinstance(kind, PointerType):
        values = _comparable(context, instr.operands, values)
    elif predicate[0] == "s":
        values = [extended(context, value, kind) for value in values]
    return context.emit("icmp", *values, pred=predicate)


def _comparable(context: Context, operands: list[Operand], values: list[Value]) -> list[Value]:
    device = (Space.GLOBAL, Space.CONSTANT)
    found = {value.type.space for value in values}
    if found <= set(device) and len(found) > 1:
        return [context.in_space(value, Space.GLOBAL) for value in values]
    null = any(isinstance(operand.value, Null) for operand in operands)
    if len(found) > 1 or (null and not found <= {*device, Space.GENERIC}):
        return [context.in_space(value, Space.GENERIC) for value in values]
    return values


def float_compare(context: Context, instr: Instruction, kind: Type, values: list[Value]) -> Value:
    """fcmp."""
    if instr.words[0] in ("true", "false"):
        return constant(kir.I1, int(instr.words[0] == "true"))
    return context.emit("fcmp", *values, pred=instr.words[0])


def select(context: Context, instr: Instruction, kind: Type, values: list[Value]) -> Value:
    """select of scalars; pointers are brought to the space of the result."""
    if isinstance(instr.type, PointerType):
        space = context.spaces.of(instr.result)
        values = [values[0], *(context.in_space(value, space) for value in values[1:])]
    return context.emit("select", *values)


def truncate(context: Context, instr: Instruction, kind: Type, values: list[Value]) -> Value:
    """trunc."""
    bits = context.kind_of(instr.type).bits
    return masked(context, context.resized(values[0], bits), instr.type)


def extend_zero(context: Context, instr: Instruction, kind: Type, values: list[Value]) -> Value:
    """zext."""
    return context.resized(values[0], context.kind_of(instr.type).bits)


def extend_sign(context: Context, instr: Instruction, kind: Type, values: list[Value]) -> Value:
    """sext."""
    value = extended(context, values[0], kind)
    return masked(context, context.resized(value, context.kind_of(instr.type).bits, signed=True), instr.type)


def float_cast(context: Context, instr: Instruction, kind: Type, values: list[Value]) -> Value:
    """fptrunc and fpext."""
    return context.emit(instr.op, values[0], kind=context.kind_of(instr.type))


def to_float(context: Context, instr: Instruction, kind: Type, values: list[Value]) -> Value:
    """sitofp and uitofp."""
    value = extended(context, values[0], kind) if instr.op == "sitofp" else values[0]
    return context.emit(instr.op, value, kind=context.kind_of(instr.type))


def to_integer(context: Context, instr: Instruction, kind: Type, values: list[Value]) -> Value:
    """fptosi and fptoui; kernel IR saturates, as CUDA does."""
    if types.is_odd(instr.type):
        context.refuse(f"conversion of a float to {instr.type}", "integers made of floats have 8, 16, 32 or 64 bits")
    return context.emit(instr.op, values[0], kind=context.kind_of(instr.type))


BY_OPCODE: Final[dict[str, Scalar]] = {
    **dict.fromkeys(
        ["add", "sub", "mul", "udiv", "sdiv", "urem", "srem", "shl", "lshr", "ashr", "and", "or", "xor"], binary
    ),
    **dict.fromkeys(["fadd", "fsub", "fmul", "fdiv", "frem"], float_binary),
    "fneg": negate,
    "icmp": integer_compare,
    "fcmp": float_compare,
    "select": select,
    "trunc": truncate,
    "zext": extend_zero,
    "sext": extend_sign,
    "fptrunc": float_cast,
    "fpext": float_cast,
    "sitofp": to_float,
    "uitofp": to_float,
    "fptosi": to_integer,
    "fptoui": to_integer,
}
"""Opcodes that work element by element."""
