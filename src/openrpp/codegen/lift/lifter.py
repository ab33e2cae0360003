"""Lifting: the words of a program become kernel IR.

The kernel runs all blocks of a launch in order, as one block of threads: lane i of the card is thread i. Scalar
registers are values that are the same in all threads and outlive the blocks, vector registers are values of the
thread. Warps take their columns in any order that the barriers and transfers of the program leave; lanes of a warp meet
between accesses of memory that may touch each other's words.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from openrpp.arch import Card
from openrpp.codegen.lift import program
from openrpp.codegen.lift.arithmetic import Arithmetic
from openrpp.codegen.lift.emit import Emitter
from openrpp.codegen.lift.graph import (
    AT_RUN_TIME,
    COLUMNS,
    COUNTER,
    DVA,
    LOGGED,
    SHAPE,
    VECTOR,
    Act,
    Graph,
    Node,
    Shape,
    Spot,
)
from openrpp.codegen.lift.lanes import Positions, threads_for
from openrpp.codegen.lift.port import Memories
from openrpp.codegen.lift.program import Lifted, Stop
from openrpp.codegen.lift.registers import Cell, Registers
from openrpp.codegen.lift.sampling import Sampling
from openrpp.codegen.lift.sequencer import Sequencer
from openrpp.codegen.lift.survey import wide_registers, words_read
from openrpp.isa.numeric import Numerics
from openrpp.isa.program import Kernel as Program
from openrpp.isa.registers import PAIR_CODES
from openrpp.kir.analysis.cfg import Cfg
from openrpp.kir.analysis.loops import Loops
from openrpp.kir.ir import Block, Edge, Kernel, Module, Parameter, Value
from openrpp.kir.location import Location
from openrpp.kir.passes import PassManager, eliminate_dead_code, fold_constants, simplify_cfg
from openrpp.kir.types import I16, I32, I64, PTR_GLOBAL, Type
from openrpp.machine.code import Code
from openrpp.machine.faults import IllegalWord

Item = tuple[int, bool]
"""What an edge passes on: an item of liveness, and whether it and the next go as a pair."""
_PSEUDO = {COUNTER: I32, LOGGED: I32, COLUMNS: I64, SHAPE: I32, SHAPE + 1: I32, SHAPE + 2: I32}


class Lifter(Sequencer):
    """One program on its way to kernel IR."""

    def __init__(
        self,
        card: Card,
        code: Code,
        start: Shape,
        graph: Graph,
        least: int,
        terms: frozenset[int] | None,
        watched: frozenset[int] | None,
    ) -> None:
        self.card = card
        self.code = code
        self.graph = graph
        self.terms = terms
        self.start = start
        self.numerics = Numerics.from_choices(card.choices)
        self.kernel = Kernel(program.NAME, _parameters(card))
        self.named = {param.name: param for param in self.kernel.params}
        self.to = Emitter(self.kernel)
        self.sampling = Sampling(self.to, watched, self.named)
        self.arithmetic = Arithmetic(self.to, self.numerics)
        self.memories = Memories(self.named["sram"], self.named["ddr"], card.address.sram.value, card.address.ddr.value)
        self.block = threads_for(start, graph.column_shapes, least)
        self.stops: list[Stop] = []
        self.scalars = Registers(self.to)
        self.vectors = Registers(self.to)
        self.pseudo: dict[int, Value] = {}
        self.columns = 0
        self.touched = 0
        self.wide = wide_registers(graph)
        self.read_words = words_read(graph)
        self.leaders: dict[Spot, Block] = {}
        self.passed: dict[Spot, list[Item]] = {}
        self.kept: dict[Spot, tuple[dict[int, Cell], dict[int, Cell], dict[int, Value]]] = {}
        self.ready: list[Spot] = []
        self.lanes = {}
        self.learns = False
        self.flag_bytes = -(-card.fram.bank_bytes.value // 2 // 8) * 8

    # --- the kernel around the program ------------------------------------------------------------------------------

    def run(self, *, dispatched: bool) -> Kernel:
        """Emit everything; `dispatched` takes every jump through one block, for control flow of any form."""
        to, graph = self.to, self.graph
        self.positions = Positions(to, self.block)
        for shape in dict.fromkeys(spot.shape for spot in graph.nodes):
            if shape != AT_RUN_TIME:
                self.positions.prepare(shape)
        self.surviving = [*self._as_items(graph.surviving), (LOGGED, False), (COLUMNS, False)]
        self.head, self.next = to.block("block"), to.block("next")
        self._enter(self.head, self.surviving)
        place = [self.head.param(I32, name) for name in ("x", "y", "z", "number", "shape")]
        zeros = [to.number(self._type(item), 0) for item in self.surviving]
        to.br(self.head, *zeros, *([to.number(I32, 0)] * len(place)))
        self._find_leaders(dispatched)
        to.at(self.head)
        self.number = place[3]
        self._start_block(place)
        self._finish_block(place)
        self._bodies()
        return self.kernel

    def _start_block(self, place: Sequence[Value]) -> None:
        to = self.to
        for code in PAIR_CODES.values():
            self.vectors.set_pair(code, to.number(I32, 0))
        entries = self.graph.entries
        last = place[3] if self.card.choices.block_index_31.value == "linear" else place[0]
        for register, value in zip(range(28, 32), (*place[:3], last), strict=True):
            self.scalars.set_half(register, to.low(value))
        if len(entries) == 1:
            self._go(entries[0])
            return
        edges = [self._edge(entry) for entry in entries]
        to.switch(place[4], edges[0], list(enumerate(edges))[1:])

    def _finish_block(self, place: Sequence[Value]) -> None:
        """Behind each block all warps meet; the next one starts until the grid is done."""
        to = self.to.at(self.next)
        items = [self.next.param(self._type(item)) for item in self.surviving]
        shape = self.next.param(I32, "shape")
        to("barrier")
        x, y, z = place[:3]
        gx, gy, gz = (self.named[f"grid_{axis}"] for axis in "xyz")
        right = to.op("add", x, 1)
        x_over = to.test("uge", right, gx)
        down = to.op("add", y, to.resized(x_over, I32))
        y_over = to.test("uge", down, gy)
        zero = to.number(I32, 0)
        back = to.op("add", z, to.resized(y_over, I32))
        following = [to.chosen(x_over, zero, right), to.chosen(y_over, zero, down), back]
        done = to.block("done")
        to.cbr(to.test("ult", back, gz), self.head, done, [*items, *following, to.op("add", place[3], 1), shape])
        to.at(done)
        self.note(program.LOGGED, items[-2])
        self.note(program.COLUMNS, items[-1])
        to.ret()

    # --- spots and edges --------------------------------------------------------------------------------------------

    def _find_leaders(self, dispatched: bool) -> None:
        """Spots where a block of the kernel IR starts, and what edges pass to those with several ways in."""
        graph = self.graph
        joins = list(graph.entries)
        for spot, node in graph.nodes.items():
            sources = [graph.nodes[source] for source in node.sources]
            parts = any(len(source.ways) > 1 or source.act is Act.SHAPE for source in sources)
            if spot not in joins and (len(sources) > 1 or parts):
                joins.append(spot)
        self.dispatch: Block | None = None
        for spot in joins:
            self.leaders[spot] = self.to.block(f"w{spot.word}")
        several = [spot for spot in joins if spot in graph.entries or len(graph.nodes[spot].sources) > 1]
        if dispatched:
            self._make_dispatch(several)
            return
        for spot in several:
            self.passed[spot] = self._as_items(graph.nodes[spot].live)

    def _make_dispatch(self, several: list[Spot]) -> None:
        to, graph = self.to, self.graph
        items = self._as_items(set[int]().union(*(graph.nodes[spot].live for spot in several)))
        self.dispatch = block = to.block("dispatch")
        where = block.param(I32)
        self.dispatched = {spot: number for number, spot in enumerate(several)}
        self.passed = dict.fromkeys(several, items)
        before = self.scalars.copy(), self.vectors.copy(), self.pseudo
        self._enter(block, items)
        self.at_dispatch = self.scalars.copy(), self.vectors.copy(), dict(self.pseudo)
        self.scalars.cells, self.vectors.cells, self.pseudo = before
        to.at(block)
        cases = [(number, Edge(self.leaders[spot], [])) for spot, number in self.dispatched.items()]
        to.switch(where, cases[0][1], cases[1:])

    def _as_items(self, live: set[int]) -> list[Item]:
        """Live registers as values: pairs where both halves are alive and the program uses them as one."""
        found: list[Item] = []
        for item in sorted(live):
            if item >= COUNTER or item == VECTOR + DVA:
                found.append((item, item == VECTOR + DVA))
                continue
            even = item & ~1
            both = even in live and even + 1 in live and even in self.wide
            if not both:
                found.append((item, False))
            elif item == even:
                found.append((even, True))
        return found

    def _type(self, item: Item) -> Type:
        number, is_pair = item
        return _PSEUDO.get(number) or (I32 if is_pair else I16)

    def _enter(self, block: Block, items: list[Item]) -> None:
        """Registers hold the parameters of a block."""
        zero = self.to.number(I16, 0)
        empty = Cell(None, zero, zero)
        self.scalars.cells = dict.fromkeys(range(0, 32, 2), empty)
        self.vectors.cells = dict.fromkeys(PAIR_CODES.values(), empty)
        self.pseudo = {number: self.to.number(kind, 0) for number, kind in _PSEUDO.items()}
        for item in items:
            self._put(item, block.param(self._type(item)))

    def _put(self, item: Item, value: Value) -> None:
        number, is_pair = item
        if number in _PSEUDO:
            self.pseudo[number] = value
            return
        bank, register = (self.vectors, number - VECTOR) if number >= VECTOR else (self.scalars, number)
        if is_pair:
            bank.set_pair(register, value)
        else:
            bank.set_half(register, value)

    def _get(self, item: Item) -> Value:
        number, is_pair = item
        if number == COLUMNS:
            return self.to.op("add", self.pseudo[COLUMNS], self.columns)
        if number in _PSEUDO:
            return self.pseudo[number]
        bank, register = (self.vectors, number - VECTOR) if number >= VECTOR else (self.scalars, number)
        return bank.pair(register) if is_pair else bank.half(register)

    def _edge(self, spot: Spot) -> Edge:
        """The way to a spot where a block starts, from here."""
        if spot not in self.passed:
            self.ready.append(spot)
            self.kept[spot] = (
                self.scalars.copy(),
                self.vectors.copy(),
                {**self.pseudo, COLUMNS: self._get((COLUMNS, False))},
            )
            return Edge(self.leaders[spot], [])
        args = [self._get(item) for item in self.passed[spot]]
        if self.dispatch is not None:
            return Edge(self.dispatch, [self.to.number(I32, self.dispatched[spot]), *args])
        return Edge(self.leaders[spot], args)

    def _go(self, spot: Spot) -> None:
        edge = self._edge(spot)
        self.to.br(edge.target, *edge.args)

    def _branch(self, condition: Value, then: Spot, other: Spot) -> None:
        a, b = self._edge(then), self._edge(other)
        self.to.cbr(condition, a.target, b.target, a.args, b.args)

    # --- blocks of the kernel IR ------------------------------------------------------------------------------------

    def _bodies(self) -> None:
        """Emit every block; one with a single way in after the block that leads there."""
        self.ready += [spot for spot in reversed(self.leaders) if spot in self.passed]
        while self.ready:
            self._body(self.ready.pop())

    def _body(self, spot: Spot) -> None:
        block = self.leaders[spot]
        if spot in self.kept:
            self.scalars.cells, self.vectors.cells, self.pseudo = self.kept.pop(spot)
        elif self.dispatch is not None:
            scalars, vectors, pseudo = self.at_dispatch
            self.scalars.cells, self.vectors.cells, self.pseudo = dict(scalars), dict(vectors), dict(pseudo)
        else:
            self._enter(block, self.passed[spot])
        self.to.at(block)
        self.columns, self.touched = 0, self.graph.nodes[spot].pending
        self.lanes = {}
        while True:
            node = self.graph.nodes[spot]
            self._locate(spot.word)
            onward = self._step(node)
            if onward is None:
                return
            if onward in self.leaders:
                self._go(onward)
                return
            spot = onward

    def _locate(self, word: int) -> None:
        line = self.code.kernel.lines.get(word)
        name = self.code.kernel.name
        self.to.location = Location(name, line) if line else None

    def _step(self, node: Node) -> Spot | None:
        """Emit a node; the spot to go on with here, None where the block ends."""
        if node.act is Act.COLUMN:
            self.column(node)
            return self._behind(node)
        match node.act:
            case Act.SCALAR:
                self.scalar_word(node)
            case Act.END:
                shape = self.graph.entries.index(Spot(0, node.spot.shape))
                self.to.br(self.next, *(self._get(item) for item in self.surviving), self.to.number(I32, shape))
                return None
            case Act.FAULT:
                assert node.fault is not None
                kind, sentence = node.fault
                self.stop(self.numbered(kind, sentence, node.spot.word), self.to.number(I32, 0))
                return None
            case Act.JUMP:
                return self._jump(node)
            case Act.REPEAT:
                return self._repeat(node)
            case Act.SHAPE:
                self._shape(node)
                return None
            case _:
                pass
        return node.ways[0]

    def _behind(self, node: Node) -> Spot | None:
        """Where control goes behind a column: on, or back to the first of those that REPEAT runs."""
        if len(node.ways) == 1:
            return node.ways[0]
        self.pseudo[COUNTER] = self.to.op("sub", self.pseudo[COUNTER], 1)
        self._branch(self.to.test("ne", self.pseudo[COUNTER], 0), *node.ways)
        return None

    def _jump(self, node: Node) -> Spot | None:
        op = node.op
        assert op is not None
        if "a" not in op.values:
            return node.ways[0]
        register = op.values["a"]
        full = self.card.choices.jump_tests.value == "full32" and register % 2 == 0
        value = self.scalar(register, 32 if full else 16)
        taken, onward = node.ways
        relation = "ne" if op.form.name.startswith("JMPC") else "eq"
        if taken == onward:
            return taken
        self._branch(self.to.test(relation, value, 0), taken, onward)
        return None

    def _repeat(self, node: Node) -> Spot | None:
        op = node.op
        assert op is not None
        self.pseudo[COUNTER] = self.to.wide(self.scalar(op.values["a"], 16))
        if len(node.ways) == 1:
            return node.ways[0]
        self._branch(self.to.test("eq", self.pseudo[COUNTER], 0), *node.ways)
        return None

    def _shape(self, node: Node) -> None:
        op, to = node.op, self.to
        assert op is not None
        x, y, n = (to.wide(self.scalar(op.values[name], 16)) for name in ("x", "y", "n"))
        for shape, way in zip(self.graph.shapes, node.ways, strict=True):
            if shape == AT_RUN_TIME:
                continue
            assert shape.x is not None and shape.y is not None and shape.n is not None
            same = to.op("and", to.test("eq", x, shape.x), to.test("eq", y, shape.y))
            same = to.op("and", same, to.test("eq", n, shape.n))
            other, edge = to.block(), self._edge(way)
            to.cbr(same, edge.target, other, edge.args)
            to.at(other)
        limit = self.card.limits.threads.value
        sentence = f"CFGXYZ sets {{}} threads; a block has 1 to {limit}"
        number = self.numbered(IllegalWord, sentence, node.spot.word)
        if AT_RUN_TIME not in self.graph.shapes:
            self.fault_unless(to.test("ult", to.op("sub", n, 1), limit), number, n)
            self.stop(self.numbered(program.UnknownShape, "CFGXYZ sets a shape of {} lanes", node.spot.word), n)
            return
        self.fault_unless(to.test("ult", to.op("sub", n, 1), limit), number, n)
        threads = self.positions.threads
        number = self.numbered(program.UnknownShape, f"CFGXYZ sets {{}} lanes, more than {threads}", node.spot.word)
        self.fault_unless(to.test("ule", n, threads), number, n)
        self.pseudo |= {SHAPE: x, SHAPE + 1: y, SHAPE + 2: n}
        self._go(node.ways[self.graph.shapes.index(AT_RUN_TIME)])


def _parameters(card: Card) -> list[Parameter]:
    """What a lifted kernel takes: memories, the bank in use, the state, its room for learned values, the grid."""
    memories = ["sram", *(f"fram{number}" for number in range(card.fram.banks.value)), "pram", "ddr", "bank", "state"]
    return [
        *(Parameter(PTR_GLOBAL, name) for name in (*memories, "counts", "addresses")),
        *(Parameter(I32, name) for name in ("room", "slots", "grid_x", "grid_y", "grid_z")),
    ]


def lift(
    card: Card,
    kernel: Program,
    block: tuple[int, int, int],
    shapes: Iterable[tuple[int, int, int]] | None = None,
    *,
    lanes: int = 0,
    terms: frozenset[int] | None = None,
    watched: frozenset[int] | None = frozenset(),
) -> Lifted:
    """A program as kernel IR.

    Args:
        card: whose memories, extensions and choices count.
        kernel: the program.
        block: shape of the launch.
        shapes: block shapes (x, y, lanes) that the program sets, where they are known; None for any.
        lanes: most lanes of a block where shapes are not known.
        terms: lengths of its dots, where they are known; None for any.
        watched: first words of columns whose addresses are to be recorded; None for all that gather.

    Raises Unsupported for a setting of the card that no op of the kernel IR follows.
    """
    start = Shape(block[0], block[1], block[0] * block[1] * block[2])
    known = [AT_RUN_TIME] if shapes is None else [Shape(*shape) for shape in shapes]
    if shapes is None:
        known.insert(0, start)
    graph = Graph(card, Code(kernel), start, known)
    made = Lifter(card, graph.code, start, graph, lanes, terms, watched)
    lifted = made.run(dispatched=False)
    if Loops(Cfg(lifted)).irreducible:
        made = Lifter(card, graph.code, start, graph, lanes, terms, watched)
        lifted = made.run(dispatched=True)
    module = Module(kernel.name)
    module.add_kernel(lifted)
    PassManager([simplify_cfg, fold_constants, eliminate_dead_code, simplify_cfg]).run(module)
    sites = tuple(made.sampling.sites.values())
    return Lifted(module, made.block, start, tuple(known), tuple(made.stops), made.flag_bytes, made.learns, sites)
