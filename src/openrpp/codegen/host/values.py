"""Values while a piece is emitted: their text at each level, the scopes in which it holds, slots where it does not."""

from __future__ import annotations

from openrpp.codegen.host.analysis import Analysis
from openrpp.codegen.host.ops.lanes import Lanes
from openrpp.codegen.host.pieces import Piece
from openrpp.codegen.host.shape import UNIFORM, Shape
from openrpp.codegen.host.tiers import Tier
from openrpp.codegen.host.writer import Writer, literal, scalar_type, splat, vector, wide
from openrpp.kir.ir import Block, Constant, Parameter, Value
from openrpp.kir.types import F32, F64, Type


def constant_text(value: Constant) -> str:
    """A scalar constant in LLVM's text form."""
    if value.type is F64:
        return f"0x{value.bits:016X}"
    if value.type is not F32:
        return literal(value.type, value.bits)
    sign, rest = value.bits >> 31 << 63, value.bits & 0x7FFF_FFFF
    if rest >= 0x7F80_0000:
        return f"0x{sign | 0x7FF0_0000_0000_0000 | (rest & 0x7F_FFFF) << 29:016X}"
    from openrpp.codegen.host.ops.lanes import float_bits
    from openrpp.kir.floats import DECODE

    return float_bits(DECODE[F32](value.bits))


class Values:
    """Texts of values for the place where emission is."""

    def __init__(self, analysis: Analysis, piece: Piece, writer: Writer, tier: Tier) -> None:
        self.analysis = analysis
        self.piece = piece
        self.structure = analysis.structures[piece.number]
        self.geometry = analysis.geometry
        self.writer = writer
        self.tier = tier
        self.block: Block = piece.cfg.order[0]
        self.mask: str | None = None
        self._scopes: list[dict[tuple[Value, int], str]] = [{}]
        self.slots: dict[Value, str] = {}
        self.blended: set[Value] = set()
        self._find_slots()

    # --- scopes -------------------------------------------------------------------------------------------------

    def push(self) -> None:
        """Enter a scope: what is computed in it is forgotten by `pop`."""
        self._scopes.append({})

    def pop(self) -> None:
        """Leave a scope."""
        self._scopes.pop()

    def find(self, value: Value, level: int) -> str | None:
        """The text of a value (level -1: its base) if it was computed in a scope around here."""
        for scope in reversed(self._scopes):
            if (value, level) in scope:
                return scope[value, level] or None
        return None

    def keep(self, value: Value, level: int, text: str) -> str:
        """Remember a text for this scope."""
        self._scopes[-1][value, level] = text
        return text

    # --- slots --------------------------------------------------------------------------------------------------

    def _find_slots(self) -> None:
        for value, home, users in self.analysis.users(self.piece):
            left = [user for user in users if not self.structure.sees(user, home)]
            if not left:
                continue
            if value in self.piece.live or any(self.analysis.leaves(self.piece, home, user) for user in left):
                self.blended.add(value)
            level = self.slot_shape(value).level
            self.slots[value] = self.writer.alloca(self.type_at(value.type, level))

    def slot_shape(self, value: Value) -> Shape:
        """The shape of what lies in the slot of a value that leaves a loop."""
        from openrpp.codegen.host.shape import VARYING

        return VARYING if value in self.analysis.escapes else self.analysis.shape(value)

    def define(self, value: Value, text: str) -> None:
        """Give the base of a value at its definition."""
        self.keep(value, -1, text)
        for level in range(3):
            self._scopes[-1][value, level] = ""  # forget what was made of an earlier definition
        if value not in self.slots:
            return
        shape = self.slot_shape(value)
        kind = self.type_at(value.type, shape.level)
        if shape != self.analysis.shape(value):
            text = self.at(value, shape.level)
        slot = self.slots[value]
        if value in self.blended and self.mask is not None and shape.level == 2:
            text = self.blend(kind, self.mask, text, slot)
        self.writer.do(f"store {kind} {text}, ptr {slot}")

    def arrived(self, value: Value, text: str) -> None:
        """Give a value that an earlier piece has left."""
        self.keep(value, -1, text)
        if value in self.slots:
            kind = self.type_at(value.type, self.slot_shape(value).level)
            self.writer.do(f"store {kind} {text}, ptr {self.slots[value]}")

    def blend(self, kind: str, mask: str, text: str, slot: str) -> str:
        """The new content of a slot for lanes of the mask, the old one for others."""
        old = self.writer(f"load {kind}, ptr {slot}")
        lanes = self.geometry.lanes
        return self.writer(f"select <{lanes} x i1> {mask}, {kind} {text}, {kind} {old}")

    # --- reading ------------------------------------------------------------------------------------------------

    def count(self, level: int) -> int:
        """Lanes of a level."""
        return (0, self.geometry.rows, self.geometry.lanes)[level]

    def type_at(self, kind: Type, level: int) -> str:
        """The LLVM type of a value at a level."""
        return wide(scalar_type(kind), self.count(level))

    def lanes(self, level: int) -> Lanes:
        """Arithmetic at a level."""
        return Lanes(self.writer, self.count(level), self.tier)

    def shape(self, value: Value) -> Shape:
        """The shape of a value as seen here."""
        return self.analysis.look(self.piece, self.block, value)

    def base(self, value: Value) -> tuple[str, Shape]:
        """The base of a value as seen here, and its shape."""
        if isinstance(value, Constant):
            return constant_text(value), UNIFORM
        if isinstance(value, Parameter):
            return f"%p{self.analysis.kernel.params.index(value)}", UNIFORM
        home = self.piece.cfg.definitions.get(value)
        if value in self.slots and home is not None and not self.structure.sees(self.block, home):
            shape = self.slot_shape(value)
            return self.writer(f"load {self.type_at(value.type, shape.level)}, ptr {self.slots[value]}"), shape
        text = self.find(value, -1)
        assert text is not None, f"{value.type} value {value.name!r} is not at hand"
        return text, self.shape(value) if home is None else self.analysis.shape(value)

    def at(self, value: Value, level: int) -> str:
        """The value itself, its stride included, in all lanes of a level."""
        known = None if value in self.slots else self.find(value, level)
        if known is not None:
            return known
        text, shape = self.base(value)
        made = self.spread(value.type, text, shape, level)
        return made if value in self.slots else self.keep(value, level, made)

    def spread(self, kind: Type, text: str, shape: Shape, level: int) -> str:
        """A base brought to a level; at level 2 with its stride added."""
        element = scalar_type(kind)
        lifted = self.lift(element, text, shape.level, level)
        if not shape.stride:
            return lifted
        assert level == 2, "a strided value has one value per lane"
        columns = self.geometry.columns
        offsets = [shape.stride * (lane % columns) for lane in range(self.geometry.lanes)]
        half = 1 << (kind.bits - 1)
        wrapped = [(item + half) % (2 * half) - half for item in offsets]
        kind_text = wide(element, self.geometry.lanes)
        return self.writer(f"add {kind_text} {lifted}, {vector(element, wrapped)}")

    def lift(self, element: str, text: str, level: int, wanted: int) -> str:
        """A value of one level repeated at a higher one."""
        count = self.count(wanted)
        if level == wanted or not count:
            return text
        if level == 1:
            order = [lane // self.geometry.columns for lane in range(count)]
            return self.shuffle(element, self.geometry.rows, text, order)
        if not text.startswith("%"):
            return splat(element, text, count)
        first = self.writer(f"insertelement <{count} x {element}> poison, {element} {text}, i64 0")
        return self.shuffle(element, count, first, [0] * count)

    def shuffle(self, element: str, count: int, text: str, order: list[int]) -> str:
        """Lanes of one vector in another order."""
        kind = f"<{count} x {element}>"
        return self.writer(f"shufflevector {kind} {text}, {kind} poison, <{len(order)} x i32> {vector('i32', order)}")

    def join(self, element: str, parts: list[str], each: int) -> str:
        """Vectors of `each` lanes one after another; their number is a power of two."""
        while len(parts) > 1:
            kind, order = f"<{each} x {element}>", vector("i32", list(range(2 * each)))
            parts = [
                self.writer(f"shufflevector {kind} {a}, {kind} {b}, <{2 * each} x i32> {order}")
                for a, b in zip(parts[::2], parts[1::2], strict=True)
            ]
            each *= 2
        return parts[0]

    # --- masks --------------------------------------------------------------------------------------------------

    def full_mask(self) -> str:
        """The mask here as text, all ones where every lane is active."""
        return self.mask or "splat (i1 true)"

    def any(self, mask: str) -> str:
        """Whether any lane of a mask is set."""
        return self.writer(f"icmp ne i{self.geometry.lanes} {self.mask_bits(mask)}, 0")

    def all(self, mask: str) -> str:
        """Whether every lane of a mask is set."""
        return self.writer(f"icmp eq i{self.geometry.lanes} {self.mask_bits(mask)}, -1")

    def mask_bits(self, mask: str) -> str:
        """A mask as an integer."""
        lanes = self.geometry.lanes
        return self.writer(f"bitcast <{lanes} x i1> {mask} to i{lanes}")

    def both(self, mask: str | None, condition: str) -> str:
        """Lanes of a mask in which a condition holds; what the condition is elsewhere does not matter."""
        if mask is None:
            return condition
        kind = f"<{self.geometry.lanes} x i1>"
        return self.writer(f"select {kind} {mask}, {kind} {condition}, {kind} zeroinitializer")
