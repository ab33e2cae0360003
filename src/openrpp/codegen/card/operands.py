"""Which operands of an operation the processing element takes from scalar registers."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from openrpp.codegen.card import doubles
from openrpp.codegen.card.steps import Read, Source

_COMMUTE = frozenset(
    (
        *("ADD.U32", "AND.U32", "OR.U32", "XOR.U32", "MUL.U32.LOW", "AND.U16"),
        *("ADD.F32", "MUL.F32", "MIN.F32", "MAX.F32", "ADD.F16", "MUL.F16", "MIN.F16", "MAX.F16"),
    )
)
_TWO_WAYS = ("ADD", "SUB", "MUL", "MIN", "MAX", "AND", "OR", "XOR", "DIV", "CMP", "SHL", "SHR", "SAR", "SHFL")
"""Operations whose second operand may be a scalar."""


def ordered(
    text: str, reads: Sequence[Read], is_scalar: Callable[[Source], bool], published: bool
) -> tuple[str, list[Read]]:
    """The operation with its operands in the order in which most of them may be scalars."""
    given = list(reads)
    if doubles.is_double(text):
        return doubles.ordered(text, given, is_scalar)
    scalar = [is_scalar(read.source) for read in given]
    if scalar == [True, False]:
        if text in _COMMUTE:
            given.reverse()
        elif text.startswith("CMP.") and not published:
            head, relation = text.rsplit(".", 1)
            return f"{head}.{doubles.MIRROR[relation]}", given[::-1]
    elif text == "FMA.F32" and scalar[:2] == [True, False]:
        given[:2] = given[1::-1]
    return text, given


def scalar_indices(
    text: str, reads: Sequence[Read], is_scalar: Callable[[Source], bool], published: bool
) -> frozenset[int]:
    """The operands that are given as scalar registers or numbers; the others must be in all lanes."""
    if doubles.is_double(text):
        return doubles.scalar_indices(reads, is_scalar)
    possible = [index for index, read in enumerate(reads) if is_scalar(read.source)]
    if len(reads) == 1:
        return frozenset(possible if text.startswith("MOVE") else ())
    if text == "FMA.F32":
        return frozenset([index for index in possible if index][:1])
    if text == "MERGE" and not published:
        return frozenset([index for index in possible if index < 2][:1])
    if len(reads) == 2 and text.startswith(_TWO_WAYS):
        return frozenset(index for index in possible if index == 1)
    return frozenset()
