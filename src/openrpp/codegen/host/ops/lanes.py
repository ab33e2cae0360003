"""Arithmetic on a number of lanes: the helper through which ops are emitted."""

from __future__ import annotations

import struct
from dataclasses import dataclass

from openrpp.codegen.host.tiers import Tier
from openrpp.codegen.host.writer import Writer, splat, wide


def double_bits(value: float) -> str:
    """A double constant."""
    return f"0x{struct.unpack('<Q', struct.pack('<d', value))[0]:016X}"


def float_bits(value: float) -> str:
    """A float constant, in LLVM's form: the bits of the double of the same value."""
    return double_bits(struct.unpack("<f", struct.pack("<f", value))[0])


def suffix(element: str) -> str:
    """The part of an intrinsic's name for an element type."""
    return {"float": "f32", "double": "f64"}.get(element, element)


@dataclass(frozen=True, slots=True)
class Lanes:
    """`count` lanes (0: a scalar). Operands and results are names or constants; types are element types."""

    writer: Writer
    count: int
    tier: Tier

    def type(self, element: str) -> str:
        """The type of a value in these lanes."""
        return wide(element, self.count)

    def constant(self, element: str, value: float) -> str:
        """A constant in every lane."""
        if element == "double":
            text = double_bits(float(value))
        elif element == "float":
            text = float_bits(float(value))
        elif element == "i1":
            text = "true" if value else "false"
        else:
            text = str(int(value))
        return splat(element, text, self.count)

    def binary(self, op: str, element: str, a: str, b: str) -> str:
        """An LLVM binary operator."""
        return self.writer(f"{op} {self.type(element)} {a}, {b}")

    def compare(self, op: str, element: str, a: str, b: str) -> str:
        """`icmp pred` or `fcmp pred`."""
        return self.writer(f"{op} {self.type(element)} {a}, {b}")

    def cast(self, op: str, source: str, a: str, target: str) -> str:
        """A conversion; nothing where the types are the same."""
        return a if source == target else self.writer(f"{op} {self.type(source)} {a} to {self.type(target)}")

    def select(self, condition: str, element: str, a: str, b: str) -> str:
        """a where the condition holds, else b."""
        kind = self.type(element)
        return self.writer(f"select {self.type('i1')} {condition}, {kind} {a}, {kind} {b}")

    def call(self, name: str, element: str, *operands: str) -> str:
        """An intrinsic on operands and result of one type."""
        kind = self.type(element)
        mangled = f"v{self.count}{suffix(element)}" if self.count else suffix(element)
        return self.writer.call(kind, f"llvm.{name}.{mangled}", *[f"{kind} {operand}" for operand in operands])

    def call_flagged(self, name: str, element: str, operand: str) -> str:
        """An intrinsic with an i1 flag `false` behind the operand."""
        kind = self.type(element)
        mangled = f"v{self.count}{suffix(element)}" if self.count else suffix(element)
        return self.writer.call(kind, f"llvm.{name}.{mangled}", f"{kind} {operand}", "i1 false")
