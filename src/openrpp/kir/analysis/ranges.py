"""Intervals of integer values, read as signed numbers, from what is known of a launch.

Block and grid shapes and ranges of parameters are facts that the caller may have; without them the limits of CUDA hold
(1024 threads, grids below 2^31). Counters of loops get the range that their exit test allows. Comparisons that a block
stands behind narrow what it sees (`within`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from openrpp.kir.analysis.cfg import Cfg
from openrpp.kir.analysis.induction import Counter, Test, counters, negated, swapped
from openrpp.kir.analysis.loops import Loops
from openrpp.kir.ir import Block, BlockParam, Constant, Exit, Instr, Parameter, Value
from openrpp.kir.ops.threads import AXES, Triple
from openrpp.kir.types import Type

THREADS: Final = (1024, 1024, 64)
GRID: Final = ((1 << 31) - 1, 65535, 65535)
CARD_GRID: Final = (65535, 65535, 65535)
DEPTH: Final = 100
"""How far ranges are followed from the end of a loop's body back to its start; beyond, nothing is known."""
INDEX_LIMIT: Final = (1 << 31) - 1024
"""Global thread indices up to here, and a block more, stay inside int."""


@dataclass(frozen=True, slots=True)
class Interval:
    """All integers from low to high, both included."""

    low: int
    high: int

    def within(self, other: Interval) -> bool:
        """Whether every number of this one is in the other."""
        return other.low <= self.low and self.high <= other.high

    def union(self, other: Interval) -> Interval:
        """The smallest interval around both."""
        return Interval(min(self.low, other.low), max(self.high, other.high))


def whole(kind: Type) -> Interval:
    """All signed values of a type."""
    if kind.bits == 1:
        return Interval(0, 1)
    half = 1 << (kind.bits - 1)
    return Interval(-half, half - 1)


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of the launch: shapes, and ranges of parameters by name.

    `indices_fit`: gridDim x blockDim is at most `INDEX_LIMIT` along every axis, which whoever launches has to check.
    `most_blocks` bounds a grid that is not known; the card's own limit is `CARD_GRID`. `blocks` are the block indices
    of a part of the grid, along each axis, if only that part is meant.
    """

    block: Triple | None = None
    grid: Triple | None = None
    indices_fit: bool = False
    most_blocks: Triple = GRID
    params: Mapping[str, Interval] = field(default_factory=dict[str, Interval])
    blocks: tuple[Interval, Interval, Interval] | None = None


class Ranges:
    """Intervals of the integer values of a kernel."""

    def __init__(self, cfg: Cfg, loops: Loops | None = None, facts: Facts | None = None) -> None:
        self.cfg: Final = cfg
        self.facts: Final = facts or Facts()
        self.counters: Final[dict[Value, Counter]] = counters(cfg, loops or Loops(cfg))
        self._known: dict[Value, Interval] = {}
        self._seen: dict[tuple[Value, Block], Interval] = {}
        self._depth = 0
        for value in cfg.definitions:  # in reverse postorder, which keeps the recursion shallow
            self.of(value)

    def of(self, value: Value) -> Interval:
        """The interval of a value; all values of its type if nothing is known."""
        found = self._known.get(value)
        if found is None:
            full = whole(value.type) if value.type.bits else Interval(0, 0)
            if self._depth > DEPTH:
                return full
            self._known[value] = full  # what a cycle sees of itself
            self._depth += 1
            found = self._computed(value, full)
            self._depth -= 1
            self._known[value] = found = found if found.within(full) else full
        return found

    def fits(self, value: Value, kind: Type, is_signed: bool = True) -> bool:
        """Whether the value survives in another integer type."""
        limits = whole(kind) if is_signed else Interval(0, kind.mask)
        return self.of(value).within(limits)

    def keeps(self, instr: Instr) -> bool:
        """Whether an addition, subtraction, multiplication or left shift gives its exact signed result."""
        if instr.op.name not in _EXACT or instr.type.bits == 1:
            return False
        return bool(instr.attr("nsw")) or self._raw(instr).within(whole(instr.type))

    def _raw(self, instr: Instr) -> Interval:
        """The interval of the exact result."""
        if self.facts.indices_fit and _is_block_offset(instr):
            return Interval(0, INDEX_LIMIT)
        return _EXACT[instr.op.name](instr, [self.of(value) for value in instr.operands])

    def within(self, value: Value, block: Block) -> Interval:
        """The interval that a block sees: comparisons on the way to it are used."""
        found = self.of(value)
        for condition, holds in self._conditions(block):
            found = self._narrowed(found, value, condition, holds)
        return found

    def seen(self, value: Value, block: Block) -> Interval:
        """As `within`, and what the value is computed from is narrowed too."""
        known = self._seen.get((value, block))
        if known is not None:
            return known
        found = self.within(value, block)
        operands = value.operands if isinstance(value, Instr) and value.op.name in _NARROWED else []
        if isinstance(value, Instr) and operands and all(item.type.is_int for item in operands):
            parts = [self.seen(item, block) for item in operands]
            rule = _EXACT.get(value.op.name)
            better = _clipped(rule(value, parts), value) if rule else _RULES[value.op.name](value, parts)
            if better is not None and better.low <= found.high and better.high >= found.low:
                found = Interval(max(found.low, better.low), min(found.high, better.high))
        self._seen[value, block] = found
        return found

    def _computed(self, value: Value, full: Interval) -> Interval:
        if isinstance(value, Constant):
            number = value.bits if value.type.bits == 1 else value.signed
            return Interval(number, number)
        if isinstance(value, Parameter):
            return self.facts.params.get(value.name, full)
        if isinstance(value, BlockParam):
            counter = self.counters.get(value)
            return self._counted(counter, full) if counter else self._merged(value)
        return self._result(value, full) if isinstance(value, Instr) else full

    def _merged(self, param: BlockParam) -> Interval:
        block = self.cfg.definitions[param]
        place = block.params.index(param)
        found = [self.of(edge.args[place]) for _, edge in self.cfg.incoming[block]]
        total = found[0]
        for other in found[1:]:
            total = total.union(other)
        return total

    def _counted(self, counter: Counter, full: Interval) -> Interval:
        start = self.of(counter.start)
        step = counter.step.signed if isinstance(counter.step, Constant) else 0
        if not step:
            return full
        bound = self._bound(counter, step, full)
        if bound is None:
            return full
        return Interval(start.low, max(start.high, bound)) if step > 0 else Interval(min(start.low, bound), start.high)

    def _bound(self, counter: Counter, step: int, full: Interval) -> int | None:
        """The last value in the direction of the step."""
        found = [bound for test in counter.tests if (bound := self._tested(counter, test, step, full)) is not None]
        if found:
            return min(found) if step > 0 else max(found)
        return (full.high if step > 0 else full.low) if counter.keeps else None

    def _tested(self, counter: Counter, test: Test, step: int, full: Interval) -> int | None:
        """What one test lets the counter reach."""
        start, limit = self.of(counter.start), self.of(test.limit)
        if test.relation == "ne":
            ahead = start.high <= limit.low if step > 0 else start.low >= limit.high
            if abs(step) != 1 or not (ahead or (counter.keeps and test.only)):
                return None
        elif test.relation == "eq" or (test.relation[1:] in ("lt", "le")) is not (step > 0):
            return None
        if test.relation[0] == "u" and (limit.low < 0 or start.low < 0):
            return None
        inclusive = test.relation[1:] in ("le", "ge")
        # A test before the body lets the header see one value beyond the last that passed.
        beyond = (step if not test.on_next else 0) - (0 if inclusive else (1 if step > 0 else -1))
        bound = (limit.high if step > 0 else limit.low) + beyond
        low = 0 if test.relation[0] == "u" else full.low
        return bound if low <= bound <= full.high else None

    def _result(self, instr: Instr, full: Interval) -> Interval:
        operands = [self.of(value) for value in instr.operands if value.type.is_int]
        if instr.op.name in ("tid", "ctaid", "ntid", "nctaid"):
            return self._geometry(instr)
        if instr.op.name in _EXACT and instr.type.bits > 1:
            found = _clipped(self._raw(instr), instr)
            return full if found is None else found
        rule = _RULES.get(instr.op.name)
        of_bits = instr.type.bits == 1 and instr.op.name not in ("and", "or", "xor", "select")
        if rule is None or of_bits or (len(operands) != len(instr.operands) and instr.op.name != "select"):
            return _FIXED.get(instr.op.name, full)
        found = rule(instr, operands)
        return full if found is None else found

    def _geometry(self, instr: Instr) -> Interval:
        axis = AXES.index(str(instr.attr("axis")))
        of_block = instr.op.name in ("tid", "ntid")
        if instr.op.name == "ctaid" and self.facts.blocks:
            return self.facts.blocks[axis]
        known = self.facts.block if of_block else self.facts.grid
        limit = known[axis] if known else (THREADS if of_block else self.facts.most_blocks)[axis]
        if instr.op.name in ("tid", "ctaid"):
            return Interval(0, limit - 1)
        return Interval(limit if known else 1, limit)

    def _conditions(self, block: Block) -> list[tuple[Instr, bool]]:
        """Comparisons that hold (or not) in a block, because only one edge of a test leads to it."""
        found: list[tuple[Instr, bool]] = []
        place: Block | None = block
        while place is not None:
            sources = self.cfg.incoming[place]
            if len(sources) == 1:
                source, edge = sources[0]
                end = source.terminator
                if end.kind is Exit.CONDITIONAL and isinstance(end.value, Instr):
                    found.append((end.value, edge is end.edges[0]))
            place = self.cfg.dominators.parent(place)
        return found

    def _narrowed(self, found: Interval, value: Value, condition: Instr, holds: bool) -> Interval:
        if condition.op.name != "icmp" or value not in condition.operands:
            return found
        left = condition.operands[0] is value
        other = self.of(condition.operands[1 if left else 0])
        relation = str(condition.attr("pred"))
        relation = relation if left else swapped(relation)
        relation = relation if holds else negated(relation)
        if relation[0] == "u" and not (other.low >= 0 and (found.low >= 0 or relation in ("ult", "ule"))):
            return found
        low, high = found.low, found.high
        if relation[0] == "u":
            low = max(low, 0)
        if relation in ("slt", "ult", "sle", "ule"):
            high = min(high, other.high - (relation in ("slt", "ult")))
        elif relation in ("sgt", "ugt", "sge", "uge"):
            low = max(low, other.low + (relation in ("sgt", "ugt")))
        elif relation == "eq":
            low, high = max(low, other.low), min(high, other.high)
        return Interval(low, high) if low <= high else found


def _is_block_offset(instr: Instr) -> bool:
    """blockIdx x blockDim along one axis."""
    if instr.op.name != "mul" or not all(isinstance(value, Instr) for value in instr.operands):
        return False
    first, second = (value for value in instr.operands if isinstance(value, Instr))
    return {first.op.name, second.op.name} == {"ctaid", "ntid"} and first.attr("axis") == second.attr("axis")


_FIXED: Final = {"laneid": Interval(0, 31), "icmp": Interval(0, 1), "fcmp": Interval(0, 1)}

Rule = Callable[[Instr, list[Interval]], Interval | None]


def _clipped(raw: Interval, instr: Instr) -> Interval | None:
    """The interval of an exact result if it fits; where `nsw` promises that it does, the part that fits."""
    full = whole(instr.type)
    if raw.within(full):
        return raw
    if instr.attr("nsw") and raw.low <= full.high and raw.high >= full.low:
        return Interval(max(raw.low, full.low), min(raw.high, full.high))
    return None


def _add(instr: Instr, r: list[Interval]) -> Interval:
    return Interval(r[0].low + r[1].low, r[0].high + r[1].high)


def _sub(instr: Instr, r: list[Interval]) -> Interval:
    return Interval(r[0].low - r[1].high, r[0].high - r[1].low)


def _mul(instr: Instr, r: list[Interval]) -> Interval:
    corners = [a * b for a in (r[0].low, r[0].high) for b in (r[1].low, r[1].high)]
    return Interval(min(corners), max(corners))


def _shl(instr: Instr, r: list[Interval]) -> Interval:
    low, high = min(max(r[1].low, 0), 64), min(max(r[1].high, 0), 64)
    corners = [a << b for a in (r[0].low, r[0].high) for b in (low, high)]
    return Interval(min(corners), max(corners)) if r[1].low >= 0 else whole(instr.type).union(Interval(0, 1 << 64))


def _and(instr: Instr, r: list[Interval]) -> Interval | None:
    bounds = [interval.high for interval in r if interval.low >= 0]
    return Interval(0, min(bounds)) if bounds else None


def _or(instr: Instr, r: list[Interval]) -> Interval | None:
    if r[0].low < 0 or r[1].low < 0:
        return None
    return Interval(0, (1 << max(r[0].high, r[1].high).bit_length()) - 1)


def _lshr(instr: Instr, r: list[Interval]) -> Interval | None:
    if r[1].low != r[1].high or not 0 < r[1].low < instr.type.bits:
        return None
    high = r[0].high if r[0].low >= 0 else instr.type.mask
    return Interval(max(r[0].low, 0) >> r[1].low, high >> r[1].low)


def _ashr(instr: Instr, r: list[Interval]) -> Interval | None:
    if r[1].low != r[1].high or not 0 <= r[1].low < instr.type.bits:
        return None
    return Interval(r[0].low >> r[1].low, r[0].high >> r[1].low)


def _urem(instr: Instr, r: list[Interval]) -> Interval | None:
    if r[1].low <= 0:
        return None
    high = r[1].high - 1
    return Interval(0, min(high, r[0].high) if r[0].low >= 0 else high)


def _srem(instr: Instr, r: list[Interval]) -> Interval | None:
    return _urem(instr, r) if r[0].low >= 0 else None


def _udiv(instr: Instr, r: list[Interval]) -> Interval | None:
    if r[0].low < 0 or r[1].low <= 0:
        return None
    return Interval(r[0].low // r[1].high, r[0].high // r[1].low)


def _smin(instr: Instr, r: list[Interval]) -> Interval | None:
    return Interval(min(r[0].low, r[1].low), min(r[0].high, r[1].high))


def _smax(instr: Instr, r: list[Interval]) -> Interval | None:
    return Interval(max(r[0].low, r[1].low), max(r[0].high, r[1].high))


def _zext(instr: Instr, r: list[Interval]) -> Interval | None:
    return r[0] if r[0].low >= 0 else Interval(0, instr.operands[0].type.mask)


def _sext(instr: Instr, r: list[Interval]) -> Interval | None:
    return Interval(-1, 0) if instr.operands[0].type.bits == 1 else r[0]


def _trunc(instr: Instr, r: list[Interval]) -> Interval | None:
    return r[0] if r[0].within(whole(instr.type)) else None


def _select(instr: Instr, r: list[Interval]) -> Interval | None:
    return r[1].union(r[2]) if len(r) == 3 else None


def _count(instr: Instr, r: list[Interval]) -> Interval | None:
    return Interval(0, instr.type.bits)


_EXACT: Final[dict[str, Callable[[Instr, list[Interval]], Interval]]] = {
    **{"add": _add, "sub": _sub, "mul": _mul, "shl": _shl},
}
_NARROWED: Final = ("add", "sub", "mul", "shl", "lshr", "ashr", "sext", "zext", "trunc", "smin", "smax")
"""Ops whose results `Ranges.seen` computes anew."""
_RULES: Final[dict[str, Rule]] = {
    **{"and": _and, "or": _or, "xor": _or, "lshr": _lshr},
    **{"ashr": _ashr, "urem": _urem, "srem": _srem, "udiv": _udiv, "sdiv": _udiv, "smin": _smin, "smax": _smax},
    **{"zext": _zext, "sext": _sext, "trunc": _trunc, "select": _select, "popc": _count, "clz": _count, "ctz": _count},
}
