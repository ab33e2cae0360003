"""What lowering rules work with: the steps so far, and short ways to append more."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from openrpp.codegen.card.layout import Layout
from openrpp.codegen.card.splits import Splits
from openrpp.codegen.card.steps import Part, Pe, Read, Source, Step, Word
from openrpp.codegen.card.values import Values
from openrpp.codegen.errors import Unsupported
from openrpp.codegen.origins import Origins
from openrpp.kir.ir import Instr, Kernel, Parameter, Value
from openrpp.kir.location import Location

ALL_ONES = 0xFFFF_FFFF


@dataclass(frozen=True, slots=True)
class Places:
    """Where variables lie: offsets in the shared memory of a block and in the private memory of a thread, offsets of
    parameters and of the addresses of module variables in the parameter area. `private_size` is a multiple of 4."""

    shared: dict[str, int]
    private: dict[str, int]
    params: tuple[int, ...]
    symbols: dict[str, int]
    geometry: int
    private_size: int
    shared_size: int = 0  # bytes of a CUDA block without dynamic ones; a multiple of 16
    is_dynamic: bool = False  # whether there are dynamic ones
    direct: int = 0  # words of the parameter area that are FRAM words too
    spare: int = 0  # FRAM words behind them for values of the sequencer
    biased: Mapping[int, int] = field(default_factory=dict[int, int])
    near: bool = False  # every pointer that lanes follow leads to SRAM: its low word is the address
    far: frozenset[str] = frozenset()  # parameters that only transfers follow: their high words matter as well
    sram: frozenset[str] = frozenset()  # pointer parameters and variables that lie in SRAM

    def root(self, kernel: Kernel, value: Value) -> int:
        """Where the address of a buffer lies in the parameter area; -1 if it does not."""
        if isinstance(value, Parameter) and not value.is_by_value:
            return self.params[kernel.params.index(value)]
        if isinstance(value, Instr) and value.op.name == "global_addr":
            return self.symbols.get(str(value.attr("symbol")), -1)
        return -1


@dataclass(slots=True)
class Lowering:
    """The state of lowering a kernel at a block shape."""

    kernel: Kernel
    block: tuple[int, int, int]
    values: Values
    places: Places
    steps: list[Step] = field(default_factory=list[Step])
    location: Location | None = None
    seen: Callable[[Value], tuple[Source, ...]] | None = None  # how the present block sees values
    whole_warps: bool = False  # whether all lanes of a warp are active where one is, and each warp has 32
    is_scalar: Callable[[Source], bool] | None = None  # whether the sequencer holds a word
    splits: Splits = field(default_factory=Splits)
    origins: Origins | None = None
    loose: dict[Word, Word] = field(default_factory=dict[Word, Word])  # 16 bits, and where more bits are beside them

    @property
    def threads(self) -> int:
        """Lanes of a block of the card."""
        x, y, z = self.block
        return x * y * z * self.kernel.merge

    @property
    def columns(self) -> tuple[int, int, int]:
        """The shape that the card gives a block."""
        x, y = Layout(self.block, self.kernel.merge).columns
        return x, y, self.threads

    # --- operands and results -----------------------------------------------------------------------------------

    def sources(self, value: Value) -> tuple[Source, ...]:
        """The words of a value, or the numbers of a constant."""
        return self.values.sources(value) if self.seen is None else self.seen(value)

    def one(self, value: Value) -> Source:
        """The word of a value that has one."""
        (source,) = self.sources(value)
        return source

    def two(self, value: Value) -> tuple[Source, Source]:
        """The words of a value that has two, low first."""
        low, high = self.sources(value)
        return low, high

    def give(self, instr: Instr, *sources: Source) -> None:
        """Make sources the result of an instruction."""
        for word, source in zip(self.values.words(instr), sources, strict=True):
            self.append(Pe("MOVE.U32", (Read(source),), word, location=self.location))

    def append(self, step: Step) -> None:
        """Append a step."""
        self.steps.append(step)

    # --- operations ---------------------------------------------------------------------------------------------

    def pe(self, text: str, *reads: Source | Read, makes: Part = Part.PAIR) -> Word:
        """A PE operation on words; its result as a new word."""
        operands = tuple(item if isinstance(item, Read) else Read(item) for item in reads)
        result = Word()
        self.append(Pe(text, operands, result, makes, location=self.location))
        return result

    def compare(self, text: str, *reads: Source | Read) -> Word:
        """A comparison: a condition, which is 0 or 1 in its low half; its high half means nothing."""
        return self.pe(text, *reads, makes=Part.LOW)

    def number(self, condition: Source) -> Source:
        """A condition as the number 0 or 1."""
        return self.both(condition, 1)

    def add(self, a: Source, b: Source) -> Source:
        """a + b in 32 bits."""
        if isinstance(a, int) and isinstance(b, int):
            return (a + b) & ALL_ONES
        if b == 0 or a == 0:
            return a if b == 0 else b
        return self.pe("ADD.U32", a, b) if not isinstance(a, int) else self.pe("ADD.U32", b, a)

    def sub(self, a: Source, b: Source) -> Source:
        """a - b in 32 bits."""
        if isinstance(a, int) and isinstance(b, int):
            return (a - b) & ALL_ONES
        return a if b == 0 else self.pe("SUB.U32", a, b)

    def both(self, a: Source, b: Source) -> Source:
        """Bitwise and."""
        if isinstance(a, int) and isinstance(b, int):
            return a & b
        if 0 in (a, b):
            return 0
        if ALL_ONES in (a, b):
            return b if a == ALL_ONES else a
        return self._bits("AND.U32", a, b)

    def either(self, a: Source, b: Source) -> Source:
        """Bitwise or."""
        if isinstance(a, int) and isinstance(b, int):
            return a | b
        if 0 in (a, b) or a is b:
            return b if a == 0 else a
        return self._bits("OR.U32", a, b)

    def exclusive(self, a: Source, b: Source) -> Source:
        """Bitwise exclusive or."""
        if isinstance(a, int) and isinstance(b, int):
            return a ^ b
        if 0 in (a, b):
            return b if a == 0 else a
        return self._bits("XOR.U32", a, b)

    def _bits(self, text: str, a: Source, b: Source) -> Source:
        return self.pe(text, b, a) if isinstance(a, int) else self.pe(text, a, b)

    def shift(self, text: str, a: Source, count: Source) -> Source:
        """`SHL.U32`, `SHR.U32` or `SAR.S32` by a count below 32."""
        if isinstance(a, int) and isinstance(count, int):
            return _shifted(text, a, count)
        return a if count == 0 else self.pe(text, a, Read(count, Part.LOW))

    def multiply(self, a: Source, b: Source) -> Source:
        """Low half of a product; by a power of two it is a shift."""
        if isinstance(a, int):
            a, b = b, a
        if isinstance(b, int):
            if isinstance(a, int):
                return a * b & ALL_ONES
            if b & (b - 1) == 0:
                return self.shift("SHL.U32", a, b.bit_length() - 1) if b else 0
        return self.pe("MUL.U32.LOW", a, b)

    def product(self, a: Source, a_part: Part, b: Source, b_part: Part) -> Word:
        """A product of two 16-bit halves."""
        return self.pe("MUL.U16.WIDE", Read(a, a_part), Read(b, b_part))

    def select(self, condition: Source, yes: Source, no: Source) -> Source:
        """`yes` where the condition is not zero, else `no`."""
        if yes == no:
            return yes
        if isinstance(condition, int):
            return yes if condition & 0xFFFF else no
        if self.is_scalar is not None and all(self.is_scalar(source) for source in (condition, yes, no)):
            # The sequencer has no choice between two, but sums and products: what differs, once or not at all.
            return self.add(no, self.multiply(self.sub(yes, no), self.number(condition)))
        return self.pe("MERGE", no, yes, Read(condition, Part.LOW))

    def invert(self, condition: Source) -> Source:
        """1 for 0 and 0 for 1."""
        return self.exclusive(condition, 1)

    def unsupported(self, instr: Instr, why: str = "") -> Unsupported:
        """The error for an instruction that cannot be lowered."""
        kinds = ", ".join(str(value.type) for value in instr.operands)
        what = f"'{instr.op.name}'{' of ' + kinds if kinds else ''}"
        card = "published chip" if self.places.near else "card"
        sentence = f"{what} cannot be compiled for the {card}{': ' + why if why else ''}"
        sentence += "" if not self.places.near or "ae7100x" in why else "; use --target ae7100x"
        return Unsupported(sentence, self.kernel.name, instr.location)


Rule = Callable[[Lowering, Instr], None]


def _shifted(text: str, value: int, count: int) -> int:
    if text == "SHL.U32":
        return value << count & ALL_ONES
    if text == "SAR.S32" and value >> 31:
        return (value | ~ALL_ONES) >> count & ALL_ONES
    return value >> count
