"""What a processing element operation is in kernel IR: one rule per mnemonic, chosen by the form's name.

Operands are patterns, i16 or i32 as the operand's width says; so is the result. The rules follow `isa/numeric.py` with
the card's settings; NaNs may have other bits.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from openrpp.codegen.errors import Unsupported
from openrpp.codegen.lift import doubles
from openrpp.codegen.lift.emit import Emitter
from openrpp.isa.numeric import Numerics
from openrpp.kir.ir import Value
from openrpp.kir.types import BF16, F16, F32, I1, I8, I16, I32, I64, Type

Rule = Callable[["Arithmetic", list[str], list[Value]], Value]
_INTEGERS: Final = {"8": I8, "16": I16, "32": I32}
_LEAST_NORMAL32: Final = 0x0080_0000
_RELATIONS: Final = {"LT": "lt", "GT": "gt", "EQ": "eq", "NE": "ne", "LE": "le", "GE": "ge"}
_FLOAT_OPS: Final = {"ADD": "fadd", "SUB": "fsub", "MUL": "fmul", "DIV": "fdiv"}
_INTEGER_OPS: Final = {"ADD": "add", "SUB": "sub", "MUL": "mul", "AND": "and", "OR": "or", "XOR": "xor"}
_UNITS: Final = {"RCP": "frcp", "RSQRT": "frsqrt", "SQRT": "fsqrt", "EX2": "fexp2", "LG2": "flog2"}


class Arithmetic:
    """Rules of the processing element under a card's numeric settings."""

    def __init__(self, to: Emitter, numerics: Numerics) -> None:
        self.to = to
        self.numerics = numerics

    def result(self, name: str, operands: list[Value]) -> Value:
        """The result of an operation. Raises Unsupported for one that has no rule, or a setting that it cannot meet."""
        head, *parts = name.split(".")
        if "F64" in parts:
            return self._of_doubles(head, parts, operands)
        rule = _RULES.get(head)
        if rule is None:
            raise Unsupported(f"{name} has no kernel IR", self.to.kernel.name, self.to.location)
        return rule(self, parts, operands)

    def _of_doubles(self, head: str, parts: list[str], operands: list[Value]) -> Value:
        if head == "CMP":
            return doubles.compared(self.to, parts[1], operands, self.numerics.compare_true)
        if head == "CVT":
            source, target, *how = parts
            return doubles.converted(self.to, source, target, how, operands)
        return doubles.computed(self.to, head, parts, operands)

    def refuse(self, what: str) -> Unsupported:
        """The error for a setting that no op of the kernel IR follows."""
        return Unsupported(f"{what} cannot be lifted", self.to.kernel.name, self.to.location)

    # --- float ----------------------------------------------------------------------------------------------------

    def flushed(self, value: Value) -> Value:
        """A float32 result under the card's rule for denormals."""
        if self.numerics.denormals == "keep":
            return value
        to = self.to
        bits = to.pattern(value)
        tiny = to.test("ult", to.op("and", bits, 0x7FFF_FFFF), _LEAST_NORMAL32)
        return to.single(to.chosen(tiny, to.op("and", bits, 0x8000_0000), bits))

    def out32(self, value: Value) -> Value:
        """The pattern of a float32 result."""
        return self.to.pattern(self.flushed(value))

    def truncates(self) -> bool:
        """Whether bf16 results drop their low half."""
        return self.numerics.bf16_rounding == "truncate"

    def brain_result(self, op: str, operands: list[Value]) -> Value:
        """A bf16 sum, difference or product."""
        to = self.to
        if not self.truncates() and self.numerics.denormals == "keep":
            return to.pattern(to.op(op, *(to.brain(item) for item in operands)))
        exact = self.flushed(to.op(op, *(to.widened(item) for item in operands)))
        if self.truncates():
            return to.high(to.pattern(exact))
        return to.pattern(to.op("fptrunc", exact, kind=BF16))

    # --- integers and floats --------------------------------------------------------------------------------------

    def to_integer(self, value: Value, kind: Type, *, signed: bool) -> Value:
        """Toward zero; saturated, or the low bits where the card's setting is to wrap."""
        to = self.to
        if self.numerics.float_to_int == "saturate":
            return to.op("fptosi" if signed else "fptoui", value, kind=kind)
        whole, far = to.op("fptosi", value, kind=I64), 1 << 62
        return to.resized(to.op("smax", to.op("smin", whole, far), -far), kind)

    def from_integer(self, value: Value, kind: Type, *, signed: bool) -> Value:
        """Rounded once to float32 or bf16."""
        to = self.to
        if kind is BF16 and self.numerics.int_to_bf16 != "nearest-even":
            return self._truncated_integer(value, signed=signed)
        return to.pattern(to.op("sitofp" if signed else "uitofp", value, kind=kind))

    def _truncated_integer(self, value: Value, *, signed: bool) -> Value:
        """An integer to bf16 toward zero: bits below the eight that count are dropped first."""
        to = self.to
        wide = to.resized(value, I64, signed=signed)
        size = to.op("abs", wide) if signed else wide
        length = to.op("sub", to.number(I64, 64), to.op("clz", size))
        spare = to.op("smax", to.op("sub", length, 8), 0)
        kept = to.op("shl", to.op("lshr", size, spare), spare)
        bits = to.pattern(to.op("uitofp", kept, kind=BF16))
        if not signed:
            return bits
        return to.op("or", bits, to.chosen(to.test("slt", wide, 0), to.number(I16, 0x8000), to.number(I16, 0)))

    def count(self, value: Value, width: int) -> Value:
        """A shift count for an operand of a width, under the setting for counts beyond it."""
        kind = I16 if width == 16 else I32
        sized = self.to.resized(value, kind)
        return self.to.op("and", sized, width - 1) if self.numerics.shift_overflow == "modulo" else sized


# --- rules ---------------------------------------------------------------------------------------------------------


def _sum(head: str) -> Rule:
    def rule(at: Arithmetic, parts: list[str], operands: list[Value]) -> Value:
        to, kind = at.to, parts[0]
        if parts[1:] == ["R0MB"]:
            high, low, addend = operands
            return at.out32(to.op("fadd", to.single(to.joined(low, high)), to.single(addend)))
        if kind == "F32":
            return at.out32(to.op(_FLOAT_OPS[head], *(to.single(item) for item in operands)))
        if kind == "F16":
            return at.brain_result(_FLOAT_OPS[head], operands)
        if parts[1:] == ["WIDE"]:
            return to.op("mul", *(to.wide(item) for item in operands))
        return to.op(_INTEGER_OPS[head], *operands)

    return rule


def _extremum(head: str) -> Rule:
    def rule(at: Arithmetic, parts: list[str], operands: list[Value]) -> Value:
        op = {"MIN": "fmin", "MAX": "fmax"}[head]
        if at.numerics.minmax_nan != "number":
            op += "imum"
        view = at.to.single if parts[0] == "F32" else at.to.brain
        return at.to.pattern(at.to.op(op, *(view(item) for item in operands)))

    return rule


def _fused(at: Arithmetic, parts: list[str], operands: list[Value]) -> Value:
    to = at.to
    if parts and parts[0] == "F32":
        return at.out32(to.op("fma", *(to.single(item) for item in operands)))
    if at.truncates():
        raise at.refuse("FMA.F16 with results of bf16 truncated (choices: bf16_rounding)")
    return to.pattern(to.op("fma", *(to.brain(item) for item in operands)))


def _half_fused(at: Arithmetic, parts: list[str], operands: list[Value]) -> Value:
    a, b, c = operands
    return at.out32(at.to.op("fma", at.to.widened(a), at.to.widened(b), at.to.single(c)))


def _negated(at: Arithmetic, parts: list[str], operands: list[Value]) -> Value:
    return at.to.op("xor", operands[0], 0x8000)


def _copysign(at: Arithmetic, parts: list[str], operands: list[Value]) -> Value:
    sign, magnitude = operands
    return at.to.op("or", at.to.op("and", sign, 0x8000), at.to.op("and", magnitude, 0x7FFF))


def _move(at: Arithmetic, parts: list[str], operands: list[Value]) -> Value:
    return operands[0]


def _invert(at: Arithmetic, parts: list[str], operands: list[Value]) -> Value:
    return at.to.op("xor", operands[0], operands[0].type.mask)


def _shift(op: str) -> Rule:
    def rule(at: Arithmetic, parts: list[str], operands: list[Value]) -> Value:
        value, count = operands
        return at.to.op(op, value, at.count(count, value.type.bits))

    return rule


def _unit(head: str) -> Rule:
    def rule(at: Arithmetic, parts: list[str], operands: list[Value]) -> Value:
        return at.out32(at.to.op(_UNITS[head], at.to.single(operands[0])))

    return rule


def _unpack(at: Arithmetic, parts: list[str], operands: list[Value]) -> Value:
    to, value = at.to, operands[0]
    if parts[0] == "U8":
        low, high = to.op("and", value, 0xFF), to.op("lshr", value, 8)
    else:
        byte = to.op("lshr", value, 8) if parts[1] == "HIGH" else value
        low, high = to.op("and", byte, 15), to.op("and", to.op("lshr", byte, 4), 15)
    return to.joined(low, high)


def _compare(at: Arithmetic, parts: list[str], operands: list[Value]) -> Value:
    to, (kind, relation) = at.to, parts
    name = _RELATIONS[relation]
    if kind.startswith("F"):
        view = to.single if kind == "F32" else to.brain
        a, b = (view(item) for item in operands)
        holds = to.op("fcmp", a, b, pred=("u" if name == "ne" else "o") + name)
    else:
        sign = "" if name in ("eq", "ne") else kind[0].lower()
        holds = to.test(sign + name, *operands)
    return to.chosen(holds, to.number(I16, at.numerics.compare_true), to.number(I16, 0))


def _merge(at: Arithmetic, parts: list[str], operands: list[Value]) -> Value:
    a, b, condition = operands
    holds = condition if condition.type is I1 else at.to.test("ne", condition, 0)
    return at.to.chosen(holds, b, a)


def _thread_id(at: Arithmetic, parts: list[str], operands: list[Value]) -> Value:
    to, (packed, depack) = at.to, operands
    value, sixteen = to.wide(packed), to.number(I32, 16)
    bits_x = to.op("umin", to.op("and", depack, 0xFF), sixteen)
    bits_y = to.op("umin", to.op("and", to.op("lshr", depack, 8), 0xFF), sixteen)

    def cut(number: Value, bits: Value) -> Value:
        return to.op("and", number, to.op("sub", to.op("shl", to.number(I32, 1), bits), 1))

    if parts[0] == "X":
        found = cut(value, bits_x)
    elif parts[0] == "Y":
        found = cut(to.op("lshr", value, bits_x), bits_y)
    else:
        found = to.op("lshr", value, to.op("umin", to.op("add", bits_x, bits_y), sixteen))
    return to.low(found)


def _convert(at: Arithmetic, parts: list[str], operands: list[Value]) -> Value:
    to, (source, target, *how), value = at.to, parts, operands[0]
    if source == "F16" and target == "F32":
        return to.op("shl", to.wide(value), 16)
    if source == "F32" and target == "F16" and not how:
        return to.high(value)
    if source == "F32" and target in ("F16", "H16"):
        return to.pattern(to.op("fptrunc", to.single(value), kind=BF16 if target == "F16" else F16))
    if source == "H16":
        return to.pattern(to.op("fpext", to.op("bitcast", value, kind=F16), kind=F32))
    if source.startswith("F"):
        return _float_to_integer(at, source, target, value)
    narrow = to.resized(value, _INTEGERS[source[1:]])
    if target.startswith("F"):
        return at.from_integer(narrow, F32 if target == "F32" else BF16, signed=source[0] == "S")
    return to.resized(narrow, _INTEGERS[target[1:]], signed=source[0] == "S")


def _float_to_integer(at: Arithmetic, source: str, target: str, value: Value) -> Value:
    to, signed = at.to, target[0] == "S"
    number = to.single(value) if source == "F32" else to.widened(value)
    found = at.to_integer(number, _INTEGERS[target[1:]], signed=signed)
    return to.resized(found, I16, signed=signed) if found.type is I8 else found


_RULES: Final[dict[str, Rule]] = {
    **{head: _sum(head) for head in ("ADD", "SUB", "MUL", "AND", "OR", "XOR", "DIV")},
    **{head: _extremum(head) for head in ("MIN", "MAX")},
    **{head: _unit(head) for head in _UNITS},
    "FMA": _fused,
    "HFMA": _half_fused,
    "NEG": _negated,
    "COPYSIGN": _copysign,
    "MOVE": _move,
    "NOT": _invert,
    "SHL": _shift("shl"),
    "SHR": _shift("lshr"),
    "SAR": _shift("ashr"),
    "UNPACK": _unpack,
    "CMP": _compare,
    "MERGE": _merge,
    "MERGEMASK": _merge,
    "DECTID": _thread_id,
    "CVT": _convert,
}
