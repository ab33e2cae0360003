"""Tokens of LLVM IR text; each is a plain string whose first character tells its kind."""

from __future__ import annotations

import re
from typing import Final

_TOKEN: Final = re.compile(
    r'\s*(c?"[^"]*"'  # text; a quote inside is written \22
    r'|[%@](?:"[^"]*"|[-\w.$]+)'
    r"|-?\d+\.\d*(?:e[+-]?\d+)?|0x[KLMHR]?[0-9A-Fa-f]+|-?\d+"
    r"|[A-Za-z_$][\w.$-]*"
    r"|\.\.\.|[!#]\w+|\S)"
)


class BadText(Exception):
    """Text that the reader does not know; the sentence quotes it."""


class Cursor:
    """A position in the tokens of a piece of text."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens: list[str] = _TOKEN.findall(text)
        self.tokens.append("")
        self.at = 0

    @property
    def token(self) -> str:
        """The current token, empty at the end."""
        return self.tokens[self.at]

    def peek(self, distance: int = 1) -> str:
        """A token further on."""
        place = self.at + distance
        return self.tokens[place] if place < len(self.tokens) else ""

    def next(self) -> str:
        """The current token; move on."""
        found = self.tokens[self.at]
        if self.at < len(self.tokens) - 1:
            self.at += 1
        return found

    def accept(self, *wanted: str) -> bool:
        """Move on if the current token is one of these."""
        if self.tokens[self.at] in wanted:
            self.at += 1
            return True
        return False

    def expect(self, wanted: str) -> None:
        """Move past a token that must be there. Raises BadText."""
        if not self.accept(wanted):
            raise BadText(f"'{wanted}' is missing before '{self.token}' in '{self.text.strip()[:120]}'")

    def number(self) -> int:
        """A whole number. Raises BadText."""
        token = self.next()
        try:
            return int(token)
        except ValueError:
            raise BadText(f"a number is missing before '{token}' in '{self.text.strip()[:120]}'") from None

    def skip_group(self) -> None:
        """Move past a bracketed group that starts here."""
        depth = 0
        while True:
            token = self.next()
            if token == "":
                raise BadText(f"a bracket is not closed in '{self.text.strip()[:120]}'")
            depth += (token in "([{<") - (token in ")]}>")
            if depth == 0:
                return


def name_of(token: str) -> str:
    """The name in `%name`, `@name` or a quoted form of them."""
    return unescaped(token[2:-1]).decode("latin-1") if token[1:2] == '"' else token[1:]


def unescaped(text: str) -> bytes:
    r"""The bytes of a quoted text, where \xx stands for a byte in hexadecimal."""
    raw = text.encode("utf-8", "surrogateescape")
    return re.sub(rb"\\([0-9A-Fa-f]{2})", lambda found: bytes([int(found[1], 16)]), raw).replace(b"\\\\", b"\\")
