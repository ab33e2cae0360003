"""What a loop writes into temporaries of the sequencer again and again, kept in scalar pairs while the loop runs.

Numbers and parameters are brought to a temporary wherever they are used. Once columns have been written, it is known
which lines do that in which loop. They then compete for pairs with the words, stand before the loop where they got one,
and the columns are written once more.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from openrpp.codegen.card.flow import Item
from openrpp.codegen.card.liveness import loops_of
from openrpp.codegen.card.scalar_registers import DEEPEST, TURNS, ScalarPlaces, Wish
from openrpp.codegen.card.steps import Word

Brought = Mapping[tuple[int, str], int]
"""How many words a line such as "MOVE.U32 0x200" takes in the innermost loop with its Begin at a place."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A line that is carried out once before the loop with its Begin at a place, into a pair that the loop reads."""

    begin: int
    line: str
    pair: str


def wishes(items: Sequence[Item], brought: Brought) -> dict[tuple[int, str], Wish]:
    """What lines of loops are worth in pairs: words that they take in all turns, but for once."""
    found: dict[tuple[int, str], Wish] = {}
    for loop in loops_of(items):
        places = loop.inside | 1 << loop.begin | 1 << loop.end + 1
        for key in sorted(key for key in brought if key[0] == loop.begin):
            worth = brought[key] * TURNS ** min(loop.depth + 1, DEEPEST) - TURNS ** min(loop.depth, DEEPEST)
            found[key] = Wish(Word(), places, worth)
    return found


def granted(asked: Mapping[tuple[int, str], Wish], places: ScalarPlaces) -> list[Kept]:
    """The lines whose wishes have pairs."""
    pairs = places.pairs
    return [Kept(*key, pairs[wish.word]) for key, wish in asked.items() if wish.word in pairs]
