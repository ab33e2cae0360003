"""Low words of addresses as polynomials over values, modulo 2^32.

A distance inside a buffer fits 32 bits, so of index arithmetic of any width the low word is all that matters, and
overflow and sign extension from 32 bits change nothing in it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from openrpp.kir.ir import Constant, Instr, Value
from openrpp.kir.types import signed

MAX_TERMS: Final = 24
MAX_DEGREE: Final = 3

Leaf = Value | str
"""A value that is taken as it is, or the name of something that the layout of the block gives."""
Monomial = tuple[Leaf, ...]


@dataclass(frozen=True, eq=False)
class Poly:
    """A sum of factors, read as signed 32-bit numbers, times products of leaves."""

    terms: Mapping[Monomial, int]

    @classmethod
    def number(cls, value: int) -> Poly:
        """A constant."""
        return cls(_kept({(): value}))

    @classmethod
    def leaf(cls, leaf: Leaf, factor: int = 1) -> Poly:
        """A leaf."""
        return cls(_kept({(leaf,): factor}))

    @property
    def constant(self) -> int:
        """The term without leaves."""
        return self.terms.get((), 0)

    @property
    def is_number(self) -> bool:
        """Whether there are no leaves."""
        return set(self.terms) <= {()}

    def leaves(self) -> set[Leaf]:
        """All leaves."""
        return {leaf for monomial in self.terms for leaf in monomial}

    def __add__(self, other: Poly) -> Poly:
        terms = dict(self.terms)
        for monomial, factor in other.terms.items():
            terms[monomial] = terms.get(monomial, 0) + factor
        return Poly(_kept(terms))

    def scaled(self, factor: int) -> Poly:
        """Times a number."""
        return Poly(_kept({monomial: value * factor for monomial, value in self.terms.items()}))

    def divided(self, divisor: int) -> Poly:
        """All factors, which are multiples of it, by a divisor."""
        return Poly({monomial: value // divisor for monomial, value in self.terms.items()})

    def select(self, keep: Callable[[Monomial], bool]) -> Poly:
        """The terms whose monomial is kept."""
        return Poly({monomial: value for monomial, value in self.terms.items() if keep(monomial)})

    def by(self, leaf: Leaf) -> tuple[Poly, Poly]:
        """(what a leaf is multiplied by, the terms without it)."""
        of: dict[Monomial, int] = {}
        for monomial, factor in self.terms.items():
            if leaf in monomial:
                rest = list(monomial)
                rest.remove(leaf)
                of[tuple(rest)] = factor
        return Poly(of), self.select(lambda monomial: leaf not in monomial)

    def same(self, other: Poly) -> bool:
        """Whether both have the same terms."""
        return dict(self.terms) == dict(other.terms)

    @property
    def key(self) -> frozenset[tuple[Monomial, int]]:
        """What equal polynomials have in common."""
        return frozenset(self.terms.items())


def _kept(terms: Mapping[Monomial, int]) -> dict[Monomial, int]:
    found = {monomial: signed(factor & 0xFFFF_FFFF, 32) for monomial, factor in terms.items()}
    return {monomial: factor for monomial, factor in found.items() if factor}


class Polynomials:
    """Polynomials of the integers and pointers of a kernel. `given` knows the leaves that have forms of their own."""

    def __init__(self, values: Iterable[Value], given: Callable[[Instr], Poly | None]) -> None:
        self._given = given
        self._known: dict[Value, Poly] = {}
        self._number: dict[Leaf, int] = {}
        for value in values:  # operands before their users, which keeps the recursion shallow
            self.of(value)

    def of(self, value: Value) -> Poly:
        """The low word of a value."""
        if value not in self._known:
            self._known[value] = self._computed(value)
        return self._known[value]

    def order(self, leaf: Leaf) -> int:
        """Leaves in the order in which they were first met."""
        return self._number.setdefault(leaf, len(self._number))

    def times(self, a: Poly, b: Poly) -> Poly | None:
        """The product; None where it grows out of hand."""
        terms: dict[Monomial, int] = {}
        for first, x in a.terms.items():
            for second, y in b.terms.items():
                joined = tuple(sorted((*first, *second), key=self.order))
                if len(joined) > MAX_DEGREE:
                    return None
                terms[joined] = terms.get(joined, 0) + x * y
        return Poly(_kept(terms)) if len(terms) <= MAX_TERMS else None

    def _leaf(self, value: Value) -> Poly:
        self.order(value)
        return Poly.leaf(value)

    def _computed(self, value: Value) -> Poly:
        if isinstance(value, Constant):
            return Poly.number(value.signed)
        if not isinstance(value, Instr) or value.type.is_float:
            return self._leaf(value)
        found = self._given(value)
        if found is None and value.type.bits >= 32:
            found = self._result(value)
        return self._leaf(value) if found is None or len(found.terms) > MAX_TERMS else found

    def _result(self, instr: Instr) -> Poly | None:
        name, operands = instr.op.name, instr.operands
        if any(value.type.bits < 32 for value in operands):
            return None
        if name in ("add", "ptr_add"):
            return self.of(operands[0]) + self.of(operands[1])
        if name == "sub":
            return self.of(operands[0]) + self.of(operands[1]).scaled(-1)
        if name == "mul":
            return self.times(self.of(operands[0]), self.of(operands[1]))
        if name == "shl" and isinstance(operands[1], Constant):
            count = operands[1].bits
            return self.of(operands[0]).scaled(1 << count) if count < 32 else Poly.number(0)
        if name == "or" and isinstance(operands[1], Constant):
            return self._joined(self.of(operands[0]), operands[1].signed)
        if name in ("sext", "zext", "trunc", "ptrtoint", "inttoptr"):
            return self.of(operands[0])
        if name == "space_cast" and instr.type.space is operands[0].type.space:
            return self.of(operands[0])
        return None

    def _joined(self, a: Poly, constant: int) -> Poly | None:
        """`a | c` is a + c where all of a is a multiple of a power of two above c."""
        unit = 1 << constant.bit_length()
        if constant < 0 or any(factor % unit for factor in a.terms.values()):
            return None
        return a + Poly.number(constant)
