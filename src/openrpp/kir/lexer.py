"""Tokens of kernel IR text."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from openrpp.kir.errors import ParseError

NAME: Final = r"[A-Za-z0-9_.$]+"
_TOKEN: Final = re.compile(
    r"(?P<skip>[ \t\n]+|;[^\n]*)"
    r'|(?P<text>"(?:[^"\\\n]|\\.)*")'
    rf"|(?P<value>%{NAME})|(?P<block>\^{NAME})|(?P<symbol>@{NAME})"
    r"|(?P<number>-?0x[0-9a-fA-F]+|-?\d+(?:\.\d+)?(?:e[+-]?\d+)?)"
    r"|(?P<word>[A-Za-z_][A-Za-z0-9_.]*)"
    r"|(?P<mark>[(){}:,=!])"
)
_UNESCAPES: Final = {"n": "\n", "t": "\t", "r": "\r"}


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of text; `kind` is text, value, block, symbol, number, word, mark or end."""

    kind: str
    text: str
    position: int


def place(source: str, position: int) -> tuple[int, int]:
    """(line, column) of a position, counted from 1."""
    return source.count("\n", 0, position) + 1, position - source.rfind("\n", 0, position)


def tokens(source: str) -> list[Token]:
    """All tokens and an end. Raises ParseError at a character that starts none."""
    found: list[Token] = []
    position = 0
    while position < len(source):
        match = _TOKEN.match(source, position)
        if match is None:
            raise ParseError(f"'{source[position]}' starts no token of kernel IR", *place(source, position))
        if match.lastgroup != "skip":
            found.append(Token(match.lastgroup or "", match.group(), position))
        position = match.end()
    found.append(Token("end", "the end of the text", position))
    return found


def unquoted(literal: str) -> str:
    """The content of a text literal."""
    return re.sub(r"\\(.)", lambda match: _UNESCAPES.get(match[1], match[1]), literal[1:-1])
