"""Operations of the scalar sequencer with published instructions, one row per operation."""

from __future__ import annotations

from collections.abc import Mapping

from openrpp.codegen.card.lowering import ALL_ONES
from openrpp.codegen.card.published.expander import SIGN, Expander, Rule
from openrpp.codegen.card.steps import Part, Source


def _both(x: Expander, a: Source, b: Source) -> Source:
    """a and b: two shifts where b is a row of ones at an end, else a + b without what either has."""
    if isinstance(a, int):
        a, b = b, a
    if isinstance(b, int) and b:
        width = b.bit_length()
        if b == (1 << width) - 1 and width < 32:
            return x.scalar("SHR.U32", x.scalar("SHL.U32", a, 32 - width), 32 - width)
        low = (b & -b).bit_length() - 1
        if low and b == ALL_ONES - (1 << low) + 1:
            return x.scalar("SHL.U32", x.scalar("SHR.U32", a, low), low)
    return x.scalar("SUB.U32", x.scalar("ADD.U32", a, b), x.scalar("OR.U32", a, b))


def _exclusive(x: Expander, a: Source, b: Source) -> Source:
    """a xor b: twice the bits of either, less the sum."""
    if isinstance(a, int):
        a, b = b, a
    if b == SIGN:
        return x.scalar("ADD.U32", a, SIGN)
    if b == ALL_ONES:
        return x.scalar("SUB.U32", ALL_ONES, a)
    if b == 1 and a in x.conditions:
        return _opposite(x, a)
    twice = x.scalar("SHL.U32", x.scalar("OR.U32", a, b), 1)
    return x.scalar("SUB.U32", twice, x.scalar("ADD.U32", a, b))


def _opposite(x: Expander, condition: Source) -> Source:
    return x.scalar("CMP.U16.EQ", (condition, Part.LOW), (0, Part.LOW), makes=Part.LOW)


def _signed_shift(x: Expander, a: Source, count: Source) -> Source:
    """a >> n with its sign, counted from the least number."""
    moved = x.scalar("SHR.U32", x.scalar("ADD.U32", a, SIGN), (count, Part.LOW))
    least: Source = SIGN >> count if isinstance(count, int) else x.scalar("SHR.U32", SIGN, (count, Part.LOW))
    return x.scalar("SUB.U32", moved, least)


def _compare(kind: str, relation: str) -> Rule:
    def rule(x: Expander, a: Source, b: Source) -> Source:
        if relation == "NE":
            return _opposite(x, x.scalar(f"CMP.{kind}.EQ", a, b, makes=Part.LOW))
        return _opposite(x, x.scalar(f"CMP.{kind}.LT", b, a, makes=Part.LOW))

    return rule


RULES: Mapping[str, Rule] = {
    "AND.U32": _both,
    "XOR.U32": _exclusive,
    "SAR.S32": _signed_shift,
    **{f"CMP.{kind}.{rel}": _compare(kind, rel) for kind in ("U32", "S32") for rel in ("NE", "LE")},
}
"""Operations of the sequencer -> what the published one does instead."""
