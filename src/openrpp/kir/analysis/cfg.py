"""The control flow graph: order, predecessors, dominators and post-dominators.

Dominators by Cooper, Harvey and Kennedy, "A Simple, Fast Dominance Algorithm" (2001). Blocks that cannot be reached
are left out of everything.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cached_property
from typing import Final

from openrpp.kir.ir import Block, Edge, Instr, Kernel, Value


def reverse_postorder(start: Block, successors: Callable[[Block], Iterable[Block]] = Block.successors) -> list[Block]:
    """Blocks reached from a start, each before its successors except along back edges."""
    seen = {start}
    stack = [(start, _last_first(successors(start)))]
    order: list[Block] = []
    while stack:
        block, rest = stack[-1]
        following = next((item for item in rest if item not in seen), None)
        if following is None:
            order.append(block)
            stack.pop()
        else:
            seen.add(following)
            stack.append((following, _last_first(successors(following))))
    return order[::-1]


def _last_first(blocks: Iterable[Block]) -> Iterator[Block]:
    """Visited last to first, successors come first to last in the order that results."""
    return reversed(list(blocks))


class DominatorTree:
    """Immediate dominators of the blocks of an order, and answers by interval numbers of the tree."""

    def __init__(self, order: Sequence[Block], predecessors: Callable[[Block], Iterable[Block]]) -> None:
        self._number: Final = {block: place for place, block in enumerate(order)}
        self._idom: Final[dict[Block, Block]] = {order[0]: order[0]}
        changed = True
        while changed:
            changed = False
            for block in order[1:]:
                known = [item for item in predecessors(block) if item in self._idom]
                best = known[0]
                for other in known[1:]:
                    best = self._meet(best, other)
                if self._idom.get(block) is not best:
                    self._idom[block] = best
                    changed = True
        self.children: Final[dict[Block, list[Block]]] = {block: [] for block in order}
        for block in order[1:]:
            self.children[self._idom[block]].append(block)
        self._interval: Final = self._numbered(order[0])

    def _meet(self, a: Block, b: Block) -> Block:
        while a is not b:
            while self._number[a] > self._number[b]:
                a = self._idom[a]
            while self._number[b] > self._number[a]:
                b = self._idom[b]
        return a

    def _numbered(self, root: Block) -> dict[Block, tuple[int, int]]:
        opened: dict[Block, int] = {}
        interval: dict[Block, tuple[int, int]] = {}
        clock = 0
        stack = [(root, False)]
        while stack:
            block, closing = stack.pop()
            clock += 1
            if closing:
                interval[block] = (opened[block], clock)
                continue
            opened[block] = clock
            stack.append((block, True))
            stack.extend((child, False) for child in reversed(self.children[block]))
        return interval

    def parent(self, block: Block) -> Block | None:
        """The immediate dominator; None for the root."""
        found = self._idom[block]
        return None if found is block else found

    def dominates(self, a: Block, b: Block) -> bool:
        """Whether every path from the root to b passes a (a block dominates itself)."""
        (low, high), (inner, _) = self._interval[a], self._interval[b]
        return low <= inner < high

    def common(self, a: Block, b: Block) -> Block:
        """The nearest block that dominates both."""
        return self._meet(a, b)


class Cfg:
    """The graph of a kernel as it is now."""

    def __init__(self, kernel: Kernel) -> None:
        self.kernel: Final = kernel
        self.order: Final = reverse_postorder(kernel.entry)
        self.number: Final = {block: place for place, block in enumerate(self.order)}
        self.incoming: Final[dict[Block, list[tuple[Block, Edge]]]] = {block: [] for block in self.order}
        for block in self.order:
            for edge in block.edges:
                self.incoming[edge.target].append((block, edge))

    def predecessors(self, block: Block) -> list[Block]:
        """Blocks with an edge here, one per edge."""
        return [source for source, _ in self.incoming[block]]

    @cached_property
    def dominators(self) -> DominatorTree:
        """The dominator tree from the entry."""
        return DominatorTree(self.order, self.predecessors)

    @cached_property
    def _post(self) -> tuple[Block, DominatorTree]:
        """A virtual block behind all exits (and behind loops without one), and the tree rooted there."""
        end = Block("exit")
        sources = [block for block in self.order if not block.edges]
        reached = set(sources)
        self._climb(reached, list(sources))
        for block in reversed(self.order):  # a loop without exit: leave it at the last block that reaches nothing known
            if block not in reached:
                sources.append(block)
                reached.add(block)
                self._climb(reached, [block])
        leaving = set(sources)

        def back(block: Block) -> Iterable[Block]:
            return sources if block is end else self.predecessors(block)

        def forward(block: Block) -> Iterable[Block]:
            return [*block.successors(), *([end] if block in leaving else [])]

        return end, DominatorTree(reverse_postorder(end, back), forward)

    def _climb(self, reached: set[Block], work: list[Block]) -> None:
        while work:
            for source in self.predecessors(work.pop()):
                if source not in reached:
                    reached.add(source)
                    work.append(source)

    def post_dominator(self, block: Block) -> Block | None:
        """The first block that every path from here to the end passes; None if that is the end itself."""
        end, tree = self._post
        found = tree.parent(block)
        return None if found is end else found

    def post_dominates(self, a: Block, b: Block) -> bool:
        """Whether every path from b to the end passes a."""
        return self._post[1].dominates(a, b)

    @cached_property
    def definitions(self) -> dict[Value, Block]:
        """The block that defines a value; kernel parameters and constants have none."""
        found: dict[Value, Block] = {}
        for block in self.order:
            found.update(dict.fromkeys(block.params, block))
            found.update(dict.fromkeys(block.body, block))
        return found

    def instructions(self) -> Iterable[tuple[Block, Instr]]:
        """Reachable instructions with their blocks, in reverse postorder."""
        for block in self.order:
            for instr in block.body:
                yield block, instr
