"""Natural loops: a header and the blocks that reach one of its back edges without leaving it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from openrpp.kir.analysis.cfg import Cfg
from openrpp.kir.ir import Block, Edge


@dataclass(eq=False, slots=True)
class Loop:
    """A loop. `latches` are the sources of its back edges; inner loops' blocks belong to it as well.

    `body` is `blocks` in reverse postorder.
    """

    header: Block
    latches: list[Block]
    blocks: frozenset[Block]
    body: tuple[Block, ...]
    parent: Loop | None = None
    children: list[Loop] = field(default_factory=list["Loop"])

    @property
    def depth(self) -> int:
        """1 for an outermost loop."""
        return 1 + (self.parent.depth if self.parent else 0)

    def exits(self) -> Iterator[tuple[Block, Edge]]:
        """Edges that leave the loop, with their source."""
        for block in self.body:
            for edge in block.edges:
                if edge.target not in self.blocks:
                    yield block, edge

    def around(self) -> Iterator[Loop]:
        """This loop and those that enclose it."""
        loop: Loop | None = self
        while loop is not None:
            yield loop
            loop = loop.parent


class Loops:
    """All natural loops of a kernel; loops with one header are one loop."""

    def __init__(self, cfg: Cfg) -> None:
        self.cfg = cfg
        self.irreducible: list[Edge] = []
        self._innermost: dict[Block, Loop] = {}
        found = [self._loop(header, latches) for header, latches in self._headers().items()]
        self.loops = sorted(found, key=lambda loop: (-len(loop.blocks), cfg.number[loop.header]))
        for loop in self.loops:  # outer loops first
            loop.parent = self._innermost.get(loop.header)
            if loop.parent:
                loop.parent.children.append(loop)
            self._innermost.update(dict.fromkeys(loop.blocks, loop))

    def _headers(self) -> dict[Block, list[Block]]:
        latches: dict[Block, list[Block]] = {}
        for block in self.cfg.order:
            for edge in block.edges:
                if self.cfg.number[edge.target] > self.cfg.number[block]:
                    continue
                if self.cfg.dominators.dominates(edge.target, block):
                    latches.setdefault(edge.target, []).append(block)
                else:
                    self.irreducible.append(edge)
        return latches

    def _loop(self, header: Block, latches: list[Block]) -> Loop:
        body = self._body(header, latches)
        return Loop(header, latches, frozenset(body), tuple(sorted(body, key=self.cfg.number.__getitem__)))

    def _body(self, header: Block, latches: list[Block]) -> set[Block]:
        blocks = {header}
        work = list(latches)
        while work:
            block = work.pop()
            if block not in blocks:
                blocks.add(block)
                work.extend(self.cfg.predecessors(block))
        return blocks

    def innermost(self, block: Block) -> Loop | None:
        """The smallest loop around a block."""
        return self._innermost.get(block)

    def depth(self, block: Block) -> int:
        """Number of loops around a block."""
        loop = self.innermost(block)
        return loop.depth if loop else 0

    def is_header(self, block: Block) -> bool:
        """Whether a loop starts here."""
        loop = self.innermost(block)
        return loop is not None and loop.header is block

    def leaves(self, source: Block, target: Block) -> list[Loop]:
        """Loops that an edge leaves, innermost first."""
        loop = self.innermost(source)
        return [item for item in (loop.around() if loop else ()) if target not in item.blocks]
