"""A first-fit allocator over one address range, with neighbours joined on release."""

from __future__ import annotations

from bisect import bisect_left

from openrpp.runtime.errors import OutOfMemory


class FreeList:
    """Hands out pieces of an address range.

    Pieces start at multiples of `alignment` from `base`, are rounded up to it, and are followed by `guard` bytes that
    nobody gets. The first gap that is large enough is taken, so the lowest addresses fill first.

    Args:
        name: of the memory, for errors.
        base: first address.
        size: bytes of the range.
        alignment: bytes, a power of two is not needed.
        guard: bytes behind each piece.
    """

    def __init__(self, name: str, base: int, size: int, alignment: int = 1, guard: int = 0) -> None:
        self.name = name
        self.base = base
        self.size = size
        self.alignment = alignment
        self.guard = guard
        self._gaps: list[tuple[int, int]] = [(base, size)]  # (start, bytes), ascending, never adjacent
        self._taken: dict[int, int] = {}
        self._wanted: dict[int, int] = {}

    @property
    def gaps(self) -> list[tuple[int, int]]:
        """(start, bytes) of what is free, ascending."""
        return list(self._gaps)

    @property
    def free(self) -> int:
        """Bytes in all gaps."""
        return sum(size for _, size in self._gaps)

    @property
    def largest(self) -> int:
        """Bytes of the largest gap."""
        return max((size for _, size in self._gaps), default=0)

    @property
    def used(self) -> int:
        """Bytes handed out, rounding and guards included."""
        return self.size - self.free

    @property
    def pieces(self) -> dict[int, int]:
        """Address -> bytes as they were asked for, of each piece that is handed out."""
        return dict(self._wanted)

    def footprint(self, nbytes: int) -> int:
        """Bytes that a piece of `nbytes` takes: rounded up, plus guard."""
        return -(-max(nbytes, 1) // self.alignment) * self.alignment + self.guard

    def allocate(self, nbytes: int) -> int:
        """Address of a free piece of `nbytes`. Raises OutOfMemory with the figures."""
        asked = self.footprint(nbytes)
        for index, (start, size) in enumerate(self._gaps):
            if size >= asked:
                rest = [(start + asked, size - asked)] if size > asked else []
                self._gaps[index : index + 1] = rest
                self._taken[start] = asked
                self._wanted[start] = nbytes
                return start
        raise OutOfMemory(self.name, nbytes, asked, self.free, self.largest)

    def release(self, address: int) -> None:
        """Give a piece back. Raises KeyError for an address that is not handed out."""
        start, size = address, self._taken.pop(address)
        del self._wanted[address]
        index = bisect_left(self._gaps, (start, 0))
        if index < len(self._gaps) and start + size == self._gaps[index][0]:
            size += self._gaps.pop(index)[1]
        if index and sum(self._gaps[index - 1]) == start:
            index -= 1
            before, length = self._gaps.pop(index)
            start, size = before, length + size
        self._gaps.insert(index, (start, size))
