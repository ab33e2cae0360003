"""How many registers of 32 bits a thread needs at each point: live values that differ from lane to lane.

Not counted: what the sequencer holds or is the same in all lanes, constants, affine values (made anew at each use),
places of private variables, and addresses, of which only the index that differs is live. i1 to i16, f16 and bf16 count
half, 64 bits two, pointers one. A 64-bit integer counts one where 32 bits hold it: its range says so, or nothing but
addresses is made of it.

A `Model` adds what a machine does: results that wait outside the registers, masks, and whether values that are the same
in all lanes can be kept where lanes do not pay for them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from statistics import median
from typing import Final

from openrpp.kir.analysis.affine import Affine
from openrpp.kir.analysis.indices import only_addresses
from openrpp.kir.analysis.liveness import Liveness
from openrpp.kir.analysis.uniformity import Shape
from openrpp.kir.ir import Block, Constant, Instr, Parameter, Value
from openrpp.kir.ops.form import Effect
from openrpp.kir.types import I32

MASK: Final = 0.5
"""A mask of active lanes, as any bit."""


@dataclass(frozen=True, slots=True)
class Model:
    """What is counted.

    `rematerialised`: affine values are made anew at each use; else they are kept like all others. `waiting`: the result
    just made is not in a register yet, nor is a load that only the next instruction for lanes uses. `masks`: half a
    register for each place where threads that parted wait to meet again. `loads_in_lanes`: what is the same in all
    lanes but not held by the sequencer (loads from memory, floats) is kept per lane.
    """

    rematerialised: bool = True
    waiting: bool = False
    masks: bool = False
    loads_in_lanes: bool = False


BASE: Final = Model()
MACHINE: Final = Model(waiting=True, masks=True, loads_in_lanes=True)
"""What the card does. It merges blocks too, which is a property of the kernel."""


@dataclass(frozen=True, slots=True)
class Pressure:
    """Units of 32 bits per thread: the most at any point, the most inside innermost loops, the median over points."""

    most: float
    most_in_loops: float
    median: float
    at: dict[Block, float]


def units(value: Value) -> float:
    """Registers of 32 bits that a value takes by its type."""
    if value.type.is_pointer:
        return 1
    return {64: 2.0, 32: 1.0}.get(value.type.bits, 0.5)


def pressure(affine: Affine, model: Model = BASE) -> Pressure:
    """The need of a kernel."""
    return _Count(affine, model).result()


class _Count:
    def __init__(self, affine: Affine, model: Model) -> None:
        self.affine = affine
        self.model = model
        self.roots = _Roots(affine, model)
        self.liveness = Liveness(affine.cfg, self.roots)
        self.masks = _open_regions(affine) if model.masks else {}

    def result(self) -> Pressure:
        cfg, loops = self.affine.cfg, self.affine.loops
        at: dict[Block, float] = {}
        points: list[float] = []
        for block in cfg.order:
            base = MASK * self.masks.get(block, 0)
            needs = [base + self._total(self.liveness.at_start(block))]
            found = self.liveness.points(block)
            for place, (instr, live) in enumerate(found):
                need = base + self._total(live) - self._waits(instr, live, found[place + 1 :])
                needs.append(need)
                if self._in_lanes(instr):
                    points.append(need)
            at[block] = max(needs)
        innermost = [
            at[block] for block in cfg.order if (loop := loops.innermost(block)) is not None and not loop.children
        ]
        return Pressure(max(at.values()), max(innermost, default=0), median(points) if points else 0, at)

    def _total(self, live: Iterable[Value]) -> float:
        return sum(self.roots.units(value) for value in live)

    def _in_lanes(self, instr: Instr) -> bool:
        return self.affine.uniformity.of(instr) is Shape.LANE or not instr.type.bits

    def _waits(self, instr: Instr, live: set[Value], rest: list[tuple[Instr, set[Value]]]) -> float:
        """What the result just made does not take yet."""
        if not self.model.waiting or instr not in live:
            return 0
        if instr.effect is not Effect.LOAD:
            return self.roots.units(instr)
        following = next((found for found in rest if self._in_lanes(found[0])), None)
        only = following is not None and instr in following[0].operands and instr not in following[1]
        return self.roots.units(instr) if only else 0


class _Roots:
    """What a use of a value keeps in registers."""

    def __init__(self, affine: Affine, model: Model) -> None:
        self._affine = affine
        self._model = model
        self._known: dict[Value, tuple[Value, ...]] = {}
        self._folded, self._indices = only_addresses(affine.cfg)
        self._escaping = _escaping(affine)
        for value in affine.cfg.definitions:  # in reverse postorder, which keeps the recursion shallow
            self(value)

    def __call__(self, value: Value) -> tuple[Value, ...]:
        found = self._known.get(value)
        if found is None:
            found = self._known[value] = self._computed(value)
        return found

    def units(self, value: Value) -> float:
        """Registers that a value takes, narrowed where 32 bits hold it."""
        if value.type.bits == 64 and value.type.is_int:
            return 1 if value in self._indices or self._affine.ranges.fits(value, I32) else 2
        return units(value)

    def _computed(self, value: Value) -> tuple[Value, ...]:
        if self._is_free(value):
            return ()
        if value in self._folded and isinstance(value, Instr):
            roots = tuple(dict.fromkeys(root for operand in value.operands for root in self(operand)))
            if len(roots) <= 1 and self.units(roots[0] if roots else value) <= self.units(value):
                return roots
        return (value,)

    def _is_free(self, value: Value) -> bool:
        if isinstance(value, Constant | Parameter) or (isinstance(value, Instr) and value.op.name == "local_addr"):
            return True
        if value in self._escaping:
            return False
        shape = self._affine.uniformity.of(value)
        if shape is not Shape.LANE:
            return shape is Shape.SEQUENCER or not self._model.loads_in_lanes
        return self._model.rematerialised and self._affine.is_affine(value) and self._is_held(value)

    def _is_held(self, value: Value) -> bool:
        """Whether what an affine value is made of needs no lanes."""
        symbols = self._affine.form(value).symbols()
        return all(symbol.value is None or not self(symbol.value) for symbol in symbols if symbol.value is not value)


def _escaping(affine: Affine) -> set[Value]:
    """Values used outside a loop that lanes leave at different times: each lane keeps its own."""
    cfg, uniformity = affine.cfg, affine.uniformity
    found: set[Value] = set()
    for block in cfg.order:
        used = [value for instr in block.body for value in instr.operands]
        for value in (*used, *block.terminator.operands()):
            if value not in cfg.definitions:
                continue
            if uniformity.seen(value, block) is not uniformity.of(value) or affine.is_left(value, block):
                found.add(value)
    return found


def _open_regions(affine: Affine) -> dict[Block, int]:
    """For each block how many places there are where threads that parted before it meet behind it."""
    cfg = affine.cfg
    places: dict[Block, set[Block | None]] = {}
    for block in cfg.order:
        if affine.uniformity.branch(block) is Shape.SEQUENCER:
            continue
        stop = cfg.post_dominator(block)
        work = [target for target in block.successors() if target is not stop]
        seen = set(work)
        while work:
            reached = work.pop()
            places.setdefault(reached, set()).add(stop)
            fresh = [item for item in reached.successors() if item is not stop and item not in seen]
            seen.update(fresh)
            work.extend(fresh)
    return {block: len(stops) for block, stops in places.items()}
