"""Order, dominators, loops, liveness and regions, against brute force on random kernels and by hand."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openrpp.kir import Block, BlockParam, Constant, Kernel, Parameter, Value
from openrpp.kir.analysis.cfg import Cfg
from openrpp.kir.analysis.liveness import Liveness
from openrpp.kir.analysis.loops import Loops
from openrpp.kir.analysis.regions import Regions
from openrpp.kir.fuzz import program
from tests.kir.kernels import block, kernel_of, value

SEEDS = st.integers(0, 10**6)
few = settings(max_examples=12)


def kernel(seed: int) -> Kernel:
    return program(seed, 6).kernel


def reachable(start: Block, without: Block | None) -> set[Block]:
    seen: set[Block] = set()
    work = [start]
    while work:
        item = work.pop()
        if item is not without and item not in seen:
            seen.add(item)
            work.extend(item.successors())
    return seen


@few
@given(SEEDS)
def test_a_dominator_cuts_all_paths(seed: int) -> None:
    cfg = Cfg(kernel(seed))
    for cut in cfg.order:
        left = reachable(cfg.kernel.entry, cut)
        for other in cfg.order:
            assert cfg.dominators.dominates(cut, other) is (other not in left)


@few
@given(SEEDS)
def test_a_post_dominator_cuts_all_ways_to_the_end(seed: int) -> None:
    cfg = Cfg(kernel(seed))
    for cut in cfg.order:
        for start in cfg.order:
            ends = any(not item.edges for item in reachable(start, cut))
            assert cfg.post_dominates(cut, start) is (not ends)


def test_a_loop_without_exit_has_a_post_dominator_tree() -> None:
    made = kernel_of("kernel @k(%c: i1) {\n^e:\n cbr %c, ^a, ^b\n^a:\n br ^a\n^b:\n ret\n}")
    cfg = Cfg(made)
    assert cfg.post_dominator(made.entry) is None
    assert cfg.post_dominator(block(made, "a")) is None


NEST = """kernel @k(%n: i32, %c: i1) {
^e:
  br ^outer(0:i32)
^outer(%i: i32):
  br ^inner(0:i32)
^inner(%j: i32):
  %j2 = add nsw %j, 1:i32 : i32
  %jc = icmp pred=slt %j2, %n : i1
  cbr %jc, ^inner(%j2), ^after
^after:
  cbr %c, ^out, ^latch
^latch:
  %i2 = add nsw %i, 1:i32 : i32
  %ic = icmp pred=slt %i2, %n : i1
  cbr %ic, ^outer(%i2), ^out
^out:
  ret
}"""


def test_nested_loops_know_their_blocks_and_exits() -> None:
    made = kernel_of(NEST)
    loops = Loops(Cfg(made))
    outer, inner = loops.loops
    assert [item.name for item in (outer.header, inner.header)] == ["outer", "inner"]
    assert {item.name for item in outer.blocks} == {"outer", "inner", "after", "latch"}
    assert inner.parent is outer
    assert (loops.depth(block(made, "inner")), loops.depth(block(made, "latch")), loops.depth(made.entry)) == (2, 1, 0)
    assert {(source.name, edge.target.name) for source, edge in outer.exits()} == {("after", "out"), ("latch", "out")}
    assert loops.leaves(block(made, "latch"), block(made, "out")) == [outer]
    assert not loops.irreducible


def test_a_loop_with_two_entries_is_irreducible() -> None:
    text = "^e:\n cbr %c, ^a, ^b\n^a:\n cbr %c, ^b, ^end\n^b:\n cbr %c, ^a, ^end\n^end:\n ret"
    loops = Loops(Cfg(kernel_of(f"kernel @k(%c: i1) {{\n{text}\n}}")))
    assert len(loops.irreducible) == 1
    assert loops.loops == []


def live_by_search(cfg: Cfg, wanted: Value) -> set[Block]:
    """Blocks into which a value is live: those from which a use is reached before its definition."""
    home = cfg.definitions[wanted]
    uses = {item for item in cfg.order if any(wanted in instr.operands for instr in item.body)}
    uses |= {item for item in cfg.order if wanted in item.terminator.operands()}
    found: set[Block] = set()
    work = [item for item in uses if item is not home]
    while work:
        item = work.pop()
        if item not in found:
            found.add(item)
            work.extend(source for source in cfg.predecessors(item) if source is not home)
    return found


@few
@given(SEEDS)
def test_liveness_is_what_a_search_from_the_uses_finds(seed: int) -> None:
    cfg = Cfg(kernel(seed))
    liveness = Liveness(cfg)
    for wanted in cfg.definitions:
        assert {item for item in cfg.order if wanted in liveness.into[item]} == live_by_search(cfg, wanted)


def test_points_of_a_block_follow_the_uses() -> None:
    made = kernel_of(NEST)
    liveness = Liveness(Cfg(made))
    inner = block(made, "inner")
    i, j, j2, jc = (value(made, name) for name in ("i", "j", "j2", "jc"))
    assert liveness.at_start(inner) == {i, j}
    assert [live for _, live in liveness.points(inner)] == [{i, j2}, {i, j2, jc}]
    assert not any(isinstance(item, Constant | Parameter) for item in liveness.into[inner])
    assert isinstance(j, BlockParam)


def test_regions_start_at_meetings_loop_headers_and_exits() -> None:
    text = """kernel @k(%c: i1, %n: i32) {
    ^e:
      %a = add %n, 1:i32 : i32
      barrier
      cbr %c, ^x, ^y
    ^x:
      br ^z
    ^y:
      br ^z
    ^z:
      br ^loop(0:i32)
    ^loop(%i: i32):
      %s = shfl_idx -1:i32, %i, 0:i32, 32:i32 : i32
      %d = icmp pred=slt %s, %n : i1
      cbr %d, ^loop(%s), ^out
    ^out:
      ret
    }"""
    made = kernel_of(text)
    regions = Regions(Cfg(made)).regions
    shown = [(r.meeting.op.name if r.meeting else "", [p.block.name for p in r.pieces]) for r in regions]
    assert shown == [
        ("", ["e"]),
        ("barrier", ["e", "x", "y", "z"]),
        ("", ["loop"]),
        ("shfl_idx", ["loop"]),
        ("", ["out"]),
    ]
    assert [[item.number for item in region.successors] for region in regions] == [[1], [2], [3], [2, 4], []]


@few
@given(SEEDS)
def test_regions_are_acyclic_and_hold_every_instruction_once(seed: int) -> None:
    cfg = Cfg(kernel(seed))
    regions = Regions(cfg)
    held = [item for region in regions.regions for piece in region.pieces for item in piece.instructions()]
    meetings = [region.meeting for region in regions.regions if region.meeting]
    assert len(held) + len(meetings) == len(set(held) | set(meetings)) == sum(1 for _ in cfg.instructions())
    assert not any(item.is_convergent for item in held)
    for region in regions.regions:
        order = [piece.block for piece in region.pieces]
        assert len(set(order)) == len(order)
        for place, piece in enumerate(region.pieces):
            inside = [item for item in piece.block.successors() if piece.ends and item in order[1:]]
            assert all(order.index(item) > place for item in inside)


def test_a_region_is_entered_at_its_head_only() -> None:
    for seed in range(5):
        cfg = Cfg(kernel(seed))
        regions = Regions(cfg)
        for item in cfg.order:
            region = regions.entering[item]
            if region.head is not item:
                sources = {regions.entering[source].number for source in cfg.predecessors(item)}
                assert sources, "every other block of a region has a predecessor"


@pytest.mark.parametrize("seed", range(3))
def test_the_order_puts_definitions_first(seed: int) -> None:
    cfg = Cfg(kernel(seed))
    assert cfg.order[0] is cfg.kernel.entry
    assert all(cfg.number[tree] > cfg.number[item] for item in cfg.order for tree in cfg.dominators.children[item])
