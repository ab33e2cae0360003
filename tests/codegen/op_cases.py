"""Every typed form of the ops without effects, and operands that are hard for them."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from openrpp.kir.errors import TypeMismatch
from openrpp.kir.floats import ENCODE, FORMATS
from openrpp.kir.ops import OPS
from openrpp.kir.ops.form import AttrValue, Effect, Op
from openrpp.kir.types import Type

SEED = int(os.environ.get("RPP_SEED") or random.SystemRandom().randrange(1 << 32))
"""Seed of random operands; set RPP_SEED to repeat a run."""
ROWS = 768
"""Rows of operands; a row is what one thread computes with."""
PROMISES = ("nuw", "nsw", "inbounds")
APART = ("is_space",)
"""Pure ops whose operands must be addresses of something; they have tests of their own."""


@dataclass(frozen=True, eq=False, slots=True)
class Case:
    """An op with all its types and attributes."""

    op: Op
    operands: tuple[Type, ...]
    result: Type
    attrs: tuple[tuple[str, AttrValue], ...]

    @property
    def name(self) -> str:
        attrs = "".join(f" {name}={value}" for name, value in self.attrs)
        return f"{self.op.name}{attrs} {' '.join(map(str, self.operands))} -> {self.result}"


def _types(op: Op) -> Iterator[tuple[tuple[Type, ...], Type]]:
    words = [*op.operands, op.result]
    free = [word for word in dict.fromkeys(words) if word in op.where]
    for choice in product(*(op.where[word] for word in free)):
        bound = dict(zip(free, choice, strict=True))
        operands = tuple(bound.get(word) or op.allowed(word)[0] for word in op.operands)
        result = bound.get(op.result) or op.allowed(op.result)[0]
        try:
            op.result_type(operands, result)
        except TypeMismatch:
            continue  # a conversion to a width that is not narrower, wider or the same
        yield operands, result


def _attributes(op: Op) -> Iterator[tuple[tuple[str, AttrValue], ...]]:
    """All attributes that change the meaning; promises would be broken by hard operands."""
    kept = [item for item in op.attributes if item.name not in PROMISES]
    values: list[Sequence[AttrValue]] = [item.choices or (False, True) for item in kept]
    for choice in product(*values):
        yield tuple((item.name, value) for item, value in zip(kept, choice, strict=True))


@cache
def cases() -> tuple[Case, ...]:
    """All forms of all pure ops, in the order of the table."""
    pure = [op for op in OPS.values() if op.effect is Effect.PURE and op.name not in APART]
    return tuple(
        Case(op, operands, result, attrs) for op in pure for operands, result in _types(op) for attrs in _attributes(op)
    )


# --- operands ----------------------------------------------------------------------------------------------------


def _integers(width: int) -> list[int]:
    top = 1 << (width - 1)
    found = [0, 1, -1, 2, 3, -2, 7, top, top - 1, top + 1, top >> 1, width, width - 1, width + 1, 2 * width]
    found += [0x55AA_33CC_0FF0_1248, 0x80FF_7F01_8000_7FFF, 0xFFFF, 0x1_0000_0000 - 1, 1 << 24 | 1, 1 << 53 | 1, -128]
    return list(dict.fromkeys(item & ((1 << width) - 1) for item in found))


def _floats(kind: Type) -> list[int]:
    form = FORMATS[kind]
    one, ulp = ENCODE[kind](1.0), 1
    found = [0, ulp, form.infinity, form.infinity - 1, form.nan, form.infinity | 1, 1 << form.fraction]
    found += [(1 << form.fraction) - 1, one, one + ulp, one - ulp, ENCODE[kind](0.5), ENCODE[kind](1.5)]
    found += [ENCODE[kind](value) for value in (2.5, 127.5, 2.0**15, 65504.0, 2.0**31, 2.0**32, 2.0**63, 2.0**64, 1e-7)]
    found += [ENCODE[kind](value) for value in (255.99, 2.0**-24, 3 * 2.0**-25, 2.0**-133)]
    return list(dict.fromkeys([*found, *(bits | form.sign for bits in found)]))


def edges(kind: Type) -> list[int]:
    """Bit patterns at which something happens."""
    return _floats(kind) if kind.is_float else _integers(kind.bits)


def _crossed(kind: Type) -> list[tuple[int, int]]:
    """Pairs of the most important edges."""
    if not kind.is_float:
        return list(product(edges(kind), repeat=2))
    form, one = FORMATS[kind], ENCODE[kind](1.0)
    found = [0, 1, form.infinity, form.infinity - 1, one, one + 1, (1 << form.fraction) - 1]
    return list(product([form.nan, *found, *(bits | form.sign for bits in found)], repeat=2))


def _drawn(kind: Type, source: random.Random, near: int) -> int:
    """An edge, something near another operand, a moderate number or random bits."""
    how = source.random()
    if how < 0.4:
        return source.choice(edges(kind))
    if how < 0.55:
        return (near + source.choice([-1, 0, 1])) & kind.mask
    if kind.is_float and how < 0.8:
        return ENCODE[kind](source.uniform(-1, 1) * 2.0 ** source.randint(-40, 40))
    return source.getrandbits(kind.bits)


@cache
def operands(kind: Type, place: int) -> NDArray[Any]:
    """The rows of one operand: important edges crossed with those of its neighbour, then whatever is drawn."""
    source, pairs = random.Random(f"{SEED} {kind} {place}"), _crossed(kind)
    rows: list[int] = []
    for row in range(ROWS):
        if place < 2 and row < len(pairs):
            rows.append(pairs[row][place])
        else:
            rows.append(_drawn(kind, source, int(operands(kind, 0)[row]) if place else 1))
    return np.array(rows, f"<u{kind.bytes}")
