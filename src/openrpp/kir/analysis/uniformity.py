"""Which values are the same in all threads of a block of the card, and who can hold them.

Three classes: the scalar sequencer holds it; it is the same everywhere but only the vector side can compute it (floats,
loads, operations that the sequencer lacks); it differs from lane to lane. A branch that the sequencer cannot take is
executed under masks, so what it decides is at best of the second class. With merged blocks (`kernel.merge` above 1),
blockIdx.x, addresses of shared memory and results of barriers differ from lane to lane.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import IntEnum
from typing import Final

from openrpp.kir.analysis.cfg import Cfg
from openrpp.kir.analysis.divergence import Influence, influence
from openrpp.kir.analysis.loops import Loop, Loops
from openrpp.kir.ir import Block, Edge, Instr, Kernel, Value
from openrpp.kir.ops.form import Effect
from openrpp.kir.types import Space


class Shape(IntEnum):
    """Classes in ascending order; an operation gives at least the highest class of its operands."""

    SEQUENCER = 0
    UNIFORM = 1
    LANE = 2


SEQUENCER_OPS: Final = frozenset(
    {
        *("add", "sub", "mul", "and", "or", "xor", "shl", "lshr", "ashr", "icmp", "select", "trunc", "zext", "sext"),
        *("ptr_add", "ptrtoint", "inttoptr", "space_cast", "bitcast", "smin", "smax", "umin", "umax", "abs"),
    }
)
"""Operations of the scalar side of `ae7100x`: its own, and what a jump or two make of them. Division is not one."""


def on_sequencer(instr: Instr) -> bool:
    """Whether the sequencer can compute an instruction with operands that it holds."""
    if instr.op.name == "bitcast":
        return not instr.type.is_float
    return instr.op.name in SEQUENCER_OPS and not instr.type.is_float


class Uniformity:
    """Classes of all values of a kernel.

    `able` says what the sequencer of the target can compute; results of barriers are its own where it says so.
    `offsets`: an address in private memory is an offset, the same in all threads.
    """

    def __init__(
        self,
        cfg: Cfg,
        loops: Loops | None = None,
        able: Callable[[Instr], bool] = on_sequencer,
        *,
        offsets: bool = False,
    ) -> None:
        self._offsets = offsets
        self.cfg: Final = cfg
        self.loops: Final = loops or Loops(cfg)
        self.kernel: Final[Kernel] = cfg.kernel
        self._able = able
        self._of: dict[Value, Shape] = {}
        self._parted: dict[Loop, Shape] = {}
        self._influence: dict[Block, Influence] = {}
        self._joined: dict[Block, Shape] = {}
        if self.loops.irreducible:  # labels need natural loops: give up on everything that control flow decides
            self._joined = dict.fromkeys(cfg.order, Shape.LANE)
            self._parted = dict.fromkeys(self.loops.loops, Shape.LANE)
        while self._sweep():
            pass

    def of(self, value: Value) -> Shape:
        """The class of a value where it is defined; constants and kernel parameters belong to the sequencer."""
        return self._of.get(value, Shape.SEQUENCER)

    def seen(self, value: Value, block: Block) -> Shape:
        """The class of a value as a block sees it: higher outside a loop that threads leave at different times."""
        shape = self.of(value)
        home = self.cfg.definitions.get(value)
        if home is None or not self._parted:
            return shape
        loop = self.loops.innermost(home)
        for around in loop.around() if loop else ():
            if block not in around.blocks:
                shape = max(shape, self._parted.get(around, Shape.SEQUENCER))
        return shape

    def branch(self, block: Block) -> Shape:
        """The class of what the terminator of a block decides on."""
        value = block.terminator.value
        return Shape.SEQUENCER if value is None else self.seen(value, block)

    def parting(self, loop: Loop) -> Shape:
        """SEQUENCER for a loop that all threads leave together by a jump; else the class of what ends it."""
        return self._parted.get(loop, Shape.SEQUENCER)

    def _sweep(self) -> bool:
        changed = False
        for block in self.cfg.order:
            for place, param in enumerate(block.params):
                changed |= self._raise(param, self._of_param(block, place))
            for instr in block.body:
                changed |= self._raise(instr, self._of_instr(instr, block))
            changed |= self._control(block)
        return changed

    def _raise(self, value: Value, shape: Shape) -> bool:
        if shape <= self.of(value):
            return False
        self._of[value] = shape
        return True

    def _of_param(self, block: Block, place: int) -> Shape:
        arriving = (self._arriving(edge, place) for _, edge in self.cfg.incoming[block])
        return max(self._joined.get(block, Shape.SEQUENCER), *arriving)

    def _arriving(self, edge: Edge, place: int) -> Shape:
        return self.seen(edge.args[place], edge.target)

    def _of_instr(self, instr: Instr, block: Block) -> Shape:
        operands = max((self.seen(value, block) for value in instr.operands), default=Shape.SEQUENCER)
        merged = Shape.LANE if self.kernel.merge > 1 else Shape.SEQUENCER
        match instr.effect:
            case Effect.PURE:
                return operands if self._able(instr) else max(operands, Shape.UNIFORM)
            case Effect.GEOMETRY:
                return _geometry(instr, merged)
            case Effect.ADDRESS:
                if instr.type.space is Space.PRIVATE:
                    return Shape.SEQUENCER if self._offsets else Shape.LANE
                return _if(instr.type.space is Space.SHARED, merged)
            case Effect.LOAD:
                return _load(instr, operands)
            case Effect.BLOCK:
                return max(merged, Shape.SEQUENCER if self._able(instr) else Shape.UNIFORM)
            case _:
                return Shape.LANE

    def _control(self, block: Block) -> bool:
        shape = self.branch(block)
        if shape is Shape.SEQUENCER:
            return False
        if block not in self._influence:
            self._influence[block] = influence(self.cfg, self.loops, block)
        changed = False
        for join in self._influence[block].joins:
            if self._joined.get(join, Shape.SEQUENCER) < shape:
                self._joined[join], changed = shape, True
        for loop in self._influence[block].loops:
            if self.parting(loop) < shape:
                self._parted[loop], changed = shape, True
        return changed


def _if(condition: bool, shape: Shape) -> Shape:
    return shape if condition else Shape.SEQUENCER


def _geometry(instr: Instr, merged: Shape) -> Shape:
    if instr.op.name in ("tid", "laneid"):
        return Shape.LANE
    return _if(instr.op.name == "ctaid" and instr.attr("axis") == "x", merged)


def _load(instr: Instr, operands: Shape) -> Shape:
    space = instr.operands[0].type.space
    if space is Space.PRIVATE or instr.attr("volatile"):
        return Shape.LANE
    return operands if space is Space.PARAM else max(operands, Shape.UNIFORM)
