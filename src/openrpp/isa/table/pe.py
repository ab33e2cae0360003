"""Rows of the processing element. F16 means bfloat16 throughout, as in the published machine code.

Word layout: opcode [31:24], immediate flag [22] with 16 bits at [15:0], source 0 at [21:18], 32-bit flag [16], source 1
as a vector register at [15:12] or as a scalar register at [15:10] with flag [7], source 2 at [11:8].
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from openrpp.isa import numeric as num
from openrpp.isa.form import Cost, Form, Instruction, Kind, Operand, Slot, Unit
from openrpp.isa.table._build import bits, imm, s16, s32, scalar, vector

Define = num.Define
WIDE = 1 << 16
SCALAR = 1 << 7
IMMEDIATE = 1 << 22


def form(name: str, syntax: str, base: int, operands: dict[str, Operand], define: Define, **more: Any) -> Form:
    """A processing element form; the destination is a literal of the syntax."""
    more.setdefault("sources", tuple(operands))
    more.setdefault("cost", Cost.LANE)
    width = 32 if syntax.endswith("VAB") else 16
    return Form(name, syntax, base, operands, slot=Slot.PE, define=define, width=width, **more)


def three_ways(
    name: str,
    opcode: int,
    width: int,
    define: Define,
    result: int | None = None,
    second: int | None = None,
    flag: int | None = None,
    aliases: tuple[str, ...] = (),
) -> tuple[Form, ...]:
    """a op b with b a vector register, a scalar register or a 16-bit immediate."""
    target = "VAB" if (result or width) == 32 else "VA"
    syntax = f"{{a}}, {{b}}, {target}"
    base = opcode << 24 | ((width == 32) << 16 if flag is None else flag)
    first, b_width = vector(width, 18), second or width
    options = (
        (vector(b_width, 12), 0),
        (scalar(b_width, 10), SCALAR),
        (imm(0, 16), IMMEDIATE),
    )
    return tuple(
        form(name, syntax, base | bit, {"a": first, "b": operand}, define, aliases=aliases) for operand, bit in options
    )


def row(mnemonic: str, meaning: str, equation: str, confidence: str, *forms: Form) -> Instruction:
    """A row of this unit."""
    return Instruction(mnemonic, Unit.PE, meaning, equation, confidence, forms)


def _float_rows() -> list[Instruction]:
    pairs = (
        ("ADD", 0x80, num.float_binary(operator.add), "Sum.", "a + b"),
        ("SUB", 0x81, num.float_binary(operator.sub), "Difference.", "a - b"),
        ("MUL", 0x82, num.float_binary(operator.mul), "Product.", "a b"),
        ("MIN", 0x83, num.extremum(num.minimum), "Smaller value.", "min(a, b)"),
        ("MAX", 0x84, num.extremum(num.maximum), "Larger value.", "max(a, b)"),
    )
    rows: list[Instruction] = []
    for name, opcode, (single, brain), meaning, equation in pairs:
        forms = three_ways(f"{name}.F32", opcode, 32, single) + three_ways(f"{name}.F16", opcode, 16, brain)
        rows.append(row(f"{name} (float)", f"{meaning} IEEE single, or bf16 rounded once.", equation, "V/?", *forms))
    replaced = form(
        "ADD.F32.R0MB",
        "{a}, {b}, VAB",
        0x8001_0300,
        {"a": vector(16, 18), "b": vector(32, 12)},
        num.add_low_replaced,
        sources=("a", "MB", "b"),
    )
    rows.append(
        row(
            "ADD.F32.R0MB",
            "Sum whose first operand has its low half replaced by MB.",
            "((a << 16) | MB) + b",
            "V",
            replaced,
        )
    )
    return rows


def _fused_rows() -> list[Instruction]:
    a, b, c16, c32 = vector(16, 18), vector(16, 12), vector(16, 8), vector(32, 8)
    abc: dict[str, Operand] = {"a": a, "b": b}
    fma = form("FMA.F16", "{a}, {b}, {c}, VA", 0x5000_0004, abc | {"c": c16}, num.fma_bf16, aliases=("FMA",))
    half = form("HFMA", "{a}, {b}, {c}, VAB", 0x5000_0005, abc | {"c": c32}, num.hfma)
    negate = form("NEG.F16", "{a}, VA", 0x5000_0001, {"a": a}, num.negate_bf16)
    sign = form(
        "COPYSIGN.F16",
        "{s}, {m}, VA",
        0x5000_0003,
        {"s": vector(16, 12), "m": vector(16, 18)},
        num.copysign_bf16,
    )
    return [
        row("FMA", "bf16 multiply-add, one rounding.", "a b + c", "V/?", fma),
        row("HFMA", "bf16 product added to a float32.", "a b + c", "V", half),
        row("NEG", "Sign flip.", "-a", "V", negate),
        row("COPYSIGN", "Sign of s, magnitude of m.", "copysign(m, s)", "V", sign),
    ]


def _move_rows() -> Instruction:
    forms: list[Form] = []
    for name, width in (("U16", 16), ("U32", 32)):
        target, wide = ("VAB", WIDE) if width == 32 else ("VA", 0)

        def define(n: num.Numerics, a: Any) -> Any:
            return a

        for operand, bit in ((vector(width, 18), 0), (scalar(width, 10), SCALAR), (imm(0, 16), IMMEDIATE)):
            forms.append(form(f"MOVE.{name}", f"{{a}}, {target}", 0xB100_0000 | wide | bit, {"a": operand}, define))
    return row("MOVE (vector)", "Copy a register, a scalar for all lanes, or an immediate.", "a", "V", *forms)


def _integer_rows() -> list[Instruction]:
    plain: tuple[tuple[str, int, Callable[[Any, Any], Any], str, str], ...] = (
        ("ADD", 0x90, np.add, "Wrap-around sum.", "a + b"),
        ("SUB", 0x91, np.subtract, "Wrap-around difference; its opcode is inferred.", "a - b"),
        ("AND", 0x92, np.bitwise_and, "Bitwise and.", "a & b"),
        ("OR", 0x97, np.bitwise_or, "Bitwise or.", "a | b"),
        ("MUL.LOW", 0xA2, np.multiply, "Low half of the product.", "a b"),
    )
    rows: list[Instruction] = []
    for name, opcode, operation, meaning, equation in plain:
        head, _, tail = name.partition(".")
        forms: list[Form] = []
        for kind, width in (("U16", 16), ("U32", 32)):
            aliases = (f"{head}.{kind}",) if tail else (head,) if kind == "U16" and head == "ADD" else ()
            text = f"{head}.{kind}.{tail}" if tail else f"{head}.{kind}"
            forms += three_ways(text, opcode, width, num.integer(operation), aliases=aliases)
        rows.append(row(f"{name} (integer)", meaning, equation, "I" if head == "SUB" else "V", *forms))
    wide = three_ways("MUL.U16.WIDE", 0xA3, 16, num.multiply_wide, result=32)
    rows.append(row("MUL.WIDE (vector)", "16 x 16 -> 32 bits, unsigned.", "a b", "V", *wide))
    for name, opcode, define in (("SHR", 0x95, num.shift_right), ("SHL", 0x96, num.shift_left)):
        forms = [
            *three_ways(f"{name}.U16", opcode, 16, define),
            *three_ways(f"{name}.U32", opcode, 32, define, second=16),
        ]
        arrow = "<<" if name == "SHL" else ">>"
        rows.append(row(f"{name} (vector)", "Logical shift by a 16-bit count.", f"a {arrow} b", "V", *forms))
    return rows


CVT_CODES = {"S8": 0, "U8": 1, "S16": 2, "U16": 3, "S32": 4, "U32": 5, "F16": 6, "F32": 7, "H16": 8}  # H16 is ours
_BF16_FROM: dict[str, Define] = {
    "U8": num.int_to_bf16(lambda a: a & np.uint16(0xFF)),
    "S8": num.int_to_bf16(lambda a: (a & np.uint16(0xFF)).astype(np.uint8).view(np.int8)),
    "S32": num.int_to_bf16(lambda a: a.view(np.int32)),
    "U32": num.int_to_bf16(lambda a: a),
}
PUBLISHED_CONVERSIONS: dict[tuple[str, str], tuple[Define, str, str]] = {
    ("F16", "F32"): (num.bf16_to_f32, "V", "a << 16"),
    ("F32", "F16"): (num.f32_to_bf16, "V", "a >> 16 (truncates)"),
    ("U8", "F16"): (_BF16_FROM["U8"], "V", "bf16(a & 255)"),
    ("S8", "F16"): (_BF16_FROM["S8"], "V", "bf16(signed low byte)"),
    ("U16", "U32"): (num.resize(32), "V", "a"),
    ("F32", "S16"): (num.float_to_int(np.int16), "I", "trunc(a)"),
    ("F32", "U16"): (num.float_to_int(np.uint16), "I", "trunc(a)"),
    ("S32", "S16"): (num.resize(16), "I", "a mod 2^16"),
    ("S32", "U16"): (num.resize(16), "I", "a mod 2^16"),
    ("U32", "S16"): (num.resize(16), "I", "a mod 2^16"),
    ("U32", "U16"): (num.resize(16), "I", "a mod 2^16"),
    ("S32", "F16"): (_BF16_FROM["S32"], "I", "bf16(a)"),
    ("U32", "F16"): (_BF16_FROM["U32"], "I", "bf16(a)"),
}


def conversion(source: str, target: str, define: Define, **more: Any) -> Form:
    """CVT.source.target."""
    reads = 32 if source.endswith("32") else 16
    writes = "VAB" if target.endswith("32") else "VA"
    base = 0xA000_0000 | CVT_CODES[source] << 12 | CVT_CODES[target] << 8
    return form(f"CVT.{source}.{target}", f"{{a}}, {writes}", base, {"a": vector(reads, 18)}, define, **more)


def _conversion_row() -> Instruction:
    forms = [conversion(a, b, define) for (a, b), (define, _, _) in PUBLISHED_CONVERSIONS.items()]
    meaning = "Convert between types: CVT.from.to; float to integer goes toward zero, float32 to bf16 truncates."
    return row("CVT (vector)", meaning, "to(a)", "V (float/int I)", *forms)


def _unpack_row() -> Instruction:
    source = {"a": vector(16, 18)}
    low = form("UNPACK.U4.LOW", "{a}, VAB", 0x5000_001A, source, partial(num.unpack_nibbles, high=False))
    high = form("UNPACK.U4.HIGH", "{a}, VAB", 0x5002_001A, source, partial(num.unpack_nibbles, high=True))
    byte = form("UNPACK.U8", "{a}, VAB", 0x5001_001A, source, num.unpack_bytes)
    meaning = "Split a byte into nibbles, or a word into bytes: VA the lower part, VB the upper."
    return row("UNPACK", meaning, "VA, VB = parts(a)", "V", low, high, byte)


def _compare_row() -> Instruction:
    forms: list[Form] = []
    views: dict[str, tuple[int, int, Callable[[Any], Any]]] = {
        "U16": (16, 0, lambda a: a),
        "U32": (32, WIDE, lambda a: a),
        "F16": (16, 1 << 18, num.widen),
        "F32": (32, 1 << 18 | WIDE, num.f32),
    }
    relations: tuple[tuple[str, int, Callable[[Any, Any], Any]], ...] = (
        ("LT", 0xA8, operator.lt),
        ("GT", 0xAC, operator.gt),
    )
    for relation, opcode, operation in relations:
        for kind, (width, flag, view) in views.items():
            define = num.compare(view, operation)
            base = opcode << 24 | flag
            first = Operand(Kind.V16 if width == 16 else Kind.V32, bits(19, 4))
            for operand, bit in ((vector(width, 12), 0), (scalar(width, 10), SCALAR)):
                name = f"CMP.{kind}.{relation}"
                forms.append(form(name, "{a}, {b}, VA", base | bit, {"a": first, "b": operand}, define))
    meaning = (
        "Compare; there is no immediate form. U16.LT, U32.LT and F16.GT are published, the rest follows the type bits."
    )
    return row("CMP (vector)", meaning, "(a relation b) ? 1 : 0", "V (others I)", *forms)


def _select_rows() -> list[Instruction]:
    select16 = form(
        "MERGE",
        "{a}, {b}, {c}, VA",
        0x5000_0019,
        {"a": vector(16, 18), "b": vector(16, 12), "c": vector(16, 8)},
        num.merge,
    )
    select32 = form(
        "MERGE",
        "{a}, {b}, {c}, VAB",
        0x5001_0019,
        {"a": vector(32, 18), "b": vector(32, 12), "c": vector(16, 8)},
        num.merge,
    )
    masked = form(
        "MERGEMASK",
        "{a}, {b}, {m}, VA",
        0xB300_0000,
        {"a": vector(16, 18), "b": vector(16, 12), "m": s16(1)},
        num.merge,
        effect="merge-mask",
        free=1,
    )
    return [
        row("MERGE", "Select by a per-lane condition.", "c != 0 ? b : a", "V", select16, select32),
        row("MERGEMASK", "Select by an 8-bit lane mask.", "selected(m) ? b : a", "V", masked),
    ]


def _thread_row() -> Instruction:
    forms = [
        form(
            f"DECTID.{axis}",
            "{t}, {depack}, VA",
            0x5001_009B | index << 8,
            {"t": vector(16, 18), "depack": s32(10)},
            num.decode_thread_id(index),
        )
        for index, axis in enumerate("XYZ")
    ]
    return row("DECTID", "x, y or z of a packed thread id.", "field(t, depack)", "V", *forms)


def _nothing(n: num.Numerics) -> num.Bits:
    """No result; a NOP writes no register."""
    return np.zeros((), np.uint16)


def rows() -> list[Instruction]:
    """All published processing element instructions."""
    nop = form(
        "NOP",
        "{filler}",
        0x5000_0018,
        {"filler": imm(6, 18)},
        _nothing,
        effect="nop",
        sources=(),
    )
    return [
        *_float_rows(),
        *_fused_rows(),
        _move_rows(),
        *_integer_rows(),
        _conversion_row(),
        _unpack_row(),
        _compare_row(),
        *_select_rows(),
        _thread_row(),
        row("NOP", "Close a column without an operation; the filler bits have no meaning.", "-", "V", nop),
    ]


__all__ = ["SCALAR", "WIDE", "conversion", "form", "row", "rows", "s16", "three_ways"]
