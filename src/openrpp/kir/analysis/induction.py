"""Counters: parameters of a loop header that change by an invariant step, and the test that ends their loop."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from openrpp.kir.analysis.cfg import Cfg
from openrpp.kir.analysis.loops import Loop, Loops
from openrpp.kir.ir import BlockParam, Constant, Exit, Instr, Value
from openrpp.kir.ops.form import READONLY

_DEPTH: Final = 4


@dataclass(frozen=True, slots=True)
class Test:
    """The loop goes on while `counter relation limit`; `on_next`: while the counter's next value does.

    `only`: nothing else ends the loop.
    """

    relation: str
    limit: Value
    on_next: bool
    only: bool


@dataclass(frozen=True, slots=True)
class Counter:
    """param = start + step x trips (step negated for `sub`). `keeps`: the step never wraps, by its `nsw` flag."""

    param: BlockParam
    loop: Loop
    start: Value
    step: Value
    keeps: bool
    tests: tuple[Test, ...]


def counters(cfg: Cfg, loops: Loops) -> dict[Value, Counter]:
    """All counters of a kernel."""
    found: dict[Value, Counter] = {}
    for loop in loops.loops:
        for param in loop.header.params:
            counter = _counter(cfg, loop, param)
            if counter is not None:
                found[param] = counter
    return found


def _invariant(cfg: Cfg, loop: Loop, value: Value, depth: int = _DEPTH) -> bool:
    """Whether a value is the same in all trips: made outside, or by arithmetic on such values (gridDim x blockDim)."""
    if cfg.definitions.get(value) not in loop.blocks:
        return True
    if not isinstance(value, Instr) or value.effect not in READONLY or not depth:
        return False
    return all(_invariant(cfg, loop, operand, depth - 1) for operand in value.operands)


def _counter(cfg: Cfg, loop: Loop, param: BlockParam) -> Counter | None:
    if not param.type.is_int and not param.type.is_pointer:
        return None
    place = loop.header.params.index(param)
    starts = {edge.args[place] for source, edge in cfg.incoming[loop.header] if source not in loop.blocks}
    nexts = {edge.args[place] for source, edge in cfg.incoming[loop.header] if source in loop.blocks}
    if len(starts) != 1 or len(nexts) != 1:
        return None
    following = nexts.pop()
    step = _step(following, param) if isinstance(following, Instr) else None
    if step is None or not isinstance(following, Instr) or not _invariant(cfg, loop, step):
        return None
    keeps = bool(following.attr("nsw") or following.attr("inbounds"))
    return Counter(param, loop, starts.pop(), step, keeps, tuple(_tests(cfg, loop, param, following)))


def _step(following: Instr, param: BlockParam) -> Value | None:
    if following.op.name in ("add", "ptr_add") and param in following.operands:
        first, second = following.operands
        return second if first is param else first
    if following.op.name == "sub" and following.operands[0] is param and isinstance(following.operands[1], Constant):
        step = following.operands[1]
        return Constant(step.type, -step.bits)
    return None


def _tests(cfg: Cfg, loop: Loop, param: BlockParam, following: Instr) -> Iterator[Test]:
    """Comparisons of the counter that lie on every way round the loop and can end it."""
    exits = list(loop.exits())
    for source, edge in exits:
        end = source.terminator
        on_way = all(cfg.dominators.dominates(source, latch) for latch in loop.latches)
        if end.kind is not Exit.CONDITIONAL or not on_way or not isinstance(end.value, Instr):
            continue
        found = _compared(cfg, loop, end.value, edge is end.edges[1], param, following)
        if found is not None:
            yield Test(*found, only=len(exits) == 1)


def _compared(
    cfg: Cfg, loop: Loop, condition: Instr, stays_if_true: bool, param: BlockParam, following: Instr
) -> tuple[str, Value, bool] | None:
    if condition.op.name != "icmp":
        return None
    first, second = condition.operands
    relation = str(condition.attr("pred"))
    if second in (param, following):
        first, second, relation = second, first, swapped(relation)
    if first not in (param, following) or not _invariant(cfg, loop, second):
        return None
    return (relation if stays_if_true else negated(relation)), second, first is following


def swapped(relation: str) -> str:
    """The relation of b and a for one of a and b."""
    return relation if relation in ("eq", "ne") else relation[0] + {"l": "g", "g": "l"}[relation[1]] + relation[2]


def negated(relation: str) -> str:
    """The relation that holds where this one does not."""
    if relation in ("eq", "ne"):
        return "ne" if relation == "eq" else "eq"
    return relation[0] + {"lt": "ge", "ge": "lt", "gt": "le", "le": "gt"}[relation[1:]]
