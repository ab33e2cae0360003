"""Packing operations with registers into columns: each as early as its operands, its registers and its unit allow."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Collection
from dataclasses import dataclass, field

from openrpp.codegen.card.registers import BANK, COPIES_PER_BANK, HIGH, LOW, VAB
from openrpp.codegen.card.text import Text
from openrpp.kir.location import Location

_COPY = re.compile(r"COPY(?:EXT)? VAB, (?P<pair>\w{3})")


@dataclass(slots=True)
class Op:
    """One operation: vector instructions that stand in one column, and the scalar ones before them.

    `units` are those of the column that it takes: load, store, gather, address, pe, and passing, which is MAB. `reads`
    and `writes` are register pairs, VAB and DVA; `pe_reads` are those that the processing element reads, which no move
    or load of the same column may write. Loads and stores keep their order where `memory` says what they are.
    """

    vector: list[str] = field(default_factory=list[str])
    scalar: list[str] = field(default_factory=list[str])
    units: frozenset[str] = frozenset()
    copies: tuple[str, ...] = ()  # destination pairs
    reads: frozenset[str] = frozenset()
    pe_reads: frozenset[str] = frozenset()
    writes: frozenset[str] = frozenset()
    scalar_reads: frozenset[str] = frozenset()
    captured: frozenset[str] = frozenset()  # scalar registers that the vector instructions read
    scalar_writes: frozenset[str] = frozenset()
    late: frozenset[str] = frozenset()  # scalar registers that the vector instructions write (votes)
    memory: str = ""
    alone: bool = False
    location: Location | None = None  # of the source; the packer's own where it is None
    own: dict[str, Location] = field(default_factory=dict[str, Location])  # of single vector instructions


@dataclass(slots=True)
class _Column:
    scalar: list[str] = field(default_factory=list[str])
    vector: list[str] = field(default_factory=list[str])
    units: set[str] = field(default_factory=set[str])
    copies: list[str] = field(default_factory=list[str])
    writes: set[str] = field(default_factory=set[str])
    scalar_places: list[Location | None] = field(default_factory=list["Location | None"])
    vector_places: list[Location | None] = field(default_factory=list["Location | None"])


class Packer:
    """Packs operations between two flushes. `location` is that of operations that do not say their own."""

    def __init__(self, text: Text, split: Callable[[Op], list[Op]] | None = None) -> None:
        self.text = text
        self._split = split  # what becomes of an operation that the target lacks
        self.location: Location | None = None
        self._reset()

    def _reset(self) -> None:
        self._columns: list[_Column] = []
        self._written: dict[str, int] = {}
        self._read: dict[str, int] = {}
        self._pe_read: dict[str, int] = {}
        self._scalar_ready: dict[str, int] = {}
        self._scalar_used: dict[str, int] = {}  # last column whose scalar words use it
        self._captured: dict[str, int] = {}
        self._memory: dict[str, int] = {}
        self._floor = 0

    def add(self, op: Op) -> None:
        """Place an operation."""
        for part in self._split(op) if self._split else (op,):
            self._add(part)

    def _add(self, op: Op) -> None:
        place = self._earliest(op)
        while not self._fits(op, place):
            place += 1
        while len(self._columns) <= place:
            self._columns.append(_Column())
        column = self._columns[place]
        column.scalar += op.scalar
        column.vector += op.vector
        location = op.location or self.location
        column.scalar_places += [location] * len(op.scalar)
        column.vector_places += [op.own.get(text, location) for text in op.vector]
        column.units |= op.units
        column.copies += op.copies
        column.writes |= op.writes
        self._note(op, place)
        if op.alone:
            self._floor = place + 1

    def last_use(self, name: str) -> int:
        """The last column so far that reads or writes a register."""
        return max(self._written.get(name, -1), self._read.get(name, -1), self._pe_read.get(name, -1))

    def _earliest(self, op: Op) -> int:
        """A register is read in a later column than it is written in, and written no earlier than it was read."""
        found = [self._floor]
        found += [self._written.get(name, -1) + 1 for name in op.reads | op.writes]
        found += [self._read.get(name, 0) for name in op.writes]
        if "pe" not in op.units:
            found += [self._pe_read.get(name, -1) + 1 for name in op.writes]
        else:
            found += [self._pe_read.get(name, 0) for name in op.writes]
        found += [self._scalar_ready.get(name, 0) for name in op.scalar_reads | op.captured]
        for name in op.scalar_writes | op.late:
            found += [self._captured.get(name, -1) + 1, self._scalar_used.get(name, 0), self._scalar_ready.get(name, 0)]
        if op.memory:
            found.append(self._memory.get("store", -1) + 1)
        if op.memory == "store":
            found.append(self._memory.get("load", 0))
        return max(found)

    def _fits(self, op: Op, place: int) -> bool:
        if place >= len(self._columns):
            return True
        column = self._columns[place]
        if op.alone and (column.vector or column.scalar):
            return False
        if op.units & column.units:
            return False
        return not op.copies or self._takes(column, *op.copies)

    def _note(self, op: Op, place: int) -> None:
        for name in op.reads:
            self._read[name] = max(self._read.get(name, 0), place)
        for name in op.pe_reads:
            self._pe_read[name] = max(self._pe_read.get(name, -1), place)
        for name in op.writes:
            self._written[name] = max(self._written.get(name, -1), place)
        for name in op.scalar_reads:
            self._scalar_used[name] = max(self._scalar_used.get(name, 0), place)
        for name in op.captured:
            self._captured[name] = max(self._captured.get(name, -1), place)
        for name in op.scalar_writes:
            self._scalar_ready[name] = place
        for name in op.late:
            self._scalar_ready[name] = place + 1
        if op.memory:
            self._memory[op.memory] = max(self._memory.get(op.memory, 0), place)

    def carry(self, pairs: Collection[str], leaving: Collection[str]) -> str | None:
        """Leave the last copy of a loop's body to its next turn, if the last column is nothing else but one to a pair.

        A copy to a pair that is `leaving` is for what is behind the loop alone.
        The first column of the next turn reads VAB in place of the pair, and copies it if others read that. Gives it.
        """
        columns = [column for column in self._columns if column.vector]
        if len(columns) < 2 or len(columns[-1].vector) != 1:
            return None
        first, last = columns[0], columns[-1]
        copy = _COPY.fullmatch(last.vector[0])
        pair = copy["pair"] if copy else ""
        if pair in leaving:
            last.vector.clear()
            last.vector_places.clear()
            return pair
        if pair not in pairs or pair in first.writes or not self._takes(first, pair):
            return None
        names = {pair: VAB, LOW[pair]: LOW[VAB], HIGH[pair]: HIGH[VAB]}
        pattern = re.compile(rf"\b(?:{'|'.join(names)})\b")
        first.vector = [pattern.sub(lambda found: names[found[0]], text) for text in first.vector]
        copied, place = last.vector.pop(), last.vector_places.pop()
        if any(pattern.search(text) for column in columns[1:] for text in column.vector):
            first.vector.append(copied)
            first.vector_places.append(place)
            first.copies.append(pair)
        return pair

    def _takes(self, column: _Column, *pairs: str) -> bool:
        """Whether the switch box has room for copies to some pairs."""
        counts = Counter(BANK[pair] for pair in (*column.copies, *pairs))
        return max(counts.values(), default=0) <= COPIES_PER_BANK

    def end(self) -> None:
        """Nothing is behind the last column: what it copies or points to for others would be left alive, so it goes."""
        columns = [column for column in self._columns if column.vector]
        if columns:
            kept = [
                (text, place)
                for text, place in zip(columns[-1].vector, columns[-1].vector_places, strict=True)
                if not text.startswith("COPY") and not text.endswith(", DVA")
            ]
            columns[-1].vector = [text for text, _ in kept] or ["NOP"]
            columns[-1].vector_places = [place for _, place in kept] or [None]

    def flush(self) -> int:
        """Write all columns; how many they are. What has scalar words only joins the next column."""
        written = 0
        for column in self._columns:
            self.text.do(*column.scalar, at=column.scalar_places)
            if column.vector:
                self.text.column(*column.vector, at=column.vector_places)
                written += 1
        self._reset()
        return written
