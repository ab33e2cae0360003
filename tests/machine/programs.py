"""Random legal kernels: the published port and processing element operations, in straight lines, loops and skips.

A program is legal in every sense that the card can check: strict tokens, no ordering assumption, no undefined value
used, all accesses inside their buffers. Each lane reads a shared input and its own output words, so every order of
execution gives the same memory; lanes see each other's words only between two barriers.

`random` may be a `random.Random` or hypothesis's shrinking one.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random

import numpy as np
from numpy.typing import NDArray

from openrpp.isa.assembler import assemble
from openrpp.isa.columns import END_WORD
from openrpp.isa.form import Form, Kind, Op, Slot
from openrpp.isa.program import Kernel
from openrpp.isa.registers import I_HALVES, I_PAIRS
from openrpp.isa.syntax import operand_text
from openrpp.isa.table import TABLE, decode_form
from openrpp.machine import Device, LaunchReport

INPUT = 0x0400_0000
INPUT_BYTES = 0x7_0000
IOTA = 0x0408_0000
OUTPUT = 0x0410_0000
SLOT_GUARD = 512
PUBLISHED = [form for row in TABLE for form in row.forms if not form.extension]
PE_FORMS = [form for form in PUBLISHED if form.slot is Slot.PE and form.effect != "nop"]
SCALAR_FORMS = [form for form in PUBLISHED if form.slot is Slot.SCALAR and not form.effect]
WIDE_INDEX = 0xFFFF  # largest value of a 16-bit index
CONSTANTS = {"one": 1, "x": 66, "y": 34, "m": 0b0101_1010, "terms": 8}
SCRATCH16, SCRATCH32 = ("a", "b", "c"), ("p", "q")

PROLOGUE = """
.param .u32 input
.param .u32 iota
.param .u32 output
.param .u32 step
.var .u32 %input
.var .u32 %iota
.var .u32 %output
.var .u32 %step
.var .u32 %at
.var .u32 %p
.var .u32 %q
.var .u16 %a
.var .u16 %b
.var .u16 %c
.var .u16 %one
.var .u16 %x
.var .u16 %y
.var .u16 %m
.var .u16 %terms
.var .u16 %loop
.var .u16 %sy
.var .u16 %sz
JMPC %blockIdx, $ready
LDPARAM.U16 [tbDim.x], %sy
LDPARAM.U16 [tbDim.y], %sz
LDPARAM.U16 [tid_xyz], %a
CFGXYZ %sy, %sz, %a
MUL.U16 %sy, %sz, %sz
LDPARAM.U32 [input], %input
LDPARAM.U32 [iota], %iota
LDPARAM.U32 [output], %output
LDPARAM.U32 [step], %step
"""
TAIL = """
$ready:
LDPARAM.U16 [grid_dim_x], %a
ADD.U16 %blockIdx.x, %one, %b
CMP.U16.EQ %a, %b, %c
JMPNC %c, $body
LDPARAM.U16 [dimx_shadow], %a
LDPARAM.U16 [dimy_shadow], %b
LDPARAM.U16 [xyzcfg_shadow], %c
CFGXYZ %a, %b, %c
$body:
MMOV 0, DVA
MOVE.U32 0, VAB
##
COPY VAB, IAB
COPY VAB, ICD
COPYEXT VAB, IEF
COPYEXT VAB, IGH
##
"""


@dataclass
class Program:
    """A generated kernel with its launch shape; `run` gives the output words."""

    text: str
    block: tuple[int, int, int]
    tail: tuple[int, int, int]
    blocks: int
    slots: int
    seed: int = 0

    @property
    def threads(self) -> int:
        return self.block[0] * self.block[1] * self.block[2]

    @property
    def slot_bytes(self) -> int:
        return slot_bytes(self.threads)

    def kernel(self) -> Kernel:
        return assemble(self.text, f"random_{self.seed}")

    def prepare(self, device: Device) -> None:
        """Write the buffers: random input, lane numbers, a marked output."""
        rng = np.random.default_rng(self.seed)
        device.write(INPUT, rng.integers(0, 1 << 16, INPUT_BYTES // 2, dtype=np.uint16))
        device.write(IOTA, np.arange(8160, dtype=np.uint16))
        device.write(OUTPUT, np.full(self.output_words, 0x7A5A, np.uint16))

    @property
    def output_words(self) -> int:
        return self.blocks * self.slots * self.slot_bytes // 2

    def launch(self, device: Device) -> LaunchReport:
        params = [INPUT, IOTA, OUTPUT, self.slots * self.slot_bytes]
        return device.launch(self.kernel(), (self.blocks, 1, 1), self.block, params, tail=self.tail)

    def run(self, device: Device) -> NDArray[np.uint16]:
        """The output after a launch on a card."""
        self.prepare(device)
        self.launch(device)
        return device.read(OUTPUT, self.output_words, np.uint16)


def slot_bytes(threads: int) -> int:
    """Room of one store of the whole block: own words, and a guard for aligned rows."""
    return -(-2 * threads // 512) * 512 + SLOT_GUARD


@dataclass
class _Column:
    """One column under construction: lines by unit, and what is taken."""

    scalars: list[str] = field(default_factory=list[str])
    vectors: list[str] = field(default_factory=list[str])
    fresh: list[str] = field(default_factory=list[str])  # MA, MB loaded here
    written: set[str] = field(default_factory=set[str])  # I registers loaded or copied to here

    def text(self) -> str:
        return "\n".join([*self.scalars, *self.vectors, "##"])


class Generator:
    """Writes one program. Bytes that DVA may point beyond the input's start are `self.reach`, None for unknown."""

    def __init__(self, random: Random, threads: int) -> None:
        self.random = random
        self.threads = threads
        self.lines: list[str] = []
        self.reach: int | None = None
        self.slots = 0
        self.labels = 0

    # --- choices -----------------------------------------------------------------------------------------------------

    def half(self, column: _Column, fresh: bool = True) -> str:
        """A 16-bit source."""
        names = [*(name for name in I_HALVES if name not in column.written), "VA", "VB"]
        return self.random.choice(names + (column.fresh if fresh else []))

    def pair(self, column: _Column, fresh: bool = True) -> str:
        """A 32-bit source."""
        names = [name for name in I_PAIRS if not {f"I{letter}" for letter in name[1:]} & column.written]
        if fresh and set(column.fresh) == {"MA", "MB"}:
            names.append("MAB")
        return self.random.choice([*names, "VAB"])

    def target(self, column: _Column) -> str:
        """An I register that this column does not write yet."""
        name = self.random.choice([name for name in I_HALVES if name not in column.written])
        column.written.add(name)
        return name

    # --- operations --------------------------------------------------------------------------------------------------

    def pe(self, column: _Column) -> str:
        """A random processing element operation."""
        forms = [form for form in PE_FORMS if "MB" not in form.sources or "MB" in column.fresh]
        form = self.random.choice(forms)
        return f"{form.name} {operand_text(Op(form, {}), self._operands(form, column))}"

    def _operands(self, form: Form, column: _Column) -> dict[str, str]:
        texts: dict[str, str] = {}
        for name, operand in form.operands.items():
            match operand.kind:
                case Kind.V16:
                    texts[name] = self.half(column)
                case Kind.V32:
                    texts[name] = self.pair(column)
                case Kind.S16:
                    texts[name] = "%" + self.random.choice((*SCRATCH16, *CONSTANTS))
                case Kind.S32:
                    texts[name] = "%" + self.random.choice(SCRATCH32)
                case _:
                    texts[name] = str(self.random.choice((0, 1, 3, 16, self.random.getrandbits(16))))
        return texts

    def load_sequential(self, column: _Column) -> None:
        """A contiguous or aligned load of the input, or LDWARP with LDLANE where DVA points into the input."""
        room = INPUT_BYTES - 2 * 256 * 66 * 4
        if self.reach is not None and self.reach < INPUT_BYTES - 32 and self.random.random() < 0.3:
            column.vectors += ["LDWARP %input, %sy, %sz, WARPVEC", "LDLANE_BFMAD [DVA], WARPVEC, %terms, MAB"]
            column.fresh += ["MA", "MB"]
            return
        column.scalars += [f"MOVE.U32 {2 * self.random.randrange(room // 8)}, %at", "ADD.U32 %at, %input, %at"]
        place = "MB" if self.random.random() < 0.6 else self.target(column)
        column.vectors.append(
            self.random.choice(
                (
                    f"LOADCONT %at, {place}",
                    f"LOADALN %at, %sy, %sz, {place}",
                    f"LOADALN %at, %one, %y, {place}",
                    f"LOADALN.Z32 %at, %y, DS13, {place}",
                )
            )
        )
        if "DS13" in column.vectors[-1]:
            column.scalars += ["CVT.U16.U32 %x, DS13"]
        column.fresh += [place] if place == "MB" else []

    def gather(self, column: _Column) -> None:
        """A load at an address per lane."""
        index = self.half(column, fresh=False)
        shift = self.random.choice((1, 2))
        forms = [f"LOAD [%input+({index}<<{shift})]", f"LOAD.BEN [%input+{index}]"]
        if self.reach is not None:
            forms += ["LOAD [DVA]"] * 2
            forms += [f"LOAD [DVA+{offset}]" for offset in (2, 14) if self.reach + offset < INPUT_BYTES]
            forms += [f"LOAD [DVA+({index}<<1)]"] if self.reach + 2 * WIDE_INDEX < INPUT_BYTES else []
        text = self.random.choice(forms)
        if self.reach is not None and self.random.random() < 0.2:
            # The lanes left out keep VA, so nothing undefined is used.
            column.vectors += ["LOADMASK [DVA], %m, MA", f"MERGEMASK {self.half(column)}, MA, %m, VA"]
            column.fresh.append("done")
            return
        place = "MA" if self.random.random() < 0.6 else self.target(column)
        column.vectors.append(f"{text}, {place}")
        column.fresh += [place] if place == "MA" else []

    def address(self, column: _Column) -> None:
        """A DVA operation that stays in the input."""
        index, shift = self.half(column, fresh=False), self.random.choice((1, 2))
        options: list[tuple[str, int | None]] = [
            ("MMOV %input, DVA", 0),
            (f"MSHIFTADD {index}, %input, {shift}, DVA", WIDE_INDEX << shift),
            ("GLANEADDR %input, %x, %y, DVA", 66 * 256 + 34 * 256),
            ("GLANEADDR.Z32 %input, %x, DS13, DVA", 66 * 256 + 34 * 256),
        ]
        if self.reach is not None:
            offset = 2 * self.random.randrange(1 << 13)
            steps = [
                (f"MADD DVA, {offset}, DVA", offset),
                ("MADD DVA, %x, DVA", 66),
                ("MADD.SCA32 DVA, DS13, DVA", 34),
            ]
            options += [(text, self.reach + more) for text, more in steps if self.reach + more < INPUT_BYTES - 32]
        text, self.reach = self.random.choice(options)
        if "DS13" in text:
            column.scalars.append("CVT.U16.U32 %y, DS13")
        column.vectors.append(text)

    def address_from_pair(self) -> None:
        """DVA from a computed pair, and back again by what was added."""
        column = _Column()
        self.emit(f"CVT.U16.U32 {self.half(column)}, VAB\n##\nSHL.U32 VAB, 1, VAB\n##")
        way = self.random.randrange(3)
        if way == 0:
            self.emit("MADD.SCA32 VAB, %input, DVA\n##")
        elif way == 1:
            self.emit("MMOV %input, DVA\n##\nMADD DVA, VAB, DVA\n##\nMADD DVA, %x, DVA\n##\nMSUB DVA, %x, DVA\n##")
        else:
            self.emit("ADD.U32 VAB, %input, VAB\n##\nMMOV VAB, DVA\n##")
        self.reach = 2 * WIDE_INDEX

    def copies(self, column: _Column) -> None:
        """Moves of the switch box."""
        for name, letters in (("COPY", "ABCD"), ("COPYEXT", "EFGH")):
            free = [letter for letter in letters if f"I{letter}" not in column.written]
            for letter in free:
                if self.random.random() < 0.25:
                    source = self.random.choice(["VA", "VB", *(set(column.fresh) & {"MA", "MB"})])
                    column.vectors.append(f"{name} {source}, I{letter}")
                    column.written.add(f"I{letter}")

    def scalar(self) -> str:
        """A scalar operation on scratch variables."""
        form = self.random.choice(SCALAR_FORMS)
        texts: dict[str, str] = {}
        for name, operand in form.operands.items():
            match operand.kind:
                case Kind.S16:
                    texts[name] = "%" + self.random.choice(SCRATCH16)
                case Kind.S32:
                    texts[name] = "%" + self.random.choice(SCRATCH32)
                case _:
                    texts[name] = str(self.random.randrange(operand.field.limit + 1))
        return f"{form.name} {operand_text(Op(form, {}), texts)}"

    # --- columns -----------------------------------------------------------------------------------------------------

    def emit(self, text: str) -> None:
        self.lines.append(text)

    def column(self) -> None:
        """A random column."""
        column, chance = _Column(), self.random.random
        column.scalars = [self.scalar() for _ in range(self.random.choice((0, 0, 0, 1, 3)))]
        if chance() < 0.4:
            self.load_sequential(column)
        dot = any(line.startswith("LDLANE") for line in column.vectors)
        if not dot and chance() < 0.35:
            self.gather(column)
        if chance() < 0.3:
            self.address(column)
        if "done" not in column.fresh:
            if chance() < 0.8:
                # The switch box must not write what the processing element reads: choose its sources first.
                operation = self.pe(column)
                column.written |= {name for name in I_HALVES if reads(operation, name)}
                column.vectors.append(operation)
            self.copies(column)
        if chance() < 0.05 and not any("DVA\n" in f"{line}\n" for line in column.vectors):
            column.scalars.append(f"REPEAT 1, %{self.random.choice(('one', 'terms'))}")
        self.emit(column.text())

    def slot(self) -> str:
        """Scalar lines that put the address of a new output slot into %at."""
        offset = self.slots * slot_bytes(self.threads)
        self.slots += 1
        return f"MOVE.U32 {offset}, %at\nADD.U32 %at, %output, %at"

    def store(self, register: str | None = None) -> None:
        """Store a register to the lanes' own words, in any of the ways."""
        register = register or self.random.choice((*I_HALVES, "VA", "VB"))
        place = self.slot()
        way = self.random.randrange(7)
        if way < 3:
            texts = (
                f"STORECONT %at, {register}",
                f"STOREALN %at, %sy, %sz, {register}",
                f"STOREALN.Z32 %at, %sy, DS13, {register}",
            )
            wide = "CVT.U16.U32 %sz, DS13\n" if way == 2 else ""
            self.emit(f"{place}\n{wide}{texts[way]}\n##")
            return
        number = "IH" if register != "IH" else "IA"
        copy = f"COPYEXT MB, {number}" if number == "IH" else f"COPY MB, {number}"
        self.emit(f"LOADCONT %iota, MB\n{copy}\n##")
        if way == 3:
            self.emit(f"{place}\nSTORE {register}, [%at+({number}<<1)]\n##")
            return
        self.reach = None
        condition = self.random.choice(I_HALVES)
        start, text = self.random.choice(
            (
                (f"MSHIFTADD {number}, %at, 1, DVA", f"STORE {register}, [DVA]"),
                (f"MSHIFTADD {number}, %at, 1, DVA", f"STORE {register}, [DVA+{self.random.choice((2, 14))}]"),
                (f"MSHIFTADD {number}, %at, 1, DVA", f"STOREMASK {register}, {condition}, [DVA]"),
                ("MMOV %at, DVA", f"STORE {register}, [DVA+({number}<<1)]"),
            )
        )
        self.emit(f"{place}\n{start}\n##\n{text}\n##")

    def reload(self) -> None:
        """Store and read back what the same lane stored: no barrier needed."""
        self.emit(f"{self.slot()}\nSTORECONT %at, {self.random.choice((*I_HALVES, 'VA', 'VB'))}\n##")
        self.emit("LOADCONT %at, MB\nADD.U16 MB, VA, VA\nCOPY MB, IC\n##")

    def exchange(self) -> None:
        """Read what another lane stored, between two barriers."""
        self.emit(f"{self.slot()}\nSTORECONT %at, {self.random.choice((*I_HALVES, 'VA'))}\n##\nDMB_ORI\n##")
        mask = (1 << (self.threads.bit_length() - 1)) - 1 >> 1
        self.emit(f"AND.U16 {self.random.choice(I_HALVES)}, {mask}, VA\n##")
        self.emit("LOAD [%at+(VA<<1)], MA\nCOPY MA, IB\n##\nDMB_ORI\n##")

    def label(self) -> str:
        self.labels += 1
        return f"$L{self.labels}"

    def straight(self, columns: int) -> None:
        """Columns without control flow."""
        for _ in range(columns):
            kind = self.random.random()
            if kind < 0.08 and self.slots < 6:
                self.store()
            elif kind < 0.12 and self.slots < 6:
                self.reload()
            elif kind < 0.15 and self.slots < 6:
                self.exchange()
            elif kind < 0.2:
                self.address_from_pair()
            else:
                self.column()

    def loop(self) -> None:
        """A counted loop, now and then with a column that it skips."""
        label = self.label()
        self.reach = None
        self.emit(f"MOVE.U16 {self.random.randint(1, 4)}, %loop\n##\n{label}:")
        self.straight(self.random.randint(1, 4))
        if self.random.random() < 0.5:
            self.skip()
        self.emit(f"SUB.U16 %loop, %one, %loop\nJMPC %loop, {label}\n##")

    def skip(self) -> None:
        """Columns behind a forward jump."""
        label = self.label()
        tested = f"%{self.random.choice(SCRATCH16)}"
        jump = self.random.choice((f"JMPC {tested},", f"JMPNC {tested},", f"JMPC {tested},", "JMP"))
        self.emit(f"{jump} {label}\n##")
        self.straight(self.random.randint(1, 3))
        self.reach = None
        self.emit(f"{label}:")

    def body(self, parts: int) -> None:
        """The whole body; at the end every register goes to memory."""
        for _ in range(parts):
            self.random.choice((self.loop, self.skip, lambda: self.straight(3), lambda: self.straight(5)))()
        for register in ("VA", "VB", *I_HALVES):
            self.emit(f"{self.slot()}\nSTORECONT %at, {register}\n##")
        self.emit("ADD.U32 %output, %step, %output\n##")


def reads(operation: str, register: str) -> bool:
    """Whether an operation's text names an I register or a pair with it."""
    names = operation.replace(",", " ").split()[1:]
    letter = register[1]
    return register in names or any(name in I_PAIRS and letter in name[1:] for name in names)


SHAPES = ((33, 1, 1), (64, 1, 1), (32, 5, 1), (16, 3, 2), (200, 1, 1), (96, 2, 2), (1, 40, 1))


def random_program(random: Random, parts: int = 4) -> Program:
    """A random program with a launch shape of one to three blocks, the last one smaller."""
    block = random.choice(SHAPES)
    tail = (block[0], max(block[1] - 1, 1), 1) if random.random() < 0.5 else block
    generator = Generator(random, block[0] * block[1] * block[2])
    constants = "\n".join(f"MOVE.U16 {value}, %{name}" for name, value in CONSTANTS.items())
    scratch = [f"MOVE.U16 {random.getrandbits(16)}, %{name}" for name in SCRATCH16]
    scratch += [f"MOVE.U32 {random.getrandbits(32)}, %{name}" for name in SCRATCH32]
    generator.body(parts)
    text = "\n".join([PROLOGUE.strip(), constants, *scratch, TAIL.strip(), *generator.lines])
    return Program(text, block, tail, random.randint(1, 3), generator.slots, random.getrandbits(32))


def seeded(seed: int, parts: int = 4) -> Program:
    """The program of a seed; print the seed where a test fails."""
    program = random_program(Random(seed), parts)
    program.seed = seed
    return program


def kernel(text: str, name: str = "k") -> Kernel:
    """An assembled kernel; errors give the lines of the text."""
    return assemble(text, name)


def shaped(body: str, params: str = "") -> str:
    """A kernel's text that sets the block shape from the launch, then runs `body` (lines 8 and up without params).

    `params` names u32 parameters; each is loaded into a variable of its name.
    """
    names = params.split()
    lines = [f".param .u32 {name}" for name in names]
    lines += [f".var .u32 %{name}" for name in names]
    lines += [".var .u16 %w", ".var .u16 %h", ".var .u16 %n"]
    lines += [
        "LDPARAM.U16 [tbDim.x], %w",
        "LDPARAM.U16 [tbDim.y], %h",
        "LDPARAM.U16 [tid_xyz], %n",
        "CFGXYZ %w, %h, %n",
    ]
    lines += [f"LDPARAM.U32 [{name}], %{name}" for name in names]
    return "\n".join([*lines, body])


def words_of(built: Kernel, name: str) -> list[int]:
    """Indices of the words with an instruction's name, before the end word."""
    end = built.words.index(END_WORD)
    forms = (decode_form(word) for word in built.words[:end])
    return [index for index, form in enumerate(forms) if form is not None and form.name == name]
