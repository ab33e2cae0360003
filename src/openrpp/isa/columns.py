"""Columns: the operations between two column ends, their register traffic, their token masks and their words."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from openrpp.isa.form import Form, Kind, Op, Slot
from openrpp.isa.registers import BANK1, I_HALVES, PAIR_CODES, halves_of, token_mask
from openrpp.isa.table import forms_by_name, spelling

DVA = PAIR_CODES["DVA"]
TOKENS = frozenset({code for name in I_HALVES for code in halves_of(name)} | {DVA})
"""Registers whose tokens FORWARD and TERM manage: IA to IH and DVA."""

END_WORD = 0xD100_0000
COPY_BASE = {Slot.COPY: 0x7100_0000, Slot.COPYEXT: 0x7400_0000}
PAD_WORDS = 8
_FILLER = 0x00FF_FFC0

_VECTOR_KINDS = {Kind.V16, Kind.V32, Kind.A32, Kind.STORE16}
_WIDE_KINDS = {Kind.V32, Kind.A32}


def plain(name: str) -> Form:
    """The only form with this name."""
    (form,) = forms_by_name()[spelling(name)]
    return form


NOP = plain("NOP")
FORWARD = plain("FORWARD")
TERM = plain("TERM")


def _codes(kind: Kind, code: int) -> Iterable[int]:
    if code == DVA:
        return (DVA,)
    return (code, code + 1) if kind in _WIDE_KINDS else (code,)


def reads(op: Op) -> set[int]:
    """Codes of the vector registers (halves, DVA) that an operation reads; copies read only VA, VB, MA, MB."""
    found: set[int] = set()
    for name, operand in op.form.operands.items():
        if operand.kind in _VECTOR_KINDS and not (op.form.effect == "copy" and name == "d"):
            found.update(_codes(operand.kind, op.values[name]))
    if "DVA" in op.form.sources:
        found.add(DVA)
    if "MB" in op.form.sources:
        found.add(7)
    return found


def writes(op: Op) -> set[int]:
    """Codes of the token registers (IA to IH, DVA) that an operation writes."""
    effect = op.form.effect
    if effect == "copy":
        return {op.values["d"] + (8 if op.form.slot is Slot.COPYEXT else 0)}
    if effect == "address":
        return {DVA}
    if op.form.slot in (Slot.SEQUENTIAL, Slot.GATHER) and "r" in op.values and not effect.startswith("store"):
        return {op.values["r"]} & TOKENS
    return set()


@dataclass
class Column:
    """One column of a kernel before layout.

    `labels` are (name, number of scalar words before it). `raw` are words that no row describes (debug prints).
    """

    ops: list[Op] = field(default_factory=list[Op])
    labels: list[tuple[str, int]] = field(default_factory=list[tuple[str, int]])
    forward: int = 0
    terms: list[int] = field(default_factory=list[int])
    line: int = 0

    def of(self, slot: Slot) -> list[Op]:
        """Operations of one slot, in order."""
        return [op for op in self.ops if op.form.slot is slot]

    @property
    def scalars(self) -> list[Op]:
        """Scalar words, in order."""
        return self.of(Slot.SCALAR)

    def tokens(self) -> tuple[set[int], set[int]]:
        """(token registers read, token registers written)."""
        read: set[int] = set()
        written: set[int] = set()
        for op in self.ops:
            if op.form.slot is not Slot.SCALAR:
                read |= reads(op) & TOKENS
                written |= writes(op)
        return read, written


def set_masks(columns: list[Column]) -> None:
    """The masks of is_forward mode (specification 4.2): every register written so far stays alive to the end."""
    live: set[int] = set()
    for index, column in enumerate(columns):
        read, written = column.tokens()
        last = index == len(columns) - 1
        forward = set() if last else live - written
        dropped = live - read if last else (live & written) - read
        column.forward = token_mask(frozenset(forward))
        if dropped:
            column.terms.insert(0, token_mask(frozenset(dropped)))
        live |= written


def _copy_words(column: Column) -> list[int]:
    words: list[int] = []
    for slot, base in COPY_BASE.items():
        moves = sorted(column.of(slot), key=lambda op: op.values["d"])
        entries = sum((op.values["s"] << 2 | op.values["d"]) << 5 * index for index, op in enumerate(moves))
        if moves:
            words.append(base | (len(moves) - 1) << 20 | entries)
    return words


def vector_words(column: Column, previous_pe: int) -> list[int]:
    """Words of a column after its scalar words; the last is the PE word.

    A column without an operation gets a NOP whose filler repeats the previous PE word (zero after a gather).
    """
    words = [FORWARD.base | column.forward] if column.forward else []
    words += [TERM.base | mask for mask in column.terms if mask]
    for slot in (Slot.SEQUENTIAL, Slot.GATHER, Slot.ADDRESS):
        words += [op.word() for op in column.of(slot)]
    words += _copy_words(column)
    pe = column.of(Slot.PE)
    if pe:
        words.append(pe[0].word())
    else:
        words.append(NOP.base | (0 if column.of(Slot.GATHER) else previous_pe & _FILLER))
    return words


@dataclass(frozen=True)
class Layout:
    """A kernel's words, the word index of each label, and the column line of each word."""

    words: tuple[int, ...]
    labels: dict[str, int]
    lines: dict[int, int]


def lay_out(columns: list[Column], fixups: dict[int, tuple[str, Op]]) -> Layout:
    """Place the columns one after another, then the terminator and zero words up to a multiple of eight.

    `fixups` maps the identity of a jump operation to its label; a label that is missing raises KeyError.
    """
    words: list[int] = []
    labels: dict[str, int] = {}
    lines: dict[int, int] = {}
    holes: list[tuple[int, str, Op]] = []
    previous_pe = 0
    for column in columns:
        scalars = column.scalars
        for name, before in column.labels:
            labels[name] = len(words) + before
        start = len(words)
        for op in scalars:
            if id(op) in fixups:
                holes.append((len(words), *fixups[id(op)]))
            words.append(op.word())
        words += vector_words(column, previous_pe)
        previous_pe = words[-1]
        lines.update((index, column.line) for index in range(start, len(words)))
    words.append(END_WORD)
    for index, name, op in holes:
        words[index] |= op.form.operands["target"].field.put(labels[name])
    words += [0] * (-len(words) % PAD_WORDS)
    return Layout(tuple(words), labels, lines)


def bank_of(code: int) -> Slot:
    """COPY slot that writes a register."""
    return Slot.COPYEXT if code in BANK1 else Slot.COPY
