"""Parsing types, values and constant expressions."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import Final

from openrpp.cuda.reader.lexer import BadText, Cursor, name_of, unescaped
from openrpp.cuda.reader.syntax import (
    Aggregate,
    Assembly,
    Atom,
    Expression,
    GlobalRef,
    LocalRef,
    Null,
    Number,
    Operand,
    Text,
    Undefined,
    Zero,
)
from openrpp.cuda.reader.types import (
    FLOATS,
    ArrayType,
    FloatType,
    IntType,
    PointerType,
    StructType,
    Type,
    VoidType,
)
from openrpp.kir.floats import ENCODE

CASTS: Final = frozenset({"addrspacecast", "bitcast", "ptrtoint", "ptrtoaddr", "inttoptr", "trunc"})
_BINARY: Final = frozenset({"add", "sub", "mul", "xor", "and", "or", "shl"})
_STARTS: Final = (
    frozenset({"true", "false", "null", "zeroinitializer", "undef", "poison", "none", "getelementptr", "splat", "asm"})
    | CASTS
    | _BINARY
)
"""Words with which a value may begin."""

Types = Mapping[str, Type]


def parse_type(cursor: Cursor, types: Types) -> Type:
    """A type. Raises BadText for one that kernels do not have."""
    token = cursor.next()
    if token == "ptr":
        return PointerType(_space(cursor))
    if token in FLOATS:
        return FloatType(token)
    if token[:1] == "i" and token[1:].isdigit():
        return IntType(int(token[1:]))
    if token == "void" or token in ("label", "metadata"):
        return VoidType()
    if token == "[":
        return _sequence(cursor, types, "]", False)
    if token == "<":
        if cursor.accept("{"):
            found = _struct(cursor, types, True)
            cursor.expect(">")
            return found
        return _sequence(cursor, types, ">", True)
    if token == "{":
        return _struct(cursor, types, False)
    if token[:1] == "%" and name_of(token) in types:
        return types[name_of(token)]
    raise BadText(f"type '{token}' has no kernel IR, in '{cursor.text.strip()[:120]}'")


def _space(cursor: Cursor) -> int:
    if not cursor.accept("addrspace"):
        return 0
    cursor.expect("(")
    space = cursor.number()
    cursor.expect(")")
    return space


def _sequence(cursor: Cursor, types: Types, end: str, vector: bool) -> ArrayType:
    count = cursor.number()
    cursor.expect("x")
    element = parse_type(cursor, types)
    cursor.expect(end)
    return ArrayType(count, element, vector)


def _struct(cursor: Cursor, types: Types, packed: bool) -> StructType:
    fields: list[Type] = []
    while not cursor.accept("}"):
        fields.append(parse_type(cursor, types))
        cursor.accept(",")
    return StructType(tuple(fields), packed)


def skip_attributes(cursor: Cursor) -> None:
    """Move past the attributes between the type and the value of an argument."""
    while cursor.token and cursor.token not in _STARTS and (cursor.token[0].isalpha() or cursor.token[0] in '#"'):
        if cursor.token[0] == "c" and cursor.token[1:2] == '"':
            return
        word = cursor.next()
        if cursor.token == "(":
            cursor.skip_group()
        elif (word == "align" and cursor.token.isdigit()) or (word[0] == '"' and cursor.accept("=")):
            cursor.next()


def parse_operand(cursor: Cursor, types: Types) -> Operand:
    """A type and a value, with attributes between them."""
    kind = parse_type(cursor, types)
    skip_attributes(cursor)
    return Operand(kind, parse_value(cursor, types, kind))


def parse_value(cursor: Cursor, types: Types, kind: Type) -> Atom:
    """A value of a known type. Raises BadText."""
    token = cursor.next()
    if not token:
        raise BadText(f"a value is missing in '{cursor.text.strip()[:120]}'")
    match token[0]:
        case "%":
            return LocalRef(name_of(token))
        case "@":
            return GlobalRef(name_of(token))
        case "[" | "{":
            return _members(cursor, types, {"[": "]", "{": "}"}[token])
        case "<":
            packed = cursor.accept("{")
            found = _members(cursor, types, "}" if packed else ">")
            if packed:
                cursor.expect(">")
            return found
        case "!":
            if cursor.token in ("{", "("):
                cursor.skip_group()
            return Undefined()  # metadata
        case _:
            return _word(cursor, types, token, kind)


def _word(cursor: Cursor, types: Types, token: str, kind: Type) -> Atom:
    if token.startswith('c"'):
        return Text(unescaped(token[2:-1]))
    match token:
        case "true" | "false":
            return Number(int(token == "true"))
        case "null" | "none":
            return Null()
        case "zeroinitializer":
            return Zero()
        case "undef" | "poison":
            return Undefined()
        case "getelementptr":
            return _element(cursor, types)
        case "splat":
            return _splat(cursor, types, kind)
        case "asm":
            return _assembly(cursor)
        case _ if token in CASTS:
            return _cast(cursor, types, token)
        case _ if token in _BINARY:
            return _binary(cursor, types, token)
        case _:
            return Number(_literal(token, kind, cursor.text))


def _literal(token: str, kind: Type, text: str) -> int:
    if isinstance(kind, IntType):
        try:
            return int(token) & ((1 << kind.bits) - 1)
        except ValueError:
            raise BadText(f"'{token}' is no integer, in '{text.strip()[:120]}'") from None
    if isinstance(kind, FloatType):
        return float_bits(token, kind)
    raise BadText(f"'{token}' is no value, in '{text.strip()[:120]}'")


def float_bits(token: str, kind: FloatType) -> int:
    """The bits of a float literal: decimal, or hexadecimal bits of a double (of half and bfloat with H and R)."""
    if token[:3] in ("0xH", "0xR"):
        return int(token[3:], 16)
    value = struct.unpack("<d", int(token[2:], 16).to_bytes(8, "little"))[0] if token[:2] == "0x" else float(token)
    return ENCODE[FLOATS[kind.kind]](value)


def _members(cursor: Cursor, types: Types, end: str) -> Aggregate:
    members: list[Operand] = []
    while not cursor.accept(end):
        members.append(parse_operand(cursor, types))
        cursor.accept(",")
    return Aggregate(tuple(members))


def _splat(cursor: Cursor, types: Types, kind: Type) -> Aggregate:
    cursor.expect("(")
    member = parse_operand(cursor, types)
    cursor.expect(")")
    return Aggregate((member,) * (kind.count if isinstance(kind, ArrayType) else 1))


def _assembly(cursor: Cursor) -> Assembly:
    while cursor.token in ("sideeffect", "alignstack", "inteldialect", "unwind"):
        cursor.next()
    text = unescaped(cursor.next()[1:-1]).decode("utf-8", "replace")
    if cursor.accept(","):
        cursor.next()
    return Assembly(text)


def _skip_flags(cursor: Cursor) -> None:
    while cursor.token != "(":
        if cursor.next() == "":
            raise BadText(f"a bracket is missing in '{cursor.text.strip()[:120]}'")
        if cursor.token == "(" and cursor.peek(-1) == "inrange":
            cursor.skip_group()


def _element(cursor: Cursor, types: Types) -> Expression:
    _skip_flags(cursor)
    cursor.expect("(")
    element = parse_type(cursor, types)
    operands: list[Operand] = []
    while cursor.accept(","):
        operands.append(parse_operand(cursor, types))
    cursor.expect(")")
    return Expression("getelementptr", tuple(operands), operands[0].type, element)


def _cast(cursor: Cursor, types: Types, op: str) -> Expression:
    _skip_flags(cursor)
    cursor.expect("(")
    operand = parse_operand(cursor, types)
    cursor.expect("to")
    target = parse_type(cursor, types)
    cursor.expect(")")
    return Expression(op, (operand,), target)


def _binary(cursor: Cursor, types: Types, op: str) -> Expression:
    _skip_flags(cursor)
    cursor.expect("(")
    left = parse_operand(cursor, types)
    cursor.expect(",")
    right = parse_operand(cursor, types)
    cursor.expect(")")
    return Expression(op, (left, right), left.type)
