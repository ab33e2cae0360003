"""Operations on 64-bit floats in kernel IR. An operand is a low and a high word; an operation gives one of its own."""

from __future__ import annotations

from typing import Final

from openrpp.codegen.lift.emit import Emitter
from openrpp.kir.ir import Value
from openrpp.kir.types import BF16, F16, F32, F64, I16, I32, I64

_OPS: Final = {
    "ADD": "fadd", "SUB": "fsub", "MUL": "fmul", "DIV": "fdiv", "MIN": "fmin", "MAX": "fmax", "FMA": "fma",
    "SQRT": "fsqrt", "FLOOR": "ffloor", "CEIL": "fceil", "TRUNC": "ftrunc", "RINT": "frint",
}  # fmt: skip
_NARROW: Final = {"F32": F32, "F16": BF16, "H16": F16}


def _double(to: Emitter, low: Value, high: Value) -> Value:
    return to.op("bitcast", to.joined(low, high), kind=F64)


def _doubles(to: Emitter, words: list[Value]) -> list[Value]:
    return [_double(to, words[place], words[place + 1]) for place in range(0, len(words), 2)]


def word_of(to: Emitter, value: Value, part: str) -> Value:
    """The low or the high word of 64 bits."""
    bits = value if value.type is I64 else to.pattern(value)
    return to.op("trunc", to.op("lshr", bits, 32) if part == "HIGH" else bits, kind=I32)


def compared(to: Emitter, relation: str, words: list[Value], true: int) -> Value:
    """A comparison: `true` where it holds; with a NaN only NE does."""
    name = relation.lower()
    holds = to.op("fcmp", *_doubles(to, words), pred=("u" if name == "ne" else "o") + name)
    return to.chosen(holds, to.number(I16, true), to.number(I16, 0))


def computed(to: Emitter, head: str, parts: list[str], words: list[Value]) -> Value:
    """A sum, product, quotient, extremum, root or integral part."""
    return word_of(to, to.op(_OPS[head], *_doubles(to, words)), parts[-1])


def converted(to: Emitter, source: str, target: str, how: list[str], words: list[Value]) -> Value:
    """A conversion from or to a 64-bit float."""
    if source != "F64":
        return word_of(to, _widened(to, source, words), how[-1])
    value = _double(to, *words)
    if target in _NARROW:
        return to.pattern(to.op("fptrunc", value, kind=_NARROW[target]))
    kind = I64 if target.endswith("64") else I32
    whole = to.op("fptosi" if target[0] == "S" else "fptoui", value, kind=kind)
    return word_of(to, whole, how[-1]) if kind is I64 else whole


def _widened(to: Emitter, source: str, words: list[Value]) -> Value:
    if source == "F32":
        return to.op("fpext", to.single(words[0]), kind=F64)
    given = to.joined(*words) if source.endswith("64") else words[0]
    return to.op("sitofp" if source[0] == "S" else "uitofp", given, kind=F64)
