"""Dots by VDPBF16PS, where rows and columns of a group share factors.

The instruction adds the product of the upper halves of two words to a sum, then that of the lower halves, each sum
rounded to nearest even; like tiles (`tiles`) it takes denormal numbers for zeros, gives zeros for them, and fuses
products with sums, which does not show for the factors and sums that are looked for there. Of the eight terms of a dot
E adds those of even numbers: so words of terms 0 and 2, and 4 and 6, are made, each with the first of both on top, and
O takes the others.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from openrpp.codegen.host.dots import WORDS, Words
from openrpp.codegen.host.geometry import Geometry
from openrpp.codegen.host.tiles import LEAST_SUM, Tiles, is_zero
from openrpp.kir.ir import Instr, Value

WIDTH: Final = 16
"""Sums of an instruction."""
_DOT: Final = "llvm.x86.avx512bf16.dpbf16ps.512"


def suits_pairs(geometry: Geometry) -> bool:
    """Whether groups have rows that share the factors of whole vectors of columns."""
    return geometry.regular and geometry.rows >= 2 and geometry.columns % WIDTH == 0


@dataclass(frozen=True)
class _Factor:
    """The words of a factor of all rows or columns, and the same as pairs of E and of O."""

    texts: list[str]
    even: list[str]
    odd: list[str]


@dataclass(frozen=True)
class _Sums:
    """The result of a dot in vectors, row by row, and whether all of it suits the next one."""

    parts: list[str]
    suit: str


class Pairs(Tiles):
    """Emission of dots, those of rows and columns by pairs where the tier has them."""

    known_sums: dict[Value, _Sums]

    def dot(self, instr: Instr) -> None:
        """Emit a dot: by pairs if all that it takes suits, else with all roundings."""
        roles = self.roles(instr) if self.tier.tiles == "pairs" and suits_pairs(self.geometry) else None
        if roles is None:
            super().dot(instr)
            return
        rows, columns = self._rows(roles[0]), self._columns(roles[1])
        before = self._sums(instr.operands[2 * WORDS])
        if self.mask is not None:  # the last group of a block, or few lanes: short code
            parts, _ = self._exactly(before.parts, rows, columns)
            self.define(instr, self.join("float", parts, WIDTH))
            self.known_sums[instr] = _Sums(parts, "")
            self.uses_tiles = True
            return
        inside = self._factors_suit(rows, columns)
        inside = self.writer(f"and i1 {inside}, {before.suit}") if before.suit else inside
        fast, exact, behind = (self.writer.label(hint) for hint in ("pairs", "exact", "end"))
        self.writer.do(f"br i1 {self.writer(f'xor i1 {inside}, true')}, label %{exact}, label %{fast}, !prof !0")
        self.writer.place(fast)
        quick = self._on_pairs(before.parts, rows, columns)
        self.writer.jump(behind)
        self.writer.place(exact)
        slow, suits = self._exactly(before.parts, rows, columns)
        self.writer.jump(behind)
        self.writer.place(behind)
        kind = f"<{WIDTH} x float>"
        pairs = zip(quick, slow, strict=True)
        parts = [self.writer(f"phi {kind} [ {one}, %{fast} ], [ {other}, %{exact} ]") for one, other in pairs]
        suit = self.writer(f"phi i1 [ true, %{fast} ], [ {suits}, %{exact} ]")
        self.define(instr, self.join("float", parts, WIDTH))
        self.known_sums[instr] = _Sums(parts, suit)
        self.uses_tiles = True

    def flush_dots(self) -> None:
        """At the end of a block: what is known of sums holds no more."""
        self.known_sums.clear()
        super().flush_dots()

    def _sums(self, start: Value) -> _Sums:
        """What a dot begins with."""
        known = self.known_sums.get(start)
        if known is not None:
            return known
        text = self.defined(f"<{self.geometry.lanes} x float>", self.at(start, 2))
        parts = self._parts(text)
        return _Sums(parts, "" if is_zero(start) else self._suiting(parts))

    # --- factors ------------------------------------------------------------------------------------------------

    def _rows(self, words: Words) -> _Factor:
        """Words row by row, and pairs row by row, two of each row."""
        count = self.geometry.rows * WORDS
        text = self.defined(f"<{count} x i32>", self.packed_rows(words))
        first, second = (self.shuffle("i32", count, text, list(range(start, count, 2))) for start in (0, 1))
        even, odd = self._paired(count // 2, first, second)
        return _Factor([text], [even], [odd])

    def _columns(self, words: Words) -> _Factor:
        """Words of all columns, one after another."""
        count = self.geometry.columns
        texts = [self.defined(f"<{count} x i32>", text) for text in self.packed_columns(words)]
        pairs = [self._paired(count, *texts[place : place + 2]) for place in (0, 2)]
        return _Factor(texts, [even for even, _ in pairs], [odd for _, odd in pairs])

    def _paired(self, count: int, first: str, second: str) -> tuple[str, str]:
        """The lower halves of two words in one, the first on top, and the upper ones."""
        writer, kind = self.writer, f"<{count} x i32>"
        low = writer(f"and {kind} {second}, splat (i32 65535)")
        even = writer(f"or {kind} {writer(f'shl {kind} {first}, splat (i32 16)')}, {low}")
        high = writer(f"and {kind} {first}, splat (i32 -65536)")
        return even, writer(f"or {kind} {high}, {writer(f'lshr {kind} {second}, splat (i32 16)')}")

    # --- looking ------------------------------------------------------------------------------------------------

    def _factors_suit(self, rows: _Factor, columns: _Factor) -> str:
        """Whether all factors are zero or of a size that suits."""
        writer, least, most = self.writer, dict[int, str](), dict[int, str]()
        for count, factor in ((self.geometry.rows * WORDS // 2, rows), (self.geometry.columns, columns)):
            for text in (*factor.even, *factor.odd):
                self.note(text, count, least, most)
        tests = [item for count in least for item in self.suit(count, least[count], most[count])]
        inside = tests[0]
        for test in tests[1:]:
            inside = writer(f"and i1 {inside}, {test}")
        return inside

    def _suiting(self, parts: list[str]) -> str:
        """Whether all sums are zero or large enough."""
        writer, kind, least = self.writer, f"<{WIDTH} x i32>", ""
        for part in parts:
            size = writer(f"and {kind} {writer(f'bitcast <{WIDTH} x float> {part} to {kind}')}, splat (i32 2147483647)")
            moved = writer(f"add {kind} {size}, splat (i32 -1)")  # zeros become large
            both = (f"{kind} {least}", f"{kind} {moved}")
            least = writer.call(kind, f"llvm.umin.v{WIDTH}i32", *both) if least else moved
        bits = writer(f"icmp uge {kind} {least}, splat (i32 {LEAST_SUM - 1})")
        return writer(f"icmp eq i{WIDTH} {writer(f'bitcast <{WIDTH} x i1> {bits} to i{WIDTH}')}, -1")

    def _parts(self, text: str) -> list[str]:
        """The lanes of a group in vectors, row by row."""
        lanes = self.geometry.lanes
        return [
            self.shuffle("float", lanes, text, list(range(start, start + WIDTH))) for start in range(0, lanes, WIDTH)
        ]

    # --- both ways ----------------------------------------------------------------------------------------------

    def _on_pairs(self, sums: list[str], rows: _Factor, columns: _Factor) -> list[str]:
        """The sums behind a dot, vector by vector."""
        across, found = self.geometry.columns // WIDTH, list[str]()
        y = [[self._vectors(text) for text in texts] for texts in (columns.even, columns.odd)]
        places = self._kept(rows)
        for row in range(self.geometry.rows):
            x = [[self._repeated_pair(place, 2 * row + pair) for pair in range(2)] for place in places]
            for part in range(across):
                halves = [self._chain(x[odd], [item[part] for item in y[odd]]) for odd in range(2)]
                both = self.writer(f"fadd <{WIDTH} x float> {halves[0]}, {halves[1]}")
                found.append(self.writer(f"fadd <{WIDTH} x float> {sums[row * across + part]}, {both}"))
        return found

    def _kept(self, factor: _Factor) -> list[str]:
        """Where the pairs of rows lie in memory: a load that repeats its word costs nothing."""
        count, found = self.geometry.rows * WORDS // 2, list[str]()
        for text in (factor.even[0], factor.odd[0]):
            slot = self.writer.alloca(f"<{count} x i32>", 64)
            self.writer.do(f"store <{count} x i32> {text}, ptr {slot}, align {min(64, 4 * count)}")
            found.append(self.hidden(slot))
        return found

    def _repeated_pair(self, place: str, index: int) -> str:
        word = self.writer.load("i32", self.writer.byte(place, 4 * index))
        return self._as_halves(self.lanes_of(WIDTH, "i32", word))

    def _vectors(self, text: str) -> list[str]:
        columns = self.geometry.columns
        parts = [list(range(start, start + WIDTH)) for start in range(0, columns, WIDTH)]
        return [self._as_halves(self.shuffle("i32", columns, text, part)) for part in parts]

    def _as_halves(self, text: str) -> str:
        return self.writer(f"bitcast <{WIDTH} x i32> {text} to <{2 * WIDTH} x bfloat>")

    def _chain(self, x: list[str], y: list[str]) -> str:
        total = "zeroinitializer"
        for pair in zip(x, y, strict=True):
            halves = [f"<{2 * WIDTH} x bfloat> {item}" for item in pair]
            total = self.writer.call(f"<{WIDTH} x float>", _DOT, f"<{WIDTH} x float> {total}", *halves)
        return total

    def _exactly(self, sums: list[str], rows: _Factor, columns: _Factor) -> tuple[list[str], str]:
        """The same with all roundings, in memory, and whether it suits the next dot."""
        writer, pointers = self.writer, list[str]()
        given = ((sums, "float", WIDTH), (rows.texts, "i32", self.geometry.rows * WORDS))
        for texts, element, count in (*given, (columns.texts, "i32", self.geometry.columns)):
            place = writer.alloca(f"[{count * len(texts)} x {element}]", 64)
            pointers.append(f"ptr {place}")
            for index, text in enumerate(texts):
                at = writer.byte(place, index * count * 4)
                writer.do(f"store <{count} x {element}> {text}, ptr {at}, align {min(64, count * 4)}")
        suits = writer(f"call i1 @dot_rows({', '.join(pointers)})")
        root = pointers[0].split()[1]
        places = [writer.byte(root, 4 * WIDTH * index) for index in range(len(sums))]
        return [writer(f"load <{WIDTH} x float>, ptr {place}, align 64") for place in places], suits
