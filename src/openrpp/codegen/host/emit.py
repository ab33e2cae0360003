"""Emission of a piece: its blocks nested as `structure` says, its branches as masks where lanes go different ways."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

from openrpp.codegen.host.pieces import Barrier
from openrpp.codegen.host.turns import Turns
from openrpp.codegen.host.writer import scalar_type
from openrpp.codegen.structure import Entry
from openrpp.kir.analysis.loops import Loop
from openrpp.kir.ir import Block, BlockParam, Edge, Exit, Value
from openrpp.kir.ops.form import Effect

DONE = -1
DIVERGED = -2
WAITS = -4
_DUAL_DEPTH = 2


class Emitter(Turns):
    """Writes the body of the LLVM function of one piece."""

    def run(self) -> None:
        """The whole function body."""
        self._duals = 0
        self.entries = {block: self._entry_slot(block) for block in self.piece.cfg.order}
        self.params = {param: self._param_slot(param) for block in self.piece.cfg.order for param in block.params}
        self.again = {loop: self._again_slot(loop) for loop in self.piece.loops.loops}
        self.result = self.writer.alloca("i32")
        self.writer.do(f"store i32 {DONE}, ptr {self.result}")
        self._root()
        self.writer.do(f"ret i32 {self.writer(f'load i32, ptr {self.result}')}")

    # --- slots --------------------------------------------------------------------------------------------------

    def _entry_slot(self, block: Block) -> str:
        kind = self.structure.kind[block]
        if kind is Entry.ALL:
            return ""
        return self.writer.alloca("i1" if kind is Entry.FLAG else self.mask_type)

    def _param_slot(self, param: BlockParam) -> str:
        return self.writer.alloca(self.type_at(param.type, self.analysis.shape(param).level))

    def _again_slot(self, loop: Loop) -> str:
        return self.writer.alloca(self.mask_type if loop in self.structure.divergent else "i1")

    # --- scopes -------------------------------------------------------------------------------------------------

    @contextmanager
    def scope(self, condition: str) -> Generator[None]:
        """Emission under a scalar condition."""
        self.push()
        with self.writer.when(condition):
            yield
        self.pop()

    def _root(self) -> None:
        """All groups but perhaps the last are full; later pieces start with the lanes that came to the barrier."""
        geometry, whole = self.geometry, self.analysis.whole
        mask = "" if self.whole or not self.piece.number else self.frame.load_alive(self)
        if any(barrier.target not in whole for barrier in self.piece.barriers.values()):
            self.frame.store_alive(self, "zeroinitializer")
        if mask:
            with self.scope(self.any(mask)):
                self._twice(mask)
        elif geometry.full_groups == geometry.groups:
            self._start(None)
        else:
            first = self.writer(f"mul i32 %g, {geometry.lanes}")
            left = self.writer(f"sub i32 {geometry.threads}, {first}")
            lanes = [f"i32 {lane}" for lane in range(geometry.lanes)]
            limit = self.lift("i32", left, 0, 2)
            kind = f"<{geometry.lanes} x i32>"
            self._twice(self.writer(f"icmp slt {kind} <{', '.join(lanes)}>, {limit}"))

    def _twice(self, mask: str) -> None:
        """Once for full groups, once for others."""
        if self.geometry.full_groups == 0:
            self._start(mask)
            return
        whole, part, behind = (self.writer.label(hint) for hint in ("whole", "part", "end"))
        self.writer.do(f"br i1 {self.all(mask)}, label %{whole}, label %{part}")
        for label, given in ((whole, None), (part, mask)):
            self.writer.place(label)
            self.push()
            self._start(given)
            self.pop()
            self.writer.jump(behind)
        self.writer.place(behind)

    def _start(self, mask: str | None) -> None:
        with self.masked(mask):
            self.block = self.structure.entry
            for value in self.piece.live:
                self.arrived(value, self.frame.load(self, value))
            self._tree(self.structure.entry)

    # --- control ------------------------------------------------------------------------------------------------

    def _tree(self, block: Block) -> None:
        """A block and everything that is emitted in its scope."""
        loop = self.structure.loop_at.get(block)
        self._clear(self.structure.after[block])
        if loop is None:
            self.node(block)
        elif loop in self.structure.divergent:
            self.divergent_loop(loop)
        else:
            self.uniform_loop(loop)
        for child in self.structure.after[block]:
            self._guarded(child)

    def node(self, block: Block) -> None:
        """Emit a block and what is inside its scope."""
        self._clear(self.structure.inside[block])
        self._body(block)
        for child in self.structure.inside[block]:
            self._guarded(child)

    def _clear(self, blocks: list[Block]) -> None:
        for block in blocks:
            kind = self.structure.kind[block]
            if kind is Entry.FLAG:
                self.writer.do(f"store i1 false, ptr {self.entries[block]}")
            elif kind is Entry.MASK:
                self.writer.do(f"store {self.mask_type} zeroinitializer, ptr {self.entries[block]}")

    def _guarded(self, block: Block) -> None:
        kind, slot = self.structure.kind[block], self.entries[block]
        if kind is Entry.ALL:
            self._tree(block)
        elif kind is Entry.FLAG:
            with self.scope(self.writer(f"load i1, ptr {slot}")):
                self._tree(block)
        else:
            mask = self.writer(f"load {self.mask_type}, ptr {slot}")
            if self.mask is None and self._duals < _DUAL_DEPTH and self._is_worth_two(block):
                self._dual(block, mask)
            else:
                with self.scope(self.any(mask)), self.masked(mask):
                    self._tree(block)

    def _dual(self, block: Block, mask: str) -> None:
        """One copy for the case that all lanes enter, one for some."""
        self._duals += 1
        whole, part, behind = (self.writer.label(hint) for hint in ("whole", "part", "end"))
        self.writer.do(f"br i1 {self.all(mask)}, label %{whole}, label %{part}")
        self.writer.place(whole)
        self.push()
        self._tree(block)
        self.pop()
        self.writer.jump(behind)
        self.writer.place(part)
        with self.scope(self.any(mask)), self.masked(mask):
            self._tree(block)
        self.writer.jump(behind)
        self.writer.place(behind)
        self._duals -= 1

    def _is_worth_two(self, block: Block) -> bool:
        """Whether masks cost much in a scope: loops in it, or many accesses."""
        work, accesses = [block], 0
        while work:
            item = work.pop()
            if item in self.structure.loop_at:
                return True
            accesses += sum(instr.effect in (Effect.LOAD, Effect.STORE, Effect.WARP) for instr in item.body)
            work += [*self.structure.inside[item], *self.structure.after[item]]
        return accesses >= 4

    # --- blocks -------------------------------------------------------------------------------------------------

    def _body(self, block: Block) -> None:
        self.block = block
        for param in block.params:
            kind = self.type_at(param.type, self.analysis.shape(param).level)
            self.define(param, self.writer(f"load {kind}, ptr {self.params[param]}"))
        for instr in block.body:
            self.instruction(instr)
        self.flush_dots()
        barrier = self.piece.barriers.get(block)
        if barrier is not None:
            self.arrive(barrier)
            return
        end = block.terminator
        if end.kind is Exit.UNREACHABLE:
            self.unreachable(end.location)
        elif end.kind in (Exit.BRANCH, Exit.RETURN):
            for edge in end.edges:
                self._edge(block, edge, self.mask)
        else:
            self._branch(block)

    def _branch(self, block: Block) -> None:
        end = block.terminator
        assert end.value is not None
        if len(set(block.successors())) == 1 and not any(edge.args for edge in end.edges):
            self._edge(block, end.edges[0], self.mask)
            return
        level = 0 if self.shape(end.value).is_uniform else 2
        conditions = self._conditions(block, self.at(end.value, level), level)
        self.watch_branch(block, conditions, level)
        turns = [self.structure.is_back(block, edge.target) for edge in end.edges]
        if level and self.mask is None and turns.count(True) == 1:
            self._turn(block, conditions, turns.index(True))
            return
        for edge, condition in zip(end.edges, conditions, strict=True):
            if level:
                self._edge(block, edge, self.both(self.mask, condition))
            else:
                with self.scope(condition):
                    self._edge(block, edge, self.mask)

    def _turn(self, block: Block, conditions: list[str], back: int) -> None:
        """The branch at the end of a turn: mostly all lanes stay, and nothing needs a mask."""
        writer, edges = self.writer, block.terminator.edges
        stay, split, behind = (writer.label(hint) for hint in ("stay", "split", "end"))
        writer.do(f"br i1 {self.all(conditions[back])}, label %{stay}, label %{split}")
        writer.place(stay)
        self.push()
        self._edge(block, edges[back], None)
        self.pop()
        writer.jump(behind)
        writer.place(split)
        self.push()
        for edge, condition in zip(edges, conditions, strict=True):
            self._edge(block, edge, condition)
        self.pop()
        writer.jump(behind)
        writer.place(behind)

    def _conditions(self, block: Block, value: str, level: int) -> list[str]:
        """When each edge is taken."""
        end, lanes = block.terminator, self.lanes(level)
        if end.kind is Exit.CONDITIONAL:
            return [value, lanes.binary("xor", "i1", value, lanes.constant("i1", 1))]
        assert end.value is not None
        kind = scalar_type(end.value.type)
        found = [lanes.compare("icmp eq", kind, value, lanes.constant(kind, case)) for case in end.cases]
        other = lanes.constant("i1", 1)
        for condition in found:
            other = lanes.binary("and", "i1", other, lanes.binary("xor", "i1", condition, lanes.constant("i1", 1)))
        return [other, *found]

    def _edge(self, source: Block, edge: Edge, mask: str | None) -> None:
        """Note that the lanes of the mask take an edge, and pass its arguments."""
        target = edge.target
        self._pass(source, edge, mask)
        if self.structure.is_back(source, target):
            loop = self.structure.loop_at[target]
            self._mark(self.again[loop], loop in self.structure.divergent, mask)
        elif self.structure.kind[target] is not Entry.ALL:
            self._mark(self.entries[target], self.structure.kind[target] is Entry.MASK, mask)

    def _mark(self, slot: str, is_mask: bool, mask: str | None) -> None:
        if not is_mask:
            self.writer.do(f"store i1 true, ptr {slot}")
            return
        kind = self.mask_type
        old = self.writer(f"load {kind}, ptr {slot}")
        self.writer.do(f"store {kind} {self.writer(f'or {kind} {old}, {mask or self.full_mask()}')}, ptr {slot}")

    def _pass(self, source: Block, edge: Edge, mask: str | None) -> None:
        texts = [self._argument(param, arg) for param, arg in zip(edge.target.params, edge.args, strict=True)]
        if not texts:
            return
        back = self.structure.is_back(source, edge.target)
        group = [
            item
            for item in self.piece.cfg.incoming[edge.target]
            if self.structure.is_back(item[0], edge.target) == back
        ]
        blends = mask is not None and self.analysis.blends(self.piece, self.structure, group)
        for param, text in zip(edge.target.params, texts, strict=True):
            shape = self.analysis.shape(param)
            kind, slot = self.type_at(param.type, shape.level), self.params[param]
            if blends and shape.level == 2 and mask is not None:
                text = self.blend(kind, mask, text, slot)
            self.writer.do(f"store {kind} {text}, ptr {slot}")

    def _argument(self, param: Value, arg: Value) -> str:
        wanted = self.analysis.shape(param)
        if wanted.stride:
            text, shape = self.base(arg)
            return self.lift(scalar_type(arg.type), text, shape.level, wanted.level)
        return self.at(arg, wanted.level)

    # --- the end of a piece -------------------------------------------------------------------------------------

    def arrive(self, barrier: Barrier) -> None:
        """Lanes come to a barrier: leave their values and the mask for the next piece."""
        writer = self.writer
        before = writer(f"load i32, ptr {self.result}")
        twice = writer(f"icmp ne i32 {before}, {DONE}")
        with self.writer.when(twice, "diverged"):
            writer.do(f"store i32 {DIVERGED}, ptr {self.result}")
        fresh = writer(f"icmp eq i32 {before}, {DONE}")
        with self.scope(fresh):
            writer.do(f"store i32 {barrier.target}, ptr {self.result}")
            if barrier.target not in self.analysis.whole:
                self.frame.store_alive(self, self.full_mask())
            for value in self.piece.live_behind[barrier.target]:
                if value in self.results or self.piece.cfg.definitions.get(value) is not None:
                    self.frame.store(self, value)
            self.contribute(barrier.instr)
