"""Machine words to assembly text that assembles to the same words, whatever the words are.

A column that the grammar can say is printed as instructions; masks are left to the assembler where its automatic rule
gives them, and are printed as FORWARD and TERM lines otherwise. Words that no instruction describes, and columns that
the assembler would order or refuse otherwise, are printed as `.word` lines; an unusual end as a `.tail` line.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from openrpp.isa.assembler import AssemblyError, assemble
from openrpp.isa.columns import (
    COPY_BASE,
    END_WORD,
    NOP,
    RAW,
    Column,
    raw,
    set_masks,
    skip_print,
    tail_words,
    vector_words,
)
from openrpp.isa.form import Form, Kind, Op, Slot
from openrpp.isa.fram import PARAMETER_BYTES, builtin_name
from openrpp.isa.program import Kernel, Parameter
from openrpp.isa.registers import FIXED_SCALARS, HALF_NAMES, PAIR_NAMES, token_names
from openrpp.isa.syntax import operand_text
from openrpp.isa.table import decode_form

_NAME = re.compile(r"[A-Za-z_][\w.]*")
_BLOCK_INDEX = {register: f"%{name}" for name, register in FIXED_SCALARS.items()}
_PAIR_SOURCES = {4, 6}
_NOTE_COLUMN = 48


# --- words to columns ------------------------------------------------------------------------------------------


@dataclass
class _Piece:
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
    return op if op.word() == word or form.slot in COPY_BASE else None


def _spans(words: tuple[int, ...]) -> tuple[list[tuple[int, int, int]], int]:
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


def _fill(piece: _Piece) -> bool:
    """Decode the vector words; False if one of them is unknown."""
    for word in piece.vector_words:
        op = decode(word)
        if op is None:
            return False
        match op.form.slot:
            case Slot.COPY | Slot.COPYEXT:
                piece.ops += _copy_moves(op.form, word)
            case Slot.FORWARD:
                piece.forward = op.values["mask"]
            case Slot.TERM:
                piece.terms.append(op.values["mask"])
            case _:
                piece.ops += [] if op.form is NOP else [op]
    return True


def _piece(start: int, scalar_end: int, words: tuple[int, ...], previous_pe: int) -> _Piece | None:
    """A column as instructions; None where one of its vector words is unknown."""
    piece = _Piece(start, words, _scalar_ops(words[: scalar_end - start]))
    if not _fill(piece):
        return None
    usual = vector_words(Column(piece.ops), previous_pe)[-1]
    piece.nop = decode_form(words[-1]) is NOP and words[-1] != usual
    return piece


def _checked_piece(piece: _Piece, previous_pe: int, params: list[str]) -> _Piece:
    """The column, with numbers in place of what the assembler would refuse or order otherwise."""
    if _assembles(piece, previous_pe, params):
        return piece
    numbers = _Piece(piece.start, piece.words, [*piece.scalars, *map(raw, piece.vector_words)])
    return numbers if _assembles(numbers, previous_pe, params) else _numbers(piece.start, piece.words)


def _numbers(start: int, words: tuple[int, ...]) -> _Piece:
    return _Piece(start, words, list(map(raw, words)))


def _assembles(piece: _Piece, previous_pe: int, params: list[str]) -> bool:
    """Whether the lines of a column, behind a NOP with the filler of the word before it, give its words."""
    try:
        lines = [text for text, _ in _column_lines(piece, params, {}, manual=True)]
    except KeyError:  # a register code without a name
        return False
    declared = [f".param .u32 {name}" for name in params]
    text = [".forward manual", *declared, f"NOP {NOP.operands['filler'].field.get(previous_pe):#x}", "##", *lines, "##"]
    try:
        words = assemble("\n".join(text), "column").words
    except AssemblyError:
        return False
    return words[1 : 1 + len(piece.words)] == piece.words and words[1 + len(piece.words)] == END_WORD


def _pieces(words: tuple[int, ...], params: list[str], check: bool) -> tuple[list[_Piece], int]:
    """Columns, and where the tail begins; with `check`, each column is assembled by itself."""
    spans, tail = _spans(words)
    pieces: list[_Piece] = []
    previous = 0
    for start, scalar_end, end in spans:
        piece = _piece(start, scalar_end, words[start:end], previous) or _numbers(start, words[start:end])
        pieces.append(_checked_piece(piece, previous, params) if check else piece)
        previous = words[end - 1]
    return pieces, tail


# --- masks -----------------------------------------------------------------------------------------------------


def _automatic(pieces: list[_Piece]) -> bool:
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


# --- text ------------------------------------------------------------------------------------------------------

Line = tuple[str, int]  # text, number of words that it stands for


def _overrides(op: Op, params: list[str], labels: dict[int, str]) -> dict[str, str]:
    """Texts of operands that have names: parameters, block indices, labels."""
    texts: dict[str, str] = {}
    for name, operand in op.form.operands.items():
        value = op.values[name]
        if operand.kind is Kind.FRAM:
            texts[name] = _fram_text(value, params)
        elif operand.kind is Kind.LABEL and value in labels:
            texts[name] = labels[value]
        elif operand.kind is Kind.S16 and value in _BLOCK_INDEX and name in op.form.sources:
            texts[name] = _BLOCK_INDEX[value]
    return texts


def _fram_text(offset: int, params: list[str]) -> str:
    if offset % PARAMETER_BYTES == 0 and offset // PARAMETER_BYTES < len(params):
        return params[offset // PARAMETER_BYTES]
    builtin = builtin_name(offset)
    return builtin if builtin and builtin not in params else f"{offset:#x}"


def _text(op: Op, params: list[str], labels: dict[int, str]) -> str:
    if op.form is RAW:
        return f".word {op.word():#010x}"
    return f"{op.form.name} {operand_text(op, _overrides(op, params, labels))}".rstrip()


def _copy_lines(ops: list[Op], slot: Slot) -> Iterator[str]:
    """COPY or COPYEXT lines, two moves of a pair joined."""
    name, bank = ("COPYEXT", 8) if slot is Slot.COPYEXT else ("COPY", 0)
    moves = [(op.values["s"], op.values["d"] + bank) for op in ops if op.form.slot is slot]
    while moves:
        source, target = moves.pop(0)
        paired = source in _PAIR_SOURCES and target in PAIR_NAMES
        if paired and moves[:1] == [(source + 1, target + 1)]:
            moves.pop(0)
            yield f"{name} {PAIR_NAMES[source]}, {PAIR_NAMES[target]}"
        else:
            yield f"{name} {HALF_NAMES[source]}, {HALF_NAMES[target]}"


def _mask_line(name: str, mask: int) -> str:
    if mask & 1 << 5:
        raise KeyError(mask)
    return f"{name} {', '.join(token_names(mask))}"


def _column_lines(piece: _Piece, params: list[str], labels: dict[int, str], manual: bool) -> Iterator[Line]:
    """Lines of a column before its end, in the order of the words."""
    for offset, op in enumerate(piece.scalars):
        if piece.start + offset in labels:
            yield f"{labels[piece.start + offset]}:", 0
        yield _text(op, params, labels), 1
    first_vector = piece.start + len(piece.scalars)
    if piece.vector_words and first_vector in labels:
        yield f"{labels[first_vector]}:", 0
    if piece.vector_words:
        yield from _vector_lines(piece, params, manual)


def _vector_lines(piece: _Piece, params: list[str], manual: bool) -> Iterator[Line]:
    unspoken = 0 if manual else len(piece.terms) - piece.spoken
    if manual and piece.forward:
        yield _mask_line("FORWARD", piece.forward), 1
    for mask in piece.terms[unspoken:]:
        yield _mask_line("TERM", mask), 1
    for op in piece.ops:
        if op.form.slot not in COPY_BASE and op.form.slot is not Slot.PE:
            yield _text(op, params, {}), 1
    for slot in COPY_BASE:
        for index, line in enumerate(_copy_lines(piece.ops, slot)):
            yield line, 1 if index == 0 else 0
    for op in piece.ops:
        if op.form.slot is Slot.PE:
            yield _text(op, params, {}), 1
    if piece.nop:
        filler = NOP.operands["filler"].field.get(piece.words[-1])
        yield f"NOP {filler:#x}", 1


def _labels(pieces: list[_Piece]) -> dict[int, str]:
    """Names of the jump targets that a label line can mark: scalar words and the first vector word of a column."""
    targets = {
        op.values["target"] for piece in pieces for op in piece.scalars if op.form.effect == "jump"
    }  # fmt: skip
    markable: set[int] = set()
    for piece in pieces:
        markable.update(range(piece.start, piece.start + min(len(piece.scalars) + 1, len(piece.words))))
    return {target: f"$L{number}" for number, target in enumerate(sorted(targets & markable))}


class _Page:
    """Lines of text; with `annotate`, each with the words that it stands for."""

    def __init__(self, words: tuple[int, ...], annotate: bool) -> None:
        self.words, self.annotate = words, annotate
        self.index = 0
        self.lines: list[str] = []

    def put(self, text: str, count: int = 0) -> None:
        """A line that stands for the next `count` words."""
        words = self.words[self.index : self.index + count]
        note = f"// {self.index:>3}: {' '.join(f'{word:08x}' for word in words)}"
        self.lines.append(f"{text:<{_NOTE_COLUMN}}{note}" if self.annotate and words else text)
        self.index += count


def _automatic_masks(piece: _Piece) -> list[str]:
    """Masks that the assembler sets by itself, as text, one per word."""
    terms = piece.terms[: len(piece.terms) - piece.spoken]
    masks = [("FORWARD", piece.forward)] if piece.forward else []
    return [_mask_line(name, mask) for name, mask in [*masks, *(("TERM", mask) for mask in terms)]]


def _print_column(page: _Page, piece: _Piece, params: list[str], labels: dict[int, str], manual: bool) -> None:
    end, vector = piece.start + len(piece.words), piece.start + len(piece.scalars)
    unspoken = [] if manual or not page.annotate else _automatic_masks(piece)
    for text, count in _column_lines(piece, params, labels, manual):
        if page.index == vector and unspoken and count:
            page.put(f"    // {'; '.join(unspoken)}", len(unspoken))
            unspoken = []
        page.put(text if text.endswith(":") else f"    {text}", count)
    page.put("##", end - page.index)


def _parameter_names(params: tuple[Parameter, ...]) -> list[str]:
    """Declared names, or p0, p1, ... where they cannot be written."""
    names = [entry.name for entry in params]
    usable = len(set(names)) == len(names) and all(_NAME.fullmatch(name) for name in names)
    return names if usable else [f"p{index}" for index in range(len(names))]


def _page(kernel: Kernel, params: list[str], annotate: bool, check: bool) -> str:
    pieces, tail = _pieces(kernel.words, params, check)
    manual = not _automatic(pieces)
    labels = _labels(pieces)
    page = _Page(kernel.words, annotate)
    page.put(f".forward {'manual' if manual else 'auto'}")
    for name, entry in zip(params, kernel.params, strict=True):
        page.put(f".param .{entry.type.lower()} {name}")
    for piece in pieces:
        _print_column(page, piece, params, labels, manual)
    rest = kernel.words[tail:]
    if list(rest) != tail_words(tail):
        page.put(f".tail {', '.join(f'{word:#010x}' for word in rest)}", len(rest))
    return "\n".join(page.lines) + "\n"


def disassemble(kernel: Kernel, annotate: bool = False) -> str:
    """Text of a kernel; assembling it gives the kernel's words again.

    Args:
        kernel: any kernel, published image or assembled text.
        annotate: add to each line the index and the hexadecimal digits of the words that it stands for.
    """
    params = _parameter_names(kernel.params)
    try:
        text = _page(kernel, params, annotate, check=False)
        if assemble(text, kernel.name).words == kernel.words:
            return text
    except (KeyError, AssemblyError):
        pass  # a column that cannot be said as it stands
    return _page(kernel, params, annotate, check=True)
