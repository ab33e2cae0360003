"""How many registers of 32 bits a thread needs at each point: live values that differ from lane to lane.

Not counted: what the sequencer holds or is the same in all lanes, constants, affine values (made anew at each use), and
addresses, of which only the index that differs is live. i1 to i16, f16 and bf16 count half, 64 bits two, pointers one;
a 64-bit index that is used for addresses only counts as what it was widened from.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from statistics import median

from openrpp.kir.analysis.affine import Affine
from openrpp.kir.analysis.liveness import Liveness
from openrpp.kir.analysis.uniformity import Shape
from openrpp.kir.ir import Block, Instr, Value
from openrpp.kir.ops.form import Effect

_FOLDED = frozenset({"ptr_add", "sext", "zext", "mul", "shl", "add", "sub"})
_ACCESSES = frozenset({Effect.LOAD, Effect.STORE, Effect.ATOMIC})


@dataclass(frozen=True, slots=True)
class Pressure:
    """Units of 32 bits per thread: the most at any point, the most inside innermost loops, the median over points."""

    most: float
    most_in_loops: float
    median: float
    at: dict[Block, float]


def units(value: Value) -> float:
    """Registers of 32 bits that a value takes."""
    if value.type.is_pointer:
        return 1
    return {64: 2.0, 32: 1.0}.get(value.type.bits, 0.5)


def pressure(affine: Affine) -> Pressure:
    """The need of a kernel."""
    cfg, loops = affine.cfg, affine.loops
    liveness = Liveness(cfg, _Roots(affine))
    at: dict[Block, float] = {}
    points: list[float] = []
    for block in cfg.order:
        needs = [_total(liveness.at_start(block))]
        for instr, live in liveness.points(block):
            need = _total(live)
            needs.append(need)
            if affine.uniformity.of(instr) is Shape.LANE or not instr.type.bits:
                points.append(need)
        at[block] = max(needs)
    innermost = [at[block] for block in cfg.order if (loop := loops.innermost(block)) is not None and not loop.children]
    return Pressure(max(at.values()), max(innermost, default=0), median(points) if points else 0, at)


def _total(live: Iterable[Value]) -> float:
    return sum(units(value) for value in live)


class _Roots:
    """What a use of a value keeps in registers."""

    def __init__(self, affine: Affine) -> None:
        self._affine = affine
        self._known: dict[Value, tuple[Value, ...]] = {}
        self._addresses = _only_addresses(affine)
        for value in affine.cfg.definitions:  # in reverse postorder, which keeps the recursion shallow
            self(value)

    def __call__(self, value: Value) -> tuple[Value, ...]:
        found = self._known.get(value)
        if found is None:
            found = self._known[value] = self._computed(value)
        return found

    def _computed(self, value: Value) -> tuple[Value, ...]:
        if self._affine.uniformity.of(value) is not Shape.LANE or self._affine.is_affine(value):
            return ()
        if value in self._addresses and isinstance(value, Instr):
            roots = tuple(dict.fromkeys(root for operand in value.operands for root in self(operand)))
            if len(roots) <= 1 and units(roots[0] if roots else value) <= units(value):
                return roots
        return (value,)


def _only_addresses(affine: Affine) -> set[Value]:
    """Index arithmetic all of whose uses are addresses, found backwards from the accesses."""
    cfg = affine.cfg
    other: set[Value] = set()
    for block in cfg.order:
        for value in block.terminator.operands():
            other.add(value)
    found: set[Value] = set()
    for block in reversed(cfg.order):
        for instr in reversed(block.body):
            folded = instr.op.name in _FOLDED and instr not in other
            if folded:
                found.add(instr)
            for place, value in enumerate(instr.operands):
                is_address = instr.effect in _ACCESSES and place == (1 if instr.effect is Effect.STORE else 0)
                if not folded and not is_address:
                    other.add(value)
    return found - other
