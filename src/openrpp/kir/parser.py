"""Reading kernel IR text, as `printer` writes it.

The types of all values of a kernel are read first, so a use may stand before the definition.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NoReturn, TypeVar

from openrpp.kir.errors import KirError, ParseError
from openrpp.kir.floats import ENCODE
from openrpp.kir.ir import (
    Block,
    Constant,
    Edge,
    Exit,
    Global,
    Instr,
    Kernel,
    Module,
    Parameter,
    Terminator,
    Value,
)
from openrpp.kir.lexer import Token, place, tokens, unquoted
from openrpp.kir.location import Location
from openrpp.kir.ops import OPS, lookup
from openrpp.kir.ops.form import AttrValue, Op
from openrpp.kir.types import VOID, Space, Type, parse_type

T = TypeVar("T")
_EXITS = {kind.value: kind for kind in Exit}


class _Reader:
    """A position in the tokens, and the small steps that all parts share."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.tokens = tokens(source)
        self.index = 0

    @property
    def next(self) -> Token:
        return self.tokens[self.index]

    def fail(self, sentence: str, token: Token | None = None) -> NoReturn:
        raise ParseError(sentence, *place(self.source, (token or self.next).position))

    def take(self, kind: str, what: str = "") -> str:
        token = self.next
        if token.kind != kind:
            self.fail(f"expected {what or kind}, found '{token.text}'")
        self.index += 1
        return token.text

    def accept(self, text: str) -> bool:
        if self.next.text == text and self.next.kind in ("mark", "word"):
            self.index += 1
            return True
        return False

    def expect(self, text: str) -> None:
        if not self.accept(text):
            self.fail(f"expected '{text}', found '{self.next.text}'")

    def integer(self) -> int:
        token = self.next
        text = self.take("number")
        if "." in text or ("e" in text and "x" not in text):
            self.fail(f"expected an integer, found '{text}'", token)
        return int(text, 0)

    def name(self, kind: str) -> str:
        return self.take(kind)[1:]

    def type(self) -> Type:
        token = self.next
        name = self.take("word", "a type")
        try:
            return parse_type(name)
        except KeyError:
            self.fail(f"'{name}' is not a type", token)

    def listed(self, read: Callable[[], T], close: str = ")") -> list[T]:
        """Items between commas up to a closing mark."""
        found: list[T] = []
        while not self.accept(close):
            if found:
                self.expect(",")
            found.append(read())
        return found

    def location(self) -> Location | None:
        """The location behind a `!`, if there is one."""
        if not self.accept("!"):
            return None
        steps = [self._step()]
        while self.accept("in"):
            steps.append(self._step())
        found: Location | None = None
        for file, line, column in reversed(steps):
            found = Location(file, line, column, found)
        return found

    def _step(self) -> tuple[str, int, int]:
        file = unquoted(self.take("text", "a file name"))
        self.expect(":")
        line = self.integer()
        self.expect(":")
        return file, line, self.integer()

    def literal(self, kind: Type, text: str) -> int:
        """Bits of a number."""
        if kind.is_float and "x" not in text:
            return ENCODE[kind](float(text))
        try:
            return int(text, 0) & kind.mask
        except ValueError:
            self.fail(f"'{text}' is not a number of type {kind}")


@dataclass(slots=True)
class _Scope:
    """Names of one kernel. A value that is not defined yet is stood for by a plain Value of its type."""

    blocks: dict[str, Block] = field(default_factory=dict[str, Block])
    values: dict[str, Value] = field(default_factory=dict[str, Value])
    types: dict[str, Type] = field(default_factory=dict[str, Type])
    pending: dict[str, Value] = field(default_factory=dict[str, Value])


class _KernelReader:
    def __init__(self, reader: _Reader) -> None:
        self.reader = reader
        self.scope = _Scope()

    def read(self) -> Kernel:
        reader = self.reader
        name = reader.name("symbol")
        reader.expect("(")
        kernel = Kernel(name, reader.listed(self._parameter))
        while not reader.accept("{"):
            self._setting(kernel)
        kernel.location = reader.location()
        while reader.accept("local"):
            self._local(kernel)
        self._scan()
        while not reader.accept("}"):
            self._block(kernel)
        self._resolve(kernel)
        return kernel

    def _parameter(self) -> Parameter:
        name = self.reader.name("value")
        self.reader.expect(":")
        if self.reader.accept("byval"):
            size = self.reader.integer()
            self.reader.expect("align")
            made = Parameter.by_value(name, size, self.reader.integer())
        else:
            made = Parameter(self.reader.type(), name)
        self._define(name, made)
        return made

    def _setting(self, kernel: Kernel) -> None:
        if self.reader.accept("max_threads"):
            kernel.max_threads = self.reader.integer()
        else:
            self.reader.expect("merge")
            kernel.merge = self.reader.integer()

    def _local(self, kernel: Kernel) -> None:
        name = self.reader.name("symbol")
        self.reader.expect("size")
        size = self.reader.integer()
        self.reader.expect("align")
        kernel.local(name, size, self.reader.integer())

    def _scan(self) -> None:
        """Collect the type of every value: `%name: type` of block parameters and `%name = ... : type` of results."""
        reader, start = self.reader, self.reader.index
        result = ""
        while not (reader.next.kind == "end" or reader.next.text == "}"):
            token = reader.next
            reader.index += 1
            before = reader.tokens[reader.index - 2].kind
            if token.kind == "value" and reader.accept("="):
                result = token.text[1:]
            elif token.text == ":" and before != "number" and result:
                self.scope.types[result], result = reader.type(), ""
            elif token.text == ":" and before == "value":
                self.scope.types[reader.tokens[reader.index - 2].text[1:]] = reader.type()
        reader.index = start

    def _block_named(self, name: str) -> Block:
        return self.scope.blocks.setdefault(name, Block(name))

    def _block(self, kernel: Kernel) -> None:
        reader = self.reader
        token = reader.next
        block = self._block_named(reader.name("block"))
        if block in kernel.blocks:
            reader.fail(f"block '{token.text}' is defined twice", token)
        kernel.blocks.append(block)
        if reader.accept("("):
            reader.listed(lambda: self._block_param(block))
        reader.expect(":")
        while reader.next.text not in _EXITS:
            block.body.append(self._instruction())
        block.terminator = self._terminator()

    def _block_param(self, block: Block) -> None:
        name = self.reader.name("value")
        self.reader.expect(":")
        self._define(name, block.param(self.reader.type(), name))

    def _define(self, name: str, value: Value) -> None:
        if name in self.scope.values:
            self.reader.fail(f"'%{name}' is defined twice")
        value.name = "" if name.isdigit() else name
        self.scope.values[name] = value

    def _instruction(self) -> Instr:
        reader, name = self.reader, ""
        if reader.next.kind == "value":
            name = reader.name("value")
            reader.expect("=")
        start = reader.next
        word = reader.take("word", "an op")
        attrs = self._attributes(OPS.get(word))
        operands = self._operands()
        kind = reader.type() if reader.accept(":") else VOID
        try:
            made = Instr(lookup(word), operands, kind, attrs, reader.location())
        except KirError as error:
            reader.fail(error.sentence, start)
        if name:
            self._define(name, made)
        return made

    def _attributes(self, op: Op | None) -> dict[str, AttrValue]:
        reader = self.reader
        flags = {item.name for item in op.attributes} if op else set[str]()
        found: dict[str, AttrValue] = {}
        while reader.next.kind == "word" and (reader.next.text in flags or reader.tokens[reader.index + 1].text == "="):
            name = reader.take("word")
            found[name] = self._attribute_value() if reader.accept("=") else True
        return found

    def _attribute_value(self) -> AttrValue:
        reader = self.reader
        if reader.next.kind == "number":
            return reader.integer()
        return unquoted(reader.take("text")) if reader.next.kind == "text" else reader.take("word", "a value")

    def _operands(self) -> list[Value]:
        found: list[Value] = []
        if self.reader.next.kind in ("value", "number") and not self._starts_instruction():
            found.append(self._operand())
            while self.reader.accept(","):
                found.append(self._operand())
        return found

    def _starts_instruction(self) -> bool:
        return self.reader.tokens[self.reader.index + 1].text == "="

    def _operand(self) -> Value:
        reader, token = self.reader, self.reader.next
        if token.kind == "number":
            reader.index += 1
            reader.expect(":")
            kind = reader.type()
            return Constant(kind, reader.literal(kind, token.text))
        name = reader.name("value")
        if name in self.scope.values:
            return self.scope.values[name]
        if name not in self.scope.types:
            reader.fail(f"'%{name}' is not defined", token)
        return self.scope.pending.setdefault(name, Value(self.scope.types[name], name))

    def _edge(self) -> Edge:
        edge = Edge(self._block_named(self.reader.name("block")))
        if self.reader.accept("("):
            edge.args = self.reader.listed(self._operand)
        return edge

    def _terminator(self) -> Terminator:
        reader = self.reader
        made = Terminator(_EXITS[reader.take("word")])
        if made.kind in (Exit.CONDITIONAL, Exit.SWITCH):
            made.value = self._operand()
            reader.expect(",")
        if made.kind in (Exit.BRANCH, Exit.CONDITIONAL, Exit.SWITCH):
            made.edges.append(self._edge())
        while made.edges and reader.accept(","):
            if made.kind is Exit.SWITCH and made.value is not None:
                made.cases.append(reader.literal(made.value.type, reader.take("number", "a case")))
            made.edges.append(self._edge())
        made.location = reader.location()
        return made

    def _resolve(self, kernel: Kernel) -> None:
        missing = [name for name, block in self.scope.blocks.items() if block not in kernel.blocks]
        missing += [name for name in self.scope.pending if name not in self.scope.values]
        if missing:
            self.reader.fail(f"'{missing[0]}' is used in kernel '{kernel.name}' but not defined")
        kernel.substitute({value: self.scope.values[name] for name, value in self.scope.pending.items()})


def _global(reader: _Reader) -> Global:
    name = reader.name("symbol")
    space = reader.take("word", "an address space")
    if space not in {item.value for item in Space}:
        reader.fail(f"'{space}' is not an address space")
    reader.expect("size")
    size = reader.integer()
    reader.expect("align")
    made = Global(name, Space(space), size, reader.integer())
    made.dynamic = reader.accept("dynamic")
    if reader.accept("data"):
        made.data = bytes.fromhex(unquoted(reader.take("text")))
    while reader.accept("reloc"):
        made.relocations += ((reader.integer(), reader.name("symbol"), reader.integer()),)
    return made


def parse_module(source: str) -> Module:
    """The module of a text. Raises ParseError with line and column; what it means is not verified."""
    reader = _Reader(source)
    reader.expect("module")
    module = Module(unquoted(reader.take("text", "the module's name")))
    while reader.next.kind != "end":
        if reader.accept("global"):
            module.add_global(_global(reader))
        else:
            reader.expect("kernel")
            module.add_kernel(_KernelReader(reader).read())
    return module


def parse_kernel(source: str) -> Kernel:
    """The kernel of a text without a module. Raises ParseError."""
    reader = _Reader(source)
    reader.expect("kernel")
    kernel = _KernelReader(reader).read()
    if reader.next.kind != "end":
        reader.fail(f"expected the end of the text, found '{reader.next.text}'")
    return kernel
