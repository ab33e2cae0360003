"""Where the words of a line of items hold values that are still needed.

A place is the number of an item; a set of places is an integer with a bit for each, set where a value is needed just
before that item. What nobody can have written yet is not needed: lanes that a masked assignment leaves alone hold
nothing then.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from openrpp.codegen.card.flow import Begin, End, Item, Jump, Label
from openrpp.codegen.card.scalars import defines, uses
from openrpp.codegen.card.steps import Word


@dataclass(slots=True)
class _Stretch:
    """Items that run one after another: `first` to `last`, that excluded. Words are bits here."""

    first: int
    last: int
    follows: list[int] = field(default_factory=list[int])
    read: int = 0  # before a write in the stretch
    written: int = 0
    live_in: int = 0
    live_out: int = 0
    known_in: int = 0  # may have been written


@dataclass(frozen=True, slots=True)
class LoopPlaces:
    """A loop in the line: the places of its Begin and End, and how many loops are around it."""

    begin: int
    end: int
    depth: int

    @property
    def inside(self) -> int:
        """The set of places within."""
        return (1 << self.end + 1) - (1 << self.begin + 1)


class Liveness:
    """The sets of places of all words; `read_at` and `made_at` are what each item reads and writes."""

    def __init__(self, items: Sequence[Item]) -> None:
        self.items = items
        self.words: list[Word] = []
        self._number: dict[Word, int] = {}
        self._reads: list[list[int]] = []
        self._made: list[int] = []
        self.read_at = [tuple(uses(item)) for item in items]
        self.made_at = [defines(item) for item in items]
        for read, made in zip(self.read_at, self.made_at, strict=True):
            self._reads.append([self._known(word) for word in read])
            self._made.append(-1 if made is None else self._known(made))
        self._stretches = self._cut()
        self._solve()
        self.places = self._spread()

    def _known(self, word: Word) -> int:
        number = self._number.get(word)
        if number is None:
            number = self._number[word] = len(self.words)
            self.words.append(word)
        return number

    def needed(self, word: Word) -> int:
        """The set of places at which a word is needed."""
        number = self._number.get(word)
        return 0 if number is None else self.places[number]

    # --- stretches ------------------------------------------------------------------------------------------------

    def _cut(self) -> list[_Stretch]:
        starts = {0}
        for place, item in enumerate(self.items):
            if isinstance(item, Label):
                starts.add(place)
            elif isinstance(item, Jump):
                starts.add(place + 1)
        bounds = sorted(starts | {len(self.items)})
        stretches = [_Stretch(first, last) for first, last in pairwise(bounds)]
        label_at = {item.name: place for place, item in enumerate(self.items) if isinstance(item, Label)}
        index = {stretch.first: number for number, stretch in enumerate(stretches)}
        for number, stretch in enumerate(stretches):
            end = self.items[stretch.last - 1]
            if isinstance(end, Jump):
                stretch.follows.append(index[label_at[end.label]])
            if not (isinstance(end, Jump) and end.condition is None) and number + 1 < len(stretches):
                stretch.follows.append(number + 1)
            read, written = set[int](), set[int]()
            for place in range(stretch.first, stretch.last):
                read.update(word for word in self._reads[place] if word not in written)
                if self._made[place] >= 0:
                    written.add(self._made[place])
            stretch.read, stretch.written = _mask(read), _mask(written)
        return stretches

    def _solve(self) -> None:
        """Needed backwards, written forwards, until nothing changes."""
        changed = True
        while changed:
            changed = False
            for stretch in reversed(self._stretches):
                out = 0
                for follower in stretch.follows:
                    out |= self._stretches[follower].live_in
                before = stretch.read | out & ~stretch.written
                changed |= before != stretch.live_in
                stretch.live_in, stretch.live_out = before, out
        changed = True
        while changed:
            changed = False
            for stretch in self._stretches:
                behind = stretch.known_in | stretch.written
                for follower in stretch.follows:
                    target = self._stretches[follower]
                    changed |= bool(behind & ~target.known_in)
                    target.known_in |= behind

    def _spread(self) -> list[int]:
        """Places from stretches: runs of them, from a write or the start to the last read or the end."""
        runs: list[list[tuple[int, int]]] = [[] for _ in self.words]
        for stretch in self._stretches:
            open_ = dict.fromkeys(_bits(stretch.live_out & (stretch.known_in | stretch.written)), stretch.last)
            first = self._first_writes(stretch)
            for place in range(stretch.last - 1, stretch.first - 1, -1):
                made = self._made[place]
                if made in open_:
                    runs[made].append((place + 1, open_.pop(made)))
                for word in self._reads[place]:
                    if word not in open_ and (stretch.known_in >> word & 1 or first.get(word, place) < place):
                        open_[word] = place + 1
            for word, end in open_.items():
                runs[word].append((stretch.first, end))
        return [_union(spans) for spans in runs]

    def _first_writes(self, stretch: _Stretch) -> dict[int, int]:
        """The place of a stretch that first writes each word."""
        found: dict[int, int] = {}
        for place in range(stretch.first, stretch.last):
            if self._made[place] >= 0:
                found.setdefault(self._made[place], place)
        return found


def _mask(bits: Collection[int]) -> int:
    """The number in which some bits are set."""
    content = bytearray(max(bits, default=0) // 8 + 1)
    for bit in bits:
        content[bit // 8] |= 1 << bit % 8
    return int.from_bytes(content, "little")


def _bits(number: int) -> list[int]:
    """The bits that are set, in ascending order."""
    found: list[int] = []
    while number:
        lowest = number & -number
        found.append(lowest.bit_length() - 1)
        number ^= lowest
    return found


def _union(spans: list[tuple[int, int]]) -> int:
    found = 0
    for first, last in spans:
        found |= (1 << last) - (1 << first)
    return found


def runs_of(places: int) -> list[tuple[int, int]]:
    """A set of places as (first, behind the last) of its runs, in order."""
    found: list[tuple[int, int]] = []
    start = 0
    while places:
        skip = (places & -places).bit_length() - 1
        places >>= skip
        length = (~places & places + 1).bit_length() - 1
        found.append((start + skip, start + skip + length))
        places >>= length
        start += skip + length
    return found


def loops_of(items: Sequence[Item]) -> list[LoopPlaces]:
    """The loops of a line, inner ones first."""
    found: list[LoopPlaces] = []
    open_: list[int] = []
    for place, item in enumerate(items):
        if isinstance(item, Begin):
            open_.append(place)
        elif isinstance(item, End):
            begin = open_.pop()
            found.append(LoopPlaces(begin, place, len(open_)))
    return found
