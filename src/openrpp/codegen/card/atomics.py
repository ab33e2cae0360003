"""Atomics as machine operations.

The lanes of a column take their turns in ascending order, and a lane passes one column before the lanes behind it do.
So two updates in columns one after another happen in the same order: sums, bitwise operations and exchanges of 64 bits
are updates of both words, the carry of a sum going from one to the other. Only what decides by both words at once is an
instruction of 64 bits.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from openrpp.codegen.card.lowering import Lowering, Rule
from openrpp.codegen.card.memory import Place, pointed
from openrpp.codegen.card.steps import Atomic, OldHigh, Source, Word
from openrpp.kir.ir import Instr, Value

_WORDS: Final[Mapping[str, str]] = {
    "atomic_add": "ADD.U32",
    "atomic_and": "AND.U32",
    "atomic_or": "OR.U32",
    "atomic_xor": "XOR.U32",
    "atomic_xchg": "EXCH.U32",
    "atomic_umin": "MIN.U32",
    "atomic_umax": "MAX.U32",
    "atomic_smin": "MIN.S32",
    "atomic_smax": "MAX.S32",
    "atomic_cas": "CAS.U32",
    "atomic_fadd": "ADD.F32",
}
_LONG: Final[Mapping[str, str]] = {
    "atomic_umin": "MIN.U64",
    "atomic_umax": "MAX.U64",
    "atomic_smin": "MIN.S64",
    "atomic_smax": "MAX.S64",
    "atomic_cas": "CAS.U64",
    "atomic_fadd": "ADD.F64",
}
_BY_WORDS: Final = ("atomic_add", "atomic_and", "atomic_or", "atomic_xor", "atomic_xchg")
"""Done word by word where they have 64 bits."""


def _atomic(lower: Lowering, instr: Instr) -> None:
    name, kind = instr.op.name, instr.type
    if name not in (_WORDS if kind.bits == 32 else (*_LONG, *_BY_WORDS)):
        raise lower.unsupported(instr)
    pointer, *values = instr.operands
    place = pointed(lower, instr, pointer)
    if kind.bits == 32:
        _word(lower, instr, place, values)
    elif name in _BY_WORDS:
        _by_words(lower, instr, place, values[0])
    else:
        _long(lower, instr, place, values)


def _update(lower: Lowering, operation: str, place: Place, value: Source, result: Word) -> None:
    step = Atomic(operation, place.memory, place.address, value, None, result, root=place.root, location=lower.location)
    step.place = place.where
    lower.append(step)


def _word(lower: Lowering, instr: Instr, place: Place, values: list[Value]) -> None:
    *compared, value = (lower.one(item) for item in values)
    (result,) = lower.values.words(instr)
    step = Atomic(
        _WORDS[instr.op.name],
        place.memory,
        place.address,
        value,
        compared[0] if compared else None,
        result,
        root=place.root,
        location=lower.location,
        place=place.where,
    )
    lower.append(step)


def _by_words(lower: Lowering, instr: Instr, place: Place, value: Value) -> None:
    """Low words first: what a sum carries goes into the high word."""
    low, high = lower.two(value)
    results = lower.values.words(instr)
    operation = _WORDS[instr.op.name]
    _update(lower, operation, place, low, results[0])
    if instr.op.name == "atomic_add":
        total = lower.add(results[0], low)
        high = lower.add(high, lower.number(lower.compare("CMP.U32.LT", total, low)))
    _update(lower, operation, place.moved(lower, 4), high, results[1])


def _long(lower: Lowering, instr: Instr, place: Place, values: list[Value]) -> None:
    *compared, value = (lower.two(item) for item in values)
    results = lower.values.words(instr)
    expected = compared[0] if compared else (None, None)
    step = Atomic(
        _LONG[instr.op.name],
        place.memory,
        place.address,
        value[0],
        expected[0],
        results[0],
        root=place.root,
        location=lower.location,
        place=place.where,
        value_high=value[1],
        compared_high=expected[1],
    )
    lower.append(step)
    lower.append(OldHigh(results[1], lower.location))


RULES: Mapping[str, Rule] = dict.fromkeys((*_WORDS,), _atomic)
