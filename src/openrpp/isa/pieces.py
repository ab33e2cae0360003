"""Columns of an image: its words split, decoded and joined to the operations that a text would say."""

from __future__ import annotations

from dataclasses import dataclass, field

from openrpp.isa.columns import NOP, Column, mask_of, raw, set_masks, skip_print, vector_words
from openrpp.isa.form import COPIES, Form, Op, Slot
from openrpp.isa.registers import UPPER
from openrpp.isa.table import decode_form


@dataclass
class Piece:
    """One column of an image: where it starts, its words, and the operations that they say."""

    start: int
    words: tuple[int, ...]
    scalars: list[Op]
    ops: list[Op] = field(default_factory=list[Op])
    forward: int = 0
    terms: list[int] = field(default_factory=list[int])
    nop: bool = False  # the NOP needs a line of its own
    spoken: int = 0  # how many of the last TERM words have a line of their own in automatic mode

    @property
    def vector_words(self) -> tuple[int, ...]:
        """The words behind the scalar words."""
        return self.words[len(self.scalars) :]


def decode(word: int) -> Op | None:
    """The operation of a word, None where no row describes all of its bits."""
    form = decode_form(word)
    if form is None:
        return None
    op = Op(form, {name: operand.field.get(word) for name, operand in form.operands.items()})
    return op if op.word() == word or form.slot in COPIES else None


def with_fifth_bits(op: Op, bits: int) -> Op:
    """An operation whose column has an UPPER word."""
    upper = {name: op.values[name] | UPPER for name, bit in op.form.fifth_bits.items() if bits >> bit & 1}
    return Op(op.form, op.values | upper) if upper else op


def spans(words: tuple[int, ...]) -> tuple[list[tuple[int, int, int]], int]:
    """(start, end of the scalar words, end) of each column, and where the tail begins."""
    found: list[tuple[int, int, int]] = []
    start, scalar_end, index = 0, -1, 0
    while index < len(words):
        form = decode_form(words[index])
        if form is not None and form.slot is not Slot.SCALAR and scalar_end < 0:
            scalar_end = index
        index += skip_print(words[index])
        if form is not None and form.slot is Slot.PE:
            found.append((start, scalar_end, index))
            start, scalar_end = index, -1
    return found, start


def _scalar_ops(words: tuple[int, ...]) -> list[Op]:
    """Scalar words; unknown ones and debug prints as numbers."""
    ops: list[Op] = []
    index = 0
    while index < len(words):
        count = skip_print(words[index])
        op = decode(words[index])
        ops += [op] if op else [raw(word) for word in words[index : index + count]]
        index += count
    return ops


def _copy_moves(form: Form, word: int) -> list[Op]:
    entries = [word >> 5 * index & 31 for index in range((word >> 20 & 3) + 1)]
    return [Op(form, {"s": entry >> 2, "d": entry & 3}) for entry in entries]


def _fill(piece: Piece) -> bool:
    """Decode the vector words; False if one of them is unknown."""
    fifth = 0
    for word in piece.vector_words:
        op = decode(word)
        if op is None:
            return False
        match op.form.slot:
            case slot if slot in COPIES:
                piece.ops += _copy_moves(op.form, word)
            case Slot.UPPER:
                fifth = op.values["bits"]
            case Slot.FORWARD:
                piece.forward = mask_of(op)
            case Slot.TERM:
                piece.terms.append(mask_of(op))
            case _:
                piece.ops += [] if op.form is NOP else [with_fifth_bits(op, fifth)]
    return True


def decode_piece(start: int, scalar_end: int, words: tuple[int, ...], previous_pe: int) -> Piece | None:
    """A column as instructions; None where one of its vector words is unknown."""
    piece = Piece(start, words, _scalar_ops(words[: scalar_end - start]))
    if not _fill(piece):
        return None
    usual = vector_words(Column(piece.ops), previous_pe)[-1]
    piece.nop = decode_form(words[-1]) is NOP and words[-1] != usual
    return piece


def numbers(start: int, words: tuple[int, ...]) -> Piece:
    """A column with nothing but numbers."""
    return Piece(start, words, list(map(raw, words)))


def automatic(pieces: list[Piece]) -> bool:
    """Whether the automatic rule gives the masks; if so, `spoken` of each column counts its explicit TERM words."""
    columns = [Column([*piece.scalars, *piece.ops]) for piece in pieces]
    set_masks(columns)
    spoken: list[int] = []
    for piece, column in zip(pieces, columns, strict=True):
        own = len([mask for mask in column.terms if mask])
        extra = len(piece.terms) - own
        masks = column.forward, column.terms[:own]
        if not column.closed and (masks != (piece.forward, piece.terms[:own]) or extra > 1):
            return False
        spoken.append(0 if column.closed else extra)
    for piece, count in zip(pieces, spoken, strict=True):
        piece.spoken = count
    return True
