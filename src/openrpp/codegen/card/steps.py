"""Machine operations on virtual values: what kernel IR is lowered to before registers are chosen.

`mask` of a step is the word that is not zero in active lanes; None where the back end knows it otherwise, or all are.

A `Word` is 32 bits of every lane. Values of up to 32 bits are one word (integers zero-extended, an i1 is 0 or 1, 16-bit
floats are their bits), 64-bit values two, low word first. A step is one operation of a column; which registers it uses,
and what stays in memory, is decided later.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum

from openrpp.kir.location import Location


@dataclass(eq=False, slots=True)
class Word:
    """A 32-bit value per lane."""

    name: str = ""


Source = Word | int
"""An operand: a value per lane, or the bits of a constant."""


class Part(Enum):
    """Which bits of a word an operand of a machine operation is."""

    PAIR = "pair"
    LOW = "low"
    HIGH = "high"


@dataclass(frozen=True, slots=True)
class Read:
    """An operand."""

    source: Source
    part: Part = Part.PAIR


@dataclass(frozen=True, slots=True)
class Where:
    """Where the lanes of an access go: a scalar address, and what each lane adds to it.

    Attributes:
        base: a scalar word or a number. In DDR it counts from the root, as `lane` does.
        lane: a word per lane that is added, None where all lanes go to one place (or `rows` says where).
        shift: the lane word is shifted left by so many bits first.
        narrow: the lane word is below 2^16, so that its low half can index a gather.
        rows: through the sequential port: () for consecutive elements over the whole block, or strides of the rows and
            planes of the block in elements, (sy, sz): element x + y sy + z sz.
        offset: bytes that are added, so that accesses near each other share a base.
        planes: strides of the rows and planes of the block in bytes, (sy, sz): y sy + z sz is added, of a row all lanes
            go to one place.
    """

    base: Source
    lane: Source | None = None
    shift: int = 0
    narrow: bool = False
    rows: tuple[Source, ...] | None = None
    offset: int = 0
    planes: tuple[Source, ...] | None = None


@dataclass(slots=True)
class Pe:
    """An operation of the processing element.

    `text` is the mnemonic, `reads` its operands in order. The result is a word (PAIR) or the low half of one (LOW),
    whose high half means nothing. `loads` are accesses whose results only this operation reads: they take place in its
    column and pass through MA, MB or MAB.
    """

    text: str
    reads: tuple[Read, ...]
    result: Word
    makes: Part = Part.PAIR
    location: Location | None = None
    loads: tuple[Access, ...] = ()


@dataclass(slots=True)
class Scalar:
    """A word that is the same in all lanes: the content of a scalar register pair, of a FRAM word or a built-in."""

    register: str
    result: Word
    location: Location | None = None


class Memory(Enum):
    """Which memory an access goes to."""

    SRAM = "sram"
    DDR = "ddr"


@dataclass(slots=True)
class Access:
    """A load (`result`) or store (`value`) of 8, 16 or 32 bits by the active lanes.

    SRAM addresses are one word. In DDR they are two, or one that is signed and counts from a `root` which is the same
    in all lanes. Where `place` says more, `address` is empty. `upper` is a second place of 16 bits: then the access is
    two, of the low and of the high half of the word. `part` is the half that a store of 16 bits takes.

    With `warp`, the scalar address of 512 bytes, a load is the dot product of 8 bf16 values at the place of a lane with
    its column of those 512 bytes.
    """

    memory: Memory
    bits: int
    address: tuple[Source, ...]
    result: Word | None = None
    value: Source | None = None
    mask: Word | None = None
    root: tuple[Source, Source] | None = None
    location: Location | None = None
    place: Where | None = None
    upper: Where | None = None
    part: Part = Part.LOW
    warp: Source | None = None

    @property
    def is_row(self) -> bool:
        """Whether it goes through the sequential port."""
        return self.place is not None and self.place.rows is not None

    @property
    def is_indexed(self) -> bool:
        """Whether a gather adds a 16-bit index to a scalar by itself."""
        place = self.place
        is_free = self.memory is Memory.SRAM and self.mask is None and self.warp is None
        return is_free and place is not None and place.narrow

    @property
    def is_harmless(self) -> bool:
        """Whether lanes that are not active may take part: they read near those that are, and SRAM goes on there."""
        return self.value is None and self.is_row


@dataclass(slots=True)
class Atomic:
    """An atomic of the active lanes; `result` is what stood there. One of 64 bits has high words too."""

    operation: str
    memory: Memory
    address: tuple[Source, ...]
    value: Source
    compared: Source | None
    result: Word
    mask: Word | None = None
    root: tuple[Source, Source] | None = None
    location: Location | None = None
    value_high: Source | None = None
    compared_high: Source | None = None
    place: Where | None = None

    @property
    def is_long(self) -> bool:
        """Whether it is one of 64 bits: an `OldHigh` follows."""
        return self.value_high is not None


@dataclass(slots=True)
class OldHigh:
    """The high word of what stood where the atomic of 64 bits just before it is."""

    result: Word
    location: Location | None = None


@dataclass(slots=True)
class Ballot:
    """Bit k of `result` is whether lane k of the warp is active and its `predicate` is not zero."""

    predicate: Source
    result: Word
    mask: Word | None = None
    location: Location | None = None


@dataclass(slots=True)
class Lane:
    """The number of the thread in its block."""

    result: Word
    location: Location | None = None


@dataclass(slots=True)
class Fence:
    """Stores before it are seen by loads of all lanes behind it."""

    location: Location | None = None


@dataclass(slots=True)
class Flag:
    """A transfer brings the flag in the parameter area to the sequencer: `result` is whether a lane has set it."""

    result: Word
    location: Location | None = None


@dataclass(slots=True)
class Transfer:
    """The sequencer starts a transfer between two 64-bit addresses, when those before it are done."""

    source: tuple[Source, Source]
    target: tuple[Source, Source]
    size: Source
    location: Location | None = None


@dataclass(slots=True)
class Poll:
    """The sequencer waits until transfers are done."""

    location: Location | None = None


Step = Pe | Scalar | Access | Atomic | OldHigh | Ballot | Lane | Fence | Flag | Transfer | Poll


def for_each_read(step: Step, work: Callable[[Source], Source]) -> None:
    """Replace each operand of a step by what a function makes of it; masks are left alone."""
    if isinstance(step, Pe):
        step.reads = tuple(Read(work(read.source), read.part) for read in step.reads)
        for load in step.loads:
            for_each_read(load, work)
    elif isinstance(step, Access | Atomic):
        step.address = tuple(work(source) for source in step.address)
        step.root = (work(step.root[0]), work(step.root[1])) if step.root else None
        step.place = _moved(step.place, work)
        if isinstance(step, Access):
            step.upper = _moved(step.upper, work)
            step.warp = work(step.warp) if step.warp is not None else None
        if step.value is not None:
            step.value = work(step.value)
        if isinstance(step, Atomic):
            _rest_of_atomic(step, work)
    elif isinstance(step, Ballot):
        step.predicate = work(step.predicate)
    elif isinstance(step, Transfer):
        step.source = work(step.source[0]), work(step.source[1])
        step.target = work(step.target[0]), work(step.target[1])
        step.size = work(step.size)


def _rest_of_atomic(step: Atomic, work: Callable[[Source], Source]) -> None:
    if step.compared is not None:
        step.compared = work(step.compared)
    if step.value_high is not None:
        step.value_high = work(step.value_high)
    if step.compared_high is not None:
        step.compared_high = work(step.compared_high)


def _moved(place: Where | None, work: Callable[[Source], Source]) -> Where | None:
    if place is None:
        return None
    rows, planes = (
        tuple(work(stride) for stride in strides) if strides is not None else None
        for strides in (place.rows, place.planes)
    )
    lane = work(place.lane) if place.lane is not None else None
    return Where(work(place.base), lane, place.shift, place.narrow, rows, place.offset, planes)


def operands(step: Step) -> Iterator[Source]:
    """All operands of a step, its mask included; what its own loads bring is none."""
    found: list[Source] = []
    brought = [load.result for load in step.loads] if isinstance(step, Pe) else []

    def note(source: Source) -> Source:
        found.append(source)
        return source

    for_each_read(step, note)
    mask = getattr(step, "mask", None)
    found = [source for source in found if source not in brought] if brought else found
    return iter([*found, mask] if isinstance(mask, Word) else found)
