"""The error that a faulty architecture file gives."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class ArchError(ValueError):
    """An architecture file, or a key in it, is wrong.

    The text is one sentence: the file, the dotted path of the key, what was given and what would have been right.
    """

    def __init__(self, file: str, key: str, problem: str) -> None:
        """Describe `problem` at the dotted path `key` (empty for the file as a whole) of `file`."""
        self.file = file
        self.key = key
        self.problem = problem
        super().__init__(": ".join(part for part in ("rpp: arch", file, key, problem) if part))

    def __reduce__(self) -> tuple[type[ArchError], tuple[str, str, str]]:
        # Exceptions pickle by their message alone otherwise; sweeps hand errors from worker processes to their parent.
        return type(self), (self.file, self.key, self.problem)


def one_of(allowed: Iterable[object]) -> str:
    """`'a', 'b' or 'c'`, for a sentence that lists what would have been right."""
    *head, last = [repr(item) for item in allowed]
    return f"{', '.join(head)} or {last}" if head else last


def suggestion(given: str, allowed: Iterable[str]) -> str:
    """A closing clause: the nearest allowed name if one is near, else all of them."""
    names = list(allowed)
    near = difflib.get_close_matches(given, names, n=1, cutoff=0.6)
    return f"did you mean {near[0]!r}?" if near else f"allowed: {', '.join(names)}"
