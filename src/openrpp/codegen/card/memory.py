"""Addresses, loads, stores and atomics as machine operations."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from openrpp.codegen.card import wide
from openrpp.codegen.card.lowering import Lowering, Rule
from openrpp.codegen.card.mixed import half_of
from openrpp.codegen.card.splits import Split
from openrpp.codegen.card.steps import Access, Fence, Lane, Memory, Pe, Read, Scalar, Source, Where, Word
from openrpp.codegen.card.values import NEAR, words_of
from openrpp.codegen.origins import name_of
from openrpp.kir.interp.memory import PRIVATE_WINDOW, SHARED_WINDOW
from openrpp.kir.ir import Instr, Kernel, Parameter, Value
from openrpp.kir.types import Space, Type

PARAMS, SHARED, PRIVATE = "[params]", "[shared]", "[private]"
"""FRAM words that hold where the parameter area, shared and private memory start in SRAM."""
_WINDOWS = {Space.SHARED: SHARED_WINDOW >> 32, Space.PRIVATE: PRIVATE_WINDOW >> 32}
LOADED_POINTER = (
    "the published chip reaches SRAM only, where a pointer from memory may not lead: pass the buffer as an argument of "
    "the kernel, or use --target ae7100x"
)
BIAS = 1 << 31
"""Distances from the root of a buffer in DDR are signed; what is added to the biased root is not."""
SHARED_STRIDE = 32
"""Where the geometry in the parameter area has the bytes from the shared memory of a CUDA block to the next one's."""

Address = tuple[Source, ...]


def scalar(lower: Lowering, register: str) -> Word:
    """A scalar register in all lanes."""
    result = Word()
    lower.append(Scalar(register, result, lower.location))
    return result


@dataclass(frozen=True, slots=True)
class Place:
    """An address: one word in SRAM; in DDR a signed distance from a root, or two words."""

    address: Address
    root: tuple[Source, Source] | None = None
    where: Where | None = None  # instead of `address`, which is empty then
    own: int | None = None  # of private memory: bytes that are added to the address, which counts from its start

    @property
    def memory(self) -> Memory:
        """Where it leads."""
        return Memory.SRAM if len(self.address) < 2 and self.root is None else Memory.DDR

    def moved(self, lower: Lowering, offset: int) -> Place:
        """Some bytes further."""
        if self.own is not None:
            return replace(self, own=self.own + offset)
        if not offset:
            return self
        if self.where is not None:
            return Place((), self.root, replace(self.where, offset=self.where.offset + offset))
        if len(self.address) == 1:
            return Place((lower.add(self.address[0], offset),), self.root)
        return Place(wide.add(lower, (self.address[0], self.address[1]), (offset, 0)))


# --- who ---------------------------------------------------------------------------------------------------------


def lane_number(lower: Lowering) -> Word:
    """The number of the thread in the card's block."""
    result = Word()
    lower.append(Lane(result, lower.location))
    return result


def basis(lower: Lowering, name: str) -> Source:
    """What addresses are made of that kernel IR has no op for: numbers of threads, and starts of memories."""
    x, y, _ = lower.block
    if name == "group":
        return lower.add(scalar(lower, "S28"), parameter_word(lower, lower.places.geometry + 12))
    if name == "shared":
        return scalar(lower, SHARED)
    if name == "s":
        return group(lower)
    if name == "own":
        return own_shared(lower)
    number = lane_number(lower)
    if name == "lane":
        return number
    row = divided(lower, number, x, lower.threads - 1)
    return row if name == "row" else divided(lower, row, y, lower.threads // x)


def group(lower: Lowering) -> Source:
    """Which of the merged CUDA blocks a lane belongs to."""
    x, y, z = lower.block
    if lower.kernel.merge == 1:
        return 0
    return divided(lower, lane_number(lower), x * y * z, x * y * z * lower.kernel.merge - 1)


def own_shared(lower: Lowering) -> Source:
    """Where the shared memory of a lane's CUDA block begins in that of the card's block."""
    places = lower.places
    stride: Source = places.shared_size
    if places.is_dynamic and lower.kernel.merge > 1:
        stride = parameter_word(lower, places.geometry + SHARED_STRIDE)
    return lower.multiply(group(lower), stride)


def divided(lower: Lowering, value: Source, divisor: int, most: int) -> Source:
    """value / divisor for values up to `most`, below 2^13, by a multiplication that is checked for all of them."""
    if divisor == 1:
        return value
    numbers = np.arange(most + 1, dtype=np.uint64)
    for places in range(13, 32):
        factor = -(-(1 << places) // divisor)
        if most * factor < 1 << 32 and np.array_equal(numbers * factor >> np.uint64(places), numbers // divisor):
            return lower.shift("SHR.U32", lower.multiply(value, factor), places)
    raise AssertionError(f"no factor divides 0 to {most} by {divisor}")


# --- loads and stores --------------------------------------------------------------------------------------------


def _pieces(kind: Type, align: int) -> list[tuple[int, int]]:
    """(offset, bits) of the accesses that make up a value: words, or as much as its alignment allows."""
    size, each = kind.bytes, min(align or kind.bytes, kind.bytes, 4)
    return [(offset, 8 * each) for offset in range(0, size, each)]


def fetch(lower: Lowering, kind: Type, place: Place, align: int) -> tuple[Source, ...]:
    """The words of a value in memory."""
    found: list[Source] = [0, 0]
    for offset, bits in _pieces(kind, align):
        result = Word()
        at = _reached(lower, place.moved(lower, offset), bits)
        lower.append(Access(at.memory, bits, at.address, result, root=at.root, location=lower.location, place=at.where))
        part: Source = result
        if offset % 4:
            part = lower.either(found[offset // 4], lower.shift("SHL.U32", result, offset % 4 * 8))
        found[offset // 4] = part
    if kind.bits == 1:
        found[0] = lower.both(found[0], 1)
    return tuple(found[: words_of(kind)])


def keep(lower: Lowering, kind: Type, sources: tuple[Source, ...], place: Place, align: int) -> None:
    """Store the words of a value; a pointer of one word takes two in memory."""
    given = (*sources, 0)
    for offset, bits in _pieces(kind, align):
        value, down = given[offset // 4], offset % 4 * 8
        if isinstance(value, int):
            value >>= down
        elif down:
            value = lower.shift("SHR.U32", value, down)
        at = _reached(lower, place.moved(lower, offset), bits)
        lower.append(
            Access(at.memory, bits, at.address, value=value, root=at.root, location=lower.location, place=at.where)
        )


def _reached(lower: Lowering, place: Place, bits: int) -> Place:
    """Where an access of some bits goes: in private memory, words of the threads lie side by side.

    Word w of thread t is word w T + t of T threads.
    """
    if place.own is None:
        return place
    (start,), further = place.address, place.own
    here = lower.add(start, further)
    word, rest = (here, 0) if bits == 32 else (lower.both(here, 0xFFFF_FFFC), lower.both(here, 3))
    moved = lower.add(lower.multiply(word, lower.threads), rest)
    base, number = scalar(lower, PRIVATE), lane_number(lower)
    if lower.is_scalar is None:
        return Place((lower.add(lower.add(base, moved), lower.shift("SHL.U32", number, 2)),))
    if isinstance(moved, int):
        where = Where(base, number, 2, narrow=True, offset=moved)
    elif lower.is_scalar(start):
        where = Where(lower.add(base, moved), number, 2, narrow=True)
    else:
        return Place((), None, Where(base, lower.add(moved, lower.shift("SHL.U32", number, 2))))
    if bits == 32 and not lower.places.near:
        where = replace(where, lane=None, shift=0, narrow=False, rows=())
    return Place((), None, where)


def pointed(lower: Lowering, instr: Instr, value: Value) -> Place:
    """Where a pointer leads. Raises Unsupported for a generic one, whose space must be known by now."""
    if value.type.space is Space.GENERIC and not lower.places.near:
        raise lower.unsupported(instr, "the space of a generic pointer must be known here")
    if value.type.space is Space.PRIVATE:
        return Place(lower.sources(value), own=0)
    if isinstance(value, Instr) and value in lower.splits.placed:
        return _placed(lower, lower.splits.placed[value])
    if lower.places.near or (lower.origins is not None and lower.origins.is_near(value)):
        return Place(lower.sources(value)[:1])
    if lower.origins is not None and lower.origins.is_mixed(value):
        raise lower.unsupported(instr, "the pointer may lead to SRAM or to DDR: place the buffers in one of them")
    return _split(lower, value) or Place(lower.sources(value))


def _placed(lower: Lowering, split: Split) -> Place:
    """A split address; in DDR it counts from 2^31 below its root."""
    root = None if split.root is None else _root_words(lower, lower.places.root(lower.kernel, split.root))
    base = lower.one(split.base)
    lane = None if split.lane is None else lower.one(split.lane)
    planes = None if split.planes is None else tuple(lower.one(stride) for stride in split.planes)
    if planes is not None and lower.is_scalar is not None and not all(map(lower.is_scalar, (base, *planes))):
        lane, planes = _stepped(lower, planes), None
    if lower.is_scalar is not None and not lower.is_scalar(base):
        lane, bias = lower.add(base, _from_base(lower, split, lane)), 0 if root is None else BIAS
        return Place((), root, Where(bias, lane, offset=split.offset))
    if root is not None:
        base = lower.add(base, BIAS)
    rows = None if split.rows is None else tuple(lower.one(stride) for stride in split.rows)
    if lane is not None and lower.is_scalar is not None and lower.is_scalar(lane):
        base = lower.add(base, lower.shift("SHL.U32", lane, split.shift))
        return Place((), root, Where(base, offset=split.offset))
    return Place((), root, Where(base, lane, split.shift, split.narrow, rows, split.offset, planes))


def _from_base(lower: Lowering, split: Split, lane: Source | None) -> Source:
    """What lanes add to the base, as a word."""
    if split.rows is not None:
        return _counted(lower, tuple(lower.one(stride) for stride in split.rows), split.size)
    return 0 if lane is None else lower.shift("SHL.U32", lane, split.shift)


def _counted(lower: Lowering, rows: tuple[Source, ...], size: int) -> Source:
    """What the sequential port would add for each lane."""
    x, _, threads = lower.columns
    number = lane_number(lower)
    if not rows:
        return lower.multiply(number, size)
    inner = lower.sub(number, lower.multiply(divided(lower, number, x, threads - 1), x))
    return lower.multiply(lower.add(inner, _stepped(lower, rows)), size)


def _stepped(lower: Lowering, strides: tuple[Source, ...]) -> Source:
    """What the port adds for the row and the plane of each lane."""
    x, y, threads = lower.columns
    row = divided(lower, lane_number(lower), x, threads - 1)
    plane = divided(lower, row, y, threads // x)
    outer = lower.multiply(lower.sub(row, lower.multiply(plane, y)), strides[0])
    return lower.add(outer, lower.multiply(plane, strides[1]))


def by_lane(lower: Lowering, access: Access) -> None:
    """Turn an access through the sequential port into one at an address per lane, which a mask may go with."""
    assert access.place is not None and access.place.rows is not None
    place = access.place
    if not access.place.rows:
        shift = (access.bits // 8).bit_length() - 1
        access.place = Where(place.base, lane_number(lower), shift, narrow=True, offset=place.offset)
    else:
        lane = _counted(lower, access.place.rows, access.bits // 8)
        access.place = Where(place.base, lane, offset=place.offset)


def flat(lower: Lowering, access: Access) -> Source:
    """An address in SRAM as one word."""
    place = access.place
    assert place is not None
    base = lower.add(place.base, place.offset & 0xFFFF_FFFF)
    if place.rows is not None:
        return lower.add(_counted(lower, place.rows, access.bits // 8), base)
    return base if place.lane is None else lower.add(lower.shift("SHL.U32", place.lane, place.shift), base)


def _root_words(lower: Lowering, offset: int) -> tuple[Source, Source]:
    start = lower.places.biased[offset]
    return parameter_word(lower, start), parameter_word(lower, start + 4)


def _split(lower: Lowering, value: Value) -> Place | None:
    """A pointer as the address of a buffer, the same in all lanes, and a signed distance of 32 bits.

    What is accessed through a pointer that comes from a buffer's lies in that buffer (LLVM's rule for pointers based on
    one another), which is below 2 GiB: the low word of the sum of all indices tells the distance.
    """
    indices: list[Value] = []
    while isinstance(value, Instr) and value.op.name == "ptr_add":
        indices.append(value.operands[1])
        value = value.operands[0]
    offset = lower.places.root(lower.kernel, value)
    if offset not in lower.places.biased or value.type.space in NEAR:
        return None
    if lower.places.biased[offset] + 8 > 4 * lower.places.direct:
        return None  # too many parameters: the root is no FRAM word
    distance: Source = 0
    for index in indices:
        distance = lower.add(lower.sources(index)[0], distance)
    return Place((distance,), _root_words(lower, offset))


def _load(lower: Lowering, instr: Instr) -> None:
    if lower.places.near and instr.type.is_pointer:
        raise lower.unsupported(instr, LOADED_POINTER)
    place = pointed(lower, instr, instr.operands[0])
    lower.give(instr, *fetch(lower, instr.type, place, int(instr.attr("align"))))


def joined(lower: Lowering, instr: Instr) -> None:
    """A word of two halves that are loaded from places of their own."""
    low, high = (_placed(lower, lower.splits.placed[pointer]).where for pointer in lower.splits.joined[instr])
    (result,) = lower.values.words(instr)
    lower.append(Access(Memory.SRAM, 32, (), result, location=lower.location, place=low, upper=high))


def _dot(lower: Lowering, instr: Instr) -> None:
    """A dot by the port, and its sum added to what there is, in one column."""
    vector, shared = (_placed(lower, lower.splits.placed[pointer]).where for pointer in lower.splits.dots[instr])
    assert vector is not None and shared is not None
    if shared.lane is not None:
        raise lower.unsupported(instr, "the sequencer has no register left for the address of what a warp shares")
    total = Word()
    base = lower.add(shared.base, shared.offset & 0xFFFF_FFFF)
    load = Access(Memory.SRAM, 32, (), total, location=lower.location, place=vector, warp=base)
    (result,) = lower.values.words(instr)
    reads = (Read(total), Read(lower.one(instr.operands[-1])))
    lower.append(Pe("ADD.F32", reads, result, location=lower.location, loads=(load,)))


def _store(lower: Lowering, instr: Instr) -> None:
    value, pointer = instr.operands
    place = pointed(lower, instr, pointer)
    if value.type.bits == 16 and lower.is_scalar is not None and not lower.places.near:
        half, place = half_of(lower, value), _reached(lower, place, 16)
        step = Access(place.memory, 16, place.address, value=half.source, root=place.root, location=lower.location)
        step.place, step.part = place.where, half.part
        lower.append(step)
        return
    keep(lower, value.type, lower.sources(value), place, int(instr.attr("align")))


def _fence(lower: Lowering, instr: Instr) -> None:
    lower.append(Fence(lower.location))


# --- addresses ---------------------------------------------------------------------------------------------------


def load_parameter(lower: Lowering, kernel: Kernel, parameter: Parameter) -> None:
    """Give a parameter its words: from the parameter area, or its address there for a struct by value."""
    offset = lower.places.params[kernel.params.index(parameter)]
    words = lower.values.words(parameter)
    found: list[Source] = []
    if parameter.is_by_value:
        found.append(lower.add(scalar(lower, PARAMS), offset))
    else:
        is_short = lower.places.near and parameter.type.is_pointer and parameter.name not in lower.places.far
        kept = 1 if is_short else len(words)
        found += [parameter_word(lower, offset + 4 * index) for index in range(kept)]
        found += [0] * (len(words) - kept)
    copy(lower, words, tuple(found))


def copy(lower: Lowering, targets: tuple[Word, ...], sources: tuple[Source, ...]) -> None:
    """Words that are defined as others."""
    for target, source in zip(targets, sources, strict=True):
        lower.append(Pe("MOVE.U32", (Read(source),), target, location=lower.location))


def parameter_word(lower: Lowering, offset: int) -> Word:
    """A word of the parameter area."""
    if offset < 4 * lower.places.direct:
        return scalar(lower, f"[w{offset // 4}]")
    result = Word()
    address = (lower.add(scalar(lower, PARAMS), offset),)
    lower.append(Access(Memory.SRAM, 32, address, result, location=lower.location))
    return result


def _global_addr(lower: Lowering, instr: Instr) -> None:
    """A shared variable lies in the part of its own block, where several share one."""
    symbol, places = str(instr.attr("symbol")), lower.places
    if symbol in places.shared:
        lower.give(instr, lower.add(lower.add(scalar(lower, SHARED), own_shared(lower)), places.shared[symbol]))
        return
    offset = places.symbols[symbol]
    lower.give(instr, parameter_word(lower, offset), 0 if places.near else parameter_word(lower, offset + 4))


def _ptr_add(lower: Lowering, instr: Instr) -> None:
    base, index = (lower.sources(value) for value in instr.operands)
    if len(base) == 1:
        lower.give(instr, lower.add(base[0], index[0]))
    elif lower.places.near and not _is_far(lower, instr):
        lower.give(instr, lower.add(base[0], index[0]), 0)
    elif len(index) == 1:
        lower.give(instr, *wide.add_signed(lower, (base[0], base[1]), index[0]))
    else:
        lower.give(instr, *wide.add(lower, (base[0], base[1]), (index[0], index[1])))


def _is_far(lower: Lowering, pointer: Value) -> bool:
    """Whether a pointer of the published chip may lead to what only transfers move."""
    return lower.origins is None or any(name_of(root) in lower.places.far for root in lower.origins.of(pointer))


def _cast(lower: Lowering, instr: Instr) -> None:
    """A generic pointer to near memory carries the window of its space in its high word."""
    source = instr.operands[0]
    words, target = lower.sources(source), instr.type
    if words_of(target) == 1:
        lower.give(instr, words[0])
    elif len(words) == 1:
        space = source.type.space
        lower.give(instr, words[0], _WINDOWS.get(space, 0) if space else 0)
    else:
        lower.give(instr, *words)


def _ptrtoint(lower: Lowering, instr: Instr) -> None:
    words = (*lower.sources(instr.operands[0]), 0)
    kind = instr.type
    if kind.bits == 64:
        lower.give(instr, words[0], words[1])
    else:
        lower.give(instr, words[0] if kind.bits == 32 else lower.both(words[0], kind.mask))


def _inttoptr(lower: Lowering, instr: Instr) -> None:
    words = (*lower.sources(instr.operands[0]), 0)
    lower.give(instr, *words[: words_of(instr.type)])


def _is_space(lower: Lowering, instr: Instr) -> None:
    source, wanted = instr.operands[0], Space(str(instr.attr("space")))
    if source.type.space is not Space.GENERIC:
        lower.give(instr, int(source.type.space is wanted))
        return
    _, high = lower.two(source)
    if wanted in _WINDOWS:
        lower.give(instr, lower.compare("CMP.U32.EQ", high, _WINDOWS[wanted]))
    elif wanted is Space.GLOBAL:
        lower.give(instr, lower.compare("CMP.U32.LT", high, min(_WINDOWS.values())))
    else:
        lower.give(instr, 0)


RULES: Mapping[str, Rule] = {
    "load": _load,
    "store": _store,
    "dot8_bf16": _dot,
    "fence": _fence,
    "global_addr": _global_addr,
    "ptr_add": _ptr_add,
    "space_cast": _cast,
    "ptrtoint": _ptrtoint,
    "inttoptr": _inttoptr,
    "is_space": _is_space,
}
