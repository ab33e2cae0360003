"""The timing walk: a program's scalar sequencer, run without touching data, with its loops compressed.

The result is a tree of items in program order (`items`). Columns and trip counts are exact. What depends on data
(gather addresses, votes, parameters that a DMA fetched) is marked, or comes from the engine that ran.

A word is decoded once into an action that returns the next word. While no loop is watched (`loops`) actions work on
plain values; while one is, they also carry slopes and note decisions.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence

from openrpp.arch import Card
from openrpp.isa.form import Op
from openrpp.isa.numeric import Numerics
from openrpp.machine.affine import INVARIANT
from openrpp.machine.banks import WARP, Ports
from openrpp.machine.code import PRINT_WORDS, Code, CodeError, ColumnCode
from openrpp.machine.foresight import Foresight
from openrpp.machine.items import BlockItem, ColumnItem, Item, Repeat, SyncItem, TransferItem, WalkError, WordsItem
from openrpp.machine.launch import Launch
from openrpp.machine.loops import Loops, decided
from openrpp.machine.memory import Memory
from openrpp.machine.parameters import WalkedParameters
from openrpp.machine.passes import ColumnPasses, Pattern, Shape, uniform
from openrpp.machine.scalars import DMA_LENGTH
from openrpp.machine.steps import BLOCK, Arithmetic, Cells

Action = Callable[[], int]
END = -1
MAX_ITEMS = 8_000_000
_BLOCK = BlockItem()


class Walk:
    """One walk of a launch.

    Args:
        loaded: what the engine that ran learned from data, in order: LDPARAM of words that a DMA had written, votes.
        max_items: items after which the walk gives up (loops that cannot be compressed).
        foresight: what carries out that which decides votes, where no engine ran.
    """

    def __init__(
        self,
        card: Card,
        memory: Memory,
        launch: Launch,
        bank: int,
        loaded: Sequence[int] = (),
        max_items: int = MAX_ITEMS,
        foresight: Foresight | None = None,
    ) -> None:
        self.card = card
        self.launch = launch
        self.code: Code = launch.code
        self.loaded = loaded
        self.next_loaded = 0
        self.max_items = max_items
        self.foresight = foresight
        self.cells = Cells()
        self.items: list[Item] = []
        self.loops = Loops(self.cells, self.items)
        self.parameters = WalkedParameters(memory, bank, self.cells, self.loops)
        self.fetch = 0
        self.shape: Shape = (launch.block[0], launch.block[1], launch.threads)
        self.shapes: dict[Shape, None] = {}  # those that CFGXYZ has set, in order
        self.terms: set[int] = set()  # lengths of dots
        self.pattern: Pattern = uniform(card.limits.threads.value)
        self.ports = Ports.of(card)
        self.numerics = Numerics.from_choices(card.choices)
        self.full_tests = card.choices.jump_tests.value == "full32"
        self.actions: dict[int, Action] = {}
        self.repeated: dict[tuple[int, bool], Action] = {}
        self.made: dict[Item, Item] = {}

    # --- grid -----------------------------------------------------------------------------------------------------

    def run(self) -> tuple[Item, ...]:
        """Walk all blocks. Raises WalkError."""
        loops = self.loops
        while True:
            self._block()
            self._move_on(3)
            for axis in range(3):
                if self._move_on(axis, self.launch.grid[axis]):
                    self._check_size()
                    loops.come_round(("grid", axis), 0, self._context())
                    break
                loops.leave(("grid", axis))
            else:
                return tuple(self.items)

    def _move_on(self, axis: int, extent: int = 0) -> bool:
        """The next block along an axis; back to its start, and False, where there is none."""
        cell = BLOCK + axis
        value, slope = self.cells.get(cell, 16)
        more = not extent or value + 1 < extent
        if extent:
            low, high = (0, extent - 1) if more else (extent, 1 << 17)
            self.loops.decide(decided("range", value + 1, slope, 17, low, high), slope)
            slope = self.cells.slopes[cell]
        self.cells.set(cell, 16, value + 1 if more else 0, slope if more else INVARIANT)
        return more

    def _block(self) -> None:
        self.items.append(_BLOCK)
        if self.foresight is not None:
            self.foresight.begin_block()
        linear = self.card.choices.block_index_31.value == "linear"
        for register, cell in ((28, 0), (29, 1), (30, 2), (31, 3 if linear else 0)):
            self.cells.set(register, 16, *self.cells.get(BLOCK + cell, 16))
        pc, actions = 0, self.actions
        while pc >= 0:
            action = actions.get(pc)
            if action is None:
                action = actions[pc] = self._action(pc)
            pc = action()
        self._rest()
        self.loops.leave_block()
        self.pattern = uniform(self.card.limits.threads.value)

    def registers(self) -> tuple[int, ...]:
        """The scalar registers now."""
        return tuple(self.cells.values[:BLOCK])

    def _rest(self) -> None:
        """Words since the last item, as an item of their own."""
        if self.fetch:
            self._emit(WordsItem(self.fetch))

    def _emit(self, item: Item) -> None:
        """Append an item, always the same object for equal ones."""
        self.items.append(self.made.setdefault(item, item))
        self.fetch = 0

    def _check_size(self) -> None:
        if len(self.items) > self.max_items:
            raise WalkError(f"more than {self.max_items} items that do not repeat")

    def _context(self) -> Hashable:
        return (self.shape, self.pattern, len(self.parameters.data_words), self.next_loaded, len(self.cells.values))

    # --- words ----------------------------------------------------------------------------------------------------

    def _action(self, pc: int) -> Action:
        """What a word does. Raises WalkError for what is no word of a program for this card."""
        if self.code.is_print(pc):
            return lambda: pc + PRINT_WORDS
        try:
            op = self.code.scalar(pc)
            if op is None:
                return self._column(self.code.column(pc))
        except CodeError as error:
            raise WalkError(str(error)) from None
        self._require(op.form.extension, op.form.name)
        if op.form.effect == "jump":
            return self._jump(op, pc)
        if op.form.effect == "repeat":
            return lambda: self._repeat(op, pc)
        if op.form.effect == "end":
            return self._end
        work = self._scalar(op)

        def step() -> int:
            self.fetch += 1
            work()
            return pc + 1

        return step

    def _require(self, extension: str, name: str) -> None:
        if extension and extension not in self.card.extensions:
            raise WalkError(f"{name} needs the extension '{extension}', which {self.card.name} lacks")

    def _end(self) -> int:
        self.fetch += 1
        return END

    def _scalar(self, op: Op) -> Callable[[], None]:
        """The work of a word that neither jumps nor ends."""
        match op.form.effect:
            case "":
                return self._arithmetic(op)
            case "load-parameter":
                return self._load(op)
            case "store-parameter":
                return self._store(op)
            case "shape":
                return lambda: self._set_shape(op)
            case "poll" | "barrier" as what:
                return lambda: self._emit(SyncItem(self.fetch, what))
            case _:
                return lambda: None

    def _arithmetic(self, op: Op) -> Callable[[], None]:
        arithmetic, loops = Arithmetic(op, self.cells), self.loops
        plain, levels = arithmetic.quick(), loops.levels

        def work() -> None:
            if levels:
                loops.hold(arithmetic.follow())
            else:
                plain()

        return work

    def _jump(self, op: Op, pc: int) -> Action:
        target, cells, loops = op.values["target"], self.cells, self.loops
        levels, places = loops.levels, loops.places
        register = op.values.get("a")
        on_nonzero = op.form.name.startswith("JMPC")
        width = 32 if self.full_tests and register is not None and self.launch.is_wide(register) else 16

        def taken() -> int:
            if places:
                loops.left_by(pc, target)
            if target <= pc:
                self._rest()
                self._check_size()
                loops.come_round(pc, target, self._context())
            return target

        def always() -> int:
            self.fetch += 1
            return taken()

        if register is None:
            return always

        def conditional() -> int:
            self.fetch += 1
            value = self._test(register, width) if levels else cells.value(register, width)
            if (value != 0) == on_nonzero:
                return taken()
            if target <= pc:
                loops.leave(pc)
            return pc + 1

        return conditional

    def _test(self, register: int, width: int) -> int:
        value, slope = self.cells.get(register, width)
        self.loops.decide(decided("nonzero" if value else "zero", value, slope, width), slope)
        return value

    def _set_shape(self, op: Op) -> None:
        parts = [self.cells.get(op.values[name], 16) for name in ("x", "y", "n")]
        self.loops.fix(*(slope for _, slope in parts))
        x, y, n = (value for value, _ in parts)
        if not 1 <= n <= self.card.limits.threads.value:
            raise WalkError(f"CFGXYZ sets {n} threads; a block has 1 to {self.card.limits.threads.value}")
        self.shape = (x, y, n)
        self.shapes[self.shape] = None

    # --- parameter memory -----------------------------------------------------------------------------------------

    def _load(self, op: Op) -> Callable[[], None]:
        offset, target, width, cells = op.values["p"], op.values["d"], op.form.width, self.cells
        parameters = self.parameters
        parameters.check(offset, width)

        def work() -> None:
            if offset // 2 in parameters.data_words:
                self.loops.give_up()
                cells.store(target, width, self._learned(f"parameter word {offset:#x} comes from memory by DMA"))
            else:
                cells.set(target, width, *parameters.load(offset, width))

        return work

    def _learned(self, what: str) -> int:
        """The next value that the engine learned from data."""
        if self.next_loaded >= len(self.loaded):
            raise WalkError(f"{what}: an engine must run first")
        self.next_loaded += 1
        return self.loaded[self.next_loaded - 1]

    def _store(self, op: Op) -> Callable[[], None]:
        offset, source, width = op.values["p"], op.values["a"], op.form.width
        parameters = self.parameters
        parameters.check(offset, width)

        def work() -> None:
            parameters.store(offset, width, *self.cells.get(source, width))
            if offset == DMA_LENGTH:
                nbytes, start, end = parameters.transfer()
                if nbytes:
                    self._emit(TransferItem(self.fetch, nbytes, start, end))

        return work

    # --- columns --------------------------------------------------------------------------------------------------

    def _column(self, column: ColumnCode, fetched: bool = True) -> Action:
        cells, loops, items = self.cells, self.loops, self.items
        port = ColumnPasses(column, self.ports, self.numerics)
        needs, levels, words = port.needs, loops.levels, column.words if fetched else 0
        known: dict[Hashable, tuple[ColumnItem, Pattern]] = {}
        vote = column.pe if column.pe and column.pe.form.effect == "vote" else None
        foresight = self.foresight
        part = foresight.part(column) if foresight else None
        for need in column.needs:
            self._require(need.extension, need.name)

        def run() -> int:
            if part and foresight:
                if part.decides:
                    loops.give_up()
                foresight.run(column, part, cells, self.shape)
            values: tuple[int, ...] = ()
            if needs:
                if levels:
                    reads = [cells.get(register, width) for register, width in needs]
                    loops.fix(*(slope for _, slope in reads))
                    values = tuple(value for value, _ in reads)
                else:
                    values = tuple(cells.value(register, width) for register, width in needs)
            key = (self.fetch, self.shape, self.pattern, values)
            found = known.get(key)
            if found is None:
                lanes, scalars = self.shape[2], dict(zip(needs, values, strict=True))
                passes = port.passes(self.shape, self.pattern, scalars)
                terms = port.terms(scalars)
                self.terms |= {terms} if terms else set[int]()
                item = ColumnItem(column, self.fetch + words, lanes, -(-lanes // WARP), passes, terms)
                found = known[key] = item, port.after(self.shape, self.pattern, scalars)
            item, self.pattern = found
            items.append(item)
            self.fetch = 0
            if vote:
                loops.give_up()
                cells.store(vote.op.values["d"], 16, self._vote(column))
                self._emit(SyncItem(0, "vote"))
            return column.next

        return run

    def _vote(self, column: ColumnCode) -> int:
        """The result of a column's vote: foreseen, or from the engine that ran."""
        if self.foresight is None:
            return self._learned("a vote depends on data")
        self.next_loaded += 1
        return self.foresight.vote(column)

    def _repeat(self, op: Op, pc: int) -> int:
        """The next columns, as often as the register says; their words are fetched once."""
        self.fetch += 1
        times, slope = self.cells.get(op.values["a"], 16)
        self.loops.fix(slope)
        columns = op.values["k"]
        if not times:
            return self._skip_columns(pc + 1, columns)
        after, scalars = self._pass(pc + 1, columns, fetched=True)
        for done in range(1, times):
            start, pattern = len(self.items), self.pattern
            self._pass(pc + 1, columns, fetched=False)
            if not scalars and self.pattern == pattern:
                body = tuple(self.items[start:])
                del self.items[start:]
                self.items.append(Repeat(times - done, body))
                break
        return after

    def _pass(self, pc: int, columns: int, fetched: bool) -> tuple[int, bool]:
        """Columns once, inside a REPEAT: the word behind them, and whether scalar words stand among them."""
        scalars = False
        for _ in range(columns):
            while (op := self._scalar_at(pc)) is not None:
                scalars = True
                self.fetch += 1
                self._scalar(op)()
                pc += 1
            key = (pc, fetched)
            action = self.repeated.get(key)
            if action is None:
                action = self.repeated[key] = self._column(self.code.column(pc), fetched)
            pc = action()
        return pc, scalars

    def _skip_columns(self, pc: int, columns: int) -> int:
        for _ in range(columns):
            while self._scalar_at(pc) is not None:
                self.fetch += 1
                pc += 1
            column = self.code.column(pc)
            self.fetch += column.words
            pc = column.next
        return pc

    def _scalar_at(self, pc: int) -> Op | None:
        """The scalar word of a repeated column, None at its vector words."""
        op = self.code.scalar(pc)
        if op is not None and op.form.effect in ("jump", "repeat", "end"):
            raise WalkError(f"{op.form.name} stands inside a repeated column")
        return op
