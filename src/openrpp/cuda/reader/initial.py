"""Initial content of variables: constants as bytes, with relocations where they hold addresses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from openrpp.cuda.reader import types
from openrpp.cuda.reader.lexer import BadText
from openrpp.cuda.reader.syntax import (
    Aggregate,
    Expression,
    GlobalRef,
    Null,
    Number,
    Operand,
    Text,
    Undefined,
    Variable,
    Zero,
)
from openrpp.cuda.reader.types import IntType, PointerType, Type


@dataclass
class Content:
    """Bytes, and (offset, symbol, addend) of the addresses among them."""

    data: bytearray
    relocations: list[tuple[int, str, int]] = field(default_factory=list[tuple[int, str, int]])

    @property
    def is_zero(self) -> bool:
        """Whether there is nothing but zeros."""
        return not self.relocations and not any(self.data)


@dataclass(frozen=True)
class Address:
    """A constant address: a symbol (empty for a plain number) and bytes behind it."""

    symbol: str
    offset: int


def content(operand: Operand, variables: Mapping[str, Variable]) -> Content:
    """The bytes of a constant. Raises BadText for one that holds something else than numbers and addresses."""
    found = Content(bytearray(types.size(operand.type)))
    _fill(found, 0, operand, variables)
    return found


def _fill(out: Content, offset: int, operand: Operand, variables: Mapping[str, Variable]) -> None:
    match operand.value:
        case Zero() | Undefined() | Null():
            return
        case Number(bits):
            size = types.size(operand.type)
            out.data[offset : offset + size] = bits.to_bytes(size, "little")
        case Text(data):
            out.data[offset : offset + len(data)] = data
        case Aggregate(members):
            for (place, _), member in zip(types.parts(operand.type), members, strict=True):
                _fill(out, offset + place, member, variables)
        case GlobalRef() | Expression():
            _fill_address(out, offset, operand, variables)
        case _:
            raise BadText(f"a constant of unknown form: {operand.value}")


def _fill_address(out: Content, offset: int, operand: Operand, variables: Mapping[str, Variable]) -> None:
    address = address_of(operand)
    if not address.symbol:
        size = types.size(operand.type)
        out.data[offset : offset + size] = (address.offset & ((1 << 8 * size) - 1)).to_bytes(size, "little")
        return
    if address.symbol not in variables or types.size(operand.type) != 8:
        raise BadText(f"the address of '{address.symbol}' in the initial value of a variable")
    out.relocations.append((offset, address.symbol, address.offset))


def address_of(operand: Operand) -> Address:
    """What a constant that is an address, or computed from one, comes down to. Raises BadText."""
    match operand.value:
        case GlobalRef(name):
            return Address(name, 0)
        case Number(bits):
            return Address("", bits)
        case Null() | Zero() | Undefined():
            return Address("", 0)
        case Expression(op="getelementptr", operands=operands, element=element) if element is not None:
            base = address_of(operands[0])
            return Address(base.symbol, base.offset + constant_offset(element, operands[1:]))
        case Expression(op="addrspacecast" | "bitcast" | "ptrtoint" | "ptrtoaddr" | "inttoptr", operands=operands):
            return address_of(operands[0])
        case Expression(op="add" | "sub" as op, operands=(left, right)):
            return _sum(op, address_of(left), address_of(right))
        case _:
            raise BadText(f"a constant address of unknown form: {operand.value}")


def _sum(op: str, left: Address, right: Address) -> Address:
    if op == "add":
        if left.symbol and right.symbol:
            raise BadText(f"the sum of the addresses of '{left.symbol}' and '{right.symbol}'")
        return Address(left.symbol or right.symbol, left.offset + right.offset)
    if right.symbol and right.symbol != left.symbol:
        raise BadText(f"the difference of the addresses of '{left.symbol}' and '{right.symbol}'")
    return Address("" if right.symbol else left.symbol, left.offset - right.offset)


def constant_offset(element: Type, indices: tuple[Operand, ...]) -> int:
    """Bytes of a getelementptr all of whose indices are numbers. Raises BadText."""
    total = 0
    kind: Type = element
    for place, index in enumerate(indices):
        number = index.value
        if not isinstance(number, Number | Zero) or not isinstance(index.type, IntType):
            raise BadText(f"an index that is no number: {number}")
        bits = number.bits if isinstance(number, Number) else 0
        steps = bits - (1 << index.type.bits) if bits >> (index.type.bits - 1) else bits
        if place == 0:
            total += steps * types.size(element)
        elif isinstance(kind, types.StructType):
            total += types.offsets(kind)[0][steps]
            kind = kind.fields[steps]
        elif isinstance(kind, types.ArrayType):
            kind = kind.element
            total += steps * types.size(kind)
    return total


def is_address(kind: Type) -> bool:
    """Whether a type is a pointer."""
    return isinstance(kind, PointerType)
