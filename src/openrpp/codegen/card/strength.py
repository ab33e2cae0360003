"""Fewer words of the sequencer per turn of a loop: sums and products of its counter become running sums.

In a loop without loops or joins inside, a scalar that is made of the counter and of what does not change (by sums,
differences, shifts, products) is computed once before the loop and then grows by its step each turn.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from openrpp.codegen.card.flow import Assign, Begin, End, Item, Jump, Label
from openrpp.codegen.card.liveness import Liveness
from openrpp.codegen.card.lowering import ALL_ONES
from openrpp.codegen.card.scalar_steps import ScalarOp
from openrpp.codegen.card.scalars import defines, made_at_use, uses
from openrpp.codegen.card.steps import Part, Scalar, Source, Word

_MOST_LIVE = 7
"""Scalars that may be alive at once for one more to be kept: there are eight pairs."""
_LINEAR = ("ADD.U32", "SUB.U32", "SHL.U32", "MUL.U32.LOW")


@dataclass(slots=True)
class Body:
    """A loop: the places of its Begin, of the first item of its body, and of its jump back."""

    begin: int
    first: int
    jump: int


@dataclass(slots=True)
class _Change:
    """What a loop gets: items before it and before its jump back; places of items that go."""

    before: list[Item] = field(default_factory=list[Item])
    last: list[Item] = field(default_factory=list[Item])
    gone: set[int] = field(default_factory=set[int])


def reduced(items: list[Item], scalars: set[Word]) -> list[Item]:
    """The line with running sums. New words join the scalars."""
    chosen = bodies(items)
    if not chosen:
        return items
    known, fixed = Liveness(items), made_at_use(items)
    changes = {body.begin: _Loop(items, body, scalars, known, fixed).run() for body in chosen}
    jumps = {body.jump: changes[body.begin] for body in chosen}
    gone = {place for change in changes.values() for place in change.gone}
    found: list[Item] = []
    for place, item in enumerate(items):
        if place in changes:
            found += changes[place].before
        if place in jumps:
            found += jumps[place].last
        if place not in gone:
            found.append(item)
    return found


def bodies(items: Sequence[Item]) -> list[Body]:
    """The loops all of whose body is run in every turn but the last."""
    return [body for begin, item in enumerate(items) if isinstance(item, Begin) and (body := _body(items, begin))]


def _body(items: Sequence[Item], begin: int) -> Body | None:
    """The loop that starts at a place, if all of its body is run in every turn but the last."""
    head = items[begin + 1]
    assert isinstance(head, Label)
    for place in range(begin + 2, len(items)):
        item = items[place]
        if isinstance(item, Jump) and item.label == head.name:
            return Body(begin, begin + 2, place)
        if isinstance(item, Label | Begin | End):
            return None
    return None


class _Loop:
    def __init__(
        self, items: Sequence[Item], body: Body, scalars: set[Word], known: Liveness, fixed: dict[Word, str]
    ) -> None:
        self.items = items
        self.body = body
        self.scalars = scalars
        self.known = known
        self.fixed = fixed
        self.range = range(body.first, body.jump)
        self.writes: dict[Word, list[int]] = {}
        self.reads: dict[Word, list[int]] = {}
        for place in self.range:
            made = defines(items[place])
            if made is not None:
                self.writes.setdefault(made, []).append(place)
            for word in dict.fromkeys(uses(items[place])):
                self.reads.setdefault(word, []).append(place)
        for word in uses(items[body.jump]):
            self.reads.setdefault(word, []).append(body.jump)
        self.steps: dict[Word, Source] = {}  # of words that grow evenly
        self.made: dict[tuple[object, ...], Source] = {}
        self.change = _Change()
        self.live = self._live()

    def _live(self) -> int:
        """Scalars that are alive where the body starts and have to do with it: others can lie in FRAM meanwhile."""
        near = self.reads.keys() | self.writes.keys()
        words = (word for word in self.known.words if word in self.scalars and word in near and word not in self.fixed)
        return sum(self.known.needed(word) >> self.body.first & 1 for word in words)

    def run(self) -> _Change:
        """Find counters, then what is made of them, and give those that pay running sums."""
        counters = {word: place for word in self.writes if (place := self._counter(word)) is not None}
        chosen = [place for place in self.range if self._pays(place, counters)]
        for place in chosen:
            if self.live >= _MOST_LIVE:
                break
            self._run_along(place, counters)
        self._bring_along()
        return self.change

    def _bring_along(self) -> None:
        """Words that are loaded where they are used, and that the loop names first, are named before it now."""
        wanted = dict.fromkeys(word for item in self.change.before for word in uses(item) if word in self.fixed)
        for word in wanted:
            if word in self.writes:
                self.change.gone |= set(self.writes[word])
                self.change.before.insert(0, Scalar(self.fixed[word], word))

    # --- what grows evenly ------------------------------------------------------------------------------------------

    def _is_still(self, source: Source) -> bool:
        return isinstance(source, int) or source in self.fixed or (source in self.scalars and source not in self.writes)

    def _counter(self, word: Word) -> int | None:
        """Where a word grows by what does not change, if that is its only write in the loop."""
        places = self.writes[word]
        if word not in self.scalars or len(places) != 1:
            return None
        item = self.items[places[0]]
        if isinstance(item, Assign) and isinstance(item.source, Word) and len(self.writes.get(item.source, ())) == 1:
            item = self.items[self.writes[item.source][0]]
        if not (isinstance(item, ScalarOp) and item.text == "ADD.U32" and item.makes is Part.PAIR):
            return None
        (first, _), (second, _) = item.reads
        if second is word:
            first, second = second, first
        if first is not word or not self._is_still(second):
            return None
        self.steps[word] = second
        return places[0]

    def _linear(self, place: int) -> ScalarOp | None:
        item = self.items[place]
        if not (isinstance(item, ScalarOp) and item.text in _LINEAR and item.makes is Part.PAIR):
            return None
        return item if all(part is Part.PAIR or isinstance(source, int) for source, part in item.reads) else None

    def _depth(self, source: Source, counters: dict[Word, int]) -> int:
        """How many operations of the loop make a source; -1 if it does not grow evenly, 0 for counters."""
        if self._is_still(source) or source in counters:
            return 0
        assert isinstance(source, Word)
        places = self.writes.get(source, [])
        item = self._linear(places[0]) if len(places) == 1 else None
        if item is None or any(read <= places[0] for read in self.reads.get(source, ())):
            return -1
        operands = [each for each, _ in item.reads]
        depths = [self._depth(each, counters) for each in operands]
        moving = [not self._is_still(each) for each in operands]
        if -1 in depths or (item.text == "MUL.U32.LOW" and all(moving)) or (item.text == "SHL.U32" and moving[1]):
            return -1
        if item.text == "SHL.U32" and not isinstance(operands[1], int):
            return -1
        return sum(depths) + 1

    def _pays(self, place: int, counters: dict[Word, int]) -> bool:
        """Whether a word saves words as a running sum: it ends a chain of two operations or more."""
        item = self._linear(place)
        if item is None or item.result in counters or self._depth(item.result, counters) < 2:
            return False
        if self.known.needed(item.result) & ~self._inside() or self.known.needed(item.result) >> self.body.first & 1:
            return False
        places = self.reads.get(item.result, [])
        readers = [self.items[each] for each in places]
        return self.body.jump not in places and any(not self._leads_on(reader, counters) for reader in readers)

    def _leads_on(self, reader: Item, counters: dict[Word, int]) -> bool:
        return isinstance(reader, ScalarOp) and self._depth(reader.result, counters) > 0

    def _inside(self) -> int:
        return (1 << self.body.jump + 1) - (1 << self.body.first)

    # --- running sums ---------------------------------------------------------------------------------------------

    def _run_along(self, place: int, counters: dict[Word, int]) -> None:
        item = self._linear(place)
        assert item is not None
        start, step = self._start(item.result, place, counters)
        self.change.before.append(Assign(item.result, start))
        if step != 0:
            reads = ((item.result, Part.PAIR), (step, Part.PAIR))
            self.change.last.append(ScalarOp("ADD.U32", reads, item.result, location=item.location))
        self.change.gone.add(place)
        self.live += 1 + (isinstance(step, Word) and step not in self.fixed)

    def _start(self, source: Source, place: int, counters: dict[Word, int]) -> tuple[Source, Source]:
        """(value in the first turn as an operation at a place sees it, step), by operations before the loop."""
        if self._is_still(source):
            return source, 0
        assert isinstance(source, Word)
        if source in counters:
            step = self.steps[source]
            return (self._op("ADD.U32", source, step) if counters[source] < place else source), step
        (made,) = self.writes[source]
        item = self._linear(made)
        assert item is not None
        (a, da), (b, db) = (self._start(each, made, counters) for each, _ in item.reads)
        value = self._op(item.text, a, b)
        if item.text == "MUL.U32.LOW":
            return value, self._op(item.text, da, b) if db == 0 else self._op(item.text, a, db)
        return value, self._op(item.text, da, b if item.text == "SHL.U32" else db)

    def _op(self, text: str, a: Source, b: Source) -> Source:
        """An operation before the loop, or its result where that is known."""
        if isinstance(a, int) and isinstance(b, int):
            return _folded(text, a, b)
        if b == 0 and text != "MUL.U32.LOW":
            return a
        if text == "MUL.U32.LOW" and 0 in (a, b):
            return 0
        if (text == "ADD.U32" and a == 0) or (text == "MUL.U32.LOW" and a == 1):
            return b
        if text == "MUL.U32.LOW" and b == 1:
            return a
        key = (text, a, b)
        if key not in self.made:
            result = Word()
            self.scalars.add(result)
            last = Part.LOW if text == "SHL.U32" else Part.PAIR
            self.change.before.append(ScalarOp(text, ((a, Part.PAIR), (b, last)), result))
            self.made[key] = result
        return self.made[key]


def _folded(text: str, a: int, b: int) -> int:
    if text == "ADD.U32":
        return a + b & ALL_ONES
    if text == "SUB.U32":
        return a - b & ALL_ONES
    return (a << b if text == "SHL.U32" else a * b) & ALL_ONES


def direct_jumps(items: list[Item]) -> list[Item]:
    """Jumps on the inverse of a condition test the condition itself."""
    writers: dict[Word, list[int]] = {}
    for place, item in enumerate(items):
        made = defines(item)
        if made is not None:
            writers.setdefault(made, []).append(place)
    found: list[Item] = []
    for place, item in enumerate(items):
        if isinstance(item, Jump) and item.condition is not None and len(writers.get(item.condition, ())) == 1:
            (start,) = writers[item.condition]
            source = _inverted(items[start])
            between = items[start + 1 : place]
            if source is not None and not any(isinstance(each, Label) or defines(each) is source for each in between):
                found.append(Jump(item.label, source, not item.when))
                continue
        found.append(item)
    return found


def _inverted(item: Item) -> Word | None:
    """The condition that an item inverts."""
    if not isinstance(item, ScalarOp) or item.text not in ("XOR.U32", "CMP.U16.EQ"):
        return None
    (source, part), (number, _) = item.reads
    is_inverse = number == 1 if item.text == "XOR.U32" else number == 0 and part is not Part.HIGH
    if is_inverse and isinstance(source, Word) and source is not item.result:
        return source
    return None
