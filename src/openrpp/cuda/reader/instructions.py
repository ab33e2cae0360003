"""Parsing one line of a function body: an instruction. A row of `PARSERS` per opcode."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from openrpp.cuda.reader.lexer import BadText, Cursor, name_of
from openrpp.cuda.reader.syntax import Instruction, LocalRef, Number, Operand, Undefined
from openrpp.cuda.reader.types import ArrayType, IntType, PointerType, StructType, Type, VoidType
from openrpp.cuda.reader.values import Types, parse_operand, parse_type, parse_value, skip_attributes

_ATTACHED: Final = re.compile(r",? (?:!\w+ !(?:\d+|\{)|#dbg)")
_LOCATION: Final = re.compile(r"!dbg !(\d+)")
_FLAGS: Final = frozenset(
    [
        "nuw",
        "nsw",
        "exact",
        "disjoint",
        "nneg",
        "samesign",
        "inbounds",
        "nusw",
        "fast",
        "nnan",
        "ninf",
        "nsz",
        "arcp",
        "contract",
        "afn",
        "reassoc",
        "volatile",
        "atomic",
        "tail",
        "musttail",
        "notail",
        "weak",
        "inalloca",
        "inrange",
    ]
)
_ORDERINGS: Final = frozenset({"unordered", "monotonic", "acquire", "release", "acq_rel", "seq_cst"})

Parse = Callable[[Cursor, Types], Instruction]


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


def _flags(cursor: Cursor) -> tuple[str, ...]:
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


def _binary(op: str) -> Parse:
    def parse(cursor: Cursor, types: Types) -> Instruction:
        flags = _flags(cursor)
        left = parse_operand(cursor, types)
        cursor.expect(",")
        right = Operand(left.type, parse_value(cursor, types, left.type))
        return Instruction(op, left.type, [left, right], words=flags)

    return parse


def _unary(op: str) -> Parse:
    def parse(cursor: Cursor, types: Types) -> Instruction:
        flags = _flags(cursor)
        operand = parse_operand(cursor, types)
        return Instruction(op, operand.type, [operand], words=flags)

    return parse


def _cast(op: str) -> Parse:
    def parse(cursor: Cursor, types: Types) -> Instruction:
        flags = _flags(cursor)
        operand = parse_operand(cursor, types)
        cursor.expect("to")
        return Instruction(op, parse_type(cursor, types), [operand], words=flags)

    return parse


def _compare(op: str) -> Parse:
    def parse(cursor: Cursor, types: Types) -> Instruction:
        _flags(cursor)
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
    _flags(cursor)
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
    _flags(cursor)
    operands = [parse_operand(cursor, types)]
    for _ in range(2):
        cursor.expect(",")
        operands.append(parse_operand(cursor, types))
    return Instruction("select", operands[1].type, operands)


def _alloca(cursor: Cursor, types: Types) -> Instruction:
    _flags(cursor)
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
    flags = list(_flags(cursor))
    kind = parse_type(cursor, types)
    cursor.expect(",")
    address = parse_operand(cursor, types)
    flags += [_scope(cursor), *_orderings(cursor)]
    return Instruction("load", kind, [address], words=tuple(flags), align=_align(cursor))


def _store(cursor: Cursor, types: Types) -> Instruction:
    flags = list(_flags(cursor))
    value = parse_operand(cursor, types)
    cursor.expect(",")
    address = parse_operand(cursor, types)
    flags += [_scope(cursor), *_orderings(cursor)]
    return Instruction("store", VoidType(), [value, address], words=tuple(flags), align=_align(cursor))


def _fence(cursor: Cursor, types: Types) -> Instruction:
    return Instruction("fence", VoidType(), words=(_scope(cursor), *_orderings(cursor)))


def _swap(cursor: Cursor, types: Types) -> Instruction:
    flags = _flags(cursor)
    operands = [parse_operand(cursor, types)]
    for _ in range(2):
        cursor.expect(",")
        operands.append(parse_operand(cursor, types))
    kind = StructType((operands[1].type, IntType(1)))
    return Instruction("cmpxchg", kind, operands, words=(*flags, _scope(cursor), *_orderings(cursor)))


def _update(cursor: Cursor, types: Types) -> Instruction:
    flags = _flags(cursor)
    operation = cursor.next()
    address = parse_operand(cursor, types)
    cursor.expect(",")
    value = parse_operand(cursor, types)
    words = (operation, *flags, _scope(cursor), *_orderings(cursor))
    return Instruction("atomicrmw", value.type, [address, value], words=words)


def _address(cursor: Cursor, types: Types) -> Instruction:
    flags = _flags(cursor)
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


def _call(cursor: Cursor, types: Types) -> Instruction:
    """Operands are the callee, then the arguments."""
    _flags(cursor)
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


_ARITHMETIC: Final = frozenset(
    [
        "add",
        "sub",
        "mul",
        "udiv",
        "sdiv",
        "urem",
        "srem",
        "shl",
        "lshr",
        "ashr",
        "and",
        "or",
        "xor",
        "fadd",
        "fsub",
        "fmul",
        "fdiv",
        "frem",
    ]
)
_CASTS: Final = frozenset(
    [
        "trunc",
        "zext",
        "sext",
        "fptrunc",
        "fpext",
        "fptoui",
        "fptosi",
        "uitofp",
        "sitofp",
        "ptrtoint",
        "ptrtoaddr",
        "inttoptr",
        "bitcast",
        "addrspacecast",
    ]
)

PARSERS: Final[dict[str, Parse]] = {
    **{op: _binary(op) for op in _ARITHMETIC},
    **{op: _cast(op) for op in _CASTS},
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
    "call": _call,
}
"""Every instruction that is read."""

__all__ = ["PARSERS", "LocalRef", "UnknownInstruction", "member", "parse_instruction", "skip_attributes"]
