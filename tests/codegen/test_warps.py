"""Warp ops: the native engine gives the interpreter's bits, whichever lanes meet."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from openrpp.codegen import host
from openrpp.codegen.host import llvm
from openrpp.codegen.host.tiers import TIERS
from openrpp.kir.build import Builder
from openrpp.kir.floats import is_nan
from openrpp.kir.interp import launch
from openrpp.kir.ir import Constant, Instr, Kernel, Module, Parameter, Value, constant
from openrpp.kir.ops import OPS
from openrpp.kir.ops.form import Effect
from openrpp.kir.types import ANY, I1, I8, I16, I32, I64, PTR_GLOBAL, SCALARS, Type
from openrpp.kir.verify import verify_module
from tests.codegen.op_cases import SEED
from tests.codegen.op_kernels import UNTOUCHED, Triple, linear
from tests.codegen.support import Arena

WARP_OPS = [op for op in OPS.values() if op.effect is Effect.WARP]
BLOCKS: list[Triple] = [(64, 1, 1), (40, 1, 1), (8, 9, 1), (5, 5, 2), (7, 1, 1)]
WIDTHS = (1, 2, 4, 8, 16, 32, 24, 3)
NAME = "warps"
MANY = 12


class Case:
    """Adds the results of one kernel; `place` of a thread and `value` of each type are at hand."""

    def __init__(self, b: Builder, params: list[Parameter]) -> None:
        self.b = b
        self.place = linear(b)
        self.params = {param.name: param for param in params}
        self.stored: list[Type] = []
        lane = b("laneid")
        self.lane: Value = lane
        self.odd = b("trunc", lane, kind=I1)

    def of(self, name: str, kind: Type, index: Value | None = None) -> Value:
        """The element of an array that belongs to this thread (or to an index)."""
        return self.b("load", self.b.element(self.params[name], index or self.place, kind), kind=kind)

    def value(self, kind: Type) -> Value:
        return self.of("data", kind, self.b("mul", self.place, 8 // kind.bytes))

    def keep(self, value: Value) -> None:
        offset = self.b("mul", self.b("sext", self.place, kind=I64), 8 * MANY)
        at = self.b("ptr_add", self.b("ptr_add", self.params["out"], offset), 8 * len(self.stored))
        self.b("store", value, at)
        self.stored.append(value.type)
        assert len(self.stored) <= MANY

    def op(self, name: str, *operands: Value, **attrs: Any) -> Instr:
        return self.b(name, *operands, **attrs)


Fill = Callable[[Case], None]


def arrays(threads: int) -> dict[str, NDArray[Any]]:
    draw = np.random.default_rng(SEED)
    lanes = np.arange(threads) % 32
    few = draw.integers(0, 3, threads).astype(np.uint64) * np.uint64(0x0101_0101_0101_0101)
    data = np.where(draw.random(threads) < 0.5, few, draw.integers(0, 1 << 63, threads, np.uint64))
    masks = np.array([sum(1 << other for other in range(32) if other % 3 == lane % 3) for lane in lanes], np.uint32)
    by = draw.choice([0, 1, 2, 3, 5, 8, 16, 31, 32, 33, 64, 0xFFFF_FFFF, 0x8000_0001], threads).astype(np.uint32)
    widths = draw.choice(WIDTHS, threads).astype(np.uint32)
    return {"data": data, "masks": masks, "by": by, "widths": widths, "same": np.full(threads, data[0])}


TIERS_IN_TURN = itertools.cycle([name for name in ("avx512", "avx2", "sse") if llvm.is_runnable(TIERS[name])])


def difference(fill: Fill, block: Triple, lanes: int, uniform: int = 5, width: int = 32) -> None:
    """Run a kernel on both engines with two blocks; wide groups on the host's best tier, others on each in turn."""
    tier = next(TIERS_IN_TURN, None) if lanes == 32 else None
    names = ("out", "data", "masks", "by", "widths", "same")
    params = [Parameter(PTR_GLOBAL, name) for name in names]
    params += [Parameter(I32, name) for name in ("full", "uniform", "width")]
    kernel, module = Kernel(NAME, params), Module(NAME)
    module.add_kernel(kernel)
    case = Case(Builder(kernel), params)
    fill(case)
    case.b.ret()
    verify_module(module)
    threads = 2 * block[0] * block[1] * block[2]
    given = arrays(threads)
    out = np.full((threads, MANY, 8), UNTOUCHED, np.uint8)
    numbers = [0xFFFF_FFFF, uniform, width]
    wanted, arena = out.copy(), Arena()
    launch(module, NAME, 2, block, [wanted, *(given[name].copy() for name in names[1:]), *numbers])
    args = [arena.place(out), *(arena.place(given[name]) for name in names[1:])]
    host.compile(module, NAME, block, tier=tier, lanes=lanes).launch(
        (2, 1, 1), [*args, *numbers], arena.memory, workers=1
    )
    found = arena.read(args[0], out)
    bad: list[str] = []
    for thread, index in np.argwhere((found != wanted).any(axis=2)).tolist():
        kind, got, want = case.stored[index], *(bytes(item[thread, index]) for item in (found, wanted))
        bits = [int.from_bytes(item[: kind.bytes], "little") for item in (got, want)]
        if not (kind.is_float and all(is_nan(kind, item) for item in bits)):
            bad.append(f"thread {thread}, result {index} ({kind}): {bits[0]:#x}, not {bits[1]:#x}")
    assert not bad, f"RPP_SEED={SEED}: {len(bad)} differ, tier {tier}\n" + "\n".join(bad[:12])


Mask = Callable[[Case], Value]
MASKS: dict[str, Mask] = {
    "constant": lambda c: constant(I32, 0xFFFF_FFFF),
    "uniform": lambda c: c.params["full"],
    "parts": lambda c: c.of("masks", I32, c.lane),
}
COUNTS: dict[str, Mask] = {
    "varying": lambda c: c.of("by", I32),
    "uniform": lambda c: c.params["uniform"],
    "4": lambda c: constant(I32, 4),
    "19": lambda c: constant(I32, 19),
}


def some_lanes(c: Case, fill: Fill) -> None:
    """What follows is done by odd lanes only."""
    inside, done = c.b.block("inside"), c.b.block("done")
    c.b.cbr(c.odd, inside, done)
    c.b.at(inside)
    fill(c)
    c.b.br(done)
    c.b.at(done)


def odd_mask(c: Case) -> Value:
    return constant(I32, 0xAAAA_AAAA)


def odd_parts(c: Case) -> Value:
    return c.op("and", c.of("masks", I32, c.lane), constant(I32, 0xAAAA_AAAA))


@pytest.mark.parametrize("lanes", [32, 64])
@pytest.mark.parametrize("block", BLOCKS, ids=str)
def test_shuffles(block: Triple, lanes: int) -> None:
    shuffles = [op.name for op in WARP_OPS if op.name.startswith("shfl")]
    assert len(shuffles) == 4

    def fill(c: Case, mask: Mask, count: Mask, width: Mask) -> None:
        given = mask(c), count(c), width(c)
        for name in shuffles:
            c.keep(c.op(name, given[0], c.value(I32), *given[1:]))

    widths: list[Mask] = [lambda c, w=w: constant(I32, w) for w in WIDTHS]
    widths += [lambda c: c.params["width"], lambda c: c.of("widths", I32)]
    combinations = [(mask, count, width) for mask in MASKS for count in COUNTS for width in range(len(widths))]
    step = BLOCKS.index(block) + len(BLOCKS) * (lanes // 64)
    for mask, count, width in combinations[step :: 3 * len(BLOCKS)]:
        difference(partial(fill, mask=MASKS[mask], count=COUNTS[count], width=widths[width]), block, lanes, width=8)
    for mask in (odd_mask, odd_parts):
        inner = partial(fill, mask=mask, count=COUNTS["varying"], width=widths[-1])
        difference(partial(some_lanes, fill=inner), block, lanes)


@pytest.mark.parametrize("lanes", [32, 64])
@pytest.mark.parametrize("kind", SCALARS, ids=str)
def test_shuffled_types(kind: Type, lanes: int) -> None:
    def fill(c: Case) -> None:
        for name, count in (("shfl_idx", "varying"), ("shfl_up", "uniform"), ("shfl_down", "4"), ("shfl_xor", "19")):
            c.keep(c.op(name, MASKS["constant"](c), c.value(kind), COUNTS[count](c), constant(I32, 32)))
        c.keep(c.op("shfl_idx", MASKS["parts"](c), c.value(kind), COUNTS["uniform"](c), constant(I32, 16)))
        c.keep(c.op("shfl_idx", MASKS["constant"](c), c.value(kind), constant(I32, 3), constant(I32, 8)))

    difference(fill, (48, 1, 1), lanes)


@pytest.mark.parametrize("uniform", [0, 1, 7, 16, 31, 32, 0x8000_0000, 0xFFFF_FFFF])
@pytest.mark.parametrize("widths", [(32, 8), (24, 3)], ids=str)
def test_uniform_distances(uniform: int, widths: tuple[int, int]) -> None:
    def fill(c: Case) -> None:
        for name in ("shfl_idx", "shfl_up", "shfl_down", "shfl_xor"):
            c.keep(c.op(name, c.params["full"], c.value(I32), c.params["uniform"], constant(I32, widths[0])))
            c.keep(c.op(name, c.params["full"], c.value(I32), c.params["uniform"], c.params["width"]))

    difference(fill, (40, 1, 1), 32 if uniform % 3 else 64, uniform, widths[1])


def votes(c: Case, mask: Value) -> None:
    """All ops of predicates, of predicates that hold in some lanes, in all and in none."""
    predicate = c.op("trunc", c.value(I8), kind=I1)
    always = c.op("icmp", c.lane, constant(I32, 64), pred="ult")
    for name in ("vote_any", "vote_all", "vote_uni", "ballot"):
        for given in (predicate, always, c.op("xor", always, constant(I1, 1))):
            c.keep(c.op(name, mask, given))


def matches(c: Case, mask: Value) -> None:
    for kind in (I8, I32, I64):
        c.keep(c.op("match_any", mask, c.value(kind)))
        c.keep(c.op("match_all", mask, c.value(kind)))
    c.keep(c.op("match_all", mask, c.of("same", I64)))
    c.keep(c.op("match_any", mask, c.params["uniform"]))
    c.keep(c.op("activemask"))
    c.op("warp_sync", mask)


def reductions(c: Case, mask: Value) -> None:
    combines = OPS["redux"].attributes[0].choices
    assert len(combines) <= MANY
    for combine in combines:
        c.keep(c.op("redux", mask, c.value(I32), combine=combine))


GROUPS: dict[str, Callable[[Case, Value], None]] = {"votes": votes, "matches": matches, "reductions": reductions}


@pytest.mark.parametrize("lanes", [32, 64])
@pytest.mark.parametrize("block", BLOCKS, ids=str)
@pytest.mark.parametrize("group", GROUPS)
def test_votes_matches_reductions(group: str, block: Triple, lanes: int) -> None:
    step = list(GROUPS).index(group) + BLOCKS.index(block)
    chosen = MASKS[list(MASKS)[step % 3]]
    difference(lambda c: GROUPS[group](c, chosen(c)), block, lanes)
    mask = (odd_mask, odd_parts)[step % 2]
    difference(lambda c: some_lanes(c, lambda c: GROUPS[group](c, mask(c))), block, lanes)


def test_every_warp_op_is_tested() -> None:
    tested = {"shfl_idx", "shfl_up", "shfl_down", "shfl_xor", "vote_any", "vote_all", "vote_uni", "ballot"}
    tested |= {"match_any", "match_all", "activemask", "warp_sync", "redux"}
    assert {op.name for op in WARP_OPS} == tested


@pytest.mark.parametrize("kind", ANY, ids=str)
def test_matched_types(kind: Type) -> None:
    def fill(c: Case) -> None:
        c.keep(c.op("match_any", c.params["full"], c.value(kind)))
        c.keep(c.op("match_all", MASKS["parts"](c), c.value(kind)))
        c.keep(c.op("match_all", c.params["full"], c.value(kind)))

    difference(fill, (48, 1, 1), 32)


@pytest.mark.parametrize("lanes", [32, 64])
def test_lanes_leave_a_loop_one_after_another(lanes: int) -> None:
    def fill(c: Case) -> None:
        """Turn k is taken by lanes with lane mod 5 >= k."""
        b, turns = c.b, c.op("urem", c.lane, constant(I32, 5))
        loop, body, done = b.block("loop", I32, I32), b.block("body"), b.block("done")
        b.br(loop, constant(I32, 0), c.value(I32))
        b.at(loop)
        turn, total = loop.params
        b.cbr(c.op("icmp", turn, turns, pred="ule"), body, done)
        b.at(body)
        present = c.op("activemask")
        found = c.op("shfl_xor", present, total, constant(I32, 3), constant(I32, 32))
        found = c.op("add", found, c.op("redux", present, total, combine="xor"))
        found = c.op("add", found, c.op("shfl_down", present, found, turn, constant(I32, 16)))
        b.br(loop, c.op("add", turn, constant(I32, 1)), c.op("add", found, present))
        b.at(done)
        c.keep(total)

    difference(fill, (72, 1, 1), lanes)


def test_a_lane_outside_the_mask_may_hold_any_width() -> None:
    """Lanes that are not active hold width 0, which no instruction may divide by."""

    def fill(c: Case) -> None:
        width = c.op("select", c.odd, constant(I32, 8), constant(I32, 0))

        def inside(c: Case) -> None:
            for name in ("shfl_idx", "shfl_up"):
                c.keep(c.op(name, odd_mask(c), c.value(I16), COUNTS["varying"](c), width))

        some_lanes(c, inside)

    difference(fill, (64, 1, 1), 32)


def test_constant_operands() -> None:
    full, c5, b1 = constant(I32, 0xFFFF_FFFF), Constant(I32, 5), constant(I1, 1)

    def fill(c: Case) -> None:
        c.keep(c.op("shfl_idx", full, c5, c5, constant(I32, 32)))
        c.keep(c.op("ballot", full, b1))
        c.keep(c.op("vote_all", full, b1))
        c.keep(c.op("match_any", full, c5))
        c.keep(c.op("match_all", full, c5))
        c.keep(c.op("redux", full, c5, combine="add"))
        c.keep(c.op("redux", full, c5, combine="xor"))
        c.keep(c.op("shfl_up", full, c.lane, constant(I32, 1), constant(I32, 32)))

    for block in BLOCKS[:3]:
        difference(fill, block, 32)
        difference(fill, block, 64)
