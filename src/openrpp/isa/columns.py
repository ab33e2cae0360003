"""Columns: the operations between two column ends, their register traffic, their token masks and their words."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from openrpp.isa.form import COPIES, Cost, Field, Form, Kind, Op, Operand, Slot
from openrpp.isa.registers import BANK, HALF_CODES, PAIR_CODES, ROLE_HALVES, UPPER, token_mask
from openrpp.isa.table import decode_form, forms_by_name, spelling

DVA = PAIR_CODES["DVA"]
TOKENS = frozenset({HALF_CODES[name] for name in ROLE_HALVES} | {DVA})
"""Registers whose tokens FORWARD and TERM manage: IA to IP and DVA."""

END_WORD = 0xD100_0000
PAD_WORDS = 8
PRINT_WORD = 0xF000_0001
PRINT_WORDS = 34
"""A debug print of the vendor's simulator is this word and 33 words of data."""
_FILLER = 0x00FF_FFC0

_VECTOR_KINDS = {Kind.V16, Kind.V32, Kind.A32, Kind.STORE16, Kind.STORE32}
_WIDE_KINDS = {Kind.V32, Kind.A32, Kind.STORE32, Kind.LOAD32}


def plain(name: str, slot: Slot | None = None) -> Form:
    """The only published form with this name, or the only one with this name in a slot."""
    forms = forms_by_name()[spelling(name)]
    (form,) = (form for form in forms if (not form.extension if slot is None else form.slot is slot))
    return form


def _mask_forms(slot: Slot) -> tuple[Form, Form]:
    """The published form of a mask word, and the one with upper registers."""
    published, upper = forms_by_name()[spelling(slot.name)]
    return published, upper


NOP = plain("NOP")
COPY_FORMS = {slot: plain("COPYEXT" if bank % 2 else "COPY", slot) for slot, bank in COPIES.items()}
"""The form of each bank's copy words."""
_UPPER_WORD = plain("UPPER", Slot.UPPER)
_MASK_WORDS = {slot: _mask_forms(slot) for slot in (Slot.FORWARD, Slot.TERM)}
RAW = Form(
    ".word",
    "{word}",
    0,
    {"word": Operand(Kind.IMM, Field(((0, 32),)))},
    slot=Slot.SCALAR,
    cost=Cost.FETCH,
    effect="raw",
)
"""A word given as a number; it stands among the scalar words and may also close its column."""


def mask_of(op: Op) -> int:
    """Token mask of a FORWARD or TERM word, in the bits of `TOKEN_BITS`."""
    return op.values["mask"] | op.values.get("upper", 0) << UPPER


def mask_word(slot: Slot, mask: int) -> int:
    """The FORWARD or TERM word of a mask that is not zero."""
    published, upper = _MASK_WORDS[slot]
    return upper.base | mask if mask >> UPPER else published.base | mask


def raw(word: int) -> Op:
    """A word given as a number."""
    return Op(RAW, {"word": word})


def skip_print(word: int) -> int:
    """How many words to go on by: past its data from a debug print, else one."""
    return PRINT_WORDS if word == PRINT_WORD else 1


def ends_column(word: int) -> bool:
    """Whether a word is one of the processing element, the last of its column."""
    form = decode_form(word)
    return form is not None and form.slot is Slot.PE


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


def copied_to(op: Op) -> int:
    """Code of the register that a copy writes."""
    return op.values["d"] + BANK * COPIES[op.form.slot]


def writes(op: Op) -> set[int]:
    """Codes of the token registers (IA to IP, DVA) that an operation writes."""
    effect = op.form.effect
    if effect == "copy":
        return {copied_to(op)}
    if effect == "address":
        return {DVA}
    return loads(op) & TOKENS


def loads(op: Op) -> set[int]:
    """Codes of the registers (IA to IP, MA, MB) that a memory access fills."""
    found = {6, 7} if op.form.effect.startswith(("dot", "atomic")) else set[int]()
    for name in ("r", "d"):
        target = op.form.operands.get(name)
        if target is not None and target.kind in (Kind.LOAD16, Kind.LOAD32):
            found.update(_codes(target.kind, op.values[name]))
    return found


@dataclass
class Column:
    """One column of a kernel before layout.

    `labels` are (name, number of scalar words before it). A column whose last word is given as a number
    (`.word`) has its PE word already.
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

    @property
    def closed(self) -> bool:
        """Whether a `.word` line has given the PE word; the data of debug prints are no words of the column."""
        if not any(op.form is RAW for op in self.ops):
            return False
        index, last = 0, None
        scalars = self.scalars
        while index < len(scalars):
            last = scalars[index]
            index += skip_print(last.word())
        return last is not None and index == len(scalars) and last.form is RAW and ends_column(last.word())

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
        forward = set[int]() if last else live - written
        dropped = live - read if last else (live & written) - read
        column.forward = token_mask(frozenset(forward))
        if dropped:
            column.terms.insert(0, token_mask(frozenset(dropped)))
        live |= written


def _copy_words(column: Column) -> list[int]:
    words: list[int] = []
    for slot, form in COPY_FORMS.items():
        moves = sorted(column.of(slot), key=lambda op: op.values["d"])
        entries = sum((op.values["s"] << 2 | op.values["d"]) << 5 * index for index, op in enumerate(moves))
        if moves:
            words.append(form.base | (len(moves) - 1) << 20 | entries)
    return words


def fifth_bits(ops: Iterable[Op]) -> int:
    """The bits of a column's UPPER word, 0 where it names no upper register."""
    bits = 0
    for op in ops:
        for name, bit in op.form.fifth_bits.items():
            bits |= (op.values[name] & UPPER > 0) << bit
    return bits


def vector_words(column: Column, previous_pe: int) -> list[int]:
    """Words of a column after its scalar words; the last is the PE word.

    A column without an operation gets a NOP whose filler repeats the previous PE word (zero after a gather).
    """
    if column.closed:
        return []
    fifth = fifth_bits(column.ops)
    words = [_UPPER_WORD.base | fifth] if fifth else []
    words += [mask_word(Slot.FORWARD, column.forward)] if column.forward else []
    words += [mask_word(Slot.TERM, mask) for mask in column.terms if mask]
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


def lay_out(columns: list[Column], fixups: dict[int, tuple[str, Op]], tail: list[int] | None = None) -> Layout:
    """Place the columns one after another, then the tail: the terminator and zero words up to a multiple of eight.

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
    words += tail_words(len(words)) if tail is None else tail
    for index, name, op in holes:
        words[index] |= op.form.operands["target"].field.put(labels[name])
    return Layout(tuple(words), labels, lines)


def tail_words(before: int) -> list[int]:
    """The terminator and the padding behind `before` words."""
    return [END_WORD] + [0] * (-(before + 1) % PAD_WORDS)


_BANKS = {bank: slot for slot, bank in COPIES.items()}


def bank_of(code: int) -> Slot:
    """COPY slot that writes a register."""
    return _BANKS[code // BANK]
