"""Scalar registers whose steps per loop iteration are known, and how each scalar operation carries them on."""

from __future__ import annotations

from collections.abc import Iterator

from openrpp.isa.form import Kind, Op
from openrpp.machine.affine import NONE, Constraint, Slope, plus, reduced, times

REGISTERS = 32


class Registers:
    """Values of the 32 registers and their steps; a 32-bit write keeps the steps of the pair as a whole."""

    def __init__(self) -> None:
        self.values = [0] * REGISTERS
        self.steps: list[Slope] = [NONE] * REGISTERS
        self.pair: list[bool] = [False] * REGISTERS  # at an even register: the steps there are those of the pair
        self.written: dict[int, set[int]] = {}  # level -> registers written since it is watched
        self.live_in: dict[int, set[int]] = {}  # level -> registers read before they were written
        self.unmoved: set[int] = set()  # levels at whose end some register was not a step further on

    # --- access ---------------------------------------------------------------------------------------------------

    def get(self, register: int, width: int) -> tuple[int, Slope]:
        """Value and steps of a register or a pair."""
        for level, written in self.written.items():
            self.live_in[level].update(
                {register, (register + 1) & 31} - written if width == 32 else {register} - written
            )
        if width == 16:
            return self.values[register], self._half(register)
        high = (register + 1) & 31
        value = self.values[register] | self.values[high] << 16
        if register % 2 == 0 and self.pair[register]:
            return value, self.steps[register]
        low_steps, high_steps = self._half(register), self._half(high)
        return value, NONE if low_steps == NONE and high_steps == NONE else None

    def _half(self, register: int) -> Slope:
        even = register & ~1
        if not self.pair[even]:
            return self.steps[register]
        steps = self.steps[even]
        if not steps:
            return steps
        return reduced(steps, 16) if register == even else None

    def set(self, register: int, width: int, value: int, steps: Slope) -> None:
        """Store a value of 16 or 32 bits with its steps."""
        for written in self.written.values():
            written.update((register, (register + 1) & 31) if width == 32 else (register,))
        if width == 32 and register % 2 == 0:
            self.values[register], self.values[register + 1] = value & 0xFFFF, value >> 16 & 0xFFFF
            self.pair[register] = True
            self.steps[register] = reduced(steps, 32)
            return
        if width == 32:
            odd = NONE if steps == NONE else None
            self.set(register, 16, value, odd)
            self.set((register + 1) & 31, 16, value >> 16, odd)
            return
        even = register & ~1
        if self.pair[even]:
            self.steps[even], self.steps[even + 1] = self._half(even), self._half(even + 1)
            self.pair[even] = False
        self.values[register] = value & 0xFFFF
        self.steps[register] = reduced(steps, 16)

    # --- levels ---------------------------------------------------------------------------------------------------

    def snapshot(self) -> tuple[tuple[int, ...], tuple[bool, ...]]:
        """All values, and which registers are pairs."""
        return tuple(self.values), tuple(self.pair)

    def _units(self, pairs: tuple[bool, ...]) -> Iterator[tuple[int, int]]:
        """(register, width) of every independent value."""
        for register in range(REGISTERS):
            if pairs[register & ~1]:
                if register % 2 == 0:
                    yield register, 32
            else:
                yield register, 16

    @staticmethod
    def _join(values: tuple[int, ...], register: int, width: int) -> int:
        return values[register] if width == 16 else values[register] | values[register + 1] << 16

    def differences(self, before: tuple[int, ...], now: tuple[int, ...], pairs: tuple[bool, ...]) -> tuple[int, ...]:
        """Signed change of every value between two snapshots."""
        found = [0] * REGISTERS
        for register, width in self._units(pairs):
            change = self._join(now, register, width) - self._join(before, register, width)
            half = 1 << (width - 1)
            found[register] = (change + half) % (2 * half) - half
        return tuple(found)

    def add_level(self, level: int, steps: tuple[int, ...], pairs: tuple[bool, ...]) -> None:
        """Start to watch: every value has this step per iteration of the level."""
        self.written[level], self.live_in[level] = set(), set()
        for register, _ in self._units(pairs):
            slope = self.steps[register]
            if steps[register] and slope is not None:
                self.steps[register] = reduced({**slope, level: steps[register]}, 32 if pairs[register & ~1] else 16)

    def remove_level(self, level: int) -> None:
        """Stop to watch."""
        del self.written[level], self.live_in[level]
        self.unmoved.discard(level)
        for register, slope in enumerate(self.steps):
            if slope and level in slope:
                self.steps[register] = {key: step for key, step in slope.items() if key != level}

    def moved(
        self,
        level: int,
        before: tuple[int, ...],
        steps: tuple[int, ...],
        pairs: tuple[bool, ...],
        slopes: tuple[Slope, ...],
    ) -> bool:
        """Whether every value that the iteration starts from stands one step further and moves as it did.

        Values that the iteration computes anew before it reads them need not: the level is marked as `stale`.
        """
        now = tuple(self.values)
        for register, width in self._units(pairs):
            change = self._join(now, register, width) - self._join(before, register, width)
            right = (change - steps[register]) % (1 << width) == 0 and self.steps[register] == slopes[register]
            if right and self.steps[register] is not None:
                continue
            touched = {register, register + 1} if width == 32 else {register}
            if touched & self.live_in[level]:
                return False
            if touched & self.written[level] or not right:
                self.unmoved.add(level)
        return True

    def stale(self, level: int) -> bool:
        """Whether some register of the level could not be moved and must be computed again."""
        return level in self.unmoved

    def shift(self, steps: tuple[int, ...], pairs: tuple[bool, ...], iterations: int) -> None:
        """Move every value by a number of iterations; the steps of other levels stay."""
        now = tuple(self.values)
        for register, width in self._units(pairs):
            value = (self._join(now, register, width) + steps[register] * iterations) % (1 << width)
            self.values[register] = value & 0xFFFF
            if width == 32:
                self.values[register + 1] = value >> 16


_WIDTHS = {Kind.S16: 16, Kind.S32: 32}


def advance(op: Op, registers: Registers) -> list[Constraint | None]:
    """Carry out an arithmetic operation on values and steps.

    Returns what it decided: constraints under which the steps stay right, None for a decision by an opaque value.
    """
    read: list[tuple[int, Slope, int]] = []
    for name in op.form.sources:
        width = _WIDTHS.get(op.form.operands[name].kind)
        value, slope = (op.values[name], NONE) if width is None else registers.get(op.values[name], width)
        read.append((value, slope, width or 16))
    define = op.form.define
    assert define is not None
    result = define(*(value for value, _, _ in read))
    target = op.form.operands["d"].kind
    width = _WIDTHS[target]
    if all(slope == NONE for _, slope, _ in read):
        registers.set(op.values["d"], width, result, NONE)
        return []
    slope, decided = _carry(op.form.name.split("."), read)
    registers.set(op.values["d"], width, result, slope)
    return decided


def _carry(name: list[str], read: list[tuple[int, Slope, int]]) -> tuple[Slope, list[Constraint | None]]:
    """Steps of a result whose sources have steps, and the constraints under which they hold."""
    first, slope, width = read[0]
    second, other = (read[1][0], read[1][1]) if len(read) > 1 else (0, NONE)
    match name[0]:
        case "MOVE":
            return slope, []
        case "ADD":
            return plus(slope, other), []
        case "SUB":
            return plus(slope, other, -1), []
        case "SHL" if other == NONE:
            return times(slope, 1 << second), []
        case "CVT":
            return _widened(name[1:] == ["U16", "U32"], first, slope)
        case "MUL":
            return _product(name, read)
        case "CMP":
            return NONE, _compared(name, first - second, plus(slope, other, -1), width, read)
        case _:
            return None, []


def _widened(up: bool, value: int, slope: Slope) -> tuple[Slope, list[Constraint | None]]:
    if not up or not slope:
        return slope, []
    return slope, [Constraint("range", value, slope)]


def _product(name: list[str], read: list[tuple[int, Slope, int]]) -> tuple[Slope, list[Constraint | None]]:
    (a, slope_a, _), (b, slope_b, _) = read
    if slope_a and slope_b:
        return None, []
    if slope_a is None or slope_b is None:
        return None, []
    slope = times(slope_a, b) if slope_a else times(slope_b, a)
    if "WIDE" not in name:
        return slope, []
    value, steps = (a, slope_a) if slope_a else (b, slope_b)
    return slope, [Constraint("range", value, steps)]


def _compared(
    name: list[str], difference: int, steps: Slope, width: int, read: list[tuple[int, Slope, int]]
) -> list[Constraint | None]:
    if steps is None:
        return [None]
    if "EQ" in name or "NE" in name:
        if not steps:
            return []
        return [Constraint("nonzero" if difference % (1 << width) else "zero", difference, steps, width)]
    facts: list[Constraint | None] = []
    limit = (1 << width) - 1 if "U16" in name or "U32" in name else (1 << (width - 1)) - 1
    for value, slope, _ in read:
        if slope:
            facts.append(Constraint("range", value, slope, width, 0, limit))
    holds = difference < 0 if "LT" in name else difference <= 0
    far = 1 << 40
    edge = -1 if "LT" in name else 0
    if steps:
        low, high = (-far, edge) if holds else (edge + 1, far)
        facts.append(Constraint("range", difference, steps, width, low, high))
    return facts
