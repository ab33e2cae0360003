"""The sequencer's state as 16-bit cells whose steps per loop iteration are followed, and how operations carry them on.

Cells 0 to 31 are the scalar registers, 32 to 35 the block's x, y, z and running number; behind them stand the words of
parameter memory that the kernel has written, in aligned pairs. A 32-bit write makes a pair of cells, low half first,
whose slope is that of the pair as a whole. Slopes, reads and writes are followed only while a level is watched.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from openrpp.isa.form import Kind, Op
from openrpp.machine.affine import (
    FAR,
    INVARIANT,
    Constraint,
    Slope,
    followed,
    opaque,
    plus,
    reduced,
    shifted_right,
    times,
)

REGISTERS = 32
BLOCK = 32
"""First of the four cells of the block's position."""
FIRST_WORD = 36


@dataclass
class Traffic:
    """Cells that a watched level has written, and those that it read before it wrote them."""

    written: set[int] = field(default_factory=set[int])
    live_in: set[int] = field(default_factory=set[int])


@dataclass(frozen=True)
class Snapshot:
    """The state at one moment."""

    values: tuple[int, ...]
    paired: tuple[bool, ...]


class Cells:
    """Values of the cells, and their slopes."""

    def __init__(self) -> None:
        self.values = [0] * FIRST_WORD
        self.paired = [False] * FIRST_WORD  # at an even cell: it and the next were last written as a pair
        self.slopes: list[Slope] = [INVARIANT] * FIRST_WORD  # of a pair: at its even cell
        self.watched: dict[int, Traffic] = {}

    def add_pair(self, low: int, high: int) -> int:
        """Two more cells, for a pair of parameter words; the first of them."""
        cell = len(self.values)
        self.values += [low, high]
        self.paired += [False, False]
        self.slopes += [INVARIANT, INVARIANT]
        for traffic in self.watched.values():
            traffic.live_in |= {cell, cell + 1}
        return cell

    @staticmethod
    def after(cell: int) -> int:
        """The cell of the high half; register 31 is followed by register 0."""
        return (cell + 1) % REGISTERS if cell < REGISTERS else cell + 1

    def value(self, cell: int, width: int) -> int:
        """The unsigned value of a cell (16) or of it and the next (32)."""
        return self.values[cell] if width == 16 else self.values[cell] | self.values[self.after(cell)] << 16

    # --- access while a level is watched ---------------------------------------------------------------------------

    def get(self, cell: int, width: int) -> tuple[int, Slope]:
        """Value and slope; the levels note the read."""
        for traffic in self.watched.values():
            if cell not in traffic.written:
                traffic.live_in.add(cell)
        if width == 16:
            return self.values[cell], self._half(cell)
        low = self.slopes[cell] if cell % 2 == 0 and self.paired[cell] else None
        high, other = self.get(self.after(cell), 16)
        return self.values[cell] | high << 16, opaque(self._half(cell), other) if low is None else low

    def _half(self, cell: int) -> Slope:
        even = cell & ~1
        if not self.paired[even]:
            return self.slopes[cell]
        slope = self.slopes[even]
        return reduced(slope, 16) if cell == even else opaque(slope)

    def set(self, cell: int, width: int, value: int, slope: Slope) -> None:
        """Store a value of 16 or 32 bits with its slope; the levels note the write."""
        if width == 32 and cell % 2:
            self.set(cell, 16, value, opaque(slope))
            self.set(self.after(cell), 16, value >> 16, opaque(slope))
            return
        even = cell & ~1
        if width == 16 and self.paired[even]:
            self.slopes[even], self.slopes[even + 1] = self._half(even), self._half(even + 1)
        for traffic in self.watched.values():
            traffic.written.add(cell)
            if width == 32:
                traffic.written.add(cell + 1)
        self.store(cell, width, value)
        self.slopes[cell] = reduced(slope, width)

    def store(self, cell: int, width: int, value: int) -> None:
        """Store a value while no level is watched."""
        self.values[cell] = value & 0xFFFF
        if width == 16:
            self.paired[cell & ~1] = False
            return
        high = self.after(cell)
        self.values[high] = value >> 16 & 0xFFFF
        self.paired[cell & ~1] = self.paired[high & ~1] = False
        if cell % 2 == 0:
            self.paired[cell] = True

    # --- levels ---------------------------------------------------------------------------------------------------

    def snapshot(self) -> Snapshot:
        """The present state."""
        return Snapshot(tuple(self.values), tuple(self.paired))

    def units(self) -> Iterator[tuple[int, int]]:
        """(cell, width) of every independent value."""
        for even in range(0, len(self.values), 2):
            if self.paired[even]:
                yield even, 32
            else:
                yield even, 16
                yield even + 1, 16

    def change(self, cell: int, width: int, before: Snapshot) -> int:
        """Signed change of a value since a snapshot, of least size."""
        then = before.values[cell] if width == 16 else before.values[cell] | before.values[cell + 1] << 16
        half = 1 << (width - 1)
        return (self.value(cell, width) - then + half) % (2 * half) - half

    def watch(self, level: int, before: Snapshot) -> dict[int, int]:
        """Start to watch: every value is taken to go on as it did since a snapshot. Returns the steps by cell."""
        self.watched[level] = Traffic()
        steps: dict[int, int] = {}
        for cell, width in self.units():
            if step := self.change(cell, width, before):
                steps[cell] = step
                self.slopes[cell] = {**self.slopes[cell], level: step}
        return steps

    def unwatch(self, level: int) -> None:
        """Stop to watch."""
        del self.watched[level]
        for cell, slope in enumerate(self.slopes):
            if level in slope:
                self.slopes[cell] = {key: step for key, step in slope.items() if key != level}

    def move(self, cell: int, width: int, distance: int) -> None:
        """Add to a value, as skipped iterations would have done; its slope in other levels stays."""
        value = self.value(cell, width) + distance
        self.values[cell] = value & 0xFFFF
        if width == 32:
            self.values[cell + 1] = value >> 16 & 0xFFFF


# --- operations ----------------------------------------------------------------------------------------------------

WIDTHS = {Kind.S16: 16, Kind.S32: 32}
Read = tuple[int, Slope, int]
"""Value, slope and width of a source."""


class Arithmetic:
    """An arithmetic operation on cells."""

    def __init__(self, op: Op, cells: Cells) -> None:
        assert op.form.define is not None
        self.cells = cells
        self.name = op.form.name.split(".")
        self.define = op.form.define
        self.target = op.values["d"]
        self.width = WIDTHS[op.form.operands["d"].kind]
        # (cell or immediate, width; 0 for an immediate)
        self.sources = tuple((op.values[name], WIDTHS.get(op.form.operands[name].kind, 0)) for name in op.form.sources)
        # Conditions are 16 bits wide, and code works on the pairs that they are the low half of.
        self.by_halves = self.width == 32 and self.name[0] in ("AND", "OR", "XOR")

    def quick(self) -> Callable[[], None]:
        """The operation on values alone, for the time in which no level is watched."""
        define, target, width, store = self.define, self.target, self.width, self.cells.store
        sources = [self._reader(place, width) for place, width in self.sources]
        if self.by_halves:
            high = self.cells.after(target)

            def both() -> None:
                result = define(*[source() for source in sources])
                store(target, 16, result)
                store(high, 16, result >> 16)

            return both
        if len(sources) == 1:
            (only,) = sources
            return lambda: store(target, width, define(only()))
        first, second = sources
        return lambda: store(target, width, define(first(), second()))

    def _reader(self, place: int, width: int) -> Callable[[], int]:
        values, high = self.cells.values, self.cells.after(place)
        match width:
            case 0:
                return lambda: place
            case 16:
                return lambda: values[place]
            case _:
                return lambda: values[place] | values[high] << 16

    def follow(self) -> list[Constraint]:
        """The operation on values and slopes; the constraints under which the slopes stay right."""
        if self.by_halves:
            self._follow_halves()
            return []
        read: list[Read] = []
        moving = False
        for place, width in self.sources:
            value, slope = self.cells.get(place, width) if width else (place, INVARIANT)
            moving = moving or bool(slope)
            read.append((value, slope, width or 16))
        result = self.define(*[value for value, _, _ in read])
        if not moving:
            self.cells.set(self.target, self.width, result, INVARIANT)
            return []
        slope, conditions = _carry(self.name, read)
        self.cells.set(self.target, self.width, result, slope)
        return [condition for condition in conditions if condition.steps]

    def _follow_halves(self) -> None:
        """Each half of the result depends on the same halves of the operands, and does not move if they do not."""
        cells, values = self.cells, list[int]()
        slopes: list[list[Slope]] = [[], []]
        for place, width in self.sources:
            if not width:
                values.append(place)
                continue
            low, slope = cells.get(place, 16)
            high, other = cells.get(cells.after(place), 16) if width == 32 else (0, INVARIANT)
            values.append(low | high << 16)
            slopes[0].append(slope)
            slopes[1].append(other)
        result = self.define(*values)
        for place, half in ((self.target, 0), (cells.after(self.target), 1)):
            cells.set(place, 16, result >> 16 * half, opaque(*slopes[half]))


def _carry(name: list[str], read: list[Read]) -> tuple[Slope, list[Constraint]]:
    """Slope of a result, at least one of whose sources has one, and the constraints under which it holds."""
    first, slope, width = read[0]
    second, other = (read[1][0], read[1][1]) if len(read) > 1 else (0, INVARIANT)
    match name[0]:
        case "MOVE":
            return slope, []
        case "CVT":
            return slope, [_unwrapped(first, slope, 16)] if width == 16 else []
        case "NOT":
            return times(slope, -1), []
        case "ADD":
            return plus(slope, other), []
        case "SUB":
            return plus(slope, other, -1), []
        case "SHL" if not other:
            return times(slope, 1 << min(second, width)), []
        case "SHR" if not other:
            return shifted_right(slope, second), [_unwrapped(first, slope, width)]
        case "MUL" if not (slope and other):
            moving, steps, factor = (first, slope, second) if slope else (second, other, first)
            return times(steps, factor), [_unwrapped(moving, steps, 16)] if "WIDE" in name else []
        case "CMP":
            return _compared(name, read)
        case _:
            return opaque(slope, other), []


def _unwrapped(value: int, slope: Slope, width: int) -> Constraint:
    """A value goes on as a plain number, without wrapping round."""
    return Constraint("range", value, followed(slope), width, 0, (1 << width) - 1)


def _compared(name: list[str], read: list[Read]) -> tuple[Slope, list[Constraint]]:
    """A comparison stays what it is, as far as its operands are followed."""
    (first, slope, width), (second, other, _) = read
    _, kind, relation = name
    unknown: Slope = {level: None for both in (slope, other) for level, step in both.items() if step is None}
    if relation in ("EQ", "NE"):
        kept = "nonzero" if first != second else "zero"
        return unknown, [Constraint(kept, first - second, followed(plus(slope, other, -1)), width)]
    low, high = (0, (1 << width) - 1) if kind.startswith("U") else (-(1 << (width - 1)), (1 << (width - 1)) - 1)
    first, second = ((value - low) % (1 << width) + low for value in (first, second))
    edge = -1 if relation == "LT" else 0
    bounds = (-FAR, edge) if first - second <= edge else (edge + 1, FAR)
    return unknown, [
        Constraint("range", first, followed(slope), width, low, high),
        Constraint("range", second, followed(other), width, low, high),
        Constraint("range", first - second, followed(plus(slope, other, -1)), width, *bounds),
    ]
