"""Kernel IR as text; `parser` reads it back. Printing what was read gives the same text."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from openrpp.kir.floats import DECODE, ENCODE, is_nan
from openrpp.kir.ir import Block, Constant, Edge, Exit, Global, Instr, Kernel, Module, Parameter, Terminator, Value
from openrpp.kir.location import Location
from openrpp.kir.ops.form import AttrValue
from openrpp.kir.types import VOID, Type

_ESCAPES: Final = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\t": "\\t", "\r": "\\r"}


def quoted(text: str) -> str:
    """A text literal."""
    return '"' + "".join(_ESCAPES.get(letter, letter) for letter in text) + '"'


def literal(kind: Type, bits: int) -> str:
    """A number as text: decimal where that gives the same bits again, else hexadecimal bits."""
    if kind.is_float:
        value = DECODE[kind](bits)
        text = repr(value)
        plain = not is_nan(kind, bits) and "inf" not in text and ENCODE[kind](value) == bits
        return text if plain else f"0x{bits:x}"
    if kind.is_pointer:
        return f"0x{bits:x}"
    half = 1 << (kind.bits - 1)
    return str(bits if kind.bits == 1 or bits < half else bits - 2 * half)


class Names:
    """A distinct name for every block and value of a kernel: its hint, made unique, or a number."""

    def __init__(self, kernel: Kernel) -> None:
        self._values: dict[Value, str] = {}
        self._blocks: dict[Block, str] = {}
        self._taken: set[str] = set()
        self._next = 0
        for value in kernel.params:
            self._add(value)
        blocks: set[str] = set()
        for place, block in enumerate(kernel.blocks):
            self._blocks[block] = _unique(block.name or f"b{place}", blocks)
            for value in (*block.params, *block.body):
                if value.type is not VOID:
                    self._add(value)

    def _add(self, value: Value) -> None:
        if value.name and not value.name.isdigit():
            self._values[value] = _unique(value.name, self._taken)
        else:
            self._values[value] = str(self._next)
            self._next += 1

    def block(self, block: Block) -> str:
        """`^name`."""
        return "^" + self._blocks.get(block, "?")

    def value(self, value: Value) -> str:
        """`%name`, or a literal with its type."""
        if isinstance(value, Constant):
            return f"{literal(value.type, value.bits)}:{value.type}"
        return "%" + self._values.get(value, "?")


def _unique(hint: str, taken: set[str]) -> str:
    name, count = hint, 0
    while name in taken:
        count += 1
        name = f"{hint}.{count}"
    taken.add(name)
    return name


def _location(place: Location | None) -> str:
    if place is None:
        return ""
    return "  !" + " in ".join(f"{quoted(step.file)}:{step.line}:{step.column}" for step in place.chain())


def _attribute(name: str, value: AttrValue) -> str:
    if value is True:
        return name
    if isinstance(value, str):
        return f"{name}={value if value.isidentifier() else quoted(value)}"
    return f"{name}={int(value)}"


def instruction(instr: Instr, names: Names) -> str:
    """One instruction without its location."""
    head = "" if instr.type is VOID else f"{names.value(instr)} = "
    attrs = "".join(f" {_attribute(name, value)}" for name, value in sorted(instr.attrs.items()))
    operands = ", ".join(names.value(value) for value in instr.operands)
    tail = "" if instr.type is VOID else f" : {instr.type}"
    return f"{head}{instr.op.name}{attrs}{' ' + operands if operands else ''}{tail}"


def _edge(edge: Edge, names: Names) -> str:
    args = ", ".join(names.value(value) for value in edge.args)
    return names.block(edge.target) + (f"({args})" if args else "")


def terminator(end: Terminator, names: Names) -> str:
    """A terminator without its location."""
    parts = [_edge(edge, names) for edge in end.edges]
    if end.kind is Exit.SWITCH and end.value is not None:
        kind = end.value.type
        parts[1:] = [f"{literal(kind, case)} {part}" for case, part in zip(end.cases, parts[1:], strict=True)]
    if end.value is not None:
        parts.insert(0, names.value(end.value))
    return " ".join([end.kind.value, ", ".join(parts)]).rstrip()


def _param(value: Parameter, names: Names) -> str:
    kind = f"byval {value.size} align {value.align}" if value.is_by_value else str(value.type)
    return f"{names.value(value)}: {kind}"


def _kernel_lines(kernel: Kernel) -> Iterator[str]:
    names = Names(kernel)
    settings = f" max_threads {kernel.max_threads}" if kernel.max_threads else ""
    settings += f" merge {kernel.merge}" if kernel.merge != 1 else ""
    params = ", ".join(_param(value, names) for value in kernel.params)
    yield f"kernel @{kernel.name}({params}){settings} {{{_location(kernel.location)}"
    for local in kernel.locals.values():
        yield f"  local @{local.name} size {local.size} align {local.align}"
    for block in kernel.blocks:
        params = ", ".join(f"{names.value(value)}: {value.type}" for value in block.params)
        yield names.block(block) + (f"({params})" if params else "") + ":"
        for instr in block.body:
            yield f"  {instruction(instr, names)}{_location(instr.location)}"
        yield f"  {terminator(block.terminator, names)}{_location(block.terminator.location)}"
    yield "}"


def print_kernel(kernel: Kernel) -> str:
    """A kernel as text."""
    return "\n".join(_kernel_lines(kernel)) + "\n"


def print_global(variable: Global) -> str:
    """A variable as one line."""
    parts = [f"global @{variable.name} {variable.space.value} size {variable.size} align {variable.align}"]
    if variable.dynamic:
        parts.append("dynamic")
    if variable.data is not None:
        parts.append(f"data {quoted(variable.data.hex())}")
    parts += [f"reloc {offset} @{symbol} {addend}" for offset, symbol, addend in variable.relocations]
    return " ".join(parts)


def print_module(module: Module) -> str:
    """A module as text."""
    lines = [f"module {quoted(module.name)}", *(print_global(item) for item in module.globals.values())]
    return "\n".join(lines) + "\n" + "".join("\n" + print_kernel(kernel) for kernel in module.kernels.values())
