"""Floating-point ops: one rounding each, no fast-math flag, no contraction."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from openrpp.codegen.host.ops.halves import down, from_double, half_up, odd_sum, to_double, up, working
from openrpp.codegen.host.ops.lanes import Lanes
from openrpp.codegen.host.writer import scalar_type
from openrpp.isa.transcendental import EXP2_COEFFICIENTS, LOG2_COEFFICIENTS
from openrpp.kir.ir import Instr
from openrpp.kir.types import F16, F32, F64

Emit = Callable[[Lanes, Instr, Sequence[str]], str]
_ROUND = 1.5 * 2.0**52
_AS_DOUBLE = 0x4330 << 48  # with an integer below 2^52 in the fraction: the bits of 2^52 plus it
_HALF_SQRT = 0x3FE6_A09E_667F_3BCD


def _on_working(operation: Callable[[Lanes, str, Sequence[str]], str]) -> Emit:
    """An operation in the working type: for 16-bit types float is wide enough that rounding again is innocuous."""

    def emit(lanes: Lanes, instr: Instr, args: Sequence[str]) -> str:
        kind = instr.type
        return down(lanes, kind, operation(lanes, working(kind), [up(lanes, kind, arg) for arg in args]))

    return emit


def _arithmetic(op: str) -> Emit:
    return _on_working(lambda lanes, kind, args: lanes.binary(op, kind, args[0], args[1]))


def _intrinsic(name: str) -> Emit:
    return _on_working(lambda lanes, kind, args: lanes.call(name, kind, *args))


def _integral(name: str) -> Emit:
    """Rounding to integral values. LLVM would call a function per lane for a widening that it sees through."""
    plain = _intrinsic(name)

    def emit(lanes: Lanes, instr: Instr, args: Sequence[str]) -> str:
        if instr.type is not F16:
            return plain(lanes, instr, args)
        return down(lanes, F16, lanes.call(name, "float", half_up(lanes, args[0])))

    return emit


def _fma(lanes: Lanes, instr: Instr, args: Sequence[str]) -> str:
    kind = instr.type
    if kind is F64 or (kind is F32 and lanes.tier.fma):
        return lanes.call("fma", scalar_type(kind), *args)
    if kind is F16:  # a product of halves is exact in float, and never leaves its range
        x, y, z = (up(lanes, kind, arg) for arg in args)
        return down(lanes, kind, odd_sum(lanes, lanes.binary("fmul", "float", x, y), z, "float"))
    a, b, c = (to_double(lanes, kind, arg) for arg in args)
    return from_double(lanes, kind, odd_sum(lanes, lanes.binary("fmul", "double", a, b), c))


def _bits(instr: Instr) -> tuple[str, int]:
    return f"i{instr.type.bits}", 1 << (instr.type.bits - 1)


def _sign_op(op: str, flip: bool) -> Emit:
    def emit(lanes: Lanes, instr: Instr, args: Sequence[str]) -> str:
        whole, sign = _bits(instr)
        value = lanes.cast("bitcast", scalar_type(instr.type), args[0], whole)
        mask = sign if flip else sign - 1
        return lanes.cast(
            "bitcast", whole, lanes.binary(op, whole, value, lanes.constant(whole, mask)), scalar_type(instr.type)
        )

    return emit


def _copysign(lanes: Lanes, instr: Instr, args: Sequence[str]) -> str:
    whole, sign = _bits(instr)
    kind = scalar_type(instr.type)
    a, b = (lanes.cast("bitcast", kind, arg, whole) for arg in args)
    magnitude = lanes.binary("and", whole, a, lanes.constant(whole, sign - 1))
    taken = lanes.binary("and", whole, b, lanes.constant(whole, sign))
    return lanes.cast("bitcast", whole, lanes.binary("or", whole, magnitude, taken), kind)


def _compare(lanes: Lanes, instr: Instr, args: Sequence[str]) -> str:
    kind = instr.operands[0].type
    a, b = (up(lanes, kind, arg) for arg in args)
    return lanes.compare(f"fcmp {instr.attr('pred')}", working(kind), a, b)


# --- the card's units, in float64 arithmetic as `isa.transcendental` writes it ------------------------------------


def _unit(operation: Callable[[Lanes, str], str]) -> Emit:
    def emit(lanes: Lanes, instr: Instr, args: Sequence[str]) -> str:
        wide = lanes.cast("fpext", "float", args[0], "double")
        return lanes.cast("fptrunc", "double", operation(lanes, wide), "float")

    return emit


def _reciprocal_root(lanes: Lanes, x: str) -> str:
    return lanes.binary("fdiv", "double", lanes.constant("double", 1.0), lanes.call("sqrt", "double", x))


def _polynomial(lanes: Lanes, coefficients: Sequence[float], x: str) -> str:
    total = lanes.constant("double", coefficients[-1])
    for coefficient in reversed(coefficients[:-1]):
        product = lanes.binary("fmul", "double", total, x)
        total = lanes.binary("fadd", "double", product, lanes.constant("double", coefficient))
    return total


def _clipped(lanes: Lanes, x: str) -> str:
    low, high = lanes.constant("double", -160.0), lanes.constant("double", 130.0)
    number = lanes.select(lanes.compare("fcmp uno", "double", x, x), "double", lanes.constant("double", 0.0), x)
    number = lanes.select(lanes.compare("fcmp olt", "double", number, low), "double", low, number)
    return lanes.select(lanes.compare("fcmp ogt", "double", number, high), "double", high, number)


def _exp2(lanes: Lanes, x: str) -> str:
    inside, shift = _clipped(lanes, x), lanes.constant("double", _ROUND)
    moved = lanes.binary("fadd", "double", inside, shift)  # the integer is in its low bits
    part = lanes.binary("fsub", "double", inside, lanes.binary("fsub", "double", moved, shift))
    scaled = lanes.binary("fmul", "double", _polynomial(lanes, EXP2_COEFFICIENTS, part), part)
    near_one = lanes.binary("fadd", "double", scaled, lanes.constant("double", 1.0))
    exponent = lanes.binary("shl", "i64", lanes.cast("bitcast", "double", moved, "i64"), lanes.constant("i64", 52))
    power = lanes.cast(
        "bitcast", "i64", lanes.binary("add", "i64", exponent, lanes.constant("i64", 1023 << 52)), "double"
    )
    result = lanes.binary("fmul", "double", near_one, power)
    return lanes.select(lanes.compare("fcmp uno", "double", x, x), "double", x, result)


def _log2(lanes: Lanes, x: str) -> str:
    zero, one, infinity = (lanes.constant("double", item) for item in (0.0, 1.0, float("inf")))
    positive = lanes.compare("fcmp ogt", "double", x, zero)
    finite = lanes.binary("and", "i1", positive, lanes.compare("fcmp olt", "double", x, infinity))
    bits = lanes.cast("bitcast", "double", lanes.select(finite, "double", x, one), "i64")
    above = lanes.binary("sub", "i64", bits, lanes.constant("i64", _HALF_SQRT - (1024 << 52)))
    biased = lanes.binary("lshr", "i64", above, lanes.constant("i64", 52))  # the exponent + 1024, which is positive
    moved = lanes.binary(
        "shl", "i64", lanes.binary("sub", "i64", biased, lanes.constant("i64", 1024)), lanes.constant("i64", 52)
    )
    mantissa = lanes.cast("bitcast", "i64", lanes.binary("sub", "i64", bits, moved), "double")
    s = lanes.binary(
        "fdiv", "double", lanes.binary("fsub", "double", mantissa, one), lanes.binary("fadd", "double", mantissa, one)
    )
    square = lanes.binary("fmul", "double", s, s)
    series = lanes.binary("fmul", "double", _polynomial(lanes, LOG2_COEFFICIENTS, square), s)
    number = lanes.binary("or", "i64", biased, lanes.constant("i64", _AS_DOUBLE))
    whole = lanes.binary(
        "fsub", "double", lanes.cast("bitcast", "i64", number, "double"), lanes.constant("double", 2.0**52 + 1024)
    )
    value = lanes.binary("fadd", "double", whole, series)
    special = lanes.select(
        lanes.compare("fcmp oeq", "double", x, infinity), "double", infinity, lanes.constant("double", float("nan"))
    )
    special = lanes.select(
        lanes.compare("fcmp oeq", "double", x, zero), "double", lanes.constant("double", float("-inf")), special
    )
    return lanes.select(finite, "double", value, special)


def pair(lanes: Lanes, word: str) -> tuple[str, str]:
    """The two bf16 values of a word as floats, low half first."""
    low = lanes.binary("shl", "i32", word, lanes.constant("i32", 16))
    high = lanes.binary("and", "i32", word, lanes.constant("i32", -65536))
    return lanes.cast("bitcast", "i32", low, "float"), lanes.cast("bitcast", "i32", high, "float")


def dot_chains(lanes: Lanes, xs: Sequence[str], ys: Sequence[str], c: str) -> str:
    """c + (E + O) of eight products: E adds those of even, O those of odd terms, each from +0.

    E is begun with its first product here. That makes a difference only where E would be +0 and is -0, and none for
    E + O, as O is never -0.
    """
    chains = ["", lanes.constant("float", 0.0)]
    for index, (x, y) in enumerate(zip(xs, ys, strict=True)):
        product = lanes.binary("fmul", "float", x, y)
        before = chains[index % 2]
        chains[index % 2] = lanes.binary("fadd", "float", before, product) if before else product
    return lanes.binary("fadd", "float", c, lanes.binary("fadd", "float", chains[0], chains[1]))


def _reciprocal(lanes: Lanes, kind: str, args: Sequence[str]) -> str:
    return lanes.binary("fdiv", kind, lanes.constant(kind, 1.0), args[0])


TABLE: Mapping[str, Emit] = {
    **{name: _arithmetic(name) for name in ("fadd", "fsub", "fmul", "fdiv")},
    "fma": _fma,
    "frcp": _on_working(_reciprocal),
    "fsqrt": _intrinsic("sqrt"),
    "fneg": _sign_op("xor", True),
    "fabs": _sign_op("and", False),
    "copysign": _copysign,
    "fmin": _intrinsic("minimumnum"),
    "fmax": _intrinsic("maximumnum"),
    "fminimum": _intrinsic("minimum"),
    "fmaximum": _intrinsic("maximum"),
    "ffloor": _integral("floor"),
    "fceil": _integral("ceil"),
    "ftrunc": _integral("trunc"),
    "frint": _integral("rint"),
    "frsqrt": _unit(_reciprocal_root),
    "fexp2": _unit(_exp2),
    "flog2": _unit(_log2),
    "fcmp": _compare,
}
