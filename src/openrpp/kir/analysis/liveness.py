"""Which values are live where: made before and used after.

`uses` lets a caller decide what a use keeps alive: a value that is made anew at each use (an affine one, a constant)
keeps nothing alive, one that is folded into its users keeps its own operands alive.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Final

from openrpp.kir.analysis.cfg import Cfg
from openrpp.kir.ir import Block, Constant, Edge, Instr, Parameter, Value

Uses = Callable[[Value], Iterable[Value]]


def itself(value: Value) -> Iterable[Value]:
    """Every value but constants and kernel parameters stays in a register until its last use."""
    return () if isinstance(value, Constant | Parameter) else (value,)


class Liveness:
    """Live values at the borders of blocks. Parameters of a block are live in it, not into it."""

    def __init__(self, cfg: Cfg, uses: Uses = itself) -> None:
        self.cfg: Final = cfg
        self._uses = uses
        self.into: Final[dict[Block, frozenset[Value]]] = dict.fromkeys(cfg.order, frozenset[Value]())
        self.out: Final[dict[Block, frozenset[Value]]] = dict.fromkeys(cfg.order, frozenset[Value]())
        work = list(cfg.order)  # taken from the end: last blocks first
        waiting = set(work)
        while work:
            block = work.pop()
            waiting.discard(block)
            self.out[block] = frozenset(value for edge in block.edges for value in self.into[edge.target])
            before = self.into[block]
            self.into[block] = self._before(block)
            if self.into[block] != before:
                fresh = [item for item in self.cfg.predecessors(block) if item not in waiting]
                waiting.update(fresh)
                work.extend(dict.fromkeys(fresh))

    def kept(self, value: Value) -> bool:
        """Whether the value has a register of its own."""
        return value in set(self._uses(value))

    def used(self, instr: Instr) -> Iterator[Value]:
        """What an instruction needs: nothing if it is not executed on its own."""
        if instr.type.bits and instr.is_removable and not self.kept(instr):
            return
        for value in instr.operands:
            yield from self._uses(value)

    def _at_end(self, block: Block) -> set[Value]:
        live = set(self.out[block])
        if block.terminator.value is not None:
            live.update(self._uses(block.terminator.value))
        for edge in block.edges:
            live.update(self._passed(edge))
        return live

    def _passed(self, edge: Edge) -> Iterator[Value]:
        for param, value in zip(edge.target.params, edge.args, strict=True):
            if self.kept(param):
                yield from self._uses(value)

    def _before(self, block: Block) -> frozenset[Value]:
        live = self._at_end(block)
        for instr in reversed(block.body):
            live.discard(instr)
            live.update(self.used(instr))
        return frozenset(live.difference(block.params))

    def points(self, block: Block) -> list[tuple[Instr, set[Value]]]:
        """Each instruction with what is live behind it, its own result included if it is used."""
        live = self._at_end(block)
        found: list[tuple[Instr, set[Value]]] = []
        for instr in reversed(block.body):
            found.append((instr, set(live)))
            live.discard(instr)
            live.update(self.used(instr))
        return found[::-1]

    def at_start(self, block: Block) -> set[Value]:
        """What is live as the block starts, its used parameters included."""
        points = self.points(block)
        live = set(points[0][1]) if points else self._at_end(block)
        if points:
            live.discard(points[0][0])
            live.update(self.used(points[0][0]))
        return live
