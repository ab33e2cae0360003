"""Random programs of the published machine, lifted: the native engine leaves the reference engine's bits."""

from __future__ import annotations

import pytest

from tests.machine.programs import INPUT, IOTA, OUTPUT, seeded

from .support import run_twice


@pytest.mark.parametrize("seed", [3, 8, 19, 28, 36, 1002])
def test_random_programs(seed: int) -> None:
    made = seeded(seed)
    params = [INPUT, IOTA, OUTPUT, made.slots * made.slot_bytes]
    twin = run_twice(made.kernel(), made.prepare, (made.blocks, 1, 1), made.block, params, made.tail, arch="ae7100")
    twin.check()
