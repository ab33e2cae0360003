"""Clang's messages as typed diagnostics."""

from __future__ import annotations

import re
from dataclasses import replace

from openrpp.cuda.errors import Diagnostic, Location

_PLACED = re.compile(
    r"^(?P<file>.+?):(?P<line>\d+):(?P<column>\d+): (?P<kind>fatal error|error|warning|note): (?P<text>.*)$"
)
_UNPLACED = re.compile(r"^(?:\S*clang\S*: )?(?P<kind>fatal error|error|warning): (?P<text>.*)$")

FLAGS = (
    "-fno-color-diagnostics",
    "-fno-caret-diagnostics",
    "-fno-diagnostics-show-option",
    "-fdiagnostics-format=clang",
)
"""What clang must be given so that `parse` understands it."""


def parse(output: str) -> tuple[Diagnostic, ...]:
    """The messages in clang's error output, in order; notes hang on the message before them."""
    found: list[Diagnostic] = []
    for line in output.splitlines():
        message = _read(line)
        if message is None:
            continue
        if message.severity == "note" and found:
            found[-1] = replace(found[-1], notes=(*found[-1].notes, message))
        elif message.severity != "note":
            found.append(message)
    return tuple(found)


def _read(line: str) -> Diagnostic | None:
    if placed := _PLACED.match(line):
        where = Location(placed["file"], int(placed["line"]), int(placed["column"]))
        return Diagnostic(placed["kind"], placed["text"], where)
    if unplaced := _UNPLACED.match(line):
        return Diagnostic(unplaced["kind"], unplaced["text"])
    return None
