"""Loads in the column of the one operation that reads them: they pass through MA, MB or MAB and take no pair."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Final

from openrpp.codegen.card import doubles
from openrpp.codegen.card.flow import Assign, Item, Vote
from openrpp.codegen.card.scalar_steps import ScalarOp
from openrpp.codegen.card.scalars import defines, uses
from openrpp.codegen.card.steps import Access, Ballot, Lane, Memory, Part, Pe, Scalar, Word

_QUIET: Final = (Pe, ScalarOp, Scalar, Assign, Ballot, Lane, Vote)
"""Items that a load may pass on its way down to its reader, unless they write what its address is made of."""
_MOST_LANES: Final = 3
"""Registers that an operation and its loads may read together: what is left of four pairs when one is needed."""


def with_loads(items: Sequence[Item], scalars: set[Word], *, wide: bool) -> list[Item]:
    """Items with loads that joined their readers; `wide`: loads of 32 bits too."""
    return _Fusion(items, scalars, wide).run()


class _Fusion:
    def __init__(self, items: Sequence[Item], scalars: set[Word], wide: bool) -> None:
        self.items = list(items)
        self.scalars = scalars
        self.wide = wide
        self.counts = Counter(word for item in items for word in uses(item))
        self.writes = Counter(word for item in items if (word := defines(item)) is not None)
        self.makers: dict[Word, int] = {}
        self.gone: set[int] = set()

    def run(self) -> list[Item]:
        """Go down the line; each operation looks back for its loads."""
        for place, item in enumerate(self.items):
            if isinstance(item, Pe) and not doubles.is_double(item.text):
                self.items[place] = self._joined(place, item)
            if isinstance(item, Access) and item.result is not None and self.writes[item.result] == 1:
                self.makers[item.result] = place
        return [item for place, item in enumerate(self.items) if place not in self.gone]

    def _joined(self, place: int, item: Pe) -> Pe:
        loads: list[Access] = list(item.loads)
        for read in item.reads:
            word = read.source
            if not isinstance(word, Word) or self.counts[word] != 1 or word not in self.makers:
                continue
            load = self.items[self.makers[word]]
            assert isinstance(load, Access)
            if self._suits(load, read.part) and self._fits([*loads, load], item) and self._is_free(load, place):
                loads.append(load)
                self.gone.add(self.makers[word])
        return replace(item, loads=tuple(loads)) if loads else item

    def _suits(self, load: Access, part: Part) -> bool:
        """Whether what passes through the port is what is read: 16 bits are no whole word."""
        if load.upper is not None or load.mask is not None:
            return False
        if load.bits == 32:
            return self.wide or load.warp is not None
        return part is Part.LOW

    def _fits(self, loads: Sequence[Access], item: Pe) -> bool:
        """Whether a column has the ports and there are registers."""
        if any(load.bits == 32 for load in loads) and len(loads) > 1:
            return False
        rows = sum(load.is_row for load in loads)
        if rows > 1 or len(loads) - rows > 1 or sum(load.memory is Memory.DDR for load in loads) > 1:
            return False
        passing = {load.result for load in loads}
        lanes = {read.source for read in item.reads if self._in_lanes(read.source)} - passing
        for load in loads:
            if load.is_indexed and load.place is not None:
                lanes.add(load.place.lane or 0)
            if len(load.address) == 2:
                lanes.add(load.address[1])
        return len(lanes) <= _MOST_LANES

    def _in_lanes(self, source: object) -> bool:
        return isinstance(source, Word) and source not in self.scalars

    def _is_free(self, load: Access, place: int) -> bool:
        """Whether nothing between a load and its reader changes memory or the address."""
        assert load.result is not None
        needed = set(uses(load))
        return all(isinstance(item, _QUIET) and defines(item) not in needed for item in self._between(load, place))

    def _between(self, load: Access, place: int) -> Iterator[Item]:
        assert load.result is not None
        for other in range(self.makers[load.result] + 1, place):
            item = self.items[other]
            is_load = isinstance(item, Access) and item.value is None
            if other not in self.gone and not is_load:
                yield item
