"""Types of LLVM IR and their layout in memory (that of nvptx64)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from openrpp.kir import types as kir
from openrpp.kir.types import Space

SPACES: Final = {1: Space.GLOBAL, 3: Space.SHARED, 4: Space.CONSTANT, 5: Space.PRIVATE}
"""LLVM's numbers of address spaces; 0 is generic."""


@dataclass(frozen=True, slots=True)
class VoidType:
    """No value; also stands for labels and metadata."""


@dataclass(frozen=True, slots=True)
class IntType:
    """An integer of any width."""

    bits: int


@dataclass(frozen=True, slots=True)
class FloatType:
    """`kind` is half, bfloat, float or double."""

    kind: str


@dataclass(frozen=True, slots=True)
class PointerType:
    """A pointer with LLVM's number of its address space."""

    space: int = 0


@dataclass(frozen=True, slots=True)
class ArrayType:
    """`count` elements in a row; a vector where `vector` is set."""

    count: int
    element: Type
    vector: bool = False


@dataclass(frozen=True, slots=True)
class StructType:
    """Fields in order."""

    fields: tuple[Type, ...]
    packed: bool = False


Type = VoidType | IntType | FloatType | PointerType | ArrayType | StructType

FLOATS: Final = {"half": kir.F16, "bfloat": kir.BF16, "float": kir.F32, "double": kir.F64}
_INTS: Final = {1: kir.I1, 8: kir.I8, 16: kir.I16, 32: kir.I32, 64: kir.I64}


def scalar(kind: Type) -> kir.Type | None:
    """The kernel IR type that holds a value, or None; integers of odd widths lie in the next wider one."""
    if isinstance(kind, IntType):
        wider = next((bits for bits in _INTS if bits >= kind.bits), None)
        return _INTS[wider] if wider else None
    if isinstance(kind, FloatType):
        return FLOATS[kind.kind]
    return None


def is_odd(kind: Type) -> bool:
    """Whether an integer is narrower than the kernel IR type that holds it."""
    return isinstance(kind, IntType) and kind.bits not in _INTS


def size(kind: Type) -> int:
    """Bytes that a value takes in an array, padding included."""
    match kind:
        case IntType(bits):
            return _padded(bits)
        case FloatType(name):
            return FLOATS[name].bytes
        case PointerType():
            return 8
        case ArrayType(count, element, vector):
            if vector and isinstance(element, IntType) and element.bits % 8:
                return _padded(count * element.bits)
            raw = count * size(element)
            return _padded(raw * 8) if vector else raw
        case StructType():
            return offsets(kind)[1]
        case VoidType():
            return 0


def _padded(bits: int) -> int:
    """Bytes of an integer or vector, rounded up to its alignment."""
    raw = (bits + 7) // 8
    align = min(1 << max(raw - 1, 0).bit_length(), 16)
    return -(-raw // align) * align


def align(kind: Type) -> int:
    """Natural alignment in bytes."""
    match kind:
        case ArrayType(_, element, vector):
            return min(1 << (size(kind) - 1).bit_length(), 16) if vector else align(element)
        case StructType(fields, packed):
            return 1 if packed else max((align(field) for field in fields), default=1)
        case VoidType():
            return 1
        case _:
            return min(size(kind), 16)


def offsets(kind: StructType) -> tuple[tuple[int, ...], int]:
    """(offset of each field, size of the whole)."""
    places: list[int] = []
    end = 0
    for field in kind.fields:
        if not kind.packed:
            end = -(-end // align(field)) * align(field)
        places.append(end)
        end += size(field)
    whole = align(kind)
    return tuple(places), -(-end // whole) * whole


def parts(kind: Type) -> list[tuple[int, Type]]:
    """(offset, type) of the members of an aggregate."""
    if isinstance(kind, ArrayType):
        step = size(kind.element)
        return [(index * step, kind.element) for index in range(kind.count)]
    if isinstance(kind, StructType):
        return list(zip(offsets(kind)[0], kind.fields, strict=True))
    raise TypeError(f"{kind} has no members")
