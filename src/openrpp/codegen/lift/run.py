"""Running lifted programs on a card's memory, on the native engine or the interpreter of kernel IR."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Final, Literal, TypeGuard, get_args
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from openrpp.arch import Card
from openrpp.codegen import host
from openrpp.codegen.errors import KernelStopped
from openrpp.codegen.host.llvm import ObjectStore
from openrpp.codegen.lift import program
from openrpp.codegen.lift.lifter import lift
from openrpp.codegen.lift.port import DOT_TERMS
from openrpp.codegen.lift.program import Lifted
from openrpp.codegen.lift.sampling import Records
from openrpp.isa.program import Kernel
from openrpp.kir import interp
from openrpp.kir.interp.faults import Trapped
from openrpp.machine.counters import tally
from openrpp.machine.faults import LaunchError, Place
from openrpp.machine.items import ColumnItem, Item, WalkError
from openrpp.machine.launch import Launch
from openrpp.machine.memory import Memory
from openrpp.machine.sample import PassSamples
from openrpp.machine.walk import Walk

Engine = Literal["native", "interpreter"]
ENGINES: Final[tuple[Engine, ...]] = get_args(Engine)
ROOM: Final = 1 << 20
"""Values learned from data that a launch may log."""
Triple = tuple[int, int, int]
_UNKNOWN: Final = 1 << 11
"""Executions of a column that records have room for, where nobody knows how often it runs."""


@dataclass(frozen=True)
class Shapes:
    """What the sequencer does, as far as it is known before a launch: block shapes, lengths of dots.

    `items` are the walk's, None where it needs what only data tells.
    """

    shapes: tuple[Triple, ...]
    terms: frozenset[int]
    items: tuple[Item, ...] | None = None

    @property
    def complete(self) -> bool:
        """Whether there are no others."""
        return self.items is not None

    @property
    def watched(self) -> frozenset[int] | None:
        """First words of columns whose port passes data decides; None for all that gather."""
        if self.items is None:
            return None
        return frozenset(item.code.start for item in tally(self.items) if _decided_by_data(item))

    @property
    def most(self) -> int:
        """How often such a column runs at most."""
        if self.items is None:
            return _UNKNOWN
        return max((times for item, times in tally(self.items).items() if _decided_by_data(item)), default=0)


@dataclass(frozen=True)
class Ran:
    """What a launch did: columns executed, and the values learned from data in order (`Outcome.loaded`).

    `lost` counts values that found no room in the log.
    """

    columns: int
    loaded: tuple[int, ...]
    lost: int = 0


def look_ahead(card: Card, memory: Memory, launch: Launch, bank: int) -> Shapes:
    """Walk the sequencer of a launch whose parameters stand in memory, as far as it goes without data."""
    walk = Walk(card, memory, launch, bank)
    try:
        items = walk.run()
    except WalkError:
        items = None
    return Shapes(tuple(walk.shapes), frozenset(walk.terms), items)


def _decided_by_data(item: Item) -> TypeGuard[ColumnItem]:
    return isinstance(item, ColumnItem) and item.passes is None


@lru_cache(maxsize=256)
def _lifted(
    card: Card,
    kernel: Kernel,
    block: Triple,
    shapes: tuple[Triple, ...] | None,
    lanes: int,
    terms: frozenset[int] | None,
    watched: frozenset[int] | None,
) -> Lifted:
    return lift(card, kernel, block, shapes, lanes=lanes, terms=terms, watched=watched)


_COMPILED: WeakKeyDictionary[Lifted, host.HostKernel] = WeakKeyDictionary()


def lifted_for(card: Card, launch: Launch, ahead: Shapes, *, sampled: bool = False) -> Lifted:
    """The program of a launch, lifted for what is known of it; kept for later launches."""
    watched = ahead.watched if sampled else frozenset[int]()
    if ahead.complete:
        return _lifted(card, launch.kernel, launch.block, tuple(sorted(ahead.shapes)), 0, ahead.terms, watched)
    tail = launch.tail[0] * launch.tail[1] * launch.tail[2]
    most = max(launch.threads, tail, *(shape[2] for shape in ahead.shapes), 0)
    return _lifted(card, launch.kernel, launch.block, None, most, None, watched)


def run_lifted(
    card: Card,
    memory: Memory,
    launch: Launch,
    bank: int,
    engine: Engine = "native",
    ahead: Shapes | None = None,
    *,
    samples: PassSamples | None = None,
    store: ObjectStore | None = None,
) -> Ran:
    """Run a launch whose parameters stand in FRAM bank `bank`, on the card's own memory arrays.

    `ahead` is what `look_ahead` gives, where it is known; `samples` gets the port passes of columns whose addresses
    depend on data. Raises Fault for what the program may not do, as far as lifted code looks: block shapes, transfers
    and dot lengths on both engines, accesses on the interpreter only.
    """
    if engine not in ENGINES:
        raise LaunchError(f"engine {engine!r} is not known; there are {', '.join(ENGINES)}")
    ahead = ahead or look_ahead(card, memory, launch, bank)
    lifted = lifted_for(card, launch, ahead, sampled=samples is not None)
    run = _Run(lifted, memory, bank, ahead.most)
    stopped: Exception | None = None
    try:
        run.native(launch.grid, store) if engine == "native" else run.interpreted(launch.grid)
    except (KernelStopped, Trapped) as error:
        stopped = error
    if stopped is not None:
        raise _fault(lifted, launch, run.state.view(np.uint32)) or stopped
    if samples is not None:
        samples.reset()
        run.records.read(samples, memory, run.pointers, max(ahead.terms, default=DOT_TERMS))
    return run.ran()


class _Run:
    """One launch of lifted code: its arguments, and what it left beside memory."""

    def __init__(self, lifted: Lifted, memory: Memory, bank: int, most: int) -> None:
        self.lifted = lifted
        self.room = ROOM if lifted.learns else 0
        self.log = program.FLAGS + lifted.flag_bytes
        self.state = np.zeros(self.log + 4 * (self.room + 1), np.uint8)
        x, y, z = lifted.block
        self.records = Records.room(lifted.sites, x * y * z, most)
        self.pointers: dict[str, int] = {}
        fram = [region.data for region in memory.fram]
        self.memories = {
            "sram": memory.sram.data,
            **{f"fram{number}": data for number, data in enumerate(fram)},
            "pram": memory.pram.data,
            "ddr": memory.ddr.data,
        }
        self.bank = f"fram{bank}"
        self.own = {
            "state": self.state,
            "counts": self.records.counts.view(np.uint8),
            "addresses": self.records.addresses.view(np.uint8),
        }

    def _arguments(self, grid: Triple) -> list[int]:
        numbers = {"room": self.room, "slots": self.records.slots}
        numbers |= {f"grid_{axis}": extent for axis, extent in zip("xyz", grid, strict=True)}
        given = {**self.pointers, "bank": self.pointers[self.bank], **numbers}
        return [given[param.name] for param in self.lifted.module.kernels[program.NAME].params]

    def native(self, grid: Triple, store: ObjectStore | None) -> None:
        """Pointers are addresses of the host: one memory whose device addresses are those of the host."""
        compiled = _COMPILED.get(self.lifted)
        if compiled is None:
            compiled = host.compile(self.lifted.module, program.NAME, self.lifted.block, store=store)
            _COMPILED[self.lifted] = compiled
        self.pointers = {name: array.ctypes.data for name, array in (self.memories | self.own).items()}
        sram = self.memories["sram"]
        where = host.HostMemory([(sram.ctypes.data, sram)])
        compiled.launch((1, 1, 1), self._arguments(grid), where, workers=1)

    def interpreted(self, grid: Triple) -> None:
        """Every memory is an allocation of its own."""
        where = interp.Memory()
        self.pointers = {name: where.bind(array) for name, array in (self.memories | self.own).items()}
        interp.launch(self.lifted.module, program.NAME, 1, self.lifted.block, self._arguments(grid), memory=where)

    def ran(self) -> Ran:
        """What the launch did."""
        words = self.state.view(np.uint32)
        logged, start = int(words[program.LOGGED // 4]), self.log // 4
        loaded = tuple(int(value) for value in words[start : start + min(logged, self.room)])
        columns = int(self.state[program.COLUMNS : program.COLUMNS + 8].view(np.uint64)[0])
        return Ran(columns, loaded, max(logged - self.room, 0))


def _fault(lifted: Lifted, launch: Launch, words: NDArray[np.uint32]) -> Exception | None:
    """The fault that the state names."""
    number = int(words[program.FAULT // 4])
    if not number:
        return None
    stop = lifted.stops[number - 1]
    gx, gy, _ = launch.grid
    block = int(words[program.BLOCK // 4])
    index = block % gx, block // gx % gy, block // (gx * gy)
    line = launch.kernel.lines.get(stop.word)
    place = Place(launch.kernel.name, index, word=stop.word, line=line)
    return stop.kind(stop.sentence.format(int(words[program.DETAIL // 4])), place)
