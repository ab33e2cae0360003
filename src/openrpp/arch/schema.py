"""How a section declares a figure: its unit, meaning and range, once, in the metadata of the dataclass field.

Reading, range checks, sheet and dump all derive from these declarations and from the field's annotation:
`Figure[int]` is a whole number, `Choice[Literal["a", "b"]]` allows two values.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping
from dataclasses import Field, dataclass, fields
from typing import TYPE_CHECKING, Any, Literal, get_args, get_origin

from openrpp.arch.figure import Choice, Fact, Figure

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

_KEY = "openrpp.arch"


@dataclass(frozen=True)
class Declared:
    """What a section says about one of its keys. The range is that of every number of the interval."""

    meaning: str
    unit: str = ""
    least: float = -math.inf
    above: float = -math.inf
    most: float = math.inf

    def admits(self, number: float) -> bool:
        """Whether `number` is finite and lies in the declared range."""
        return self.above < number and self.least <= number <= min(self.most, sys.float_info.max)

    def range_text(self) -> str:
        """The range in words for an error sentence, such as `above 0 and at most 1`."""
        bounds = [
            f"{word} {bound:g}"
            for word, bound in (("above", self.above), ("at least", self.least), ("at most", self.most))
            if math.isfinite(bound)
        ]
        return " and ".join(bounds)


def count(unit: str, meaning: str, *, least: float = 1, most: float = math.inf) -> Mapping[str, Declared]:
    """Metadata of a figure that counts something; at least 1 unless said otherwise."""
    return {_KEY: Declared(meaning, unit, least=least, most=most)}


def amount(unit: str, meaning: str, *, most: float = math.inf) -> Mapping[str, Declared]:
    """Metadata of a positive figure such as a rate or a size in metres."""
    return {_KEY: Declared(meaning, unit, above=0, most=most)}


def delay(unit: str, meaning: str) -> Mapping[str, Declared]:
    """Metadata of a duration, which may be zero."""
    return {_KEY: Declared(meaning, unit, least=0)}


def share(meaning: str) -> Mapping[str, Declared]:
    """Metadata of a fraction above 0 and up to 1."""
    return {_KEY: Declared(meaning, "share", above=0, most=1)}


def address(meaning: str) -> Mapping[str, Declared]:
    """Metadata of a byte address on the device, up to 48 bits."""
    return {_KEY: Declared(meaning, "address", least=0, most=2**48 - 1)}


def says(meaning: str) -> Mapping[str, Declared]:
    """Metadata of a fact or a choice."""
    return {_KEY: Declared(meaning)}


def declared(field: Field[Any]) -> Declared:
    """What `field` of a section declares."""
    return field.metadata[_KEY]


Kind = Literal["figure", "fact", "choice", "group"]


def kind(field: Field[Any]) -> Kind:
    """What `field` holds; a group is a dataclass nested in a section."""
    match get_origin(field.type) or field.type:
        case t if t is Figure:
            return "figure"
        case t if t is Choice:
            return "choice"
        case t if t is Fact:
            return "fact"
        case _:
            return "group"


def is_whole(field: Field[Any]) -> bool:
    """Whether a figure's numbers are whole."""
    return get_args(field.type) == (int,)


def allowed(field: Field[Any]) -> tuple[str | int, ...]:
    """The values that a choice may take."""
    (literal,) = get_args(field.type)
    return get_args(literal)


def keys(cls: type[DataclassInstance]) -> list[str]:
    """The keys of a section, in declaration order."""
    return [field.name for field in fields(cls)]
