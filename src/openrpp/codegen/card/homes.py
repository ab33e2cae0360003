"""Registers for words that are needed across labels: a pair for all places, or for those of some loops.

What is used most for its length comes first. Where no pair is free everywhere, a word leaves its pair to others in
loops that do not use it, or has one only in the loops that do; elsewhere it lies in its plane, and moves at the starts
and ends of loops.
"""

from __future__ import annotations

import heapq
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from openrpp.codegen.card.flow import Item, Label
from openrpp.codegen.card.liveness import Liveness, LoopPlaces, loops_of, runs_of
from openrpp.codegen.card.steps import Word

_TURNS = 10
"""How often a loop is supposed to go round."""
_DEEPEST = 4


@dataclass(slots=True)
class _Piece:
    """A word at some places, and what a pair is worth there."""

    word: Word
    places: int
    worth: float


@dataclass(slots=True)
class Homes:
    """`at` are the sets of places of each word, by pair; the other sets are derived from them."""

    at: dict[Word, list[tuple[str, int]]] = field(default_factory=dict[Word, list[tuple[str, int]]])
    starts: dict[int, list[tuple[str, Word]]] = field(default_factory=dict[int, list[tuple[str, Word]]])
    ends: dict[int, list[tuple[str, Word]]] = field(default_factory=dict[int, list[tuple[str, Word]]])
    begins_at: dict[str, list[int]] = field(default_factory=dict[str, list[int]])

    def at_place(self, word: Word, place: int) -> str | None:
        """The pair that a word has just before an item."""
        return next((pair for pair, places in self.at.get(word, ()) if places >> place & 1), None)

    def close(self) -> None:
        """Derive where homes start and end."""
        for word, found in self.at.items():
            for pair, places in found:
                for first, last in runs_of(places):
                    self.starts.setdefault(first, []).append((pair, word))
                    self.ends.setdefault(last, []).append((pair, word))
                    self.begins_at.setdefault(pair, []).append(first)
        for places in self.begins_at.values():
            places.sort()


def crossing(items: Sequence[Item], known: Liveness, scalars: set[Word]) -> dict[Word, int]:
    """Lane words that are needed at a label, with their sets of places, in the order of their first appearance."""
    labels = 0
    for place, item in enumerate(items):
        if isinstance(item, Label):
            labels |= 1 << place
    found: dict[Word, int] = {}
    for word in known.words:
        if word not in scalars and known.needed(word) & labels:
            found[word] = known.needed(word)
    return found


class _Chooser:
    def __init__(self, known: Liveness, words: Mapping[Word, int], pairs: Sequence[str], room: list[int]) -> None:
        self.words = words
        self.pairs = pairs
        self.room = room  # pairs that homes may take, by place
        self.loops = loops_of(known.items)
        self.weight, self.touched = _weights(known, words, self.loops)
        self.taken = dict.fromkeys(pairs, 0)
        self.full = 0
        for place, count in enumerate(room):
            if count <= 0:
                self.full |= 1 << place
        self.homes = Homes()

    def run(self) -> Homes:
        """Place the pieces, the worthiest first; one that finds no pair is cut and tried again."""
        queue: list[tuple[float, int, _Piece]] = []
        number = 0

        def offer(piece: _Piece) -> None:
            nonlocal number
            if piece.places and piece.worth > 0:
                heapq.heappush(queue, (-piece.worth / piece.places.bit_count(), number, piece))
                number += 1

        for word, places in self.words.items():
            offer(_Piece(word, places, self._worth(word, places)))
        while queue:
            piece = heapq.heappop(queue)[2]
            if not self._place(piece):
                for part in self._cut(piece):
                    offer(part)
        self.homes.close()
        return self.homes

    def _worth(self, word: Word, places: int) -> float:
        return sum(weight for place, weight in self.weight[word] if places >> place & 1)

    def _place(self, piece: _Piece) -> bool:
        if piece.places & self.full:
            return False
        for pair in self.pairs:
            if not self.taken[pair] & piece.places:
                break
        else:
            return False
        self.taken[pair] |= piece.places
        for first, last in runs_of(piece.places):
            for place in range(first, last):
                self.room[place] -= 1
                if not self.room[place]:
                    self.full |= 1 << place
        self.homes.at.setdefault(piece.word, []).append((pair, piece.places))
        return True

    def _cut(self, piece: _Piece) -> list[_Piece]:
        """Without the loops in which the word is not touched; then the loops in which it is, each for itself."""
        touched, places = self.touched[piece.word], piece.places
        idle = places
        for loop in self.loops:
            if not touched & loop.inside and places & ~loop.inside and places & loop.inside:
                idle &= ~loop.inside
        if idle != places:
            return [_Piece(piece.word, idle, piece.worth)]
        found: list[_Piece] = []
        for loop in self._outermost(places):
            inside = places & loop.inside
            if touched & inside:
                worth = self._worth(piece.word, inside) - 2 * _TURNS ** min(loop.depth, _DEEPEST)
                found.append(_Piece(piece.word, inside, worth))
        return found

    def _outermost(self, places: int) -> list[LoopPlaces]:
        """The outermost loops that hold some of the places and not all."""
        found: list[LoopPlaces] = []
        for loop in reversed(self.loops):
            inside = places & loop.inside
            if inside and inside != places and not any(other.begin < loop.begin < other.end for other in found):
                found.append(loop)
        return found


def _weights(
    known: Liveness, words: Mapping[Word, int], loops: Sequence[LoopPlaces]
) -> tuple[dict[Word, list[tuple[int, float]]], dict[Word, int]]:
    """What a pair saves at each place that reads or writes a word, and the set of these places.

    A read stands just before its item, a write just behind it.
    """
    change = [0] * (len(known.items) + 2)
    for loop in loops:
        change[loop.begin + 1] += 1
        change[loop.end + 1] -= 1
    weights: dict[Word, list[tuple[int, float]]] = {word: [] for word in words}
    touched = dict.fromkeys(words, 0)
    depth = 0
    for place, (read, made) in enumerate(zip(known.read_at, known.made_at, strict=True)):
        depth += change[place]
        worth = float(_TURNS ** min(depth, _DEEPEST))
        for word in read:
            if word in weights:
                weights[word].append((place, worth))
                touched[word] |= 1 << place
        if made in weights:
            weights[made].append((place + 1, worth))
            touched[made] |= 1 << place + 1
    return weights, touched


def homes_of(
    items: Sequence[Item], known: Liveness, scalars: set[Word], pairs: Sequence[str], reserve: int
) -> tuple[dict[Word, int], Homes]:
    """(words that are needed across labels, their homes): at each place `reserve` pairs or more stay for others."""
    words = crossing(items, known, scalars)
    room = [len(pairs) - reserve] * (len(items) + 2)
    return words, _Chooser(known, words, pairs, room).run()
