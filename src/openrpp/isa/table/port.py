"""Rows of the memory port and the switch box.

A port form's `define` takes (Numerics, Lanes, sources...) and returns one byte address per lane (uint32), or the new
DVA for `effect` "address". Scalar sources arrive as uint32, vector sources as the register's bits. The source name
`DVA` stands for the register's value at column entry.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from openrpp.isa.form import Cost, Field, Form, Instruction, Kind, Operand, Slot, Unit
from openrpp.isa.numeric import Numerics
from openrpp.isa.table._build import bits, imm, pair, s16, s32, vector

U32 = NDArray[np.uint32]
Word = Any
"""A uint32 scalar, or one per lane."""
ADDRESS_MASK = np.uint32(0xFFFF_FFFF)


@dataclass(frozen=True)
class Lanes:
    """Positions of the lanes of a block: i = 0..n-1 and its x, y, z in the block shape."""

    i: U32
    x: U32
    y: U32
    z: U32

    def __getitem__(self, part: slice) -> Lanes:
        """The lanes of a range, for instance one warp."""
        return Lanes(self.i[part], self.x[part], self.y[part], self.z[part])


LOAD_DATA = Operand(Kind.LOAD16, Field(((25, 3), (0, 1))))
STORE_DATA = Operand(Kind.STORE16, Field(((25, 3), (0, 1))))
STORE_BIT = 1 << 28


# --- addresses -----------------------------------------------------------------------------------------------


def contiguous(n: Numerics, lanes: Lanes, base: Word) -> U32:
    """base + 2 i."""
    return base + (lanes.i << np.uint32(1))


def aligned(n: Numerics, lanes: Lanes, base: Word, sy: Word, sz: Word) -> U32:
    """base + 2 (x + y sy + z sz), strides in 16-bit elements."""
    return base + ((lanes.x + lanes.y * sy + lanes.z * sz) << np.uint32(1))


def gathered(n: Numerics, lanes: Lanes, base: Word, v: Any, shift: Word) -> U32:
    """base + (v << n), v zero-extended."""
    return base + (v.astype(np.uint32) << shift)


def gathered_bytes(n: Numerics, lanes: Lanes, base: U32, v: Any) -> U32:
    """base + v, v zero-extended."""
    return base + v.astype(np.uint32)


def at_dva(n: Numerics, lanes: Lanes, dva: U32) -> U32:
    """The address in DVA."""
    return dva


def at_dva_offset(n: Numerics, lanes: Lanes, dva: U32, offset: Word) -> U32:
    """DVA + an immediate."""
    return dva + offset


def lane_address(n: Numerics, lanes: Lanes, base: Word, sy: Word, sz: Word) -> U32:
    """base + y sy + z sz, strides in bytes, no x term."""
    return base + lanes.y * sy + lanes.z * sz


def moved(n: Numerics, lanes: Lanes, a: Word) -> U32:
    """A value for every lane."""
    return np.broadcast_to(np.asarray(a, np.uint32), lanes.i.shape)


def added(n: Numerics, lanes: Lanes, a: Word, b: Word) -> U32:
    """a + b."""
    return a + b.astype(np.uint32)


def subtracted(n: Numerics, lanes: Lanes, a: Word, b: Word) -> U32:
    """a - b."""
    return a - b.astype(np.uint32)


def shifted_sum(n: Numerics, lanes: Lanes, v: Any, base: Word, shift: Word) -> U32:
    """(v << n) + base."""
    return (v.astype(np.uint32) << shift) + base


# --- rows ------------------------------------------------------------------------------------------------------


def _form(name: str, syntax: str, base: int, operands: dict[str, Operand], slot: Slot, cost: Cost, **more: Any) -> Form:
    return Form(name, syntax, base, operands, slot=slot, cost=cost, **more)


def _both(load: str, store: str, syntax: str, base: int, operands: dict[str, Operand], **more: Any) -> list[Form]:
    """The load form `syntax, target` and the store form of one address form."""
    ahead = store in ("STORE",)
    store_syntax = f"{{r}}, {syntax}" if ahead else f"{syntax}, {{r}}"
    return [
        _form(load, f"{syntax}, {{r}}", base, operands | {"r": LOAD_DATA}, effect="load", **more),
        _form(store, store_syntax, base | STORE_BIT, operands | {"r": STORE_DATA}, effect="store", **more),
    ]


def _aligned_forms() -> list[Form]:
    forms: list[Form] = []
    for suffix, flag, sz in (("", 0, s16(1, 6)), (".Z32", 1 << 7, s32(1))):
        forms += _both(
            f"LOADALN{suffix}",
            f"STOREALN{suffix}",
            "{base}, {sy}, {sz}",
            0x0120_0000 | flag,
            {"base": pair(16), "sy": s16(8, 5), "sz": sz},
            slot=Slot.SEQUENTIAL,
            cost=Cost.STRIDED,
            define=aligned,
            sources=("base", "sy", "sz"),
        )
    return forms


def _gather_forms() -> list[Form]:
    index, place = vector(16, 16), pair(9)
    forms = _both(
        "LOAD",
        "STORE",
        "[{base}+({v}<<{n})]",
        0x0000_4040,
        {"base": place, "v": index, "n": imm(3, 3)},
        slot=Slot.GATHER,
        cost=Cost.GATHER,
        define=gathered,
        sources=("base", "v", "n"),
    )
    forms += _both(
        "LOAD",
        "STORE",
        "[DVA]",
        0x000E_8004,
        {},
        slot=Slot.GATHER,
        cost=Cost.GATHER,
        define=at_dva,
        sources=("DVA",),
    )
    forms += _both(
        "LOAD",
        "STORE",
        "[DVA+{offset}]",
        0x000E_8004,
        {"offset": imm(20, 3, 2)},
        slot=Slot.GATHER,
        cost=Cost.GATHER,
        define=at_dva_offset,
        sources=("DVA", "offset"),
    )
    forms += _both(
        "LOAD",
        "STORE",
        "[DVA+({v}<<{n})]",
        0x000E_8000,
        {"v": vector(16, 10), "n": imm(3, 3)},
        slot=Slot.GATHER,
        cost=Cost.GATHER,
        define=gathered,
        sources=("DVA", "v", "n"),
    )
    return forms


def _byte_load() -> Form:
    return _form(
        "LOAD.BEN",
        "[{base}+{v}], {r}",
        0x0080_4040,
        {"base": pair(9), "v": vector(16, 16), "r": LOAD_DATA},
        slot=Slot.GATHER,
        cost=Cost.GATHER,
        effect="load-byte",
        define=gathered_bytes,
        sources=("base", "v"),
    )


def _masked() -> tuple[Form, Form]:
    load = _form(
        "LOADMASK",
        "[DVA], {m}, {r}",
        0x000E_8042,
        {"m": s16(8, 5), "r": LOAD_DATA},
        slot=Slot.GATHER,
        cost=Cost.GATHER,
        effect="load-masked",
        define=at_dva,
        sources=("DVA",),
    )
    store = _form(
        "STOREMASK",
        "{r}, {c}, [DVA]",
        0x100E_8002,
        {"c": vector(16, 10), "r": STORE_DATA},
        slot=Slot.GATHER,
        cost=Cost.GATHER,
        effect="store-masked",
        define=at_dva,
        sources=("DVA",),
    )
    return load, store


def _dot_forms() -> tuple[Form, Form]:
    warp = _form(
        "LDWARP",
        "{base}, {sy}, {sz}, WARPVEC",
        0x0140_0000,
        {"base": pair(16), "sy": s16(8, 5), "sz": s16(1, 6)},
        slot=Slot.SEQUENTIAL,
        cost=Cost.WARP_VECTOR,
        effect="warp-load",
        sources=("base", "sy", "sz"),
    )
    dot = _form(
        "LDLANE_BFMAD",
        "[DVA], WARPVEC, {l}, MAB",
        0x00CE_8044,
        {"l": s16(8, 5)},
        slot=Slot.GATHER,
        cost=Cost.LANE_VECTOR,
        effect="dot",
        width=32,
        define=at_dva,
        sources=("DVA",),
    )
    return warp, dot


def _address(name: str, syntax: str, base: int, operands: dict[str, Operand], define: Callable[..., Any]) -> Form:
    """A DVA operation; its sources are its operands in order, DVA first where the text has it as a literal."""
    sources = tuple(operands)
    if syntax.startswith("DVA"):
        sources = ("DVA", *sources)
    return _form(
        name,
        syntax,
        base,
        operands,
        slot=Slot.ADDRESS,
        cost=Cost.ADDRESS,
        effect="address",
        width=32,
        define=define,
        sources=sources,
    )


def _address_rows() -> list[Instruction]:
    a32 = Operand(Kind.A32, bits(18, 4))
    v32 = Operand(Kind.V32, bits(12, 4))
    lane = [
        _address(
            f"GLANEADDR{suffix}",
            "{base}, {sy}, {sz}, DVA",
            0x39A0_0001 | flag,
            {"base": pair(16), "sy": s16(8, 5), "sz": sz},
            lane_address,
        )
        for suffix, flag, sz in (("", 0, s16(1, 6)), (".Z32", 1 << 7, s32(1)))
    ]
    move = [
        _address("MMOV", "{a}, DVA", 0x4840_0001, {"a": imm(2, 14)}, moved),
        _address("MMOV", "{a}, DVA", 0x4801_0081, {"a": s32(10)}, moved),
        _address("MMOV", "{a}, DVA", 0x4802_0001, {"a": Operand(Kind.V32, bits(18, 4))}, moved),
    ]
    dva = 14 << 18
    add = [
        _address("MADD", "DVA, {b}, DVA", 0x3042_0001 | dva, {"b": imm(2, 14)}, added),
        _address("MADD", "DVA, {b}, DVA", 0x3002_0081 | dva, {"b": s16(10)}, added),
        _address("MADD", "DVA, {b}, DVA", 0x3003_0001 | dva, {"b": v32}, added),
        _address("MADD.SCA32", "{a}, {b}, DVA", 0x3003_0081, {"a": a32, "b": s32(10)}, added),
    ]
    sub = [_address("MSUB", "DVA, {b}, DVA", 0x3402_0081 | dva, {"b": s16(10)}, subtracted)]
    shift = [
        _address(
            "MSHIFTADD",
            "{v}, {b}, {n}, DVA",
            0x4000_0081,
            {"v": vector(16, 18), "b": s32(10), "n": imm(16, 2)},
            shifted_sum,
        )
    ]
    unit = Unit.PORT
    return [
        Instruction(
            "GLANEADDR",
            unit,
            "Address of each lane's row; strides in bytes, no x term.",
            "DVA = base + y sy + z sz",
            "V (z term I)",
            tuple(lane),
        ),
        Instruction("MMOV", unit, "Set DVA.", "DVA = a", "V", tuple(move)),
        Instruction("MADD", unit, "Add to DVA.", "DVA = a + b", "V", tuple(add)),
        Instruction("MSUB", unit, "Subtract from DVA.", "DVA = DVA - b", "V", tuple(sub)),
        Instruction("MSHIFTADD", unit, "Scaled index plus base.", "DVA = (v << n) + b", "V", tuple(shift)),
    ]


def port_rows() -> list[Instruction]:
    """All published memory port instructions."""
    cont = _both(
        "LOADCONT",
        "STORECONT",
        "{base}",
        0x0160_0000,
        {"base": pair(16)},
        slot=Slot.SEQUENTIAL,
        cost=Cost.SEQUENTIAL,
        define=contiguous,
        sources=("base",),
    )
    aln, gather = _aligned_forms(), _gather_forms()
    masked_load, masked_store = _masked()
    warp, dot = _dot_forms()
    unit = Unit.PORT

    def one(mnemonic: str, meaning: str, equation: str, confidence: str, *forms: Form) -> Instruction:
        return Instruction(mnemonic, unit, meaning, equation, confidence, forms)

    return [
        one("LOADCONT", "Consecutive words over the block.", "r = mem[base + 2 i]", "V", cont[0]),
        one("STORECONT", "Consecutive words over the block.", "mem[base + 2 i] = r", "V", cont[1]),
        one("LOADALN", "Rows with element strides.", "r = mem[base + 2 (x + y sy + z sz)]", "V", aln[0], aln[2]),
        one("STOREALN", "Rows with element strides.", "mem[base + 2 (x + y sy + z sz)] = r", "V", aln[1], aln[3]),
        one("LOAD", "Gather at an address per lane.", "r = mem[address]", "V", *gather[0::2]),
        one("LOAD.BEN", "Byte load; the high byte is a setting.", "r = byte[base + v]", "V/I", _byte_load()),
        one("STORE", "Scatter at an address per lane.", "mem[address] = r", "V", *gather[1::2]),
        one("LOADMASK", "Load for the lanes of an 8-bit mask.", "if selected(m): r = mem[DVA]", "V/?", masked_load),
        one("STOREMASK", "Store where c is not zero.", "if c != 0: mem[DVA] = r", "V", masked_store),
        one("LDWARP", "512 bytes shared by a warp.", "WARPVEC[j] = mem[base + 2 j], j < 256", "V", warp),
        one(
            "LDLANE_BFMAD",
            "bf16 dot product of a lane's vector with its column of WARPVEC.",
            "MAB = sum_{j<l} bf16(mem[DVA + 2 j]) bf16(WARPVEC[32 j + lane])",
            "V (order of the sum ?)",
            dot,
        ),
        *_address_rows(),
    ]


def switch_rows() -> list[Instruction]:
    """Copies and token masks."""
    source, target = bits(2, 3), bits(0, 2)
    rows: list[Instruction] = []
    for name, base, slot, bank in (
        ("COPY", 0x7100_0000, Slot.COPY, "IA to ID"),
        ("COPYEXT", 0x7400_0000, Slot.COPYEXT, "IE to IH"),
    ):
        row = Form(
            name,
            "{s}, {d}",
            base,
            {"s": Operand(Kind.V16, source), "d": Operand(Kind.V16, target)},
            slot=slot,
            cost=Cost.ROUTE,
            effect="copy",
            free=0x003F_FFFF,
        )
        meaning = f"Copy VA, VB, MA or MB (or a pair) to {bank}; up to four moves share a word."
        rows.append(Instruction(name, Unit.SWITCH, meaning, "d = s", "V", (row,)))
    for name, base, slot, meaning in (
        ("FORWARD", 0x7200_0000, Slot.FORWARD, "Keep registers alive past this column."),
        ("TERM", 0x7300_0000, Slot.TERM, "Drop registers at this column, unread."),
    ):
        mask = {"mask": Operand(Kind.IMM, bits(0, 12))}
        row = Form(name, "{mask}", base, mask, slot=slot, cost=Cost.ROUTE, effect="tokens")
        rows.append(Instruction(name, Unit.SWITCH, meaning, "tokens", "V", (row,)))
    return rows
