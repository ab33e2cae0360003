"""Regions that hold something at one time never meet, and gaps are used."""

from __future__ import annotations

import random

import pytest

from openrpp.graph.errors import GraphError
from openrpp.graph.memory import Life, Rules, check_fits, lives, place
from openrpp.graph.plan import Move
from openrpp.kernels.launch import At, Region

RULES = Rules(512, 512)


def test_a_region_lives_from_its_first_step_to_its_last() -> None:
    a, b, c = (Region(name, 64, "sram") for name in "abc")
    steps = [Move(At(b), At(a), 64), Move(At(c), At(b), 64), Move(At(c), At(a), 64)]
    assert lives(steps, {c}) == {a: Life(0, 2), b: Life(0, 1)}


@pytest.mark.parametrize("seed", range(20))
def test_regions_of_one_time_lie_apart(seed: int) -> None:
    print("seed", seed)
    rng = random.Random(seed)
    lived: dict[Region, Life] = {}
    for index in range(60):
        first = rng.randrange(50)
        lived[Region(f"r{index}", rng.randrange(1, 9000), "sram")] = Life(first, first + rng.randrange(12))
    offsets, total = place(lived, "sram", RULES)
    assert set(offsets) == set(lived)
    for region, start in offsets.items():
        assert start % 512 == 0
        assert start + RULES.footprint(region) <= total
        for other, begin in offsets.items():
            if other is not region and lived[other].meets(lived[region]):
                apart = start + RULES.footprint(region) <= begin or begin + RULES.footprint(other) <= start
                assert apart, (region, other)


def test_memory_is_used_again() -> None:
    lived = {Region(f"r{index}", 1000, "sram"): Life(index, index) for index in range(10)}
    assert place(lived, "sram", RULES)[1] == RULES.footprint(next(iter(lived)))


def test_what_does_not_fit_is_told_with_the_figures() -> None:
    lived = {Region("large", 5000, "sram"): Life(0, 1), Region("small", 10, "sram"): Life(1, 2)}
    total = place(lived, "sram", RULES)[1]
    with pytest.raises(
        GraphError, match=r"needs \d+ bytes of SRAM at a time, 4096 are there; the largest: large 5000, small 10"
    ):
        check_fits(total, 4096, lived, RULES)
