"""Registers for the values of a line of items, and the operations of its columns.

What is needed across labels has a pair of its own (`homes.py`) or lies in a plane of SRAM, where it is stored as soon
as it is made. The other pairs and VAB hold values between two labels: farthest next use leaves first, for its plane.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate

from openrpp.codegen.card.access import Accesses
from openrpp.codegen.card.columns import Op, Packer
from openrpp.codegen.card.flow import Assign, Begin, End, Item, Jump, Label, Point, Vote
from openrpp.codegen.card.homes import homes_of
from openrpp.codegen.card.kept import Kept
from openrpp.codegen.card.liveness import Liveness
from openrpp.codegen.card.operands import ordered, scalar_indices
from openrpp.codegen.card.published.halves import Halves
from openrpp.codegen.card.published.votes import fetch_flag
from openrpp.codegen.card.registers import HIGH, LOW, MAB, VAB, copy_line
from openrpp.codegen.card.scalar_registers import ScalarPlaces
from openrpp.codegen.card.scalar_steps import ScalarOp
from openrpp.codegen.card.scalars import defines, made_at_use
from openrpp.codegen.card.sequencing import Sequencing, fetching
from openrpp.codegen.card.steps import (
    Access,
    Atomic,
    Ballot,
    Fence,
    Flag,
    Lane,
    OldHigh,
    Part,
    Pe,
    Poll,
    Read,
    Scalar,
    Source,
    Transfer,
    Where,
    Word,
)
from openrpp.codegen.card.text import Text

_FAR = 1 << 30
_DMA_WORDS = ("src_lo", "src_hi", "dst_lo", "dst_hi", "len")
_BREAKS = (Label, Jump, Begin, End, Fence, Flag, Transfer, Poll)
_TURNS, _DEEPEST = 10, 4
"""How often a loop is supposed to go round, for so many loops around each other."""
_IMMEDIATE = ("ADD.U", "SUB.U", "MUL.U32", "AND.U", "OR.U", "XOR.U", "SHL", "SHR", "SAR", "MOVE.U32")
"""Operations whose last operand may be an immediate of 16 bits."""


FULL = "an instruction takes more registers than there are"


class NoRoom(Exception):
    """An item needs more pairs than loops leave it."""


@dataclass(frozen=True, slots=True)
class _Head:
    """A label without jumps or other labels behind it so far: its place, its line, and what VAB held before it."""

    label: str
    place: int
    line: int
    passing: set[Word]


class Allocator(Sequencing, Accesses):
    """Writes the columns of a line of items. `reserve` pairs or more stay free of homes."""

    def __init__(
        self,
        items: Sequence[Item],
        scalars: set[Word],
        threads: int,
        known: Liveness,
        pairs: Sequence[str],
        reserve: int = 2,
        published: bool = False,
        places: ScalarPlaces | None = None,
        kept: Sequence[Kept] = (),
    ) -> None:
        super().__init__(kept)
        self.items = items
        self.scalars = scalars
        self.threads = threads
        self.text = Text()
        self.packer = Packer(self.text, Halves(threads) if published else None)
        self.published = published
        self.pairs = pairs
        places = places or ScalarPlaces()
        self.pairs_of = places.pairs
        self.spare = places.names()
        self.at_use = made_at_use(items) | self.spare
        self.planes: dict[Word, int] = {}
        self.spills = 0
        self.cost = 0  # columns, those of loops several times
        self._moves = any(isinstance(item, Transfer) for item in items)
        self._depth = 0
        self._uses: dict[Word, list[int]] = {}
        self._now = 0
        self._gathering = False
        self._busy: set[str] = set()
        self._ahead: Where | None = None  # where DVA points at the label that comes next
        self._known = known
        self._outside, self._homes = homes_of(items, known, scalars, pairs, reserve)
        self._pins: dict[str, Word] = {}
        self._old_high = Word()
        self._head: _Head | None = None
        self._section = list(accumulate((isinstance(item, Label) for item in items), initial=0))
        self._find_uses()
        self._forget()

    def _find_uses(self) -> None:
        """Places of uses of lane words, and numbers of all words."""
        self._number: defaultdict[Word, int] = defaultdict(lambda: len(self._number))
        for place, (read, made) in enumerate(zip(self._known.read_at, self._known.made_at, strict=True)):
            for word in (*read, *([made] if made is not None else [])):
                self._number[word]
            for word in read:
                if word not in self.scalars:
                    self._uses.setdefault(word, []).append(place)

    def run(self) -> Text:
        """The columns of all items."""
        for place, item in enumerate(self.items):
            self._now = place
            self._pin(place)
            self.packer.location = getattr(item, "location", None) or self.packer.location
            self._item(item)
            self._check_pointing(item)
        self.packer.end()
        self._flush()
        return self.text

    def _check_pointing(self, item: Item) -> None:
        """Forget where DVA points at labels, and when what the address was made of changes."""
        if isinstance(item, Label):
            self._pointing, self._ahead = self._ahead, None
            return
        where = self._pointing
        if where is not None and (
            isinstance(item, _BREAKS) or defines(item) in (where.base, where.lane, *(where.planes or ()))
        ):
            self._pointing = None

    def _flush(self) -> None:
        """Close the columns so far."""
        self._head = None
        self.cost += self.packer.flush() * _TURNS ** min(self._depth, _DEEPEST)

    # --- what is where --------------------------------------------------------------------------------------------

    def _forget(self) -> None:
        """Behind a label nothing is in registers but what has a home there."""
        self._held: dict[str, set[Word]] = {name: set() for name in (*self.pairs, VAB)}
        self._stored: set[Word] = set()
        for pair, word in self._pins.items():
            self._held[pair] = {word}

    # --- homes ----------------------------------------------------------------------------------------------------

    def _pin(self, place: int) -> None:
        """Homes just before an item."""
        for pair, word in self._homes.ends.get(place, ()):
            if self._pins.get(pair) is word:
                del self._pins[pair]
        for pair, word in self._homes.starts.get(place, ()):
            self._pins[pair] = word

    def _change_homes(self) -> None:
        """At the start and end of a loop: words leave their pairs for planes, and planes for pairs."""
        before = dict(self._pins)
        self._pin(self._now + 1)
        needed = 1 << self._now + 1
        for pair, word in before.items():
            if self._pins.get(pair) is not word and self._known.needed(word) & needed and word not in self._stored:
                self._to_plane(pair, word)
        for pair, word in self._pins.items():
            if before.get(pair) is not word and self._known.needed(word) & needed >> 1:
                self._vacate(pair)
                self._from_plane(word, pair)

    def _pair_of(self, word: Word) -> str | None:
        """The home that a word has behind the present item."""
        return self._homes.at_place(word, self._now + 1)

    def _set_pinned(self, word: Word, pair: str, source: str) -> None:
        """A new value for a pinned word, from a register."""
        if source != VAB:
            self._save_result({source})
            self.packer.add(
                Op(
                    [f"MOVE.U32 {source}, VAB"],
                    units=frozenset(("pe",)),
                    reads=frozenset((source,)),
                    pe_reads=frozenset((source,)),
                    writes=frozenset((VAB,)),
                )
            )
            self._held[VAB] = set(self._held[source])
        for held in self._held.values():
            held.discard(word)
        self._vacate(pair)
        self._stored.discard(word)
        self._copy(VAB, pair)
        self._held[VAB].add(word)
        self._held[pair].add(word)

    def _register(self, word: Word, order: Sequence[str] = ()) -> str | None:
        """Where a word is now, the first of some registers."""
        return next((name for name in order or (VAB, *self.pairs) if word in self._held[name]), None)

    def _next_use(self, word: Word) -> int:
        """The place of the next use behind the present item (or by it, while its operands are gathered)."""
        places = self._uses.get(word, ())
        index = bisect_left(places, self._now if self._gathering else self._now + 1)
        if index == len(places):
            return _FAR
        same = self._section[places[index]] == self._section[self._now]
        return places[index] if same else _FAR - 1

    def _needed(self, name: str) -> bool:
        """Whether a register holds something whose only copy it is and that is used again."""
        return any(self._only_copy(word, name) for word in self._held[name])

    def _only_copy(self, word: Word, name: str) -> bool:
        if word in self._stored or self._next_use(word) >= _FAR:
            return False
        return not any(word in self._held[other] for other in self._held if other != name)

    def _distance(self, name: str) -> int:
        return min((self._next_use(word) for word in self._held[name]), default=_FAR)

    def _free_pair(self, keep: set[str]) -> str:
        """A pair for a new value; what leaves it is stored first if that is its only copy."""
        choices = [name for name in self.pairs if name not in keep | self._busy and name not in self._pins]
        if not choices:
            raise NoRoom(FULL)
        best = max(choices, key=self._ease)
        self._vacate(best)
        return best

    def _ease(self, name: str) -> tuple[int, int, int, int]:
        """How well a pair can take a new value: late next use, late next home, early last use in a column."""
        starts = self._homes.begins_at.get(name, [])
        index = bisect_left(starts, self._now + 1)
        until = starts[index] if index < len(starts) else _FAR
        return self._distance(name), until, -self.packer.last_use(name), -self.pairs.index(name)

    def _vacate(self, name: str) -> None:
        """Store what is in a pair, if that is its only copy."""
        for word in self._in_order(word for word in self._held[name] if self._only_copy(word, name)):
            self._to_plane(name, word)
        self._held[name] = set()

    def _in_order(self, words: Iterable[Word]) -> list[Word]:
        """Words that one register holds, by their next use: a set of words has no order of its own."""
        return sorted(words, key=lambda word: (self._next_use(word), self._number[word]))

    def _place_for(self, word: Word) -> str:
        """The pair that a load fills."""
        home = self._homes.at_place(word, self._now + 1)
        if home is None:
            return self._free_pair(set())
        self._vacate(home)
        return home

    def _plane(self, word: Word) -> int:
        return self.planes.setdefault(word, len(self.planes))

    # --- moving values --------------------------------------------------------------------------------------------

    def _to_plane(self, name: str, word: Word) -> None:
        op = Op(
            units=frozenset(("store",)), reads=frozenset((name,)), writes=frozenset((f"plane {self._plane(word)}",))
        )
        self.spills += 1
        base = self._base(word, op)
        op.vector.append(f"STORECONT.W32 {base}, {name}")
        self.packer.add(op)
        self._stored.add(word)

    def _from_plane(self, word: Word, pair: str) -> None:
        op = Op(units=frozenset(("load",)), reads=frozenset((f"plane {self._plane(word)}",)), writes=frozenset((pair,)))
        self.spills += 1
        base = self._base(word, op)
        op.vector.append(f"LOADCONT.W32 {base}, {pair}")
        self.packer.add(op)
        self._held[pair] = {word}
        self._stored.add(word)

    def _lanes(self, *sources: Source) -> list[str]:
        """Registers that hold the operands of an item, all at once."""
        keep = self._pairs_with(sources)
        names: list[str] = [""] * len(sources)
        self._gathering = True
        for index, source in enumerate(sources):
            if self._is_scalar(source):
                names[index] = self._materialised(source, keep)
        for source in sources:
            if isinstance(source, Word) and source not in self.scalars and self._register(source) is None:
                keep |= self._pairs_with(sources)  # an operand may have moved there from VAB
                pair = self._free_pair(keep)
                self._from_plane(source, pair)
                keep.add(pair)
        self._gathering = False
        for index, source in enumerate(sources):
            if isinstance(source, Word) and source not in self.scalars:
                found = self._register(source)
                if found is None:  # an operand that came later took its place
                    raise NoRoom(FULL)
                names[index] = found
        return names

    def _pairs_with(self, sources: Sequence[Source]) -> set[str]:
        """Pairs that hold one of some values; VAB serves too, unless a scalar must pass it on its way to the lanes."""
        order = (VAB, *self.pairs)
        if any(self._is_scalar(source) for source in sources):
            order = (*self.pairs, VAB)
        return {name for source in sources if isinstance(source, Word) and (name := self._register(source, order))} - {
            VAB
        }

    def _materialised(self, source: Source, keep: set[str]) -> str:
        """A constant or scalar in all lanes of a pair."""
        pair = self._free_pair(keep)
        keep.add(pair)
        self._save_result(keep)
        op = Op(units=frozenset(("pe",)), writes=frozenset((VAB,)))
        op.vector.append(f"MOVE.U32 {self._scalar(source, op)}, VAB")
        self.packer.add(op)
        self._held[VAB] = set()
        self._copy(VAB, pair)
        return pair

    def _copy(self, source: str, pair: str) -> None:
        self.packer.add(
            Op([copy_line(source, pair)], copies=(pair,), reads=frozenset((source,)), writes=frozenset((pair,)))
        )
        self._held[pair] = set(self._held[source])

    def _save_result(self, keep: set[str]) -> None:
        """Before VAB is written again: keep what is in it if that is used later."""
        if not self._needed(VAB):
            return
        choices = [name for name in self.pairs if name not in keep | self._busy and name not in self._pins]
        pair = max(choices, key=self._distance, default=None)
        words = self._in_order(word for word in self._held[VAB] if self._only_copy(word, VAB))
        if pair is None or self._distance(pair) < self._next_use(words[0]):
            for word in words:
                self._to_plane(VAB, word)
            return
        self._copy(VAB, self._free_pair(keep))

    def _made(self, word: Word, name: str) -> None:
        """A word is in a register now, and nowhere else."""
        for held in self._held.values():
            held.discard(word)
        self._stored.discard(word)
        home = self._pair_of(word)
        if home is not None and name == VAB and self._is_updated_next(word):
            self._held[VAB] = {word}
            return
        if home is not None and home != name:
            self._set_pinned(word, home, name)
            return
        self._held[name] = {word}
        if home is None and word in self._outside and self._known.needed(word) >> self._now + 1 & 1:
            self._to_plane(name, word)

    def _is_updated_next(self, word: Word) -> bool:
        """Whether the next operation of columns makes a new value of a word from it: no pair need have this one."""
        for place in range(self._now + 1, len(self.items)):
            item = self.items[place]
            if isinstance(item, Pe) and item.result is word:
                return any(read.source is word for read in item.reads)
            if not isinstance(item, ScalarOp | Scalar):
                return False
        return False

    # --- items ----------------------------------------------------------------------------------------------------

    def _item(self, item: Item) -> None:
        if isinstance(item, ScalarOp):
            self._scalar_op(item)
        elif isinstance(item, Scalar):
            return
        elif isinstance(item, Pe):
            self._process(item)
        elif isinstance(item, Assign):
            self._assign(item)
        elif isinstance(item, Vote):
            self._vote(item)
        elif isinstance(item, Jump):
            self._jump(item)
        elif isinstance(item, Label):
            self._flush()
            self._head = _Head(item.name, self._now, len(self.text.lines), set(self._held[VAB]))
            self.text.place(item.name)
            self._pin(self._now + 1)
            self._forget()
        elif isinstance(item, Lane):
            self._lane_number(item)
        elif isinstance(item, Fence):
            self._flush()
            self.text.do("DMB_ORI", at=[item.location])
        elif isinstance(item, Flag):
            self._flush()
            fetch_flag(self.text, self.pairs_of[item.result], moves=self._moves)
        elif isinstance(item, Poll):
            self._flush()
            self.text.column("POLL.CHN1", "NOP")
        elif isinstance(item, Transfer):
            self._flush()
            self._transfer(item)
        elif isinstance(item, Ballot):
            self._ballot(item)
        elif isinstance(item, Access):
            self._access(item)
        elif isinstance(item, Atomic):
            self._atomic(item)
        elif isinstance(item, Point):
            self._ahead = None if item.by is not None else item.place
            self._point_on(item)
        elif isinstance(item, OldHigh):
            (register,) = self._lanes(self._old_high)
            self._made(item.result, register)
        else:
            if isinstance(item, Begin):
                self._enter(self._now)
            self._flush()
            self._change_homes()
            self._depth += 1 if isinstance(item, Begin) else -1
            if isinstance(item, End):
                self._leave()

    def _transfer(self, item: Transfer) -> None:
        """The write of the length starts it."""
        for source, word in zip((*item.source, *item.target, item.size), _DMA_WORDS, strict=True):
            op = Op()
            name = self._scalar(source, op)
            self.text.do(*op.scalar, f"STGLB.U32 {name}, [dma_ch0_mod1_{word}]")
        self.text.column("NOP")

    def _process(self, item: Pe) -> None:
        self._pe(item.text, item.reads, item.result, item.makes, item.loads)

    def _pe(
        self,
        text: str,
        reads: Sequence[Read],
        result: Word | None,
        makes: Part = Part.PAIR,
        loads: Sequence[Access] = (),
    ) -> Op:
        """An operation of the processing element; the word is then in VAB."""
        text, given = ordered(text, reads, self._is_scalar, self.published)
        scalars = scalar_indices(text, given, self._is_scalar, self.published)
        indices = [index for index in range(len(given)) if index not in scalars]
        if self._is_crowded([given[index].source for index in indices]):
            for load in loads:
                self._access(load)
            return self._crowded(text, [read.source for read in given], result)
        port: dict[Source, str] = {}
        op = Op(units=frozenset(("pe",)), writes=frozenset((VAB,)))
        for load in loads:
            assert load.result is not None
            at, count = self.packer.location, len(op.vector)
            self.packer.location = load.location or at
            port[load.result] = self._pass(load, op)
            self.packer.location = at
            if load.location is not None:
                op.own |= dict.fromkeys(op.vector[count:], load.location)
            self._busy |= op.reads & set(self.pairs)
        passing = None if loads else self._passing([given[index].source for index in indices])
        if passing is not None:
            port[passing] = MAB
        found = self._lanes(*[given[index].source for index in indices if given[index].source not in port])
        rest = iter(found)
        names = {index: port.get(given[index].source) or next(rest) for index in indices}
        if result is not None:
            self._held[VAB].discard(result)  # its last value ends here
        self._save_result(set(found) | (op.reads - {VAB, "DVA"}))
        if passing is not None:
            self.spills += 1
            op.units |= {"load", "passing"}
            op.reads |= {f"plane {self._plane(passing)}"}
            op.vector.append(f"LOADCONT.W32 {self._base(passing, op)}, {MAB}")
        operands: list[str] = []
        for index, read in enumerate(given):
            if index in names:
                register = names[index]
                operands.append(register if register in ("MA", "MB") else _part(register, read.part))
                if register in ("MA", "MB", MAB):
                    continue
                op.reads |= {register}
                op.pe_reads |= {register}
            elif text.startswith(_IMMEDIATE) and isinstance(read.source, int) and read.source < 1 << 16:
                operands.append(f"{read.source:#x}")
            else:
                operands.append(self._scalar(read.source, op, read.part))
        op.vector.append(f"{text} {', '.join(operands)}, {'VA' if makes is Part.LOW else 'VAB'}")
        self.packer.add(op)
        self._busy.clear()
        self._held[VAB] = set()
        if result is not None:
            self._made(result, VAB)
        return op

    def _is_crowded(self, sources: Sequence[Source]) -> bool:
        """Whether operands are more than the pairs: six words for a multiply-add of doubles."""
        words = {source for source in sources if not self._is_scalar(source)}
        return len(words) + sum(map(self._is_scalar, sources)) > len(self.pairs)

    def _crowded(self, text: str, sources: Sequence[Source], result: Word | None) -> Op:
        """A multiply-add on more words than there are pairs: the last two come to VAB and MAB for this operation."""
        *rest, low, high = sources
        early, passing = (high, low) if self._is_scalar(high) else (low, high)
        assert isinstance(passing, Word) and passing not in self.scalars
        for word in (early, passing):
            name = self._register(word) if isinstance(word, Word) else None
            if isinstance(word, Word) and name is not None and word not in self._stored:
                self._to_plane(name, word)
        found = self._lanes(*rest)
        if VAB in found:
            pair = self._free_pair(set(found) - {VAB})
            self._copy(VAB, pair)
            found = [pair if name == VAB else name for name in found]
        self._save_result(set(found))
        self._bring_to_result(early)
        op = self._passed(passing)
        op.reads |= {*found, VAB}
        op.pe_reads = frozenset((*found, VAB))
        last = [VAB, MAB] if passing is high else [MAB, VAB]
        op.vector.append(f"{text} {', '.join([*found, *last])}, VAB")
        self.packer.add(op)
        self._held[VAB] = set()
        if result is not None:
            self._made(result, VAB)
        return op

    def _bring_to_result(self, source: Source) -> None:
        """A constant, a scalar or a word from its plane in VAB."""
        if isinstance(source, Word) and source not in self.scalars:
            op = self._passed(source)
            op.vector.append(f"MOVE.U32 {MAB}, VAB")
        else:
            op = Op(units=frozenset(("pe",)), writes=frozenset((VAB,)))
            op.vector.append(f"MOVE.U32 {self._scalar(source, op)}, VAB")
        self.packer.add(op)
        self._held[VAB] = set()

    def _passed(self, word: Word) -> Op:
        """An operation of the processing element that finds a word from its plane in MAB."""
        self.spills += 1
        op = Op(units=frozenset(("pe", "load", "passing")), writes=frozenset((VAB,)))
        op.reads = frozenset((f"plane {self._plane(word)}",))
        op.vector.append(f"LOADCONT.W32 {self._base(word, op)}, {MAB}")
        return op

    def _passing(self, sources: list[Source]) -> Word | None:
        """An operand that comes from its plane for this operation alone: MAB holds it in this column."""
        if self.published:
            return None
        words = [source for source in sources if isinstance(source, Word) and source not in self.scalars]
        missing = [word for word in words if self._register(word) is None and words.count(word) == 1]
        rare = [word for word in missing if self._next_use(word) >= _FAR - 1]
        return (rare or (missing if len(words) > 2 and self._pins else []) or [None])[0]

    def _assign(self, item: Assign) -> None:
        if item.target in self.scalars:
            self._scalar_op(ScalarOp("MOVE.U32", ((item.source, Part.PAIR),), item.target))
            return
        if item.mask is None:
            if self._is_scalar(item.source):
                self._pe("MOVE.U32", (Read(item.source),), item.target)
                return
            self._move(item.target, item.source)
            return
        reads = (Read(item.target), Read(item.source), Read(item.mask, Part.LOW))
        self._pe("MERGE", reads, item.target)

    def _move(self, target: Word, source: Source) -> None:
        """A lane word gets the value of another."""
        assert isinstance(source, Word)
        home = self._pair_of(target)
        if home is not None and self._register(source) is None:
            self._vacate(home)
            self._from_plane(source, home)
            self._stored.discard(target)
            self._held[home] = {source, target}
            return
        (name,) = [VAB] if source in self._held[VAB] else self._lanes(source)
        if home is not None:
            self._set_pinned(target, home, name)
            return
        for held in self._held.values():
            held.discard(target)
        self._held[name].add(target)
        if self._known.needed(target) >> self._now + 1 & 1 and target in self._outside:
            self._to_plane(name, target)

    def _vote(self, item: Vote) -> None:
        (register,) = self._lanes(item.predicate)
        target = self.pairs_of[item.result]
        op = Op(units=frozenset(("pe",)), reads=frozenset((register,)), pe_reads=frozenset((register,)))
        op.late = frozenset((target,))
        op.vector.append(f"VOTE.{item.kind} {LOW[register]}, S{2 * int(target[2:])}")
        self.packer.add(op)

    def _jump(self, item: Jump) -> None:
        """All columns before a jump are closed: what is behind runs only where it is not taken."""
        head = self._head
        carried = self._carried(head) if head is not None and item.label == head.label else None
        self._flush()
        if item.condition is None:
            self.text.do(f"JMP {item.label}")
        elif item.condition in self.at_use:
            self.text.do(f"{fetching(self.at_use[item.condition])}, DS9")
            self.text.do(f"{'JMPC' if item.when else 'JMPNC'} S18, {item.label}")
        else:
            number = 2 * int(self.pairs_of[item.condition][2:])
            self.text.do(f"{'JMPC' if item.when else 'JMPNC'} S{number}, {item.label}")
        if carried is not None and head is not None:
            self._carry(carried, head)

    def _carried(self, head: _Head) -> str | None:
        """The pair whose last copy in a loop's body is left to the next turn, or to what is behind the loop."""
        needed = {pair for pair, word in self._pins.items() if self._known.needed(word) >> head.place & 1}
        return self.packer.carry(needed, self._pins.keys() - needed)

    def _carry(self, pair: str, head: _Head) -> None:
        """VAB takes a value round a loop: held before the first turn, given to its pair behind the last."""
        word = self._pins[pair]
        if word not in head.passing and self._known.needed(word) >> head.place & 1:
            self.text.insert(head.line, [f"MOVE.U32 {pair}, {VAB}", "##"])
            self.text.columns += 1
        if self._known.needed(word) >> self._now + 1 & 1:
            self._copy(VAB, pair)
        else:
            self._held[pair] = set()

    def _lane_number(self, item: Lane) -> None:
        """The packed thread id of a launch whose blocks are rows is the number of the thread."""
        self._save_result(set())
        op = Op(units=frozenset(("load", "pe", "passing")), writes=frozenset((VAB,)))
        name = self._next_temporary(op)
        op.scalar.append(f"LDPARAM.U32 [tid_base], {name}")
        op.scalar_writes |= {name}
        op.captured |= {name}
        op.vector += [f"LOADCONT {name}, MB", "CVT.U16.U32 MB, VAB"]
        self.packer.add(op)
        self._held[VAB] = set()
        self._made(item.result, VAB)

    def _ballot(self, item: Ballot) -> None:
        chosen: Source = item.predicate
        if item.mask is not None and item.predicate == 1:
            chosen = item.mask
        elif item.mask is not None:
            both = Word()
            self._uses[both] = [self._now + 1]
            self._pe("AND.U16", (Read(item.mask, Part.LOW), Read(item.predicate, Part.LOW)), both, Part.LOW)
            chosen = both
        self._pe("BALLOT", (Read(chosen, Part.LOW),), item.result)

    def _loose(self, uses: int) -> Word:
        """A new word that is used by the present item (0) or the next (1)."""
        made = Word()
        self._uses[made] = [self._now + uses]
        return made

    def _hold(self, word: Word, name: str) -> None:
        """A register holds a word from now on."""
        self._held[name] = {word}


def _part(register: str, part: Part) -> str:
    """A register pair or one of its halves."""
    return register if part is Part.PAIR else (LOW if part is Part.LOW else HIGH)[register]
