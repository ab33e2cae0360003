"""The sequence of a kernel's segments: blocks cut at barriers, loops in one piece.

A segment is what lanes execute together; each lane remembers which one it goes on with.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from openrpp.kir.analysis.cfg import Cfg
from openrpp.kir.analysis.loops import Loop, Loops
from openrpp.kir.ir import Block, Instr, Kernel
from openrpp.kir.ops.form import Effect


@dataclass(eq=False, slots=True)
class Segment:
    """Instructions of a block up to a barrier or its end. `number` is the place in the sequence."""

    block: Block
    first: int
    number: int
    body: list[Instr] = field(default_factory=list[Instr])
    barrier: Instr | None = None  # behind the body; the next segment is that of the same block


def sequence(kernel: Kernel) -> tuple[list[Segment], list[tuple[int, int]]]:
    """The segments in order, and the (first, last) segment of each loop, inner loops first.

    Every block comes behind its predecessors except along back edges, and the blocks of a loop stand together, so that
    lanes which leave a loop wait for the others. Loops that are entered at several places are not among the loops.
    """
    cfg = Cfg(kernel)
    loops = Loops(cfg)
    order = list(_contiguous(cfg, loops))
    segments: list[Segment] = []
    for block in order:
        segments += _cut(block, len(segments))
    places: dict[Block, list[int]] = {}
    for segment in segments:
        places.setdefault(segment.block, []).append(segment.number)
    ranges = [_range(loop, places) for loop in loops.loops]
    return segments, sorted(ranges, key=lambda item: item[1] - item[0])


def _range(loop: Loop, places: dict[Block, list[int]]) -> tuple[int, int]:
    numbers = [number for block in loop.blocks for number in places[block]]
    return min(numbers), max(numbers)


def _cut(block: Block, number: int) -> Iterator[Segment]:
    made = Segment(block, 0, number)
    for index, instr in enumerate(block.body):
        if instr.effect is Effect.BLOCK:
            made.barrier = instr
            yield made
            made = Segment(block, index + 1, made.number + 1)
        else:
            made.body.append(instr)
    yield made


def _contiguous(cfg: Cfg, loops: Loops) -> Iterator[Block]:
    """A reverse postorder in which successors outside of a block's loops come last."""
    seen: set[Block] = set()
    postorder: list[Block] = []
    stack: list[tuple[Block, Iterator[Block]]] = []

    def enter(block: Block) -> None:
        seen.add(block)
        targets = sorted(block.successors(), key=lambda item: -len(loops.leaves(block, item)))
        stack.append((block, iter(targets)))

    enter(cfg.order[0])
    while stack:
        block, rest = stack[-1]
        following = next((item for item in rest if item not in seen), None)
        if following is None:
            postorder.append(block)
            stack.pop()
        else:
            enter(following)
    return reversed(postorder)
