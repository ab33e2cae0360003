"""Observed launches: votes, active lanes and gather addresses, as the program and its data say."""

from __future__ import annotations

import numpy as np
import pytest

from openrpp.codegen import host
from openrpp.codegen.host.sides import Branch, Gather
from openrpp.kir.parser import parse_module

from .support import Arena

KERNEL = """
module "watched"

kernel @walk(%index: ptr.global, %out: ptr.global, %n: i32) {
^entry:
  %b = ctaid axis=x : i32
  %size = ntid axis=x : i32
  %first = mul %b, %size : i32
  %t = tid axis=x : i32
  %i = add %first, %t : i32
  %turns = and %t, 3:i32 : i32
  br ^head(0:i32, %i)
^head(%turn: i32, %at: i32):
  %more = icmp pred=ult %turn, %turns : i1
  cbr %more, ^body, ^done
^body:
  %wide = zext %at : i64
  %offset = shl %wide, 2:i64 : i64
  %place = ptr_add %index, %offset : ptr.global
  %next = load %place : i32
  %again = add %turn, 1:i32 : i32
  br ^head(%again, %next)
^done:
  barrier
  %wi = zext %i : i64
  %oo = shl %wi, 2:i64 : i64
  %op = ptr_add %out, %oo : ptr.global
  store %at, %op
  ret
}
"""


def launched(block: int, grid: int, observe: host.Observe, lanes: int | None = None) -> tuple[host.Output, int]:
    module = parse_module(KERNEL)
    kernel = host.compile(module, "walk", (block, 1, 1), lanes=lanes)
    arena, index = Arena(), permutation(block * grid)
    base, out = arena.place(index), arena.place(np.zeros(block * grid, np.int32))
    done = kernel.launch((grid, 1, 1), [base, out, block * grid], arena.memory, observe=observe, workers=2)
    wanted = np.arange(block * grid)
    for turn in range(3):
        wanted = np.where(np.arange(block * grid) % block % 4 > turn, index[wanted], wanted)
    assert np.array_equal(arena.read(out, index), wanted)
    return done, base


def permutation(size: int) -> np.ndarray:
    return np.random.default_rng(5).permutation(size).astype(np.int32)


@pytest.mark.parametrize(("block", "lanes"), [(64, None), (40, None), (40, 8), (5, None)])
def test_votes_and_addresses_are_those_of_the_data(block: int, lanes: int | None) -> None:
    grid = 3
    done, base = launched(block, grid, host.Observe(), lanes)
    assert done.observed is not None and done.observed.dropped == 0
    index = permutation(block * grid)
    branch, gather = (next(site for site in done.observed.sites if isinstance(site, kind)) for kind in (Branch, Gather))
    turns, addresses = np.zeros((grid, block), int), {(b, t): list[int]() for b in range(grid) for t in range(block)}
    for event in done.observed.of(branch):
        assert event.taken is not None and event.epoch == 0
        turns[event.block, event.threads] += event.taken == 0
    for event in done.observed.of(gather):
        assert event.addresses is not None
        for thread, address in zip(event.threads.tolist(), event.addresses.tolist(), strict=True):
            addresses[event.block, thread].append(address)
    assert np.array_equal(turns, np.tile(np.arange(block) % 4, (grid, 1)))
    for (number, thread), found in addresses.items():
        at, wanted = number * block + thread, list[int]()
        for _ in range(thread % 4):
            wanted.append(base + 4 * at)
            at = int(index[at])
        assert found == wanted


def test_only_the_blocks_asked_for() -> None:
    done, _ = launched(32, 12, host.Observe(run=2, every=3))
    assert done.observed is not None
    assert {event.block for event in done.observed.events} == {0, 1, 6, 7}


def test_records_that_find_no_room_are_counted() -> None:
    whole, _ = launched(32, 8, host.Observe())
    part, _ = launched(32, 8, host.Observe(capacity=2048))
    assert whole.observed is not None and part.observed is not None
    assert part.observed.dropped > 0
    assert len(part.observed.events) + part.observed.dropped == len(whole.observed.events)


def test_an_impossible_wish_is_refused() -> None:
    with pytest.raises(host.HostLaunchError, match="cannot be observed"):
        launched(32, 1, host.Observe(every=0))
