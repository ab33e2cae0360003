"""The `reference` engine: the machine's definition in NumPy, short and slow.

It runs the blocks of a launch one after another. Inside a block the columns may be executed in several legal orders:

- `column`: every column for all warps, then the next (the order in which the specification is written);
- `warp`: every warp through all columns, ascending;
- `random`: a random interleaving in which each column still meets the warps in ascending order (what streaming may do);
- `descending`, `shuffled`: warp by warp in an order that the machine does not take; programs without cross-warp
  traffic give the same result, so they show ordering assumptions.

Orders other than `column` are cut at barriers and DMA: all warps meet there.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal, get_args

import numpy as np

from openrpp.arch import Card
from openrpp.isa.form import Op
from openrpp.isa.numeric import Numerics
from openrpp.isa.program import Kernel
from openrpp.isa.table.port import Lanes
from openrpp.machine.banks import WARP
from openrpp.machine.code import PRINT_WORDS, Code, CodeError, ColumnCode
from openrpp.machine.faults import (
    AccessError,
    DmaFault,
    Fault,
    IllegalWord,
    LaunchError,
    MissingExtension,
    OutOfBounds,
    Place,
    RunawayLoop,
)
from openrpp.machine.launch import Launch
from openrpp.machine.memory import Memory
from openrpp.machine.observe import Observer
from openrpp.machine.scalars import DMA_LENGTH, ParameterMemory, Scalars, compute, operand
from openrpp.machine.vectors import Datapath, Vectors, lanes_of

Order = Literal["column", "warp", "random", "descending", "shuffled"]
ORDERS: tuple[Order, ...] = get_args(Order)
Captured = tuple[dict[str, int], ...]


@dataclass(frozen=True)
class Step:
    """A column that is executed once: its code, its captured scalars and the block shape at that time."""

    column: ColumnCode
    captured: Captured
    lanes: Lanes
    number: int


@dataclass
class Outcome:
    """What a launch did, as far as it cannot be known without running it."""

    columns: int = 0
    words: int = 0
    warp_columns: int = 0
    executed: Counter[int] = field(default_factory=Counter[int])  # column start word -> times
    loaded: list[int] = field(default_factory=list[int])  # LDPARAM values of words that a DMA wrote
    dma_bytes: int = 0


class Reference:
    """Runs launches on a card's memory, one block after another."""

    def __init__(
        self,
        card: Card,
        memory: Memory,
        order: Order = "column",
        seed: int = 0,
        max_words: int = 1 << 28,
        observers: tuple[Observer, ...] = (),
    ) -> None:
        if order not in ORDERS:
            raise LaunchError(f"order {order!r} is not known; there are {', '.join(ORDERS)}")
        self.card = card
        self.memory = memory
        self.order: Order = order
        self.rng = np.random.default_rng(seed)
        self.max_words = max_words
        self.observers = observers
        settings = card.choices.settings()
        self.numerics = Numerics.from_choices(card.choices)
        self.choices = settings
        self.vectors = Vectors(card.limits.threads.value)
        self.datapath = Datapath(memory, self.numerics, self.vectors, str(settings["ben_high_byte"]))
        for observer in observers:
            observer.attach(self)

    def run(self, launch: Launch, bank: int) -> Outcome:
        """Execute a launch whose parameters stand in FRAM bank `bank`. Raises Fault."""
        run = _Run(self, launch, bank)
        for observer in self.observers:
            observer.launch(launch, bank)
        with np.errstate(all="ignore"):
            for z in range(launch.grid[2]):
                for y in range(launch.grid[1]):
                    for x in range(launch.grid[0]):
                        run.block(x, y, z)
        return run.outcome


class _Run:
    """One launch in progress."""

    def __init__(self, engine: Reference, launch: Launch, bank: int) -> None:
        self.engine = engine
        self.launch = launch
        self.kernel: Kernel = launch.kernel
        self.code: Code = launch.code
        self.scalars = Scalars()
        self.fram = ParameterMemory(engine.memory, bank)
        self.outcome = Outcome()
        self.linear = engine.choices["block_index_31"] == "linear"
        self.full_tests = engine.choices["jump_tests"] == "full32"
        self.lanes = self._shape(launch.block[0], launch.block[1], launch.threads)
        self.place = Place(self.kernel.name)
        self.extensions = frozenset(engine.card.extensions)
        self.queue: list[Step] = []
        self.number = 0
        self.warps = 0
        self.repeated = 0  # columns that REPEAT ran; they count for the budget

    # --- faults ------------------------------------------------------------------------------------------------

    def fault(
        self, kind: type[Fault], sentence: str, word: int, lane: int | None = None, address: int | None = None
    ) -> Fault:
        """A fault at a word of the current block."""
        line = self.kernel.lines.get(word)
        place = Place(self.kernel.name, self.place.block, self.number, word, line, lane, address)
        return kind(sentence, place)

    # --- blocks and control flow -----------------------------------------------------------------------------------

    def block(self, x: int, y: int, z: int) -> None:
        """Run one block to its end."""
        self.place = Place(self.kernel.name, (x, y, z))
        self.number = 0
        self.scalars.set_block(x, y, z, self.launch.grid, self.linear)
        self.engine.vectors.clear()
        for observer in self.engine.observers:
            observer.block(self.place)
        pc, loops = 0, _LoopWatch(self)
        while True:
            op = None if self.code.is_print(pc) else self._fetch(pc)
            if self.code.is_print(pc):
                pc += PRINT_WORDS
            elif op is None:
                pc = self.column(pc)
            elif op.form.effect == "end":
                break
            else:
                target = self.scalar(op, pc)
                if target is not None and target <= pc:
                    loops.back(pc)
                pc = pc + 1 if target is None else target
            self.outcome.words += 1
            self._check_budget(pc)
        self.flush()
        for observer in self.engine.observers:
            observer.finish(self.place, self.number, pc)

    def _fetch(self, pc: int) -> Op | None:
        """The scalar operation at a word, None where a column starts."""
        try:
            return self.code.scalar(pc)
        except CodeError as error:
            raise self.fault(IllegalWord, str(error), error.word) from None

    def _column_code(self, pc: int) -> ColumnCode:
        try:
            return self.code.column(pc)
        except CodeError as error:
            raise self.fault(IllegalWord, str(error), error.word) from None

    def _check_budget(self, pc: int) -> None:
        if self.outcome.words + self.repeated > self.engine.max_words:
            limit = f"the launch passed its budget of {self.engine.max_words} words"
            raise self.fault(RunawayLoop, f"{limit}; raise max_words if it is meant to run this long", pc)

    def scalar(self, op: Op, pc: int) -> int | None:
        """Execute a scalar word; the target of a taken jump, else None."""
        self._extension(op.form.extension, op.form.name, pc)
        for observer in self.engine.observers:
            observer.scalar(op, self.place, self.number, pc)
        match op.form.effect:
            case "":
                compute(op, self.scalars)
            case "jump":
                return self._jump(op)
            case "load-parameter":
                self._load_parameter(op, pc)
            case "store-parameter":
                self._store_parameter(op, pc)
            case "shape":
                self._set_shape(op, pc)
            case "repeat":
                return self._repeat(op, pc)
            case "poll" | "barrier":
                self.flush()
                for observer in self.engine.observers:
                    observer.sync(op.form.effect)
            case _:
                pass
        return None

    def _jump(self, op: Op) -> int | None:
        if "a" in op.values:
            register = op.values["a"]
            wide = self.full_tests and self.launch.is_wide(register)
            taken = (self.scalars.get(register, 32 if wide else 16) != 0) == op.form.name.startswith("JMPC")
            if not taken:
                return None
        return op.values["target"]

    def _parameter(self, op: Op, pc: int) -> int:
        """Offset of a parameter word that lies in its bank."""
        offset, nbytes = op.values["p"], op.form.width // 8
        last = self.engine.memory.fram[self.fram.bank].data.size - 1
        if offset + nbytes - 1 > last:
            sentence = f"{op.form.name} needs {nbytes} bytes at {offset:#x}; parameter memory ends at {last:#x}"
            raise self.fault(OutOfBounds, sentence, pc)
        return offset

    def _load_parameter(self, op: Op, pc: int) -> None:
        offset, width = self._parameter(op, pc), op.form.width
        value = self.fram.load(offset, width)
        if self.launch.data_words and offset // 2 in self.launch.data_words:
            self.outcome.loaded.append(value)
        self.scalars.set(op.values["d"], width, value)

    def _store_parameter(self, op: Op, pc: int) -> None:
        offset = self._parameter(op, pc)
        self.fram.store(offset, op.form.width, operand(op, "a", self.scalars))
        if offset == DMA_LENGTH:
            self.flush()
            self._transfer(pc)

    def _transfer(self, pc: int) -> None:
        source, target, nbytes = self.fram.transfer()
        if nbytes == 0:
            return
        memory = self.engine.memory
        for name, address in (("source", source), ("destination", target)):
            if memory.region(address, nbytes) is None:
                sentence = f"the {name} of a transfer of {nbytes} bytes is not in one memory; {memory.map_text()}"
                raise self.fault(DmaFault, sentence, pc, address=address)
        data = memory.view(source, nbytes)
        memory.view(target, nbytes)[:] = data.copy() if abs(source - target) < nbytes else data
        self.outcome.dma_bytes += nbytes
        self.launch.note_transfer(memory, target, nbytes)
        for observer in self.engine.observers:
            observer.transfer(source, target, nbytes, self.place, pc)

    def _set_shape(self, op: Op, pc: int) -> None:
        x, y, n = (operand(op, name, self.scalars) for name in ("x", "y", "n"))
        limit = self.engine.card.limits.threads.value
        if not 1 <= n <= limit:
            raise self.fault(IllegalWord, f"CFGXYZ sets {n} threads; a block has 1 to {limit}", pc)
        self.lanes = self._shape(x, y, n)

    def _shape(self, x: int, y: int, n: int) -> Lanes:
        self.warps = -(-n // WARP)
        return lanes_of(x, y, n)

    def _repeat(self, op: Op, pc: int) -> int:
        """Run the next k columns (the rest of this one is the first) as often as the register says."""
        times, columns = operand(op, "a", self.scalars), op.values["k"]
        after = pc + 1
        for _ in range(times):
            after = pc + 1
            for _ in range(columns):
                after = self._one_column(after)
                self.repeated += 1
                self._check_budget(pc)
        if times == 0:
            for _ in range(columns):
                after = self._skip_column(after)
        return after

    def _one_column(self, pc: int) -> int:
        while (op := self._inner(pc)) is not None:
            self.scalar(op, pc)
            pc += 1
        return self.column(pc)

    def _skip_column(self, pc: int) -> int:
        while self._inner(pc) is not None:
            pc += 1
        return self._column_code(pc).next

    def _inner(self, pc: int) -> Op | None:
        """A scalar operation inside a repeated column."""
        op = self._fetch(pc)
        if op is not None and op.form.effect in ("jump", "repeat", "end"):
            raise self.fault(IllegalWord, f"{op.form.name} stands inside a repeated column", pc)
        return op

    def _extension(self, group: str, name: str, pc: int) -> None:
        if group and group not in self.extensions:
            card = self.engine.card.name
            raise self.fault(MissingExtension, f"{name} needs the extension '{group}', which {card} lacks", pc)

    # --- columns ---------------------------------------------------------------------------------------------------

    def column(self, pc: int) -> int:
        """Execute (or queue) the column at a word; the word behind it."""
        column = self._column_code(pc)
        for need in column.needs:
            self._extension(need.extension, need.name, need.word)
        step = Step(column, self._capture(column), self.lanes, self.number)
        self.outcome.columns += 1
        self.outcome.warp_columns += self.warps
        self.outcome.executed[pc] += 1
        for observer in self.engine.observers:
            observer.tokens(column, self.place, self.number)
        voted = column.pe if column.pe and column.pe.form.effect == "vote" else None
        if voted:
            self.flush()
        if voted or self.engine.order == "column":
            self._execute(step, slice(0, step.lanes.i.size))
        else:
            self.queue.append(step)
        if voted:
            # The sequencer waits for all lanes; what it learns is data to the timing walk.
            self.scalars.set(voted.op.values["d"], 16, self.engine.datapath.vote)
            self.outcome.loaded.append(self.engine.datapath.vote)
        self.number += 1
        self.outcome.words += column.words - 1
        return column.next

    def _capture(self, column: ColumnCode) -> Captured:
        ops = (*column.port, column.pe) if column.pe else column.port
        get = self.scalars.get
        return tuple({name: get(register, width) for name, register, width in op.captured} for op in ops)

    def _execute(self, step: Step, part: slice) -> None:
        lanes = step.lanes if part.stop - part.start == step.lanes.i.size else step.lanes[part]
        try:
            for observer in self.engine.observers:
                observer.before(step, lanes, part)
            self.engine.datapath.run(step.column, step.captured, lanes, part)
            for observer in self.engine.observers:
                observer.after(step, lanes, part)
        except AccessError as error:
            self.number = step.number
            word = step.column.start if error.word is None else error.word
            lane = part.start + error.lane
            raise self.fault(error.fault, error.sentence, word, lane, error.address) from None

    # --- orders ------------------------------------------------------------------------------------------------------

    def flush(self) -> None:
        """Execute what the chosen order has held back; all warps meet here."""
        queue, self.queue = self.queue, []
        if not queue:
            return
        warps = max(-(-step.lanes.i.size // WARP) for step in queue)
        for warp, index in self._order(len(queue), warps):
            step = queue[index]
            first, last = warp * WARP, min((warp + 1) * WARP, step.lanes.i.size)
            if first < last:
                self._execute(step, slice(first, last))

    def _order(self, columns: int, warps: int) -> Iterator[tuple[int, int]]:
        rng = self.engine.rng
        match self.engine.order:
            case "random":
                yield from _interleaving(columns, warps, rng)
            case "descending":
                yield from ((warp, index) for warp in reversed(range(warps)) for index in range(columns))
            case "shuffled":
                yield from ((int(warp), index) for warp in rng.permutation(warps) for index in range(columns))
            case _:
                yield from ((warp, index) for warp in range(warps) for index in range(columns))


def _interleaving(columns: int, warps: int, rng: np.random.Generator) -> Iterator[tuple[int, int]]:
    """Random (warp, column) order in which warp w passes a column before warp w + 1 does."""
    done = [0] * warps
    ready = [0]
    while ready:
        pick = int(rng.integers(len(ready)))
        warp = ready[pick]
        yield warp, done[warp]
        done[warp] += 1
        ahead = done[warp - 1] if warp else columns + 1
        if done[warp] == columns or done[warp] >= ahead:
            ready.pop(pick)
        after = warp + 1
        if after < warps and after not in ready and done[after] < done[warp]:
            ready.append(after)


class _LoopWatch:
    """Finds loops that cannot end: the sequencer is back at a jump in the very state of an earlier visit."""

    def __init__(self, run: _Run) -> None:
        self.run = run
        self.visits: Counter[int] = Counter()
        self.states: dict[int, tuple[int, ...]] = {}

    def back(self, pc: int) -> None:
        """Note a taken backward jump; states are kept at visits that are powers of two (Brent)."""
        if self.run.launch.data_words:
            return  # parameter memory changes under the loop: only the word budget can tell
        self.visits[pc] += 1
        stored = self.run.fram.stored.values()  # counters may lie in parameter memory
        state = (*self.run.scalars.values, len(self.run.outcome.loaded), *stored)  # a vote may answer anew
        if self.states.get(pc) == state:
            raise self.run.fault(RunawayLoop, "the loop came back to this jump with no register changed", pc)
        if self.visits[pc] & (self.visits[pc] - 1) == 0:
            self.states[pc] = state
