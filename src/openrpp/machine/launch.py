"""A launch: geometry, parameters, and the words that the runtime writes to parameter memory before it starts."""

from __future__ import annotations

import numbers
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import cast

import numpy as np

from openrpp.arch import Card
from openrpp.isa.fram import BUILTINS
from openrpp.isa.program import Kernel
from openrpp.machine.code import Code
from openrpp.machine.faults import LaunchError
from openrpp.machine.memory import Memory

Triple = tuple[int, int, int]
THREAD_TABLE_BYTES = 16 * 1024
"""Room for one 16-bit id per thread, at the very top of SRAM inside the spill region."""
CODE_SIZE = 0x100


def triple(value: object, what: str) -> Triple:
    """An (x, y, z) extent; missing axes are 1. Raises LaunchError for what is no extent."""
    parts: tuple[object, ...] = tuple(cast("Iterable[object]", value)) if isinstance(value, Iterable) else (value,)
    numbers_ = [int(part) for part in parts if isinstance(part, numbers.Integral)]
    if len(numbers_) != len(parts) or not 1 <= len(parts) <= 3:
        raise LaunchError(f"{what} {value!r} is not an extent of one to three whole numbers")
    x, y, z = [*numbers_, 1, 1][:3]
    return x, y, z


@lru_cache(maxsize=256)
def _code(kernel: Kernel) -> Code:
    return Code(kernel)


def code_of(kernel: Kernel) -> Code:
    """Decoded words of a kernel, kept for later launches."""
    return _code(kernel)


@dataclass
class Launch:
    """A checked launch. `data_words` are the FRAM words (offset / 2) that a transfer of this launch has written."""

    kernel: Kernel
    grid: Triple
    block: Triple
    tail: Triple
    params: tuple[int, ...]
    code: Code = field(init=False)
    data_words: set[int] = field(default_factory=set[int])

    def __post_init__(self) -> None:
        self.code = code_of(self.kernel)

    @property
    def threads(self) -> int:
        """Threads of a block."""
        return self.block[0] * self.block[1] * self.block[2]

    @property
    def blocks(self) -> int:
        """Blocks of the grid."""
        return self.grid[0] * self.grid[1] * self.grid[2]

    def is_wide(self, register: int) -> bool:
        """Whether a jump's register names a 32-bit variable; machine code does not say, so an even register counts."""
        return register % 2 == 0

    def note_transfer(self, memory: Memory, target: int, nbytes: int) -> None:
        """Remember FRAM words that a transfer changed."""
        found = memory.region(target, nbytes)
        if found is not None and found[0] in memory.fram:
            self.data_words.update(range(found[1] // 2, (found[1] + nbytes + 1) // 2))


def prepare(
    card: Card,
    kernel: Kernel,
    grid: Sequence[int],
    block: Sequence[int],
    params: Sequence[int],
    tail: Sequence[int] | None,
) -> Launch:
    """Check a launch against the card's limits. Raises LaunchError with the limit that it breaks."""
    grid3, block3 = triple(grid, "grid"), triple(block, "block")
    tail3 = block3 if tail is None else triple(tail, "tail block")
    limit = card.limits.grid.value
    if not all(1 <= extent <= limit for extent in grid3):
        raise LaunchError(f"grid {grid3}: every axis must be 1 to {limit}")
    for what, shape in (("block", block3), ("tail block", tail3)):
        threads = shape[0] * shape[1] * shape[2]
        if min(shape) < 1 or threads > card.limits.threads.value:
            most = f"{card.limits.threads.value} ({card.limits.warps.value} warps of {card.limits.warp.value})"
            raise LaunchError(f"{what} {shape} has {threads} threads; a block has 1 to {most}")
    return Launch(kernel, grid3, block3, tail3, _parameters(card, kernel, params))


def _parameters(card: Card, kernel: Kernel, params: Sequence[int]) -> tuple[int, ...]:
    most = card.limits.params.value
    if len(params) > most:
        raise LaunchError(f"{len(params)} parameters; a launch passes at most {most}")
    declared = len(kernel.params)
    # Published images may be older than the host code and declare fewer parameters than it passes.
    too_many = len(params) > declared and bool(kernel.source)
    if len(params) < declared or too_many:
        names = ", ".join(param.name for param in kernel.params) or "none"
        raise LaunchError(f"kernel {kernel.name} takes {declared} parameters ({names}), got {len(params)}")
    return tuple(_word(value, index) for index, value in enumerate(params))


def _word(value: object, index: int) -> int:
    number = None if isinstance(value, bool) or not isinstance(value, numbers.Integral) else int(value)
    if number is None:
        kind = type(value).__name__
        raise LaunchError(f"parameter {index} is {value!r} ({kind}); pass the 32-bit pattern as a whole number")
    if not -(1 << 31) <= number < 1 << 32:
        raise LaunchError(f"parameter {index} is {number}, which does not fit 32 bits")
    return number & 0xFFFF_FFFF


def thread_table(block: Triple) -> tuple[np.ndarray[tuple[int], np.dtype[np.uint16]], int]:
    """(packed ids of all threads, depack word): x | y << bx | z << (bx + by), depack = bx | by << 8."""
    bits_x, bits_y = ((extent - 1).bit_length() for extent in block[:2])
    i = np.arange(block[0] * block[1] * block[2], dtype=np.uint32)
    x, y, z = i % block[0], i // block[0] % block[1], i // (block[0] * block[1])
    packed = x | y << np.uint32(bits_x) | z << np.uint32(bits_x + bits_y)
    return packed.astype(np.uint16), bits_x | bits_y << 8


def write_parameters(memory: Memory, launch: Launch, bank: int) -> None:
    """Fill one FRAM bank and the thread-id table for a launch."""
    words = memory.fram[bank].data.view(np.uint16)
    ids, depack = thread_table(launch.block)
    offset = memory.sram.data.size - THREAD_TABLE_BYTES
    memory.sram.data[offset : offset + ids.nbytes] = ids.view(np.uint8)

    def put(at: int, value: int, width: int = 16) -> None:
        words[at // 2] = value & 0xFFFF
        if width == 32:
            words[at // 2 + 1] = value >> 16 & 0xFFFF

    for index, value in enumerate(launch.params):
        put(4 * index, value, 32)
    put(CODE_SIZE, 4 * len(launch.kernel.words))
    for name, extents in (("grid.", launch.grid), ("tbDim.", launch.block)):
        for axis, extent in zip("xyz", extents, strict=True):
            put(BUILTINS[f"{name}{axis}"], extent)
    for axis, extent in zip("xyz", launch.tail, strict=True):
        put(BUILTINS[f"dim{axis}_shadow"], extent)
    put(BUILTINS["tid_xyz"], launch.threads)
    put(BUILTINS["xyzcfg_shadow"], launch.tail[0] * launch.tail[1] * launch.tail[2])
    put(BUILTINS["tid_base"], memory.sram.base + offset, 32)
    put(BUILTINS["tid_depack"], depack, 32)


@dataclass
class Scratch:
    """A copy of what the runtime writes for a launch: all FRAM banks and the thread-id table."""

    parts: list[np.ndarray[tuple[int], np.dtype[np.uint8]]]

    @staticmethod
    def _live(memory: Memory) -> list[np.ndarray[tuple[int], np.dtype[np.uint8]]]:
        return [*(bank.data for bank in memory.fram), memory.sram.data[-THREAD_TABLE_BYTES:]]

    @classmethod
    def of(cls, memory: Memory) -> Scratch:
        """Copy the present content."""
        return cls([part.copy() for part in cls._live(memory)])

    def exchange(self, memory: Memory) -> Scratch:
        """Put the copied content back; a copy of what stood there instead."""
        now = Scratch.of(memory)
        for live, kept in zip(self._live(memory), self.parts, strict=True):
            live[:] = kept
        return now
