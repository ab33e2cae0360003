"""Float quotients without a divider: as IEEE has them, bit for bit."""

from __future__ import annotations

import random

from openrpp.kir.ir import Instr
from openrpp.kir.passes.expand import is_legal
from openrpp.kir.types import F32
from tests.kir.expand.harness import Row, check, float_edges

SIGN = 1 << 31


def without_divider(instr: Instr) -> bool:
    return is_legal(instr) and not (instr.op.name in ("fdiv", "frcp") and instr.type is F32)


def test_quotients_at_the_edges() -> None:
    edges = float_edges(F32)
    check("fdiv", (F32, F32), None, [(a, b) for a in edges for b in edges], legal=without_divider)


def test_quotients_of_random_numbers() -> None:
    """Of any numbers, of near ones, of small integers, and such that results are denormal."""
    print("seed 31")
    rng = random.Random(31)
    rows: list[Row] = []
    for _ in range(700):
        rows.append((rng.getrandbits(32), rng.getrandbits(32)))
        rows.append((0x3F00_0000 + rng.getrandbits(24), 0x3F00_0000 + rng.getrandbits(24)))
        rows.append((rng.getrandbits(24), 0x3F00_0000 + rng.getrandbits(24) | rng.choice((0, SIGN))))
        rows.append((rng.getrandbits(23), rng.getrandbits(23)))
        rows.append((rng.randrange(1, 200) << 18, rng.randrange(1, 200) << 18))
    check("fdiv", (F32, F32), None, rows, legal=without_divider)


def test_reciprocals() -> None:
    print("seed 32")
    rng = random.Random(32)
    rows = [(value,) for value in (*float_edges(F32), *(rng.getrandbits(32) for _ in range(700)))]
    check("frcp", (F32,), None, rows, legal=without_divider)
