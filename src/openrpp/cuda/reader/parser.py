"""Parsing a module: variables, functions, attribute groups, metadata; and the blocks of a function."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from openrpp.cuda.reader.instructions import parse_instruction
from openrpp.cuda.reader.lexer import BadText, Cursor, name_of
from openrpp.cuda.reader.syntax import Argument, Block, Function, Instruction, LlvmModule, Variable
from openrpp.cuda.reader.types import Type, VoidType
from openrpp.cuda.reader.values import Types, parse_operand, parse_type, skip_attributes

_NAME: Final = r'(?:"[^"]*"|[-\w.$]+)'
_DEFINE: Final = re.compile(rf"define (?P<before>.*?)@(?P<name>{_NAME})(?P<rest>\(.*)\{{$")
_LABEL: Final = re.compile(rf"^(?P<name>{_NAME}):")
_GLOBAL: Final = re.compile(rf"^@(?P<name>{_NAME}) = (?P<rest>.*)$")
_TYPE: Final = re.compile(rf"^%(?P<name>{_NAME}) = type (?P<rest>.*)$")
_GROUP: Final = re.compile(r"^attributes (?P<name>#\d+) = \{(?P<rest>.*)\}$")
_METADATA: Final = re.compile(r"^!(?P<name>\d+) = (?:distinct )?(?P<rest>.*)$")
_DEBUG: Final = re.compile(r"!dbg !(\d+)")


def parse_module(text: str) -> LlvmModule:
    """Everything but the bodies of functions. Raises BadText."""
    module = LlvmModule()
    lines = iter(text.splitlines())
    pending: list[tuple[str, str]] = []
    for line in lines:
        if line.startswith("define "):
            function = _function(line, module.types)
            function.lines = _body(lines)
            module.functions[function.name] = function
        elif found := _METADATA.match(line):
            module.metadata[int(found["name"])] = found["rest"]
        elif found := _GROUP.match(line):
            module.groups[found["name"]] = found["rest"]
        elif found := _TYPE.match(line):
            pending.append((name_of("%" + found["name"]), found["rest"]))
            _resolve(module, pending)
        elif found := _GLOBAL.match(line):
            name = name_of("@" + found["name"])
            if not name.startswith("llvm."):
                module.variables[name] = _variable(name, found["rest"], module.types)
        elif line.startswith("source_filename"):
            module.name = line.split('"')[1]
    return module


def _resolve(module: LlvmModule, pending: list[tuple[str, str]]) -> None:
    """Define the named types whose parts are known; a type may be used before the line that defines it."""
    progress = True
    while progress:
        progress = False
        for name, text in list(pending):
            if text == "opaque":
                module.types[name] = VoidType()
            else:
                try:
                    module.types[name] = parse_type(Cursor(text), module.types)
                except BadText:
                    continue
            pending.remove((name, text))
            progress = True


def _body(lines: Iterator[str]) -> list[str]:
    found: list[str] = []
    for line in lines:
        if line == "}":
            break
        if line and not line.isspace():
            found.append(line)
    return found


def _function(line: str, types: Types) -> Function:
    found = _DEFINE.match(line)
    if found is None:
        raise BadText(f"a function definition of unknown form: '{line[:120]}'")
    cursor = Cursor(found["rest"])
    arguments: list[Argument] = []
    cursor.expect("(")
    while not cursor.accept(")"):
        if cursor.accept("..."):
            continue
        arguments.append(_argument(cursor, types, len(arguments)))
        cursor.accept(",")
    location = _DEBUG.search(line)
    group = next((token for token in cursor.tokens[cursor.at :] if token[:1] == "#"), "")
    return Function(
        name_of("@" + found["name"]),
        arguments,
        "ptx_kernel" in found["before"].split(),
        group,
        int(location[1]) if location else None,
    )


def _argument(cursor: Cursor, types: Types, place: int) -> Argument:
    kind = parse_type(cursor, types)
    start = cursor.at
    skip_attributes(cursor)
    attributes = cursor.tokens[start : cursor.at]
    by_value: Type | None = None
    if "byval" in attributes:
        inner = Cursor(cursor.text)
        inner.at = start + attributes.index("byval") + 2
        by_value = parse_type(inner, types)
    align = int(attributes[attributes.index("align") + 1]) if "align" in attributes else 0
    name = name_of(cursor.next()) if cursor.token[:1] == "%" else str(place)
    return Argument(name, kind, by_value, align)


def _variable(name: str, text: str, types: Types) -> Variable:
    cursor = Cursor(text)
    space = 0
    words: set[str] = set()
    while cursor.token not in ("global", "constant"):
        word = cursor.next()
        words.add(word)
        if word == "addrspace":
            cursor.expect("(")
            space = cursor.number()
            cursor.expect(")")
        elif word == "":
            raise BadText(f"a variable of unknown form: '@{name} = {text[:120]}'")
        elif cursor.token == "(":
            cursor.skip_group()
    constant = cursor.next() == "constant"
    start = cursor.at
    kind = parse_type(cursor, types)
    initial = None
    if not words & {"external", "extern_weak"}:
        cursor.at = start
        initial = parse_operand(cursor, types)
    found = re.search(r", align (\d+)", text)
    hidden = bool(words & {"private", "internal"}) and "externally_initialized" not in words
    return Variable(name, kind, space, constant, initial, int(found[1]) if found else 0, hidden)


def blocks_of(function: Function, types: Types) -> list[Block]:
    """The basic blocks of a function. Raises UnknownInstruction or BadText."""
    blocks: list[Block] = []
    lines = iter(function.lines)
    for line in lines:
        label = _LABEL.match(line)
        if label:
            blocks.append(Block(name_of("%" + label["name"])))
            continue
        if not blocks:
            blocks.append(Block(_entry_name(function)))
        text = line.strip()
        if text.startswith("#dbg"):
            continue
        if text.startswith("switch ") and "]" not in text:
            text = _joined(text, lines)
        blocks[-1].body.append(parse_instruction(text, types))
    return blocks


def _entry_name(function: Function) -> str:
    """The number of an entry block without a label: values without names are counted, arguments first."""
    return str(sum(argument.name.isdigit() for argument in function.arguments))


def _joined(text: str, lines: Iterator[str]) -> str:
    parts = [text]
    for line in lines:
        parts.append(line.strip())
        if line.strip().startswith("]"):
            break
    return " ".join(parts)


def successors(block: Block) -> tuple[str, ...]:
    """Names of the blocks that may follow."""
    last = block.body[-1] if block.body else Instruction("unreachable", VoidType())
    return last.targets if last.op in ("br", "switch") else ()


def in_order(blocks: list[Block]) -> list[Block]:
    """The blocks that can be reached, each behind those that dominate it (reverse postorder)."""
    by_name = {block.name: block for block in blocks}
    seen = {blocks[0].name}
    stack = [(blocks[0], iter(successors(blocks[0])))]
    order: list[Block] = []
    while stack:
        block, rest = stack[-1]
        following = next((name for name in rest if name not in seen), None)
        if following is None:
            order.append(block)
            stack.pop()
        else:
            seen.add(following)
            target = by_name[following]
            stack.append((target, iter(successors(target))))
    return order[::-1]
