"""What running programs leave for the host: printf output, and why threads stopped.

Lanes append records to a variable in DDR. Its first two words count the bytes taken and the records that found no room;
a record is words of 32 bits: 1 + the number of its site, the block, the epoch (barriers passed), the thread, then the
operands of a printf, two words for 64 bits. Output is sorted as that of the native engine is: by block, then as threads
print that run one after another from barrier to barrier. That is the interpreter's order where threads do not wait for
each other elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from openrpp.codegen.stops import Triple, Why, place_in, stop_sentence
from openrpp.kir.interp.printf import formatted
from openrpp.kir.location import Location
from openrpp.kir.types import Type, parse_type

RECORDS: Final = "rpp.records"
"""Name of the variable."""
RECORD_BYTES: Final = 1 << 20
HEADER_BYTES: Final = 8
FIXED_WORDS: Final = 6
"""Words of a record before the operands: site, block x, y, z, epoch, thread."""


@dataclass(frozen=True, slots=True)
class Print:
    """A printf: its format and the names of its operands' types."""

    template: str
    kinds: tuple[str, ...]

    @property
    def types(self) -> list[Type]:
        """Types of the operands."""
        return [parse_type(name) for name in self.kinds]

    @property
    def words(self) -> int:
        """Words of a record."""
        return FIXED_WORDS + sum(2 if kind.bits == 64 else 1 for kind in self.types)


@dataclass(frozen=True, slots=True)
class Stop:
    """A place where threads stop."""

    why: Why
    message: str = ""
    function: str = ""
    location: Location | None = None

    @property
    def words(self) -> int:
        """Words of a record."""
        return FIXED_WORDS


@dataclass(frozen=True, slots=True)
class Told:
    """What a launch has printed; how many printf calls found no room; why it stopped, if it did."""

    output: str
    dropped: int = 0
    stopped: str = ""
    location: Location | None = None


@dataclass(frozen=True, slots=True)
class Records:
    """The places of a program that leave records, by number."""

    prints: tuple[Print, ...] = ()
    stops: tuple[Stop, ...] = ()
    bytes: int = RECORD_BYTES

    def read(self, content: bytes, grid: Triple, block: Triple, text: Callable[[int], bytes]) -> Told:
        """What the variable holds after a launch; `text` gives the bytes at a device address up to the next NUL."""
        words: list[int] = np.frombuffer(content, np.uint32).tolist()
        sites = (*self.prints, *self.stops)
        found: list[tuple[tuple[int, int, int], Print | Stop, Sequence[int]]] = []
        place, end = HEADER_BYTES // 4, min(HEADER_BYTES + words[0], len(content)) // 4
        while place + FIXED_WORDS <= end and words[place]:
            site = sites[words[place] - 1]
            x, y, z, epoch, thread = words[place + 1 : place + FIXED_WORDS]
            number = x + grid[0] * (y + grid[1] * z)
            found.append(((number, epoch, thread), site, words[place + FIXED_WORDS : place + site.words]))
            place += site.words
        return self._told(sorted(found, key=lambda item: item[0]), words[1], grid, block, text)

    def _told(
        self,
        found: Sequence[tuple[tuple[int, int, int], Print | Stop, Sequence[int]]],
        dropped: int,
        grid: Triple,
        block: Triple,
        text: Callable[[int], bytes],
    ) -> Told:
        output: list[str] = []
        for (number, _, thread), site, operands in found:
            if isinstance(site, Stop):
                who = place_in(number, grid), place_in(thread, block)
                sentence = stop_sentence(site.why, *who, site.message, site.function)
                return Told("".join(output), dropped, sentence, site.location)
            output.append(formatted(site.template, _values(site.types, operands), text))
        return Told("".join(output), dropped)


def _values(kinds: Sequence[Type], words: Sequence[int]) -> list[tuple[Type, int]]:
    rest = iter(words)
    return [(kind, next(rest) | (next(rest) << 32 if kind.bits == 64 else 0)) for kind in kinds]
