"""The scalar sequencer: registers, parameter memory, kernel-started DMA.

It runs the scalar words of a block and hands out columns; it never looks at vector data, so the reference engine and
the timing walk share its rules.
"""

from __future__ import annotations

import numpy as np

from openrpp.isa.form import Kind, Op
from openrpp.isa.fram import BUILTINS, MAX_PARAMETERS
from openrpp.machine.memory import Memory

DMA_LENGTH = BUILTINS["dma_ch0_mod1_len"]
DMA_ADDRESSES = tuple(BUILTINS[f"dma_ch0_mod1_{name}"] for name in ("src_hi", "src_lo", "dst_hi", "dst_lo"))
SHARED_FROM = 0x800
"""STGLB words from here on reach every bank: counters that kernels keep must outlive the alternation of banks."""


class Scalars:
    """32 registers of 16 bits; a 32-bit value is a register and the next one, low half first."""

    __slots__ = ("values",)

    def __init__(self) -> None:
        self.values = [0] * 32

    def get(self, register: int, width: int) -> int:
        """Unsigned value of a register (16), of a pair (32) or of two pairs (64)."""
        if width == 16:
            return self.values[register]
        if width == 64:
            return self.get(register, 32) | self.get(register + 2, 32) << 32
        return self.values[register] | self.values[(register + 1) & 31] << 16

    def set(self, register: int, width: int, value: int) -> None:
        """Store the low `width` bits."""
        self.values[register] = value & 0xFFFF
        if width == 32:
            self.values[(register + 1) & 31] = value >> 16 & 0xFFFF

    def set_block(self, x: int, y: int, z: int, grid: tuple[int, int, int], linear: bool) -> None:
        """Block index registers S28 to S31."""
        number = x + grid[0] * (y + grid[1] * z) if linear else x
        self.values[28:32] = [x, y, z, number & 0xFFFF]


_WIDTHS = {Kind.S16: 16, Kind.S32: 32}


def operand(op: Op, name: str, scalars: Scalars) -> int:
    """Value of a scalar operand: a register's content or the immediate itself."""
    width = _WIDTHS.get(op.form.operands[name].kind)
    return op.values[name] if width is None else scalars.get(op.values[name], width)


def compute(op: Op, scalars: Scalars) -> None:
    """Carry out an arithmetic scalar operation."""
    define = op.form.define
    assert define is not None
    result = define(*(operand(op, name, scalars) for name in op.form.sources))
    kind = op.form.operands["d"].kind
    scalars.set(op.values["d"], _WIDTHS[kind], result)


class ParameterMemory:
    """The FRAM bank that a launch reads, and what its STGLB words do. `stored` is what the kernel last wrote where."""

    def __init__(self, memory: Memory, bank: int) -> None:
        self.bank = bank
        self.stored: dict[int, int] = {}
        self._words16 = [region.data.view(np.uint16) for region in memory.fram]

    @classmethod
    def copied(cls, memory: Memory, bank: int) -> ParameterMemory:
        """A private copy, for a walk that must not change the card."""
        made = cls(memory, bank)
        made._words16 = [words.copy() for words in made._words16]
        return made

    def load(self, offset: int, width: int) -> int:
        """The word at a byte offset."""
        words = self._words16[self.bank]
        low = int(words[offset // 2])
        return low if width == 16 else low | int(words[offset // 2 + 1]) << 16

    def store(self, offset: int, width: int, value: int) -> None:
        """Write a word; words from 0x800 on reach every bank."""
        self.stored[offset] = value
        banks = self._words16 if SHARED_FROM <= offset < DMA_ADDRESSES[0] else (self._words16[self.bank],)
        for words in banks:
            words[offset // 2] = value & 0xFFFF
            if width == 32:
                words[offset // 2 + 1] = value >> 16 & 0xFFFF

    def transfer(self) -> tuple[int, int, int]:
        """(source, destination, bytes) of the transfer that the DMA words describe."""
        source_high, source_low, target_high, target_low = (self.load(offset, 32) for offset in DMA_ADDRESSES)
        return source_high << 32 | source_low, target_high << 32 | target_low, self.load(DMA_LENGTH, 32)


__all__ = ["DMA_LENGTH", "MAX_PARAMETERS", "ParameterMemory", "Scalars", "compute", "operand"]
