"""Addresses of accesses that were split into scalar and lane parts."""

from __future__ import annotations

from dataclasses import dataclass, field

from openrpp.kir.ir import Instr, Value


@dataclass(frozen=True, slots=True)
class Split:
    """An address. Values are i32.

    Attributes:
        root: the pointer whose buffer it lies in, None in SRAM, where `base` is the whole scalar part.
        base: what is the same in all lanes, without `offset`.
        offset: a number of bytes that is added.
        lane: what differs, None if nothing does.
        shift: `lane` is to be shifted left by so many bits.
        narrow: `lane` is below 2^16 and not negative.
        rows, planes: as in `Where`.
        size: bytes of the elements that rows are made of.
    """

    root: Value | None
    base: Value
    offset: int
    lane: Value | None
    shift: int = 0
    narrow: bool = False
    rows: tuple[Value, ...] | None = None
    size: int = 0
    planes: tuple[Value, ...] | None = None


@dataclass(slots=True)
class Splits:
    """What lowering must know of a kernel whose addresses were split."""

    placed: dict[Instr, Split] = field(default_factory=dict[Instr, Split])
    hidden: set[Instr] = field(default_factory=set[Instr])  # pointers that only accesses use
    basis: dict[Instr, str] = field(default_factory=dict[Instr, str])
    dots: dict[Instr, tuple[Instr, Instr]] = field(default_factory=dict[Instr, tuple[Instr, Instr]])
    """Placed pointers of dots that the port does: of the lane's vector, and of what the warp shares."""
    joined: dict[Instr, tuple[Instr, Instr]] = field(default_factory=dict[Instr, tuple[Instr, Instr]])
    """Placed pointers of the low and the high half of words that are put together of two loads."""
