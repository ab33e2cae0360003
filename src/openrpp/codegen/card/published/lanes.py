"""Integer operations of the lanes with published instructions, one row per operation."""

from __future__ import annotations

from collections.abc import Mapping

from openrpp.codegen.card.lowering import ALL_ONES
from openrpp.codegen.card.published import floats
from openrpp.codegen.card.published.expander import SIGN, Expander, Rule
from openrpp.codegen.card.steps import Read, Source

_SWAPPED = {"LT": "GT", "GT": "LT", "LE": "GE", "GE": "LE", "EQ": "EQ", "NE": "NE"}


def _exclusive(x: Expander, first: Read, second: Read) -> Source:
    """a xor b: the bits of one, less the bits of both."""
    a, b, lower = first.source, second.source, x.lower
    if b == SIGN:
        return lower.add(a, SIGN)
    if b == ALL_ONES:
        return lower.add(x.negative(a), ALL_ONES)
    if b == 1 and a in x.conditions:
        return x.opposite(a)
    return lower.sub(lower.either(a, b), lower.both(a, b))


def _signed_shift(x: Expander, value: Read, by: Read) -> Source:
    """a >> n with its sign: shifted as a number counted from the least one, which is then taken away."""
    a, count, lower = value.source, by.source, x.lower
    if count == 31:
        return x.negative(lower.shift("SHR.U32", a, 31))
    moved = lower.shift("SHR.U32", lower.add(a, SIGN), count)
    return lower.sub(moved, lower.shift("SHR.U32", SIGN, count))


def _compare(relation: str, is_signed: bool) -> Rule:
    def rule(x: Expander, first: Read, second: Read) -> Source:
        return _integers(x, relation, is_signed, first.source, second.source)

    return rule


def _integers(x: Expander, relation: str, is_signed: bool, a: Source, b: Source) -> Source:
    """A relation of two integers."""
    if isinstance(a, int) and not isinstance(b, int):
        a, b, relation = b, a, _SWAPPED[relation]
    lower = x.lower
    if relation in ("EQ", "NE"):
        apart = lower.sub(a, b)
        return x.below(apart, 1) if relation == "EQ" else x.above(apart, 0)
    if is_signed and relation in ("LT", "GE") and b == 0:
        return x.above(a, SIGN - 1) if relation == "LT" else x.below(a, SIGN)
    if is_signed:
        a, b = lower.add(a, SIGN), lower.add(b, SIGN)
    match relation:
        case "LT":
            return x.below(a, b)
        case "GT":
            return x.above(a, b)
        case "LE":
            return _at_most(x, a, b)
        case _:
            return _at_least(x, a, b)


def _at_most(x: Expander, a: Source, b: Source) -> Source:
    if not isinstance(b, int):
        return x.opposite(x.above(a, b))
    return 1 if b == ALL_ONES else x.below(a, b + 1)


def _at_least(x: Expander, a: Source, b: Source) -> Source:
    if not isinstance(b, int):
        return x.opposite(x.below(a, b))
    return 1 if b == 0 else x.above(a, b - 1)


_RELATIONS = ("EQ", "NE", "LT", "LE", "GT", "GE")
RULES: Mapping[str, Rule] = {
    "XOR.U32": _exclusive,
    "SAR.S32": _signed_shift,
    **{f"CMP.U32.{relation}": _compare(relation, is_signed=False) for relation in _RELATIONS},
    **{f"CMP.S32.{relation}": _compare(relation, is_signed=True) for relation in _RELATIONS},
    **floats.RULES,
}
"""Operations of the processing element -> what the published chip does instead."""
