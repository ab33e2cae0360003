"""Short constructors for the rows of the table."""

from __future__ import annotations

from openrpp.isa.form import Field, Kind, Operand


def bits(low: int, width: int, scale: int = 1) -> Field:
    """A field of consecutive bits."""
    return Field(((low, width),), scale)


def s16(low: int, width: int = 6) -> Operand:
    """A 16-bit scalar register number."""
    return Operand(Kind.S16, bits(low, width))


def s32(low: int) -> Operand:
    """A 32-bit scalar pair as the number of its even register (6 bits)."""
    return Operand(Kind.S32, bits(low, 6))


def pair(low: int) -> Operand:
    """A 32-bit scalar pair as the number of the pair (5 bits); the operand's value is the even register."""
    return Operand(Kind.S32, bits(low, 5, 2))


def scalar(width: int, low: int) -> Operand:
    """A scalar register of 16 or 32 bits, as a register number."""
    return s16(low) if width == 16 else s32(low)


def vector(width: int, low: int) -> Operand:
    """A vector register of 16 or 32 bits."""
    return Operand(Kind.V16 if width == 16 else Kind.V32, bits(low, 4))


def imm(low: int, width: int, scale: int = 1) -> Operand:
    """An unsigned immediate."""
    return Operand(Kind.IMM, bits(low, width, scale))
