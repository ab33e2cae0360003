"""How a value differs between the lanes of a group.

A value is `base + stride * x` in column x, where the base is one scalar (level 0), one per row (level 1), or one per
lane (level 2, stride 0). `guess` is the stride that a value of level 2 has unless an addition wrapped; it is worth a
test before a gather.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from openrpp.codegen.host.ranges import Ranges
from openrpp.kir.ir import Instr, Value
from openrpp.kir.ops.form import Effect
from openrpp.kir.types import signed


class Shape(NamedTuple):
    """Level of the base, and stride along x."""

    level: int
    stride: int = 0
    guess: int = 0

    @property
    def is_uniform(self) -> bool:
        """Whether all lanes hold the same value."""
        return self.level == 0 and self.stride == 0


UNIFORM = Shape(0)
VARYING = Shape(2)

Look = Callable[[Value], Shape]


def join(a: Shape, b: Shape) -> Shape:
    """The least shape that both fit."""
    if a == b:
        return a
    if 2 in (a.level, b.level) or a.stride != b.stride:
        return VARYING
    return Shape(max(a.level, b.level), a.stride)


def fold(shape: Shape) -> Shape:
    """The shape of a value computed lane by lane from values of the given combined shape."""
    return VARYING if shape.stride else shape


def combined(shapes: list[Shape]) -> Shape:
    """The shape of an elementwise result."""
    if any(shape.stride for shape in shapes):
        return VARYING
    return Shape(max((shape.level for shape in shapes), default=0))


def _along(shape: Shape) -> int:
    return shape.stride or shape.guess


def _with_stride(level: int, stride: int, guess: int, width: int) -> Shape:
    stride, guess = signed(stride & ((1 << width) - 1), width), signed(guess & ((1 << width) - 1), width)
    return Shape(2, 0, guess) if level == 2 else Shape(level, stride)


class Shapes:
    """Shapes of op results.

    `rows` and `regular` describe the groups (`Geometry`), `one_warp` says that a group has at most 32 lanes,
    `is_scalar` that it has one, and `strides` gives the stride of an operand as it is known so far.
    """

    def __init__(
        self,
        rows: int,
        regular: bool,
        one_warp: bool,
        ranges: Ranges,
        strides: Callable[[Value], int],
        *,
        is_scalar: bool = False,
    ) -> None:
        self.strides = strides
        self.is_scalar = is_scalar
        self.rows = rows
        self.regular = regular
        self.one_warp = one_warp
        self.ranges = ranges

    def of(self, instr: Instr, look: Look) -> Shape:
        """The shape of a result, from those of the operands."""
        if self.is_scalar:
            return UNIFORM
        effect = instr.effect
        if effect is Effect.GEOMETRY:
            return self._geometry(instr)
        if effect is Effect.ADDRESS:
            return UNIFORM
        if effect is Effect.WARP:
            return self._warp(instr, look)
        if effect is Effect.BLOCK:
            return UNIFORM
        if effect is Effect.LOAD:
            return self._loaded(instr, look)
        if effect in (Effect.ATOMIC, Effect.SIDE):
            return UNIFORM if instr.op.name == "clock" else VARYING
        special = _RULES.get(instr.op.name)
        found = special(self, instr, look) if special else None
        return found or combined([look(value) for value in instr.operands])

    def extended(self, source: Value, shape: Shape, is_signed: bool) -> Shape:
        """The shape of a widened value: affine where no active lane can have wrapped."""
        if self.exact(source, shape.stride, is_signed):
            return shape
        return Shape(2, 0, shape.stride or shape.guess)

    def exact(self, value: Value, stride: int, is_signed: bool) -> bool:
        """Whether a value is, in every lane that uses it, the sum that its instructions say, without wrapping.

        `stride` is the one of the value; values of stride 0 may be widened as they are.
        """
        if not stride:
            return True
        if not isinstance(value, Instr):
            return False
        name = value.op.name
        if name in ("tid", "laneid"):
            return True
        if name == "zext" or (name == "sext" and is_signed):
            return self.exact(value.operands[0], stride, name == "sext")
        if name not in ("add", "sub", "mul", "shl"):
            return False
        kept = bool(value.attr("nsw" if is_signed else "nuw")) or self.ranges.most(value) is not None
        return kept and all(self.exact(item, self.strides(item), is_signed) for item in value.operands)

    def _geometry(self, instr: Instr) -> Shape:
        if instr.op.name in ("ctaid", "ntid", "nctaid"):
            return UNIFORM
        if instr.op.name == "laneid":
            return Shape(0, 1) if self.one_warp and self.rows == 1 and self.regular else VARYING
        if not self.regular:
            return VARYING
        if instr.attr("axis") == "x":
            return Shape(0, 1)
        return Shape(1) if self.rows > 1 else UNIFORM

    def _warp(self, instr: Instr, look: Look) -> Shape:
        name = instr.op.name
        if name.startswith("shfl") or name == "match_any" or not self.one_warp:
            return VARYING
        return UNIFORM if all(look(value).is_uniform for value in instr.operands[:1]) else VARYING

    def _loaded(self, instr: Instr, look: Look) -> Shape:
        return combined([look(value) for value in instr.operands])


def _add(shapes: Shapes, instr: Instr, look: Look) -> Shape | None:
    a, b = (look(value) for value in instr.operands)
    sign = -1 if instr.op.name == "sub" else 1
    if not (a.stride or b.stride or a.guess or b.guess):
        return None
    width = instr.operands[1].type.bits if instr.op.name == "ptr_add" else instr.type.bits
    if instr.op.name == "ptr_add" and width < 64 and _along(b):
        b = shapes.extended(instr.operands[1], b, is_signed=True)
    level = max(a.level, b.level)
    return _with_stride(level, a.stride + sign * b.stride, _along(a) + sign * _along(b), instr.type.bits)


def _mul(shapes: Shapes, instr: Instr, look: Look) -> Shape | None:
    return _scaled(shapes, instr, look, lambda factor: factor)


def _shl(shapes: Shapes, instr: Instr, look: Look) -> Shape | None:
    if shapes.ranges.constant(instr.operands[1]) is None:
        return None
    return _scaled(shapes, instr, look, lambda count: 1 << count if count < 64 else 0)


def _scaled(shapes: Shapes, instr: Instr, look: Look, factor: Callable[[int], int]) -> Shape | None:
    a, b = instr.operands
    known = shapes.ranges.constant(b)
    if known is None:
        a, b = b, a
        known = shapes.ranges.constant(b)
    shape = look(a)
    if known is None or not _along(shape):
        return None
    by = factor(signed(known, b.type.bits) if instr.op.name == "mul" else known)
    return _with_stride(shape.level, shape.stride * by, _along(shape) * by, instr.type.bits)


def _extend(shapes: Shapes, instr: Instr, look: Look) -> Shape | None:
    source = instr.operands[0]
    shape = look(source)
    return shapes.extended(source, shape, instr.op.name == "sext") if _along(shape) else None


def _same(shapes: Shapes, instr: Instr, look: Look) -> Shape | None:
    shape = look(instr.operands[0])
    if not _along(shape) or instr.type.bits > instr.operands[0].type.bits:
        return None
    return _with_stride(shape.level, shape.stride, _along(shape), instr.type.bits)


def _select(shapes: Shapes, instr: Instr, look: Look) -> Shape | None:
    condition, a, b = (look(value) for value in instr.operands)
    if not (a.stride or b.stride):
        return None
    return join(a, b) if condition.is_uniform else VARYING


Rule = Callable[[Shapes, Instr, Look], Shape | None]
_RULES: Mapping[str, Rule] = {
    "add": _add,
    "sub": _add,
    "ptr_add": _add,
    "mul": _mul,
    "shl": _shl,
    "zext": _extend,
    "sext": _extend,
    "trunc": _same,
    "space_cast": _same,
    "ptrtoint": _same,
    "inttoptr": _same,
    "select": _select,
}
