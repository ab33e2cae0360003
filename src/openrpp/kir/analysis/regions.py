"""Regions: acyclic pieces that all threads of a block execute before any goes on.

A region starts at the entry, behind each meeting of threads (barrier, shuffle, vote), at each loop header and loop
exit, and where different regions meet. Inside a region a thread needs no other thread, so it can be run lane by lane,
or as one configuration stream. `meeting` is the convergent instruction that the region's threads execute first.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from openrpp.kir.analysis.cfg import Cfg
from openrpp.kir.analysis.loops import Loops
from openrpp.kir.ir import Block, Instr


@dataclass(frozen=True, slots=True)
class Piece:
    """Instructions start to stop - 1 of a block; `ends` if the block's terminator belongs to it."""

    block: Block
    start: int
    stop: int
    ends: bool

    def instructions(self) -> list[Instr]:
        """The instructions of the piece."""
        return self.block.body[self.start : self.stop]


@dataclass(eq=False, slots=True)
class Region:
    """A single-entry acyclic piece of a kernel; its first piece is the entry. Pieces are in topological order."""

    number: int
    meeting: Instr | None
    pieces: list[Piece] = field(default_factory=list[Piece])
    successors: list[Region] = field(default_factory=list["Region"])

    @property
    def head(self) -> Block:
        """The block in which the region starts."""
        return self.pieces[0].block


class Regions:
    """The regions of a kernel, in reverse postorder of their heads."""

    def __init__(self, cfg: Cfg, loops: Loops | None = None) -> None:
        self.cfg = cfg
        self.loops = loops or Loops(cfg)
        self.regions: list[Region] = []
        self.entering: dict[Block, Region] = {}
        """The region that is active as a block starts."""
        self._leaving: dict[Block, Region] = {}
        self._heads = self._forced()
        for block in cfg.order:
            self._place(block)
        for block in cfg.order:
            for target in block.successors():
                if target in self._heads:
                    _link(self._leaving[block], self.entering[target])

    def _forced(self) -> set[Block]:
        heads = {self.cfg.kernel.entry}
        heads.update(loop.header for loop in self.loops.loops)
        heads.update(edge.target for edge in self.loops.irreducible)
        heads.update(edge.target for loop in self.loops.loops for _, edge in loop.exits())
        return heads

    def _place(self, block: Block) -> None:
        sources = {self._leaving[source] for source in self.cfg.predecessors(block) if source in self._leaving}
        joined = block not in self._heads and len(sources) == 1
        if joined:
            region = sources.pop()
        else:
            region = self._new(None)
            self._heads.add(block)
        self.entering[block] = region
        start = 0
        for place, instr in enumerate(block.body):
            if instr.is_convergent:
                region.pieces.append(Piece(block, start, place, False))
                following = self._new(instr)
                _link(region, following)
                region, start = following, place + 1
        region.pieces.append(Piece(block, start, len(block.body), True))
        self._leaving[block] = region

    def _new(self, meeting: Instr | None) -> Region:
        region = Region(len(self.regions), meeting)
        self.regions.append(region)
        return region


def _link(source: Region, target: Region) -> None:
    if target not in source.successors:
        source.successors.append(target)
