"""Types of kernel IR values: integers, floats, pointers with an address space. There are no vectors and no aggregates.

A value of any type is a bit pattern, held by Python as an unsigned int below 2^bits. bf16 is bfloat16.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Final


class Space(Enum):
    """Address spaces of pointers."""

    GENERIC = "generic"  # an address in any of the others but PARAM
    GLOBAL = "global"  # device memory
    SHARED = "shared"  # one copy per block; SRAM on the card
    CONSTANT = "constant"  # device memory that kernels only read
    PRIVATE = "private"  # one copy per thread
    PARAM = "param"  # by-value structs among the kernel's parameters; read only


class Kind(Enum):
    """Classes of types."""

    VOID = "void"
    INT = "int"
    FLOAT = "float"
    POINTER = "pointer"


@dataclass(frozen=True, slots=True, eq=False)
class Type:
    """A type; there is one object of each, so they compare by identity."""

    name: str
    kind: Kind
    bits: int
    space: Space | None = None

    def __str__(self) -> str:
        return self.name

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return parse_type, (self.name,)

    @property
    def bytes(self) -> int:
        """Size in memory; an i1 takes one byte, a pointer eight."""
        return max(self.bits // 8, 1)

    @property
    def mask(self) -> int:
        """2^bits - 1."""
        return (1 << self.bits) - 1

    @property
    def is_int(self) -> bool:
        """i1 to i64."""
        return self.kind is Kind.INT

    @property
    def is_float(self) -> bool:
        """f16, bf16, f32, f64."""
        return self.kind is Kind.FLOAT

    @property
    def is_pointer(self) -> bool:
        """A pointer of any space."""
        return self.kind is Kind.POINTER


VOID: Final = Type("void", Kind.VOID, 0)
I1: Final = Type("i1", Kind.INT, 1)
I8: Final = Type("i8", Kind.INT, 8)
I16: Final = Type("i16", Kind.INT, 16)
I32: Final = Type("i32", Kind.INT, 32)
I64: Final = Type("i64", Kind.INT, 64)
F16: Final = Type("f16", Kind.FLOAT, 16)
BF16: Final = Type("bf16", Kind.FLOAT, 16)
F32: Final = Type("f32", Kind.FLOAT, 32)
F64: Final = Type("f64", Kind.FLOAT, 64)

POINTER_BITS: Final = 64
_POINTERS: Final = {space: Type(f"ptr.{space.value}", Kind.POINTER, POINTER_BITS, space) for space in Space}


def pointer(space: Space) -> Type:
    """The pointer type of an address space."""
    return _POINTERS[space]


PTR: Final = pointer(Space.GENERIC)
PTR_GLOBAL: Final = pointer(Space.GLOBAL)
PTR_SHARED: Final = pointer(Space.SHARED)
PTR_CONSTANT: Final = pointer(Space.CONSTANT)
PTR_PRIVATE: Final = pointer(Space.PRIVATE)
PTR_PARAM: Final = pointer(Space.PARAM)

INTS: Final = (I1, I8, I16, I32, I64)
WIDE_INTS: Final = (I8, I16, I32, I64)
FLOATS: Final = (F16, BF16, F32, F64)
POINTERS: Final = tuple(_POINTERS.values())
SCALARS: Final = (*INTS, *FLOATS)
ANY: Final = (*SCALARS, *POINTERS)

_BY_NAME: Final = {kind.name: kind for kind in (*ANY, VOID)}


def parse_type(name: str) -> Type:
    """The type of a name such as `i32` or `ptr.shared`. Raises KeyError."""
    return _BY_NAME[name]


def signed(bits: int, width: int) -> int:
    """The two's complement value of a bit pattern of `width` bits."""
    return bits - (1 << width) if bits >> (width - 1) & 1 else bits
