"""Operands and operations of the sequencer in columns: which pair holds a number, a parameter or a word."""

from __future__ import annotations

from abc import abstractmethod
from collections import defaultdict
from collections.abc import Mapping, Sequence

from openrpp.codegen.card.columns import Op, Packer
from openrpp.codegen.card.kept import Kept
from openrpp.codegen.card.scalar_steps import ScalarOp
from openrpp.codegen.card.steps import Part, Source, Word

RESULT = "DS9"
"""Where a scalar result is before it goes to a spare word of FRAM."""
_SHIFTS = ("MOVE", "SHL", "SHR", "SAR")
"""Scalar operations whose last operand may be a number."""


class Sequencing:
    """The part of an allocator that writes scalar words.

    What has no pair is brought to a temporary by each operation that reads it: `brought` counts the words of these
    lines by the loop that they stand in, the place of its Begin. Lines that are kept for a loop stand before it.
    """

    packer: Packer
    scalars: set[Word]
    pairs_of: Mapping[Word, str]
    spare: Mapping[Word, str]
    at_use: Mapping[Word, str]
    threads: int

    def __init__(self, kept: Sequence[Kept] = ()) -> None:
        self.brought: defaultdict[tuple[int, str], int] = defaultdict(int)
        self._kept: dict[int, list[Kept]] = {}
        for item in kept:
            self._kept.setdefault(item.begin, []).append(item)
        self._loops: list[int] = []
        self._ready: dict[str, str] = {}  # the pairs of lines that are kept here
        self._outer: list[dict[str, str]] = []  # the same around each of the loops
        self._temporary = 0

    @abstractmethod
    def _plane(self, word: Word) -> int:
        """The number of a word's plane."""

    # --- loops ----------------------------------------------------------------------------------------------------

    def _enter(self, begin: int) -> None:
        """Just before a loop: bring what is kept for it."""
        self._loops.append(begin)
        self._outer.append(dict(self._ready))
        for item in self._kept.get(begin, ()):
            if item.line in self._ready:
                continue
            self._ready[item.line] = item.pair
            self.packer.add(Op(scalar=[f"{item.line}, {item.pair}"], scalar_writes=frozenset((item.pair,))))

    def _leave(self) -> None:
        self._loops.pop()
        self._ready = self._outer.pop()

    # --- operands -------------------------------------------------------------------------------------------------

    def _next_temporary(self, op: Op) -> str:
        """A scalar pair that the operation does not use yet: the two in turn, or those of the root of a buffer."""
        self._temporary ^= 1
        taken = op.captured | op.scalar_writes
        first, second = ("DS9", "DS12")[self._temporary], ("DS12", "DS9")[self._temporary]
        return next(name for name in (first, second, "DS10", "DS11") if name not in taken)

    def _bring(self, line: str, op: Op, words: int = 1) -> str:
        """The pair with what a line writes: one that is kept, or a temporary of the operation."""
        pair = self._ready.get(line)
        if pair is not None:
            op.scalar_reads |= {pair}
            return pair
        if self._loops:
            self.brought[self._loops[-1], line] += words
        name = self._next_temporary(op)
        op.scalar.append(f"{line}, {name}")
        op.scalar_writes |= {name}
        return name

    def _literal(self, value: int, op: Op) -> str:
        """The pair with a number."""
        return self._bring(f"MOVE.U32 {value:#x}", op, 1 if value < 1 << 16 else 2)

    def _fetched(self, word: Word, op: Op) -> str:
        """The pair with a word that has none of its own: a FRAM word or a register of 16 bits."""
        if word in self.spare:
            name = self._next_temporary(op)
            op.scalar.append(f"LDPARAM.U32 {self.spare[word]}, {name}")
            op.scalar_writes |= {name}
            op.scalar_reads |= {self.spare[word]}
            return name
        return self._bring(fetching(self.at_use[word]), op)

    def _farther(self, base: str, distance: int, op: Op) -> str:
        """A temporary with a pair's address and some bytes more."""
        if base not in op.scalar_writes:
            op.scalar_reads |= {base}
        number = self._literal(distance, op)
        name = number if number in op.scalar_writes else self._next_temporary(op)
        op.scalar.append(f"ADD.U32 {base}, {number}, {name}")
        op.scalar_writes |= {name}
        return name

    def _base(self, word: Word, op: Op) -> str:
        """The scalar pair with the address of a plane, made by the scalar words of an operation."""
        offset = self._plane(word) * 4 * self.threads
        name = self._farther("DS0", offset, op) if offset else "DS0"
        op.captured |= {name}
        return name

    def _scalar(self, source: Source, op: Op, part: Part = Part.PAIR) -> str:
        """A scalar operand of a vector instruction."""
        if isinstance(source, int):
            name = self._literal(_part_of(source, part), op)
        else:
            name = self._fetched(source, op) if source in self.at_use else self.pairs_of[source]
        op.captured |= {name}
        return _register(name, part, isinstance(source, int))

    def _is_scalar(self, source: Source) -> bool:
        return isinstance(source, int) or source in self.scalars

    # --- operations -----------------------------------------------------------------------------------------------

    def _scalar_op(self, item: ScalarOp) -> None:
        spare = self.spare.get(item.result)
        target = RESULT if spare else self.pairs_of[item.result]
        op = Op(scalar_writes=frozenset((target, spare) if spare else (target,)))
        names: list[str] = []
        for index, (source, part) in enumerate(item.reads):
            is_last = index == len(item.reads) - 1
            if is_last and isinstance(source, int) and item.text.startswith(_SHIFTS):
                names.append(f"{source:#x}")
                continue
            if isinstance(source, int):
                name = self._literal(_part_of(source, part), op)
            elif source in self.at_use:
                name = self._fetched(source, op)
            else:
                name = self.pairs_of[source]
                op.scalar_reads |= {name}
            names.append(_register(name, part, isinstance(source, int)))
        result = target if item.makes is Part.PAIR else f"S{2 * int(target[2:])}"
        op.scalar.append(f"{item.text} {', '.join([*names, result])}")
        if spare:
            op.scalar.append(f"STGLB.U32 {target}, {spare}")
        self.packer.add(op)


def fetching(place: str) -> str:
    """The line that brings a FRAM word or a register of 16 bits into a pair, but for the pair."""
    return f"{'LDPARAM.U32' if place.startswith('[') else 'CVT.U16.U32'} {place}"


def _part_of(number: int, part: Part) -> int:
    return number >> 16 if part is Part.HIGH else number & 0xFFFF if part is Part.LOW else number


def _register(pair: str, part: Part, is_number: bool) -> str:
    """A pair, or the half of it that is an operand; halves of numbers are brought as numbers."""
    if part is Part.PAIR:
        return pair
    return f"S{2 * int(pair[2:]) + (part is Part.HIGH and not is_number)}"
