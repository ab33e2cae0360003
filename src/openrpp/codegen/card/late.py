"""Values as late as their readers: what only some paths need is computed there.

Thread numbers and addresses that only a short branch needs would else be computed, and kept, on the way of all blocks.
"""

from __future__ import annotations

from openrpp.codegen.card.splits import Splits
from openrpp.kir.analysis.cfg import Cfg
from openrpp.kir.analysis.loops import Loop, Loops
from openrpp.kir.ir import Block, Instr, Kernel, Value, constant
from openrpp.kir.ops.form import READONLY, Effect
from openrpp.kir.types import I32


def computed_late(kernel: Kernel, splits: Splits) -> None:
    """Move operations into blocks that not every path passes, if all that reads them is there; never into a loop."""
    cfg = Cfg(kernel)
    loops = Loops(cfg)
    if not loops.irreducible:
        _Late(cfg, loops, splits).run()


class _Late:
    def __init__(self, cfg: Cfg, loops: Loops, splits: Splits) -> None:
        self.cfg = cfg
        self.loops = loops
        self.splits = splits
        self.readers: dict[Value, Block] = {}  # the nearest block that dominates all readers
        self.moved: dict[Block, list[Instr]] = {}  # in reverse

    def run(self) -> None:
        """From the last operation to the first, so that readers have moved before what they read."""
        for instr in (*self.splits.dots, *self.splits.joined):
            places = range(len(instr.operands) - (instr in self.splits.dots))
            instr.operands[: len(places)] = [constant(I32, 0) for _ in places]  # lowering takes the split addresses
        for block in reversed(self.cfg.order):
            self._ends(block)
            kept: list[Instr] = []
            for instr in reversed(block.body):
                if self._is_dead(instr):
                    continue
                target = self._target(instr, block)
                if target is block:
                    kept.append(instr)
                else:
                    self.moved.setdefault(target, []).append(instr)
                for value in self._read(instr):
                    self._note(value, target)
            block.body = kept[::-1]
        for block, found in self.moved.items():
            block.body = found[::-1] + block.body

    def _ends(self, block: Block) -> None:
        if block.terminator.value is not None:
            self._note(block.terminator.value, block)
        for edge in block.edges:
            for value in edge.args:
                self._note(value, block)

    def _note(self, value: Value, block: Block) -> None:
        known = self.readers.get(value)
        self.readers[value] = block if known is None else self.cfg.dominators.common(known, block)

    def _is_dead(self, instr: Instr) -> bool:
        """Whether nobody reads it."""
        plain = instr.effect in READONLY or (instr.effect is Effect.LOAD and not instr.attr("volatile"))
        return plain and instr not in self.readers

    def _read(self, instr: Instr) -> list[Value]:
        """Operands, and what split addresses are made of."""
        if (places := self.splits.dots.get(instr) or self.splits.joined.get(instr)) is not None:
            return [*places, *instr.operands]
        split = self.splits.placed.get(instr)
        if split is None:
            return instr.operands
        parts = (split.base, split.lane, *(split.rows or ()), *(split.planes or ()))
        return [*instr.operands, *(part for part in parts if part is not None)]

    def _target(self, instr: Instr, home: Block) -> Block:
        """Where an operation goes: the latest block outside of further loops, if some paths do not come there."""
        target = self.readers.get(instr)
        if target is None or target is home or instr.effect not in READONLY or instr in self.splits.hidden:
            return home
        around = self._around(home)
        while target is not home and not self._around(target) <= around:
            above = self.cfg.dominators.parent(target)
            assert above is not None
            target = above
        return home if self._always(target, home) else target

    def _around(self, block: Block) -> set[Loop]:
        inner = self.loops.innermost(block)
        return set(inner.around()) if inner is not None else set()

    def _always(self, target: Block, home: Block) -> bool:
        """Whether every path from one block comes to another."""
        block: Block | None = home
        while block is not None and block is not target:
            block = self.cfg.post_dominator(block)
        return block is target
