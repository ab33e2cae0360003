"""The order of operations between labels and jumps, so that columns fill up.

A list schedule over the units of a column: each column takes one operation of the processing element and one access;
what heads the longest chain goes first, unless it would need more registers than there are. Scalar operations are free
here and stand as late as their readers let them.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass, field

from openrpp.codegen.card.flow import Assign, Item, Vote
from openrpp.codegen.card.liveness import Liveness
from openrpp.codegen.card.scalar_steps import ScalarOp
from openrpp.codegen.card.scalars import defines, uses
from openrpp.codegen.card.steps import Access, Atomic, Ballot, Lane, Memory, Pe, Scalar, Word

_MOVABLE = (Pe, ScalarOp, Scalar, Assign, Vote, Access, Atomic, Ballot, Lane)
_PE, _PORT, _FREE = 0, 1, 2
_LONGEST = 400
"""Items that are ordered together: a choice looks at all that are ready."""
_ACCESS_TURNS = 2
"""Columns from an address to a loaded value: one to point, one to load."""


@dataclass(slots=True)
class _Node:
    item: Item
    place: int
    unit: int
    turns: int
    before: dict[int, int] = field(default_factory=dict[int, int])  # node -> columns between the starts
    behind: dict[int, int] = field(default_factory=dict[int, int])
    height: int = 0
    reads: tuple[Word, ...] = ()


def scheduled(items: Sequence[Item], scalars: set[Word], known: Liveness, pairs: int) -> list[Item]:
    """The line with the stretches between labels, jumps and fences in an order that fills columns."""
    crossing = _crossing(items, scalars, known)
    found: list[Item] = []
    stretch: list[Item] = []

    def close() -> None:
        found.extend(_Stretch(stretch, scalars, crossing, pairs).run() if len(stretch) > 2 else stretch)
        stretch.clear()

    for item in items:
        if isinstance(item, _MOVABLE) and not (isinstance(item, Atomic) and item.is_long):
            stretch.append(item)
            if len(stretch) == _LONGEST:
                close()
        else:
            close()
            found.append(item)
    close()
    return found


def _crossing(items: Sequence[Item], scalars: set[Word], known: Liveness) -> set[Word]:
    """Lane words that are needed where a stretch ends."""
    ends = 0
    for place, item in enumerate(items):
        if not isinstance(item, _MOVABLE) or isinstance(item, Atomic):
            ends |= 1 << place
    return {word for word in known.words if word not in scalars and known.needed(word) & ends}


def _unit(item: Item, scalars: set[Word]) -> tuple[int, int]:
    """(unit, columns from start to result)."""
    if isinstance(item, ScalarOp | Scalar):
        return _FREE, 0
    if isinstance(item, Assign):
        return (_FREE, 0) if item.target in scalars else (_PE, 1)
    if isinstance(item, Access | Atomic):
        return _PORT, _ACCESS_TURNS
    return _PE, 1


class _Stretch:
    """Items without labels, jumps or fences between them."""

    def __init__(self, items: Sequence[Item], scalars: set[Word], crossing: set[Word], pairs: int) -> None:
        self.scalars = scalars
        self.nodes = [_Node(item, place, *_unit(item, scalars)) for place, item in enumerate(items)]
        self.uses_left: dict[Word, int] = {}
        self.crossing = crossing
        self._link()
        self._measure()
        kept = {word for item in items for word in (*uses(item), defines(item)) if word in crossing}
        self.limit = max(3, pairs - min(len(kept), pairs - 3))
        self.live = 0

    # --- what must stay in order ------------------------------------------------------------------------------------

    def _after(self, first: int, second: int, columns: int) -> None:
        if first == second:
            return
        before = self.nodes[second].before
        if before.get(first, -1) < columns:
            before[first] = columns
            self.nodes[first].behind[second] = columns

    def _link(self) -> None:
        writer: dict[Word, int] = {}
        readers: dict[Word, list[int]] = {}
        loads: dict[Memory, list[int]] = {}
        store: dict[Memory, int] = {}
        for node in self.nodes:
            node.reads = tuple(dict.fromkeys(uses(node.item)))
            for word in node.reads:
                if word in writer:
                    self._after(writer[word], node.place, self.nodes[writer[word]].turns)
                readers.setdefault(word, []).append(node.place)
                if word not in self.scalars and word not in self.crossing:
                    self.uses_left[word] = self.uses_left.get(word, 0) + 1
            made = defines(node.item)
            if made is not None:
                for reader in readers.pop(made, ()):
                    self._after(reader, node.place, 0)
                if made in writer:
                    self._after(writer[made], node.place, 1)
                writer[made] = node.place
            item = node.item
            for load in item.loads if isinstance(item, Pe) else ():
                if load.memory in store:
                    self._after(store[load.memory], node.place, 1)
                loads.setdefault(load.memory, []).append(node.place)
            if isinstance(item, Access | Atomic):
                if item.memory in store:
                    self._after(store[item.memory], node.place, 1)
                if isinstance(item, Access) and item.value is None:
                    loads.setdefault(item.memory, []).append(node.place)
                else:
                    for load in loads.pop(item.memory, ()):
                        self._after(load, node.place, 0)
                    store[item.memory] = node.place

    def _measure(self) -> None:
        for node in reversed(self.nodes):
            heights = [self.nodes[place].height + columns for place, columns in node.behind.items()]
            node.height = max(heights, default=0) + (0 if node.unit == _FREE else 1)

    # --- the schedule ---------------------------------------------------------------------------------------------

    def run(self) -> list[Item]:
        """The items in their new order."""
        waits = self._lane_parents()
        missing = [len(parents) for parents in waits]
        children: list[list[int]] = [[] for _ in self.nodes]
        for place, parents in enumerate(waits):
            for parent in parents:
                children[parent].append(place)
        start = [0] * len(self.nodes)
        self.order: list[Item] = []
        self.done = [False] * len(self.nodes)
        arriving: list[tuple[int, int]] = [
            (0, node.place) for node in self.nodes if node.unit != _FREE and not missing[node.place]
        ]
        ready: list[list[tuple[int, int]]] = [[], []]
        column, left = 0, sum(node.unit != _FREE for node in self.nodes)
        while left:
            while arriving and arriving[0][0] <= column:
                _, place = heapq.heappop(arriving)
                heapq.heappush(ready[self.nodes[place].unit], (-self.nodes[place].height, place))
            taken = [place for unit in (_PORT, _PE) if (place := self._choose(ready[unit], not arriving)) is not None]
            for place in taken:
                self._take(place)
                left -= 1
                for child in children[place]:
                    start[child] = max(start[child], column + waits[child][place])
                    missing[child] -= 1
                    if not missing[child] and self.nodes[child].unit != _FREE:
                        heapq.heappush(arriving, (start[child], child))
            column = column + 1 if taken or not arriving else max(column + 1, arriving[0][0])
        for node in self.nodes:
            self._emit(node.place)
        return self.order

    def _lane_parents(self) -> list[dict[int, int]]:
        """For each node, the operations of columns that it waits for, those behind scalar operations too."""
        found: list[dict[int, int]] = []
        for node in self.nodes:
            parents: dict[int, int] = {}
            for place, columns in node.before.items():
                if self.nodes[place].unit == _FREE:
                    for far, distance in found[place].items():
                        parents[far] = max(parents.get(far, 0), distance)
                else:
                    parents[place] = max(parents.get(place, 0), columns)
            found.append(parents)
        return found

    def _choose(self, ready: list[tuple[int, int]], must: bool) -> int | None:
        """The ready operation that heads the longest chain and fits the registers."""
        if not ready:
            return None
        if self.live < self.limit:
            return heapq.heappop(ready)[1]
        fitting = [entry for entry in ready if self._growth(entry[1]) <= 0]
        if not fitting and not must:
            return None
        entry = min(fitting) if fitting else min(ready, key=lambda each: each[1])
        ready.remove(entry)
        heapq.heapify(ready)
        return entry[1]

    def _growth(self, place: int) -> int:
        """How many registers more are taken behind an operation."""
        item = self.nodes[place].item
        made = defines(item)
        freed = sum(self.uses_left.get(word) == 1 for word in self.nodes[place].reads)
        return (made in self.uses_left) - freed

    def _take(self, place: int) -> None:
        self.live += self._growth(place)
        for word in self.nodes[place].reads:
            if word in self.uses_left:
                self.uses_left[word] -= 1
        self._emit(place)

    def _emit(self, place: int) -> None:
        """Append an item behind the scalar operations that it needs."""
        wanted: list[int] = []
        stack = [place]
        while stack:
            node = self.nodes[stack.pop()]
            if self.done[node.place]:
                continue
            self.done[node.place] = True
            wanted.append(node.place)
            stack += [before for before in node.before if self.nodes[before].unit == _FREE]
        self.order += [self.nodes[each].item for each in sorted(wanted)]
