"""Assembly text to machine words.

The grammar is that of the published kernels: directives, `.var` allocation, labels, `##` column ends, macros. Two
modes set the token masks: automatic (`is_forward`, the default) and manual, where only explicit FORWARD and TERM lines
count; the directive `.forward auto|manual` or the argument of `assemble` chooses.

Three lines are ours, for words that the grammar does not reach: `.word N` puts a number among the scalar words of a
column (a processing element word closes it), `NOP N` sets the meaningless bits of a NOP, and `.tail N, ...` replaces
the terminator and the padding behind the last column.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from openrpp.isa import macros
from openrpp.isa.checks import advise, check
from openrpp.isa.columns import lay_out, raw, set_masks
from openrpp.isa.instructions import instruction
from openrpp.isa.program import Kernel
from openrpp.isa.source import Complaint, Place, Source, declare
from openrpp.isa.suggest import did_you_mean
from openrpp.isa.syntax import OperandError

_LABEL = re.compile(r"\s*\$([\w.]+)\s*:\s*$")
_SYMBOL = re.compile(r"\s*[A-Za-z_.][\w.]*\s*:\s*$")
_DIRECTIVE = re.compile(r"\s*\.(param|var)\b(?:\s+\.(\w+)\s+(%?)([\w.]+)\s*$)?", re.IGNORECASE)
_MODE = re.compile(r"\s*\.forward\b\s*(.*)$")
_WORDS = re.compile(r"\s*\.(word|tail)\b(.*)$")
_INSTRUCTION = re.compile(r"\s*([A-Za-z_][\w.]*)(.*)$")
_END = re.compile(r"\s*#")
MAX_ERRORS = 20


@dataclass(frozen=True)
class Diagnostic:
    """A sentence about a place in the source."""

    file: str
    line: int
    column: int
    message: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}: {self.message}"


class AssemblyError(ValueError):
    """The text cannot be assembled; `diagnostics` has every complaint."""

    def __init__(self, diagnostics: list[Diagnostic]) -> None:
        self.diagnostics = diagnostics
        super().__init__("\n".join(map(str, diagnostics)))


# --- lines -----------------------------------------------------------------------------------------------------


def _line(source: Source, number: int, text: str) -> None:
    if _END.match(text):
        source.close()
    elif label := _LABEL.match(text):
        _place_label(source, label[1], number)
    elif text.lstrip().startswith("."):
        _directive(source, number, text)
    elif not _SYMBOL.match(text):
        _statement(source, number, text)


def _place_label(source: Source, name: str, line: int) -> None:
    if name in source.labels:
        raise Complaint(f"label '${name}' stands on line {source.labels[name]} already")
    source.labels[name] = line
    source.column.labels.append((name, len(source.column.scalars)))
    source.open = True


def _directive(source: Source, line: int, text: str) -> None:
    """A line that starts with a dot; unknown ones (`.size` and the like) are ignored."""
    if declared := _DIRECTIVE.match(text):
        if declared[2] is None:
            raise Complaint(f"cannot read '{text.strip()}'; a declaration is .param .u32 name or .var .u16 %name")
        columns = declared.start(2), declared.start(3) + 1
        declare(source, declared[1], declared[2], declared[3] + declared[4], Place(line, columns[1]), columns[0])
    elif mode := _MODE.match(text):
        if mode[1] not in ("auto", "manual"):
            raise Complaint(f"'.forward {mode[1]}' is not a mode; auto and manual are", mode.start(1) + 1)
        source.forward = mode[1] == "auto"
    elif words := _WORDS.match(text):
        _numbers(source, words[1], words[2], Place(line, words.start(2) + 1))


def _numbers(source: Source, directive: str, text: str, place: Place) -> None:
    """`.word` puts numbers among the scalar words, `.tail` in place of terminator and padding."""
    values = macros.words_of(text, place.column)
    if directive == "tail":
        source.tail = [*(source.tail or []), *values]
        return
    for value in values:
        if source.column.closed:
            raise Complaint("the last .word closes this column; end it with ## first", place.column)
        source.add(raw(value), place)
        source.open = True
        source.column.line = source.column.line or place.line


def _statement(source: Source, line: int, text: str) -> None:
    found = _INSTRUCTION.match(text)
    if not found:
        raise Complaint(f"cannot read '{text.strip()}'; a line is a directive, a label, an instruction or ##")
    source.open = True
    source.column.line = source.column.line or line
    place = Place(line, found.start(1) + 1)
    if not macros.expand(source, found[1].upper(), place):
        instruction(source, found[1], found[2], place)


# --- the whole text ----------------------------------------------------------------------------------------------


def _strip(text: str) -> str:
    return text.replace("\ufeff", "").split("//", 1)[0].rstrip()


def assemble(text: str, name: str, file: str = "<text>", forward: bool = True) -> Kernel:
    """Assemble kernel text.

    Args:
        text: the source.
        name: the kernel's name.
        file: what error messages call the source.
        forward: automatic token masks (`is_forward`); a `.forward` line in the text overrides it.

    Raises:
        AssemblyError: with file, line, column and what would have been right, up to 20 complaints.
    """
    source = Source(name, forward)
    errors = [*_read(source, text, file), *_unplaced(source, file)]
    errors += _column_errors(source, file)
    if errors:
        raise AssemblyError(sorted(errors, key=lambda error: (error.line, error.column))[:MAX_ERRORS])
    return _finish(source, file)


def _read(source: Source, text: str, file: str) -> list[Diagnostic]:
    errors: list[Diagnostic] = []
    for index, line in enumerate(map(_strip, text.splitlines()), start=1):
        if not line.strip():
            continue
        try:
            _line(source, index, line)
        except (Complaint, OperandError) as error:
            errors.append(Diagnostic(file, index, error.column, str(error)))
    if source.open or (len(source.columns) == 1 and source.tail is None) or source.pending:
        source.close()
    source.columns.pop()
    return errors


def _unplaced(source: Source, file: str) -> Iterator[Diagnostic]:
    for label, line in source.uses:
        if label.name not in source.labels:
            hint = did_you_mean(f"${label.name}", (f"${known}" for known in source.labels))
            yield Diagnostic(file, line, label.column, f"label '${label.name}' is not defined{hint}")


def _column_errors(source: Source, file: str) -> Iterator[Diagnostic]:
    for column in source.columns:
        for place, message in check(column, source.places):
            yield Diagnostic(file, place.line, place.column, message)
        source.warnings += [(place.line, message) for place, message in advise(column, source.places)]


def _finish(source: Source, file: str) -> Kernel:
    if source.forward:
        set_masks(source.columns)
    layout = lay_out(source.columns, source.fixups, source.tail)
    warnings = tuple(f"{file}:{line}: {warning}" for line, warning in source.warnings)
    return Kernel(source.name, layout.words, tuple(source.params), layout.lines, file, warnings)


# --- files -----------------------------------------------------------------------------------------------------


def assemble_file(path: str | Path, name: str | None = None, forward: bool | None = None) -> Kernel:
    """Assemble a file; the kernel is named after it, and `kernel_cfg.json` beside it sets the mode where it lists it.

    Raises OSError, AssemblyError, or AssemblyError for a file that is not UTF-8.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        message = f"byte {error.start} is not UTF-8; is this an object file?"
        raise AssemblyError([Diagnostic(str(path), 1, 1, message)]) from None
    if forward is None:
        forward = listed_mode(path)
    return assemble(text, name or path.stem, str(path), forward)


def listed_mode(path: Path) -> bool:
    """The `is_forward` flag of a source in the `kernel_cfg.json` beside it; True where there is none."""
    listing = path.with_name("kernel_cfg.json")
    try:
        entries: Any = json.loads(listing.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return True
    for entry in cast("dict[str, Any]", entries).values() if isinstance(entries, dict) else ():
        if isinstance(entry, dict):
            fields = cast("dict[str, Any]", entry)
            if fields.get("asm_source") == path.name:
                return bool(fields.get("is_forward", True))
    return True


__all__ = ["AssemblyError", "Diagnostic", "assemble", "assemble_file", "listed_mode"]
