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
from openrpp.codegen.lift.columns import Columns
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
    meets,
)
from openrpp.codegen.lift.lanes import Positions, threads_for
from openrpp.codegen.lift.port import Memories
from openrpp.codegen.lift.program import Lifted, Stop
from openrpp.codegen.lift.registers import Cell, Registers
from openrpp.codegen.lift.sampling import Sampling
from openrpp.codegen.lift.scalar import computed
from openrpp.codegen.lift.transfer import Region, Transfer
from openrpp.isa.form import Kind, Op
from openrpp.isa.numeric import Numerics
from openrpp.isa.program import Kernel as Program
from openrpp.isa.registers import PAIR_CODES
from openrpp.kir.analysis.cfg import Cfg
from openrpp.kir.analysis.loops import Loops
from openrpp.kir.ir import Block, Edge, Kernel, Module, Parameter, Value
from openrpp.kir.location import Location
from openrpp.kir.passes import PassManager, eliminate_dead_code, fold_constants, simplify_cfg
from openrpp.kir.types import I8, I16, I32, I64, PTR_GLOBAL, Type
from openrpp.machine.code import Code
from openrpp.machine.faults import DmaFault, Fault, IllegalWord, OutOfBounds
from openrpp.machine.scalars import _DMA_ADDRESSES, DMA_LENGTH, SHARED_FROM  # pyright: ignore[reportPrivateUsage]

Item = tuple[int, bool]
"""What an edge passes on: an item of liveness, and whether it and the next go as a pair."""
_PSEUDO = {COUNTER: I32, LOGGED: I32, COLUMNS: I64, SHAPE: I32, SHAPE + 1: I32, SHAPE + 2: I32}


class Lifter(Columns):
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
        self.wide = _wide_registers(graph)
        self.read_words = _words_read(graph)
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
        surviving = sorted(item for item in graph.nodes[graph.entry].live if item < VECTOR and not 28 <= item < 32)
        self.surviving = [*self._as_items(set(surviving)), (LOGGED, False), (COLUMNS, False)]
        self.head, self.next = to.block("block"), to.block("next")
        self._enter(self.head, self.surviving)
        place = [self.head.param(I32, name) for name in ("x", "y", "z", "number")]
        zeros = [to.number(self._type(item), 0) for item in self.surviving]
        to.br(self.head, *zeros, *([to.number(I32, 0)] * 4))
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
        last = place[3] if self.card.choices.block_index_31.value == "linear" else place[0]
        for register, value in zip(range(28, 32), (*place[:3], last), strict=True):
            self.scalars.set_half(register, to.low(value))
        self._go(self.graph.entry)

    def _finish_block(self, place: Sequence[Value]) -> None:
        """Behind each block all warps meet; the next one starts until the grid is done."""
        to = self.to.at(self.next)
        items = [self.next.param(self._type(item)) for item in self.surviving]
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
        to.cbr(to.test("ult", back, gz), self.head, done, [*items, *following, to.op("add", place[3], 1)])
        to.at(done)
        self._note(program.LOGGED, items[-2])
        self._note(program.COLUMNS, items[-1])
        to.ret()

    def _note(self, offset: int, value: Value) -> None:
        state = self.named["state"]
        self.to("store", value, self.to("ptr_add", state, self.to.number(I64, offset)))

    # --- spots and edges --------------------------------------------------------------------------------------------

    def _find_leaders(self, dispatched: bool) -> None:
        """Spots where a block of the kernel IR starts, and what edges pass to those with several ways in."""
        graph = self.graph
        joins = [graph.entry]
        for spot, node in graph.nodes.items():
            sources = [graph.nodes[source] for source in node.sources]
            parts = any(len(source.ways) > 1 or source.act is Act.SHAPE for source in sources)
            if spot != graph.entry and (len(sources) > 1 or parts):
                joins.append(spot)
        self.dispatch: Block | None = None
        for spot in joins:
            self.leaders[spot] = self.to.block(f"w{spot.word}")
        several = [spot for spot in joins if spot == graph.entry or len(graph.nodes[spot].sources) > 1]
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
                self._scalar(node)
            case Act.END:
                self.to.br(self.next, *(self._get(item) for item in self.surviving))
                return None
            case Act.FAULT:
                assert node.fault is not None
                kind, sentence = node.fault
                self._stop(self._numbered(kind, sentence, node.spot.word), self.to.number(I32, 0))
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

    # --- scalar words -----------------------------------------------------------------------------------------------

    def scalar(self, number: int, width: int) -> Value:
        """A scalar operand."""
        if width == 16:
            return self.scalars.half(number)
        if width == 64:
            return self.to.joined(self.scalars.pair(number), self.scalars.pair(number + 2))
        return self.scalars.pair(number, 32)

    def _operand(self, op: Op, name: str) -> Value:
        kind, value = op.form.operands[name].kind, op.values[name]
        if kind is Kind.IMM:
            return self.to.number(I32 if op.form.width == 32 else I16, value)
        return self.scalar(value, 32 if kind is Kind.S32 else 16)

    def _scalar(self, node: Node) -> None:
        op = node.op
        assert op is not None
        match op.form.effect:
            case "":
                result = computed(self.to, op.form, [self._operand(op, name) for name in op.form.sources])
                self._set_scalar(op.values["d"], 32 if op.form.operands["d"].kind is Kind.S32 else 16, result)
            case "load-parameter":
                self._load_parameter(op)
            case "store-parameter":
                self._store_parameter(op, node.spot.word)
            case _ if meets(node):
                self._barrier()
            case _:
                pass

    def _set_scalar(self, register: int, width: int, value: Value) -> None:
        if width == 32:
            self.scalars.set_pair(register, self.to.resized(value, I32), 32)
        else:
            self.scalars.set_half(register, self.to.low(value))

    def _barrier(self) -> None:
        self.to("barrier")
        self.touched = 0

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
        number = self._numbered(IllegalWord, sentence, node.spot.word)
        if AT_RUN_TIME not in self.graph.shapes:
            self.fault_unless(to.test("ult", to.op("sub", n, 1), limit), number, n)
            self._stop(self._numbered(program.UnknownShape, "CFGXYZ sets a shape of {} lanes", node.spot.word), n)
            return
        self.fault_unless(to.test("ult", to.op("sub", n, 1), limit), number, n)
        threads = self.positions.threads
        number = self._numbered(program.UnknownShape, f"CFGXYZ sets {{}} lanes, more than {threads}", node.spot.word)
        self.fault_unless(to.test("ule", n, threads), number, n)
        self.pseudo |= {SHAPE: x, SHAPE + 1: y, SHAPE + 2: n}
        self._go(node.ways[self.graph.shapes.index(AT_RUN_TIME)])

    # --- faults -----------------------------------------------------------------------------------------------------

    def _numbered(self, kind: type[Fault], sentence: str, word: int) -> int:
        stop = Stop(kind, sentence, word)
        if stop not in self.stops:
            self.stops.append(stop)
        return self.stops.index(stop)

    def fault_number(self, sentence: str, word: int) -> int:
        """The number of a fault of an access."""
        return self._numbered(OutOfBounds, sentence, word)

    def fault_unless(self, holds: Value, number: int, detail: Value) -> None:
        """Stop the launch where a condition, the same in all lanes, does not hold."""
        to = self.to
        bad, good = to.block(), to.block()
        to.cbr(holds, good, bad)
        to.at(bad)
        self._stop(number, detail)
        to.at(good)

    def _stop(self, number: int, detail: Value) -> None:
        to = self.to
        self._note(program.FAULT, to.number(I32, number + 1))
        self._note(program.DETAIL, to.resized(detail, I32))
        self._note(program.BLOCK, self.number)
        to("trap")
        to.unreachable()

    # --- parameter memory -------------------------------------------------------------------------------------------

    def _word_at(self, pointer: Value, offset: int) -> Value:
        return self.to("ptr_add", pointer, self.to.number(I64, offset))

    def _load_parameter(self, op: Op) -> None:
        to, offset, width = self.to, op.values["p"], op.form.width
        pointer = self._word_at(self.named["bank"], offset)
        value = to("load", pointer, kind=I16 if width == 16 else I32, align=2)
        if self.graph.has_transfers:
            flag = to("load", self._word_at(self.named["state"], program.FLAGS + offset // 2), kind=I8)
            self.learn(to.wide(value), to.test("ne", flag, 0))
        self._set_scalar(op.values["d"], width, value)

    def learn(self, value: Value, when: Value | None = None) -> None:
        """Append a value to the log; where it has no room, or nothing was learned, the last place takes it."""
        to, logged, room = self.to, self.pseudo[LOGGED], self.named["room"]
        self.learns = True
        place = to.op("umin", logged, room)
        if when is not None:
            place = to.chosen(when, place, room)
        offset = to.op("add", to.op("shl", to.resized(place, I64), 2), program.FLAGS + self.flag_bytes)
        to("store", value, to("ptr_add", self.named["state"], offset))
        self.pseudo[LOGGED] = to.op("add", logged, to.resized(when, I32) if when is not None else 1)

    def _store_parameter(self, op: Op, word: int) -> None:
        offset, width = op.values["p"], op.form.width
        value = self.scalar(op.values["a"], width)
        words = {offset // 2, offset // 2 + width // 16 - 1}
        meeting = not words.isdisjoint(self.read_words)
        if meeting:
            self._barrier()
        banks = [self.named["bank"]]
        if SHARED_FROM <= offset < _DMA_ADDRESSES[0]:
            banks = [self.named[f"fram{number}"] for number in range(self.card.fram.banks.value)]
        for bank in banks:
            self.to("store", value, self._word_at(bank, offset), align=2)
        if meeting:
            self._barrier()
        if offset == DMA_LENGTH:
            self._transfer(word)

    def _transfer(self, word: int) -> None:
        to, bank = self.to, self.named["bank"]
        self._barrier()
        parts = [to("load", self._word_at(bank, offset), kind=I32, align=2) for offset in _DMA_ADDRESSES]
        source, target = (to.joined(parts[place + 1], parts[place]) for place in (0, 2))
        nbytes = to.resized(to("load", self._word_at(bank, DMA_LENGTH), kind=I32, align=2), I64)
        some, behind = to.block("transfer"), to.block()
        to.cbr(to.test("ne", nbytes, 0), some, behind)
        to.at(some)
        regions, fram = _regions(self.card, self.named)
        alias = self.card.address.alias.value
        transfer = Transfer(to, regions, fram, alias, self.positions.i, self.positions.threads)
        places = [transfer.place(address, nbytes) for address in (source, target)]
        for place, name in zip(places, ("source", "destination"), strict=True):
            number = self._numbered(DmaFault, f"the {name} of a transfer of {{}} bytes is not in one memory", word)
            self.fault_unless(place.exists, number, nbytes)
        transfer.copy(places[0].pointer, places[1].pointer, nbytes)
        transfer.note(places[1], nbytes, self._word_at(self.named["state"], program.FLAGS))
        to.br(behind)
        to.at(behind)
        self._barrier()


# --- what the lifter needs to know first ---------------------------------------------------------------------------


def _parameters(card: Card) -> list[Parameter]:
    """What a lifted kernel takes: memories, the bank in use, the state, its room for learned values, the grid."""
    memories = ["sram", *(f"fram{number}" for number in range(card.fram.banks.value)), "pram", "ddr", "bank", "state"]
    return [
        *(Parameter(PTR_GLOBAL, name) for name in (*memories, "counts", "addresses")),
        *(Parameter(I32, name) for name in ("room", "slots", "grid_x", "grid_y", "grid_z")),
    ]


def _regions(card: Card, named: dict[str, Parameter]) -> tuple[list[Region], set[int]]:
    """All memories in the order in which an address is looked up, and which of them are parameter memory."""
    address, banks = card.address, card.fram.banks.value
    fram = [
        Region(address.fram.value + address.fram_bank.value * bank, card.fram.bank_bytes.value, named[f"fram{bank}"])
        for bank in range(banks)
    ]
    sram = Region(address.sram.value, card.sram.bytes.value, named["sram"])
    pram = Region(address.pram.value, card.pram.bytes.value, named["pram"])
    ddr = Region(address.ddr.value, card.ddr.bytes.value, named["ddr"])
    return [sram, *fram, pram, ddr], set(range(1, 1 + banks))


def _wide_registers(graph: Graph) -> set[int]:
    """Items of liveness that start a pair which some operation of the program uses as one value."""
    found: set[int] = set()
    for node in graph.nodes.values():
        if node.op is not None:
            scalars = [(kind.kind, node.op.values[name]) for name, kind in node.op.form.operands.items()]
            found |= {number for kind, number in scalars if kind is Kind.S32}
        if node.column is not None:
            column = node.column
            found |= {number for number, width in column.captured if width > 16}
            found |= {number + 2 for number, width in column.captured if width > 32}
            for op in (*column.port, column.pe) if column.pe else column.port:
                for name, operand in op.form.operands.items():
                    if operand.kind in _VECTOR_PAIRS:
                        found.add(VECTOR + op.op.values[name])
            if column.pe is not None and column.pe.form.width == 32:
                found.add(VECTOR + 4)
    return found


_VECTOR_PAIRS = (Kind.V32, Kind.A32, Kind.LOAD32, Kind.STORE32)


def _words_read(graph: Graph) -> set[int]:
    """16-bit words of parameter memory that the program reads."""
    found: set[int] = set()
    for node in graph.nodes.values():
        if node.op is not None and node.op.form.effect == "load-parameter":
            word = node.op.values["p"] // 2
            found |= {word, word + node.op.form.width // 16 - 1}
    return found


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
