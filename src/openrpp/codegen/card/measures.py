"""Columns of machine code and of its loops, counted in the words themselves."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from openrpp.isa.columns import END_WORD, bank_of, ends_column
from openrpp.isa.form import Slot
from openrpp.isa.registers import halves_of
from openrpp.isa.table import decode_form

_PORT = ("LOAD", "STORE", "MMOV", "MADD", "MSUB", "MSHIFTADD", "ATOM")
_SCALAR = re.compile(r"^(?!VOTE).*, D?S\d+$")
"""Lines that are surely no operation of the processing element."""
_WIDE_MOVE = re.compile(r"MOVE\.[US]32 0x[0-9a-f]{5,}, D?S\d+$")


@dataclass(frozen=True, slots=True)
class LoopSize:
    """A loop: its columns without those of inner loops, and how many loops are around it."""

    columns: int
    depth: int


def least_words(text: str) -> int:
    """A lower bound of the words that assembly text makes, found without assembling it.

    The copies of a column to one bank share a word; a column without an operation of the processing element has a word
    that says so; a column that cannot write all registers that were copied to before has a FORWARD word, since tokens
    stay alive to the end; scalar moves of more than 16 bits are two.
    """
    words, forwards, is_idle, lines = 0, 0, True, 0
    live, banks = set[int](), set[Slot]()
    for line in text.splitlines():
        if line == "##":
            words += is_idle + len(banks)
            forwards += len(live) > 2 * lines  # a line writes two halves at most
            is_idle, lines = True, 0
            banks.clear()
            continue
        lines += 1
        if line.startswith("COPY"):
            codes = halves_of(line.rpartition(" ")[2])
            live.update(codes)
            banks.add(bank_of(codes[0]))
        elif not line.startswith(("$", ".")):
            words += 2 if _WIDE_MOVE.match(line) else 1
            is_idle = is_idle and (line.startswith(_PORT) or _SCALAR.search(line) is not None)
    return words + max(forwards - 1, 0)  # the last column forwards nothing


def column_starts(words: Sequence[int]) -> list[int]:
    """Word index of the start of each column, and behind the last one."""
    starts = [0]
    for place, word in enumerate(words):
        if word == END_WORD:
            break
        if ends_column(word):
            starts.append(place + 1)
    return starts


def loop_sizes(words: Sequence[int]) -> tuple[LoopSize, ...]:
    """The loops of a program, in the order of their starts, outer ones first: each jump back closes one."""
    starts = column_starts(words)
    column_of: dict[int, int] = {}
    number = 0
    for place in range(starts[-1] + 1):
        if number + 1 < len(starts) and place == starts[number + 1]:
            number += 1
        column_of[place] = number
    spans: dict[int, int] = {}
    for place, word in enumerate(words[: starts[-1]]):
        form = decode_form(word)
        target = form.operands["target"].field.get(word) if form is not None and form.effect == "jump" else None
        if target is None or target > place:
            continue
        first = column_of[target]
        # A jump in the scalar words of a column leaves before that column runs.
        spans[first] = max(spans.get(first, 0), column_of[place])
    return _nested(sorted(spans.items(), key=lambda span: (span[0], -span[1])))


def _nested(spans: list[tuple[int, int]]) -> tuple[LoopSize, ...]:
    found: list[LoopSize] = []
    for start, end in spans:
        around = [other for other in spans if other != (start, end) and other[0] <= start and end <= other[1]]
        inner = [other for other in spans if other != (start, end) and start <= other[0] and other[1] <= end]
        outermost = [span for span in inner if not any(_is_inside(span, other) for other in inner if other != span)]
        own = end - start - sum(last - first for first, last in outermost)
        found.append(LoopSize(own, len(around)))
    return tuple(found)


def _is_inside(span: tuple[int, int], other: tuple[int, int]) -> bool:
    return other[0] <= span[0] and span[1] <= other[1]
