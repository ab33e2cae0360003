"""Translation of what takes vectors and aggregates apart or puts them together; bitcasts between shapes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from openrpp.cuda.reader.context import Context, Tree, leaves
from openrpp.cuda.reader.syntax import Instruction, Operand
from openrpp.cuda.reader.types import ArrayType, FloatType, IntType, PointerType, Type
from openrpp.kir import Constant, Value, constant
from openrpp.kir import types as kir

Translate = Callable[[Context, Instruction], Tree | None]


def extract_element(context: Context, instr: Instruction) -> Tree:
    """One element; where its number is computed, the last one that matches of all."""
    members, index = context.members(instr.operands[0]), context.value(instr.operands[1])
    if isinstance(index, Constant):
        return members[index.bits] if index.bits < len(members) else context.zero(instr.type)
    found = _one(context, members[0])
    for place, member in enumerate(members[1:], 1):
        hit = context.emit("icmp", index, constant(index.type, place), pred="eq")
        found = context.emit("select", hit, _one(context, member), found)
    return found


def insert_element(context: Context, instr: Instruction) -> Tree:
    """A vector with one element replaced."""
    members, value = context.members(instr.operands[0]), context.value(instr.operands[1])
    index = context.value(instr.operands[2])
    if isinstance(index, Constant):
        return tuple(value if place == index.bits else member for place, member in enumerate(members))
    made: list[Tree] = []
    for place, member in enumerate(members):
        hit = context.emit("icmp", index, constant(index.type, place), pred="eq")
        made.append(context.emit("select", hit, value, _one(context, member)))
    return tuple(made)


def shuffle(context: Context, instr: Instruction) -> Tree:
    """Elements of two vectors in a fixed new order."""
    both = (*context.members(instr.operands[0]), *context.members(instr.operands[1]))
    element = instr.type.element if isinstance(instr.type, ArrayType) else instr.type
    return tuple(both[place] if 0 <= place < len(both) else context.zero(element) for place in instr.indices)


def extract_value(context: Context, instr: Instruction) -> Tree:
    """A member of a member."""
    found = context.tree(instr.operands[0])
    for index in instr.indices:
        if isinstance(found, Value):
            context.refuse("extractvalue", "a scalar has no members")
        found = found[index]
    if isinstance(instr.type, PointerType) and isinstance(found, Value):
        return context.in_space(found, context.spaces.of(instr.result))
    return found


def insert_value(context: Context, instr: Instruction) -> Tree:
    """An aggregate with a member of a member replaced."""
    return _replaced(context, context.tree(instr.operands[0]), instr.indices, context.tree(instr.operands[1]))


def _replaced(context: Context, tree: Tree, indices: tuple[int, ...], value: Tree) -> Tree:
    if not indices:
        return value
    if isinstance(tree, Value):
        context.refuse("insertvalue", "a scalar has no members")
    return tuple(
        _replaced(context, member, indices[1:], value) if place == indices[0] else member
        for place, member in enumerate(tree)
    )


def _one(context: Context, tree: Tree) -> Value:
    if not isinstance(tree, Value):
        context.refuse("vector", "vectors of vectors have no kernel IR")
    return tree


# --- bits ----------------------------------------------------------------------------------------------------------


def bitcast(context: Context, instr: Instruction) -> Tree:
    """The same bits in another shape: numbers as integers, split or joined to the widths of the result."""
    operand = instr.operands[0]
    if isinstance(operand.type, PointerType):
        return context.value(operand)
    if not isinstance(operand.type, ArrayType) and not isinstance(instr.type, ArrayType):
        return as_type(context, context.value(operand), context.kind_of(instr.type))
    return reshaped(context, operand, instr.type)


def reshaped(context: Context, operand: Operand, target: Type) -> Tree:
    """The bits of a scalar or vector as another scalar or vector."""
    element = target.element if isinstance(target, ArrayType) else target
    if not isinstance(element, IntType | FloatType):
        context.refuse("bitcast", "vectors of pointers have no kernel IR")
    wanted = context.kind_of(element)
    width = _width(element, wanted)
    source = operand.type.element if isinstance(operand.type, ArrayType) else operand.type
    integers = [_as_integer(context, value) for value in leaves(context.tree(operand))]
    pieces = _rewidened(context, integers, _width(source, integers[0].type), width)
    made = tuple(as_type(context, context.resized(piece, wanted.bits), wanted) for piece in pieces)
    return made if isinstance(target, ArrayType) else made[0]


def _width(kind: Type, found: kir.Type) -> int:
    """Bits of an element within a vector: an i1 takes one."""
    return kind.bits if isinstance(kind, IntType) else found.bits


def as_type(context: Context, value: Value, kind: kir.Type) -> Value:
    """The bits of a number as another type of the same width."""
    if value.type is kind:
        return value
    if isinstance(value, Constant):
        return Constant(kind, value.bits)
    return context.emit("bitcast", value, kind=kind)


def _as_integer(context: Context, value: Value) -> Value:
    return (
        as_type(context, value, {16: kir.I16, 32: kir.I32, 64: kir.I64}[value.type.bits])
        if value.type.is_float
        else value
    )


def _rewidened(context: Context, pieces: list[Value], given: int, wanted: int) -> list[Value]:
    """Little-endian integers of `given` bits as ones of `wanted` bits."""
    if given == wanted:
        return pieces
    if given > wanted:
        return [
            context.resized(_shifted(context, piece, place * wanted), wanted)
            for piece in pieces
            for place in range(given // wanted)
        ]
    step = wanted // given
    return [_joined(context, pieces[start : start + step], given, wanted) for start in range(0, len(pieces), step)]


def _shifted(context: Context, value: Value, count: int) -> Value:
    return context.emit("lshr", value, constant(value.type, count)) if count else value


def _joined(context: Context, pieces: list[Value], given: int, wanted: int) -> Value:
    total: Value | None = None
    for place, piece in enumerate(pieces):
        wide = context.resized(piece, max(wanted, 8))
        moved = context.emit("shl", wide, constant(wide.type, place * given)) if place else wide
        total = moved if total is None else context.emit("or", total, moved)
    assert total is not None  # a vector has elements
    return total


BY_OPCODE: Final[dict[str, Translate]] = {
    "extractelement": extract_element,
    "insertelement": insert_element,
    "shufflevector": shuffle,
    "extractvalue": extract_value,
    "insertvalue": insert_value,
    "bitcast": bitcast,
}
"""Opcodes about shapes."""
