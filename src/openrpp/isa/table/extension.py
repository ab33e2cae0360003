"""Rows that the published machine does not have: OpenRPP's extensions of the sequencer and the processing element.

Every form names its group; a program lists the groups that it uses, so it is always clear whether it runs on the
published chip. The words are taken from opcodes that no published image uses. Layouts follow those of `pe.py` and
`scalar.py`; an operation of three operands with a scalar register has flag [7] and the register at [6:1].

The forms of each group, and what an engine does for the effects `vote`, `shuffle` and `atomic`, stand in the equations.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

import numpy as np

from openrpp.isa import crosslane
from openrpp.isa import numeric as num
from openrpp.isa import transcendental as fun
from openrpp.isa.form import Cost, Field, Form, Instruction, Unit
from openrpp.isa.table import pe, scalar
from openrpp.isa.table._build import s16, s32, vector
from openrpp.isa.table._build import scalar as register

CONFIDENCE = "ours"
SIGNED = 1 << 17


def flagged(group: str, rows: Iterable[Instruction], **changes: Any) -> list[Instruction]:
    """Rows as members of an extension group."""
    return [
        replace(
            row,
            confidence=CONFIDENCE,
            forms=tuple(replace(form, extension=group, **changes) for form in row.forms),
        )
        for row in rows
    ]


# --- fma32, math ---------------------------------------------------------------------------------------------


def _fused_row() -> Instruction:
    base = 0x8500_0000 | pe.WIDE
    a, b, c = vector(32, 18), vector(32, 12), vector(32, 8)
    forms = [
        pe.form("FMA.F32", "{a}, {b}, {c}, VAB", base, {"a": a, "b": b, "c": c}, num.fma_f32),
        pe.form("FMA.F32", "{a}, {b}, {c}, VAB", base | pe.SCALAR, {"a": a, "b": s32(1), "c": c}, num.fma_f32),
        pe.form("FMA.F32", "{a}, {b}, {c}, VAB", base | SIGNED | pe.SCALAR, {"a": a, "b": b, "c": s32(1)}, num.fma_f32),
    ]
    return pe.row("FMA.F32", "float32 multiply-add, one rounding; b or c may be a scalar pair.", "a b + c", "", *forms)


_UNITS: tuple[tuple[str, int, num.Define, str, str], ...] = (
    ("RCP", 1, fun.reciprocal, "Reciprocal, correctly rounded.", "1 / a"),
    ("RSQRT", 2, fun.reciprocal_root, "Reciprocal square root: float64, then one rounding.", "1 / sqrt(a)"),
    ("SQRT", 3, fun.square_root, "Square root, correctly rounded.", "sqrt(a)"),
    ("EX2", 4, fun.power_of_two, "Power of two; at most 0.50002 units in the last place off.", "2^a"),
    ("LG2", 5, fun.binary_logarithm, "Binary logarithm; at most 0.500001 units in the last place off.", "log2(a)"),
)


def _math_rows() -> list[Instruction]:
    rows: list[Instruction] = []
    for name, code, define, meaning, equation in _UNITS:
        form = pe.form(f"{name}.F32", "{a}, VAB", 0x8600_0000 | pe.WIDE | code, {"a": vector(32, 18)}, define)
        rows.append(pe.row(name, meaning, equation, "", form))
    forms = two_ways("DIV.F32", 0x8700_0000 | pe.WIDE, 32, fun.divide, "VAB")
    return [*rows, pe.row("DIV", "Quotient, correctly rounded.", "a / b", "", *forms)]


def two_ways(name: str, base: int, width: int, define: num.Define, target: str) -> list[Form]:
    """a op b with b a vector register or a scalar register."""
    options = ((vector(width, 12), 0), (register(width, 10), pe.SCALAR))
    syntax = f"{{a}}, {{b}}, {target}"
    return [pe.form(name, syntax, base | bit, {"a": vector(width, 18), "b": b}, define) for b, bit in options]


# --- logic -----------------------------------------------------------------------------------------------------


def _invert(n: num.Numerics, a: num.Bits) -> num.Bits:
    return np.invert(a)


def _vector_logic() -> list[Instruction]:
    exclusive = num.integer(np.bitwise_xor)
    xor = [form for width in (16, 32) for form in pe.three_ways(f"XOR.U{width}", 0x93, width, exclusive)]
    invert = [
        pe.form(
            f"NOT.U{width}",
            "{a}, VAB" if width == 32 else "{a}, VA",
            0x9400_0000 | (width == 32) << 16,
            {"a": vector(width, 18)},
            _invert,
        )
        for width in (16, 32)
    ]
    shift = [
        form
        for width in (16, 32)
        for form in pe.three_ways(
            f"SAR.S{width}", 0x98, width, num.shift_right_signed, second=16, aliases=(f"SAR.U{width}",)
        )
    ]
    a, b, c = vector(32, 18), vector(32, 12), vector(16, 8)
    base = 0x9900_0000 | pe.WIDE | pe.SCALAR
    choose = [
        pe.form("MERGE", "{a}, {b}, {c}, VAB", base, {"a": a, "b": s32(1), "c": c}, num.merge),
        pe.form("MERGE", "{a}, {b}, {c}, VAB", base | SIGNED, {"a": s32(1), "b": b, "c": c}, num.merge),
    ]
    return [
        pe.row(
            "MERGE (scalar)", "Select a pair or a scalar pair by a per-lane condition.", "c != 0 ? b : a", "", *choose
        ),
        pe.row("XOR (vector)", "Bitwise exclusive or.", "a ^ b", "", *xor),
        pe.row("NOT (vector)", "Bitwise complement.", "~a", "", *invert),
        pe.row("SAR (vector)", "Arithmetic right shift by a 16-bit count.", "a >> b, signed", "", *shift),
    ]


def _signed_shift(width: int) -> Callable[[int, int], int]:
    def define(a: int, b: int) -> int:
        return (a - ((a >> (width - 1)) << width)) >> min(b, width - 1)

    return define


def _scalar_shift_row() -> Instruction:
    forms: list[Form] = []
    for width in (16, 32):
        template = scalar.shift("SAR", 0x0A, _signed_shift(width), "", "").forms
        own = [form for form in template if form.width == width]
        forms += [
            replace(form, name=f"SAR.S{width}", aliases=(form.name,), base=form.base | scalar.type_bits(f"S{width}"))
            for form in own
        ]
    return Instruction("SAR", Unit.SCALAR, "Arithmetic right shift.", "d = a >> b, signed", "", tuple(forms))


def _both_bits(a: int, b: int) -> int:
    return a & b


def _either_bit(a: int, b: int) -> int:
    return a ^ b


def _scalar_logic() -> list[Instruction]:
    types = ("U16", "U32")
    invert = [
        scalar.form(
            f"NOT.{name}",
            "{a}, {d}",
            0xE140_0000 | scalar.type_bits(name),
            {"a": register(width, 12), "d": register(width, 0)},
            define=operator.invert,
            width=width,
        )
        for name, width in (("U16", 16), ("U32", 32))
    ]
    return [
        scalar.alu("AND", 0x08, _both_bits, types, "Bitwise and.", "d = a & b"),
        scalar.alu("XOR", 0x12, _either_bit, types, "Bitwise exclusive or.", "d = a ^ b"),
        Instruction("NOT", Unit.SCALAR, "Bitwise complement.", "d = ~a", "", tuple(invert)),
        _scalar_shift_row(),
    ]


# --- compare ---------------------------------------------------------------------------------------------------

_VIEWS: dict[str, tuple[int, int, Callable[[Any], Any]]] = {
    "U16": (16, 0, lambda a: a),
    "U32": (32, pe.WIDE, lambda a: a),
    "S16": (16, SIGNED, lambda a: a.view(np.int16)),
    "S32": (32, SIGNED | pe.WIDE, lambda a: a.view(np.int32)),
    "F16": (16, 1 << 18, num.widen),
    "F32": (32, 1 << 18 | pe.WIDE, num.f32),
}
_RELATIONS: tuple[tuple[str, int, Callable[[Any, Any], Any], tuple[str, ...]], ...] = (
    ("LT", 0xA8, operator.lt, ("S16", "S32")),
    ("GT", 0xAC, operator.gt, ("S16", "S32")),
    ("EQ", 0xA9, operator.eq, tuple(_VIEWS)),
    ("NE", 0xAA, operator.ne, tuple(_VIEWS)),
    ("LE", 0xAB, operator.le, tuple(_VIEWS)),
    ("GE", 0xAD, operator.ge, tuple(_VIEWS)),
)


def _vector_compare() -> Instruction:
    forms: list[Form] = []
    for relation, opcode, operation, kinds in _RELATIONS:
        for kind in kinds:
            width, flag, view = _VIEWS[kind]
            define = num.compare(view, operation)
            first = vector(width, 19)
            for b, bit in ((vector(width, 12), 0), (register(width, 10), pe.SCALAR)):
                base = opcode << 24 | flag | bit
                forms.append(pe.form(f"CMP.{kind}.{relation}", "{a}, {b}, VA", base, {"a": first, "b": b}, define))
    meaning = "Compare by any relation and type; with a NaN only NE is true."
    return pe.row("CMP (vector, more)", meaning, "(a relation b) ? 1 : 0", "", *forms)


def _scalar_compare() -> Instruction:
    forms: list[Form] = []
    for relation, opcode in (("NE", 0xE86), ("LE", 0xE8C)):
        for name, (width, signed) in scalar.TYPES.items():
            forms.append(
                scalar.form(
                    f"CMP.{name}.{relation}",
                    "{a}, {b}, {d}",
                    opcode << 20 | scalar.type_bits(name),
                    {"a": register(width, 12), "b": register(width, 6), "d": s16(0)},
                    define=scalar.relation_define(relation, width, bool(signed)),
                )
            )
    meaning, equation = "Compare two registers; NE and LE.", "d = (a relation b) ? 1 : 0"
    return Instruction("CMP (more)", Unit.SCALAR, meaning, equation, "", tuple(forms))


# --- convert ---------------------------------------------------------------------------------------------------


def _low_byte(n: num.Numerics, a: num.Bits) -> num.Bits:
    return a & np.uint16(0xFF)


def _low_byte_wide(n: num.Numerics, a: num.Bits) -> num.Bits:
    return (a & np.uint16(0xFF)).astype(np.uint32)


_SOURCES: dict[str, Callable[[Any], Any]] = {
    "S8": lambda a: (a & np.uint16(0xFF)).astype(np.uint8).view(np.int8),
    "U8": lambda a: a & np.uint16(0xFF),
    "S16": lambda a: a.view(np.int16),
    "U16": lambda a: a,
    "S32": lambda a: a.view(np.int32),
    "U32": lambda a: a,
}
_TARGETS: dict[str, type[np.integer[Any]]] = {
    "S8": np.int8, "U8": np.uint8, "S16": np.int16, "U16": np.uint16, "S32": np.int32, "U32": np.uint32,
}  # fmt: skip
_EXTENSIONS: tuple[tuple[str, str, num.Define], ...] = (
    ("S8", "S16", num.resize(16, 8)),
    ("S8", "S32", num.resize(32, 8)),
    ("U8", "U16", _low_byte),
    ("U8", "U32", _low_byte_wide),
    ("S16", "S32", num.resize(32, 16)),
    ("U16", "S32", num.resize(32)),
)


def _byte_result(define: num.Define, kind: type[np.integer[Any]]) -> num.Define:
    """A conversion to 8 bits; the register holds the value extended to 16 bits."""
    wide = np.int16 if kind is np.int8 else np.uint16

    def extended(n: num.Numerics, a: num.Bits) -> num.Bits:
        return define(n, a).view(kind).astype(wide).view(np.uint16)

    return extended


def _float_pairs() -> Iterable[tuple[str, str, num.Define]]:
    for name, view in _SOURCES.items():
        yield name, "F32", num.int_to_f32(view)
        yield name, "F16", num.int_to_bf16(view)
    for name, kind in _TARGETS.items():
        for source, convert in (("F32", num.float_to_int), ("F16", num.bf16_to_int)):
            define = convert(kind)
            yield source, name, _byte_result(define, kind) if name.endswith("8") else define


def _round_to_bf16(n: num.Numerics, a: num.Bits) -> num.Bits:
    return num.narrow(num.f32(a), "nearest-even")


def _conversion_row() -> Instruction:
    pairs = [pair for pair in (*_float_pairs(), *_EXTENSIONS) if pair[:2] not in pe.PUBLISHED_CONVERSIONS]
    forms = [pe.conversion(source, target, define) for source, target, define in pairs]
    nearest = pe.conversion("F32", "F16", _round_to_bf16)
    forms.append(replace(nearest, name="CVT.F32.F16.RN", base=nearest.base | SIGNED))
    half = pe.conversion("F32", "H16", num.f32_to_half)
    forms.append(replace(half, name="CVT.F32.H16.RN", base=half.base | SIGNED))
    forms.append(pe.conversion("H16", "F32", num.half_to_f32))
    meaning = (
        "The conversions that are not published: integers and floats both ways, extension of integers, and float32 to "
        "bf16 to nearest even (.RN). H16 is IEEE half, denormals kept; its NaNs keep sign and payload, quiet. "
        "Float to integer goes toward zero; an 8-bit result is extended to 16 bits."
    )
    return pe.row("CVT (vector, more)", meaning, "to(a)", "", *forms)


# --- vote, shuffle -----------------------------------------------------------------------------------------------


def _vote_row() -> Instruction:
    votes = (("ANY", 0, crosslane.any_lane), ("ALL", 1, crosslane.all_lanes), ("COUNT", 2, crosslane.count_lanes))
    forms = [
        pe.form(
            f"VOTE.{name}",
            "{p}, {d}",
            0xB400_0080 | code,
            {"p": vector(16, 18), "d": s16(10)},
            define,
            sources=("p",),
            effect="vote",
            cost=Cost.CROSS,
        )
        for name, code, define in votes
    ]
    meaning = "Ask all lanes i < n of the block; scalar words of later columns see the answer."
    return pe.row("VOTE", meaning, "d = any(p != 0), all(p != 0) or count(p != 0)", "", *forms)


def _ballot_row() -> Instruction:
    p = vector(16, 18)
    form = pe.form("BALLOT", "{p}, VAB", 0xB500_0000, {"p": p}, crosslane.ballot, effect="shuffle", cost=Cost.CROSS)
    meaning = "Give every lane the predicates of its warp as a word; bit k is lane k, 0 for lanes outside the block."
    return pe.row("BALLOT", meaning, "sum over lanes k of the warp of (p[k] != 0) 2^k", "", form)


def _shuffle_row() -> Instruction:
    modes = (
        ("IDX", 0xB6, crosslane.indexed),
        ("UP", 0xB7, crosslane.from_below),
        ("DOWN", 0xB8, crosslane.from_above),
        ("XOR", 0xB9, crosslane.crossed),
    )
    forms: list[Form] = []
    for name, opcode, source in modes:
        ways = pe.three_ways(f"SHFL.{name}.U32", opcode, 32, crosslane.shuffle(source), second=16)
        forms += [replace(form, effect="shuffle", cost=Cost.CROSS) for form in ways]
    meaning = "Read a pair of another lane of the warp; the lane's own where that lane is outside 0 to 31."
    equation = "a of lane b mod 32 (IDX), lane - b (UP), lane + b (DOWN), lane xor (b mod 32) (XOR)"
    return pe.row("SHFL", meaning, equation, "", *forms)


# --- far -------------------------------------------------------------------------------------------------------

_FAR_TARGET = Field(((0, 16), (16, 1), (22, 2)))


def _far_jumps() -> list[Instruction]:
    """Jumps whose targets have 19 bits, as many words as program memory holds."""
    return [
        scalar.jump("JMP.FAR", 0xCC, "Go to any word of the kernel.", "pc = target", False, _FAR_TARGET),
        scalar.jump(
            "JMPC.FAR", 0xCD, "Go there if the register is not zero.", "if a != 0: pc = target", True, _FAR_TARGET
        ),
        scalar.jump(
            "JMPNC.FAR", 0xCE, "Go there if the register is zero.", "if a == 0: pc = target", True, _FAR_TARGET
        ),
    ]


def rows() -> list[Instruction]:
    """All extensions of the sequencer and of the processing element."""
    return [
        *flagged("fma32", [_fused_row()]),
        *flagged("math", _math_rows()),
        *flagged("logic", [*_scalar_logic(), *_vector_logic()]),
        *flagged("compare", [_scalar_compare(), _vector_compare()]),
        *flagged("convert", [_conversion_row()]),
        *flagged("vote", [_vote_row(), _ballot_row()]),
        *flagged("shuffle", [_shuffle_row()]),
        *flagged("far", _far_jumps()),
    ]
