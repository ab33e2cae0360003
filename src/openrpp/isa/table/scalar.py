"""Rows of the scalar sequencer.

`define` of an arithmetic form takes unsigned Python integers of the operands' widths and returns an integer that the
engine cuts to `width` bits. Control instructions have an `effect` instead, which an engine carries out.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from openrpp.isa.form import Cost, Field, Form, Instruction, Kind, Operand, Slot, Unit
from openrpp.isa.table._build import bits, imm, s16, s32, scalar


def same(a: int) -> int:
    """a."""
    return a


def product(a: int, b: int) -> int:
    """a b."""
    return a * b


TYPES = {"U16": (16, 0), "S16": (16, 1), "U32": (32, 0), "S32": (32, 1)}
"""Type modifier -> (width, signed)."""


def type_bits(name: str) -> int:
    """Bit 19 signed, bit 18 32-bit."""
    width, signed = TYPES[name]
    return signed << 19 | (width == 32) << 18


def form(name: str, syntax: str, base: int, operands: dict[str, Operand], **more: Any) -> Form:
    """A scalar form; `define` takes its operands in textual order without the destination."""
    more.setdefault("cost", Cost.FETCH)
    more.setdefault("sources", tuple(operand for operand in operands if operand != "d"))
    return Form(name, syntax, base, operands, slot=Slot.SCALAR, **more)


def alu(
    mnemonic: str,
    opcode: int,
    define: Callable[[int, int], int],
    types: tuple[str, ...],
    meaning: str,
    equation: str,
    aliases: bool = False,
) -> Instruction:
    """a op b -> d for the given types, at 0xE0 with the opcode in bits 27:20."""
    forms: list[Form] = []
    for name in types:
        width = TYPES[name][0]
        spelled = f"{mnemonic}.{name}" if "." not in mnemonic else mnemonic.replace(".", f".{name}.")
        also = (f"{mnemonic.split('.')[0]}.{name}",) if aliases else ()
        forms.append(
            form(
                spelled,
                "{a}, {b}, {d}",
                0xE000_0000 | opcode << 20 | type_bits(name),
                {"a": scalar(width, 12), "b": scalar(width, 6), "d": scalar(width, 0)},
                define=define,
                width=width,
                aliases=also,
            )
        )
    return Instruction(mnemonic, Unit.SCALAR, meaning, equation, "V", tuple(forms))


def shift(mnemonic: str, opcode: int, define: Callable[[int, int], int], meaning: str, equation: str) -> Instruction:
    """Logical shifts by a 16-bit register or a six-bit immediate (opcode + 1)."""
    forms: list[Form] = []
    for name in ("U16", "U32"):
        width = TYPES[name][0]
        base = 0xE000_0000 | type_bits(name)
        ends = {"a": scalar(width, 12), "d": scalar(width, 0)}
        for step, count in enumerate((s16(6), imm(6, 6))):
            operands = {"a": ends["a"], "b": count, "d": ends["d"]}
            text = f"{mnemonic}.{name}"
            forms.append(
                form(text, "{a}, {b}, {d}", base | (opcode + step) << 20, operands, define=define, width=width)
            )
    return Instruction(mnemonic, Unit.SCALAR, meaning, equation, "V", tuple(forms))


WIDE_IMMEDIATE = Field(((6, 12), (21, 4)))


def _moves() -> Instruction:
    forms: list[Form] = []
    for name in ("U16", "U32", "S16", "S32"):
        width = TYPES[name][0]
        value = Operand(Kind.IMM, WIDE_IMMEDIATE)
        d = scalar(width, 0)
        copy, load = 0xE400_0000 | type_bits(name), 0xE410_0000 | type_bits(name)
        forms.append(form(f"MOVE.{name}", "{a}, {d}", copy, {"a": scalar(width, 12), "d": d}, define=same, width=width))
        forms.append(form(f"MOVE.{name}", "{a}, {d}", load, {"a": value, "d": d}, define=same, width=width))
    return Instruction(
        "MOVE",
        Unit.SCALAR,
        "Copy a register or a 16-bit immediate; a larger immediate is two moves.",
        "d = a",
        "V",
        tuple(forms),
    )


def _converts() -> Instruction:
    up = form(
        "CVT.U16.U32",
        "{a}, {d}",
        0xE200_0140,
        {"a": s16(12), "d": s32(0)},
        define=same,
        width=32,
    )
    down = form(
        "CVT.U32.U16",
        "{a}, {d}",
        0xE204_0140,
        {"a": s32(12), "d": s16(0)},
        define=same,
        width=16,
    )
    return Instruction(
        "CVT", Unit.SCALAR, "Zero-extend, or keep the low half.", "d = a mod 2^width(d)", "V", (up, down)
    )


def _parameters() -> tuple[Instruction, Instruction]:
    loads: list[Form] = []
    for name in ("U16", "U32"):
        width = TYPES[name][0]
        loads.append(
            form(
                f"LDPARAM.{name}",
                "[{p}], {d}",
                0xE620_0000 | type_bits(name),
                {"p": Operand(Kind.FRAM, bits(6, 12, 2)), "d": scalar(width, 0)},
                width=width,
                effect="load-parameter",
            )
        )
    store = form(
        "STGLB.U32",
        "{a}, [{p}]",
        0xE640_0000 | type_bits("U32"),
        {"a": s32(12), "p": Operand(Kind.FRAM, bits(0, 12, 2))},
        width=32,
        effect="store-parameter",
        cost=Cost.DMA,
    )
    half = form(
        "STGLB.U16",
        "{a}, [{p}]",
        0xE640_0000,
        {"a": s16(12), "p": Operand(Kind.FRAM, bits(0, 12, 2))},
        effect="store-parameter",
        cost=Cost.DMA,
    )
    return (
        Instruction("LDPARAM", Unit.SCALAR, "Read a word of parameter memory.", "d = FRAM[p]", "V", tuple(loads)),
        Instruction(
            "STGLB",
            Unit.SCALAR,
            "Write a word of parameter memory; a write of the DMA length starts the transfer.",
            "FRAM[p] = a",
            "V",
            (store, half),
        ),
    )


def _compares() -> Instruction:
    forms: list[Form] = []
    for relation, opcode in (("EQ", 0xE84), ("LT", 0xE8A)):
        for name in ("S16", "U16", "S32", "U32"):
            width, signed = TYPES[name]
            forms.append(
                form(
                    f"CMP.{name}.{relation}",
                    "{a}, {b}, {d}",
                    opcode << 20 | type_bits(name),
                    {"a": scalar(width, 12), "b": scalar(width, 6), "d": s16(0)},
                    define=relation_define(relation, width, bool(signed)),
                )
            )
    return Instruction(
        "CMP",
        Unit.SCALAR,
        "Compare two registers; .LT is seen in images only.",
        "d = (a relation b) ? 1 : 0",
        "V",
        tuple(forms),
    )


def relation_define(relation: str, width: int, signed: bool) -> Callable[[int, int], int]:
    """Scalar comparison of raw integers of one width."""
    bias = 1 << (width - 1) if signed else 0
    relations: dict[str, Callable[[int, int], bool]] = {
        "EQ": lambda a, b: a == b,
        "NE": lambda a, b: a != b,
        "LT": lambda a, b: a ^ bias < b ^ bias,
        "LE": lambda a, b: a ^ bias <= b ^ bias,
    }
    chosen = relations[relation]
    return lambda a, b: int(chosen(a, b))


NEAR_TARGET = bits(0, 16)


def jump(name: str, opcode: int, meaning: str, equation: str, tested: bool, target: Field = NEAR_TARGET) -> Instruction:
    """A jump to a word of the kernel, always or as a register says."""
    operands = {"a": s16(17, 5)} if tested else {}
    operands["target"] = Operand(Kind.LABEL, target)
    syntax = "{a}, {target}" if tested else "{target}"
    row = form(name, syntax, opcode << 24, operands, effect="jump", cost=Cost.JUMP, sources=tuple(operands))
    return Instruction(name, Unit.SCALAR, meaning, equation, "V", (row,))


def _plain(name: str, base: int, meaning: str, effect: str, cost: Cost, confidence: str) -> Instruction:
    row = form(name, "", base, {}, effect=effect, cost=cost)
    return Instruction(name, Unit.SCALAR, meaning, effect, confidence, (row,))


def _shape() -> Instruction:
    row = form(
        "CFGXYZ",
        "{x}, {y}, {n}",
        0xEA00_0000,
        {"x": s16(12), "y": s16(6), "n": s16(0)},
        effect="shape",
        sources=("x", "y", "n"),
    )
    return Instruction(
        "CFGXYZ",
        Unit.SCALAR,
        "Set the block shape: n lanes, lane i at x = i mod X, y = (i / X) mod Y, z = i / (X Y).",
        "X, Y, n = x, y, n",
        "V",
        (row,),
    )


def _repeat() -> Instruction:
    row = form(
        "REPEAT",
        "{k}, {a}",
        0xC100_0000,
        {"k": imm(12, 12), "a": s16(0)},
        effect="repeat",
        sources=("k", "a"),
    )
    return Instruction(
        "REPEAT", Unit.SCALAR, "The next k columns run a times; k = 1 is published.", "repeat", "V (k = 1)", (row,)
    )


def rows() -> list[Instruction]:
    """All published scalar instructions."""
    load, store = _parameters()
    every = ("U16", "S16", "U32", "S32")
    return [
        load,
        store,
        _moves(),
        _converts(),
        alu("ADD", 0x02, lambda a, b: a + b, every, "Wrap-around sum.", "d = a + b"),
        alu("SUB", 0x04, lambda a, b: a - b, every, "Wrap-around difference.", "d = a - b"),
        alu("MUL.LOW", 0x1E, lambda a, b: a * b, ("U16", "U32"), "Low half of the product.", "d = a b", aliases=True),
        _wide_multiply(),
        alu("OR", 0x10, lambda a, b: a | b, ("U16", "U32"), "Bitwise or.", "d = a | b"),
        shift("SHL", 0x0E, lambda a, b: a << b, "Logical left shift.", "d = a << b"),
        shift("SHR", 0x0C, lambda a, b: a >> b, "Logical right shift.", "d = a >> b"),
        _compares(),
        _shape(),
        jump("JMP", 0xC4, "Go to a word of the kernel.", "pc = target", tested=False),
        jump("JMPC", 0xC5, "Go there if the register is not zero.", "if a != 0: pc = target", tested=True),
        jump("JMPNC", 0xC6, "Go there if the register is zero.", "if a == 0: pc = target", tested=True),
        _repeat(),
        _plain("POLL.CHN1", 0xD308_0000, "Wait until the DMA that the kernel started is done.", "poll", Cost.SYNC, "V"),
        _plain("DMB.BEGIN", 0xD400_0000, "First half of the memory barrier DMB_ORI.", "barrier", Cost.SYNC, "I"),
        _plain("DMB.END", 0xD200_0000, "Second half of the memory barrier DMB_ORI.", "barrier-end", Cost.SYNC, "I"),
        _plain("END", 0xD100_0000, "End of the kernel.", "end", Cost.FETCH, "V"),
    ]


def _wide_multiply() -> Instruction:
    row = form(
        "MUL.U16.WIDE",
        "{a}, {b}, {d}",
        0xE1F0_0000,
        {"a": s16(12), "b": s16(6), "d": s32(0)},
        define=product,
        width=32,
    )
    return Instruction("MUL.WIDE", Unit.SCALAR, "16 x 16 -> 32 bits, unsigned.", "d = a b", "V", (row,))
