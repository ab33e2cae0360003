"""Rows that the published machine does not have: OpenRPP's extensions of the memory port.

Loads have 2 in the top four bits, stores and atomics 6; the data register stands where the published words have it
([27:25] and [0]), a size at [23:20]. `width` of a form is the number of bits that one lane moves.

`define` gives the byte address per lane as in `port.py`: uint32 in SRAM, uint64 in DDR, where `base` arrives as uint64.
A form with an operand `c` acts only in lanes where that register is not zero; their addresses alone are checked.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from openrpp.isa.form import Cost, Field, Form, Instruction, Kind, Operand, Slot, Unit
from openrpp.isa.numeric import Numerics
from openrpp.isa.table import port
from openrpp.isa.table._build import bits, imm, pair, s16, vector
from openrpp.isa.table.extension import flagged
from openrpp.isa.table.port import U32, Lanes

LOADS, STORES = 0x2000_0000, 0x6000_0000
DATA = Field(((25, 3), (0, 1)))
_DVA = 14 << 16 | 1 << 15
_INDEXED = 1 << 14 | 1 << 6
_PLAIN, _MASKED = 1 << 2, 1 << 1
_SIZES = {"W32": 1, "U8": 2, "U16": 3, "D16": 4, "D32": 5, "D8": 6}
_DOT8 = 0xC
_CONT = 1 << 24 | 3 << 21
_POINTER = 1 << 5  # the field of the base names a register of high words
_QUAD = Operand(Kind.S64, bits(6, 4, 2))


def contiguous32(n: Numerics, lanes: Lanes, base: U32) -> U32:
    """base + 4 i."""
    return base + (lanes.i << np.uint32(2))


def ddr_address(n: Numerics, lanes: Lanes, base: Any, dva: U32) -> Any:
    """base + DVA in 64 bits, DVA zero-extended."""
    return base + dva.astype(np.uint64)


def ddr_pointer(n: Numerics, lanes: Lanes, h: Any, dva: U32) -> Any:
    """A pointer of each lane's own: h holds its high word, DVA the low 32 bits."""
    return (h.astype(np.uint64) << np.uint64(32)) + dva.astype(np.uint64)


def _register(size: str, store: bool) -> Operand:
    if size.endswith("32"):
        return Operand(Kind.STORE32 if store else Kind.LOAD32, DATA)
    return Operand(Kind.STORE16 if store else Kind.LOAD16, DATA)


def _access(size: str, store: bool, place: str, bits_: int, operands: dict[str, Operand], **more: Any) -> Form:
    """A gather form of one size and address form."""
    name = ("STORE" if store else "LOAD") + f".{size}"
    syntax = f"{{r}}, {place}" if store else f"{place}, {{r}}"
    base = (STORES if store else LOADS) | _SIZES[size] << 20 | bits_
    operands = operands | {"r": _register(size, store)}
    return Form(name, syntax, base, operands, slot=Slot.GATHER, width=int(size[1:]), **more)


def _masked_store(size: str, place: str, bits_: int, operands: dict[str, Operand], **more: Any) -> Form:
    """The store form that only lanes with a condition carry out."""
    condition = operands | {"c": vector(16, 10)}
    plain = _access(size, True, place, bits_ & ~_PLAIN | _MASKED, condition, **more)
    return replace(plain, name=f"STOREMASK.{size}", syntax=f"{{r}}, {{c}}, {place}")


def _masked_load(size: str, place: str, bits_: int, operands: dict[str, Operand], **more: Any) -> Form:
    """The load form that gives 0 to lanes without a condition and touches no memory for them."""
    condition = operands | {"c": vector(16, 10)}
    plain = _access(size, False, place, bits_ & ~_PLAIN | _MASKED, condition, **more)
    return replace(plain, name=f"LOADMASK.{size}", syntax=f"{place}, {{c}}, {{r}}")


def _sram_forms(size: str, store: bool) -> list[Form]:
    effects = {("W32", False): "load32", ("W32", True): "store32", ("U8", False): "load-u8", ("U8", True): "store-u8"}
    common: dict[str, Any] = {"cost": Cost.GATHER, "effect": effects[size, store]}
    offset = imm(6, 6, 4 if size == "W32" else 1)
    indexed = {"base": pair(9), "v": vector(16, 16), "n": imm(3, 3)}
    dva = {**common, "define": port.at_dva, "sources": ("DVA",)}
    forms = [
        _access(size, store, "[DVA]", _DVA | _PLAIN, {}, **dva),
        _access(
            size,
            store,
            "[DVA+{offset}]",
            _DVA | _PLAIN,
            {"offset": offset},
            define=port.at_dva_offset,
            sources=("DVA", "offset"),
            **common,
        ),
        _access(
            size,
            store,
            "[{base}+({v}<<{n})]",
            _INDEXED,
            indexed,
            define=port.gathered,
            sources=("base", "v", "n"),
            **common,
        ),
    ]
    masked = _masked_store if store else _masked_load
    return [*forms, masked(size, "[DVA]", _DVA, {}, **dva)]


def _contiguous_forms() -> tuple[Form, Form]:
    common: dict[str, Any] = {
        "slot": Slot.SEQUENTIAL,
        "cost": Cost.SEQUENTIAL,
        "width": 32,
        "define": contiguous32,
        "sources": ("base",),
    }
    base = {"base": pair(16)}
    load = base | {"r": _register("W32", store=False)}
    store = base | {"r": _register("W32", store=True)}
    return (
        Form("LOADCONT.W32", "{base}, {r}", LOADS | _CONT, load, effect="load32", **common),
        Form("STORECONT.W32", "{base}, {r}", STORES | _CONT, store, effect="store32", **common),
    )


def _wide_rows() -> list[Instruction]:
    load, store = _contiguous_forms()
    rows: list[tuple[str, str, str, list[Form]]] = [
        ("LOADCONT.W32", "Consecutive 32-bit words over the block.", "r = mem32[base + 4 i]", [load]),
        ("STORECONT.W32", "Consecutive 32-bit words over the block.", "mem32[base + 4 i] = r", [store]),
    ]
    word, byte = "Addresses are multiples of 4.", "Any address; the high byte of a loaded register is 0."
    for size, what, note in (("W32", "mem32", word), ("U8", "mem8", byte)):
        loads, stores = _sram_forms(size, store=False), _sram_forms(size, store=True)
        zero = "LOADMASK gives 0 where c is zero and reads nothing there."
        rows.append((f"LOAD.{size}", f"Gather of {size[1:]} bits; {zero} {note}", f"r = {what}[address]", loads))
        meaning = f"Scatter of the low {size[1:]} bits; STOREMASK only where c is not zero. {note}"
        rows.append((f"STORE.{size}", meaning, f"{what}[address] = r", stores))
    rows.append(("LOAD.U16", f"Gather of 16 bits where c is not zero; {zero}", "r = mem16[address]", [_half_load()]))
    return [Instruction(name, Unit.PORT, meaning, text, "", tuple(forms)) for name, meaning, text, forms in rows]


def _half_load() -> Form:
    """16 bits for lanes with a condition; the published masked load takes lanes by their number."""
    return _masked_load(
        "U16", "[DVA]", _DVA, {}, cost=Cost.GATHER, effect="load-u16", define=port.at_dva, sources=("DVA",)
    )


def _ddr_places() -> list[tuple[str, int, dict[str, Operand], dict[str, Any]]]:
    """Text, word bits, operands and definition of both addresses of DDR: a base for all lanes, a pointer for each."""
    shared: dict[str, Any] = {"define": ddr_address, "sources": ("base", "DVA"), "cost": Cost.DIRECT}
    own: dict[str, Any] = {"define": ddr_pointer, "sources": ("h", "DVA"), "cost": Cost.DIRECT}
    return [
        ("[{base}+DVA]", _DVA, {"base": _QUAD}, shared),
        ("[{h}:DVA]", _DVA | _POINTER, {"h": vector(16, 6)}, own),
    ]


def _ddr_rows() -> list[Instruction]:
    rows: list[Instruction] = []
    where = "DDR[base + DVA or h 2^32 + DVA]"
    for size in ("D8", "D16", "D32"):
        loads: list[Form] = []
        stores: list[Form] = []
        for place, base, operands, common in _ddr_places():
            load = {**common, "effect": "load-ddr"}
            store = {**common, "effect": "store-ddr"}
            loads.append(_access(size, False, place, base | _PLAIN, operands, **load))
            loads.append(_masked_load(size, place, base, operands, **load))
            stores.append(_access(size, True, place, base | _PLAIN, operands, **store))
            stores.append(_masked_store(size, place, base, operands, **store))
        width = size[1:]
        note = f"{width} bits at the sum of a 64-bit scalar base and DVA (zero-extended), or at h 2^32 + DVA; aligned."
        reading = f"Read {note} LOADMASK gives 0 where c is zero and reads nothing there."
        rows.append(Instruction(f"LOAD.{size}", Unit.PORT, reading, f"r = {where}", "", tuple(loads)))
        meaning = f"Write {note} STOREMASK only where c is not zero."
        rows.append(Instruction(f"STORE.{size}", Unit.PORT, meaning, f"{where} = r", "", tuple(stores)))
    return rows


def _dot_row() -> Instruction:
    form = Form(
        "LDLANE_I8MAD",
        "[DVA], WARPVEC, {l}, MAB",
        LOADS | _DOT8 << 20 | _DVA | 0x44,
        {"l": s16(8, 5)},
        slot=Slot.GATHER,
        cost=Cost.LANE_VECTOR,
        effect="dot-int8",
        width=32,
        define=port.at_dva,
        sources=("DVA",),
    )
    meaning = "int8 dot product of a lane's vector with its column of WARPVEC, two products per 16-bit word, in int32."
    equation = (
        "MAB = sum_{j<l} lo(mem[DVA + 2 j]) lo(WARPVEC[32 j + lane]) + hi(mem[DVA + 2 j]) hi(WARPVEC[32 j + lane])"
    )
    return Instruction("LDLANE_I8MAD", Unit.PORT, meaning, equation, "", (form,))


def rows() -> list[Instruction]:
    """All extensions of the memory port."""
    return [
        *flagged("wide", _wide_rows()),
        *flagged("ddr", _ddr_rows()),
        *flagged("int8", [_dot_row()]),
    ]
