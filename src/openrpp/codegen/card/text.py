"""Assembly text of a program, column by column."""

from __future__ import annotations


class Text:
    """Lines of assembly text; a column is closed by `column`."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self._labels = 0
        self.columns = 0

    def do(self, *instructions: str) -> None:
        """Add instructions to the open column."""
        self.lines += instructions

    def column(self, *instructions: str) -> None:
        """Add instructions and close the column."""
        self.lines += instructions
        self.lines.append("##")
        self.columns += 1

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
