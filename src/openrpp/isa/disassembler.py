"""Machine words to assembly text that assembles to the same words, whatever the words are.

A column that the grammar can say is printed as instructions; masks are left to the assembler where its automatic rule
gives them, and are printed as FORWARD and TERM lines otherwise. Words that no instruction describes, and columns that
the assembler would order or refuse otherwise, are printed as `.word` lines; an unusual end as a `.tail` line.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from openrpp.isa.assembler import AssemblyError, assemble
from openrpp.isa.columns import COPY_FORMS, END_WORD, NOP, RAW, copied_to, fifth_bits, raw, tail_words
from openrpp.isa.form import COPIES, Kind, Op, Slot
from openrpp.isa.fram import PARAMETER_BYTES, builtin_name
from openrpp.isa.pieces import Piece, automatic, decode_piece, numbers, spans
from openrpp.isa.program import Kernel, Parameter
from openrpp.isa.registers import FIXED_SCALARS, HALF_NAMES, PAIR_NAMES, TOKEN_CODES, token_names
from openrpp.isa.syntax import operand_text

_NAME = re.compile(r"[A-Za-z_][\w.]*")
_BLOCK_INDEX = {register: f"%{name}" for name, register in FIXED_SCALARS.items()}
_PAIR_SOURCES = {4, 6}
_NOTE_COLUMN = 48

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
    """COPY or COPYEXT lines of one bank, two moves of a pair joined."""
    name = COPY_FORMS[slot].name
    moves = [(op.values["s"], copied_to(op)) for op in ops if op.form.slot is slot]
    while moves:
        source, target = moves.pop(0)
        paired = source in _PAIR_SOURCES and target in PAIR_NAMES
        if paired and moves[:1] == [(source + 1, target + 1)]:
            moves.pop(0)
            yield f"{name} {PAIR_NAMES[source]}, {PAIR_NAMES[target]}"
        else:
            yield f"{name} {HALF_NAMES[source]}, {HALF_NAMES[target]}"


def _mask_line(name: str, mask: int) -> str:
    if any(mask >> bit & 1 and bit not in TOKEN_CODES for bit in range(mask.bit_length())):
        raise KeyError(mask)  # a bit without a name
    return f"{name} {', '.join(token_names(mask))}"


def _column_lines(piece: Piece, params: list[str], labels: dict[int, str], manual: bool) -> Iterator[Line]:
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


def _vector_lines(piece: Piece, params: list[str], manual: bool) -> Iterator[Line]:
    unspoken = 0 if manual else len(piece.terms) - piece.spoken
    if manual and piece.forward:
        yield _mask_line("FORWARD", piece.forward), 1
    for mask in piece.terms[unspoken:]:
        yield _mask_line("TERM", mask), 1
    for op in piece.ops:
        if op.form.slot not in COPIES and op.form.slot is not Slot.PE:
            yield _text(op, params, {}), 1
    for slot in COPIES:
        for index, line in enumerate(_copy_lines(piece.ops, slot)):
            yield line, 1 if index == 0 else 0
    for op in piece.ops:
        if op.form.slot is Slot.PE:
            yield _text(op, params, {}), 1
    if piece.nop:
        filler = NOP.operands["filler"].field.get(piece.words[-1])
        yield f"NOP {filler:#x}", 1


def _labels(pieces: list[Piece]) -> dict[int, str]:
    """Names of the jump targets that a label line can mark: scalar words and the first vector word of a column."""
    jumps = [op for piece in pieces for op in piece.scalars if op.form.effect == "jump"]
    targets = {op.values["target"] for op in jumps}
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


def _unspoken(piece: Piece, manual: bool) -> list[str]:
    """Words that the assembler adds by itself, as text: fifth bits and, in automatic mode, masks."""
    fifth = fifth_bits(piece.ops)
    words = [f"UPPER {fifth:#x}"] if fifth else []
    if manual:
        return words
    terms = piece.terms[: len(piece.terms) - piece.spoken]
    masks = [("FORWARD", piece.forward)] if piece.forward else []
    return words + [_mask_line(name, mask) for name, mask in [*masks, *(("TERM", mask) for mask in terms)]]


def _print_column(page: _Page, piece: Piece, params: list[str], labels: dict[int, str], manual: bool) -> None:
    end, vector = piece.start + len(piece.words), piece.start + len(piece.scalars)
    unspoken = _unspoken(piece, manual) if page.annotate else []
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


# --- the whole image -------------------------------------------------------------------------------------------------


def _checked_piece(piece: Piece, previous_pe: int, params: list[str]) -> Piece:
    """The column, with numbers in place of what the assembler would refuse or order otherwise."""
    if _assembles(piece, previous_pe, params):
        return piece
    words = Piece(piece.start, piece.words, [*piece.scalars, *map(raw, piece.vector_words)])
    return words if _assembles(words, previous_pe, params) else numbers(piece.start, piece.words)


def _assembles(piece: Piece, previous_pe: int, params: list[str]) -> bool:
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


def _pieces(words: tuple[int, ...], params: list[str], check: bool) -> tuple[list[Piece], int]:
    """Columns, and where the tail begins; with `check`, each column is assembled by itself."""
    found, tail = spans(words)
    pieces: list[Piece] = []
    previous = 0
    for start, scalar_end, end in found:
        piece = decode_piece(start, scalar_end, words[start:end], previous) or numbers(start, words[start:end])
        pieces.append(_checked_piece(piece, previous, params) if check else piece)
        previous = words[end - 1]
    return pieces, tail


def _render(kernel: Kernel, params: list[str], annotate: bool, check: bool) -> str:
    pieces, tail = _pieces(kernel.words, params, check)
    manual = not automatic(pieces)
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
        text = _render(kernel, params, annotate, check=False)
        if assemble(text, kernel.name).words == kernel.words:
            return text
    except (KeyError, AssemblyError):
        pass  # a column that cannot be said as it stands
    return _render(kernel, params, annotate, check=True)
