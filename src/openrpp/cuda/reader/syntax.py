"""The parts of an LLVM module that are read, as plain data."""

from __future__ import annotations

from dataclasses import dataclass, field

from openrpp.cuda.reader.types import Type


@dataclass(frozen=True, slots=True)
class LocalRef:
    """`%name`."""

    name: str


@dataclass(frozen=True, slots=True)
class GlobalRef:
    """`@name`."""

    name: str


@dataclass(frozen=True, slots=True)
class Number:
    """An integer, a truth value, null (0), or the bit pattern of a float."""

    bits: int


@dataclass(frozen=True, slots=True)
class Null:
    """The null pointer."""


@dataclass(frozen=True, slots=True)
class Zero:
    """`zeroinitializer`."""


@dataclass(frozen=True, slots=True)
class Undefined:
    """`undef` or `poison`; kernel IR has no such value, so it becomes zero."""


@dataclass(frozen=True, slots=True)
class Aggregate:
    """Members of a constant array, vector or struct."""

    members: tuple[Operand, ...]


@dataclass(frozen=True, slots=True)
class Text:
    """An array of bytes."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Expression:
    """A constant expression; `element` is what a getelementptr indexes, `target` the type of a cast's result."""

    op: str
    operands: tuple[Operand, ...]
    target: Type
    element: Type | None = None


@dataclass(frozen=True, slots=True)
class Assembly:
    """Inline assembly."""

    text: str


Atom = LocalRef | GlobalRef | Number | Null | Zero | Undefined | Aggregate | Text | Expression | Assembly


@dataclass(frozen=True, slots=True)
class Operand:
    """A value with its type."""

    type: Type
    value: Atom


@dataclass(slots=True)
class Instruction:
    """One instruction. What `words` holds depends on the opcode: flags, predicate, operation, scope.

    `type` is the result's, `element` what is allocated or indexed. `targets` are block names: of a branch, of a phi's
    incoming edges, of a switch (default first). `indices` are those of extractvalue and insertvalue, or the mask of a
    shufflevector.
    """

    op: str
    type: Type
    operands: list[Operand] = field(default_factory=list[Operand])
    result: str = ""
    words: tuple[str, ...] = ()
    element: Type | None = None
    targets: tuple[str, ...] = ()
    indices: tuple[int, ...] = ()
    align: int = 0
    location: int | None = None
    text: str = ""

    def has(self, word: str) -> bool:
        """Whether a flag is there."""
        return word in self.words


@dataclass(slots=True)
class Block:
    """A basic block; the last instruction is its terminator."""

    name: str
    body: list[Instruction] = field(default_factory=list[Instruction])


@dataclass(frozen=True, slots=True)
class Argument:
    """A parameter of a function; `by_value` is the struct that a pointer passes by value."""

    name: str
    type: Type
    by_value: Type | None = None
    align: int = 0


@dataclass(slots=True)
class Function:
    """A defined function. Its lines are parsed when `blocks` is first asked for (see `Parser.body`)."""

    name: str
    arguments: list[Argument]
    is_kernel: bool
    group: str = ""
    location: int | None = None
    lines: list[str] = field(default_factory=list[str])


@dataclass(frozen=True, slots=True)
class Variable:
    """A global variable. `initial` is None for one that is declared only; `hidden` is one that the host cannot name."""

    name: str
    type: Type
    space: int
    constant: bool
    initial: Operand | None
    align: int = 0
    hidden: bool = False


@dataclass(slots=True)
class LlvmModule:
    """What a module's text declares."""

    name: str = ""
    types: dict[str, Type] = field(default_factory=dict[str, Type])
    variables: dict[str, Variable] = field(default_factory=dict[str, Variable])
    functions: dict[str, Function] = field(default_factory=dict[str, Function])
    groups: dict[str, str] = field(default_factory=dict[str, str])
    metadata: dict[int, str] = field(default_factory=dict[int, str])
