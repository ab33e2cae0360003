"""What the translation of one kernel works on: the builder, the values so far, symbols, refusals."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import NoReturn

from openrpp.cuda.errors import Location as Place
from openrpp.cuda.errors import UnsupportedError
from openrpp.cuda.reader import types
from openrpp.cuda.reader.debug import DebugInfo
from openrpp.cuda.reader.initial import address_of
from openrpp.cuda.reader.lexer import BadText
from openrpp.cuda.reader.spaces import PointerSpaces, variable_space
from openrpp.cuda.reader.syntax import (
    Aggregate,
    Assembly,
    Expression,
    GlobalRef,
    Instruction,
    LocalRef,
    Null,
    Number,
    Operand,
    Text,
    Undefined,
    Variable,
    Zero,
)
from openrpp.cuda.reader.types import ArrayType, IntType, PointerType, StructType, Type
from openrpp.kir import Builder, Constant, Instr, Kernel, Location, Value, constant
from openrpp.kir import types as kir
from openrpp.kir.ops import lookup
from openrpp.kir.ops.form import Attrs, AttrValue
from openrpp.kir.types import Space, pointer

Tree = Value | tuple["Tree", ...]
"""A value of LLVM: one of kernel IR, or the members of a vector or aggregate."""


def leaves(tree: Tree) -> Iterator[Value]:
    """The values of a tree, left to right."""
    if isinstance(tree, Value):
        yield tree
    else:
        for member in tree:
            yield from leaves(member)


def mapped(tree: Tree, change: Callable[[Value], Value]) -> Tree:
    """A tree of the same shape with every value changed."""
    return change(tree) if isinstance(tree, Value) else tuple(mapped(member, change) for member in tree)


@dataclass
class Context:
    """The translation of a kernel under way."""

    kernel: Kernel
    builder: Builder
    spaces: PointerSpaces
    debug: DebugInfo
    variables: Mapping[str, Variable]
    symbols: Mapping[str, str]  # names of LLVM -> names in the kernel IR module
    preamble: list[Instr] = field(default_factory=list[Instr])
    values: dict[str, Tree] = field(default_factory=dict[str, Tree])
    addresses: dict[str, Instr] = field(default_factory=dict[str, Instr])
    instruction: Instruction | None = None

    # --- errors -------------------------------------------------------------------------------------------------

    def refuse(self, name: str, reason: str) -> NoReturn:
        """Say that something at the current instruction has no kernel IR."""
        number = self.instruction.location if self.instruction is not None else None
        raise unsupported(name, reason, self.debug.location(number), self.kernel.name)

    # --- building -----------------------------------------------------------------------------------------------

    def emit(
        self,
        op: str,
        *operands: Value,
        kind: kir.Type | None = None,
        attrs: Attrs | None = None,
        **more: AttrValue,
    ) -> Instr:
        """Append an op at the current location."""
        given = {**attrs, **more} if attrs else more
        return self.builder.append(Instr(lookup(op), operands, kind, given, self.builder.location))

    def number(self, kind: kir.Type, value: int) -> Constant:
        """An integer constant."""
        return constant(kind, value)

    def resized(self, value: Value, bits: int, signed: bool = False) -> Value:
        """An integer with another width of kernel IR."""
        wanted = {1: kir.I1, 8: kir.I8, 16: kir.I16, 32: kir.I32, 64: kir.I64}[bits]
        if value.type is wanted:
            return value
        if isinstance(value, Constant):
            return constant(wanted, value.signed if signed else value.bits)
        if value.type.bits > bits:
            return self.emit("trunc", value, kind=wanted)
        return self.emit("sext" if signed else "zext", value, kind=wanted)

    def in_space(self, value: Value, space: Space) -> Value:
        """A pointer seen through another address space."""
        if value.type.space is space:
            return value
        if isinstance(value, Constant):
            return Constant(pointer(space), value.bits)
        return self.emit("space_cast", value, kind=pointer(space))

    def moved(self, address: Value, offset: int) -> Value:
        """The address some bytes further, within the same object."""
        return self.emit("ptr_add", address, constant(kir.I64, offset), inbounds=True) if offset else address

    # --- operands -----------------------------------------------------------------------------------------------

    def kind_of(self, kind: Type) -> kir.Type:
        """The kernel IR type of a scalar that is no pointer. Refuses what has none."""
        found = types.scalar(kind)
        if found is None:
            if isinstance(kind, IntType):
                self.refuse(f"{kind.bits}-bit integer", "integers have at most 64 bits")
            self.refuse(type(kind).__name__, "this type of value has no kernel IR")
        return found

    def leaf_kind(self, kind: Type) -> kir.Type:
        """The type of a member of an aggregate."""
        return pointer(self.spaces.loaded) if isinstance(kind, PointerType) else self.kind_of(kind)

    def tree(self, operand: Operand) -> Tree:
        """The value of an operand."""
        match operand.value:
            case LocalRef(name):
                found = self.values.get(name)
                if found is None:
                    self.refuse(f"%{name}", "the value is used before it is defined")
                return found
            case Aggregate(members):
                return tuple(self.tree(member) for member in members)
            case Text(data):
                return tuple(constant(kir.I8, byte) for byte in data)
            case Zero() | Undefined() | Null():
                return self.zero(operand.type)
            case Number(bits):
                return Constant(self.kind_of(operand.type), bits)
            case GlobalRef() | Expression():
                return self.address(operand)
            case Assembly(text):
                self.refuse("asm", f"inline PTX has no RPP mapping: {text.strip()[:60]!r}")

    def zero(self, kind: Type) -> Tree:
        """Zeros of a type."""
        if isinstance(kind, ArrayType | StructType):
            return tuple(self.zero(member) for _, member in types.parts(kind))
        if isinstance(kind, PointerType):
            space = types.SPACES.get(kind.space, Space.GLOBAL)
            return Constant(pointer(space), 0)
        return Constant(self.kind_of(kind), 0)

    def value(self, operand: Operand) -> Value:
        """The value of a scalar operand."""
        found = self.tree(operand)
        if not isinstance(found, Value):
            self.refuse(operand_name(operand), "a scalar is expected here, not a vector or struct")
        return found

    def members(self, operand: Operand) -> tuple[Tree, ...]:
        """The members of a vector or aggregate."""
        found = self.tree(operand)
        if isinstance(found, Value):
            self.refuse(operand_name(operand), "a vector or struct is expected here, not a scalar")
        return found

    def address(self, operand: Operand) -> Value:
        """A constant address, or an integer made of one."""
        try:
            place = address_of(operand)
        except BadText as error:
            self.refuse("constant expression", str(error))
        if not place.symbol:
            bits = place.offset
            return (
                Constant(pointer(Space.GENERIC), bits)
                if _is_pointer(operand)
                else Constant(self.kind_of(operand.type), bits)
            )
        base = self.moved(self.symbol(place.symbol), place.offset)
        if _is_pointer(operand):
            return self.in_space(base, types.SPACES.get(_space_number(operand), base.type.space or Space.GENERIC))
        return self.emit("ptrtoint", self.in_space(base, Space.GENERIC), kind=self.kind_of(operand.type))

    def symbol(self, name: str) -> Value:
        """The address of a variable of the module, computed once at the kernel's start."""
        variable = self.variables.get(name)
        if variable is None:
            self.refuse(name, "the address of a function: calls through pointers have no RPP mapping")
        if variable.initial is None and variable.space != types_shared():
            self.refuse(name, "the variable is declared here and defined elsewhere")
        if name not in self.addresses:
            space = variable_space(variable)
            made = self.entry_op("global_addr", kind=pointer(space), symbol=self.symbols[name])
            self.addresses[name] = made
        return self.addresses[name]

    def entry_op(self, op: str, kind: kir.Type | None = None, **attrs: AttrValue) -> Instr:
        """An op without operands at the kernel's start."""
        made = Instr(lookup(op), [], kind, attrs)
        self.preamble.append(made)
        return made


def unsupported(name: str, reason: str, where: Location | None, kernel: str) -> UnsupportedError:
    """The error for something at a place; of inlined code, the innermost place in the user's source."""
    place = Place(where.file, where.line, where.column) if where is not None else None
    return UnsupportedError(name, reason, place, kernel)


def operand_name(operand: Operand) -> str:
    """How an operand is called in a message."""
    return f"%{operand.value.name}" if isinstance(operand.value, LocalRef) else type(operand.value).__name__


def types_shared() -> int:
    """LLVM's number of the shared address space."""
    return next(number for number, space in types.SPACES.items() if space is Space.SHARED)


def _is_pointer(operand: Operand) -> bool:
    return isinstance(operand.type, PointerType)


def _space_number(operand: Operand) -> int:
    return operand.type.space if isinstance(operand.type, PointerType) else 0
