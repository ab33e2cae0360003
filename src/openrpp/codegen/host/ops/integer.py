"""Integer ops, exactly as `kir.ops.integer` defines them: shifts beyond the width and division by zero included."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from openrpp.codegen.host.ops.lanes import Lanes
from openrpp.codegen.host.writer import scalar_type
from openrpp.kir.ir import Constant, Instr

Emit = Callable[[Lanes, Instr, Sequence[str]], str]


def _plain(op: str) -> Emit:
    return lambda lanes, instr, args: lanes.binary(op, scalar_type(instr.type), args[0], args[1])


def _within(lanes: Lanes, kind: str, count: str, width: int) -> str:
    return lanes.compare("icmp ult", kind, count, lanes.constant(kind, width)) if width > 1 else lanes.compare(
        "icmp eq", kind, count, lanes.constant(kind, 0)
    )


def _shift(op: str) -> Emit:
    def emit(lanes: Lanes, instr: Instr, args: Sequence[str]) -> str:
        kind, width = scalar_type(instr.type), instr.type.bits
        count = instr.operands[1]
        if isinstance(count, Constant) and count.bits < width:
            return lanes.binary(op, kind, args[0], args[1])
        masked = lanes.binary("and", kind, args[1], lanes.constant(kind, width - 1))
        shifted = lanes.binary(op, kind, args[0], masked)
        return lanes.select(_within(lanes, kind, args[1], width), kind, shifted, lanes.constant(kind, 0))

    return emit


def _ashr(lanes: Lanes, instr: Instr, args: Sequence[str]) -> str:
    kind, width = scalar_type(instr.type), instr.type.bits
    if width == 1:
        return args[0]
    top = lanes.constant(kind, width - 1)
    inside = lanes.compare("icmp ult", kind, args[1], top)
    return lanes.binary("ashr", kind, args[0], lanes.select(inside, kind, args[1], top))


def _extremum(pred: str) -> Emit:
    def emit(lanes: Lanes, instr: Instr, args: Sequence[str]) -> str:
        kind = scalar_type(instr.type)
        return lanes.select(lanes.compare(f"icmp {pred}", kind, args[0], args[1]), kind, args[0], args[1])

    return emit


def _absolute(lanes: Lanes, instr: Instr, args: Sequence[str]) -> str:
    kind = scalar_type(instr.type)
    negative = lanes.compare("icmp slt", kind, args[0], lanes.constant(kind, 0))
    return lanes.select(negative, kind, lanes.binary("sub", kind, lanes.constant(kind, 0), args[0]), args[0])


def _intrinsic(name: str) -> Emit:
    return lambda lanes, instr, args: lanes.call(name, scalar_type(instr.type), *args)


def _count_zeros(name: str) -> Emit:
    return lambda lanes, instr, args: lanes.call_flagged(name, scalar_type(instr.type), args[0])


def _ffs(lanes: Lanes, instr: Instr, args: Sequence[str]) -> str:
    kind = scalar_type(instr.type)
    zero = lanes.constant(kind, 0)
    place = lanes.binary("add", kind, lanes.call_flagged("cttz", kind, args[0]), lanes.constant(kind, 1))
    return lanes.select(lanes.compare("icmp eq", kind, args[0], zero), kind, zero, place)


def _high(extend: str) -> Emit:
    def emit(lanes: Lanes, instr: Instr, args: Sequence[str]) -> str:
        kind, width = scalar_type(instr.type), instr.type.bits
        double = f"i{2 * width}"
        a, b = (lanes.cast(extend, kind, arg, double) for arg in args)
        product = lanes.binary("mul", double, a, b)
        return lanes.cast("trunc", double, lanes.binary("lshr", double, product, lanes.constant(double, width)), kind)

    return emit


# --- division --------------------------------------------------------------------------------------------------


def _divide(lanes: Lanes, kind: str, width: int, is_signed: bool, a: str, b: str, known: bool) -> str:
    """a / b for b that is neither 0 nor (signed) -1; vectors up to 32 bits go through exact double quotients."""
    sign = "s" if is_signed else "u"
    if not lanes.count or known or width > 32:
        return lanes.binary(f"{sign}div", kind, a, b)
    extend = "sext" if is_signed else "zext"
    x, y = (lanes.cast(extend, kind, item, "i32") for item in (a, b))
    x, y = (lanes.cast(f"{sign}itofp", "i32", item, "double") for item in (x, y))
    quotient = lanes.cast(f"fpto{sign}i", "double", lanes.binary("fdiv", "double", x, y), "i32")
    return lanes.cast("trunc", "i32", quotient, kind)


def _is_known(instr: Instr) -> bool:
    return isinstance(instr.operands[1], Constant)


def _quotients(lanes: Lanes, instr: Instr, args: Sequence[str], is_signed: bool) -> tuple[str, str]:
    """The quotient with the results for b = 0 (all ones) and b = -1, and whether b is 0."""
    kind, width = scalar_type(instr.type), instr.type.bits
    a, b = args
    zero, one, ones = (lanes.constant(kind, item) for item in (0, 1, -1))
    by_zero = lanes.compare("icmp eq", kind, b, zero)
    safe = lanes.select(by_zero, kind, one, b)
    if is_signed:
        by_minus = lanes.compare("icmp eq", kind, b, ones)
        safe = lanes.select(by_minus, kind, one, safe)
    found = _divide(lanes, kind, width, is_signed, a, safe, _is_known(instr))
    if is_signed:
        found = lanes.select(by_minus, kind, lanes.binary("sub", kind, zero, a), found)
    return lanes.select(by_zero, kind, ones, found), by_zero


def _quotient(is_signed: bool) -> Emit:
    def emit(lanes: Lanes, instr: Instr, args: Sequence[str]) -> str:
        if instr.type.bits == 1:
            return lanes.binary("or", "i1", args[0], lanes.binary("xor", "i1", args[1], lanes.constant("i1", 1)))
        return _quotients(lanes, instr, args, is_signed)[0]

    return emit


def _remainder(is_signed: bool) -> Emit:
    def emit(lanes: Lanes, instr: Instr, args: Sequence[str]) -> str:
        kind = scalar_type(instr.type)
        if instr.type.bits == 1:
            return lanes.binary("and", "i1", args[0], lanes.binary("xor", "i1", args[1], lanes.constant("i1", 1)))
        found, by_zero = _quotients(lanes, instr, args, is_signed)
        rest = lanes.binary("sub", kind, args[0], lanes.binary("mul", kind, found, args[1]))
        return lanes.select(by_zero, kind, args[0], rest)

    return emit


# --- bytes -----------------------------------------------------------------------------------------------------


def _byte(lanes: Lanes, word: str, shift: int, is_signed: bool) -> str:
    moved = lanes.binary("shl", "i32", word, lanes.constant("i32", 24 - shift))
    return lanes.binary("ashr" if is_signed else "lshr", "i32", moved, lanes.constant("i32", 24))


def _dp4a(lanes: Lanes, instr: Instr, args: Sequence[str]) -> str:
    total = args[2]
    for shift in (0, 8, 16, 24):
        a = _byte(lanes, args[0], shift, bool(instr.attr("a_signed")))
        b = _byte(lanes, args[1], shift, bool(instr.attr("b_signed")))
        total = lanes.binary("add", "i32", total, lanes.binary("mul", "i32", a, b))
    return total


def _permute(lanes: Lanes, instr: Instr, args: Sequence[str]) -> str:
    low, high = (lanes.cast("zext", "i32", arg, "i64") for arg in args[:2])
    source = lanes.binary("or", "i64", low, lanes.binary("shl", "i64", high, lanes.constant("i64", 32)))
    total = lanes.constant("i32", 0)
    for place in range(4):
        nibble = lanes.binary("lshr", "i32", args[2], lanes.constant("i32", 4 * place))
        index = lanes.binary("and", "i32", nibble, lanes.constant("i32", 7))
        shift = lanes.binary("shl", "i64", lanes.cast("zext", "i32", index, "i64"), lanes.constant("i64", 3))
        byte = lanes.cast("trunc", "i64", lanes.binary("lshr", "i64", source, shift), "i8")
        sign = lanes.binary("ashr", "i8", byte, lanes.constant("i8", 7))
        marked = lanes.binary("and", "i32", nibble, lanes.constant("i32", 8))
        repeat = lanes.compare("icmp ne", "i32", marked, lanes.constant("i32", 0))
        chosen = lanes.cast("zext", "i8", lanes.select(repeat, "i8", sign, byte), "i32")
        total = lanes.binary("or", "i32", total, lanes.binary("shl", "i32", chosen, lanes.constant("i32", 8 * place)))
    return total


def _compare(lanes: Lanes, instr: Instr, args: Sequence[str]) -> str:
    return lanes.compare(f"icmp {instr.attr('pred')}", scalar_type(instr.operands[0].type), *args)


TABLE: Mapping[str, Emit] = {
    **{name: _plain(name) for name in ("add", "sub", "mul", "and", "or", "xor")},
    "shl": _shift("shl"),
    "lshr": _shift("lshr"),
    "ashr": _ashr,
    **{name: _intrinsic(name) for name in ("fshl", "fshr", "bswap")},
    **{name: _extremum(pred) for name, pred in (("umin", "ult"), ("umax", "ugt"), ("smin", "slt"), ("smax", "sgt"))},
    "abs": _absolute,
    "popc": _intrinsic("ctpop"),
    "clz": _count_zeros("ctlz"),
    "ctz": _count_zeros("cttz"),
    "ffs": _ffs,
    "brev": _intrinsic("bitreverse"),
    "mulhi_u": _high("zext"),
    "mulhi_s": _high("sext"),
    "udiv": _quotient(False),
    "sdiv": _quotient(True),
    "urem": _remainder(False),
    "srem": _remainder(True),
    "dp4a": _dp4a,
    "prmt": _permute,
    "icmp": _compare,
}
