"""Emission of instructions: dispatch by effect, and values that are affine in x kept as base and stride."""

from __future__ import annotations

from collections.abc import Mapping

from openrpp.codegen.errors import Unsupported
from openrpp.codegen.host import frame as frames
from openrpp.codegen.host.access import Guess
from openrpp.codegen.host.analysis import Analysis
from openrpp.codegen.host.frame import Frame
from openrpp.codegen.host.ops import ELEMENTWISE
from openrpp.codegen.host.ops.convert import WINDOWS
from openrpp.codegen.host.pairs import Pairs
from openrpp.codegen.host.pieces import Piece
from openrpp.codegen.host.shape import Shape
from openrpp.codegen.host.sides import Sites
from openrpp.codegen.host.tiers import Tier
from openrpp.codegen.host.tiles import Machine
from openrpp.codegen.host.watch import Watch
from openrpp.codegen.host.writer import Writer, scalar_type, vector
from openrpp.kir.ir import Constant, Instr, Value
from openrpp.kir.ops.form import Effect
from openrpp.kir.ops.memory import TRANSFERS
from openrpp.kir.types import Space


class Computing(Watch, Pairs):
    """Emission of instructions of a piece."""

    def __init__(
        self, analysis: Analysis, piece: Piece, writer: Writer, tier: Tier, frame: Frame, symbols: dict[str, str]
    ) -> None:
        super().__init__(analysis, piece, writer, tier)
        self.frame = frame
        self.symbols = symbols
        self.two_memories = False
        self.upper: Mapping[str, bool] = {}
        self.strides = False
        self.is_watched = False
        self.sites = Sites()
        self.whole = piece.number in analysis.whole
        self.results: dict[Value, str] = {}
        self.ticks = "%ticks"
        self.guesses = {}
        self.machine: Machine | None = None
        self.pending, self.uses_tiles = list[Instr](), False
        self.known_sums = {}

    @property
    def mask_type(self) -> str:
        """The type of masks."""
        return f"<{self.geometry.lanes} x i1>"

    def instruction(self, instr: Instr) -> None:
        """Emit an instruction for the lanes of the mask."""
        effect = instr.effect
        self.before(instr)
        if effect in (Effect.LOAD, Effect.STORE, Effect.ATOMIC):
            self.watch_access(instr)
        if instr.op.name == "dot8_bf16":
            self.dot(instr)
        elif effect is Effect.PURE:
            self._pure(instr)
        elif effect is Effect.GEOMETRY:
            self._geometry(instr)
        elif effect is Effect.ADDRESS:
            self.define(instr, self.symbols[str(instr.attr("symbol"))])
        elif effect is Effect.LOAD:
            self.table_lookup(instr) if instr.op.name == "lut" else self.load(instr)
        elif effect is Effect.STORE:
            self.store(instr)
        elif effect is Effect.ATOMIC:
            self.atomic(instr)
        elif effect is Effect.WARP:
            self.warp(instr)
        elif effect is Effect.FENCE:
            self.writer.do("fence seq_cst")
        else:
            self.side(instr)

    def compute_again(self, value: Value) -> str:
        """The base of a value from its instruction and, where needed, those of its operands."""
        known = self.find(value, -1)
        if known is not None:
            return known
        assert isinstance(value, Instr)
        for operand in value.operands:
            if isinstance(operand, Instr):
                self.compute_again(operand)
        self.instruction(value)
        text = self.find(value, -1)
        assert text is not None
        return text

    # --- pure ops -----------------------------------------------------------------------------------------------

    def _pure(self, instr: Instr) -> None:
        shape = self.analysis.shape(instr)
        if instr.op.name == "is_space":
            self.define(instr, self._is_space(instr, shape.level))
        elif shape.stride or (shape.level < 2 and any(self.shape(value).stride for value in instr.operands)):
            self.define(instr, self._affine(instr, shape.level))
        elif instr.op.name == "ptr_add":
            self.define(instr, self._pointer(instr, shape.level))
        else:
            emit = ELEMENTWISE.get(instr.op.name)
            if emit is None:
                sentence = f"'{instr.op.name}' is not supported by the native engine"
                raise Unsupported(sentence, self.analysis.kernel.name, instr.location)
            operands = [self.at(value, shape.level) for value in instr.operands]
            self.define(instr, emit(self.lanes(shape.level), instr, operands))
        if shape.guess:
            self._guess(instr)

    def _guess(self, instr: Instr) -> None:
        """Keep the base that a value has, and whether it has it, if no index has wrapped within the group."""
        found = self._extended_guess(instr) if instr.op.name in ("sext", "zext") else None
        found = found or self._derived_guess(instr)
        if found is not None:
            self.guesses[instr] = found

    def _extended_guess(self, instr: Instr) -> Guess | None:
        source = instr.operands[0]
        text, shape = self.base(source)
        if not shape.stride:
            return None
        lanes, kind, target = self.lanes(shape.level), scalar_type(source.type), scalar_type(instr.type)
        across = shape.stride * (self.geometry.columns - 1)
        wide = lanes.cast(instr.op.name, kind, text, target)
        last = lanes.binary("add", kind, text, lanes.constant(kind, across))
        wanted = lanes.binary("add", target, wide, lanes.constant(target, across))
        fits = lanes.compare("icmp eq", target, lanes.cast(instr.op.name, kind, last, target), wanted)
        return Guess(wide, Shape(shape.level, shape.stride), self._in_all_rows(fits, shape.level))

    def _in_all_rows(self, fits: str, level: int) -> str:
        if not level:
            return fits
        rows = self.geometry.rows
        return self.writer(f"icmp eq i{rows} {self.writer(f'bitcast <{rows} x i1> {fits} to i{rows}')}, -1")

    def _derived_guess(self, instr: Instr) -> Guess | None:
        """From guesses of operands, where the others are affine."""
        if instr.op.name not in ("add", "sub", "ptr_add", "mul", "shl", "trunc", "space_cast", "ptrtoint", "inttoptr"):
            return None
        parts = [self._part(value) for value in instr.operands]
        if None in parts or (instr.op.name == "ptr_add" and instr.operands[1].type.bits < 64):
            return None
        known = [part for part in parts if part is not None]
        level = max(part.shape.level for part in known)
        lanes = self.lanes(level)
        bases = [
            self.lift(scalar_type(value.type), part.base, part.shape.level, level)
            for value, part in zip(instr.operands, known, strict=True)
        ]
        name = "add" if instr.op.name == "ptr_add" else instr.op.name
        is_sum = name == "add" and instr.type.is_pointer
        base = lanes.binary("add", "i64", *bases) if is_sum else ELEMENTWISE[name](lanes, instr, bases)
        holds = [part.holds for part in known if part.holds]
        both = holds[0] if len(holds) == 1 else self.lanes(0).binary("and", "i1", *holds[:2])
        return Guess(base, Shape(level, self.analysis.shape(instr).guess), both)

    def _part(self, value: Value) -> Guess | None:
        if value in self.guesses and value not in self.slots:
            return self.guesses[value]
        text, shape = self.base(value)
        return Guess(text, shape, "") if shape.level < 2 else None

    def _pointer(self, instr: Instr, level: int) -> str:
        base, offset = instr.operands
        lanes = self.lanes(level)
        wide = lanes.cast("sext", scalar_type(offset.type), self.at(offset, level), "i64")
        return lanes.binary("add", "i64", self.at(base, level), wide)

    def _affine(self, instr: Instr, level: int) -> str:
        """The base of a result with a stride, from the bases of the operands."""
        name = instr.op.name
        if name in ("sext", "zext"):
            return self._widened(instr.operands[0], name == "sext", scalar_type(instr.type), level)
        operands = [self._base_at(value, level) for value in instr.operands]
        if name == "select":
            operands[0] = self.at(instr.operands[0], 0)
            kind = self.type_at(instr.type, level)
            return self.writer(f"select i1 {operands[0]}, {kind} {operands[1]}, {kind} {operands[2]}")
        if name == "ptr_add":
            offset = instr.operands[1]
            if offset.type.bits < 64:
                operands[1] = self._widened(offset, True, "i64", level)
            return self.lanes(level).binary("add", "i64", *operands)
        return ELEMENTWISE[name](self.lanes(level), instr, operands)

    def _base_at(self, value: Value, level: int) -> str:
        text, shape = self.base(value)
        return self.lift(scalar_type(value.type), text, shape.level, level)

    def _widened(self, value: Value, is_signed: bool, target: str, level: int) -> str:
        """The base of a value extended, as the sum that its instructions say: `Shapes.exact` has shown that it is."""
        shape, lanes = self.shape(value), self.lanes(level)
        simple = not shape.stride or not isinstance(value, Instr) or value.effect is Effect.GEOMETRY
        if simple or not isinstance(value, Instr):
            return lanes.cast(
                "sext" if is_signed else "zext", scalar_type(value.type), self._base_at(value, level), target
            )
        if value.op.name in ("zext", "sext"):
            return self._widened(value.operands[0], value.op.name == "sext", target, level)
        known = self.analysis.ranges.most(value) is not None
        kept = bool(value.attr("nsw" if is_signed else "nuw"))
        signed = is_signed and (kept or not known)
        a, b = (self._widened(item, signed, target, level) for item in value.operands)
        return lanes.binary(value.op.name, target, a, b)

    def _is_space(self, instr: Instr, level: int) -> str:
        pointer, lanes = instr.operands[0], self.lanes(level)
        wanted, space = Space(instr.attr("space")), self.space(pointer)
        if space is not Space.GENERIC:
            return lanes.constant("i1", space is wanted)
        text = self.at(pointer, level)
        window = WINDOWS.get(wanted)
        if window is None:
            below = lanes.compare("icmp ult", "i64", text, lanes.constant("i64", min(WINDOWS.values())))
            return below if wanted is Space.GLOBAL else lanes.constant("i1", 0)
        offset = lanes.binary("sub", "i64", text, lanes.constant("i64", window))
        return lanes.compare("icmp ult", "i64", offset, lanes.constant("i64", 1 << 32))

    # --- geometry -----------------------------------------------------------------------------------------------

    def _geometry(self, instr: Instr) -> None:
        name = instr.op.name
        if name == "laneid":
            self.define(instr, self._lane_id(instr))
        elif name == "tid":
            self.define(instr, self._thread_index(instr))
        elif name == "ntid":
            self.define(instr, str(self.geometry.block["xyz".index(str(instr.attr("axis")))]))
        else:
            self.define(instr, f"%{'c' if name == 'ctaid' else 'n'}{instr.attr('axis')}")

    def _lane_id(self, instr: Instr) -> str:
        geometry = self.geometry
        if self.analysis.shape(instr).stride or geometry.lanes == 1:
            return self.writer(f"urem i32 {self.writer(f'mul i32 %g, {geometry.lanes}')}, 32")
        numbers = vector("i32", [lane % 32 for lane in range(geometry.lanes)])
        if geometry.lanes % 32 == 0 or geometry.groups == 1:
            return self.writer(f"add <{geometry.lanes} x i32> zeroinitializer, {numbers}")
        start = self.writer(f"urem i32 {self.writer(f'mul i32 %g, {geometry.lanes}')}, 32")
        return self.writer(f"add <{geometry.lanes} x i32> {numbers}, {self.lift('i32', start, 0, 2)}")

    def _thread_index(self, instr: Instr) -> str:
        geometry, axis = self.geometry, "xyz".index(str(instr.attr("axis")))
        bx, by, _ = geometry.block
        if not geometry.regular:
            numbers = vector("i32", list(range(geometry.lanes)))
            first = self.writer(f"mul i32 %g, {geometry.lanes}")
            linear = self.lanes(2).binary("add", "i32", self.lift("i32", first, 0, 2), numbers)
            return self._coordinate(linear, axis, bx, by, 2)
        if geometry.rows > 1:
            if not axis:
                return "0"
            first = self.writer(f"mul i32 %g, {geometry.rows}")
            numbers = vector("i32", list(range(geometry.rows)))
            row = self.lanes(1).binary("add", "i32", self.lift("i32", first, 0, 1), numbers)
            return self._coordinate(row, axis - 1, by, 1 << 31, 1)
        first = self.writer(f"mul i32 %g, {geometry.lanes}")
        return self._coordinate(first, axis, bx, by, 0)

    def _coordinate(self, linear: str, axis: int, first: int, second: int, level: int) -> str:
        """One of the coordinates of a linear index in extents `first`, `second`, and the rest."""
        lanes = self.lanes(level)
        if axis == 0:
            return lanes.binary("urem", "i32", linear, lanes.constant("i32", first))
        rest = lanes.binary("udiv", "i32", linear, lanes.constant("i32", first))
        if axis == 2:
            return lanes.binary("udiv", "i32", rest, lanes.constant("i32", second))
        return lanes.binary("urem", "i32", rest, lanes.constant("i32", second)) if second < 1 << 31 else rest

    # --- barriers -----------------------------------------------------------------------------------------------

    def contribute(self, instr: Instr) -> None:
        """Add what the lanes that came to a barrier give to it."""
        name = instr.op.name
        if name in ("barrier_count", "barrier_and", "barrier_or"):
            counted = self.both(self.mask, self.at(instr.operands[0], 2))
            self._add(frames.COUNT, counted)
            self._add(frames.PRESENT, self.full_mask())
        elif name in TRANSFERS:
            self._stage(instr)

    def _add(self, offset: int, mask: str) -> None:
        writer, lanes = self.writer, self.geometry.lanes
        bits = self.mask_bits(mask)
        count = writer.call(f"i{lanes}", f"llvm.ctpop.i{lanes}", f"i{lanes} {bits}")
        count = self.lanes(0).cast("trunc" if lanes > 32 else "zext", f"i{lanes}", count, "i32")
        place = writer(f"getelementptr i8, ptr %frame, i32 {offset}")
        total = writer(f"add i32 {writer.load('i32', place)}, {count}")
        writer.do(f"store i32 {total}, ptr {place}")

    def _stage(self, instr: Instr) -> None:
        writer, pointers = self.writer, list[str]()
        for value in instr.operands[:2]:
            space, scalar = self.space(value), self._scalar(value)
            pointers.append(self.host(scalar, value, space, 0, self.window(value, space)))
        size = self.lanes(0).cast("sext", scalar_type(instr.operands[2].type), self._scalar(instr.operands[2]), "i64")
        for offset, kind, text in (
            (frames.TARGET, "ptr", pointers[0]),
            (frames.SOURCE, "ptr", pointers[1]),
            (frames.BYTES, "i64", size),
        ):
            place = writer(f"getelementptr i8, ptr %frame, i32 {offset}")
            writer.do(f"store {kind} {text}, ptr {place}")

    def _scalar(self, value: Value) -> str:
        """A value that is the same in all active lanes, though the analysis may not know it."""
        if isinstance(value, Constant) or self.shape(value).is_uniform:
            return self.at(value, 0)
        return self.first_active(scalar_type(value.type), self.at(value, 2))
