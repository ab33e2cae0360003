"""Registers while a program is lifted: each holds a value of the kernel IR, as a pair, as two halves, or as both.

A pair that is only ever used as a pair stays one i32, so that addresses remain sums of 32-bit values; taking a half or
joining two is done when somebody asks, once.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from openrpp.codegen.lift.emit import Emitter
from openrpp.kir.ir import Value

Half = tuple[int, Value]


@dataclass(frozen=True)
class Cell:
    """A pair of 16-bit registers: as one value, as two, or both; what is None follows from the rest."""

    whole: Value | None = None
    low: Value | None = None
    high: Value | None = None


class Registers:
    """16-bit registers by number; an even one and the next make a pair."""

    def __init__(self, to: Emitter, cells: dict[int, Cell] | None = None) -> None:
        self.to = to
        self.cells = dict(cells or {})

    def half(self, number: int) -> Value:
        """A 16-bit register."""
        place = number & ~1
        cell = self.cells[place]
        known = cell.high if number & 1 else cell.low
        if known is not None:
            return known
        assert cell.whole is not None
        found = self.to.high(cell.whole) if number & 1 else self.to.low(cell.whole)
        self.cells[place] = replace(cell, high=found) if number & 1 else replace(cell, low=found)
        return found

    def pair(self, number: int, wrap: int = 0) -> Value:
        """A 32-bit value: a register and the next one; `wrap` is the number of registers of a file that has an end."""
        if number & 1:
            after = (number + 1) % wrap if wrap else number + 1
            return self.to.joined(self.half(number), self.half(after))
        cell = self.cells[number]
        if cell.whole is None:
            assert cell.low is not None and cell.high is not None
            cell = self.cells[number] = replace(cell, whole=self.to.joined(cell.low, cell.high))
        assert cell.whole is not None
        return cell.whole

    def set_half(self, number: int, value: Value) -> None:
        """Write a 16-bit register; the other half of its pair stays."""
        place = number & ~1
        other = self.half(number ^ 1)
        self.cells[place] = Cell(None, other, value) if number & 1 else Cell(None, value, other)

    def set_pair(self, number: int, value: Value, wrap: int = 0) -> None:
        """Write a 32-bit value."""
        if number & 1:
            self.set_half(number, self.to.low(value))
            self.set_half((number + 1) % wrap if wrap else number + 1, self.to.high(value))
        else:
            self.cells[number] = Cell(value)

    def copy(self) -> dict[int, Cell]:
        """The present content."""
        return dict(self.cells)
