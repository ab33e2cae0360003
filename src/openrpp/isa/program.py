"""Kernels: what the assembler makes, object files hold and the card runs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from openrpp.isa.columns import END_WORD, skip_print
from openrpp.isa.fram import MAX_PARAMETERS
from openrpp.isa.table import decode_form


@dataclass(frozen=True)
class Parameter:
    """A declared parameter. Parameter i is the 32-bit word at byte 4 i of parameter memory."""

    name: str
    type: str = "u32"


@dataclass(frozen=True)
class Kernel:
    """A program for the card.

    `words` are the 32-bit machine words, terminator and padding included. `lines` maps a word index to the source
    line that it came from (empty for images).
    """

    name: str
    words: tuple[int, ...]
    params: tuple[Parameter, ...] = ()
    lines: dict[int, int] = field(default_factory=dict[int, int], compare=False)
    source: str = field(default="", compare=False)
    warnings: tuple[str, ...] = field(default=(), compare=False)

    @property
    def extensions(self) -> tuple[str, ...]:
        """Extension groups that the program uses; empty means that it runs on the published chip."""
        used: set[str] = set()
        index = 0
        while index < len(self.words):
            form = decode_form(self.words[index])
            used |= {form.extension} if form is not None else set()
            index += skip_print(self.words[index])
        return tuple(sorted(used - {""}))

    @property
    def image(self) -> bytes:
        """The words, little-endian."""
        return b"".join(word.to_bytes(4, "little") for word in self.words)


def parameters(rows: Iterable[tuple[str, str] | str | Parameter]) -> tuple[Parameter, ...]:
    """Parameters from (name, type) pairs or bare names. Raises ValueError past 64 or for an unknown type."""
    made: list[Parameter] = []
    for row in rows:
        entry = row if isinstance(row, Parameter) else Parameter(row) if isinstance(row, str) else Parameter(*row)
        if entry.type.lower() not in ("u16", "u32"):
            raise ValueError(f"parameter {entry.name!r}: type {entry.type!r} is not known; u16 and u32 are")
        made.append(entry)
    if len(made) > MAX_PARAMETERS:
        raise ValueError(f"{len(made)} parameters; a launch passes at most {MAX_PARAMETERS}")
    return tuple(made)


def from_words(words: Sequence[int], params: Iterable[tuple[str, str] | str | Parameter], name: str) -> Kernel:
    """A kernel from an image array. Raises ValueError for words outside 32 bits or an image without a terminator."""
    values = tuple(int(word) for word in words)
    if not values:
        raise ValueError(f"kernel {name!r}: the image is empty")
    for index, word in enumerate(values):
        if not 0 <= word < 1 << 32:
            raise ValueError(f"kernel {name!r}: word {index} is {word}, not an unsigned 32-bit number")
    if END_WORD not in values:
        raise ValueError(f"kernel {name!r}: the image has no terminator ({END_WORD:#x})")
    return Kernel(name, values, parameters(params))
