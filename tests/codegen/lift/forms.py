"""Small programs that execute given forms of the instruction table on random data, each with an output of its own."""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random
from typing import Any

import numpy as np

from openrpp.isa.assembler import assemble
from openrpp.isa.columns import NOP
from openrpp.isa.form import Cost, Form, Kind, Op
from openrpp.isa.program import Kernel
from openrpp.isa.syntax import operand_text
from openrpp.machine import Device

LANES = 80
INPUT, INDEX, OUTPUT, WARP = 0x0410_0000, 0x0420_0000, 0x0430_0000, 0x0440_0000
DDR_IN, DDR_OUT = 0x1000_1000, 0x1002_0000
SLOT = 2048
BLOCK = (LANES // 2, 2, 1)
HALVES = ("IA", "IB", "IC", "ID", "IE", "IF", "IG", "IH", "II", "IJ", "IK", "IL", "IM", "IN", "IO", "IP")
_SPECIAL = (
    0x0000_0000, 0x8000_0000, 0x3F80_0000, 0xBF80_0000, 0x7F80_0000, 0xFF80_0000, 0x7FC0_0000, 0x0000_0001,
    0x807F_FFFF, 0x0080_0000, 0x7F7F_FFFF, 0x4F00_0000, 0xCF00_0000, 0x4780_0000, 0x4380_0000, 0xC300_0000,
    0x3FFF_8000, 0x0001_8000, 0x4B7F_FFFF, 0x5F00_0000, 0x0000_0010, 0x0000_001F, 0x0000_0020, 0xFFFF_FFFF,
)  # fmt: skip
_HEAD = """
.param .u32 in
.param .u32 index
.param .u32 out
.param .u32 warp
.var .u32 %in
.var .u32 %index
.var .u32 %out
.var .u32 %warp
.var .u32 %ddr
.var .u32 %ddrhigh
.var .u32 %p
.var .u32 %at
.var .u16 %a
.var .u16 %m
.var .u16 %l
.var .u16 %sy
.var .u16 %sz
.var .u16 %d
LDPARAM.U16 [tbDim.x], %a
LDPARAM.U16 [tbDim.y], %sy
LDPARAM.U16 [tid_xyz], %d
CFGXYZ %a, %sy, %d
LDPARAM.U32 [in], %in
LDPARAM.U32 [index], %index
LDPARAM.U32 [out], %out
LDPARAM.U32 [warp], %warp
"""


@dataclass
class Forms:
    """A program under construction."""

    random: Random
    lines: list[str] = field(default_factory=list[str])
    slots: list[Form] = field(default_factory=list[Form])

    def scalars(self) -> None:
        """New values of the scalar operands."""
        draw = self.random
        small = draw.choice((0, 1, 2, 5, 15, 16, 31, 33, draw.getrandbits(16)))
        values = {"%a": small, "%m": draw.getrandbits(8), "%l": draw.choice((8, 8, 1, 3, 7))}
        values |= {"%sy": draw.choice((40, 48, 64)), "%sz": draw.choice((0, 96))}
        self.lines += [f"MOVE.U16 {value}, {name}" for name, value in values.items()]
        wide = draw.choice((draw.getrandbits(32), draw.choice(_SPECIAL), draw.getrandbits(5)))
        self.lines.append(f"MOVE.U32 {wide}, %p")

    def vectors(self) -> None:
        """New values of all vector registers."""
        for number, name in enumerate(HALVES):
            plane = (number % 2) * 2 * LANES + (number // 2) * 4 * LANES % 1600
            self.lines += [f"MOVE.U32 {plane + 8 * LANES * self.random.randrange(3)}, %at", "ADD.U32 %at, %in, %at"]
            self.lines += [f"LOADCONT %at, {name}", "##"]
        self.lines += [f"MOVE.U32 {self.random.choice(('IAB', 'ICD', 'IEF'))}, VAB", "##"]

    def operands(self, form: Form) -> dict[str, str]:
        """Random operands."""
        draw, texts = self.random, dict[str, str]()
        for name, operand in form.operands.items():
            match operand.kind:
                case Kind.V16:
                    texts[name] = draw.choice(("IA", "IB", "IC", "ID", "IE", "IF", "IG", "IJ", "IM", "VA", "VB"))
                case Kind.V32 | Kind.A32:
                    texts[name] = draw.choice(("IAB", "ICD", "IEF", "IKL", "IOP", "VAB"))
                case Kind.S16:
                    texts[name] = {"m": "%m", "l": "%l", "sy": "%sy", "sz": "%sz", "d": "%d"}.get(name, "%a")
                case Kind.S32:
                    texts[name] = {"base": "%in", "sz": "DS13"}.get(name, "%p")
                case Kind.S64:
                    texts[name] = "%ddr"
                case _:
                    width = operand.field.limit
                    texts[name] = str(draw.choice((0, 1, 3, width, draw.randrange(width + 1)))) if name == "b" else "0"
        return texts

    def slot(self, form: Form) -> None:
        """The address of a new output goes to %at."""
        self.lines += [f"MOVE.U32 {SLOT * len(self.slots)}, %at", "ADD.U32 %at, %out, %at"]
        self.slots.append(form)

    def text(self, form: Form, texts: dict[str, str]) -> str:
        return f"{form.name} {operand_text(Op(form, {}), texts)}"

    def store(self, form: Form, *registers: str) -> None:
        """Store registers to a new output, one plane each."""
        self.slot(form)
        for register in registers:
            self.lines += [f"STORECONT %at, {register}", "##", f"MOVE.U32 {2 * LANES}, DS13", "ADD.U32 %at, DS13, %at"]

    # --- processing element -----------------------------------------------------------------------------------------

    def pe(self, form: Form) -> None:
        """An operation on fresh registers, MB loaded in its column; VA, VB and a copy of MB are stored."""
        self.scalars()
        self.vectors()
        self.lines += ["MOVE.U32 480, %at", "ADD.U32 %at, %in, %at", "LOADCONT %at, MB"]
        self.lines += [self.text(form, self.operands(form)), "COPYEXT MB, IH", "##"]
        if form.effect == "vote":
            self.lines += ["MOVE.U16 %d, VA", "##"]
        self.store(form, "VA", "VB", "IH")

    # --- scalar words -----------------------------------------------------------------------------------------------

    def scalar(self, form: Form) -> None:
        """An operation on random scalars; its result is stored from all lanes."""
        self.scalars()
        texts: dict[str, str] = {}
        for name, operand in form.operands.items():
            short = operand.kind is Kind.S16
            texts[name] = ("%d" if short else "%at") if name == "d" else ("%a" if short else "%p")
            if operand.kind is Kind.IMM:
                texts[name] = str(self.random.randrange(operand.field.limit + 1))
            if name == "b" and self.random.random() < 0.5:
                texts[name] = "%l" if short else texts[name]
        self.lines.append(self.text(form, texts))
        wide = "d" in form.operands and form.operands["d"].kind is Kind.S32
        self.lines += ["MOVE.U32 %at, VAB" if wide else "MOVE.U16 %d, VA", "##"]
        self.store(form, "VA", "VB")

    # --- memory port ------------------------------------------------------------------------------------------------

    def port(self, form: Form) -> None:
        """An access; loads are stored from their register, stores go to the output themselves."""
        self.scalars()
        self.vectors()
        stores, direct = form.effect.startswith("store"), form.cost is Cost.DIRECT
        self.slot(form)
        place = "%at" if stores or form.effect == "atomic" else "%in"
        shift = self.random.choice((1, 2)) if form.width == 16 and not form.effect.startswith("dot") else 2
        shift = 3 if form.width == 64 else shift
        self.lines += ["LOADCONT %index, IG", "##"]
        if direct:
            self._direct(form, shift)
        elif "[DVA+(" in form.syntax:
            self.lines += [f"MMOV {place}, DVA", "##"]
        else:
            self.lines += [f"MSHIFTADD IG, {place}, {shift}, DVA", "##"]
        base = "%ddr" if direct else place
        texts = self.operands(form) | {"v": "IG", "n": str(shift), "offset": "4", "base": base, "h": "IH"}
        self._access(form, texts | {"c": self.random.choice(("IA", "IC"))})

    def _direct(self, form: Form, shift: int) -> None:
        """DVA is an offset from %ddr, or the low word of an address whose high word is IH."""
        start = DDR_IN if form.effect == "load-ddr" else DDR_OUT + SLOT * (len(self.slots) % 128)
        self.lines += [f"MOVE.U32 {start}, %ddr", "MOVE.U32 0, %ddrhigh", "MOVE.U32 0, DS13", "MOVE.U16 0, VA", "##"]
        self.lines += [
            "COPYEXT VA, IH",
            f"MSHIFTADD IG, {'%ddr' if 'h' in form.operands else 'DS13'}, {shift}, DVA",
            "##",
        ]

    def _access(self, form: Form, texts: dict[str, str]) -> None:
        """The column with the access, and what shows its result."""
        wide = "r" not in form.operands or form.operands["r"].kind in (Kind.LOAD32, Kind.STORE32)
        if form.name.endswith(".Z32"):
            self.lines.append("CVT.U16.U32 %sz, DS13")
        if form.effect.startswith("store"):
            self.lines += [self.text(form, texts | {"r": "ICD" if wide else "IC"}), "##"]
            return
        if form.effect == "atomic":
            self.lines += ["ATOMCMP.U64 IAB, ICD"] if form.name.endswith("CAS.U64") else []
            texts |= {"r": "ICD", "k": "IAB", "s": "IEF", "d": self.random.choice(("IKL", "IMN"))}
            self.lines += [self.text(form, texts), "COPY MAB, IAB", "##"]
            if form.width == 64:
                self.lines += [f"MOVE.U32 {texts['d']}, VAB", "##"]
                self.store(form, "IA", "IB", "VA", "VB")
                return
        elif form.effect.startswith("dot"):
            load = "LDWARP %warp, %sy, %sz, WARPVEC"
            self.lines += [load, self.text(form, texts), "COPY MAB, IAB", "##"]
        else:
            register = self.random.choice(("IAB", "ICD", "MAB") if wide else ("IA", "IC", "MA", "MB"))
            copy = {"MA": "COPY MA, IA", "MB": "COPY MB, IA", "MAB": "COPY MAB, IAB"}
            self.lines += [self.text(form, texts | {"r": register}), copy.get(register, ""), "##"]
            if register.startswith("IC"):
                self.store(form, "IC", "ID")
                return
        self.store(form, "IA", "IB")

    def address(self, setup: str, text: str) -> None:
        """A DVA operation that stays in the input, seen by the load behind it."""
        self.scalars()
        self.lines += ["LOADCONT %index, IG", "##", "CVT.U16.U32 IG, VAB", "##", "SHL.U32 VAB, 1, VAB", "##"]
        self.lines += ["MMOV %in, DVA", "##", "MADD DVA, VAB, DVA", setup, "##", text, "##"]
        self.lines += ["LOAD [DVA], MA", "COPY MA, IA", "##"]
        self.store(NOP, "IA")

    def kernel(self) -> Kernel:
        return assemble("\n".join([_HEAD.strip(), *(line for line in self.lines if line)]), "forms")


def prepared(seed: int, *, numbers: bool = False) -> Any:
    """Fills the memory of a card; with `numbers` no half of a word can be the top of a NaN, or of infinity."""

    def fill(device: Device) -> None:
        rng = np.random.default_rng(seed)
        words = rng.integers(0, 1 << 32, 16384, dtype=np.uint32)
        special = np.array(_SPECIAL, np.uint32)
        chosen = rng.random(words.size) < 0.5
        words[chosen] = special[rng.integers(0, special.size, int(chosen.sum()))]
        small = rng.random(words.size) < 0.2
        words[small] = rng.integers(0, 40, int(small.sum()))
        if numbers:
            halves = words.view(np.uint16)
            halves[halves & 0x7F80 == 0x7F80] &= 0xFF7F
        device.write(INPUT, words)
        device.write(DDR_IN, words[::-1].copy())
        device.write(INDEX, rng.permutation(LANES).astype(np.uint16))
        device.write(WARP, words[:128].copy())
        device.write(OUTPUT, rng.integers(0, 0x7FC0_0000, 1 << 17, dtype=np.uint32))
        device.write(DDR_OUT, rng.integers(0, 0x7FC0_0000, 1 << 16, dtype=np.uint32))

    return fill
