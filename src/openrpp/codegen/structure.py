"""Structured control flow: which blocks are emitted inside which, and whether threads enter them all, all or none, or
each for itself.

Blocks nest by dominance; a loop counts as one node for whatever follows it. Emitted so, every value stands before its
uses, and a block of a scope is entered by all threads of the scope (ALL), by all or none (FLAG), or by some (MASK).
"""

from __future__ import annotations

from collections.abc import Callable
from enum import IntEnum

from openrpp.kir.analysis.cfg import Cfg
from openrpp.kir.analysis.loops import Loop, Loops
from openrpp.kir.ir import Block, Edge, Value


class Entry(IntEnum):
    """Which threads of the enclosing scope enter a block."""

    ALL = 0
    FLAG = 1
    MASK = 2


class Structure:
    """Scopes of a reducible graph. Only what `decide` computes depends on which branches are uniform."""

    def __init__(self, cfg: Cfg, loops: Loops) -> None:
        self.cfg = cfg
        self.loops = loops
        self.entry = self.cfg.order[0]
        self.loop_at: dict[Block, Loop] = {loop.header: loop for loop in self.loops.loops}
        self.home: dict[Block, Block] = {}
        self.inside: dict[Block, list[Block]] = {block: [] for block in self.cfg.order}
        self.after: dict[Block, list[Block]] = {block: [] for block in self.cfg.order}
        self.always: set[Block] = {self.entry}
        self.kind: dict[Block, Entry] = {}
        self.divergent: set[Loop] = set()
        for block in self.cfg.order[1:]:
            self._settle(block)

    def _settle(self, block: Block) -> None:
        above = self.cfg.dominators.parent(block)
        assert above is not None
        left = [loop for loop in self._around(above) if block not in loop.blocks]
        home = left[-1].header if left else above
        self.home[block] = home
        (self.after if left else self.inside)[home].append(block)
        if self._reached_always(home, block):
            self.always.add(block)

    def _around(self, block: Block) -> list[Loop]:
        inner = self.loops.innermost(block)
        return list(inner.around()) if inner else []

    def _reached_always(self, home: Block, block: Block) -> bool:
        """Whether every thread that enters `home` comes to `block` before it leaves the level of `block`."""
        level = self.loops.innermost(block)
        if level is not None and level.header is block:
            level = level.parent
        seen, work = {home}, [home]
        while work:
            source = work.pop()
            if not source.edges:
                return False
            for target in source.successors():
                if target is block:
                    continue
                if level is not None and (target is level.header or target not in level.blocks):
                    return False
                if target in seen:
                    continue
                seen.add(target)
                work.append(target)
        return True

    def is_back(self, source: Block, target: Block) -> bool:
        """Whether an edge leads to the header of a loop around its source."""
        loop = self.loop_at.get(target)
        return loop is not None and source in loop.blocks

    def scopes(self, block: Block, top: Block) -> list[Block]:
        """The block and the scopes around it up to, not including, `top`."""
        found: list[Block] = []
        while block is not top:
            found.append(block)
            block = self.home[block]
        return found

    def top_of(self, source: Block, target: Block) -> Block:
        """The scope in which an edge chooses: the header for a back edge, the home of the target otherwise."""
        return target if self.is_back(source, target) else self.home[target]

    def sees(self, user: Block, definer: Block) -> bool:
        """Whether a block is emitted in the scope of another without having left a loop around that."""
        block, visible = user, True
        while not (visible and block is definer):
            if block is self.entry:
                return False
            home = self.home[block]
            visible = block not in self.after[home]
            block = home
        return True

    # --- what depends on uniformity ----------------------------------------------------------------------------

    def decide(self, varying: Callable[[Value, Block], bool]) -> None:
        """Compute `kind` of blocks and the set of divergent loops for given branch conditions."""
        self.kind = {block: Entry.ALL if block in self.always else Entry.FLAG for block in self.cfg.order}
        self.divergent = set()
        changed = True
        while changed:
            changed = False
            for source in self.cfg.order:
                split = self.splits(source, varying)
                for edge in source.edges:
                    changed |= self._mark(source, edge.target, split)

    def splits(self, block: Block, varying: Callable[[Value, Block], bool]) -> bool:
        """Whether the end of a block sends threads different ways."""
        end = block.terminator
        return end.value is not None and len(set(block.successors())) > 1 and varying(end.value, block)

    def _mark(self, source: Block, target: Block, split: bool) -> bool:
        if not (split or self.partial(source, target)):
            return False
        changed = False
        for loop in self._around(source):
            if (target is loop.header or target not in loop.blocks) and loop not in self.divergent:
                self.divergent.add(loop)
                changed = True
        if not self.is_back(source, target) and self.kind[target] is Entry.FLAG:
            self.kind[target] = Entry.MASK
            changed = True
        return changed

    def partial(self, source: Block, target: Block) -> bool:
        """Whether threads at `source` may be only some of those of the scope in which the edge chooses."""
        for block in self.scopes(source, self.top_of(source, target)):
            if self.kind[block] is Entry.MASK:
                return True
        return any(loop in self.divergent and target not in loop.blocks for loop in self._around(source))

    def masked(self, source: Block, edge: Edge, varying: Callable[[Value, Block], bool]) -> bool:
        """Whether an edge is taken by some threads of the scope in which it chooses."""
        return self.splits(source, varying) or self.partial(source, edge.target)
