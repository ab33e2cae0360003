"""Integer ops, exactly as `kir.ops.integer` defines them: shifts beyond the width and division by zero included."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from openrpp.codegen.host.ops.lanes import Lanes
from openrpp.codegen.host.ops.wide import to_word
from openrpp.codegen.host.writer import scalar_type
from openrpp.kir.ir import Constant, Instr

Emit = Callable[[Lanes, Instr, Sequence[str]], str]


def _plain(op: str) -> Emit:
    return lambda lanes, instr, args: lanes.binary(op, scalar_type(instr.type), args[0], args[1])


def _within(lanes: Lanes, kind: str, count: str, width: int) -> str:
    return (
        lanes.compare("icmp ult", kind, count, lanes.constant(kind, width))
        if width > 1
        else lanes.compare("icmp eq", kind, count, lanes.constant(kind, 0))
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


def _high(is_signed: bool) -> Emit:
    def emit(lanes: Lanes, instr: Instr, args: Sequence[str]) -> str:
        kind, width = scalar_type(instr.type), instr.type.bits
        if width == 64 and lanes.count:
            return _high_by_halves(lanes, is_signed, args[0], args[1])
        double, extend = f"i{2 * width}", "sext" if is_signed else "zext"
        a, b = (lanes.cast(extend, kind, arg, double) for arg in args)
        product = lanes.binary("mul", double, a, b)
        return lanes.cast("trunc", double, lanes.binary("lshr", double, product, lanes.constant(double, width)), kind)

    return emit


def _high_by_halves(lanes: Lanes, is_signed: bool, a: str, b: str) -> str:
    """From four products of 32-bit halves, for which vectors have instructions.

    One mask is written as a shuffle: LLVM would find the 128-bit product in the sum, and make it lane by lane.
    """
    words = replace(lanes, count=2 * lanes.count)

    def op(name: str, x: str, y: str) -> str:
        return lanes.binary(name, "i64", x, y)

    def low_word(x: str) -> str:
        cut = lanes.writer(f"bitcast {lanes.type('i64')} {x} to {words.type('i32')}")
        order = ", ".join(f"i32 {item if item % 2 == 0 else words.count}" for item in range(words.count))
        kind = words.type("i32")
        kept = lanes.writer(f"shufflevector {kind} {cut}, {kind} zeroinitializer, <{words.count} x i32> <{order}>")
        return lanes.writer(f"bitcast {kind} {kept} to {lanes.type('i64')}")

    ones, half = lanes.constant("i64", 0xFFFF_FFFF), lanes.constant("i64", 32)
    low_a, low_b = (op("and", item, ones) for item in (a, b))
    high_a, high_b = (op("lshr", item, half) for item in (a, b))
    first = op("add", op("mul", high_a, low_b), op("lshr", op("mul", low_a, low_b), half))
    second = op("add", op("mul", low_a, high_b), low_word(first))
    upper = op("add", op("mul", high_a, high_b), op("lshr", first, half))
    found = op("add", upper, op("lshr", second, half))
    if not is_signed:
        return found
    zero = lanes.constant("i64", 0)
    for item, other in ((a, b), (b, a)):
        negative = lanes.compare("icmp slt", "i64", item, zero)
        found = op("sub", found, lanes.select(negative, "i64", other, zero))
    return found


# --- division --------------------------------------------------------------------------------------------------


def _divide(lanes: Lanes, kind: str, width: int, is_signed: bool, a: str, b: str, known: bool) -> str:
    """a / b for b that is neither 0 nor (signed) -1.

    Vectors up to 32 bits go through quotients in float (up to 16 bits) or double: an integer quotient that is not
    exact lies further below the next integer than rounding moves it.
    """
    sign = "s" if is_signed else "u"
    if not lanes.count or known or width > 32:
        return lanes.binary(f"{sign}div", kind, a, b)
    extend, real = "sext" if is_signed else "zext", "float" if width <= 16 else "double"
    x, y = (lanes.cast(extend, kind, item, "i32") for item in (a, b))
    is_word = width == 32 and not is_signed
    x, y = (lanes.cast("uitofp" if is_word else "sitofp", "i32", item, real) for item in (x, y))
    quotient = lanes.binary("fdiv", real, x, y)
    if is_word:
        return to_word(lanes, quotient)
    return lanes.cast("trunc", "i32", lanes.cast("fptosi", real, quotient, "i32"), kind)


def _is_known(instr: Instr) -> bool:
    return isinstance(instr.operands[1], Constant)


def _quotients(lanes: Lanes, instr: Instr, args: Sequence[str], is_signed: bool) -> tuple[str, str]:
    """The quotient with the results for b = 0 (all ones) and b = -1, and whether b is 0."""
    kind, width = scalar_type(instr.type), instr.type.bits
    a, b = args
    zero, one, ones = (lanes.constant(kind, item) for item in (0, 1, -1))
    by_zero = lanes.compare("icmp eq", kind, b, zero)
    safe = lanes.select(by_zero, kind, one, b)
    by_minus = lanes.compare("icmp eq", kind, b, ones) if is_signed else None
    if by_minus is not None:
        safe = lanes.select(by_minus, kind, one, safe)
    found = _divide(lanes, kind, width, is_signed, a, safe, _is_known(instr))
    if by_minus is not None:
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
    signs = bool(instr.attr("a_signed")), bool(instr.attr("b_signed"))
    if lanes.count:
        return _dp4a_by_pairs(lanes, args, signs)
    total = args[2]
    for shift in (0, 8, 16, 24):
        a, b = (_byte(lanes, arg, shift, is_signed) for arg, is_signed in zip(args[:2], signs, strict=True))
        total = lanes.binary("add", "i32", total, lanes.binary("mul", "i32", a, b))
    return total


def _dp4a_by_pairs(lanes: Lanes, args: Sequence[str], signs: tuple[bool, bool]) -> str:
    """Even bytes, then odd bytes, as pairs of 16-bit numbers: LLVM makes a multiply-add of pairs of each."""
    pairs, count = replace(lanes, count=2 * lanes.count), lanes.count
    words = [lanes.writer(f"bitcast {lanes.type('i32')} {arg} to {pairs.type('i16')}") for arg in args[:2]]
    total, eight = args[2], pairs.constant("i16", 8)
    for is_odd in (False, True):
        items: list[str] = []
        for word, is_signed in zip(words, signs, strict=True):
            moved = word if is_odd else pairs.binary("shl", "i16", word, eight)
            byte = pairs.binary("ashr" if is_signed else "lshr", "i16", moved, eight)
            items.append(pairs.cast("sext", "i16", byte, "i32"))
        product = pairs.binary("mul", "i32", *items)
        for first in (0, 1):
            order = ", ".join(f"i32 {2 * lane + first}" for lane in range(count))
            kind = pairs.type("i32")
            part = lanes.writer(f"shufflevector {kind} {product}, {kind} poison, <{count} x i32> <{order}>")
            items.append(part)
        total = lanes.binary("add", "i32", total, lanes.binary("add", "i32", *items[2:]))
    return total


def _permute(lanes: Lanes, instr: Instr, args: Sequence[str]) -> str:
    """Each byte is brought to the top of its word, filled with its sign where asked for, then moved to its place."""

    def op(name: str, x: str, y: str | int) -> str:
        return lanes.binary(name, "i32", x, lanes.constant("i32", y) if isinstance(y, int) else y)

    low, high, selector = args
    total = ""
    for place in range(4):
        nibble = op("lshr", selector, 4 * place)
        is_high = lanes.compare("icmp ne", "i32", op("and", nibble, 4), lanes.constant("i32", 0))
        source = lanes.select(is_high, "i32", high, low)
        above = op("shl", op("xor", op("and", nibble, 3), 3), 3)
        top = op("shl", source, above)
        fill = op("and", op("ashr", op("shl", nibble, 28), 31), 31)
        byte = op("lshr", op("ashr", top, fill), 24)
        moved = op("shl", byte, 8 * place) if place else byte
        total = op("or", total, moved) if total else moved
    return total


def _unpack(lanes: Lanes, instr: Instr, args: Sequence[str]) -> str:
    """The lower part in place or moved down, the upper one moved to the upper half."""

    def part(move: int, mask: int) -> str:
        op = "shl" if move > 0 else "lshr"
        moved = lanes.binary(op, "i32", args[0], lanes.constant("i32", abs(move))) if move else args[0]
        return lanes.binary("and", "i32", moved, lanes.constant("i32", mask))

    if instr.op.name == "unpack8":
        parts = part(0, 0xFF), part(8, 0xFF0000)
    elif instr.attr("high"):
        parts = part(-8, 0xF), part(4, 0xF0000)
    else:
        parts = part(0, 0xF), part(12, 0xF0000)
    return lanes.binary("or", "i32", lanes.binary("or", "i32", *parts), args[1])


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
    "mulhi_u": _high(False),
    "mulhi_s": _high(True),
    "udiv": _quotient(False),
    "sdiv": _quotient(True),
    "urem": _remainder(False),
    "srem": _remainder(True),
    "dp4a": _dp4a,
    "prmt": _permute,
    **dict.fromkeys(("unpack4", "unpack8"), _unpack),
    "icmp": _compare,
}
