"""Integers, floats, comparisons, conversions and selects as machine operations."""

from __future__ import annotations

from collections.abc import Mapping

from openrpp.codegen.card import doubles, wide
from openrpp.codegen.card.lowering import Lowering, Rule
from openrpp.codegen.card.mixed import half_of, mixed_product
from openrpp.codegen.card.steps import Part, Read, Source
from openrpp.kir.ir import Instr
from openrpp.kir.passes.expand.bounds import most
from openrpp.kir.types import BF16, F32, F64, Type

_BITWISE = {"and": "AND.U32", "or": "OR.U32", "xor": "XOR.U32"}
_SHIFTS = {"shl": "SHL.U32", "lshr": "SHR.U32", "ashr": "SAR.S32"}
_RELATIONS = {"eq": "EQ", "ne": "NE", "lt": "LT", "le": "LE", "gt": "GT", "ge": "GE"}
_FLOAT = {"fadd": "ADD", "fsub": "SUB", "fmul": "MUL", "fdiv": "DIV", "fmin": "MIN", "fmax": "MAX"}
_UNARY = {"frcp": "RCP.F32", "frsqrt": "RSQRT.F32", "fsqrt": "SQRT.F32", "fexp2": "EX2.F32", "flog2": "LG2.F32"}
_INVERSE = {"eq": "NE", "ne": "EQ", "lt": "GE", "le": "GT", "gt": "LE", "ge": "LT"}


def _integer(lower: Lowering, instr: Instr) -> None:
    """add, sub, mul: 32 or 64 bits."""
    a, b = instr.operands
    name = instr.op.name
    if instr.type.bits == 64:
        work = {"add": wide.add, "sub": wide.sub, "mul": wide.multiply}[name]
        lower.give(instr, *work(lower, lower.two(a), lower.two(b)))
        return
    _only_words(lower, instr)
    work = {"add": lower.add, "sub": lower.sub, "mul": lower.multiply}[name]
    lower.give(instr, work(lower.one(a), lower.one(b)))


def _only_words(lower: Lowering, instr: Instr) -> None:
    if instr.type.bits != 32:
        raise lower.unsupported(instr)


def _bitwise(lower: Lowering, instr: Instr) -> None:
    """and, or, xor: any width, since narrow integers are zero-extended."""
    a, b = (lower.sources(value) for value in instr.operands)
    work = {"and": lower.both, "or": lower.either, "xor": lower.exclusive}[instr.op.name]
    lower.give(instr, *[work(x, y) for x, y in zip(a, b, strict=True)])


def _shift(lower: Lowering, instr: Instr) -> None:
    a, count = instr.operands
    name = instr.op.name
    if instr.type.bits == 64:
        lower.give(instr, *wide.shift(lower, name, lower.two(a), lower.two(count), most(count)))
        return
    _only_words(lower, instr)
    value, by = lower.one(a), lower.one(count)
    if isinstance(by, int):
        beyond = min(by, 31) if name == "ashr" else by
        lower.give(instr, lower.shift(_SHIFTS[name], value, beyond) if beyond < 32 else 0)
        return
    if most(count) < 32:
        lower.give(instr, lower.shift(_SHIFTS[name], value, by))
        return
    fits = lower.compare("CMP.U32.LT", by, 32)
    shifted = lower.shift(_SHIFTS[name], value, lower.both(by, 31))
    over: Source = lower.shift("SAR.S32", value, 31) if name == "ashr" else 0
    lower.give(instr, lower.select(fits, shifted, over))


def _mulhi(lower: Lowering, instr: Instr) -> None:
    _only_words(lower, instr)
    a, b = (lower.one(value) for value in instr.operands)
    lower.give(instr, wide.high_product(lower, a, b))


def _icmp(lower: Lowering, instr: Instr) -> None:
    pred = str(instr.attr("pred"))
    signed, relation = pred.startswith("s"), pred.lstrip("us") if pred not in ("eq", "ne") else pred
    if len(lower.sources(instr.operands[0])) == 2:
        left, right = (lower.two(value) for value in instr.operands)
        lower.give(instr, wide.compare(lower, signed, relation, left, right))
        return
    if signed and instr.operands[0].type.bits != 32:
        raise lower.unsupported(instr)
    a, b = (lower.one(value) for value in instr.operands)
    if instr.operands[0].type.bits == 1:
        a, b = lower.number(a), lower.number(b)
    kind = "S32" if signed else "U32"
    lower.give(instr, lower.compare(f"CMP.{kind}.{_RELATIONS[relation]}", a, b))


# --- floats ----------------------------------------------------------------------------------------------------


def _reads(lower: Lowering, instr: Instr) -> list[Read]:
    """Operands as pairs."""
    return [Read(lower.one(value)) for value in instr.operands]


def _float_kind(lower: Lowering, instr: Instr, kind: Type) -> str:
    if kind is F32:
        return "F32"
    raise lower.unsupported(instr)


def _float(lower: Lowering, instr: Instr) -> None:
    if instr.type is F64:
        doubles.operation(lower, instr)
        return
    if instr.type is BF16:
        text = f"{_FLOAT.get(instr.op.name, 'FMA')}.F16"
        wide.operate(lower, instr, text, *(half_of(lower, value) for value in instr.operands))
        return
    if mixed_product(lower, instr):
        return
    name, kind = instr.op.name, _float_kind(lower, instr, instr.type)
    text = f"{_FLOAT[name]}.{kind}" if name in _FLOAT else f"FMA.{kind}"
    wide.operate(lower, instr, text, *_reads(lower, instr))


def _of_doubles(lower: Lowering, instr: Instr) -> None:
    """What the card has for 64-bit floats only."""
    if instr.type is not F64:
        raise lower.unsupported(instr)
    doubles.operation(lower, instr)


def _unary(lower: Lowering, instr: Instr) -> None:
    if instr.type is F64:
        _of_doubles(lower, instr)
        return
    _float_kind(lower, instr, instr.type)
    wide.operate(lower, instr, _UNARY[instr.op.name], *_reads(lower, instr))


def _fcmp(lower: Lowering, instr: Instr) -> None:
    """The machine's relations are false with a NaN, except NE; the others are made of them."""
    source = instr.operands[0].type
    kind = "F64" if source is F64 else _float_kind(lower, instr, source)
    a, b = (doubles.reads(lower, value) for value in instr.operands)
    pred = str(instr.attr("pred"))

    def holds(relation: str, x: tuple[Read, ...], y: tuple[Read, ...]) -> Source:
        return lower.compare(f"CMP.{kind}.{relation}", *x, *y)

    if pred in ("ord", "uno"):
        none = lower.either(holds("NE", a, a), holds("NE", b, b))
        found: Source = none if pred == "uno" else lower.invert(none)
    elif pred in ("one", "ueq"):
        apart = lower.either(holds("LT", a, b), holds("GT", a, b))
        found = apart if pred == "one" else lower.invert(apart)
    elif pred in ("oeq", "une") or pred.startswith("o"):
        found = holds("NE" if pred == "une" else _RELATIONS[pred[1:]], a, b)
    else:
        found = lower.invert(holds(_INVERSE[pred[1:]], a, b))
    lower.give(instr, found)


# --- conversions -------------------------------------------------------------------------------------------------


def _trunc(lower: Lowering, instr: Instr) -> None:
    low = lower.sources(instr.operands[0])[0]
    lower.give(instr, *_fitted(lower, low, instr.type))


def _fitted(lower: Lowering, low: Source, kind: Type) -> tuple[Source, ...]:
    """The low bits of a word as an integer of a type of up to 32 bits."""
    return (low,) if kind.bits == 32 else (lower.both(low, kind.mask),)


def _zext(lower: Lowering, instr: Instr) -> None:
    low = lower.one(instr.operands[0])
    if instr.operands[0].type.bits == 1:
        low = lower.number(low)
    lower.give(instr, *((low, 0) if instr.type.bits == 64 else (low,)))


def _sext(lower: Lowering, instr: Instr) -> None:
    low, bits = lower.one(instr.operands[0]), instr.operands[0].type.bits
    if bits < 32:
        low = lower.shift("SAR.S32", lower.shift("SHL.U32", low, 32 - bits), 32 - bits)
    if instr.type.bits == 64:
        lower.give(instr, low, lower.shift("SAR.S32", low, 31))
    else:
        lower.give(instr, *_fitted(lower, low, instr.type))


def _same_bits(lower: Lowering, instr: Instr) -> None:
    lower.give(instr, *lower.sources(instr.operands[0]))


def _select(lower: Lowering, instr: Instr) -> None:
    condition = lower.one(instr.operands[0])
    yes, no = (lower.sources(value) for value in instr.operands[1:])
    lower.give(instr, *[lower.select(condition, a, b) for a, b in zip(yes, no, strict=True)])


_NAMES = {"f32": "F32", "bf16": "F16", "f16": "H16", "i32": "32"}


def _converted(lower: Lowering, instr: Instr) -> None:
    """Between floats, and between floats and integers of 32 bits."""
    source, target = instr.operands[0].type, instr.type
    if F64 in (source, target):
        doubles.conversion(lower, instr)
        return
    if not (str(source) in _NAMES and str(target) in _NAMES):
        raise lower.unsupported(instr)
    sign = "S" if instr.op.name in ("sitofp", "fptosi") else "U"
    a, b = (_NAMES[str(kind)] if kind.is_float else sign + _NAMES[str(kind)] for kind in (source, target))
    rounding = ".RN" if (a, b) in (("F32", "F16"), ("F32", "H16")) else ""
    (value,) = instr.operands
    read = half_of(lower, value) if source.bits == 16 else Read(lower.one(value))
    wide.operate(lower, instr, f"CVT.{a}.{b}{rounding}", read)


def _unpack(lower: Lowering, instr: Instr) -> None:
    """Two parts of a word into the halves of another, then what they are or'ed with."""
    packed, other = (lower.one(value) for value in instr.operands)
    text = "U8" if instr.op.name == "unpack8" else "U4.HIGH" if instr.attr("high") else "U4.LOW"
    lower.give(instr, lower.either(lower.pe(f"UNPACK.{text}", Read(packed, Part.LOW)), other))


RULES: Mapping[str, Rule] = {
    **dict.fromkeys(("add", "sub", "mul"), _integer),
    **dict.fromkeys(_BITWISE, _bitwise),
    **dict.fromkeys(_SHIFTS, _shift),
    "mulhi_u": _mulhi,
    **dict.fromkeys(("unpack4", "unpack8"), _unpack),
    "icmp": _icmp,
    **dict.fromkeys((*_FLOAT, "fma"), _float),
    **dict.fromkeys(_UNARY, _unary),
    **dict.fromkeys(("ffloor", "fceil", "ftrunc", "frint"), _of_doubles),
    "fcmp": _fcmp,
    "trunc": _trunc,
    "zext": _zext,
    "sext": _sext,
    "bitcast": _same_bits,
    "select": _select,
    **dict.fromkeys(("fptrunc", "fpext", "fptosi", "fptoui", "sitofp", "uitofp"), _converted),
}
