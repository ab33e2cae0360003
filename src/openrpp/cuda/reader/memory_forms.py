"""Parsing the instructions about memory, atomics, vectors and aggregates."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from openrpp.cuda.reader.lexer import BadText, Cursor
from openrpp.cuda.reader.syntax import Instruction, Number, Operand, Undefined
from openrpp.cuda.reader.types import ArrayType, IntType, PointerType, StructType, Type, VoidType
from openrpp.cuda.reader.values import Types, parse_operand, parse_type

Parse = Callable[[Cursor, Types], Instruction]
_WORDS: Final = """
    nuw nsw exact disjoint nneg samesign inbounds nusw fast nnan ninf nsz arcp contract afn reassoc
    volatile atomic tail musttail notail weak inalloca inrange
"""
_FLAGS: Final = frozenset(_WORDS.split())
_ORDERINGS: Final = frozenset({"unordered", "monotonic", "acquire", "release", "acq_rel", "seq_cst"})


def flags_of(cursor: Cursor) -> tuple[str, ...]:
    """Move past the flags of an instruction; which they are."""
    found: list[str] = []
    while cursor.token in _FLAGS:
        found.append(cursor.next())
        if found[-1] == "inrange":
            cursor.skip_group()
    return tuple(found)


def _align(cursor: Cursor) -> int:
    while cursor.accept(","):
        if cursor.accept("align"):
            return cursor.number()
        if cursor.accept("addrspace"):
            cursor.skip_group()
    return 0


def _alloca(cursor: Cursor, types: Types) -> Instruction:
    flags_of(cursor)
    element = parse_type(cursor, types)
    made = Instruction("alloca", PointerType(), element=element)
    while cursor.accept(","):
        if cursor.accept("align"):
            made.align = cursor.number()
        elif cursor.accept("addrspace"):
            cursor.expect("(")
            made.type = PointerType(cursor.number())
            cursor.expect(")")
        else:
            made.operands.append(parse_operand(cursor, types))
    return made


def _scope(cursor: Cursor) -> str:
    if not cursor.accept("syncscope"):
        return "scope="
    cursor.expect("(")
    name = cursor.next()[1:-1]
    cursor.expect(")")
    return f"scope={name}"


def _orderings(cursor: Cursor) -> list[str]:
    found: list[str] = []
    while cursor.token in _ORDERINGS:
        found.append(cursor.next())
    return found


def _load(cursor: Cursor, types: Types) -> Instruction:
    flags = list(flags_of(cursor))
    kind = parse_type(cursor, types)
    cursor.expect(",")
    address = parse_operand(cursor, types)
    flags += [_scope(cursor), *_orderings(cursor)]
    return Instruction("load", kind, [address], words=tuple(flags), align=_align(cursor))


def _store(cursor: Cursor, types: Types) -> Instruction:
    flags = list(flags_of(cursor))
    value = parse_operand(cursor, types)
    cursor.expect(",")
    address = parse_operand(cursor, types)
    flags += [_scope(cursor), *_orderings(cursor)]
    return Instruction("store", VoidType(), [value, address], words=tuple(flags), align=_align(cursor))


def _fence(cursor: Cursor, types: Types) -> Instruction:
    return Instruction("fence", VoidType(), words=(_scope(cursor), *_orderings(cursor)))


def _swap(cursor: Cursor, types: Types) -> Instruction:
    flags = flags_of(cursor)
    operands = [parse_operand(cursor, types)]
    for _ in range(2):
        cursor.expect(",")
        operands.append(parse_operand(cursor, types))
    kind = StructType((operands[1].type, IntType(1)))
    return Instruction("cmpxchg", kind, operands, words=(*flags, _scope(cursor), *_orderings(cursor)))


def _update(cursor: Cursor, types: Types) -> Instruction:
    flags = flags_of(cursor)
    operation = cursor.next()
    address = parse_operand(cursor, types)
    cursor.expect(",")
    value = parse_operand(cursor, types)
    words = (operation, *flags, _scope(cursor), *_orderings(cursor))
    return Instruction("atomicrmw", value.type, [address, value], words=words)


def _address(cursor: Cursor, types: Types) -> Instruction:
    flags = flags_of(cursor)
    element = parse_type(cursor, types)
    operands: list[Operand] = []
    while cursor.accept(","):
        operands.append(parse_operand(cursor, types))
    return Instruction("getelementptr", operands[0].type, operands, words=flags, element=element)


def _extract_element(cursor: Cursor, types: Types) -> Instruction:
    vector = parse_operand(cursor, types)
    cursor.expect(",")
    index = parse_operand(cursor, types)
    kind = vector.type.element if isinstance(vector.type, ArrayType) else vector.type
    return Instruction("extractelement", kind, [vector, index])


def _insert_element(cursor: Cursor, types: Types) -> Instruction:
    operands = [parse_operand(cursor, types)]
    for _ in range(2):
        cursor.expect(",")
        operands.append(parse_operand(cursor, types))
    return Instruction("insertelement", operands[0].type, operands)


def _shuffle(cursor: Cursor, types: Types) -> Instruction:
    first = parse_operand(cursor, types)
    cursor.expect(",")
    second = parse_operand(cursor, types)
    cursor.expect(",")
    mask = parse_operand(cursor, types)
    if not isinstance(mask.type, ArrayType) or not isinstance(first.type, ArrayType):
        raise BadText(f"a shuffle of no vectors in '{cursor.text.strip()[:120]}'")
    kind = ArrayType(mask.type.count, first.type.element, True)
    return Instruction("shufflevector", kind, [first, second], indices=_mask(mask, mask.type.count))


def _mask(mask: Operand, count: int) -> tuple[int, ...]:
    """Element numbers; -1 for one that does not matter."""
    members = getattr(mask.value, "members", None)
    if members is None:
        return (-1,) * count if isinstance(mask.value, Undefined) else (0,) * count
    return tuple(member.value.bits if isinstance(member.value, Number) else -1 for member in members)


def _indices(cursor: Cursor) -> tuple[int, ...]:
    found: list[int] = []
    while cursor.accept(","):
        found.append(cursor.number())
    return tuple(found)


def member(kind: Type, indices: tuple[int, ...]) -> Type:
    """The type of a member of a member of an aggregate."""
    for index in indices:
        if isinstance(kind, StructType):
            kind = kind.fields[index]
        elif isinstance(kind, ArrayType):
            kind = kind.element
    return kind


def _extract_value(cursor: Cursor, types: Types) -> Instruction:
    aggregate = parse_operand(cursor, types)
    indices = _indices(cursor)
    return Instruction("extractvalue", member(aggregate.type, indices), [aggregate], indices=indices)


def _insert_value(cursor: Cursor, types: Types) -> Instruction:
    aggregate = parse_operand(cursor, types)
    cursor.expect(",")
    value = parse_operand(cursor, types)
    return Instruction("insertvalue", aggregate.type, [aggregate, value], indices=_indices(cursor))


PARSERS: Final[dict[str, Parse]] = {
    "alloca": _alloca,
    "load": _load,
    "store": _store,
    "fence": _fence,
    "cmpxchg": _swap,
    "atomicrmw": _update,
    "getelementptr": _address,
    "extractelement": _extract_element,
    "insertelement": _insert_element,
    "shufflevector": _shuffle,
    "extractvalue": _extract_value,
    "insertvalue": _insert_value,
}
"""Opcodes of this module."""
