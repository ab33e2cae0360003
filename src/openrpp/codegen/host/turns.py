"""Emission of loops: with a mask where lanes leave at different turns, and a look at the stop word now and then."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

from openrpp.codegen.host import frame as frames
from openrpp.codegen.host.compute import Computing
from openrpp.codegen.structure import Entry
from openrpp.kir.analysis.loops import Loop
from openrpp.kir.ir import Block, BlockParam, Constant, Exit, Instr, Value

STOPPED = -3


class Turns(Computing):
    """Emission of loops."""

    again: dict[Loop, str]

    def node(self, block: Block) -> None:
        """Emit a block and what is inside its scope."""
        raise NotImplementedError

    @contextmanager
    def masked(self, mask: str | None) -> Generator[None]:
        """Emission under a mask."""
        before, self.mask = self.mask, mask
        yield
        self.mask = before

    def uniform_loop(self, loop: Loop) -> None:
        """A loop that all lanes leave at the same turn."""
        head, behind = self.writer.label("loop"), self.writer.label("end")
        self.writer.jump(head)
        self.writer.place(head)
        self.push()
        self.writer.do(f"store i1 false, ptr {self.again[loop]}")
        self._poll(loop)
        self.node(loop.header)
        more = self.writer(f"load i1, ptr {self.again[loop]}")
        self.pop()
        self.writer.do(f"br i1 {more}, label %{head}, label %{behind}")
        self.writer.place(behind)

    def divergent_loop(self, loop: Loop) -> None:
        """A loop that lanes leave at different turns."""
        head, behind = self.writer.label("loop"), self.writer.label("end")
        live, kind = self.writer.alloca(self.mask_type), self.mask_type
        if self.mask is None and self._turns_together(loop):
            self._together(loop, live, head, behind)
        else:
            self.writer.do(f"store {kind} {self.full_mask()}, ptr {live}")
            self.writer.jump(head)
        self.writer.place(head)
        self.push()
        mask = self.writer(f"load {kind}, ptr {live}")
        self.writer.do(f"store {kind} zeroinitializer, ptr {self.again[loop]}")
        self._poll(loop)
        with self.masked(mask):
            self.node(loop.header)
        rest = self.writer(f"load {kind}, ptr {self.again[loop]}")
        self.writer.do(f"store {kind} {rest}, ptr {live}")
        more = self.any(rest)
        self.pop()
        self.writer.do(f"br i1 {more}, label %{head}, label %{behind}")
        self.writer.place(behind)

    def _turns_together(self, loop: Loop) -> bool:
        """Whether the turn of a loop ends with the test that lanes leave it by."""
        if len(loop.latches) != 1 or loop.latches[0].terminator.kind is not Exit.CONDITIONAL:
            return False
        scopes = self.structure.scopes(loop.latches[0], loop.header)
        return all(self.structure.kind[block] is Entry.ALL for block in scopes)

    def _together(self, loop: Loop, live: str, apart: str, behind: str) -> None:
        """Turns without a mask while all lanes stay; those that are left then go on at `apart`."""
        writer, kind = self.writer, self.mask_type
        head, check = writer.label("together"), writer.label("check")
        writer.jump(head)
        writer.place(head)
        self.push()
        writer.do(f"store {kind} zeroinitializer, ptr {self.again[loop]}")
        self._poll(loop)
        before, self.strides = self.strides, True
        self.node(loop.header)
        self.strides = before
        rest = writer(f"load {kind}, ptr {self.again[loop]}")
        writer.do(f"br i1 {self.all(rest)}, label %{head}, label %{check}")
        writer.place(check)
        writer.do(f"store {kind} {rest}, ptr {live}")
        writer.do(f"br i1 {self.any(rest)}, label %{apart}, label %{behind}")
        self.pop()

    def _poll(self, loop: Loop) -> None:
        """Now and then look whether the launch is to be stopped."""
        writer = self.writer
        if self.is_short(loop):
            return
        count = writer(f"load i32, ptr {self.ticks}")
        rest = writer(f"add i32 {count}, -1")
        writer.do(f"store i32 {rest}, ptr {self.ticks}")
        ask, stop, go = writer.label("poll"), writer.label("stop"), writer.label("go")
        spent = writer(f"icmp eq i32 {rest}, 0")
        writer.do(f"br i1 {spent}, label %{ask}, label %{go}, !prof !0")
        writer.place(ask)
        writer.do(f"store i32 {frames.TICKS}, ptr {self.ticks}")
        told = writer("call i1 @poll(ptr %stop)")
        writer.do(f"br i1 {told}, label %{stop}, label %{go}")
        writer.place(stop)
        writer.do(f"ret i32 {STOPPED}")
        writer.place(go)

    def is_short(self, loop: Loop) -> bool:
        """Whether a loop without inner loops counts up by a constant to a constant in at most 4096 turns."""
        if loop.children:
            return False
        end = loop.header.terminator if loop.header.terminator.value is not None else loop.latches[0].terminator
        test = end.value
        if not (isinstance(test, Instr) and test.op.name == "icmp" and isinstance(test.operands[1], Constant)):
            return False
        most = 1 if test.attr("pred") in ("eq", "ne") else 1 << 30  # a longer step may jump over the end
        counter = _stepped(test.operands[0], most) or test.operands[0]
        if not isinstance(counter, BlockParam) or counter not in loop.header.params or len(loop.latches) != 1:
            return False
        return self._counts(loop, loop.header.params.index(counter), test.operands[1], most)

    def _counts(self, loop: Loop, index: int, limit: Constant, most: int) -> bool:
        for source, edge in self.piece.cfg.incoming[loop.header]:
            arg = edge.args[index]
            if source in loop.blocks:
                if _stepped(arg, most) is not loop.header.params[index]:
                    return False
            elif not (isinstance(arg, Constant) and 0 <= limit.signed - arg.signed <= 4096):
                return False
        return True


def _stepped(value: Value, most: int) -> Value | None:
    """What a value is above by a constant of 1 to `most`."""
    if not (isinstance(value, Instr) and value.op.name == "add" and isinstance(value.operands[1], Constant)):
        return None
    return value.operands[0] if 1 <= value.operands[1].signed <= most else None
