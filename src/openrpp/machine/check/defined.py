"""Which words of the card's memories have ever been written, by the host, a kernel or a DMA."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from openrpp.machine.memory import Memory, Region

Flags = NDArray[np.bool_]
PAGE_WORDS = 1 << 15
_FULL: Flags = np.ones(PAGE_WORDS, np.bool_)


class Flat:
    """One flag per 16-bit word of a small memory, and one more that is always set."""

    def __init__(self, words: int) -> None:
        self.flags: Flags = np.zeros(words + 1, np.bool_)
        self.flags[-1] = True

    def get(self, first: int, last: int) -> Flags:
        """Flags of words first to last - 1."""
        return self.flags[first:last].copy()

    def put(self, first: int, flags: Flags | bool, last: int) -> None:
        """Set flags of words first to last - 1."""
        self.flags[first:last] = flags


class Paged:
    """The same for a large memory, page by page; a page that is all written takes no room."""

    def __init__(self) -> None:
        self.pages: dict[int, Flags] = {}

    def get(self, first: int, last: int) -> Flags:
        """Flags of words first to last - 1."""
        flags = np.zeros(last - first, np.bool_)
        for page, low, high, at in self._parts(first, last):
            if page in self.pages:
                flags[at : at + high - low] = self.pages[page][low:high]
        return flags

    def put(self, first: int, flags: Flags | bool, last: int) -> None:
        """Set flags of words first to last - 1."""
        for page, low, high, at in self._parts(first, last):
            new = flags if isinstance(flags, bool) else flags[at : at + high - low]
            if high - low == PAGE_WORDS and bool(np.all(new)):
                self.pages[page] = _FULL
                continue
            self.own(page)[low:high] = new

    def own(self, page: int) -> Flags:
        """The flags of a page, ready to be changed."""
        kept = self.pages.get(page)
        if kept is None:
            kept = self.pages[page] = np.zeros(PAGE_WORDS, np.bool_)
        elif kept is _FULL:
            kept = self.pages[page] = _FULL.copy()
        return kept

    @staticmethod
    def _parts(first: int, last: int) -> list[tuple[int, int, int, int]]:
        """(page, first word and last word + 1 in it, place in the range) of each page that a range touches."""
        parts: list[tuple[int, int, int, int]] = []
        for page in range(first // PAGE_WORDS, -(-last // PAGE_WORDS)):
            low, high = max(first, page * PAGE_WORDS), min(last, (page + 1) * PAGE_WORDS)
            parts.append((page, low - page * PAGE_WORDS, high - page * PAGE_WORDS, low - first))
        return parts


class DefinedMemory:
    """Flags for all memories. A write of one byte of a word counts for the word."""

    def __init__(self, memory: Memory) -> None:
        self.memory = memory
        self._flat = {region.base: Flat(region.data.size // 2) for region in (memory.sram, memory.pram, *memory.fram)}
        self._ddr = Paged()
        self.sram: Flags = self._flat[memory.sram.base].flags
        self.fram: tuple[Flags, ...] = tuple(self._flat[bank.base].flags for bank in memory.fram)

    def _flags(self, region: Region) -> Flat | Paged:
        return self._flat.get(region.base, self._ddr)

    def _words(self, address: int, nbytes: int) -> tuple[Flat | Paged, int, int]:
        """The flags of a range and its first and last + 1 word."""
        found = self.memory.region(address, nbytes)
        assert found is not None, "the engine checks ranges first"
        region, offset = found
        return self._flags(region), offset // 2, (offset + nbytes + 1) // 2

    def write(self, address: int, nbytes: int) -> None:
        """A range was written."""
        if nbytes:
            flags, first, last = self._words(address, nbytes)
            flags.put(first, True, last)

    def copy(self, source: int, target: int, nbytes: int) -> None:
        """A range was copied: what was not written at the source is not written at the target."""
        flags, first, last = self._words(source, nbytes)
        known = flags.get(first, last)
        into, start, end = self._words(target, nbytes)
        if source % 2 == 0 and target % 2 == 0:
            into.put(start, known, end)
            return
        octets = np.repeat(known, 2)[source % 2 : source % 2 + nbytes]
        around = np.repeat(into.get(start, end), 2)
        around[target % 2 : target % 2 + nbytes] = octets
        into.put(start, around[0::2] & around[1::2], end)

    # --- lanes that reach DDR directly (extension "ddr") ---------------------------------------------------------

    def _ddr_words(self, addresses: NDArray[Any]) -> NDArray[np.int64]:
        """Word indices in DDR; addresses outside it, which the engine refuses, fall on its first word."""
        ddr = self.memory.ddr
        offsets = addresses.astype(np.int64) - ddr.base
        offsets = np.where(offsets >= ddr.data.size, offsets - self.memory.alias, offsets)
        return np.where((offsets < 0) | (offsets >= ddr.data.size), 0, offsets) >> 1

    def get_ddr(self, addresses: NDArray[Any]) -> Flags:
        """Flags of the words at addresses, in their shape."""
        words = self._ddr_words(addresses)
        flags = np.zeros(words.shape, np.bool_)
        for page in np.unique(words // PAGE_WORDS):
            kept = self._ddr.pages.get(int(page))
            if kept is not None:
                inside = words // PAGE_WORDS == page
                flags[inside] = kept[words[inside] % PAGE_WORDS]
        return flags

    def put_ddr(self, addresses: NDArray[Any]) -> None:
        """Words at addresses were written."""
        words = self._ddr_words(addresses)
        for page in np.unique(words // PAGE_WORDS):
            kept = self._ddr.own(int(page))
            kept[words[words // PAGE_WORDS == page] % PAGE_WORDS] = True
