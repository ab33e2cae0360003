"""Every pure op in all its types: the native engine gives the interpreter's bits on every host tier."""

from __future__ import annotations

import pytest

from openrpp.codegen import host
from openrpp.codegen.host import llvm
from openrpp.codegen.host.tiers import TIERS
from openrpp.kir.ops import OPS
from openrpp.kir.ops.form import Effect
from tests.codegen.op_cases import APART, ROWS, cases
from tests.codegen.op_kernels import (
    NAME,
    Way,
    along_lines,
    batches,
    build,
    by_block,
    by_line,
    check,
    expected,
    linear,
    native,
    straight,
)

BATCHES = batches(cases())
TIER_LANES = [("avx512", 16), ("avx2", 8), ("sse", 8)]
STRAIGHT = Way((64, 1, 1), straight, straight)


def runnable(tier: str) -> None:
    if not llvm.is_runnable(TIERS[tier]):
        pytest.skip(f"this host has no {tier}")


def test_every_pure_op_has_cases() -> None:
    pure = {op.name for op in OPS.values() if op.effect is Effect.PURE}
    assert {case.op.name for case in cases()} | set(APART) == pure
    assert len(cases()) > 600


@pytest.mark.slow
@pytest.mark.parametrize(("tier", "lanes"), TIER_LANES)
def test_full_groups(tier: str, lanes: int) -> None:
    runnable(tier)
    for batch in BATCHES:
        made = build(batch, STRAIGHT)
        check(made, native(made, tier=tier, lanes=lanes), expected(batch, STRAIGHT))


def test_widest_groups() -> None:
    words = [case for case in cases() if all(kind.bits == 32 for kind in (*case.operands, case.result))]
    for batch in batches(words):
        made = build(batch, STRAIGHT)
        check(made, native(made), expected(batch, STRAIGHT))


@pytest.mark.parametrize(
    "way",
    [
        Way((37, 1, 1), linear, linear, odd=True),
        Way((3, 5, 2), linear, linear, odd=True),
        Way((4, 16, 1), by_line, along_lines, share=4),
        Way((5, 1, 1), by_block, straight, share=5, rows=ROWS // 2),
    ],
    ids=["odd lanes of 37", "odd lanes of 3x5x2", "one value per row", "one value per block"],
)
def test_lanes_and_levels(way: Way) -> None:
    for batch in BATCHES:
        made = build(batch, way)
        check(made, native(made, lanes=16), expected(batch, way))


def test_neon_compiles() -> None:
    for batch in BATCHES:
        made = build(batch, STRAIGHT)
        kernel = host.compile(made.module, NAME, STRAIGHT.block, tier="neon", lanes=4)
        assert "\tret" in kernel.assembly()
