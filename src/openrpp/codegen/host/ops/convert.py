"""Conversions and select."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from openrpp.codegen.host.ops.halves import down, from_double, up, working
from openrpp.codegen.host.ops.lanes import Lanes
from openrpp.codegen.host.ops.wide import from_long, to_long, to_word
from openrpp.codegen.host.writer import scalar_type
from openrpp.kir.interp.memory import PRIVATE_WINDOW, SHARED_WINDOW
from openrpp.kir.ir import Instr
from openrpp.kir.types import BF16, F64, Space

Emit = Callable[[Lanes, Instr, Sequence[str]], str]

WINDOWS = {Space.SHARED: SHARED_WINDOW, Space.PRIVATE: PRIVATE_WINDOW}
"""Where the offsets of a space lie among generic addresses; as in the interpreter."""


def _types(instr: Instr) -> tuple[str, str]:
    return scalar_type(instr.operands[0].type), scalar_type(instr.type)


def _cast(op: str) -> Emit:
    def emit(lanes: Lanes, instr: Instr, args: Sequence[str]) -> str:
        source, target = _types(instr)
        return lanes.cast(op, source, args[0], target)

    return emit


def _resized(lanes: Lanes, instr: Instr, args: Sequence[str]) -> str:
    source, target = _types(instr)
    op = "trunc" if instr.operands[0].type.bits > instr.type.bits else "zext"
    return lanes.cast(op, source, args[0], target)


def _float_to_float(lanes: Lanes, instr: Instr, args: Sequence[str]) -> str:
    source, target = instr.operands[0].type, instr.type
    if source is F64:
        return from_double(lanes, target, args[0])
    value = up(lanes, source, args[0])
    return lanes.cast("fpext", "float", value, "double") if target is F64 else down(lanes, target, value)


def _float_to_int(is_signed: bool) -> Emit:
    def emit(lanes: Lanes, instr: Instr, args: Sequence[str]) -> str:
        source, width = instr.operands[0].type, instr.type.bits
        value, kind = up(lanes, source, args[0]), working(source)
        exact = width <= 16 or (width == 32 and kind == "double")  # whether the kind holds both ends of the range
        return (_clipped if exact else _saturated)(lanes, kind, value, width, is_signed)

    return emit


def _clipped(lanes: Lanes, kind: str, value: str, width: int, is_signed: bool) -> str:
    """The value is brought into the range before it is converted."""
    low = lanes.constant(kind, -(2.0 ** (width - 1)) if is_signed else 0.0)
    high = lanes.constant(kind, 2.0 ** (width - 1 if is_signed else width) - 1)
    is_number = lanes.compare("fcmp ord", kind, value, value)
    number = lanes.select(is_number, kind, value, lanes.constant(kind, 0.0))
    number = lanes.select(lanes.compare("fcmp ogt", kind, number, low), kind, number, low)
    number = lanes.select(lanes.compare("fcmp olt", kind, number, high), kind, number, high)
    if width == 32 and not is_signed:
        return to_word(lanes, number)
    return lanes.cast("trunc", "i32", lanes.cast("fptosi", kind, number, "i32"), f"i{width}")


def _saturated(lanes: Lanes, kind: str, value: str, width: int, is_signed: bool) -> str:
    """The result is replaced where the value is too large: the largest integer is not a value of this kind."""
    target = f"i{width}"
    low = lanes.constant(kind, -(2.0 ** (width - 1)) if is_signed else 0.0)
    limit = lanes.constant(kind, 2.0 ** (width - 1 if is_signed else width))
    above = lanes.compare("fcmp oge", kind, value, limit)
    inside = lanes.select(lanes.compare("fcmp ogt", kind, value, low), kind, value, low)
    inside = lanes.select(above, kind, low, inside)
    if width == 64:
        found = to_long(lanes, kind, inside, is_signed)
    else:
        found = lanes.cast("fptosi" if is_signed else "fptoui", kind, inside, target)
    most = (1 << (width - 1)) - 1 if is_signed else (1 << width) - 1
    found = lanes.select(above, target, lanes.constant(target, most), found)
    is_number = lanes.compare("fcmp ord", kind, value, value)
    return lanes.select(is_number, target, found, lanes.constant(target, 0))


def _int_to_float(is_signed: bool) -> Emit:
    op, extend = ("sitofp", "sext") if is_signed else ("uitofp", "zext")

    def emit(lanes: Lanes, instr: Instr, args: Sequence[str]) -> str:
        source, kind = instr.operands[0].type, instr.type
        integer, value = scalar_type(source), args[0]
        if source.bits < 32:
            integer, value = "i32", lanes.cast(extend, integer, value, "i32")
        if source.bits == 64 and kind in (BF16, F64):
            exact = value if kind is F64 else _sticky(lanes, value, is_signed)
            return from_double(lanes, kind, from_long(lanes, exact, is_signed))
        if kind is BF16 and source.bits == 32:
            return from_double(lanes, kind, lanes.cast(op, integer, value, "double"))
        return down(lanes, kind, lanes.cast(op, integer, value, working(kind)))

    return emit


def _sticky(lanes: Lanes, value: str, is_signed: bool) -> str:
    """A 64-bit integer rounded to odd at bit 11 where double would round it."""
    low = lanes.binary("and", "i64", value, lanes.constant("i64", 2047))
    inexact = lanes.compare("icmp ne", "i64", low, lanes.constant("i64", 0))
    rest = lanes.binary("and", "i64", value, lanes.constant("i64", -2048))
    one = lanes.select(inexact, "i64", lanes.constant("i64", 2048), lanes.constant("i64", 0))
    odd = lanes.binary("or", "i64", rest, one)
    moved = lanes.binary("add", "i64", value, lanes.constant("i64", 1 << 53 if is_signed else 0))
    fits = lanes.compare("icmp ult", "i64", moved, lanes.constant("i64", 1 << (54 if is_signed else 53)))
    return lanes.select(fits, "i64", value, odd)


def _select(lanes: Lanes, instr: Instr, args: Sequence[str]) -> str:
    return lanes.select(args[0], scalar_type(instr.type), args[1], args[2])


def _space_cast(lanes: Lanes, instr: Instr, args: Sequence[str]) -> str:
    source, target = instr.operands[0].type.space, instr.type.space
    move = WINDOWS.get(source or Space.GENERIC, 0) - WINDOWS.get(target or Space.GENERIC, 0)
    return lanes.binary("add", "i64", args[0], lanes.constant("i64", move)) if move else args[0]


TABLE: Mapping[str, Emit] = {
    "trunc": _cast("trunc"),
    "zext": _cast("zext"),
    "sext": _cast("sext"),
    "fptrunc": _float_to_float,
    "fpext": _float_to_float,
    "fptosi": _float_to_int(True),
    "fptoui": _float_to_int(False),
    "sitofp": _int_to_float(True),
    "uitofp": _int_to_float(False),
    "bitcast": _cast("bitcast"),
    "select": _select,
    "ptrtoint": _resized,
    "inttoptr": _resized,
    "space_cast": _space_cast,
}
