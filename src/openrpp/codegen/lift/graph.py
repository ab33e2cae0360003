"""The control flow of a program: which word or column follows which, and what each reads and writes.

A spot is a place of the sequencer: the word it stands at, the block shape in force and, inside REPEAT, how far that
is. Columns are decoded from the word where control enters them, so a jump into the middle of one is a spot of its own.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import Enum

from openrpp.arch import Card
from openrpp.isa.columns import loads, reads
from openrpp.isa.form import Kind, Op
from openrpp.isa.registers import PAIR_CODES
from openrpp.machine.code import PRINT_WORDS, Code, CodeError, ColumnCode, VectorOp
from openrpp.machine.faults import Fault, IllegalWord, MissingExtension, OutOfBounds
from openrpp.machine.scalars import DMA_LENGTH

DVA = PAIR_CODES["DVA"]
VECTOR = 64
"""Items of liveness: scalar registers by number, vector registers from here on by code, then the rest."""
COUNTER, LOGGED, COLUMNS, SHAPE = 120, 121, 122, 123
"""Turns of a REPEAT that are left, values learned from data, columns executed, and x, y, n of a shape at run time."""
READS, WRITES = 1, 2


@dataclass(frozen=True)
class Shape:
    """A block shape: x, y and the number of lanes; None throughout for one that is only known at run time."""

    x: int | None
    y: int | None
    n: int | None


AT_RUN_TIME = Shape(None, None, None)


@dataclass(frozen=True)
class Spot:
    """A place of the sequencer; `repeat` is (first word, columns, columns done) inside REPEAT."""

    word: int
    shape: Shape
    repeat: tuple[int, int, int] | None = None


class Act(Enum):
    """What happens at a spot."""

    SKIP = "skip"
    SCALAR = "scalar"
    COLUMN = "column"
    JUMP = "jump"
    REPEAT = "repeat"
    SHAPE = "shape"
    END = "end"
    FAULT = "fault"


@dataclass
class Node:
    """A spot with what it does. `ways` are the spots that may follow, in an order that depends on the act."""

    spot: Spot
    act: Act
    op: Op | None = None
    column: ColumnCode | None = None
    ways: list[Spot] = field(default_factory=list[Spot])
    uses: set[int] = field(default_factory=set[int])
    defines: set[int] = field(default_factory=set[int])
    touches: int = 0
    fault: tuple[type[Fault], str] | None = None
    sources: list[Spot] = field(default_factory=list[Spot])
    live: set[int] = field(default_factory=set[int])
    pending: int = 0


_SCALARS = {Kind.S16: 1, Kind.S32: 2, Kind.S64: 4}


def registers_of(kind: Kind, number: int) -> list[int]:
    """The 16-bit scalar registers of an operand."""
    return [(number + part) & 31 for part in range(_SCALARS.get(kind, 0))]


class Graph:
    """All spots that control may come to, from the first word on.

    Args:
        shapes: block shapes that CFGXYZ may set; with `AT_RUN_TIME` among them, any other as well.
        start: the shape of the launch.
    """

    def __init__(self, card: Card, code: Code, start: Shape, shapes: Iterable[Shape]) -> None:
        self.card = card
        self.code = code
        self.shapes = tuple(dict.fromkeys((*shapes,)))
        self.entries = [Spot(0, start)]  # of blocks: a shape outlives the block that has set it
        self.nodes: dict[Spot, Node] = {}
        self.extensions = frozenset(card.extensions)
        self.fram_bytes = card.fram.bank_bytes.value
        self._explore()
        self.has_transfers = any(
            node.op is not None and node.op.form.effect == "store-parameter" and node.op.values["p"] == DMA_LENGTH
            for node in self.nodes.values()
        )
        self.partial = {shape: self._grows(shape) for shape in dict.fromkeys(spot.shape for spot in self.nodes)}
        self._flow_backward()
        self._flow_forward()

    # --- spots -----------------------------------------------------------------------------------------------------

    def _explore(self) -> None:
        work = list(self.entries)
        while work:
            spot = work.pop()
            if spot in self.nodes:
                continue
            node = self.nodes[spot] = self._node(spot)
            work.extend(reversed(node.ways))
            following = Spot(0, spot.shape)
            if node.act is Act.END and following not in self.entries:
                self.entries.append(following)
                work.append(following)
        for spot, node in self.nodes.items():
            for way in dict.fromkeys(node.ways):
                self.nodes[way].sources.append(spot)

    def _node(self, spot: Spot) -> Node:
        if self.code.is_print(spot.word):
            return Node(spot, Act.SKIP, ways=[Spot(spot.word + PRINT_WORDS, spot.shape, spot.repeat)])
        try:
            op = self.code.scalar(spot.word)
            column = self.code.column(spot.word) if op is None else None
        except CodeError as error:
            return self._fault(spot, IllegalWord, str(error))
        return self._scalar(spot, op) if op is not None else self._column(spot, column)

    def _fault(self, spot: Spot, kind: type[Fault], sentence: str) -> Node:
        return Node(spot, Act.FAULT, fault=(kind, sentence))

    def _lacks(self, spot: Spot, group: str, name: str) -> Node | None:
        if not group or group in self.extensions:
            return None
        sentence = f"{name} needs the extension '{group}', which {self.card.name} lacks"
        return self._fault(spot, MissingExtension, sentence)

    def _scalar(self, spot: Spot, op: Op) -> Node:
        effect, form = op.form.effect, op.form
        if spot.repeat and effect in ("jump", "repeat", "end"):
            return self._fault(spot, IllegalWord, f"{form.name} stands inside a repeated column")
        refused = self._lacks(spot, form.extension, form.name) or self._outside(spot, op)
        if refused:
            return refused
        node = Node(spot, Act.SCALAR, op, ways=[Spot(spot.word + 1, spot.shape, spot.repeat)])
        for name, operand in form.operands.items():
            found = registers_of(operand.kind, op.values[name])
            (node.defines if name == "d" else node.uses).update(found)
        match effect:
            case "end":
                node.act, node.ways = Act.END, []
            case "jump":
                target = Spot(op.values["target"], spot.shape)
                node.act = Act.JUMP
                node.ways = [target, *node.ways] if "a" in op.values else [target]
                if "a" in op.values and self.card.choices.jump_tests.value == "full32" and op.values["a"] % 2 == 0:
                    node.uses.add(op.values["a"] + 1)
            case "shape":
                node.act = Act.SHAPE
                node.ways = [Spot(spot.word + 1, shape, spot.repeat) for shape in self.shapes]
                node.defines.update(range(SHAPE, SHAPE + 3))
            case "repeat":
                return self._repeat(node, op)
            case "load-parameter":
                node.uses.add(LOGGED)
                node.defines.add(LOGGED)
            case _:
                pass
        return node

    def _outside(self, spot: Spot, op: Op) -> Node | None:
        if not op.form.effect.endswith("parameter"):
            return None
        offset, nbytes, last = op.values["p"], op.form.width // 8, self.fram_bytes - 1
        if offset + nbytes - 1 <= last:
            return None
        sentence = f"{op.form.name} needs {nbytes} bytes at {offset:#x}; parameter memory ends at {last:#x}"
        return self._fault(spot, OutOfBounds, sentence)

    def _repeat(self, node: Node, op: Op) -> Node:
        """Ways: behind the columns where they do not run at all, then into the first one."""
        spot, columns = node.spot, op.values["k"]
        first = spot.word + 1
        node.act, node.defines = Act.REPEAT, {COUNTER}
        after: int | None = first
        for _ in range(columns):
            after = self._behind_column(after)
        if after is None:
            return self._fault(spot, IllegalWord, f"REPEAT of {columns} columns that are none, or that jump")
        into = [Spot(first, spot.shape, (first, columns, 0))] if columns else []
        node.ways = [Spot(after, spot.shape), *into]
        return node

    def _behind_column(self, word: int | None) -> int | None:
        if word is None:
            return None
        try:
            while (op := self.code.scalar(word)) is not None:
                if op.form.effect in ("jump", "repeat", "end"):
                    return None
                word += 1
            return self.code.column(word).next
        except CodeError:
            return None

    def _column(self, spot: Spot, column: ColumnCode | None) -> Node:
        assert column is not None
        node = Node(spot, Act.COLUMN, column=column)
        for need in column.needs:
            refused = self._lacks(spot, need.extension, need.name)
            if refused:
                return refused
        node.uses, node.defines, node.touches = _traffic(column)
        if spot.repeat is None:
            node.ways = [Spot(column.next, spot.shape)]
            return node
        first, columns, done = spot.repeat
        if done + 1 < columns:
            node.ways = [Spot(column.next, spot.shape, (first, columns, done + 1))]
        else:
            node.uses.add(COUNTER)
            node.defines.add(COUNTER)
            node.ways = [Spot(first, spot.shape, (first, columns, 0)), Spot(column.next, spot.shape)]
        return node

    @property
    def column_shapes(self) -> list[Shape]:
        """Shapes in which columns run."""
        return list(dict.fromkeys(spot.shape for spot, node in self.nodes.items() if node.act is Act.COLUMN))

    # --- what flows ------------------------------------------------------------------------------------------------

    def _grows(self, shape: Shape) -> bool:
        """Whether a block that has a shape may later have a larger one: idle lanes then keep their registers."""
        seen: set[Spot] = set()
        work = [spot for spot in self.nodes if spot.shape == shape]
        while work:
            spot = work.pop()
            if spot.shape != shape and (spot.shape.n is None or shape.n is None or spot.shape.n > shape.n):
                return True
            for way in self.nodes[spot].ways:
                if way not in seen:
                    seen.add(way)
                    work.append(way)
        return shape.n is None and any(spot.shape == shape and self.nodes[spot].act is Act.SHAPE for spot in self.nodes)

    def _flow_backward(self) -> None:
        """Which registers are read before they are written, from each spot on; scalars outlive their block."""
        at_end = set[int]()
        while True:
            self._settle(at_end)
            after = {LOGGED, COLUMNS} | self.surviving
            if after == at_end:
                return
            at_end = after

    @property
    def surviving(self) -> set[int]:
        """What a block passes on to the next one: scalar registers, and a shape that is known at run time only."""
        live = set[int]().union(*(self.nodes[entry].live for entry in self.entries))
        return {item for item in live if (item < VECTOR and not 28 <= item < 32) or item >= SHAPE}

    def _settle(self, at_end: set[int]) -> None:
        work = deque(reversed(self.nodes))
        waiting = set(work)
        while work:
            spot = work.popleft()
            waiting.discard(spot)
            node = self.nodes[spot]
            out = set(at_end) if node.act is Act.END else set[int]()
            for way in node.ways:
                out |= self.nodes[way].live
            killed = node.defines
            if self.partial[spot.shape]:
                killed = {item for item in killed if not VECTOR <= item < COUNTER}
            live = node.uses | (out - killed)
            live |= {COLUMNS, LOGGED}
            if spot.shape == AT_RUN_TIME:
                live |= {SHAPE, SHAPE + 1, SHAPE + 2}
            if live != node.live:
                node.live = live
                for source in node.sources:
                    if source not in waiting:
                        waiting.add(source)
                        work.append(source)

    def _flow_forward(self) -> None:
        """Accesses that lanes of a warp may have made since they last met, where control comes to a spot."""
        work = list(self.entries)
        seen = set(work)
        while work:
            spot = work.pop()
            node = self.nodes[spot]
            after = behind(node)
            for way in node.ways:
                target = self.nodes[way]
                joined = target.pending | after
                if joined != target.pending or way not in seen:
                    target.pending = joined
                    seen.add(way)
                    work.append(way)


def meets(node: Node) -> bool:
    """Whether all lanes of the block meet at a scalar word."""
    return node.op is not None and node.op.form.effect in ("poll", "barrier")


def behind(node: Node) -> int:
    """Accesses since the last meeting, behind a node."""
    if meets(node):
        return 0
    return node.pending | node.touches


def _traffic(column: ColumnCode) -> tuple[set[int], set[int], int]:
    """(items read, items written, kinds of memory accesses) of a column."""
    uses: set[int] = set()
    defines: set[int] = set()
    fresh: set[int] = set()  # MA and MB, seen by what stands behind the load in this column
    touches = 0
    for op in column.port:
        uses |= {VECTOR + code for code in reads(op.op) - fresh} | _captured(op)
        loaded = loads(op.op)
        fresh |= loaded & {6, 7}
        defines |= {VECTOR + code for code in loaded} | ({VECTOR + DVA} if op.form.effect == "address" else set[int]())
        touches |= access_kind(op.form.effect)
    for source, target in column.moves:
        uses |= {VECTOR + source} if source not in fresh else set[int]()
        defines.add(VECTOR + target)
    pe = column.pe
    if pe is not None:
        uses |= {VECTOR + code for code in reads(pe.op) - fresh} | _captured(pe)
        if pe.form.effect == "vote":
            uses.add(LOGGED)
            defines |= {pe.op.values["d"], LOGGED}
        else:
            defines |= {VECTOR + 4, VECTOR + 5} if pe.form.width == 32 else {VECTOR + 4}
    return uses, defines, touches


def _captured(op: VectorOp) -> set[int]:
    """Scalar registers that an operation reads; a vote names the one that it writes among them."""
    return {
        (register + part) & 31 for name, register, width in op.captured if name != "d" for part in range(width // 16)
    }


def access_kind(effect: str) -> int:
    """Whether a port operation reads or writes memory."""
    if effect.startswith("atomic"):
        return READS | WRITES
    if effect.startswith("store"):
        return WRITES
    return READS if effect.startswith(("load", "dot", "warp")) else 0
