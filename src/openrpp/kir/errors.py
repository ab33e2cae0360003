"""Errors of the kernel IR: each names the kernel and, where known, the source line concerned."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from openrpp.kir.location import Location


class KirError(Exception):
    """Anything that the kernel IR refuses."""

    def __init__(self, sentence: str, kernel: str = "", location: Location | None = None) -> None:
        self.sentence = sentence
        self.kernel = kernel
        self.location = location
        where = [str(location) if location else "", f"kernel {kernel}" if kernel else ""]
        super().__init__(": ".join(["rpp: kir", *filter(None, where), sentence]))


class TypeMismatch(KirError, TypeError):
    """Operands, attributes or result type that the op's table row does not allow."""


class VerifyError(KirError, ValueError):
    """IR that breaks a rule of the language; `after` names the pass that left it so."""

    def __init__(self, sentence: str, kernel: str = "", location: Location | None = None, after: str = "") -> None:
        self.after = after
        super().__init__(f"{sentence} (after pass {after})" if after else sentence, kernel, location)


class ParseError(KirError, ValueError):
    """Text that is not kernel IR; `line` and `column` count from 1."""

    def __init__(self, sentence: str, line: int, column: int) -> None:
        self.line = line
        self.column = column
        super().__init__(f"{line}:{column}: {sentence}")
