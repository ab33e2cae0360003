"""How kernel IR values become words."""

from __future__ import annotations

from openrpp.codegen.card.steps import Source, Word
from openrpp.kir.ir import Constant, Value
from openrpp.kir.types import VOID, Space, Type

NEAR = (Space.SHARED, Space.PRIVATE, Space.PARAM)
"""Spaces that lie in SRAM: their pointers are SRAM addresses of 32 bits."""


def words_of(kind: Type) -> int:
    """Words of a value."""
    if kind is VOID:
        return 0
    if kind.is_pointer:
        return 1 if kind.space in NEAR else 2
    return 2 if kind.bits == 64 else 1


class Values:
    """The words of each value, made when first asked for."""

    def __init__(self) -> None:
        self._known: dict[Value, tuple[Word, ...]] = {}

    def words(self, value: Value) -> tuple[Word, ...]:
        """The words of a value that is not a constant."""
        if value not in self._known:
            names = [value.name] if words_of(value.type) < 2 else [f"{value.name}.lo", f"{value.name}.hi"]
            self._known[value] = tuple(Word(name) for name in names[: words_of(value.type)])
        return self._known[value]

    def sources(self, value: Value) -> tuple[Source, ...]:
        """The words of a value, or the numbers of a constant."""
        if not isinstance(value, Constant):
            return self.words(value)
        return tuple(value.bits >> 32 * index & 0xFFFF_FFFF for index in range(words_of(value.type)))
