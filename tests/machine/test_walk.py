"""The walk against a sequencer that compresses nothing, on random programs."""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openrpp.isa.assembler import assemble
from openrpp.machine import Device
from openrpp.machine.counters import count, tally
from openrpp.machine.items import ColumnItem, Item, Repeat, WalkError
from openrpp.machine.launch import Launch
from openrpp.machine.loops import Loops
from tests.machine.walk_oracle import Event, Oracle, OverBudget, compare, event_of, prepared, walked
from tests.machine.walk_programs import grid, program

DEVICE = Device()
KINDS = ("even", "even", "any", "wild")
BUDGET = 30_000
seeds = st.integers(0, 1 << 32)


def random_launch(seed: int, kind: str) -> Launch:
    """A random program with its grid; its parameters are numbers that its comparisons met, so that they flip."""
    kernel = assemble(program(seed, kind), f"{kind}_{seed}")
    random, params = Random(seed), (3, 0x1_0005)
    first = Oracle(DEVICE, prepared(DEVICE, kernel, grid(seed), params=params), BUDGET // 4)
    with suppress(OverBudget):
        first.run()
    if first.compared:
        params = tuple((random.choice(first.compared) + random.choice((0, 0, 1, -1))) & 0xFFFF_FFFF for _ in range(2))
    return prepared(DEVICE, kernel, grid(seed), params=params)


def check(seed: int, kind: str) -> None:
    """Same events in the same order, same registers and parameter words; a program that goes on does so for both."""
    launch = random_launch(seed, kind)
    try:
        oracle, items = compare(DEVICE, launch, BUDGET)
    except OverBudget:
        check_long(launch)
        return
    check_totals(oracle, items)


def check_long(launch: Launch) -> None:
    """A program that runs past the budget of the plain sequencer is found endless, or longer than that."""
    try:
        items, _ = walked(DEVICE, launch, max_items=BUDGET)
    except WalkError:
        return
    counters = count(tally(items))
    assert counters["words"] + counters["columns"] >= BUDGET


def check_totals(oracle: Oracle, items: tuple[Item, ...]) -> None:
    """Tallies and counters of the tree are those of the events, without writing it out."""
    tallied, events = tally(items), Counter[Event]()
    for item, times in tallied.items():
        events[event_of(item)] += times
    assert events == oracle.total
    counters = count(tallied)
    columns = [event for event in oracle.events if event[0] == "column"]
    assert counters["columns"] == len(columns)
    assert counters["warp_columns"] == sum(warps for _, _, _, warps, _ in columns)
    assert counters["words"] == sum(event[-1] for event in oracle.events if len(event) > 1)
    assert counters["dma_bytes"] == sum(event[1] for event in oracle.events if event[0] == "transfer")


@pytest.mark.parametrize("kind", sorted(set(KINDS)))
@settings(max_examples=60)
@given(seed=seeds)
def test_walk_equals_the_plain_sequencer(kind: str, seed: int) -> None:
    check(seed, kind)


def written_out(items: tuple[Item, ...]) -> list[Item]:
    """All items, repeats written out."""
    plain: list[Item] = []
    for item in items:
        plain += written_out(item.items) * item.count if isinstance(item, Repeat) else [item]
    return plain


@settings(max_examples=40)
@given(seed=seeds)
def test_folding_changes_no_column(seed: int) -> None:
    """Port passes and dot lengths too, which the plain sequencer does not know, are those of a walk without folding."""
    launch = random_launch(seed, "even")
    try:
        Oracle(DEVICE, launch, BUDGET).run()
    except OverBudget:
        return
    folded, _ = walked(DEVICE, launch)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Loops, "come_round", lambda *arguments: None)
        plain, _ = walked(DEVICE, launch)
    assert written_out(folded) == written_out(plain)  # REPEAT is folded in both


def test_random_programs_do_fold() -> None:
    """What the tests above compare is compressed: the plain sequencer does several times the walk's work."""
    plain, folded = 0, 0
    for seed in range(40):
        try:
            oracle, items = compare(DEVICE, random_launch(seed, "even"), BUDGET)
        except OverBudget:
            continue
        plain += len(oracle.events)
        folded += size(items)
    assert folded < plain / 3


def size(items: tuple[Item, ...]) -> int:
    return sum(1 + size(item.items) if isinstance(item, Repeat) else 1 for item in items)


def test_equal_items_are_one_object() -> None:
    """A program that does not repeat costs a reference per column."""
    text = "MOVE.U32 7, DS5\nMOVE.U32 0x19660D, DS6\nMOVE.U16 1, S24\nMOVE.U16 900, S20\n$L:\nMUL.U32 DS5, DS6, DS5\n"
    text += "ADD.U32 DS5, DS6, DS5\nNOP\n##\nJMPC S10, $A\nNOP\n##\n$A:\nSUB.U16 S20, S24, S20\nJMPC S20, $L\n##\n"
    items, _ = walked(DEVICE, prepared(DEVICE, assemble(text, "k")))
    columns = [item for item in items if isinstance(item, ColumnItem)]
    assert len(columns) > 900
    assert len({id(item) for item in columns}) < 10
