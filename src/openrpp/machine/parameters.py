"""Parameter memory as the timing walk sees it: words that the kernel writes are cells, whose steps are followed."""

from __future__ import annotations

from openrpp.isa.fram import BUILTINS
from openrpp.machine.affine import INVARIANT, Slope, opaque
from openrpp.machine.items import WalkError
from openrpp.machine.loops import Loops, decided
from openrpp.machine.memory import Memory
from openrpp.machine.scalars import DMA_LENGTH
from openrpp.machine.steps import Cells

_SOURCE, _TARGET = ((BUILTINS[f"dma_ch0_mod1_{end}_hi"], BUILTINS[f"dma_ch0_mod1_{end}_lo"]) for end in ("src", "dst"))


class WalkedParameters:
    """One bank of parameter memory, private to a walk. `data_words`: offset / 2 of words that a DMA has written."""

    def __init__(self, memory: Memory, bank: int, cells: Cells, loops: Loops) -> None:
        self.memory = memory
        self.cells = cells
        self.loops = loops
        self.start: list[int] = memory.fram[bank].data.view("<u2").tolist()
        self.written: dict[int, int] = {}  # offset / 2 of a word that the kernel has written -> its cell
        self.data_words: set[int] = set()

    def check(self, offset: int, width: int) -> None:
        """Raises WalkError for words that do not exist."""
        if offset // 2 + width // 16 > len(self.start):
            raise WalkError(f"parameter memory ends before byte {offset:#x}")

    def load(self, offset: int, width: int) -> tuple[int, Slope]:
        """The value of 16 or 32 bits at a byte offset, and its slope."""
        place = offset // 2
        cell = self.written.get(place)
        if width == 32 and place % 2 == 0 and cell is not None:
            return self.cells.get(cell, 32)
        low, slope = (self.start[place], INVARIANT) if cell is None else self.cells.get(cell, 16)
        if width == 16:
            return low, slope
        high, other = self.load(offset + 2, 16)
        return low | high << 16, opaque(slope, other)

    def store(self, offset: int, width: int, value: int, slope: Slope) -> None:
        """Write 16 or 32 bits at a byte offset."""
        if width == 32 and offset % 4 == 0:
            self.cells.set(self._cell(offset), 32, value, slope)
            return
        half = slope if width == 16 else opaque(slope)
        for part in range(width // 16):
            self.cells.set(self._cell(offset + 2 * part), 16, value >> 16 * part, half)

    def _cell(self, offset: int) -> int:
        place = offset // 2
        if place not in self.written:
            even = place & ~1
            cell = self.cells.add_pair(self.start[even], self.start[even + 1])
            self.written[even], self.written[even + 1] = cell, cell + 1
        return self.written[place]

    def word(self, offset: int) -> int:
        """The 16 bits that stand at a byte offset now."""
        cell = self.written.get(offset // 2)
        return self.start[offset // 2] if cell is None else self.cells.values[cell]

    def transfer(self) -> tuple[int, str, str]:
        """Bytes, source and target memory of the transfer that the DMA words describe. Raises WalkError.

        Watched iterations must move as many bytes between the same memories.
        """
        nbytes, slope = self.load(DMA_LENGTH, 32)
        self.loops.fix(slope)
        if not nbytes:
            return 0, "", ""
        return nbytes, self._end(_SOURCE, nbytes), self._end(_TARGET, nbytes)

    def _end(self, words: tuple[int, int], nbytes: int) -> str:
        top, slope = self.load(words[0], 32)
        self.loops.fix(slope)
        bottom, slope = self.load(words[1], 32)
        address = top << 32 | bottom
        found = self.memory.region(address, nbytes)
        if found is None:
            sentence = f"a transfer of {nbytes} bytes at {address:#x} is not in one memory"
            raise WalkError(f"{sentence}; {self.memory.map_text()}")
        region, offset = found
        if region in self.memory.fram:
            self.loops.fix(slope)
            if words is _TARGET:
                self.data_words.update(range(offset // 2, (offset + nbytes + 1) // 2))
        first = max(address - offset, top << 32)
        last = min(address - offset + region.data.size - nbytes, top << 32 | 0xFFFF_FFFF)
        self.loops.decide(decided("range", address, slope, 64, first, last), slope)
        return region.name.split()[0]
