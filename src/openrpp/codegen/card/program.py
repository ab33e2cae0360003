"""A kernel as a program of the card: its machine code, and what a launch must provide."""

from __future__ import annotations

import re
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from openrpp.arch import load
from openrpp.codegen.card.addresses import settle_dots, split_addresses
from openrpp.codegen.card.allocate import FULL, Allocator, NoRoom
from openrpp.codegen.card.area import placed
from openrpp.codegen.card.barriers import counted
from openrpp.codegen.card.chained import chained
from openrpp.codegen.card.clean import without_dead, without_unused
from openrpp.codegen.card.coalesce import coalesced
from openrpp.codegen.card.flow import Demoted, Flow, Irreducible, Item, NotForSequencer
from openrpp.codegen.card.footprints import uses_of
from openrpp.codegen.card.fuse import with_loads
from openrpp.codegen.card.kept import Kept, granted, wishes
from openrpp.codegen.card.late import computed_late
from openrpp.codegen.card.liveness import Liveness
from openrpp.codegen.card.lowering import Lowering, Places
from openrpp.codegen.card.measures import LoopSize, column_starts, least_words, loop_sizes
from openrpp.codegen.card.naive import Naive
from openrpp.codegen.card.narrow import narrow
from openrpp.codegen.card.planes import PROGRAM_PARAMS
from openrpp.codegen.card.prologue import set_up
from openrpp.codegen.card.published.legal import Legal
from openrpp.codegen.card.published.reasons import Lacking, Need, needs
from openrpp.codegen.card.published.votes import asks, prepare_votes
from openrpp.codegen.card.records import Records
from openrpp.codegen.card.registers import ALL_PAIRS, PUBLISHED_PAIRS
from openrpp.codegen.card.rounds import pointed
from openrpp.codegen.card.scalar_registers import OutOfScalars, scalar_places
from openrpp.codegen.card.scheduling import scheduled
from openrpp.codegen.card.sides import recorded
from openrpp.codegen.card.sink import sunk
from openrpp.codegen.card.start import block_shape
from openrpp.codegen.card.steps import Memory, Word
from openrpp.codegen.card.strength import direct_jumps, reduced
from openrpp.codegen.card.text import Text, located
from openrpp.codegen.card.transfers import asked_of_sequencer, copied, starts_transfers
from openrpp.codegen.card.values import Values, short_values
from openrpp.codegen.collection import paused_collection
from openrpp.codegen.errors import Unsupported
from openrpp.codegen.origins import Origins
from openrpp.isa.assembler import assemble
from openrpp.isa.program import Kernel as Machine
from openrpp.kir.analysis.cfg import Cfg
from openrpp.kir.floats import ENCODE
from openrpp.kir.ir import Instr, Kernel, Module, Value
from openrpp.kir.location import Location
from openrpp.kir.ops.form import Effect
from openrpp.kir.ops.threads import WARP
from openrpp.kir.passes.copying import clone_kernel

Triple = tuple[int, int, int]
Argument = int | float | bytes | np.generic
JUMP_REACH = 1 << 16
PROGRAM_WORDS = load("ae7100").pram.bytes.value // 4
_JUMPS = re.compile(r"^(JMPN?C?)(?= )", re.MULTILINE)
_DIRECT = 60
"""Words of the parameter area that are FRAM words too, with those that scalar values may take."""
_LARGE = 5000
"""Items of a kernel from which on one order is tried instead of two."""
_LEAST_SPARE, _MOST_SPARE = 4, 28
_SPARE = re.compile(r"\[spare(\d+)\]")
_MOST_THREADS = 8160  # 255 warps
_UNKNOWN_TO_SEQUENCER = (
    "the sequencer starts transfers on the published chip, and an address or the size of this one is not its own "
    "value; compute them from arguments and blockIdx alone, with one block of the card per CUDA block, or use "
    "--target ae7100x"
)
TARGETS = ("ae7100x", "ae7100")
PUBLISHED = "ae7100"
PLAIN = "compiled by the plain back end, which keeps all values in memory"


@dataclass(frozen=True, slots=True)
class Program:
    """Machine code of a kernel for one block shape.

    The parameter area holds the arguments at `offsets`, the addresses of `symbols`, and the geometry. A launch passes
    the SRAM addresses of `planes_bytes` of scratch, of the parameter area, of `shared_bytes` and `private_bytes`.
    `lines` are the source lines that a word's column stems from, the one that most of it stems from first.
    `spills` counts the accesses to planes in the code, `needs` is what its items ask for beyond the published chip.
    `notes` are sentences about how it was compiled, where that is not as usual. A program with `records` addresses one
    more variable, `RECORDS`: zeros when a launch starts, read by `records.read` when it has ended.
    """

    machine: Machine
    kernel: Kernel
    block: Triple
    places: Places
    symbols: tuple[str, ...]
    area_bytes: int
    planes_bytes: int
    shared_bytes: int
    private_bytes: int
    columns: int
    loops: tuple[LoopSize, ...] = ()
    spills: int = 0
    lines: Mapping[int, tuple[Location, ...]] = field(default_factory=dict[int, tuple[Location, ...]])
    target: str = "ae7100x"
    needs: tuple[Need, ...] = ()
    notes: tuple[str, ...] = ()
    records: Records | None = None

    @property
    def is_cooperative(self) -> bool:
        """Whether its blocks wait for each other, so that the grid must be one block of the card."""
        return any(instr.op.name == "grid_barrier" for instr in self.kernel.instructions())

    def blocks(self, grid: Triple) -> Triple:
        """Blocks of the card that a grid takes. Raises Unsupported where they wait for each other."""
        found = -(-grid[0] // self.kernel.merge), grid[1], grid[2]
        if self.is_cooperative and found != (1, 1, 1):
            x, y, z = self.block
            blocks, threads = grid[0] * grid[1] * grid[2], x * y * z
            sentence = (
                f"its {blocks} blocks of {threads} threads wait for each other, so they must run as one block of the "
                f"card, which has {_MOST_THREADS} threads and merges blocks along x; {self.kernel.merge} are merged"
            )
            raise Unsupported(sentence, self.kernel.name, self.kernel.location)
        return found

    def shared_for(self, dynamic: int) -> int:
        """Bytes of shared memory of a block of the card, `dynamic` ones of each CUDA block among them."""
        return self.kernel.merge * (self.places.shared_size + -(-dynamic // 16) * 16)

    def area(
        self,
        grid: Triple,
        args: Sequence[Argument],
        addresses: Mapping[str, int],
        first: int = 0,
        row: int = 0,
        layer: int = 0,
        dynamic: int = 0,
    ) -> bytes:
        """The parameter area of a launch.

        `first` is the index of its first block of the card along x, `row` and `layer` those along y and z, which
        programs for the published chip take into account, since their launches may be parts of a grid; `dynamic` the
        bytes of dynamic shared memory.
        """
        found = bytearray(self.area_bytes)
        for parameter, arg, offset in zip(self.kernel.params, args, self.places.params, strict=True):
            if isinstance(arg, bytes):
                content = arg
            elif parameter.type.is_float:
                content = struct.pack("<Q", ENCODE[parameter.type](float(arg)))[: parameter.type.bytes]
            else:
                content = struct.pack("<Q", int(arg) & parameter.type.mask)[: parameter.type.bytes]
            found[offset : offset + len(content)] = content
        for name in self.symbols:
            struct.pack_into("<Q", found, self.places.symbols[name], addresses[name])
        for offset, biased in self.places.biased.items():
            (address,) = struct.unpack_from("<Q", found, offset)
            struct.pack_into("<Q", found, biased, (address - (1 << 31)) & ((1 << 64) - 1))
        stride = self.shared_for(dynamic) // self.kernel.merge
        struct.pack_into("<9I", found, self.places.geometry, *grid, first, 1, 0, row, layer, stride)
        return bytes(found)


@dataclass(frozen=True, slots=True)
class _Written:
    """What a back end makes: text, the text in front of it, planes, accesses to planes."""

    text: Text
    start: str
    planes: int
    spills: int = 0


def _written(kernel: Kernel, block: Triple, places: Places, needed: list[Need], pairs: Sequence[str]) -> _Written:
    """By the optimising back end. Raises Unsupported, NoRoom, Irreducible."""
    text, planes, spills = _optimised(clone_kernel(kernel), block, places, needed, pairs)
    start = block_shape(text, kernel, block, places) + set_up(text, pairs)
    if places.near and asks(text):
        start += prepare_votes(places.geometry, moves=starts_transfers(kernel))
    return _Written(text, start, planes, spills)


def _plain(kernel: Kernel, block: Triple, places: Places) -> _Written:
    """By the plain back end. Raises Unsupported."""
    if places.near:
        sentence = "the plain back end writes no programs for the published chip"
        raise Unsupported(sentence, kernel.name, kernel.location)
    plain = Naive(kernel, Lowering(kernel, block, Values(), places, origins=_origins(kernel, places)))
    plain.run()
    return _Written(plain.text, "", plain.planes)


def _optimised(
    kernel: Kernel, block: Triple, places: Places, needed: list[Need], pairs: Sequence[str]
) -> tuple[Text, int, int]:
    """(text, planes, accesses to planes) by the optimising back end; the kernel is changed."""
    lanes_only: set[Value] = set()
    narrow(kernel, block)
    splits = split_addresses(kernel, block, places)
    computed_late(kernel, splits)
    origins, short = _origins(kernel, places), short_values(kernel, block)
    threads = block[0] * block[1] * block[2] * kernel.merge
    while True:
        lowering = Lowering(kernel, block, Values(short), places, splits=splits, origins=origins)
        flow = Flow(kernel, lowering, lanes_only)
        try:
            items = without_unused(without_dead(flow.run()))
            if places.near:
                items = _published(items, flow.scalars, Lowering(kernel, block, Values(), places))
            needed[:] = needs(items)
            items = direct_jumps(without_unused(coalesced(items, flow.scalars)))
            items = without_unused(without_dead(reduced(items, flow.scalars)))
            items = sunk(with_loads(items, flow.scalars, wide=not places.near))
            items = chained(pointed(items, flow.scalars), flow.scalars)
            back = _best(items, flow.scalars, threads, places, pairs)
        except Demoted as demoted:
            lanes_only.add(demoted.value)
            continue
        except OutOfScalars as out:
            lanes_only.add(_least_needed(kernel, flow, out, lanes_only))
            continue
        return back.text, len(back.planes), back.spills


def _origins(kernel: Kernel, places: Places) -> Origins:
    return Origins(Cfg(kernel), places.sram, everything=places.near)


def _best(items: list[Item], scalars: set[Word], threads: int, places: Places, pairs: Sequence[str]) -> Allocator:
    """The better of two orders, by columns with loops counted several times: as it stands, and as units fill up.

    The second needs more registers. Raises OutOfScalars, NoRoom.
    """
    known = Liveness(items)
    try:
        filled = _Line(scheduled(items, scalars, known, len(pairs)), scalars, threads, places, pairs)
        other = filled.written()
    except (OutOfScalars, NoRoom):
        return _Line(items, scalars, threads, places, pairs).kept()
    if len(items) > _LARGE:
        return other
    plain = _Line(items, scalars, threads, places, pairs)
    return plain.kept() if plain.written().cost <= other.cost else filled.kept()


class _Line:
    """A line of items in one order, with registers and columns."""

    def __init__(
        self, items: list[Item], scalars: set[Word], threads: int, places: Places, pairs: Sequence[str]
    ) -> None:
        self.items = items
        self.known = Liveness(items)
        self.homes = scalar_places(scalars, self.known, places.spare)
        self._rest = scalars, threads, places, pairs
        self._found: Allocator | None = None

    def written(self, lines: Sequence[Kept] = ()) -> Allocator:
        """With as many pairs kept across labels as can be. Raises NoRoom."""
        scalars, threads, places, pairs = self._rest
        for reserve in range(2, len(pairs) + 1):
            back = Allocator(self.items, scalars, threads, self.known, pairs, reserve, places.near, self.homes, lines)
            try:
                back.run()
            except NoRoom:
                continue
            self._found = back
            return back
        raise NoRoom(FULL)

    def kept(self) -> Allocator:
        """The same with lines of the sequencer kept in pairs while loops run, where that pays."""
        scalars, _, places, _ = self._rest
        first = self._found or self.written()
        asked = wishes(self.items, first.brought)
        try:
            homes = scalar_places(scalars, self.known, places.spare, list(asked.values()))
        except OutOfScalars:
            return first
        lines = granted(asked, homes)
        if not lines:
            return first
        self.homes = homes
        return self.written(lines)


def _published(items: list[Item], scalars: set[Word], lowering: Lowering) -> list[Item]:
    """Items that published instructions carry out. Raises Lacking with all that there are none for."""
    legal = Legal(items, scalars, lowering)
    if legal.missing:
        raise Lacking(legal.missing, lowering.kernel.name)
    return without_dead(legal.items)


def _far(kernel: Kernel) -> frozenset[str]:
    """Parameters that transfers may follow and lanes do not."""
    used = uses_of(kernel)
    return frozenset(param.name for param in used.moved - used.followed)


def _check_merging(kernel: Kernel, block: Triple) -> None:
    """Whether the blocks that the kernel merges can share a block of the card. Raises Unsupported."""
    threads = block[0] * block[1] * block[2]
    if threads * kernel.merge > _MOST_THREADS and any(i.op.name == "grid_barrier" for i in kernel.instructions()):
        sentence = (
            f"its {kernel.merge} blocks of {threads} threads wait for each other, so they must run as one block of the "
            f"card, which has {_MOST_THREADS} threads at most"
        )
        raise Unsupported(sentence, kernel.name, kernel.location)
    if threads * kernel.merge > _MOST_THREADS:
        sentence = f"{kernel.merge} merged blocks of {threads} threads; a block of the card has {_MOST_THREADS} at most"
        raise Unsupported(sentence, kernel.name, kernel.location)
    if kernel.merge == 1:
        return
    warps = (instr for instr in kernel.instructions() if instr.effect is Effect.WARP or instr.op.name == "laneid")
    if threads % WARP and (first := next(warps, None)) is not None:
        sentence = f"blocks of {threads} threads cannot be merged: '{first.op.name}' needs whole warps"
        raise Unsupported(sentence, kernel.name, first.location)


def _least_needed(kernel: Kernel, flow: Flow, out: OutOfScalars, moved: set[Value]) -> Value:
    """A scalar value that moves to the lanes: none that a transfer needs and no loop counter, if there is another.

    Raises Unsupported, NoRoom.

    The addresses of an access stay where they are, so what has moved before cannot give up more registers.
    """
    known = [flow.origin[word] for word in out.words if word in flow.origin]
    sentence = "more scalar values are alive at once than there are registers"
    if not known:
        raise Unsupported(sentence, kernel.name, kernel.location)
    known = [value for value in known if value not in moved]
    if not known:
        raise NoRoom(sentence)
    asked = asked_of_sequencer(kernel)
    known = [value for value in known if value not in asked] or known
    return next((value for value in known if isinstance(value, Instr)), known[0])


def _spare_words(text: Text) -> tuple[str, ...]:
    """The FRAM words that values of the sequencer lie in, by name."""
    numbers = [int(found) for line in text.lines for found in _SPARE.findall(line)]
    return tuple(f"spare{number}" for number in range(max(numbers, default=-1) + 1))


def _assembled(text: str, kernel: Kernel, published: bool) -> Machine:
    """Machine code, with far jumps where it is too long for others. Raises Unsupported for what no memory holds."""
    least = least_words(text)
    _check_size(least, kernel, published, "more than ")  # assembling a million words takes a minute
    if least <= JUMP_REACH:
        machine = assemble(text, kernel.name)
        if len(machine.words) <= JUMP_REACH:
            return machine
        _check_size(len(machine.words), kernel, published)
    machine = assemble(_JUMPS.sub(r"\1.FAR", text), kernel.name)
    _check_size(len(machine.words), kernel, published)
    return machine


def _check_size(words: int, kernel: Kernel, published: bool, more: str = "") -> None:
    """Raises Unsupported for a program that jumps or program memory are too small for."""
    if published and words > JUMP_REACH:
        sentence = f"the program has {more}{words:,} words; jumps of the published chip reach {JUMP_REACH:,}"
        raise Unsupported(sentence, kernel.name, kernel.location)
    if words > PROGRAM_WORDS:
        sentence = f"the program has {more}{words:,} words; program memory holds {PROGRAM_WORDS:,}"
        raise Unsupported(sentence, kernel.name, kernel.location)


@paused_collection()
def compile(
    module: Module,
    name: str,
    block: Triple,
    *,
    naive: bool = False,
    target: str = "ae7100x",
    pairs: int | None = None,
    placement: Mapping[str, Memory] | None = None,
) -> Program:
    """A kernel of a module as a program, optimised or by the plain back end. Raises Unsupported.

    `pairs` is the number of register pairs that values may take: all that the target has, if it is not given. For the
    target `ae7100` it has published instructions only, and all pointers and variables lie in SRAM. Else `placement`
    says of pointer parameters and variables of the module, by name, where they lie: in DDR unless it says SRAM. Buffers
    in SRAM keep a distance of 32 KB from its ends, since lanes that are not active may read beside them.
    """
    if target not in TARGETS:
        raise ValueError(f"target {target!r} is not known; there are {', '.join(TARGETS)}")
    published = target == PUBLISHED
    given = module
    module, records = (module, None) if published else recorded(module, name)
    if naive or (module.kernels[name].merge > 1 and not published):
        module = copied(module, name)
    if naive or module.kernels[name].merge > 1:
        module = counted(module, name)
    kernel = module.kernels[name]
    _check_merging(kernel, block)
    places, device, area = placed(module, kernel, _DIRECT - _LEAST_SPARE, near=published)
    sram = frozenset(item for item, memory in (placement or {}).items() if memory is Memory.SRAM)
    spare = min(_MOST_SPARE, max(_LEAST_SPARE, _DIRECT - area // 4))
    places = replace(places, direct=min(area // 4, _DIRECT - spare), near=published, sram=sram, spare=spare)
    places = replace(places, far=_far(kernel) if published else frozenset[str]())
    names = (PUBLISHED_PAIRS if published else ALL_PAIRS)[:pairs]
    needed: list[Need] = []
    threads = block[0] * block[1] * block[2] * kernel.merge
    try:
        work = settle_dots(module, kernel, block, places, naive=naive)
        written = _plain(work, block, places) if naive else _written(work, block, places, needed, names)
    except NotForSequencer as error:
        if published:
            raise Unsupported(_UNKNOWN_TO_SEQUENCER, name, error.location) from None
        return compile(copied(given, name), name, block, target=target, pairs=pairs, placement=placement)
    except (NoRoom, Irreducible) as error:
        if published:
            raise Unsupported(f"{error}; the published chip needs better", name, kernel.location) from None
        plain = compile(given, name, block, naive=True, placement=placement)
        return replace(plain, notes=(f"{PLAIN}: {error}",))
    text, used = written.text, _spare_words(written.text)
    words = (*PROGRAM_PARAMS, *(f"w{index}" for index in range(places.direct)), *used)
    header = "".join(f".param .u32 {word}\n" for word in words) + written.start
    places = replace(places, direct=places.direct + len(used))
    area = max(area, 4 * places.direct)
    machine = _assembled(header + text.text(), kernel, published)
    if published and machine.extensions:
        raise AssertionError(f"kernel {name} for the published chip uses {', '.join(machine.extensions)}")
    return Program(
        machine,
        kernel,
        block,
        places,
        device,
        area,
        written.planes * 4 * threads,
        places.shared_size * kernel.merge,
        places.private_size * threads,
        len(column_starts(machine.words)) - 1,
        loop_sizes(machine.words),
        written.spills,
        located(machine, text, header.count("\n")),
        target,
        tuple(needed),
        (),
        records,
    )
