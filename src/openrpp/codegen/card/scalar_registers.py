"""Scalar registers: pairs for values of the sequencer over the line of a kernel, FRAM words for those that have none.

A word has one pair wherever it is needed. Where pairs run out, the word that is used least for its length lies in a
spare word of the parameter memory: its writer stores it there, each reader fetches it. Behind the words that parameters
leave there are those that hosts poke, of which kernels keep what they like between launches, too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from openrpp.codegen.card.flow import Vote
from openrpp.codegen.card.liveness import Liveness, loops_of
from openrpp.codegen.card.scalars import made_at_use
from openrpp.codegen.card.steps import Word

PAIRS = tuple(f"DS{number}" for number in range(1, 9))
"""DS0 is the base of the planes; DS9 to DS12 serve operands that are made where they are used, DS13 the assembler."""
POKED, MORE = 200, 48
"""Words of FRAM that hosts poke and this many kernels may keep values in, from this number on."""
TURNS, DEEPEST = 10, 4


class OutOfScalars(Exception):
    """More scalar values are alive at once than there are pairs and spare words: `words`, the longest first."""

    def __init__(self, words: list[Word]) -> None:
        self.words = words
        super().__init__()


@dataclass(slots=True)
class ScalarPlaces:
    """Where scalar words live: in pairs, or in spare words of FRAM, by number."""

    pairs: dict[Word, str] = field(default_factory=dict[Word, str])
    spare: dict[Word, int] = field(default_factory=dict[Word, int])
    named: int = 0  # spare words behind the parameters; the others are words that hosts poke

    def names(self) -> dict[Word, str]:
        """The spare words as operands."""
        return {
            word: f"[spare{number}]" if number < self.named else f"[cfg_fft_w4_{POKED + number - self.named}]"
            for word, number in self.spare.items()
        }


@dataclass(frozen=True, slots=True)
class Wish:
    """A word that would like a pair at some places, and is worth so many words of the sequencer there."""

    word: Word
    places: int
    weight: float


class _Chooser:
    def __init__(self, scalars: set[Word], known: Liveness, named: int, wishes: Sequence[Wish]) -> None:
        self.most = named + MORE
        self.busy = _busy(scalars - set(made_at_use(known.items)), known)
        self.weight = _weights(known, self.busy)
        self.fixed = {item.result for item in known.items if isinstance(item, Vote)}
        self.wishes = {wish.word for wish in wishes}
        for wish in wishes:
            self.busy[wish.word], self.weight[wish.word] = wish.places, wish.weight
        self.taken = dict.fromkeys(PAIRS, 0)
        self.slots: list[int] = []
        self.found = ScalarPlaces(named=named)

    def run(self) -> ScalarPlaces:
        """Places for all words, in the order in which they are first written. Raises OutOfScalars."""
        for word in sorted(self.busy, key=lambda word: _first(self.busy[word])):
            while not self._place(word):
                victim = self._victim(word)
                self._leave(victim)
                if victim is word:
                    break
        return self.found

    def _place(self, word: Word) -> bool:
        """Give a word the pair that was free for longest."""
        places = self.busy[word]
        free = [pair for pair in PAIRS if not self.taken[pair] & places]
        if not free:
            return False
        before = (1 << _first(places)) - 1
        pair = min(free, key=lambda name: (self.taken[name] & before).bit_length())
        self.taken[pair] |= places
        self.found.pairs[word] = pair
        return True

    def _victim(self, word: Word) -> Word:
        """The word in the way that is used least for its length, or the word itself."""
        places = self.busy[word]
        others = [other for other in self.found.pairs if self.busy[other] & places and other not in self.fixed]
        choices = others if word in self.fixed else [*others, word]
        is_full = len(self.slots) >= self.most
        if is_full:
            choices = [other for other in choices if other in self.wishes or self._slot(other) is not None]
        if not choices:
            raise OutOfScalars(sorted([*others, word], key=lambda each: -self.busy[each].bit_length()))
        return min(choices, key=lambda each: self.weight[each] / self.busy[each].bit_count())

    def _slot(self, word: Word) -> int | None:
        return next((number for number, taken in enumerate(self.slots) if not taken & self.busy[word]), None)

    def _leave(self, word: Word) -> None:
        """A word goes to FRAM; a wish is not granted."""
        pair = self.found.pairs.pop(word, None)
        if pair is not None:
            self.taken[pair] &= ~self.busy[word]
        if word in self.wishes:
            return
        number = self._slot(word)
        if number is None:
            number = len(self.slots)
            self.slots.append(0)
        self.slots[number] |= self.busy[word]
        self.found.spare[word] = number


def scalar_places(scalars: set[Word], known: Liveness, named: int, wishes: Sequence[Wish] = ()) -> ScalarPlaces:
    """Places for all scalar words but those that are made at use, `named` words of FRAM first. Raises OutOfScalars.

    Wishes compete for pairs as words do, but have no place in FRAM.
    """
    return _Chooser(scalars, known, named, wishes).run()


def _busy(scalars: set[Word], known: Liveness) -> dict[Word, int]:
    """The places of each word, those just behind its writers too."""
    found: dict[Word, int] = {}
    for place, (read, made) in enumerate(zip(known.read_at, known.made_at, strict=True)):
        for word in (*read, *([made] if made is not None else [])):
            if word in scalars and word not in found:
                found[word] = known.needed(word) or 1 << place
        if made in found:
            found[made] |= 1 << place + 1
    return found


def _weights(known: Liveness, words: dict[Word, int]) -> dict[Word, float]:
    """How often each word is read and written, with loops counted several times."""
    change = [0] * (len(known.items) + 2)
    for loop in loops_of(known.items):
        change[loop.begin + 1] += 1
        change[loop.end + 1] -= 1
    found = dict.fromkeys(words, 0.0)
    depth = 0
    for place, (read, made) in enumerate(zip(known.read_at, known.made_at, strict=True)):
        depth += change[place]
        for word in (*read, *([made] if made is not None else [])):
            if word in found:
                found[word] += TURNS ** min(depth, DEEPEST)
    return found


def _first(places: int) -> int:
    return (places & -places).bit_length() - 1
