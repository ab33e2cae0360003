"""Division by constants, division without float64, and operands near multiples of the divisor."""

from __future__ import annotations

import random

import pytest

from openrpp.kir.ir import Instr
from openrpp.kir.passes.expand import is_legal
from openrpp.kir.passes.expand.constant_division import reciprocal
from openrpp.kir.types import F64, I8, I16, I32, I64, Type
from tests.kir.expand.harness import Row, check, edges, rows_of

OPS = ("udiv", "sdiv", "urem", "srem")
DIVISORS = (
    0,
    1,
    2,
    3,
    5,
    6,
    7,
    9,
    10,
    11,
    14,
    25,
    28,
    60,
    64,
    100,
    125,
    127,
    128,
    641,
    1000,
    1 << 14,
    60000,
    10**9,
    -1,
)


def near_multiples(kind: Type, seed: int, count: int) -> list[Row]:
    """(q b + d, b) for small d: where a quotient changes."""
    print(f"seed {seed}")
    rng = random.Random(seed)
    rows: list[Row] = []
    for _ in range(count):
        b = max(rng.getrandbits(kind.bits) >> rng.randrange(kind.bits), 1)
        q = rng.randrange(kind.mask // b + 1)
        rows.append(((q * b + rng.randrange(-1, 2)) & kind.mask, b))
    return rows


def without_double(instr: Instr) -> bool:
    return is_legal(instr) and all(value.type is not F64 for value in (instr, *instr.operands))


@pytest.mark.parametrize("kind", [I8, I16, I32, I64], ids=str)
@pytest.mark.parametrize("name", OPS)
def test_division_by_constants(name: str, kind: Type) -> None:
    divisors = {value & kind.mask for value in (*DIVISORS, *(-value for value in DIVISORS), *edges(kind))}
    for divisor in sorted(divisors):
        values = [(value * divisor + d) & kind.mask for value in (1, 2, 77) for d in (-1, 0, 1)]
        rows = [(value,) * 2 for value in values + edges(kind)] + rows_of((kind, kind), divisor, 40, 0)
        check(name, (kind, kind), None, rows, constants={1: divisor})


@pytest.mark.parametrize("kind", [I32, I64], ids=str)
@pytest.mark.parametrize("name", OPS)
def test_division_near_multiples(name: str, kind: Type) -> None:
    check(name, (kind, kind), None, near_multiples(kind, 11, 1500))


@pytest.mark.parametrize("name", OPS)
def test_division_of_words_without_float64(name: str) -> None:
    rows = near_multiples(I32, 12, 1500) + rows_of((I32, I32), 13)
    check(name, (I32, I32), None, rows, legal=without_double)


@pytest.mark.parametrize("name", ("udiv", "sdiv"))
def test_division_of_bytes_is_right_for_all_operands(name: str) -> None:
    check(name, (I8, I8), None, [(a, b) for a in range(256) for b in range(256)])


def test_the_scaled_reciprocal_is_the_smallest_that_is_exact() -> None:
    assert reciprocal(I32, 3, I32.mask) == (0xAAAA_AAAB, 1)
    assert reciprocal(I32, 7, I32.mask) == (0x1_2492_4925, 3)
    assert reciprocal(I32, 641, I32.mask) == (0x0066_3D81, 0)
