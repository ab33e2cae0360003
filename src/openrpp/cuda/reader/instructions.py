"""Parsing one line of a function body: an instruction. A row of `PARSERS` per opcode."""

from __future__ import annotations

import re
from typing import Final

from openrpp.cuda.reader import memory_forms
from openrpp.cuda.reader.lexer import BadText, Cursor, name_of
from openrpp.cuda.reader.memory_forms import Parse, flags_of
from openrpp.cuda.reader.syntax import Instruction, Operand
from openrpp.cuda.reader.types import ArrayType, IntType, PointerType, Type, VoidType
from openrpp.cuda.reader.values import Types, parse_operand, parse_type, parse_value

_ATTACHED: Final = re.compile(r",? (?:!\w+ !(?:\d+|\{)|#dbg)")
_LOCATION: Final = re.compile(r"!dbg !(\d+)")


class UnknownInstruction(Exception):
    """An opcode that no row reads."""

    def __init__(self, op: str, location: int | None) -> None:
        super().__init__(op)
        self.op, self.location = op, location


def parse_instruction(line: str, types: Types) -> Instruction:
    """The instruction of a line. Raises UnknownInstruction or BadText."""
    attached = _ATTACHED.search(line)
    found = _LOCATION.search(line, attached.start()) if attached else None
    location = int(found[1]) if found else None
    cursor = Cursor(line[: attached.start()] if attached else line)
    result = ""
    if cursor.peek() == "=" and cursor.token[:1] == "%":
        result = name_of(cursor.next())
        cursor.next()
    while cursor.token in ("tail", "musttail", "notail"):
        cursor.next()
    op = cursor.next()
    parse = PARSERS.get(op)
    if parse is None:
        raise UnknownInstruction(op, location)
    try:
        made = parse(cursor, types)
    except BadText as error:
        raise BadText(f"{error}") from error
    made.result, made.location, made.text = result, location, line
    return made


def _binary(op: str) -> Parse:
    def parse(cursor: Cursor, types: Types) -> Instruction:
        flags = flags_of(cursor)
        left = parse_operand(cursor, types)
        cursor.expect(",")
        right = Operand(left.type, parse_value(cursor, types, left.type))
        return Instruction(op, left.type, [left, right], words=flags)

    return parse


def _unary(op: str) -> Parse:
    def parse(cursor: Cursor, types: Types) -> Instruction:
        flags = flags_of(cursor)
        operand = parse_operand(cursor, types)
        return Instruction(op, operand.type, [operand], words=flags)

    return parse


def _cast(op: str) -> Parse:
    def parse(cursor: Cursor, types: Types) -> Instruction:
        flags = flags_of(cursor)
        operand = parse_operand(cursor, types)
        cursor.expect("to")
        return Instruction(op, parse_type(cursor, types), [operand], words=flags)

    return parse


def _compare(op: str) -> Parse:
    def parse(cursor: Cursor, types: Types) -> Instruction:
        flags_of(cursor)
        predicate = cursor.next()
        left = parse_operand(cursor, types)
        cursor.expect(",")
        right = Operand(left.type, parse_value(cursor, types, left.type))
        kind: Type = IntType(1)
        if isinstance(left.type, ArrayType):
            kind = ArrayType(left.type.count, kind, True)
        return Instruction(op, kind, [left, right], words=(predicate,))

    return parse


def _ret(cursor: Cursor, types: Types) -> Instruction:
    kind = parse_type(cursor, types)
    operands = [] if isinstance(kind, VoidType) else [Operand(kind, parse_value(cursor, types, kind))]
    return Instruction("ret", VoidType(), operands)


def _label(cursor: Cursor) -> str:
    cursor.expect("label")
    return name_of(cursor.next())


def _branch(cursor: Cursor, types: Types) -> Instruction:
    if cursor.token == "label":
        return Instruction("br", VoidType(), targets=(_label(cursor),))
    condition = parse_operand(cursor, types)
    cursor.expect(",")
    then = _label(cursor)
    cursor.expect(",")
    return Instruction("br", VoidType(), [condition], targets=(then, _label(cursor)))


def _switch(cursor: Cursor, types: Types) -> Instruction:
    operands = [parse_operand(cursor, types)]
    cursor.expect(",")
    targets = [_label(cursor)]
    cursor.expect("[")
    while not cursor.accept("]"):
        operands.append(parse_operand(cursor, types))
        cursor.expect(",")
        targets.append(_label(cursor))
    return Instruction("switch", VoidType(), operands, targets=tuple(targets))


def _unreachable(cursor: Cursor, types: Types) -> Instruction:
    return Instruction("unreachable", VoidType())


def _phi(cursor: Cursor, types: Types) -> Instruction:
    flags_of(cursor)
    kind = parse_type(cursor, types)
    operands: list[Operand] = []
    sources: list[str] = []
    while cursor.accept("["):
        operands.append(Operand(kind, parse_value(cursor, types, kind)))
        cursor.expect(",")
        sources.append(name_of(cursor.next()))
        cursor.expect("]")
        cursor.accept(",")
    return Instruction("phi", kind, operands, targets=tuple(sources))


def _select(cursor: Cursor, types: Types) -> Instruction:
    flags_of(cursor)
    operands = [parse_operand(cursor, types)]
    for _ in range(2):
        cursor.expect(",")
        operands.append(parse_operand(cursor, types))
    return Instruction("select", operands[1].type, operands)


def _call(cursor: Cursor, types: Types) -> Instruction:
    """Operands are the callee, then the arguments."""
    flags_of(cursor)
    _skip_to_type(cursor)
    kind = parse_type(cursor, types)
    if cursor.token == "(":  # the type of a function with variable arguments
        cursor.skip_group()
    callee = Operand(PointerType(), parse_value(cursor, types, PointerType()))
    cursor.expect("(")
    operands = [callee]
    while not cursor.accept(")"):
        operands.append(parse_operand(cursor, types))
        cursor.accept(",")
    return Instruction("call", kind, operands)


def _skip_to_type(cursor: Cursor) -> None:
    """Move past calling convention and attributes of the result."""
    while cursor.token and not _starts_type(cursor):
        word = cursor.next()
        if cursor.token == "(":
            cursor.skip_group()
        elif word == "align" and cursor.token.isdigit():
            cursor.next()


def _starts_type(cursor: Cursor) -> bool:
    token = cursor.token
    if token[0] in "[<{%":
        return True
    return token in ("ptr", "void", "half", "bfloat", "float", "double") or (token[0] == "i" and token[1:].isdigit())


_ARITHMETIC: Final = "add sub mul udiv sdiv urem srem shl lshr ashr and or xor fadd fsub fmul fdiv frem"
_CASTS: Final = """
    trunc zext sext fptrunc fpext fptoui fptosi uitofp sitofp
    ptrtoint ptrtoaddr inttoptr bitcast addrspacecast
"""

PARSERS: Final[dict[str, Parse]] = {
    **memory_forms.PARSERS,
    **{op: _binary(op) for op in _ARITHMETIC.split()},
    **{op: _cast(op) for op in _CASTS.split()},
    "fneg": _unary("fneg"),
    "freeze": _unary("freeze"),
    "icmp": _compare("icmp"),
    "fcmp": _compare("fcmp"),
    "ret": _ret,
    "br": _branch,
    "switch": _switch,
    "unreachable": _unreachable,
    "phi": _phi,
    "select": _select,
    "call": _call,
}
"""Every instruction that is read."""
