"""The dot of eight bf16 products, where operands are the same along rows or down columns of a group.

`c + (E + O)` is emitted as products and sums that round one by one: a fused multiply-add would not round a product
that leaves the range of float32, and so give other results for extreme values.
"""

from __future__ import annotations

from enum import Enum

from openrpp.codegen.host.dots_loads import JointLoads
from openrpp.codegen.host.ops.floating import dot_chains, pair
from openrpp.codegen.host.ops.lanes import Lanes
from openrpp.kir.ir import BlockParam, Constant, Instr, Parameter, Value
from openrpp.kir.ops.form import Effect

WORDS = 4
Words = tuple[Value, ...]
_DEPTH = 8


class Alike(Enum):
    """How the four words of a factor differ between the lanes of a group."""

    ROWS = 0  # the same in all columns
    COLUMNS = 1  # the same in all rows
    LANES = 2


class Dots(JointLoads):
    """Emission of `dot8_bf16`."""

    def alike(self, words: Words) -> Alike:
        """How four words differ."""
        shapes = [self.shape(word) for word in words]
        if all(shape.level < 2 and not shape.stride for shape in shapes):
            return Alike.ROWS
        return Alike.COLUMNS if all(self.is_in_columns(word) for word in words) else Alike.LANES

    def is_in_columns(self, value: Value, depth: int = 0) -> bool:
        """Whether a value is the same down every column; row 0 of its text then holds it for all columns in use."""
        if isinstance(value, Constant | Parameter) or self.shape(value).level == 0:
            return True
        if isinstance(value, BlockParam) or not isinstance(value, Instr) or depth > _DEPTH:
            return False
        if value in self.slots or self.piece.cfg.definitions.get(value) is None:
            return False
        if value.op.name == "load":
            return not value.attr("volatile") and self.address_shape(value.operands[0]).level == 0
        return value.effect is Effect.PURE and all(self.is_in_columns(item, depth + 1) for item in value.operands)

    def dot(self, instr: Instr) -> None:
        """Emit a dot, row by row where one factor is the same along rows and the other one down columns."""
        roles = self.roles(instr)
        if roles is None:
            self._dot_alone(instr)
            return
        lanes = Lanes(self.writer, self.geometry.columns, self.tier)
        x = self._repeated(roles[0])
        y = [half for word in self.packed_columns(roles[1]) for half in pair(lanes, word)]
        c = self._rows_of("float", self.at(instr.operands[2 * WORDS], 2))
        parts = [dot_chains(lanes, self._terms_of(x, row), y, c[row]) for row in range(self.geometry.rows)]
        self.define(instr, self.join("float", parts, self.geometry.columns))

    def roles(self, instr: Instr) -> tuple[Words, Words] | None:
        """The factors of rows and columns, for a dot that has both."""
        if self.analysis.shape(instr).level < 2:
            return None
        factors = self.first_loads(tuple(instr.operands[: 2 * WORDS]))
        a, b = factors[:WORDS], factors[WORDS:]
        for rows, columns in ((a, b), (b, a)):
            if self.alike(rows) is Alike.ROWS and all(self.is_in_columns(word) for word in columns):
                return rows, columns
        return None

    def _dot_alone(self, instr: Instr) -> None:
        level = self.analysis.shape(instr).level
        texts = [self.at(value, level) for value in instr.operands]
        lanes = self.lanes(level)
        terms = [[half for word in texts[at : at + WORDS] for half in pair(lanes, word)] for at in (0, WORDS)]
        self.define(instr, dot_chains(lanes, terms[0], terms[1], texts[2 * WORDS]))

    # --- factors ------------------------------------------------------------------------------------------------

    def packed_rows(self, words: Words) -> str:
        """Words that are the same along rows, as <rows * 4 x i32>: all of row 0, then all of row 1."""
        raw = self.raw(words)
        if raw is not None:
            return raw
        rows = self.geometry.rows
        text = self.join("i32", [self._at_rows(word) for word in words], rows)
        order = [word * rows + row for row in range(rows) for word in range(WORDS)]
        return self.shuffle("i32", rows * WORDS, text, order)

    def _at_rows(self, word: Value) -> str:
        if self.geometry.rows == 1:
            return self.lanes_of(1, "i32", self.at(word, 0))
        return self.at(word, 1)

    def packed_columns(self, words: Words) -> list[str]:
        """Words that are the same down columns, each as <columns x i32>."""
        order = list(range(self.geometry.columns))
        return [self.shuffle("i32", self.geometry.lanes, self.at(word, 2), order) for word in words]

    def _rows_of(self, element: str, text: str) -> list[str]:
        rows, columns, lanes = self.geometry.rows, self.geometry.columns, self.geometry.lanes
        if rows == 1:
            return [text]
        starts = [row * columns for row in range(rows)]
        return [self.shuffle(element, lanes, text, list(range(start, start + columns))) for start in starts]

    def _repeated(self, words: Words) -> list[str]:
        """Where the terms of all rows lie, those of even and of odd numbers. They pass through memory: a load that
        repeats its value costs nothing, where a shuffle of a register costs as much as a product."""
        writer, count = self.writer, self.geometry.rows * WORDS
        slots = [writer.alloca(f"<{count} x float>", 64) for _ in range(2)]
        halves = pair(Lanes(writer, count, self.tier), self.packed_rows(words))
        for slot, half in zip(slots, halves, strict=True):
            writer.do(f"store <{count} x float> {half}, ptr {slot}, align 64")
        return [self.hidden(slot) for slot in slots]

    def _terms_of(self, places: list[str], row: int) -> list[str]:
        """The eight terms of a row as <columns x float>."""
        terms: list[str] = []
        for term in range(2 * WORDS):
            at = self.writer.byte(places[term % 2], 4 * (row * WORDS + term // 2))
            terms.append(self.lanes_of(self.geometry.columns, "float", self.writer.load("float", at)))
        return terms

    def hidden(self, pointer: str) -> str:
        """A pointer through which LLVM does not see what was stored, so that it loads."""
        return self.writer(f'call ptr asm sideeffect "", "=r,0,~{{memory}}"(ptr {pointer})')
