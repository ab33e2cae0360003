"""Source locations: file, line and column, and the chain of calls that inlining removed."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Location:
    """A place in the user's source. `inlined_at` is the call that brought this code here, innermost first."""

    file: str
    line: int
    column: int = 0
    inlined_at: Location | None = None

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"

    def chain(self) -> tuple[Location, ...]:
        """This place, then each call that it was inlined through."""
        found: list[Location] = []
        place: Location | None = self
        while place is not None:
            found.append(place)
            place = place.inlined_at
        return tuple(found)
