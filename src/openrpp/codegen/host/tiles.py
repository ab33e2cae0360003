"""Dots on tiles: rows x columns of them at once by AMX's TDPBF16PS, or by functions that do the same without AMX.

A tile instruction with four words per row computes c + (E + O) as `dot8_bf16` defines it, with two differences: it
takes denormal numbers for zeros and gives zeros for them, and it fuses each product with its sum. Neither shows where
every factor is 0 or of a magnitude from 2^-55 to below 2^63, and every c is 0 or at least 2^-103: then products are
multiples of 2^-124 below 2^126, and all sums are 0 or at least 2^-126. The code looks at all values and calls
a function with the defined roundings where one is outside.

Dots of a block are held back until a result is needed; then those that continue each other's sums form chains whose
sum stays in a tile. Tiles 0 to 3 hold sums, 4 and 5 the factors of rows, 6 and 7 those of columns.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Protocol

from openrpp.codegen.host.dots import WORDS, Dots, Words
from openrpp.codegen.host.geometry import Geometry, Triple, partition
from openrpp.codegen.host.tiers import Tier
from openrpp.codegen.host.writer import Writer
from openrpp.kir.analysis.cfg import Cfg
from openrpp.kir.analysis.loops import Loops
from openrpp.kir.ir import Constant, Instr, Kernel, Value

SUMS, ROWS, COLUMNS = (0, 1, 2, 3), (4, 5), (6, 7)
EDGE = 16
"""Rows of a tile, and columns of float32 sums."""
_LEAST_FACTOR, _END_FACTOR = 0x2400, 0x5F00  # 2^-55 and 2^63 as bf16
LEAST_SUM = 0x0C00_0000  # 2^-103 as float32
_GROUP = 256
_LEAST_ROWS, _LEAST_COLUMNS = 4, 8

Places = dict[tuple[bool, Words], str]
"""(is it of rows, words) -> where a factor lies."""


class Machine(Protocol):
    """The tile instructions."""

    def zero(self, writer: Writer, tile: int) -> None:
        """Set a tile to zero."""
        ...

    def load(self, writer: Writer, tile: int, start: str, stride: int) -> None:
        """Load the rows of a tile."""
        ...

    def store(self, writer: Writer, tile: int, start: str, stride: int) -> None:
        """Store the rows of a tile."""
        ...

    def dot(self, writer: Writer, total: int, rows: int, columns: int) -> None:
        """Add the dots of rows and columns to a tile of sums."""
        ...


@dataclass(frozen=True, slots=True)
class Step:
    """A dot: the sums that it adds to, by number, and its factors."""

    chain: int
    rows: Words
    columns: Words


def uses_dots(kernel: Kernel) -> bool:
    """Whether a kernel has dots."""
    return any(instr.op.name == "dot8_bf16" for instr in kernel.instructions())


def suits_tiles(geometry: Geometry) -> bool:
    """Whether groups have enough rows and columns."""
    return geometry.regular and geometry.rows >= _LEAST_ROWS and geometry.columns >= _LEAST_COLUMNS


def group_lanes(kernel: Kernel, block: Triple, tier: Tier) -> int:
    """The largest group of a kernel: more than usual where that fills tiles, or where rows share what columns load."""
    if not uses_dots(kernel):
        return tier.lanes
    if tier.tiles in ("amx", "emulated"):
        return _GROUP if suits_tiles(partition(block, _GROUP)) else tier.lanes
    # Half of the registers hold sums; the factors of a column are then made once for as many rows as can be.
    lanes = tier.registers // 2 * tier.floats // max(_sums(kernel), 1)
    lanes = 1 << max(lanes, 1).bit_length() - 1
    return lanes if partition(block, lanes).rows > partition(block, tier.lanes).rows else tier.lanes


def _sums(kernel: Kernel) -> int:
    """Sums that a loop with dots carries, the most of all loops."""
    loops = Loops(Cfg(kernel))
    return max(
        (
            sum(param.type.is_float for param in loop.header.params)
            for loop in loops.loops
            if any(instr.op.name == "dot8_bf16" for block in loop.body for instr in block.body)
        ),
        default=1,
    )


class Tiles(Dots):
    """Emission of dots, some of them on tiles."""

    pending: list[Instr]
    machine: Machine | None
    uses_tiles: bool
    _uses: Counter[Value]

    def dot(self, instr: Instr) -> None:
        """Emit a dot, or hold it back for a tile."""
        if self.machine is not None and suits_tiles(self.geometry) and self.roles(instr) is not None:
            self.pending.append(instr)
        else:
            super().dot(instr)

    def before(self, instr: Instr) -> None:
        """Emit the dots that were held back if an instruction needs a result."""
        if self.pending and not set(self.pending).isdisjoint(instr.operands) and not self._continues(instr):
            self.flush_dots()

    def _continues(self, instr: Instr) -> bool:
        """Whether a dot adds to the sum of one that was held back, which nothing else needs."""
        if instr.op.name != "dot8_bf16" or self.roles(instr) is None:
            return False
        total = instr.operands[2 * WORDS]
        if not hasattr(self, "_uses"):
            self._uses = _uses(self.analysis.kernel)
        return self._uses[total] == 1 and set(self.pending).isdisjoint(instr.operands[: 2 * WORDS])

    # --- a bundle of dots -----------------------------------------------------------------------------------------

    def flush_dots(self) -> None:
        """Emit the dots that were held back."""
        dots, self.pending = self.pending, []
        if not dots:
            return
        chains, steps = self.chains(dots)
        starts = [chain[0].operands[2 * WORDS] for chain in chains]
        sums = [self.writer.alloca(f"<{self.geometry.lanes} x float>", 64) for _ in chains]
        factors: Places = {}
        tests = [self._begin_chain(start, place) for start, place in zip(starts, sums, strict=True)]
        tests += self._factors(steps, factors)
        inside = self.writer("and i1 true, true")
        for test in tests:
            inside = self.writer(f"and i1 {inside}, {test}") if test else inside
        fast, exact, behind = (self.writer.label(hint) for hint in ("tiles", "exact", "end"))
        self.writer.do(f"br i1 {inside}, label %{fast}, label %{exact}")
        self.writer.place(fast)
        for first in range(0, len(chains), len(SUMS)):
            chosen = range(first, min(first + len(SUMS), len(chains)))
            self._on_tiles([step for step in steps if step.chain in chosen], first, starts, sums, factors)
        self.writer.jump(behind)
        self.writer.place(exact)
        for step in steps:
            pointers = (sums[step.chain], factors[True, step.rows], factors[False, step.columns])
            self.writer.do(f"call void @dot_rows({', '.join(f'ptr {pointer}' for pointer in pointers)})")
        self.writer.jump(behind)
        self.writer.place(behind)
        for chain, place in zip(chains, sums, strict=True):
            kind = f"<{self.geometry.lanes} x float>"
            self.define(chain[-1], self.writer(f"load {kind}, ptr {place}, align 64"))
        self.uses_tiles = True

    def chains(self, dots: list[Instr]) -> tuple[list[list[Instr]], list[Step]]:
        """Dots that go on with each other's sums, and all dots in order."""
        chains: list[list[Instr]] = []
        steps: list[Step] = []
        last: dict[Value, int] = {}
        for dot in dots:
            total, roles = dot.operands[2 * WORDS], self.roles(dot)
            assert roles is not None
            number = last.pop(total, len(chains))
            if number == len(chains):
                chains.append([])
            chains[number].append(dot)
            last[dot] = number
            steps.append(Step(number, *roles))
        return chains, steps

    def _begin_chain(self, start: Value, place: str) -> str:
        """Store the sums that a chain starts from; gives whether they suit tiles ("" for zeros)."""
        lanes = self.lanes(2)
        text = self.defined(lanes.type("float"), self.at(start, 2))
        self.writer.do(f"store {lanes.type('float')} {text}, ptr {place}, align 64")
        if is_zero(start):
            return ""
        bits = lanes.cast("bitcast", "float", text, "i32")
        size = lanes.binary("and", "i32", bits, lanes.constant("i32", 0x7FFF_FFFF))
        moved = lanes.binary("add", "i32", size, lanes.constant("i32", -1))  # zeros become large
        return self.all(lanes.compare("icmp uge", "i32", moved, lanes.constant("i32", LEAST_SUM - 1)))

    def defined(self, kind: str, text: str) -> str:
        """A value that may be looked at in lanes that are not active."""
        return self.writer(f"freeze {kind} {text}") if self.mask is not None else text

    def _factors(self, steps: list[Step], places: Places) -> list[str]:
        """Store factors as tiles take them; gives whether they suit."""
        writer, least, most = self.writer, dict[int, str](), dict[int, str]()
        for step in steps:
            for key in ((True, step.rows), (False, step.columns)):
                if key in places:
                    continue
                is_rows, words = key
                texts = [self.packed_rows(words)] if is_rows else self.packed_columns(words)
                count = self.geometry.rows * WORDS if is_rows else self.geometry.columns
                places[key] = writer.alloca(f"[{count * len(texts)} x i32]", 64)
                for index, text in enumerate(texts):
                    given = self.defined(f"<{count} x i32>", text)
                    at = writer.byte(places[key], index * count * 4)
                    writer.do(f"store <{count} x i32> {given}, ptr {at}, align {min(64, count * 4)}")
                    self.note(given, count, least, most)
        return [item for count in least for item in self.suit(count, least[count], most[count])]

    def note(self, text: str, count: int, least: dict[int, str], most: dict[int, str]) -> None:
        """Take words of factors into what is the least and the most of all, by their number."""
        writer, kind = self.writer, f"<{2 * count} x i16>"
        halves = writer(f"bitcast <{count} x i32> {text} to {kind}")
        size = writer(f"and {kind} {halves}, splat (i16 32767)")
        moved = writer(f"add {kind} {size}, splat (i16 -1)")  # zeros become large
        for kept, name, item in ((least, "umin", moved), (most, "umax", size)):
            if count in kept:
                item = writer.call(kind, f"llvm.{name}.v{2 * count}i16", f"{kind} {kept[count]}", f"{kind} {item}")
            kept[count] = item

    def suit(self, count: int, least: str, most: str) -> list[str]:
        """Whether the least and the most suit."""
        writer, kind, whole = self.writer, f"<{2 * count} x i16>", f"i{2 * count}"
        tests = (f"icmp uge {kind} {least}, splat (i16 {_LEAST_FACTOR - 1})",)
        tests += (f"icmp ult {kind} {most}, splat (i16 {_END_FACTOR})",)
        bits = [writer(f"bitcast <{2 * count} x i1> {writer(test)} to {whole}") for test in tests]
        return [writer(f"icmp eq {whole} {item}, -1") for item in bits]

    def _on_tiles(self, steps: list[Step], first: int, starts: list[Value], sums: list[str], factors: Places) -> None:
        """The steps of at most four chains, tile by tile of the group."""
        assert self.machine is not None
        writer, columns = self.writer, self.geometry.columns
        chains = sorted({step.chain for step in steps})
        for row in range(0, self.geometry.rows, EDGE):
            for column in range(0, columns, EDGE):
                held = {True: _Held(ROWS), False: _Held(COLUMNS)}
                places = {chain: writer.byte(sums[chain], 4 * (row * columns + column)) for chain in chains}
                for chain in chains:
                    if is_zero(starts[chain]):
                        self.machine.zero(writer, chain - first)
                    else:
                        self.machine.load(writer, chain - first, places[chain], 4 * columns)
                for step in steps:
                    tiles: list[int] = []
                    for key in ((True, step.rows), (False, step.columns)):
                        tile, is_new = held[key[0]].tile(key[1])
                        if is_new:
                            start, stride = (16 * row, 16) if key[0] else (4 * column, 4 * columns)
                            self.machine.load(writer, tile, writer.byte(factors[key], start), stride)
                        tiles.append(tile)
                    self.machine.dot(writer, step.chain - first, *tiles)
                for chain in chains:
                    self.machine.store(writer, chain - first, places[chain], 4 * columns)


class _Held:
    """Which factors lie in some tiles; the one used longest ago gives way."""

    def __init__(self, tiles: tuple[int, ...]) -> None:
        self._tiles = list(tiles)
        self._words: dict[int, Words] = {}

    def tile(self, words: Words) -> tuple[int, bool]:
        """The tile for some factors, and whether they must be loaded."""
        found = next((tile for tile in self._tiles if self._words.get(tile) == words), self._tiles[0])
        self._tiles.remove(found)
        self._tiles.append(found)
        is_new = self._words.get(found) != words
        self._words[found] = words
        return found, is_new


def is_zero(value: Value) -> bool:
    """Whether a value is the constant zero."""
    return isinstance(value, Constant) and value.bits == 0


def _uses(kernel: Kernel) -> Counter[Value]:
    """How often each value is an operand or an argument of an edge."""
    found: Counter[Value] = Counter()
    for block in kernel.blocks:
        for instr in block.body:
            found.update(instr.operands)
        found.update(block.terminator.operands())
    return found
