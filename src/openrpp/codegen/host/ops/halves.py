"""f16 and bf16, which travel as their bits: widening to float, and narrowing with one rounding to nearest even."""

from __future__ import annotations

from openrpp.codegen.host.ops.lanes import Lanes
from openrpp.kir.types import BF16, F32, F64, Type


def working(kind: Type) -> str:
    """The LLVM type in which a float type computes."""
    return "double" if kind is F64 else "float"


def up(lanes: Lanes, kind: Type, value: str) -> str:
    """A value in its working type; exact."""
    if kind in (F32, F64):
        return value
    if kind is BF16:
        moved = lanes.binary("shl", "i32", lanes.cast("zext", "i16", value, "i32"), lanes.constant("i32", 16))
        return lanes.cast("bitcast", "i32", moved, "float")
    if lanes.tier.half:
        return lanes.cast("fpext", "half", lanes.cast("bitcast", "i16", value, "half"), "float")
    return half_up(lanes, value)


def half_up(lanes: Lanes, value: str) -> str:
    """Moves the fields and rebiases by a multiplication, which also normalises denormals; infinities by selection."""
    bits = lanes.cast("zext", "i16", value, "i32")
    rest = lanes.binary("and", "i32", bits, lanes.constant("i32", 0x7FFF))
    moved = lanes.binary("shl", "i32", rest, lanes.constant("i32", 13))
    scaled = lanes.binary(
        "fmul", "float", lanes.cast("bitcast", "i32", moved, "float"), lanes.constant("float", 2.0**112)
    )
    special = lanes.compare("icmp uge", "i32", rest, lanes.constant("i32", 0x7C00))
    infinite = lanes.binary("or", "i32", moved, lanes.constant("i32", 0x7F80_0000))
    magnitude = lanes.select(special, "i32", infinite, lanes.cast("bitcast", "float", scaled, "i32"))
    sign = lanes.binary(
        "shl", "i32", lanes.binary("and", "i32", bits, lanes.constant("i32", 0x8000)), lanes.constant("i32", 16)
    )
    return lanes.cast("bitcast", "i32", lanes.binary("or", "i32", magnitude, sign), "float")


def down(lanes: Lanes, kind: Type, value: str) -> str:
    """A value of the working type rounded to its type."""
    if kind in (F32, F64):
        return value
    if kind is BF16:
        return _brain_down(lanes, value)
    if lanes.tier.half:
        return lanes.cast("bitcast", "half", lanes.cast("fptrunc", "float", value, "half"), "i16")
    return _half_down(lanes, value)


def _brain_down(lanes: Lanes, value: str) -> str:
    bits = lanes.cast("bitcast", "float", value, "i32")
    high = lanes.binary("lshr", "i32", bits, lanes.constant("i32", 16))
    odd = lanes.binary("and", "i32", high, lanes.constant("i32", 1))
    bias = lanes.binary("add", "i32", odd, lanes.constant("i32", 0x7FFF))
    rounded = lanes.binary("lshr", "i32", lanes.binary("add", "i32", bits, bias), lanes.constant("i32", 16))
    quiet = lanes.binary("or", "i32", high, lanes.constant("i32", 0x40))
    is_nan = lanes.compare("fcmp uno", "float", value, value)
    return lanes.cast("trunc", "i32", lanes.select(is_nan, "i32", quiet, rounded), "i16")


def _half_down(lanes: Lanes, value: str) -> str:
    """Normal results by integer rounding, denormal ones by adding 1/2, whose ulp is that of half's denormals."""
    bits = lanes.cast("bitcast", "float", value, "i32")
    rest = lanes.binary("and", "i32", bits, lanes.constant("i32", 0x7FFF_FFFF))
    magnitude = lanes.cast("bitcast", "i32", rest, "float")
    shifted = lanes.binary("fadd", "float", magnitude, lanes.constant("float", 0.5))
    small = lanes.binary(
        "sub", "i32", lanes.cast("bitcast", "float", shifted, "i32"), lanes.constant("i32", 0x3F00_0000)
    )
    odd = lanes.binary(
        "and", "i32", lanes.binary("lshr", "i32", rest, lanes.constant("i32", 13)), lanes.constant("i32", 1)
    )
    based = lanes.binary("add", "i32", rest, lanes.constant("i32", -(112 << 23) + 0xFFF))
    normal = lanes.binary("lshr", "i32", lanes.binary("add", "i32", based, odd), lanes.constant("i32", 13))
    found = lanes.select(lanes.compare("icmp ult", "i32", rest, lanes.constant("i32", 113 << 23)), "i32", small, normal)
    huge = lanes.compare("icmp uge", "i32", rest, lanes.constant("i32", 0x4780_0000))
    found = lanes.select(huge, "i32", lanes.constant("i32", 0x7C00), found)
    is_nan = lanes.compare("icmp ugt", "i32", rest, lanes.constant("i32", 0x7F80_0000))
    found = lanes.select(is_nan, "i32", lanes.constant("i32", 0x7E00), found)
    sign = lanes.binary(
        "and", "i32", lanes.binary("lshr", "i32", bits, lanes.constant("i32", 16)), lanes.constant("i32", 0x8000)
    )
    return lanes.cast("trunc", "i32", lanes.binary("or", "i32", found, sign), "i16")


def narrow_odd(lanes: Lanes, value: str) -> str:
    """A double as float, rounded to odd: rounding the result again to 16 bits is as good as rounding once."""
    near = lanes.cast("fptrunc", "double", value, "float")
    back = lanes.cast("fpext", "float", near, "double")
    exact = lanes.compare("fcmp ueq", "double", back, value)
    beyond = lanes.compare(
        "fcmp ogt", "double", lanes.call("fabs", "double", back), lanes.call("fabs", "double", value)
    )
    bits = lanes.cast("bitcast", "float", near, "i32")
    toward = lanes.select(beyond, "i32", lanes.binary("sub", "i32", bits, lanes.constant("i32", 1)), bits)
    odd = lanes.binary("or", "i32", toward, lanes.constant("i32", 1))
    return lanes.cast("bitcast", "i32", lanes.select(exact, "i32", bits, odd), "float")


def from_double(lanes: Lanes, kind: Type, value: str) -> str:
    """A double rounded once to any float type."""
    if kind is F64:
        return value
    if kind is F32:
        return lanes.cast("fptrunc", "double", value, "float")
    return down(lanes, kind, narrow_odd(lanes, value))


def to_double(lanes: Lanes, kind: Type, value: str) -> str:
    """Any float type as double; exact."""
    return lanes.cast("fpext", working(kind), up(lanes, kind, value), "double")


def odd_sum(lanes: Lanes, a: str, b: str, kind: str = "double") -> str:
    """a + b (double or float) rounded to odd: by TwoSum, then one unit toward the error if that is not zero."""

    def op(name: str, x: str, y: str) -> str:
        return lanes.binary(name, kind, x, y)

    whole = "i64" if kind == "double" else "i32"
    total = op("fadd", a, b)
    virtual = op("fsub", total, a)
    error = op("fadd", op("fsub", a, op("fsub", total, virtual)), op("fsub", b, virtual))
    zero, one = lanes.constant(kind, 0.0), lanes.constant(whole, 1)
    bits = lanes.cast("bitcast", kind, total, whole)
    even = lanes.compare("icmp eq", whole, lanes.binary("and", whole, bits, one), lanes.constant(whole, 0))
    move = lanes.binary("and", "i1", even, lanes.compare("fcmp one", kind, error, zero))
    negative = lanes.compare("icmp slt", whole, bits, lanes.constant(whole, 0))
    grows = lanes.binary("xor", "i1", lanes.compare("fcmp ogt", kind, error, zero), negative)
    step = lanes.select(grows, whole, one, lanes.constant(whole, -1))
    moved = lanes.binary("add", whole, bits, step)
    return lanes.cast("bitcast", whole, lanes.select(move, whole, moved, bits), kind)
