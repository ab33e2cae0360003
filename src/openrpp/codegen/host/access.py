"""Loads and stores: contiguous, repeated, scalar or gathered, as the shape of the address says.

Pointers are device addresses. In device memory the host address is `%mem` plus it (or `%high` plus it from `%split`
on, where the launch uses two memories); shared, param and private pointers are offsets in the memory of the worker.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from openrpp.codegen.host import strided
from openrpp.codegen.host.frame import Frame
from openrpp.codegen.host.ops.convert import WINDOWS
from openrpp.codegen.host.shape import VARYING, Shape
from openrpp.codegen.host.values import Values
from openrpp.codegen.host.writer import memory_type, scalar_type, vector, wide
from openrpp.codegen.origins import Origins, name_of
from openrpp.kir.analysis.cfg import Cfg
from openrpp.kir.interp.memory import WINDOW
from openrpp.kir.ir import Instr, Value
from openrpp.kir.types import Space, Type

_DEVICE = (Space.GLOBAL, Space.CONSTANT)
_LINE = 64
_AHEAD = 1024  # bytes; measured with 16 Mi floats: 0 takes 6.5 ms, 256 3.7, 1024 3.1, 4096 3.4


@dataclass(frozen=True, slots=True)
class Guess:
    """The affine form that a value very likely has; `holds` is the scalar i1 that tells ("" for always)."""

    base: str
    shape: Shape
    holds: str


class Access(Values):
    """Emission of addresses, loads and stores."""

    frame: Frame
    two_memories: bool
    upper: Mapping[str, bool]
    strides: bool
    guesses: dict[Value, Guess]
    _roots: Origins | None = None

    # --- where a pointer leads ----------------------------------------------------------------------------------

    def space(self, pointer: Value) -> Space:
        """The address space of a pointer; GENERIC where it may be any."""
        return self.analysis.spaces.of(pointer)

    def host(self, address: str, pointer: Value, space: Space, count: int, move: int = 0) -> str:
        """Host pointers of device addresses in a space, made of a pointer; `move` is what a generic one carries."""
        index = wide("i64", count)
        if space in _DEVICE:
            return self._device(address, pointer, count)
        if space is Space.GENERIC:
            return self._anywhere(address, pointer, count)
        if move:
            address = self.writer(f"sub {index} {address}, {self._constant(move, count)}")
        root = {Space.SHARED: "%shared", Space.PARAM: "%params", Space.PRIVATE: "%private"}[space]
        if space is Space.PRIVATE:
            address = self.writer(f"add {index} {address}, {self.private_offsets(count)}")
        return self.writer(f"getelementptr i8, ptr {root}, {index} {address}")

    def _constant(self, value: int, count: int) -> str:
        return f"splat (i64 {value})" if count else str(value)

    def _device(self, address: str, pointer: Value, count: int) -> str:
        index, kind = wide("i64", count), wide("ptr", count)
        place = self._memory_of(pointer) if self.two_memories else False
        if place is not None:
            return self.writer(f"getelementptr i8, ptr {'%high' if place else '%mem'}, {index} {address}")
        low = self.writer(f"getelementptr i8, ptr %mem, {index} {address}")
        high = self.writer(f"getelementptr i8, ptr %high, {index} {address}")
        split = self.lanes_of(count, "i64", "%split")
        above = self.writer(f"icmp uge {index} {address}, {split}")
        return self.writer(f"select {wide('i1', count)} {above}, {kind} {high}, {kind} {low}")

    def _memory_of(self, pointer: Value) -> bool | None:
        """Whether a pointer leads to the upper one of two memories; None where that is not known."""
        if self._roots is None:
            self._roots = Origins(Cfg(self.analysis.kernel))
        found = {self.upper.get(name_of(root)) for root in self._roots.of(pointer)}
        return found.pop() if len(found) == 1 else None

    def lanes_of(self, count: int, element: str, text: str) -> str:
        """A scalar repeated in a number of lanes."""
        if not count:
            return text
        first = self.writer(f"insertelement <{count} x {element}> poison, {element} {text}, i64 0")
        return self.shuffle(element, count, first, [0] * count)

    def private_offsets(self, count: int) -> str:
        """Where the private memory of each lane starts, among that of the group."""
        size = self.frame.private_size
        return vector("i64", [size * lane for lane in range(count)]) if count else "0"

    def _anywhere(self, address: str, pointer: Value, count: int) -> str:
        index, kind, bits = wide("i64", count), wide("ptr", count), wide("i1", count)
        found = self._device(address, pointer, count)
        for space in (Space.SHARED, Space.PRIVATE):
            lane_by_lane = count or self.geometry.lanes == 1
            if space is Space.PRIVATE and not (self.frame.private_size and lane_by_lane):
                continue
            window = WINDOWS[space]
            offset = self.writer(f"sub {index} {address}, {self._constant(window, count)}")
            inside = self.writer(f"icmp ult {index} {offset}, {self._constant(WINDOW, count)}")
            there = self.host(address, pointer, space, count, window)
            found = self.writer(f"select {bits} {inside}, {kind} {there}, {kind} {found}")
        return found

    def window(self, pointer: Value, space: Space) -> int:
        """What to subtract from a pointer to get the offset in its space."""
        return WINDOWS.get(space, 0) if pointer.type.space is Space.GENERIC else 0

    def address_shape(self, pointer: Value) -> Shape:
        """The shape of host addresses: private memory is apart for every lane."""
        space = self.space(pointer)
        apart = space is Space.PRIVATE or (space is Space.GENERIC and self.frame.private_size)
        return VARYING if apart and self.geometry.lanes > 1 else self.shape(pointer)

    def pointers(self, pointer: Value, level: int) -> str:
        """Host pointers at a level, strides included."""
        space = self.space(pointer)
        return self.host(self.at(pointer, level), pointer, space, self.count(level), self.window(pointer, space))

    def row_pointers(self, pointer: Value, level: int) -> list[str]:
        """Host pointers to the first column: one, or one per row."""
        text, shape = self.base(pointer)
        return self._starts(pointer, text, shape.level, level)

    def _starts(self, pointer: Value, base: str, given: int, level: int) -> list[str]:
        space = self.space(pointer)
        lifted = self.lift("i64", base, given, level)
        found = self.host(lifted, pointer, space, self.count(level), self.window(pointer, space))
        if not level:
            return [found]
        rows = self.geometry.rows
        return [self.writer(f"extractelement <{rows} x ptr> {found}, i64 {row}") for row in range(rows)]

    # --- masks by rows ------------------------------------------------------------------------------------------

    def row_mask(self, row: int) -> str:
        """The part of the mask for one row."""
        columns = self.geometry.columns
        if self.geometry.rows == 1:
            return self.full_mask()
        order = list(range(row * columns, (row + 1) * columns))
        return self.shuffle("i1", self.geometry.lanes, self.full_mask(), order)

    def rows_active(self) -> str:
        """Which rows have an active lane."""
        rows, columns = self.geometry.rows, self.geometry.columns
        cut = self.writer(f"bitcast <{self.geometry.lanes} x i1> {self.full_mask()} to <{rows} x i{columns}>")
        return self.writer(f"icmp ne <{rows} x i{columns}> {cut}, zeroinitializer")

    # --- loads --------------------------------------------------------------------------------------------------

    def load(self, instr: Instr) -> None:
        """A load: its result has the level of the address."""
        pointer, kind = instr.operands[0], instr.type
        shape, align = self.address_shape(pointer), self.align(instr, kind)
        wanted = self.analysis.shape(instr).level
        if shape.stride == kind.bytes:
            starts = self.row_pointers(pointer, shape.level)
            self._look_ahead(pointer, kind, starts)
            text, level = self._load_rows(starts, kind, shape, align), 2
        elif shape.stride and strided.suits(self, pointer, kind.bytes):
            text, level = strided.load(self, pointer, kind, align), 2
        elif shape.stride or shape.level == 2:
            text, level = self._gather(pointer, kind, align, 2, self.mask), 2
        elif shape.level == 1:
            text, level = self._load_each_row(pointer, kind, align), 1
        else:
            volatile = "volatile " if instr.attr("volatile") else ""
            at = self.pointers(pointer, 0)
            text, level = self.writer(f"load {volatile}{memory_type(kind)}, ptr {at}, align {align}"), 0
        text = self.from_memory(kind, text, self.count(level))
        self.define(instr, self.lift(scalar_type(kind), text, level, wanted))

    def align(self, instr: Instr, kind: Type) -> int:
        """The alignment that an access promises."""
        return int(instr.attr("align")) or kind.bytes

    def from_memory(self, kind: Type, text: str, count: int) -> str:
        """An i1 is the lowest bit of a byte."""
        return self.writer(f"trunc {wide('i8', count)} {text} to {wide('i1', count)}") if kind.bits == 1 else text

    def to_memory(self, kind: Type, text: str, count: int) -> str:
        """The inverse of `from_memory`."""
        return self.writer(f"zext {wide('i1', count)} {text} to {wide('i8', count)}") if kind.bits == 1 else text

    def _load_rows(self, starts: list[str], kind: Type, shape: Shape, align: int) -> str:
        element, columns, rows = memory_type(kind), self.geometry.columns, self.geometry.rows
        if shape.level == 0 and rows > 1:
            mask = self._columns_active() if self.mask else None
            part = self._load_row(element, columns, starts[0], align, mask)
            return self.shuffle(element, columns, part, [lane % columns for lane in range(self.geometry.lanes)])
        parts = [
            self._load_row(element, columns, start, align, self.row_mask(row) if self.mask else None)
            for row, start in enumerate(starts)
        ]
        return self.join(element, parts, columns)

    def _columns_active(self) -> str:
        """Which columns have an active lane in any row."""
        found = self.row_mask(0)
        for row in range(1, self.geometry.rows):
            found = self.writer(f"or <{self.geometry.columns} x i1> {found}, {self.row_mask(row)}")
        return found

    def _load_row(self, element: str, columns: int, at: str, align: int, mask: str | None) -> str:
        kind = f"<{columns} x {element}>"
        if mask is None:
            return self.writer(f"load {kind}, ptr {at}, align {align}")
        name = f"llvm.masked.load.v{columns}{_suffix(element)}.p0"
        self.writer.declared[name] = f"declare {kind} @{name}(ptr, <{columns} x i1>, {kind})"
        return self.writer(f"call {kind} @{name}(ptr align {align} {at}, <{columns} x i1> {mask}, {kind} poison)")

    def _load_each_row(self, pointer: Value, kind: Type, align: int) -> str:
        rows, element = self.geometry.rows, memory_type(kind)
        if self.mask is not None:
            return self._gather(pointer, kind, align, 1, self.rows_active())
        found = self.pointers(pointer, 1)
        text = "poison"
        for row in range(rows):
            at = self.writer(f"extractelement <{rows} x ptr> {found}, i64 {row}")
            item = self.writer(f"load {element}, ptr {at}, align {align}")
            text = self.writer(f"insertelement <{rows} x {element}> {text}, {element} {item}, i64 {row}")
        return text

    def _gather(self, pointer: Value, kind: Type, align: int, level: int, mask: str | None) -> str:
        element, count = memory_type(kind), self.count(level)
        guess = self.guess(pointer, kind.bytes) if level == 2 else None
        if guess is not None and self.address_shape(pointer) == self.shape(pointer):
            return self._guessed(guess, pointer, kind, align)
        return self.gather_at(self.pointers(pointer, level), element, align, count, mask)

    def gather_at(self, at: str, element: str, align: int, count: int, mask: str | None) -> str:
        """A load from the pointers of a vector."""
        kind, bits = f"<{count} x {element}>", f"<{count} x i1>"
        name = f"llvm.masked.gather.v{count}{_suffix(element)}.v{count}p0"
        self.writer.declared[name] = f"declare {kind} @{name}(<{count} x ptr>, {bits}, {kind})"
        given = mask or "splat (i1 true)"
        return self.writer(f"call {kind} @{name}(<{count} x ptr> align {align} {at}, {bits} {given}, {kind} poison)")

    def _guessed(self, guess: Guess, pointer: Value, kind: Type, align: int) -> str:
        """A gather whose addresses are contiguous unless an index wrapped: look first."""
        writer, element, count = self.writer, memory_type(kind), self.geometry.lanes
        vector_type, slot = f"<{count} x {element}>", writer.alloca(f"<{count} x {element}>")
        straight, apart, behind = (writer.label(hint) for hint in ("straight", "apart", "end"))
        writer.do(f"br i1 {guess.holds}, label %{straight}, label %{apart}")
        writer.place(straight)
        starts = self._starts(pointer, guess.base, guess.shape.level, guess.shape.level)
        self._look_ahead(pointer, kind, starts)
        writer.do(f"store {vector_type} {self._load_rows(starts, kind, guess.shape, align)}, ptr {slot}")
        writer.jump(behind)
        writer.place(apart)
        found = self.gather_at(self.pointers(pointer, 2), element, align, count, self.mask)
        writer.do(f"store {vector_type} {found}, ptr {slot}")
        writer.jump(behind)
        writer.place(behind)
        return writer.load(vector_type, slot)

    def _look_ahead(self, pointer: Value, kind: Type, starts: list[str]) -> None:
        """In a loop over the grid, call what the next blocks will read at the same turn into the second cache: the
        hardware does not see a stream there, as each turn is far from the last one.
        """
        if not self.strides or self.mask is not None or self.space(pointer) not in _DEVICE:
            return
        for start in starts:
            for line in range(0, self.geometry.columns * kind.bytes, _LINE):
                at = self.writer.byte(start, _AHEAD + line)
                self.writer.call("void", "llvm.prefetch.p0", f"ptr {at}", "i32 0", "i32 2", "i32 1")

    def guess(self, pointer: Value, size: int) -> Guess | None:
        """What is likely about a pointer, if that is that lanes follow each other by `size` bytes."""
        found = self.guesses.get(pointer)
        return found if found is not None and found.shape.stride == size and pointer not in self.slots else None

    # --- stores -------------------------------------------------------------------------------------------------

    def store(self, instr: Instr) -> None:
        """A store; where lanes write one place, the last one stays."""
        value, pointer = instr.operands
        kind = value.type
        shape, align = self.address_shape(pointer), self.align(instr, kind)
        volatile = "volatile " if instr.attr("volatile") else ""
        if shape.stride == kind.bytes:
            self._store_rows(value, self.row_pointers(pointer, shape.level), align)
        elif shape.is_uniform and self.shape(value).is_uniform:
            text = self.to_memory(kind, self.at(value, 0), 0)
            self.writer.do(
                f"store {volatile}{memory_type(kind)} {text}, ptr {self.pointers(pointer, 0)}, align {align}"
            )
        elif shape.stride and strided.suits(self, pointer, kind.bytes):
            text = self.to_memory(kind, self.at(value, 2), self.geometry.lanes)
            strided.store(self, text, pointer, kind, align)
        else:
            self._scatter(value, pointer, align)

    def _store_rows(self, value: Value, starts: list[str], align: int) -> None:
        kind, element, columns = value.type, memory_type(value.type), self.geometry.columns
        text = self.to_memory(kind, self.at(value, 2), self.geometry.lanes)
        for row in range(self.geometry.rows):
            part = text
            if self.geometry.rows > 1:
                order = list(range(row * columns, (row + 1) * columns))
                part = self.shuffle(element, self.geometry.lanes, text, order)
            self._store_row(element, columns, part, starts[row % len(starts)], align, row)

    def _store_row(self, element: str, columns: int, text: str, at: str, align: int, row: int) -> None:
        kind = f"<{columns} x {element}>"
        if self.mask is None:
            self.writer.do(f"store {kind} {text}, ptr {at}, align {align}")
            return
        name = f"llvm.masked.store.v{columns}{_suffix(element)}.p0"
        self.writer.declared[name] = f"declare void @{name}({kind}, ptr, <{columns} x i1>)"
        mask = self.row_mask(row)
        self.writer.do(f"call void @{name}({kind} {text}, ptr align {align} {at}, <{columns} x i1> {mask})")

    def _scatter(self, value: Value, pointer: Value, align: int) -> None:
        kind, writer = value.type, self.writer
        behind, guess = "", self.guess(pointer, value.type.bytes)
        if guess is not None and self.address_shape(pointer) == self.shape(pointer):
            straight, apart, behind = (writer.label(hint) for hint in ("straight", "apart", "end"))
            writer.do(f"br i1 {guess.holds}, label %{straight}, label %{apart}")
            writer.place(straight)
            self.push()
            self._store_rows(value, self._starts(pointer, guess.base, guess.shape.level, guess.shape.level), align)
            self.pop()
            writer.jump(behind)
            writer.place(apart)
            self.push()
        text = self.to_memory(kind, self.at(value, 2), self.geometry.lanes)
        self.scatter_at(text, self.pointers(pointer, 2), memory_type(kind), align)
        if behind:
            self.pop()
            writer.jump(behind)
            writer.place(behind)

    def scatter_at(self, text: str, at: str, element: str, align: int) -> None:
        """A store to the pointers of a vector."""
        count = self.geometry.lanes
        name = f"llvm.masked.scatter.v{count}{_suffix(element)}.v{count}p0"
        self.writer.declared[name] = f"declare void @{name}(<{count} x {element}>, <{count} x ptr>, <{count} x i1>)"
        self.writer.do(
            f"call void @{name}(<{count} x {element}> {text}, <{count} x ptr> align {align} {at}, "
            f"<{count} x i1> {self.full_mask()})"
        )

    def table_lookup(self, instr: Instr) -> None:
        """`lut`: entry b of a table of 16-bit entries."""
        table, index = instr.operands
        level = self.analysis.shape(instr).level if self.space(table) is not Space.PRIVATE else 2
        lanes = self.lanes(level)
        offset = lanes.cast("zext", scalar_type(index.type), self.at(index, level), "i64")
        address = lanes.binary(
            "add", "i64", self.at(table, level), lanes.binary("shl", "i64", offset, lanes.constant("i64", 1))
        )
        space, count = self.space(table), self.count(level)
        at = self.host(address, table, space, count, self.window(table, space))
        if not level:
            self.define(instr, self.writer(f"load i16, ptr {at}, align 2"))
            return
        mask = self.mask if level == 2 else (self.rows_active() if self.mask else None)
        self.define(instr, self.gather_at(at, "i16", 2, count, mask))


def _suffix(element: str) -> str:
    return {"float": "f32", "double": "f64"}.get(element, element)
