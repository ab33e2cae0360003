"""Assembly text of a program, column by column."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from openrpp.isa.program import Kernel
from openrpp.kir.location import Location


class Text:
    """Lines of assembly text; a column is closed by `column`.

    `places` has the source of lines by their index; `location` is that of lines that come without one.
    """

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.places: dict[int, Location] = {}
        self.location: Location | None = None
        self._labels = 0
        self.columns = 0

    def do(self, *instructions: str, at: Sequence[Location | None] = ()) -> None:
        """Add instructions to the open column; `at` is where each comes from."""
        for index, location in enumerate(at or [self.location] * len(instructions), start=len(self.lines)):
            if location is not None:
                self.places[index] = location
        self.lines += instructions

    def column(self, *instructions: str, at: Sequence[Location | None] = ()) -> None:
        """Add instructions and close the column."""
        self.do(*instructions, at=at)
        self.lines.append("##")
        self.columns += 1

    def insert(self, index: int, instructions: Sequence[str]) -> None:
        """Add instructions before a line."""
        self.lines[index:index] = instructions
        self.places = {at + len(instructions) * (at >= index): place for at, place in self.places.items()}

    def label(self) -> str:
        """A new label."""
        self._labels += 1
        return f"$L{self._labels}"

    def place(self, label: str) -> None:
        """A jump target here."""
        self.lines.append(f"{label}:")

    def text(self) -> str:
        """The whole text."""
        return "\n".join(self.lines) + "\n"


def located(machine: Kernel, text: Text, before: int) -> dict[int, tuple[Location, ...]]:
    """Where the column of each word stems from: all its source lines, the most frequent first.

    The text was assembled behind `before` other lines.
    """
    starts = sorted(set(machine.lines.values()))
    ends = dict(zip(starts, [*starts[1:], before + len(text.lines) + 1], strict=True))
    columns: dict[int, tuple[Location, ...]] = {}
    for start, end in ends.items():
        lines = range(start - before - 1, end - before - 1)
        found = Counter(text.places[line] for line in lines if line in text.places)
        columns[start] = tuple(location for location, _ in found.most_common())
    return {word: columns[line] for word, line in machine.lines.items() if columns[line]}
