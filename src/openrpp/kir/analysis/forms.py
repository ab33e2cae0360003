"""Integer polynomials over symbols, the shape in which addresses are compared, split and strided."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from openrpp.kir.analysis.loops import Loop
from openrpp.kir.ir import Value

MAX_TERMS: Final = 24
MAX_DEGREE: Final = 3


@dataclass(frozen=True)
class Symbol:
    """An unknown of a form.

    `kind` is tid (axis x, y, z), slice (which of the merged blocks), group (index of the merged group, uniform), shape
    (a uniform extent of the launch), trip (iterations of `loop`), memory (a size or base that the layout gives) or
    value (the result of `value`, which no form describes). `lane`: differs from lane to lane.
    """

    kind: str
    name: str = ""
    value: Value | None = None
    loop: Loop | None = None
    lane: bool = False

    def __str__(self) -> str:
        return f"{self.kind}.{self.name}" if self.name else self.kind

    @cached_property
    def order(self) -> tuple[str, str, int]:
        """A key that sorts symbols; equal only for equal ones."""
        return self.kind, self.name, id(self.value or self.loop)


Monomial = tuple[Symbol, ...]


@dataclass(frozen=True, eq=False)
class Form:
    """A sum of integer coefficients times monomials; the empty monomial is the constant.

    `exact`: the form is the signed value of what it describes; else only equal modulo 2^width.
    """

    terms: Mapping[Monomial, int]
    exact: bool = True

    @classmethod
    def number(cls, value: int) -> Form:
        """A constant."""
        return cls({(): value} if value else {})

    @classmethod
    def of(cls, symbol: Symbol, factor: int = 1) -> Form:
        """A symbol."""
        return cls({(symbol,): factor})

    def __add__(self, other: Form) -> Form:
        terms = dict(self.terms)
        for monomial, factor in other.terms.items():
            terms[monomial] = terms.get(monomial, 0) + factor
        return Form({key: factor for key, factor in terms.items() if factor}, self.exact and other.exact)

    def scaled(self, factor: int) -> Form:
        """The form times a number."""
        return Form({key: value * factor for key, value in self.terms.items()} if factor else {}, self.exact)

    def __sub__(self, other: Form) -> Form:
        return self + other.scaled(-1)

    def times(self, other: Form) -> Form | None:
        """The product; None where it grows out of hand."""
        total = Form({}, self.exact and other.exact)
        for monomial, factor in other.terms.items():
            row: dict[Monomial, int] = {}
            for key, value in self.terms.items():
                joined = tuple(sorted((*key, *monomial), key=lambda symbol: symbol.order))
                if len(joined) > MAX_DEGREE:
                    return None
                row[joined] = value * factor
            total = total + Form(row, total.exact)
            if len(total.terms) > MAX_TERMS:
                return None
        return total

    @property
    def constant(self) -> int:
        """The coefficient of the empty monomial."""
        return self.terms.get((), 0)

    def symbols(self) -> set[Symbol]:
        """All symbols."""
        return {symbol for monomial in self.terms for symbol in monomial}

    def select(self, keep: Callable[[Monomial], bool]) -> Form:
        """The terms whose monomial is kept."""
        return Form({key: value for key, value in self.terms.items() if keep(key)}, self.exact)

    def coefficient(self, symbol: Symbol) -> Form | None:
        """What the symbol is multiplied by; None where it occurs squared."""
        terms: dict[Monomial, int] = {}
        for monomial, factor in self.terms.items():
            if symbol in monomial:
                rest = list(monomial)
                rest.remove(symbol)
                if symbol in rest:
                    return None
                terms[tuple(rest)] = factor
        return Form(terms, self.exact)

    def same(self, other: Form) -> bool:
        """Whether both have the same terms."""
        return dict(self.terms) == dict(other.terms)

    @property
    def is_number(self) -> bool:
        """Whether there is nothing but a constant."""
        return set(self.terms) <= {()}

    def __str__(self) -> str:
        return " + ".join(_term(key, value) for key, value in self.terms.items()) or "0"


def _term(monomial: Iterable[Symbol], factor: int) -> str:
    return "*".join([str(factor), *(str(symbol) for symbol in monomial)])
