"""Roundings that must happen once, at and beside midpoints; integral values; conversions of wide integers."""

from __future__ import annotations

import random

import pytest

from openrpp.kir.floats import DECODE, ENCODE, FORMATS
from openrpp.kir.types import BF16, F16, F32, F64, I32, I64, Type
from tests.kir.expand.harness import Row, check


def midpoints(kind: Type, seed: int, count: int) -> list[float]:
    """Values halfway between neighbours of a type, denormals included, and their neighbours in float64."""
    print(f"seed {seed}")
    rng = random.Random(seed)
    found: list[float] = []
    for _ in range(count):
        bits = rng.randrange(FORMATS[kind].infinity - 1)
        if rng.random() < 0.3:
            bits %= 1 << FORMATS[kind].fraction + 1
        low, high = DECODE[kind](bits), DECODE[kind](bits + 1)
        exact = ENCODE[F64]((low + high) / 2)
        found += [DECODE[F64](exact + step) for step in (-1, 0, 1)]
    return [value * rng.choice((1.0, -1.0)) for value in found]


@pytest.mark.parametrize("kind", [F16, BF16], ids=str)
def test_float64_to_16_bits_rounds_once(kind: Type) -> None:
    check("fptrunc", (F64,), kind, [(ENCODE[F64](value),) for value in midpoints(kind, 21, 400)])


@pytest.mark.parametrize("kind", [F16, BF16], ids=str)
def test_fma_of_16_bits_rounds_once(kind: Type) -> None:
    """Products that are midpoints or beside them, with addends from tiny to large."""
    print("seed 22")
    rng, form = random.Random(22), FORMATS[kind]
    rows: list[Row] = []
    for _ in range(1500):
        a, b = (rng.randrange(form.infinity) for _ in range(2))
        if rng.random() < 0.7:  # few bits: the product has about one more than fits
            a, b = a >> form.fraction << form.fraction | rng.randrange(16) << form.fraction - 4, b | 1
        c = rng.choice((1, 2, form.infinity - 1, rng.randrange(form.infinity)))
        rows.append(tuple(value | rng.choice((0, form.sign)) for value in (a, b, c)))
    check("fma", (kind,) * 3, None, rows)


@pytest.mark.parametrize("name", ["fadd", "fsub", "fmul", "fdiv"])
@pytest.mark.parametrize("kind", [F16, BF16], ids=str)
def test_arithmetic_of_16_bits_rounds_once_where_results_are_denormal(kind: Type, name: str) -> None:
    print("seed 23")
    rng, form = random.Random(23), FORMATS[kind]
    least = DECODE[kind](1)
    rows: list[Row] = []
    while len(rows) < 1500:
        a = rng.randrange(1, form.infinity)
        wanted = least * rng.uniform(0.2, 300.0)
        x = DECODE[kind](a)
        y = {"fmul": wanted / x, "fdiv": x / wanted}.get(name, wanted)
        b = ENCODE[kind](y)
        if b < form.infinity:
            rows.append(
                (a if name[1] in "md" else rng.randrange(1, 1 << form.fraction + 2), b | rng.choice((0, form.sign)))
            )
    check(name, (kind, kind), None, rows)


@pytest.mark.parametrize("name", ["ffloor", "fceil", "ftrunc", "frint"])
@pytest.mark.parametrize("kind", [F16, BF16, F32, F64], ids=str)
def test_rounding_to_integral_values_beside_integers(kind: Type, name: str) -> None:
    print("seed 24")
    rng, form = random.Random(24), FORMATS[kind]
    rows: list[Row] = []
    for _ in range(300):
        bits = ENCODE[kind](rng.randrange(1 << rng.randrange(1, 56)) + rng.choice((0.0, 0.5)))
        for step in (-1, 0, 1):
            rows.append((max(bits + step, 0) | rng.choice((0, form.sign)),))
    check(name, (kind,), None, rows)


@pytest.mark.parametrize("name", ["sitofp", "uitofp"])
@pytest.mark.parametrize("kind", [F16, BF16, F32, F64], ids=str)
def test_integers_become_floats_with_one_rounding(kind: Type, name: str) -> None:
    """Integers beside midpoints, where the bits that are lost decide."""
    print("seed 25")
    rng, form = random.Random(25), FORMATS[kind]
    for source in (I32, I64):
        rows: list[Row] = []
        for _ in range(500):
            top = rng.randrange(1 << form.fraction + 1) << 1 | 1
            value = top << rng.randrange(source.bits)
            rows += [((value + step) * rng.choice((1, -1)) & source.mask,) for step in (-1, 0, 1)]
        check(name, (source,), kind, rows)


@pytest.mark.parametrize("name", ["fptosi", "fptoui"])
def test_floats_become_wide_integers(name: str) -> None:
    print("seed 26")
    rng = random.Random(26)
    rows: list[Row] = []
    for _ in range(400):
        value = float(rng.getrandbits(66) >> rng.randrange(66)) + rng.choice((0.0, 0.5))
        bits = ENCODE[F64](value * rng.choice((1, -1)))
        rows += [(max(bits + step, 0),) for step in (-1, 0, 1)]
    check(name, (F64,), I64, rows)
