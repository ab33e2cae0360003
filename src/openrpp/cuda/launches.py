"""Launches with blanks inside their brackets, `kernel << <grid, block>> >(x)`: nvcc takes them, clang does not."""

from __future__ import annotations

import re
from typing import Final

_OPEN: Final = re.compile(r"<<[ \t]*<(?![<=])|<[ \t]+<<(?![<=])")
_CLOSE: Final = re.compile(r">>[ \t]*>(?=\s*\()|>[ \t]+>>(?=\s*\()")


def joined(text: str) -> str:
    """The text with such brackets in clang's spelling; everything else keeps its line and column.

    Only brackets that are opened and closed within one statement count: `>> >(` alone may end template arguments.
    """
    parts: list[str] = []
    rest = 0
    for opened in _OPEN.finditer(text):
        end = text.find(";", opened.end())
        closed = _CLOSE.search(text, opened.end(), end if end >= 0 else len(text))
        if closed is None or opened.start() < rest:
            continue
        parts += [text[rest : opened.start()], _padded("<<<", opened), text[opened.end() : closed.start()]]
        parts.append(_padded(">>>", closed))
        rest = closed.end()
    return "".join([*parts, text[rest:]])


def _padded(bracket: str, found: re.Match[str]) -> str:
    return bracket.ljust(len(found[0]))
