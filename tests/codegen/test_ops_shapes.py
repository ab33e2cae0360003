"""Every pure op on operands that are constants or grow along x, which the native engine emits in other ways."""

from __future__ import annotations

import pytest

from tests.codegen.op_cases import cases
from tests.codegen.op_kernels import (
    Take,
    Way,
    along_x,
    batches,
    both,
    build,
    by_block,
    check,
    interpreted,
    native,
    straight,
    with_constants,
)

VARYING = Way((64, 1, 1), straight, straight, rows=128)
UNIFORM = Way((16, 1, 1), by_block, straight, share=16, rows=40)
BATCHES = batches(cases())


@pytest.mark.parametrize("places", [(0,), (1,), (1, 2), (0, 1, 2)], ids=str)
def test_constants_with_varying_operands(places: tuple[int, ...]) -> None:
    for batch in BATCHES:
        made = build(batch, VARYING, with_constants(*places))
        check(made, native(made, lanes=8), interpreted(made))


@pytest.mark.parametrize(
    "take",
    [
        along_x(0),
        along_x(1),
        along_x(0, 1, 2),
        both(along_x(0), with_constants(1)),
        both(along_x(1), with_constants(0)),
        both(along_x(2), with_constants(0, 1)),
        with_constants(1),
    ],
    ids=["0", "1", "0 1 2", "0, 1 constant", "1, 0 constant", "2, 0 1 constant", "1 constant"],
)
def test_operands_along_x(take: Take) -> None:
    for batch in BATCHES:
        made = build(batch, UNIFORM, take)
        check(made, native(made, lanes=8), interpreted(made))
