"""A kernel's words, decoded once for the engines and the timing walk.

Control flow is a stream of words: scalar words execute one by one, the other words up to the next processing element
word make one column. A jump may land on any word, so a column is decoded from the word where it is entered.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from openrpp.isa.columns import DVA, PRINT_WORD, PRINT_WORDS, TOKENS, reads, writes
from openrpp.isa.form import Form, Kind, Op, Slot
from openrpp.isa.program import Kernel
from openrpp.isa.registers import HALF_NAMES, TOKEN_BITS
from openrpp.isa.table import decode_form

_SCALAR_KINDS = {Kind.S16: 16, Kind.S32: 32, Kind.S64: 64}
_MOVES = {0x71: 0, 0x74: 8}
_PAIRS = frozenset({0, 2, 4, 6, 8, 10})
_EXISTING: dict[Kind, frozenset[int]] = {
    Kind.S16: frozenset(range(32)),
    Kind.S32: frozenset(range(32)),
    Kind.S64: frozenset(range(0, 30, 2)),
    Kind.V16: frozenset(range(12)),
    Kind.V32: _PAIRS,
    Kind.A32: _PAIRS | {DVA},
    Kind.LOAD16: frozenset(range(12)) - {4, 5},
    Kind.STORE16: frozenset(range(12)) - {6, 7},
    Kind.LOAD32: _PAIRS - {4},
    Kind.STORE32: _PAIRS - {6},
}
"""Register numbers and codes that each kind of operand may have; a word has room for more."""


@dataclass(frozen=True)
class VectorOp:
    """A vector operation of a column.

    `captured` maps operand names to (scalar register, width): values taken when the column is decoded.
    """

    op: Op
    word: int
    captured: tuple[tuple[str, int, int], ...]

    @property
    def form(self) -> Form:
        """Its form."""
        return self.op.form


@dataclass(frozen=True, eq=False)
class ColumnCode:
    """The vector part of one column, entered at word `start`; `next` is the word behind its last."""

    start: int
    next: int
    port: tuple[VectorOp, ...]
    moves: tuple[tuple[int, int], ...]  # (source code, destination code)
    pe: VectorOp | None  # None for a NOP
    forward: frozenset[int]
    terms: frozenset[int]
    read: frozenset[int]
    written: frozenset[int]

    @cached_property
    def captured(self) -> tuple[tuple[int, int], ...]:
        """All (scalar register, width) that the column captures, in order: port operations, then the PE operation."""
        ops = (*self.port, self.pe) if self.pe else self.port
        return tuple((register, width) for op in ops for _, register, width in op.captured)

    @cached_property
    def words(self) -> int:
        """Words fetched for the column, scalar words not included."""
        return self.next - self.start


class CodeError(Exception):
    """Words that are no column; `word` is the index of the offender."""

    def __init__(self, sentence: str, word: int) -> None:
        super().__init__(sentence)
        self.word = word


def _codes_of(mask: int) -> frozenset[int]:
    return frozenset(code for code, bit in TOKEN_BITS.items() if mask >> bit & 1)


def _moves_of(word: int, pc: int) -> list[tuple[int, int]]:
    """(source, destination) codes of a COPY or COPYEXT word. Raises CodeError for sources that cannot be."""
    bank = _MOVES[word >> 24]
    entries = [word >> 5 * index & 31 for index in range((word >> 20 & 3) + 1)]
    moves = [(entry >> 2, (entry & 3) + bank) for entry in entries]
    for source, target in moves:
        if source < 4:
            names = f"{HALF_NAMES[source]} to {HALF_NAMES[target]}"
            raise CodeError(f"{word:#010x} copies {names}; the switch box copies VA, VB, MA and MB", pc)
    return moves


class Code:
    """Decoded words of a kernel, shared by everything that executes or walks it."""

    def __init__(self, kernel: Kernel) -> None:
        self.kernel = kernel
        self.words = kernel.words
        self._columns: dict[int, ColumnCode] = {}
        self._scalars: dict[int, Op | None] = {}

    def scalar(self, pc: int) -> Op | None:
        """The scalar operation at a word, None where a column starts. Raises CodeError for an unknown word."""
        if pc not in self._scalars:
            form = self._form(pc)
            self._scalars[pc] = self._op(form, pc) if form.slot is Slot.SCALAR else None
        return self._scalars[pc]

    def column(self, pc: int) -> ColumnCode:
        """The column entered at a word. Raises CodeError for words that make no column."""
        if pc not in self._columns:
            self._columns[pc] = self._decode_column(pc)
        return self._columns[pc]

    def is_print(self, pc: int) -> bool:
        """Whether a debug print stands at a word."""
        return pc < len(self.words) and self.words[pc] == PRINT_WORD

    def _form(self, pc: int) -> Form:
        if not 0 <= pc < len(self.words):
            raise CodeError(f"control reached word {pc} of {len(self.words)} without an end word", pc)
        form = decode_form(self.words[pc])
        if form is None:
            raise CodeError(f"{self.words[pc]:#010x} is not an instruction", pc)
        return form

    def _op(self, form: Form, pc: int) -> Op:
        word = self.words[pc]
        values = {name: operand.field.get(word) for name, operand in form.operands.items()}
        for name, operand in form.operands.items():
            if operand.kind in _EXISTING and values[name] not in _EXISTING[operand.kind]:
                found = f"{form.name} has register code {values[name]} as {name}"
                raise CodeError(f"{word:#010x}: {found}, which is not {operand.kind.value}", pc)
        return Op(form, values)

    def _vector_op(self, form: Form, pc: int) -> VectorOp:
        op = self._op(form, pc)
        captured = tuple(
            (name, op.values[name], _SCALAR_KINDS[operand.kind])
            for name, operand in form.operands.items()
            if operand.kind in _SCALAR_KINDS
        )
        return VectorOp(op, pc, captured)

    def _decode_column(self, start: int) -> ColumnCode:
        port: list[VectorOp] = []
        moves: list[tuple[int, int]] = []
        forward, terms, pc = 0, 0, start
        while True:
            if self.is_print(pc):
                pc += PRINT_WORDS
                continue
            form = self._form(pc)
            word = self.words[pc]
            match form.slot:
                case Slot.SCALAR:
                    raise CodeError(f"scalar word {form.name} stands inside a column, before its PE word", pc)
                case Slot.FORWARD:
                    forward |= word & 0xFFF
                case Slot.TERM:
                    terms |= word & 0xFFF
                case Slot.COPY | Slot.COPYEXT:
                    moves += _moves_of(word, pc)
                case Slot.PE:
                    pe = None if form.effect == "nop" else self._vector_op(form, pc)
                    return self._column(start, pc + 1, port, moves, pe, forward, terms)
                case _:
                    if form.effect.startswith("dot") and not any(op.form.effect == "warp-load" for op in port):
                        raise CodeError(f"{form.name} needs an LDWARP before it in its column", pc)
                    if form.name.endswith("CAS.U64") and not any(op.form.effect == "compare" for op in port):
                        raise CodeError(f"{form.name} needs an ATOMCMP before it in its column", pc)
                    port.append(self._vector_op(form, pc))
            pc += 1

    @staticmethod
    def _column(
        start: int,
        end: int,
        port: list[VectorOp],
        moves: list[tuple[int, int]],
        pe: VectorOp | None,
        forward: int,
        terms: int,
    ) -> ColumnCode:
        read: set[int] = set()
        written = {target for _, target in moves}
        for op in (*port, pe) if pe else port:
            read |= reads(op.op) & TOKENS
            written |= writes(op.op)
        return ColumnCode(
            start,
            end,
            tuple(port),
            tuple(moves),
            pe,
            _codes_of(forward),
            _codes_of(terms),
            frozenset(read),
            frozenset(written),
        )


__all__ = ["DVA", "PRINT_WORDS", "Code", "CodeError", "ColumnCode", "VectorOp"]
