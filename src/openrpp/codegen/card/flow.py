"""A kernel as one line of operations: structured control flow with masks, votes and jumps, values as words.

Branches that the sequencer can take become jumps; where lanes part, both sides run under masks, and a loop goes on
while a vote finds an active lane. What a block parameter holds is a variable: a word that several assignments write.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from openrpp.codegen.card import arithmetic, atomics, memory, threads
from openrpp.codegen.card.able import able
from openrpp.codegen.card.barriers import ASKING
from openrpp.codegen.card.lowering import Lowering
from openrpp.codegen.card.scalar_steps import ScalarOp, as_scalar
from openrpp.codegen.card.steps import (
    Access,
    Atomic,
    Ballot,
    Fence,
    Lane,
    Pe,
    Poll,
    Scalar,
    Source,
    Step,
    Transfer,
    Where,
    Word,
    for_each_read,
)
from openrpp.codegen.card.transfers import STAGING
from openrpp.codegen.structure import Entry, Structure
from openrpp.kir.analysis.cfg import Cfg
from openrpp.kir.analysis.loops import Loop, Loops
from openrpp.kir.analysis.uniformity import Shape, Uniformity
from openrpp.kir.ir import Block, BlockParam, Constant, Edge, Exit, Instr, Kernel, Parameter, Value
from openrpp.kir.location import Location
from openrpp.kir.ops.form import Effect
from openrpp.kir.ops.threads import WARP

RULES = {**arithmetic.RULES, **memory.RULES, **atomics.RULES, **threads.RULES}


REASONS = {"clock": "it has no count of cycles that a program can read; time its launches instead"}
"""Why ops are refused that are not merely missing."""
_ACCESSES = (Effect.LOAD, Effect.STORE, Effect.ATOMIC)


@dataclass(slots=True)
class Assign:
    """A variable gets a value, in lanes of the mask only where there is one."""

    target: Word
    source: Source
    mask: Word | None = None


@dataclass(slots=True)
class Vote:
    """Whether a word is not zero in any lane, or in how many, as a scalar."""

    predicate: Word
    result: Word
    kind: str = "ANY"  # or COUNT


@dataclass(slots=True)
class Jump:
    """To a label: always, or where a scalar is not zero (`when`) or zero."""

    label: str
    condition: Word | None = None
    when: bool = True


@dataclass(slots=True)
class Label:
    """A jump target."""

    name: str


@dataclass(slots=True)
class Begin:
    """The start of a loop."""

    loop: Loop


@dataclass(slots=True)
class End:
    """The end of a loop, behind its jump back."""

    loop: Loop


@dataclass(slots=True)
class Point:
    """The address register points to a place; then it is moved on by some bytes, if it says so."""

    place: Where
    by: Source | None = None


Item = Step | ScalarOp | Assign | Vote | Jump | Label | Begin | End | Point


class Irreducible(Exception):
    """Control flow that does not nest."""


class NotForSequencer(Exception):
    """A transfer whose addresses or size the sequencer does not have."""

    def __init__(self, location: Location | None) -> None:
        self.location = location
        super().__init__()


class Demoted(Exception):
    """A value that was taken for one of the sequencer is not: start again without it."""

    def __init__(self, value: Value) -> None:
        self.value = value
        super().__init__()


class Flow:
    """Builds the line of items of a kernel."""

    def __init__(self, kernel: Kernel, lowering: Lowering, lanes_only: set[Value]) -> None:
        self.kernel = kernel
        self.lower = lowering
        self.cfg = Cfg(kernel)
        self.loops = Loops(self.cfg)
        if self.loops.irreducible:
            raise Irreducible("a jump leads into a loop")
        self.uniformity = Uniformity(
            self.cfg, self.loops, lambda instr: able(instr) and instr not in lanes_only, offsets=True
        )
        self.lanes_only = lanes_only
        self.structure = Structure(self.cfg, self.loops)
        self.structure.decide(lambda value, block: not self._is_scalar_at(value, block))
        lowering.is_scalar = lambda source: isinstance(source, int) or source in self.scalars
        self.items: list[Item] = []
        self.scalars: set[Word] = set()
        self.variables: set[Word] = set()
        self.mask: Word | None = None
        self._start: Word | None = None  # the mask of all lanes of the grid
        self.block = self.cfg.order[0]
        self._labels = 0
        self._entries: dict[Block, Source] = {}
        self._reached: set[Block] = set()  # by an edge that is in the line already
        self._again: dict[Loop, Word] = {}
        self._last_edges: dict[Loop, tuple[Block, Edge, Source]] = {}
        self._left: dict[Value, tuple[Word, ...]] = {}
        self._copies: dict[Word, Source] = {}
        self._known: list[dict[object, Word]] = [{}]
        self.origin: dict[Word, Value] = {}
        self._present: Value | None = None

    def _is_scalar_at(self, value: Value, block: Block) -> bool:
        if isinstance(value, Constant | Parameter):
            return True
        return value not in self.lanes_only and self.uniformity.seen(value, block) is Shape.SEQUENCER

    def run(self) -> list[Item]:
        """All items. Raises Demoted, Unsupported."""
        self._find_left()
        for parameter in self.kernel.params:
            memory.load_parameter(self.lower, self.kernel, parameter)
        self._take_steps()
        self._tree(self.structure.entry)
        return self.items

    # --- values that leave divergent loops ------------------------------------------------------------------------

    def _find_left(self) -> None:
        for block in self.cfg.order:
            used = [*block.terminator.operands(), *(value for instr in block.body for value in instr.operands)]
            for value in used:
                home = self.cfg.definitions.get(value)
                if home is not None and self._leaves(home, block) and value not in self._left:
                    count = len(self.lower.values.words(value))
                    self._left[value] = tuple(Word(f"{value.name} left") for _ in range(count))
                    self.variables.update(self._left[value])

    def _leaves(self, home: Block, user: Block) -> bool:
        return any(loop in self.structure.divergent and user not in loop.blocks for loop in self._around(home))

    def sources(self, value: Value) -> tuple[Source, ...]:
        """The words of a value as the present block sees it."""
        home = self.cfg.definitions.get(value)
        if home is not None and value in self._left and self._leaves(home, self.block):
            return self._left[value]
        return tuple(self._resolved(source) for source in self.lower.values.sources(value))

    def _resolved(self, source: Source) -> Source:
        """What a copy was made of."""
        while isinstance(source, Word) and source in self._copies:
            source = self._copies[source]
        return source

    # --- scopes ---------------------------------------------------------------------------------------------------

    def label(self) -> str:
        """A new label."""
        self._labels += 1
        return f"$L{self._labels}"

    def _tree(self, block: Block) -> None:
        loop = self.structure.loop_at.get(block)
        self._clear(self.structure.after[block])
        if loop is None:
            self._node(block)
        else:
            self._loop(loop)
        for child in self.structure.after[block]:
            self._guarded(child)

    def _node(self, block: Block) -> None:
        self._clear(self.structure.inside[block])
        self._body(block)
        for child in self.structure.inside[block]:
            self._guarded(child)

    def _clear(self, blocks: list[Block]) -> None:
        """Nobody enters yet."""
        for block in blocks:
            kind = self.structure.kind[block]
            if kind is Entry.ALL or self._is_direct(block):
                continue
            entry = Word(f"{block.name} entry")
            self._entries[block] = entry
            self.variables.add(entry)
            if kind is Entry.FLAG:
                self.scalars.add(entry)
            self.items.append(Assign(entry, 0))

    def _is_direct(self, block: Block) -> bool:
        """Whether only one edge leads to a block, from the block that it is emitted in, and lanes take it at once.

        Out of a divergent loop they take it turn by turn.
        """
        incoming = self.cfg.incoming[block]
        if len(incoming) != 1 or self.structure.home[block] is not incoming[0][0]:
            return False
        return not self._leaves(incoming[0][0], block)

    def _guarded(self, block: Block) -> None:
        kind = self.structure.kind[block]
        if kind is Entry.ALL:
            self._tree(block)
            return
        behind, before = self.label(), self.mask
        entry = self._entries[block]
        if isinstance(entry, int):
            if entry:
                self._tree(block)
            return
        start = len(self.items)
        if entry in self.scalars:
            self.items.append(Jump(behind, entry, when=False))
        else:
            answer = self._scalar("any")
            self.items += [Vote(entry, answer), Jump(behind, answer, when=False)]
            self.mask = entry
        self._known.append({})
        self._tree(block)
        self._known.pop()
        self.mask = before
        if entry not in self.scalars and _is_short(self.items[start + 2 :]):
            del self.items[start : start + 2]  # cheaper to run for no lane than to ask whether there is one
        else:
            self.items.append(Label(behind))

    def _scalar(self, name: str) -> Word:
        word = Word(name)
        self.scalars.add(word)
        return word

    def _loop(self, loop: Loop) -> None:
        """A loop goes on while its header is to be run again, by all lanes or by those of a mask."""
        head, before = self.label(), self.mask
        is_divergent = loop in self.structure.divergent
        again = self._again[loop] = Word("again") if is_divergent else self._scalar("again")
        self.variables.add(again)
        live: Word | None = None
        if is_divergent:
            live = Word("live")
            self.variables.add(live)
            self.items.append(Assign(live, 1 if before is None else before))
        self.items += [Begin(loop), Label(head)]
        if is_divergent:
            self.mask = live
        if not self._is_always_at_end(loop):
            self.items.append(Assign(again, 0))
        self._known.append({})
        self._node(loop.header)
        if live is not None:
            self.items.append(Assign(live, again))
            answer = self._scalar("more")
            self.items += [Vote(live, answer), Jump(head, answer)]
        elif loop in self._last_edges:
            self._go_round(loop, head)
        else:
            self.items.append(Jump(head, again))
        self._known.pop()
        self.items.append(End(loop))
        self.mask = before

    def _go_round(self, loop: Loop, head: str) -> None:
        """The only way back, taken by all lanes or none: what it passes on is passed where it is taken."""
        source, edge, again = self._last_edges[loop]
        out = self.label()
        if isinstance(again, Word):
            self.items.append(Jump(out, again, when=False))
        self.block = source
        self._pass(edge, None)
        self.items += [Jump(head), Label(out)]

    # --- blocks ---------------------------------------------------------------------------------------------------

    def _body(self, block: Block) -> None:
        self.block = block
        for param in block.params:
            self._keep_left(param)
        for instr in block.body:
            self._instruction(instr)
        end = block.terminator
        if end.kind is Exit.BRANCH:
            self._edge(block, end.edges[0], None)
        elif end.kind is Exit.CONDITIONAL:
            self._conditional(block)
        elif end.kind is Exit.SWITCH:
            raise AssertionError("a switch is expanded before")

    def _instruction(self, instr: Instr) -> None:
        self.lower.location = instr.location
        if instr in self.lower.splits.hidden:
            return
        if instr in self.lower.splits.basis:
            self._basis(instr)
            return
        if instr.effect is Effect.BLOCK:
            self._barrier(instr)
            return
        is_joined = instr in self.lower.splits.joined and self.mask is None
        rule = memory.joined if is_joined else RULES.get(instr.op.name)
        if rule is None:
            raise self.lower.unsupported(instr, REASONS.get(instr.op.name, ""))
        self.lower.seen = self.sources
        self.lower.whole_warps = self.mask is self._start and math.prod(self.lower.block) % WARP == 0
        rule(self.lower, instr)
        self._present = instr
        self._take_steps()
        self._present = None
        if self._is_scalar_at(instr, self.block) and self.lower.values.words(instr):
            sources = self.sources(instr)
            if not all(isinstance(word, int) or word in self.scalars for word in sources):
                raise Demoted(instr)
        self._keep_left(instr)

    def _basis(self, instr: Instr) -> None:
        """A number of the layout that addresses are made of."""
        self.lower.give(instr, memory.basis(self.lower, self.lower.splits.basis[instr]))
        self._take_steps()

    def _barrier(self, instr: Instr) -> None:
        """Stores before it are seen behind it; what it answers is a vote."""
        if instr.op.name in ("barrier", "grid_barrier"):
            self.items.append(Fence(instr.location))
            return
        if instr.op.name in STAGING:
            self._stage(instr)
            return
        if instr.op.name not in ASKING or (self.lower.places.near and instr.op.name == "barrier_count"):
            raise self.lower.unsupported(instr)
        self.items.append(Fence(instr.location))
        (asked,) = self.sources(instr.operands[0])
        self.lower.give(instr, self._answer(instr.op.name, asked))
        self._take_steps()
        self._keep_left(instr)

    def _stage(self, instr: Instr) -> None:
        """Transfers start when all that was stored before is in memory. Raises NotForSequencer."""
        if instr.op.name == "stage_wait":
            self.items += [Poll(instr.location), Fence(instr.location)]
            return
        target, source, size = ((*self.sources(value), 0)[:2] for value in instr.operands)
        if not all(isinstance(word, int) or word in self.scalars for word in (*target, *source, *size)):
            raise NotForSequencer(instr.location)
        self.items += [
            Fence(instr.location),
            Poll(instr.location),
            Transfer((source[0], source[1]), (target[0], target[1]), size[0], instr.location),
        ]

    def _answer(self, name: str, asked: Source) -> Source:
        """The number of active lanes with a condition, whether all have it or any."""
        is_same = isinstance(asked, int) or asked in self.scalars
        if name == "barrier_count":
            number = self.lower.number(asked) if is_same else 1
            if is_same and self.mask is None:
                return self.lower.multiply(number, math.prod(self.lower.block))
            chosen = self.mask if is_same or not isinstance(asked, Word) else self._narrowed(asked)
            assert chosen is not None
            return self.lower.multiply(self.lower.both(self._vote(chosen, "COUNT"), 0xFFFF), number)
        if not isinstance(asked, Word) or is_same:
            return asked
        if name == "barrier_or":
            return self._vote(self._narrowed(asked))
        return self.lower.invert(self._vote(self._narrowed(self._taken(self.lower.invert(asked)))))

    def _vote(self, predicate: Word, kind: str = "ANY") -> Word:
        answer = self._scalar("answer")
        self._take_steps()
        self.items.append(Vote(predicate, answer, kind))
        return answer

    def _keep_left(self, value: BlockParam | Instr) -> None:
        """What is used behind a divergent loop is kept as each lane leaves it."""
        if value in self._left:
            for target, word in zip(self._left[value], self.lower.values.words(value), strict=True):
                self.items.append(Assign(target, self._resolved(word), self.mask))

    def _take_steps(self) -> None:
        """Move the steps of the lowering into the line: copies and what is known already are left out."""
        steps, self.lower.steps = self.lower.steps, []
        for step in steps:
            if isinstance(step, Access) and step.value is not None and step.is_row and self.mask is not None:
                memory.by_lane(self.lower, step)
                self._take_steps()
            self._take(step)

    def _taken(self, source: Source) -> Word:
        """Take the steps that make a value; the word that it is then."""
        self._take_steps()
        found = self._resolved(source)
        assert isinstance(found, Word)
        return found

    def _take(self, step: Step) -> None:
        if isinstance(step, Access | Atomic | Ballot):
            step.mask = None if isinstance(step, Access) and step.is_harmless else self.mask
        for_each_read(step, self._resolved)
        if isinstance(step, Pe) and step.text == "MOVE.U32":
            self._copies[step.result] = step.reads[0].source
            return
        key = self._key(step)
        if key is not None:
            assert isinstance(step, Pe | Scalar | Lane)
            for scope in self._known:
                if key in scope:
                    self._copies[step.result] = scope[key]
                    return
            self._known[-1][key] = step.result
        stays = self._stays() and not isinstance(step, Scalar)
        made = None if stays else as_scalar(step, self.scalars)
        if isinstance(made, ScalarOp) and self._present is not None:
            self.origin[made.result] = self._present
        self.items.append(made or step)

    def _stays(self) -> bool:
        """Whether what the present instruction computes is left to the lanes; not so the addresses of accesses."""
        present = self._present
        return present in self.lanes_only and not (isinstance(present, Instr) and present.effect in _ACCESSES)

    def _key(self, step: Step) -> object:
        """What tells two steps with the same result; None for those that must stay apart."""
        if isinstance(step, Scalar):
            return step.register
        if isinstance(step, Lane):
            return Lane
        if not isinstance(step, Pe):
            return None
        if any(read.source in self.variables for read in step.reads if isinstance(read.source, Word)):
            return None
        return step.text, step.reads, step.makes, self._stays()

    def _conditional(self, block: Block) -> None:
        end = block.terminator
        assert end.value is not None
        (condition,) = self.sources(end.value)
        first, second = end.edges
        if isinstance(condition, int):
            taken, other = (first, second) if condition else (second, first)
            if self._is_direct(other.target):
                self._entries[other.target] = 0
            self._edge(block, taken, None)
            return
        if first.target is second.target and not first.args:
            self._edge(block, first, None)
            return
        if condition not in self.scalars and self._is_scalar_at(end.value, block):
            raise Demoted(end.value)
        other = self._taken(self.lower.invert(condition))
        ways = [(first, condition), (second, other)]
        for edge, taken in sorted(ways, key=lambda way: self._overwrites(block, way[0])):
            self._edge(block, edge, taken)

    def _overwrites(self, source: Block, edge: Edge) -> int:
        """Back edges come last, those of inner loops behind those of outer ones: they write what others pass."""
        return len(self._around(edge.target)) if self.structure.is_back(source, edge.target) else 0

    def _edge(self, source: Block, edge: Edge, condition: Word | None) -> None:
        """Lanes for which a condition holds take an edge."""
        target = edge.target
        is_back = self.structure.is_back(source, target)
        by_jump = condition is not None and condition in self.scalars
        mask = self.mask
        is_free = self._may_write(source, target)
        passing = None if is_free else self.mask
        if condition is not None and not by_jump:
            mask = self._narrowed(condition)
            passing = passing if is_free or self._may_pass_always(source, edge) else mask
        self._reached.add(target)
        mark: Source = condition if by_jump and condition is not None else 1
        if is_back and self._is_only_way_back(self.structure.loop_at[target]):
            loop = self.structure.loop_at[target]
            if self._is_always_at_end(loop):
                self._last_edges[loop] = source, edge, mark
            else:
                self._last_edges[loop] = source, edge, self._again[loop]
                self._mark(self._again[loop], mark, mask, False)
            return
        is_free = is_free or self._may_pass_always(source, edge)
        skip = self.label() if by_jump and target.params and not is_free else None
        if skip is not None:
            self.items.append(Jump(skip, condition, when=False))
        self._pass(edge, passing)
        if skip is not None:
            self.items.append(Label(skip))
        if is_back:
            loop = self.structure.loop_at[target]
            self._mark(self._again[loop], mark, mask, loop in self.structure.divergent, len(loop.latches) == 1)
            return
        kind = self.structure.kind[target]
        if kind is Entry.ALL:
            return
        if self._is_direct(target):
            self._entries[target] = self._direct(mark, mask, kind)
        else:
            entry = self._entries[target]
            assert isinstance(entry, Word)
            self._mark(entry, mark, mask, kind is Entry.MASK)

    def _may_write(self, source: Block, target: Block) -> bool:
        """Whether lanes that do not take an edge do not mind that its arguments are passed.

        They do not before the first edge to a block in the line, since theirs comes later, and on the only way back to
        a header. But on a way out of a loop lanes wait that left it before.
        """
        if self.structure.is_back(source, target):
            return len(self.structure.loop_at[target].latches) == 1
        return target not in self._reached and all(target in loop.blocks for loop in self._around(source))

    def _is_only_way_back(self, loop: Loop) -> bool:
        return len(loop.latches) == 1 and loop not in self.structure.divergent

    def _is_always_at_end(self, loop: Loop) -> bool:
        """Whether the only way back starts at a block that every turn comes to."""
        if not self._is_only_way_back(loop):
            return False
        scopes = self.structure.scopes(loop.latches[0], loop.header)
        return all(self.structure.kind[block] is Entry.ALL for block in scopes)

    def _may_pass_always(self, source: Block, edge: Edge) -> bool:
        """Whether arguments may be passed though the edge is not taken.

        That is so for an edge out of a loop: what stands behind it is read only when an edge there has been taken, and
        the last one taken is the last that passed anything.
        """
        others = [other for other in source.terminator.edges if other is not edge]
        leaves = any(edge.target not in loop.blocks for loop in self._around(source))
        return leaves and all(other.target is not edge.target for other in others)

    def _around(self, block: Block) -> list[Loop]:
        inner = self.loops.innermost(block)
        return list(inner.around()) if inner else []

    def _narrowed(self, condition: Word) -> Word:
        if self.mask is None:
            return condition
        return self._taken(self.lower.both(self.mask, condition))

    def _direct(self, mark: Source, mask: Word | None, kind: Entry) -> Source:
        """Who enters a block over its only edge: a mask, a scalar, or 1 for all that are here."""
        if kind is not Entry.MASK or mask is None:
            return mark
        return mask if isinstance(mark, int) else self._and(mask, mark)

    def _and(self, a: Source, b: Source) -> Word:
        return self._taken(self.lower.both(a, b))

    def _mark(self, variable: Word, mark: Source, mask: Word | None, is_mask: bool, is_only: bool = False) -> None:
        """More lanes enter there, or the only ones."""
        if not is_mask:
            added: Source = mark
        elif mask is None:
            added = mark
        else:
            added = mask if isinstance(mark, int) else self._and(mask, mark)
        total = added if is_only or added == 1 else self._taken(self.lower.either(variable, added))
        self.items.append(Assign(variable, total))

    def _pass(self, edge: Edge, mask: Word | None) -> None:
        """Arguments to parameters; all are read before one is written that another needs."""
        pairs: list[tuple[Word, Source]] = []
        for param, arg in zip(edge.target.params, edge.args, strict=True):
            targets = self.lower.values.words(param)
            self.variables.update(targets)
            if self._is_scalar_at(param, edge.target):
                self.scalars.update(targets)
                self.origin.update(dict.fromkeys(targets, param))
            pairs += zip(targets, self.sources(arg), strict=True)
        written = {target for target, _ in pairs}
        ready: list[tuple[Word, Source]] = []
        for target, source in pairs:
            if isinstance(source, Word) and source in written and source is not target:
                source = self._copied(source)
            if source is not target:
                ready.append((target, source))
        for target, source in ready:
            if target in self.scalars and isinstance(source, Word) and source not in self.scalars:
                raise Demoted(next(param for param in edge.target.params if target in self.lower.values.words(param)))
            self.items.append(Assign(target, source, None if target in self.scalars else mask))

    def _copied(self, source: Word) -> Word:
        result = Word(source.name)
        self.variables.add(result)
        if source in self.scalars:
            self.scalars.add(result)
        self.items.append(Assign(result, source))
        return result


_SHORT = 12
"""Columns up to which a masked stretch is run rather than asked about: the vote and the cut cost two or three."""


def _is_short(items: list[Item]) -> bool:
    """Whether a masked stretch has few columns, and no loop, which may not end where no lane enters it."""
    if any(isinstance(item, Begin | Fence | Transfer) for item in items):
        return False
    return sum(not isinstance(item, ScalarOp | Scalar | Jump | Label) for item in items) <= _SHORT
