"""The timing walk: a program's scalar sequencer, run without touching data, with its loops compressed.

The result is a tree of items in program order: columns, transfers, waits, block starts, and `Repeat`s of item lists.
Columns and trip counts are exact. What depends on data (gather addresses, parameters that a DMA fetched) is marked and
comes from the engine that ran.

Loops, including those over blocks, are compressed by proof, not by guess: one iteration is watched with every
register's step per iteration known (`affine`); if the registers end exactly one step further on, the following
iterations are the same until something that was decided would be decided otherwise.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np

from openrpp.arch import Card
from openrpp.isa.form import Op
from openrpp.isa.numeric import DEFAULT
from openrpp.isa.table.port import Lanes, aligned, lane_address
from openrpp.machine.affine import FOREVER, NONE, Constraint, Slope, Steps
from openrpp.machine.banks import WARP, gather_passes, vector_passes
from openrpp.machine.code import PRINT_WORDS, Code, CodeError, ColumnCode, VectorOp
from openrpp.machine.launch import Launch
from openrpp.machine.memory import Memory
from openrpp.machine.scalars import DMA_LENGTH, ParameterMemory
from openrpp.machine.steps import Registers, advance
from openrpp.machine.vectors import lanes_of


@dataclass(frozen=True, slots=True)
class ColumnItem:
    """An executed column. `passes` are its port passes over all warps, None where they depend on data."""

    code: ColumnCode
    fetch: int  # words, scalar words before it included
    lanes: int
    warps: int
    passes: int | None


@dataclass(frozen=True, slots=True)
class TransferItem:
    """A kernel-started DMA: bytes, and which memories it reads and writes ("DDR", "SRAM", ...)."""

    fetch: int
    nbytes: int
    source: str
    target: str


@dataclass(frozen=True, slots=True)
class SyncItem:
    """A wait of the sequencer: "poll" for the DMA, "barrier" for all columns."""

    fetch: int
    what: str


@dataclass(frozen=True, slots=True)
class WordsItem:
    """Scalar words on their own, at the end of a loop's round."""

    fetch: int


@dataclass(frozen=True, slots=True)
class BlockItem:
    """A block begins."""


@dataclass(frozen=True, slots=True)
class Repeat:
    """Items that run `count` times."""

    count: int
    items: tuple[Item, ...]


Item = ColumnItem | TransferItem | SyncItem | WordsItem | BlockItem | Repeat


class WalkError(Exception):
    """The program cannot be walked without data, or not at all."""


@dataclass
class Level:
    """A loop iteration that is being watched."""

    key: object
    number: int
    start: int  # index of its first item
    values: tuple[int, ...]
    steps: tuple[int, ...]
    pairs: tuple[bool, ...]
    context: tuple[object, ...]
    slopes: tuple[Slope, ...]
    index_steps: tuple[Steps, ...]
    good: bool = True
    constraints: list[Constraint] = field(default_factory=list[Constraint])


@dataclass
class Visit:
    """What was seen when a loop last came round."""

    values: tuple[int, ...]
    context: tuple[object, ...]
    failures: int = 0
    seen: int = 1


Shape = tuple[int, int, int]
Pattern = tuple[str, int, int, Shape] | None
"""Lane pattern of DVA up to a common offset: ("rows", sy, sz, shape) or None where it depends on data."""
UNIFORM: Pattern = ("rows", 0, 0, (1, 1, 1))


@lru_cache(maxsize=4096)
def _lanes(shape: Shape) -> Lanes:
    return lanes_of(*shape)


@lru_cache(maxsize=65536)
def aligned_passes(shape: Shape, sy: int, sz: int, banks: int) -> int:
    """Port passes of LOADALN / STOREALN over a block."""
    with np.errstate(all="ignore"):
        addresses = aligned(DEFAULT, _lanes(shape), np.uint32(0), np.uint32(sy), np.uint32(sz))
    return gather_passes(addresses, banks)


@lru_cache(maxsize=65536)
def pattern_passes(pattern: tuple[str, int, int, Shape], shape: Shape, nbytes: int, banks: int, port: int) -> int:
    """Port passes of an access at DVA whose lane pattern is known; `nbytes` above 2 is a vector access."""
    _, sy, sz, made = pattern
    source = _lanes(shape if (sy, sz) == (0, 0) else made)
    with np.errstate(all="ignore"):
        addresses = lane_address(DEFAULT, source[: shape[2]], np.uint32(0), np.uint32(sy), np.uint32(sz))
    return vector_passes(addresses, nbytes, port) if nbytes > 2 else gather_passes(addresses, banks)


class Walk:
    """One walk of a launch.

    Args:
        loaded: values that LDPARAM read from words a DMA had written, in order, from the engine that ran.
        max_items: items after which the walk gives up (loops that cannot be compressed).
    """

    def __init__(
        self,
        card: Card,
        memory: Memory,
        launch: Launch,
        bank: int,
        loaded: Sequence[int] = (),
        max_items: int = 20_000_000,
    ) -> None:
        self.card = card
        self.memory = memory
        self.launch = launch
        self.code: Code = launch.code
        self.fram = ParameterMemory.copied(memory, bank)
        self.stored: set[int] = set()  # FRAM offsets that STGLB has written
        self.data_words: set[int] = set()
        self.loaded = list(loaded)
        self.next_loaded = 0
        self.max_items = max_items
        self.registers = Registers()
        self.items: list[Item] = []
        self.levels: list[Level] = []
        self.visits: dict[object, Visit] = {}
        self.level_count = 0
        self.fetch = 0
        self.shape: Shape = (launch.block[0], launch.block[1], launch.threads)
        self.pattern: Pattern = UNIFORM
        self.banks = card.sram.banks.value
        self.port = card.sram.port_bytes.value
        self.linear = card.choices.block_index_31.value == "linear"
        self.full_tests = card.choices.jump_tests.value == "full32"
        self.block_index: list[int] = [0, 0, 0, 0]
        self.block_steps: list[Steps] = [{}, {}, {}, {}]

    # --- grid -----------------------------------------------------------------------------------------------------

    def run(self) -> tuple[Item, ...]:
        """Walk all blocks. Raises WalkError."""
        extents = self.launch.grid
        while True:
            self._block()
            axis = 0
            while axis < 3:
                self._next_block(axis, first=axis == 0)
                room = extents[axis] - 1 - self.block_index[axis]
                if room >= 0:
                    self._come_round(("grid", axis), room)
                    break
                self._leave(("grid", axis))
                self.block_index[axis], self.block_steps[axis] = 0, {}
                axis += 1
            if axis == 3:
                return tuple(self.items)

    def _next_block(self, axis: int, first: bool) -> None:
        self.block_index[axis] += 1
        if first:
            self.block_index[3] += 1

    def _block(self) -> None:
        self.items.append(BlockItem())
        for axis in range(3):
            self.registers.set(28 + axis, 16, self.block_index[axis], self.block_steps[axis])
        number, steps = (3, 3) if self.linear else (0, 0)
        self.registers.set(31, 16, self.block_index[number], self.block_steps[steps])
        pc = 0
        while True:
            following = self._word(pc)
            if following is None:
                break
            pc = following
        self.fetch = 0

    # --- words ----------------------------------------------------------------------------------------------------

    def _word(self, pc: int) -> int | None:
        """Walk one word or one column; the next word, None at the end."""
        if self.code.is_print(pc):
            return pc + PRINT_WORDS
        try:
            op = self.code.scalar(pc)
            if op is None:
                return self._column(pc)
        except CodeError as error:
            raise WalkError(str(error)) from None
        self.fetch += 1
        match op.form.effect:
            case "":
                self._arithmetic(op)
            case "end":
                return None
            case "jump":
                return self._jump(op, pc)
            case "load-parameter":
                self._load(op)
            case "store-parameter":
                self._store(op)
            case "shape":
                self._set_shape(op)
            case "repeat":
                return self._repeat(op, pc)
            case "poll" | "barrier":
                self._emit(SyncItem(self.fetch, op.form.effect))
                self.fetch = 0
            case _:
                pass
        return pc + 1

    def _emit(self, item: Item) -> None:
        self.items.append(item)
        if len(self.items) > self.max_items:
            raise WalkError(f"more than {self.max_items} items that do not repeat")

    def _arithmetic(self, op: Op) -> None:
        for constraint in advance(op, self.registers):
            self._record(constraint)

    def _record(self, constraint: Constraint | None) -> None:
        """Note a decision; None is a decision by a value whose steps are not known."""
        for level in self.levels:
            if constraint is None:
                level.good = False
            else:
                level.constraints.append(constraint)

    def _invariant(self, *slopes: Slope) -> None:
        """The values must not change from iteration to iteration of any watched loop."""
        for level in self.levels:
            if any(slope is None or level.number in slope for slope in slopes):
                level.good = False

    def _jump(self, op: Op, pc: int) -> int:
        target = op.values["target"]
        if "a" in op.values:
            register = op.values["a"]
            width = 32 if self.full_tests and self.launch.is_wide(register) else 16
            value, steps = self.registers.get(register, width)
            if steps is None:
                self._record(None)
            elif steps:
                self._record(Constraint("zero" if value == 0 else "nonzero", value, steps, width))
            if (value != 0) != (op.form.name == "JMPC"):
                if target <= pc:
                    self._leave(pc)
                return pc + 1
        if target <= pc:
            self._come_round(pc, FOREVER)
        return target

    def _load(self, op: Op) -> None:
        offset, width = op.values["p"], op.form.width
        value = self.fram.load(offset, width)
        steps: Slope = NONE
        if offset in self.stored:
            self._record(None)  # a counter in parameter memory: its steps are not followed
        if offset // 2 in self.data_words:
            if self.next_loaded >= len(self.loaded):
                raise WalkError(f"parameter word {offset:#x} comes from memory by DMA: an engine must run first")
            value, steps = self.loaded[self.next_loaded], None
            self.next_loaded += 1
            self._record(None)
        self.registers.set(op.values["d"], width, value, steps)

    def _store(self, op: Op) -> None:
        offset, width = op.values["p"], op.form.width
        value, steps = self.registers.get(op.values["a"], width)
        self.fram.store(offset, width, value)
        self.stored.update((offset, offset + 2) if width == 32 else (offset,))
        if offset == DMA_LENGTH:
            self._invariant(steps)
            self._transfer()

    def _transfer(self) -> None:
        source, target, nbytes = self.fram.transfer()
        names: list[str] = []
        for address in (source, target):
            found = self.memory.region(address, max(nbytes, 1))
            names.append(found[0].name.split()[0] if found else "outside")
        if nbytes:
            self._note_fram(target, nbytes)
            self._emit(TransferItem(self.fetch, nbytes, names[0], names[1]))
            self.fetch = 0

    def _note_fram(self, target: int, nbytes: int) -> None:
        found = self.memory.region(target, nbytes)
        if found is not None and found[0] in self.memory.fram:
            self.data_words.update(range(found[1] // 2, (found[1] + nbytes + 1) // 2))

    def _set_shape(self, op: Op) -> None:
        parts = [self.registers.get(op.values[name], 16) for name in ("x", "y", "n")]
        self._invariant(*(steps for _, steps in parts))
        x, y, n = (value for value, _ in parts)
        if not 1 <= n <= self.card.limits.threads.value:
            raise WalkError(f"CFGXYZ sets {n} threads")
        self.shape = (x, y, n)

    # --- columns --------------------------------------------------------------------------------------------------

    def _column(self, pc: int) -> int:
        column = self.code.column(pc)
        n = self.shape[2]
        passes = self._passes(column)
        self._emit(ColumnItem(column, self.fetch + column.words, n, -(-n // WARP), passes))
        self.fetch = 0
        for op in column.port:
            if op.form.effect == "address":
                self._address(op)
        return column.next

    def _repeat(self, op: Op, pc: int) -> int:
        times, steps = self.registers.get(op.values["a"], 16)
        self._invariant(steps)
        start = len(self.items)
        after = pc + 1
        for _ in range(op.values["k"]):
            while (scalar := self.code.scalar(after)) is not None:
                if scalar.form.effect != "" or times > 1:
                    raise WalkError("scalar work inside a repeated column")
                self._word(after)
                after += 1
            after = self._column(after)
        body = tuple(self.items[start:])
        del self.items[start:]
        if times:
            # Only the first pass fetches words: the configuration stays.
            self.items += body
        if times > 1:
            kept = tuple(
                ColumnItem(item.code, 0, item.lanes, item.warps, item.passes)
                for item in body
                if isinstance(item, ColumnItem)
            )
            self.items.append(Repeat(times - 1, kept))
        return after

    def _passes(self, column: ColumnCode) -> int | None:
        """Port passes over all warps: the sequential and the gather path of a port work side by side."""
        warps = -(-self.shape[2] // WARP)
        paths = {"sequential": 0, "gather": 0}
        for op in column.port:
            if op.form.effect in ("address", "warp-load"):
                continue
            path = (
                "sequential" if op.form.name.startswith(("LOADCONT", "STORECONT", "LOADALN", "STOREALN")) else "gather"
            )
            passes = self._op_passes(op, warps)
            if passes is None:
                return None
            paths[path] += passes
        return max(paths.values())

    def _op_passes(self, op: VectorOp, warps: int) -> int | None:
        name = op.form.name
        if name.startswith(("LOADCONT", "STORECONT")):
            return warps
        if name.startswith(("LOADALN", "STOREALN")):
            return aligned_passes(self.shape, self._captured(op, "sy"), self._captured(op, "sz"), self.banks)
        if (
            op.form.sources not in (("DVA",), ("DVA", "offset"))
            or self.pattern is None
            or op.form.effect == "store-masked"
        ):
            return None
        nbytes = 2 * self._captured(op, "l") if op.form.effect == "dot" else 2
        return pattern_passes(self.pattern, self.shape, nbytes, self.banks, self.port)

    def _captured(self, op: VectorOp, name: str) -> int:
        for operand, register, width in op.captured:
            if operand == name:
                value, steps = self.registers.get(register, width)
                self._invariant(steps)
                return value
        return op.op.values[name]

    def _address(self, op: VectorOp) -> None:
        """Follow the lane pattern of DVA."""
        name, values = op.form.name, op.op.values
        if name.startswith("GLANEADDR"):
            sy, sz = self._captured(op, "sy"), self._captured(op, "sz")
            self.pattern = ("rows", sy, sz, self.shape)
        elif name == "MMOV":
            scalar = op.captured or op.form.base & 1 << 22
            self.pattern = UNIFORM if scalar else None
        elif name == "MADD.SCA32":
            self.pattern = self.pattern if values["a"] == 14 else None
        elif name == "MSHIFTADD" or (name == "MADD" and not op.captured and not op.form.base & 1 << 22):
            self.pattern = None

    # --- loops ----------------------------------------------------------------------------------------------------

    def _context(self) -> tuple[object, ...]:
        return (self.shape, self.pattern, frozenset(self.data_words))

    def _state(self) -> tuple[tuple[int, ...], tuple[bool, ...]]:
        values, pairs = self.registers.snapshot()
        return (*values, *self.block_index), pairs

    def _come_round(self, key: object, room: int) -> None:
        """A loop starts another iteration; `room` bounds how many more it may be moved forward."""
        if self.fetch:
            self._emit(WordsItem(self.fetch))
            self.fetch = 0
        values, pairs = self._state()
        context = self._context()
        level = next((level for level in self.levels if level.key == key), None)
        if level is not None:
            if self._prove(level, values, pairs, context):
                self._skip(level, room)
                self._drop(level)
                self.visits.pop(key, None)
                return
            self._drop(level)
        self._watch(key, values, pairs, context)

    def _watch(
        self, key: object, values: tuple[int, ...], pairs: tuple[bool, ...], context: tuple[object, ...]
    ) -> None:
        visit = self.visits.get(key)
        self.visits[key] = Visit(values, context, visit.failures if visit else 0, visit.seen + 1 if visit else 1)
        if visit is None or visit.context != context:
            return
        if visit.failures > 4 and visit.seen & (visit.seen - 1):
            return  # keep trying, ever more rarely
        self.visits[key].failures += 1
        steps = self.registers.differences(visit.values, values, pairs)
        index_steps = tuple(now - then for now, then in zip(values[32:], visit.values[32:], strict=True))
        self.level_count += 1
        number = self.level_count
        self.registers.add_level(number, steps, pairs)
        for place, step in enumerate(index_steps):
            if step:
                self.block_steps[place] = {**self.block_steps[place], number: step}
        self.levels.append(
            Level(
                key,
                number,
                len(self.items),
                values,
                (*steps, *index_steps),
                pairs,
                context,
                tuple(self.registers.steps),
                tuple(self.block_steps),
            )
        )

    def _prove(
        self, level: Level, values: tuple[int, ...], pairs: tuple[bool, ...], context: tuple[object, ...]
    ) -> bool:
        """Whether the watched iteration moved every value by exactly its step, and knows that it will again."""
        if not level.good or pairs != level.pairs or context != level.context:
            return False
        if not self.registers.moved(level.number, level.values[:32], level.steps[:32], pairs, level.slopes):
            return False
        return self.block_steps == list(level.index_steps) and all(
            now - then == step for now, then, step in zip(values[32:], level.values[32:], level.steps[32:], strict=True)
        )

    def _drop(self, level: Level) -> None:
        """Stop watching a level, and those inside it."""
        for other in [
            other
            for other in self.levels
            if other is level or (other.start >= level.start and other.number > level.number)
        ]:
            self.levels.remove(other)
            self.registers.remove_level(other.number)
            for place, steps in enumerate(self.block_steps):
                self.block_steps[place] = {key: step for key, step in steps.items() if key != other.number}

    def _skip(self, level: Level, room: int) -> None:
        """Fold the watched iteration and those that follow alike into one Repeat, and move the state behind them."""
        alike = min((constraint.holds_for(level.number) for constraint in level.constraints), default=FOREVER)
        if alike >= FOREVER and room >= FOREVER:
            raise WalkError("a loop never ends")
        # The iteration that decides otherwise is walked, and so is the last of a bounded row.
        further = min(alike - 1, room)
        if self.registers.stale(level.number):
            further -= 1  # walk one whole iteration more: it renews the registers that could not be moved
        if further > 0 and len(self.items) > level.start:
            body = tuple(self.items[level.start :])
            del self.items[level.start :]
            self.items.append(Repeat(1 + further, body))
        for constraint in level.constraints:
            if level.number in constraint.steps:
                extents = {**(constraint.extents or {}), level.number: 1 + max(further, 0)}
                constraint.extents = extents
        if further > 0:
            self.registers.shift(level.steps[:32], level.pairs, further)
            for place, step in enumerate(level.steps[32:]):
                self.block_index[place] += step * further

    def _leave(self, key: object) -> None:
        """A loop ends: what was seen of it says nothing about its next start."""
        self.visits.pop(key, None)
        level = next((level for level in self.levels if level.key == key), None)
        if level is not None:
            self._drop(level)
