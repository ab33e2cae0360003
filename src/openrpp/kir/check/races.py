"""Who accessed which bytes last, and which of it is not ordered.

A cell stands for four bytes, or for one where smaller accesses were seen. Cells live in dictionaries rather than arrays
over all of memory: a launch that can be interpreted touches little of it. Of reads and of atomics two are kept per
cell, in different blocks or warps if there are such: whatever races with any of them races with one of the two, up to
warp barriers of a part of a warp.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from openrpp.kir.check.order import Known, Segment, joined
from openrpp.kir.ir import Instr
from openrpp.kir.ops.threads import WARP

Entry = tuple[Segment, Instr]
Table = dict[int, tuple[Entry, ...]]


class Cells:
    """The accesses to one memory that later ones may race with."""

    def __init__(self) -> None:
        self._writes: dict[int, Entry] = {}
        self._reads: Table = {}
        self._atomics: Table = {}
        self._flags: Table = {}  # reads of flags: volatile, in device memory
        self._split: set[int] = set()
        self._published: dict[int, Known] = {}

    def clear(self) -> None:
        """Everything so far comes before everything that follows."""
        for table in (self._writes, self._reads, self._atomics, self._flags, self._split, self._published):
            table.clear()

    def keys(self, address: int, size: int) -> Sequence[int]:
        """The cells of some bytes."""
        if not (address | size) & 3 and not self._split:
            return (address >> 2,) if size == 4 else range(address >> 2, (address + size) >> 2)
        if size == 1 and address >> 2 in self._split:
            return (~address,)
        return self._fine_keys(address, address + size)

    def _fine_keys(self, start: int, end: int) -> list[int]:
        found: list[int] = []
        for word in range(start >> 2, (end + 3) >> 2):
            first, last = max(start, word << 2), min(end, (word + 1) << 2)
            if last - first < 4 and word not in self._split:
                self._split_word(word)
            found += [~byte for byte in range(first, last)] if word in self._split else [word]
        return found

    def _split_word(self, word: int) -> None:
        self._split.add(word)
        bytes_of = [~byte for byte in range(word << 2, (word + 1) << 2)]
        for table in (self._writes, self._reads, self._atomics, self._flags):
            _spread(table, word, bytes_of)

    # --- accesses: each gives one earlier access that it races with, or None --------------------------------

    def read(self, keys: Iterable[int], entry: Entry, *, verified: bool = False) -> Entry | None:
        """A plain read; one that is `verified` later may race with atomics."""
        segment, other = entry[0], None
        writes, atomics, reads = self._writes, self._atomics, self._reads
        for key in keys:
            write = writes.get(key)
            if write is not None and write[0] is not segment and not write[0].before(segment):
                other = write
            if verified:
                _keep(self._flags, key, entry)
                continue
            if atomics and key in atomics:
                other = _unordered(atomics[key], segment) or other
            _keep(reads, key, entry)
        return other

    def write(self, keys: Iterable[int], entry: Entry) -> Entry | None:
        """A plain write."""
        segment, other = entry[0], None
        writes = self._writes
        for key in keys:
            for table in (self._reads, self._atomics, self._flags):
                if table and key in table:
                    other = _unordered(table.pop(key), segment) or other
            write = writes.get(key)
            if write is not None and write[0] is not segment and not write[0].before(segment):
                other = write
            writes[key] = entry
        return other

    def atomic(self, keys: Iterable[int], entry: Entry) -> Entry | None:
        """An atomic update, or a write of a flag."""
        segment, other = entry[0], None
        for key in keys:
            write = self._writes.get(key)
            if write is not None and write[0] is not segment and not write[0].before(segment):
                other = write
            if key in self._reads:
                other = _unordered(self._reads[key], segment) or other
            if key in self._atomics:
                other = _too_narrow(self._atomics[key], entry) or other
            _keep(self._atomics, key, entry)
        return other

    def flag(self, keys: Iterable[int], entry: Entry) -> Entry | None:
        """A read of a flag: it may meet writes of flags and atomics, but no plain writes."""
        segment, other = entry[0], None
        for key in keys:
            write = self._writes.get(key)
            if write is not None and write[0] is not segment and not write[0].before(segment):
                other = write
            _keep(self._flags, key, entry)
        return other

    # --- fences ----------------------------------------------------------------------------------------------

    def publish(self, key: int, known: Known) -> None:
        """Whoever reads this cell as a flag or by an atomic learns what is known."""
        self._published[key] = joined([self._published.get(key), known]) or known

    def published(self, key: int) -> Known | None:
        """What the cell makes known."""
        return self._published.get(key)


def _spread(table: dict[int, Entry] | Table, word: int, keys: Sequence[int]) -> None:
    found = table.pop(word, None)
    if found is not None:
        table.update(dict.fromkeys(keys, found))  # pyright: ignore[reportArgumentType, reportCallIssue]


def _unordered(entries: Iterable[Entry], segment: Segment) -> Entry | None:
    for entry in entries:
        if entry[0] is not segment and not entry[0].before(segment):
            return entry
    return None


def _too_narrow(entries: Iterable[Entry], entry: Entry) -> Entry | None:
    """An atomic of another block, if either of the two is one for its own block only."""
    mine = entry[1].attr("scope") == "block"
    for other in entries:
        if other[0].block != entry[0].block and (mine or other[1].attr("scope") == "block"):
            return _unordered((other,), entry[0])
    return None


def _keep(table: Table, key: int, entry: Entry) -> None:
    old = table.get(key)
    segment = entry[0]
    if old is None:
        table[key] = (entry,)
        return
    first = old[0]
    if len(old) == 1:
        if first[0] is not segment:
            table[key] = (entry,) if first[0].before(segment) else (first, entry)
        return
    a, b = first[0], old[1][0]
    if a.block == segment.block and a.epoch == segment.epoch and _apart(a, b):
        return
    left = tuple(item for item in old if item[0] is not segment and not item[0].before(segment))
    if len(left) < 2:
        table[key] = (*left, entry)
    elif not _apart(a, b) and _apart(a, segment):
        table[key] = (first, entry)


def _apart(a: Segment, b: Segment) -> bool:
    return a.block != b.block or a.number // WARP != b.number // WARP
