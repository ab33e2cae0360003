"""What a row of the instruction table is made of: fields, operands, forms, instructions.

An `Instruction` is one row. It has one or more `Form`s: a form is one spelling (modifiers and operand kinds)
with one binary layout. The assembler, the printer, the decoder and the engines read nothing but forms.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from functools import cached_property
from typing import Any


class Unit(Enum):
    """The part of the machine that carries an instruction out."""

    SCALAR = "scalar sequencer"
    PORT = "memory port"
    SWITCH = "switch box"
    PE = "processing element"


class Slot(Enum):
    """Where a word stands inside a column; the order here is the order of the words."""

    SCALAR = "scalar"
    UPPER = "upper registers"
    FORWARD = "forward"
    TERM = "term"
    SEQUENTIAL = "sequential port access"
    GATHER = "gather port access"
    ADDRESS = "DVA operation"
    COPY = "copy, bank 0"
    COPYEXT = "copy, bank 1"
    COPY2 = "copy, bank 2"
    COPY3 = "copy, bank 3"
    PE = "processing element"


class Cost(Enum):
    """What an instruction occupies; the timing model knows nothing else about it."""

    FETCH = "one word of configuration issue"
    JUMP = "one word; a taken jump refetches"
    DMA = "one word; a write of the length starts a transfer"
    SYNC = "waits: barrier or DMA poll"
    SEQUENTIAL = "one port pass per warp over consecutive words"
    STRIDED = "port passes per warp by the banks that its strided addresses hit"
    GATHER = "port passes per warp by the banks that its addresses hit; equal words are broadcast"
    WARP_VECTOR = "512 bytes fetched once per configuration"
    LANE_VECTOR = "one port pass per distinct vector of a warp"
    ADDRESS = "inside the port, no pass"
    ROUTE = "inside the switch box"
    LANE = "one processing element operation per lane"
    CROSS = "one operation that looks at all lanes of a warp"
    DIRECT = "lines of DDR through the bank caches"


class Kind(Enum):
    """What may stand at an operand's place, with the words that an error message uses."""

    S16 = "a 16-bit scalar register (%name, Sn, %blockIdx.x)"
    S32 = "a 32-bit scalar register pair (%name, DSn)"
    V16 = "a 16-bit vector register (IA to IP, VA, VB, MA, MB)"
    V32 = "a 32-bit vector register pair (IAB to IOP, VAB, MAB)"
    A32 = "a 32-bit vector register pair or DVA"
    LOAD16 = "a load target (IA to IP, MA, MB)"
    STORE16 = "a register to store (IA to IP, VA, VB)"
    S64 = "the low pair of a 64-bit scalar value (%name, DSn); its high pair follows"
    LOAD32 = "a 32-bit load target (IAB to IOP, MAB)"
    STORE32 = "a 32-bit register to store (IAB to IOP, VAB)"
    IMM = "an immediate"
    LABEL = "a label ($name)"
    FRAM = "a parameter or built-in name in brackets"


VECTOR_KINDS = frozenset({Kind.V16, Kind.V32, Kind.A32, Kind.LOAD16, Kind.STORE16, Kind.LOAD32, Kind.STORE32})
"""Kinds whose value is the code of a vector register."""
COPIES = {Slot.COPY: 0, Slot.COPYEXT: 1, Slot.COPY2: 2, Slot.COPY3: 3}
"""Banks of registers that the copy words write."""


FIFTH_BITS = (
    *(f"PE operand {number}" for number in range(1, 7)),
    "sequential load r or ATOMCMP k",
    "sequential store r or ATOMCMP m",
    "gather r",
    "gather k or s",
    "gather c",
    "gather v or h",
    "gather d",
    "DVA operation",
)
"""The operand whose fifth bit each bit of an UPPER word is, from bit 0 on."""
_LOADED, _STORED = {"r": 6, "k": 6, "m": 7}, {"r": 7}
_GATHERED = {"r": 8, "k": 9, "s": 9, "c": 10, "v": 11, "h": 11, "d": 12}
_ADDRESSED = 13


@dataclass(frozen=True)
class Field:
    """Bits of a word. `segments` are (lowest bit, width), from the value's low bits upward; stored = value / scale."""

    segments: tuple[tuple[int, int], ...]
    scale: int = 1

    @property
    def mask(self) -> int:
        """The word bits that the field covers."""
        return sum(((1 << width) - 1) << low for low, width in self.segments)

    @property
    def limit(self) -> int:
        """Largest value that fits, before scaling down."""
        return ((1 << sum(width for _, width in self.segments)) - 1) * self.scale

    def put(self, value: int) -> int:
        """The word bits of a value that is known to fit."""
        rest, word = value // self.scale, 0
        for low, width in self.segments:
            word |= (rest & ((1 << width) - 1)) << low
            rest >>= width
        return word

    def get(self, word: int) -> int:
        """The value that stands in a word."""
        value, shift = 0, 0
        for low, width in self.segments:
            value |= (word >> low & ((1 << width) - 1)) << shift
            shift += width
        return value * self.scale


@dataclass(frozen=True)
class Operand:
    """One place of a form's syntax: what may stand there and which bits hold it."""

    kind: Kind
    field: Field


@dataclass(frozen=True)
class Form:
    """One spelling of an instruction and its binary layout.

    `syntax` is the operand text with `{name}` at each operand; every other token is literal (`VA`, `WARPVEC`, …).
    `define` is the NumPy definition; its arguments are described in `isa/numeric.py` (processing element),
    `isa/table/port.py` (addresses) and `isa/table/scalar.py` (integers). `width` is the result's width in bits.
    """

    name: str
    syntax: str
    base: int
    operands: dict[str, Operand]
    slot: Slot
    cost: Cost
    define: Callable[..., Any] | None = None
    width: int = 16
    effect: str = ""  # for instructions that an engine carries out itself: jump, load, store, dot, ...
    aliases: tuple[str, ...] = ()
    free: int = 0  # word bits that the decoder ignores
    sources: tuple[str, ...] = ()  # operand names in the order in which `define` takes them
    extension: str = ""  # name of the extension group, empty for the published machine
    combine: Callable[..., Any] | None = None  # atomic forms: the new word from (Numerics, old word, operands)

    @cached_property
    def mask(self) -> int:
        """Bits that identify the form."""
        taken = self.free
        for operand in self.operands.values():
            taken |= operand.field.mask
        return 0xFFFF_FFFF & ~taken

    @cached_property
    def fifth_bits(self) -> dict[str, int]:
        """Where the word of slot UPPER holds the fifth bit of each vector register operand, by operand name."""
        vectors = [name for name, each in self.operands.items() if each.kind in VECTOR_KINDS]
        match self.slot:
            case Slot.PE:
                ordered = sorted(vectors, key=lambda name: self.syntax.index(f"{{{name}}}"))
                return {name: bit for bit, name in enumerate(ordered)}
            case Slot.SEQUENTIAL:
                places = _STORED if self.effect.startswith("store") else _LOADED
            case Slot.GATHER:
                places = _GATHERED
            case Slot.ADDRESS:
                return dict.fromkeys(vectors, _ADDRESSED)
            case _:
                return {}
        return {name: places[name] for name in vectors}


@dataclass(frozen=True)
class Instruction:
    """One row of the table: a mnemonic, what it means, and its forms."""

    mnemonic: str
    unit: Unit
    meaning: str
    equation: str
    confidence: str
    forms: tuple[Form, ...]

    @property
    def extension(self) -> str:
        """Extension group, empty for the published machine."""
        return self.forms[0].extension


@dataclass(frozen=True)
class Op:
    """A decoded or assembled operation: a form and the values of its operands."""

    form: Form
    values: dict[str, int] = field(default_factory=dict[str, int])

    def word(self) -> int:
        """The machine word."""
        word = self.form.base
        for name, operand in self.form.operands.items():
            word |= operand.field.put(self.values[name])
        return word
