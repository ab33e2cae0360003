from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openrpp.runtime.allocator import FreeList
from openrpp.runtime.errors import OutOfMemory

KIB = 1024


def test_first_gap_that_is_large_enough_is_taken() -> None:
    pool = FreeList("SRAM", 0x1000, 8 * KIB, 512, 512)
    first, second, third = (pool.allocate(512) for _ in range(3))
    assert (first, second, third) == (0x1000, 0x1400, 0x1800)
    pool.release(first)
    assert pool.allocate(600) == 0x1C00  # 1024 + 512 do not fit the first gap of 1024
    assert pool.allocate(100) == first


def test_neighbours_join_on_release_whatever_the_order() -> None:
    for order in ((0, 1, 2), (2, 1, 0), (0, 2, 1), (1, 0, 2)):
        pool = FreeList("DDR", 0, 3 * KIB, 512)
        pieces = [pool.allocate(KIB) for _ in range(3)]
        assert (pool.free, pool.largest) == (0, 0)
        for index in order:
            pool.release(pieces[index])
        assert (pool.free, pool.largest) == (3 * KIB, 3 * KIB)


def test_exhaustion_gives_the_figures_in_its_sentence() -> None:
    pool = FreeList("SRAM", 0, 4 * KIB, 512, 512)
    pieces = [pool.allocate(1) for _ in range(4)]
    pool.release(pieces[0])
    pool.release(pieces[2])
    with pytest.raises(OutOfMemory) as caught:
        pool.allocate(1000)
    assert str(caught.value) == (
        "SRAM has no room for 1000 bytes (1536 with rounding and guard): 2048 are free, the largest gap has 1024"
    )
    error = caught.value
    assert (error.wanted, error.asked, error.free, error.largest) == (1000, 1536, 2048, 1024)


def test_release_of_an_address_that_is_not_handed_out_is_refused() -> None:
    pool = FreeList("DDR", 0, KIB)
    address = pool.allocate(10)
    pool.release(address)
    with pytest.raises(KeyError):
        pool.release(address)


@given(
    steps=st.lists(st.tuples(st.booleans(), st.integers(0, 5000)), max_size=60),
    alignment=st.sampled_from([1, 64, 512]),
    guard=st.sampled_from([0, 512]),
)
def test_pieces_never_overlap_and_everything_comes_back(
    steps: list[tuple[bool, int]], alignment: int, guard: int
) -> None:
    base, size = 512 * 7, 32 * KIB
    pool = FreeList("SRAM", base, size, alignment, guard)
    live: dict[int, int] = {}
    for take, number in steps:
        if take:
            try:
                address = pool.allocate(number)
            except OutOfMemory as error:
                assert error.largest < pool.footprint(number)
                continue
            assert (address - base) % alignment == 0
            live[address] = pool.footprint(number)
            assert live[address] >= number + guard
        elif live:
            address = sorted(live)[number % len(live)]
            pool.release(address)
            del live[address]
        spans = sorted((start, start + length) for start, length in live.items())
        ends = [base, *(end for _, end in spans)]
        assert all(start >= end for (start, _), end in zip(spans, ends, strict=False))
        assert not spans or spans[-1][1] <= base + size
        assert pool.used == sum(live.values()) and pool.free + pool.used == size
        holes = [start - end for (start, _), end in zip(spans, ends, strict=False)] + [base + size - ends[-1]]
        assert pool.largest == max(holes)
    for address in live:
        pool.release(address)
    assert pool.largest == pool.free == size
