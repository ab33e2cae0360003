"""A kernel's words, decoded once for the engines and the timing walk.

Control flow is a stream of words: scalar words execute one by one, the other words up to the next processing element
word make one column. A jump may land on any word, so a column is decoded from the word where it is entered.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

from openrpp.isa.columns import DVA, PRINT_WORD, PRINT_WORDS, TOKENS, mask_of, reads, writes
from openrpp.isa.form import COPIES, Form, Kind, Op, Slot
from openrpp.isa.program import Kernel
from openrpp.isa.registers import BANK, HALF_CODES, HALF_NAMES, PAIR_CODES, TOKEN_BITS, UPPER
from openrpp.isa.table import decode_form

_SCALAR_KINDS = {Kind.S16: 16, Kind.S32: 32, Kind.S64: 64}
_HALVES = frozenset(HALF_CODES.values())
_PAIRS = frozenset(PAIR_CODES.values()) - {DVA}
_EXISTING: dict[Kind, frozenset[int]] = {
    Kind.S16: frozenset(range(32)),
    Kind.S32: frozenset(range(32)),
    Kind.S64: frozenset(range(0, 30, 2)),
    Kind.V16: _HALVES,
    Kind.V32: _PAIRS,
    Kind.A32: _PAIRS | {DVA},
    Kind.LOAD16: _HALVES - {4, 5},
    Kind.STORE16: _HALVES - {6, 7},
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


@dataclass(frozen=True)
class Need:
    """An extension that a word of a column needs, and the word's instruction."""

    extension: str
    name: str
    word: int


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
    needs: tuple[Need, ...] = ()

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


def _moves_of(word: int, form: Form, pc: int) -> list[tuple[int, int]]:
    """(source, destination) codes of a COPY or COPYEXT word. Raises CodeError for sources that cannot be."""
    bank = BANK * COPIES[form.slot]
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

    def _op(self, form: Form, pc: int, fifth: int = 0) -> Op:
        word = self.words[pc]
        values = {name: operand.field.get(word) for name, operand in form.operands.items()}
        if fifth:
            values |= {name: values[name] | UPPER for name, bit in form.fifth_bits.items() if fifth >> bit & 1}
        for name, operand in form.operands.items():
            if operand.kind in _EXISTING and values[name] not in _EXISTING[operand.kind]:
                found = f"{form.name} has register code {values[name]} as {name}"
                raise CodeError(f"{word:#010x}: {found}, which is not {operand.kind.value}", pc)
        return Op(form, values)

    def _vector_op(self, form: Form, pc: int, fifth: int) -> VectorOp:
        op = self._op(form, pc, fifth)
        captured = tuple(
            (name, op.values[name], _SCALAR_KINDS[operand.kind])
            for name, operand in form.operands.items()
            if operand.kind in _SCALAR_KINDS
        )
        return VectorOp(op, pc, captured)

    def _decode_column(self, start: int) -> ColumnCode:
        draft, pc = _Draft(start), start
        while draft.pe is None:
            if self.is_print(pc):
                pc += PRINT_WORDS
                continue
            self._add(draft, self._form(pc), pc)
            pc += 1
        if draft.fifth & ~draft.used:
            raise CodeError(
                f"UPPER {draft.fifth:#x} sets bits of operands that do not follow in its column", draft.upper
            )
        return draft.finish(pc)

    def _add(self, draft: _Draft, form: Form, pc: int) -> None:
        """One more word of a column."""
        if form.extension:
            draft.needs.append(Need(form.extension, form.name, pc))
        match form.slot:
            case Slot.SCALAR:
                raise CodeError(f"scalar word {form.name} stands inside a column, before its PE word", pc)
            case Slot.UPPER:
                bits = self._op(form, pc).values["bits"]
                if bits & draft.used:
                    raise CodeError(f"UPPER {bits:#x} stands behind a word whose operands it extends", pc)
                draft.upper, draft.fifth = pc, draft.fifth | bits
            case Slot.FORWARD:
                draft.forward |= mask_of(self._op(form, pc))
            case Slot.TERM:
                draft.terms |= mask_of(self._op(form, pc))
            case slot if slot in COPIES:
                draft.moves += _moves_of(self.words[pc], form, pc)
            case Slot.PE:
                draft.pe = self._operation(draft, form, pc)
            case _:
                if form.effect.startswith("dot") and not any(op.form.effect == "warp-load" for op in draft.port):
                    raise CodeError(f"{form.name} needs an LDWARP before it in its column", pc)
                if form.name.endswith("CAS.U64") and not any(op.form.effect == "compare" for op in draft.port):
                    raise CodeError(f"{form.name} needs an ATOMCMP before it in its column", pc)
                draft.port.append(self._operation(draft, form, pc))

    def _operation(self, draft: _Draft, form: Form, pc: int) -> VectorOp:
        draft.used |= sum(1 << bit for bit in form.fifth_bits.values())
        return self._vector_op(form, pc, draft.fifth)


@dataclass
class _Draft:
    """A column under construction."""

    start: int
    port: list[VectorOp] = field(default_factory=list[VectorOp])
    moves: list[tuple[int, int]] = field(default_factory=list[tuple[int, int]])
    pe: VectorOp | None = None
    forward: int = 0
    terms: int = 0
    fifth: int = 0  # bits of the UPPER words so far
    upper: int = 0  # index of the last of them
    used: int = 0  # those of its bits that an operation has taken
    needs: list[Need] = field(default_factory=list[Need])

    def finish(self, end: int) -> ColumnCode:
        """The column that ends before a word."""
        read: set[int] = set()
        written = {target for _, target in self.moves}
        pe = None if self.pe is None or self.pe.form.effect == "nop" else self.pe
        for op in (*self.port, pe) if pe else self.port:
            read |= reads(op.op) & TOKENS
            written |= writes(op.op)
        return ColumnCode(
            self.start,
            end,
            tuple(self.port),
            tuple(self.moves),
            pe,
            _codes_of(self.forward),
            _codes_of(self.terms),
            frozenset(read),
            frozenset(written),
            tuple(self.needs),
        )


__all__ = ["DVA", "PRINT_WORDS", "Code", "CodeError", "ColumnCode", "Need", "VectorOp"]
