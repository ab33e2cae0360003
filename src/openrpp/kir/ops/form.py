"""The shape of a row of the op table: types, attributes, effect, definition."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Final

from openrpp.kir.errors import TypeMismatch
from openrpp.kir.types import VOID, Type, parse_type

AttrValue = bool | int | str
Attrs = Mapping[str, AttrValue]


class Effect(Enum):
    """What an op does besides giving its result; the value is what its definition looks like."""

    PURE = "pure"  # (bits, ...) -> bits
    GEOMETRY = "geometry"  # pure for one thread; (Thread) -> bits
    ADDRESS = "address"  # pure; the address of a symbol, given by whoever lays out memory
    LOAD = "load"  # reads memory; no definition beyond its sentence
    STORE = "store"  # writes memory
    ATOMIC = "atomic"  # reads and writes one location; (old, operand, ...) -> new
    FENCE = "fence"  # orders memory
    WARP = "warp"  # convergent; ({lane: operands after the mask}) -> {lane: bits}
    BLOCK = "block"  # convergent; ([operands of each thread]) -> bits, the same for every thread
    SIDE = "side"  # seen from outside: output, traps, clocks


CONVERGENT: Final = frozenset({Effect.WARP, Effect.BLOCK})
"""Effects of ops at which several threads meet; they may not be duplicated or made dependent on more conditions."""
READONLY: Final = frozenset({Effect.PURE, Effect.GEOMETRY, Effect.ADDRESS})
"""Effects of ops that may be removed, repeated and moved freely."""


@dataclass(frozen=True, slots=True)
class Attribute:
    """An attribute of an op: a flag (default False), one of `choices`, an integer or a text."""

    name: str
    default: AttrValue | None
    choices: tuple[str, ...] = ()

    def accepts(self, value: object) -> bool:
        """Whether a value has the attribute's type and range."""
        if self.choices:
            return value in self.choices
        if self.default is not None and type(value) is not type(self.default):
            return False
        return isinstance(value, str) if self.default is None else isinstance(value, bool | int | str)


def flag(name: str) -> Attribute:
    """An attribute that is there or not."""
    return Attribute(name, False)


def choice(name: str, *choices: str, default: str | None = None) -> Attribute:
    """An attribute with a fixed set of values; required unless it has a default."""
    return Attribute(name, default, choices)


def number(name: str, default: int = 0) -> Attribute:
    """An integer attribute."""
    return Attribute(name, default)


def text(name: str, default: str | None = None) -> Attribute:
    """A text attribute; required unless it has a default."""
    return Attribute(name, default)


@dataclass(frozen=True, slots=True)
class Typing:
    """What a definition is specialised to."""

    operands: tuple[Type, ...]
    result: Type
    attrs: Attrs


Define = Callable[[Typing], Callable[..., Any]]
"""Makes the definition of an op for given types and attributes; the shape of what it makes is in `Effect`."""


@dataclass(frozen=True, slots=True)
class Op:
    """One row: a name, its types, attributes, effect, one-sentence meaning and definition.

    `signature` is text such as `T T -> T`: each word is a type or a variable that `where` maps to the allowed types.
    A last operand with a star stands for any number of operands. `widths` says whether the result is `narrower` than
    the first operand, `wider` or the `same`, where that matters.
    """

    name: str
    signature: str
    doc: str
    effect: Effect = Effect.PURE
    define: Define | None = None
    where: Mapping[str, tuple[Type, ...]] = field(default_factory=dict[str, tuple[Type, ...]])
    attributes: tuple[Attribute, ...] = ()
    commutative: bool = False
    widths: str = ""
    operands: tuple[str, ...] = field(init=False)
    result: str = field(init=False)
    variadic: str = field(init=False)
    defaults: Mapping[str, AttrValue] = field(init=False)

    def __post_init__(self) -> None:
        left, _, right = self.signature.partition("->")
        words = left.split()
        variadic = words.pop()[:-1] if words and words[-1].endswith("*") else ""
        object.__setattr__(self, "operands", tuple(words))
        object.__setattr__(self, "variadic", variadic)
        object.__setattr__(self, "result", right.strip())
        defaults = {attribute.name: attribute.default for attribute in self.attributes if attribute.default is not None}
        object.__setattr__(self, "defaults", defaults)

    def __reduce__(self) -> tuple[object, tuple[str]]:
        from openrpp.kir.ops import lookup  # the table is built from rows

        return lookup, (self.name,)

    def allowed(self, word: str) -> tuple[Type, ...]:
        """The types that a word of the signature stands for."""
        return self.where[word] if word in self.where else (parse_type(word),)

    def needs_type(self) -> bool:
        """Whether the result type does not follow from the operands."""
        return self.result in self.where and self.result not in (*self.operands, self.variadic)

    def result_type(self, operands: Sequence[Type], wanted: Type | None = None) -> Type:
        """The result type for operand types. Raises TypeMismatch; `wanted` is needed where `needs_type()` is true."""
        bound: dict[str, Type] = {}
        for index, (word, given) in enumerate(zip(self.words(len(operands)), operands, strict=True)):
            self._bind(bound, word, given, f"operand {index + 1}")
        if self.result in bound:
            found = bound[self.result]
        elif self.needs_type():
            if wanted is None:
                raise TypeMismatch(f"'{self.name}' needs a result type")
            self._bind(bound, self.result, wanted, "the result")
            found = wanted
        else:
            found = parse_type(self.result)
        if wanted is not None and wanted is not found:
            raise TypeMismatch(f"the result of '{self.name}' is {found} for these operands, not {wanted}")
        self._check_widths(operands, found)
        return found

    def _check_widths(self, operands: Sequence[Type], result: Type) -> None:
        if not self.widths:
            return
        given, made = operands[0].bits, result.bits
        fits = {"narrower": made < given, "wider": made > given, "same": made == given}
        if not fits[self.widths]:
            wanted = "the same width as" if self.widths == "same" else f"{self.widths} than"
            raise TypeMismatch(f"the result of '{self.name}' is {result}; it must be {wanted} {operands[0]}")

    def words(self, count: int) -> tuple[str, ...]:
        """The word of the signature for each of so many operands. Raises TypeMismatch."""
        fixed = len(self.operands)
        if count < fixed or (count > fixed and not self.variadic):
            least = "at least " if self.variadic else ""
            raise TypeMismatch(f"'{self.name}' takes {least}{fixed} operands, not {count}")
        return self.operands + (self.variadic,) * (count - fixed)

    def _bind(self, bound: dict[str, Type], word: str, given: Type, what: str) -> None:
        allowed = self.allowed(word)
        if word in bound and word != self.variadic:
            allowed = (bound[word],)
        if given not in allowed:
            names = ", ".join(kind.name for kind in allowed)
            raise TypeMismatch(f"{what} of '{self.name}' is {given}; allowed: {names}")
        bound[word] = given

    def checked_attrs(self, given: Attrs) -> dict[str, AttrValue]:
        """Attributes without those at their default. Raises TypeMismatch for unknown, missing and ill-typed ones."""
        known = {attribute.name: attribute for attribute in self.attributes}
        for name, value in given.items():
            if name not in known:
                allowed = ", ".join(known) or "none"
                raise TypeMismatch(f"'{self.name}' has no attribute '{name}'; it has {allowed}")
            if not known[name].accepts(value):
                allowed = ", ".join(known[name].choices) or type(known[name].default or "").__name__
                raise TypeMismatch(f"attribute '{name}' of '{self.name}' is {value!r}; allowed: {allowed}")
        for attribute in self.attributes:
            if attribute.default is None and attribute.name not in given:
                raise TypeMismatch(f"'{self.name}' needs the attribute '{attribute.name}'")
        return {name: value for name, value in given.items() if value != self.defaults.get(name)}

    def definition(
        self, operands: Sequence[Type], result: Type = VOID, attrs: Attrs | None = None
    ) -> Callable[..., Any]:
        """The definition for given types. Raises TypeMismatch for an op without one."""
        if self.define is None:
            raise TypeMismatch(f"'{self.name}' has no definition on values")
        return self.define(Typing(tuple(operands), result, {**self.defaults, **(attrs or {})}))
