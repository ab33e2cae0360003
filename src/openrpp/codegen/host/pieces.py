"""Cutting a kernel at its barriers.

A piece is what a thread does from the start of the kernel, or from behind a barrier, until it returns or comes to the
next barrier. Its blocks are copies that share instructions and parameters with the kernel; it contains no barrier, so
its threads may run in vectors, one group after another.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from openrpp.codegen.errors import Unsupported
from openrpp.kir.analysis.cfg import Cfg
from openrpp.kir.analysis.loops import Loops
from openrpp.kir.ir import Block, Constant, Edge, Exit, Instr, Kernel, Parameter, Terminator, Value
from openrpp.kir.ops.form import Effect


@dataclass(slots=True)
class Barrier:
    """How a block of a piece ends: its threads wait at `instr`, then go on at piece `target`."""

    instr: Instr
    target: int


@dataclass(eq=False, slots=True)
class Piece:
    """A part of a kernel without barriers. `live` are the values that it gets from the pieces before it."""

    number: int
    kernel: Kernel
    barriers: dict[Block, Barrier] = field(default_factory=dict[Block, Barrier])
    live: list[Value] = field(default_factory=list[Value])
    live_behind: dict[int, list[Value]] = field(default_factory=dict[int, list[Value]])  # by target of a barrier
    origin: dict[Block, Block] = field(default_factory=dict[Block, Block])  # of the kernel, by block of the piece
    cfg: Cfg = field(init=False)
    loops: Loops = field(init=False)

    def analyse(self) -> None:
        """Compute order, dominators and loops. Raises Unsupported for control flow that is not reducible."""
        self.cfg = Cfg(self.kernel)
        self.loops = Loops(self.cfg)
        if self.loops.irreducible:
            where = self.loops.irreducible[0].target
            last = where.body[0].location if where.body else where.terminator.location
            raise Unsupported("control flow that is not reducible (a jump into a loop)", self.kernel.name, last)


Start = tuple[Block, int]


class _Cutter:
    def __init__(self, kernel: Kernel) -> None:
        self.kernel = kernel
        self.pieces: list[Piece] = []
        self.numbers: dict[Start, int] = {}
        self.work: list[Start] = []

    def run(self) -> list[Piece]:
        self.number((self.kernel.entry, 0))
        while self.work:
            self.cut(self.work.pop(0))
        return self.pieces

    def number(self, start: Start) -> int:
        if start not in self.numbers:
            self.numbers[start] = len(self.numbers)
            self.work.append(start)
        return self.numbers[start]

    def cut(self, start: Start) -> None:
        made = Kernel(self.kernel.name, self.kernel.params, self.kernel.location)
        piece = Piece(self.numbers[start], made)
        copies: dict[Start, Block] = {}
        todo: list[Start] = []

        def copy(key: Start) -> Block:
            if key not in copies:
                copies[key] = made.block(key[0].name)
                piece.origin[copies[key]] = key[0]
                todo.append(key)
            return copies[key]

        copy(start)
        while todo:
            key = todo.pop()
            self.fill(piece, copies[key], key)
            if copies[key] not in piece.barriers:
                end = key[0].terminator
                edges = [Edge(copy((edge.target, 0)), edge.args) for edge in end.edges]
                copies[key].terminator = Terminator(end.kind, end.value, edges, end.cases, end.location)
        piece.analyse()
        self.pieces.append(piece)

    def fill(self, piece: Piece, copy: Block, key: Start) -> None:
        block, start = key
        copy.params = block.params if not start else []
        for index in range(start, len(block.body)):
            instr = block.body[index]
            if instr.effect is Effect.BLOCK:
                copy.terminator = Terminator(Exit.RETURN, location=instr.location)
                piece.barriers[copy] = Barrier(instr, self.number((block, index + 1)))
                return
            copy.body.append(instr)


def _used(block: Block, piece: Piece, live: dict[int, set[Value]]) -> set[Value]:
    """Values that a block needs at its start, and those that its barrier passes on."""
    needed: set[Value] = set(block.terminator.operands())
    barrier = piece.barriers.get(block)
    if barrier is not None:
        needed |= live[barrier.target] - {barrier.instr}
        needed.update(barrier.instr.operands)
    for instr in block.body:
        needed.update(instr.operands)
    return needed


def _live_in(piece: Piece, live: dict[int, set[Value]]) -> set[Value]:
    """What a piece uses and does not define on the way: SSA form makes that a union over its blocks."""
    exposed: dict[Block, set[Value]] = {block: set() for block in piece.cfg.order}
    changed = True
    while changed:
        changed = False
        for block in reversed(piece.cfg.order):
            needed = _used(block, piece, live)
            for target in block.successors():
                needed |= exposed[target]
            needed -= {*block.body, *block.params}
            if needed != exposed[block]:
                exposed[block], changed = needed, True
    return {value for value in exposed[piece.cfg.order[0]] if not isinstance(value, Constant | Parameter)}


def cut(kernel: Kernel) -> list[Piece]:
    """The pieces of a kernel; the first one is its start."""
    pieces = _Cutter(kernel).run()
    live: dict[int, set[Value]] = {piece.number: set() for piece in pieces}
    changed = True
    while changed:
        changed = False
        for piece in reversed(pieces):
            found = _live_in(piece, live)
            if found != live[piece.number]:
                live[piece.number], changed = found, True
    place = {value: index for index, value in enumerate(_definitions(kernel))}
    for piece in pieces:
        piece.live = sorted(live[piece.number], key=lambda value: place[value])
    for piece in pieces:
        piece.live_behind = {item.target: pieces[item.target].live for item in piece.barriers.values()}
    return pieces


def _definitions(kernel: Kernel) -> list[Value]:
    return [value for block in kernel.blocks for value in (*block.params, *block.body)]
