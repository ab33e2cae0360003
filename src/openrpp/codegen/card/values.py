"""How kernel IR values become words."""

from __future__ import annotations

from openrpp.codegen.card.steps import Source, Word
from openrpp.kir.analysis.cfg import Cfg
from openrpp.kir.analysis.ranges import Facts, Ranges
from openrpp.kir.ir import Constant, Kernel, Value
from openrpp.kir.types import I64, VOID, Space, Type

NEAR = (Space.SHARED, Space.PRIVATE, Space.PARAM)
"""Spaces that lie in SRAM: their pointers are SRAM addresses of 32 bits."""


def words_of(kind: Type) -> int:
    """Words of a value."""
    if kind is VOID:
        return 0
    if kind.is_pointer:
        return 1 if kind.space in NEAR else 2
    return 2 if kind.bits == 64 else 1


def short_values(kernel: Kernel, block: tuple[int, int, int]) -> frozenset[Value]:
    """64-bit integers that are known to be below 2^32, so that their high words are 0: counters of loops above all."""
    ranges = Ranges(Cfg(kernel), None, Facts(block=block))
    wide = [value for value in ranges.cfg.definitions if value.type is I64]
    return frozenset(value for value in wide if ranges.of(value).low >= 0 and ranges.of(value).high < 1 << 32)


class Values:
    """The words of each value, made when first asked for; those of `short` values have high words of 0."""

    def __init__(self, short: frozenset[Value] = frozenset()) -> None:
        self._short = short
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
            words = self.words(value)
            return (words[0], 0) if value in self._short else words
        return tuple(value.bits >> 32 * index & 0xFFFF_FFFF for index in range(words_of(value.type)))
