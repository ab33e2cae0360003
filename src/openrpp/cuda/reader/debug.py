"""Source locations from debug metadata."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from openrpp.kir.location import Location

_FIELD: Final = re.compile(r'(\w+): (?:"((?:[^"\\]|\\.)*)"|(!?[\w]+))')
OWN_HEADERS: Final = str(Path(__file__).parents[1] / "include")


class DebugInfo:
    """Answers what the numbers of `!dbg !12` mean."""

    def __init__(self, metadata: Mapping[int, str]) -> None:
        self._metadata = metadata
        self._locations: dict[int, Location | None] = {}
        self._files: dict[int, str] = {}

    def location(self, number: int | None) -> Location | None:
        """The place in the user's source, with the calls that inlining removed. Frames in libraries are left out."""
        if number is None:
            return None
        if number not in self._locations:
            self._locations[number] = None  # in case the metadata is circular
            self._locations[number] = self._made(number)
        return self._locations[number]

    def _made(self, number: int) -> Location | None:
        fields = self._fields(number)
        outer = self.location(_reference(fields.get("inlinedAt", "")))
        scope = _reference(fields.get("scope", ""))
        file = self._file(scope) if scope is not None else ""
        line = int(fields.get("line", "0"))
        if outer is not None and (not line or _is_library(file)):
            return outer
        return Location(file, line, int(fields.get("column", "0")), outer) if file and line else None

    def subprogram(self, number: int | None) -> tuple[str, Location | None]:
        """(name in the source, place) of a function."""
        if number is None:
            return "", None
        fields = self._fields(number)
        line = int(fields.get("line", "0"))
        return fields.get("name", ""), Location(self._file(number), line) if line else None

    def _fields(self, number: int) -> dict[str, str]:
        text = self._metadata.get(number, "")
        return {found[1]: found[2] if found[2] is not None else found[3] for found in _FIELD.finditer(text)}

    def _file(self, scope: int) -> str:
        """The file of a scope: its own entry, or that of the scope around it."""
        if scope not in self._files:
            fields = self._fields(scope)
            self._files[scope] = ""
            if "filename" in fields:
                self._files[scope] = fields["filename"]
            else:
                onward = _reference(fields.get("file") or fields.get("scope", ""))
                self._files[scope] = self._file(onward) if onward is not None else ""
        return self._files[scope]


def _is_library(file: str) -> bool:
    """Whether a file is one of our headers, of clang's, or of the C++ library."""
    return file.startswith(OWN_HEADERS) or "/lib/clang/" in file or "/include/c++/" in file


def _reference(text: str) -> int | None:
    return int(text[1:]) if text.startswith("!") and text[1:].isdigit() else None
