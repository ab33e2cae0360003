"""Running lifted programs on a card's memory, on the native engine or the interpreter of kernel IR."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from openrpp.arch import Card
from openrpp.codegen import host
from openrpp.codegen.errors import KernelStopped
from openrpp.codegen.host.llvm import ObjectStore
from openrpp.codegen.lift import program
from openrpp.codegen.lift.lifter import lift
from openrpp.codegen.lift.program import Lifted
from openrpp.isa.program import Kernel
from openrpp.kir import interp
from openrpp.kir.interp.faults import Trapped
from openrpp.machine.faults import LaunchError, Place
from openrpp.machine.items import Item, WalkError
from openrpp.machine.launch import Launch
from openrpp.machine.memory import Memory
from openrpp.machine.walk import Walk

Engine = Literal["native", "interpreter"]
ENGINES: Final[tuple[Engine, ...]] = get_args(Engine)
ROOM: Final = 1 << 20
"""Values learned from data that a launch may log."""
Triple = tuple[int, int, int]
_GAP: Final = 1 << 20


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


@lru_cache(maxsize=256)
def _lifted(
    card: Card,
    kernel: Kernel,
    block: Triple,
    shapes: tuple[Triple, ...] | None,
    lanes: int,
    terms: frozenset[int] | None,
) -> Lifted:
    return lift(card, kernel, block, shapes, lanes=lanes, terms=terms)


_COMPILED: dict[Lifted, host.HostKernel] = {}


def lifted_for(card: Card, launch: Launch, ahead: Shapes) -> Lifted:
    """The program of a launch, lifted for what is known of it; kept for later launches."""
    if ahead.complete:
        shapes = tuple(sorted(ahead.shapes))
        return _lifted(card, launch.kernel, launch.block, shapes, 0, ahead.terms)
    tail = launch.tail[0] * launch.tail[1] * launch.tail[2]
    most = max(launch.threads, tail, *(shape[2] for shape in ahead.shapes), 0)
    return _lifted(card, launch.kernel, launch.block, None, most, None)


def run_lifted(
    card: Card,
    memory: Memory,
    launch: Launch,
    bank: int,
    engine: Engine = "native",
    ahead: Shapes | None = None,
    store: ObjectStore | None = None,
) -> Ran:
    """Run a launch whose parameters stand in FRAM bank `bank`, on the card's own memory arrays.

    `ahead` is what `look_ahead` gives, where it is known. Raises Fault for what the program may not do, as far as
    lifted code looks: block shapes, transfers and dot lengths on both engines, accesses on the interpreter only.
    """
    if engine not in ENGINES:
        raise LaunchError(f"engine {engine!r} is not known; there are {', '.join(ENGINES)}")
    lifted = lifted_for(card, launch, ahead or look_ahead(card, memory, launch, bank))
    state = np.zeros(program.FLAGS + lifted.flag_bytes + 4 * (ROOM + 1 if lifted.learns else 1), np.uint8)
    room = ROOM if lifted.learns else 0
    arrays = [memory.sram.data, *(item.data for item in memory.fram), memory.pram.data, memory.ddr.data]
    stopped: Exception | None = None
    try:
        if engine == "native":
            _run_native(lifted, [*arrays, memory.fram[bank].data, state], room, launch, store)
        else:
            _run_interpreter(lifted, arrays, bank, state, room, launch)
    except (KernelStopped, Trapped) as error:
        stopped = error
    words = state.view(np.uint32)
    if stopped is not None:
        raise _fault(lifted, launch, words) or stopped
    logged = int(words[program.LOGGED // 4])
    start = (program.FLAGS + lifted.flag_bytes) // 4
    loaded = tuple(int(value) for value in words[start : start + min(logged, room)])
    columns = int(state[program.COLUMNS : program.COLUMNS + 8].view(np.uint64)[0])
    return Ran(columns, loaded, max(logged - room, 0))


def _run_native(
    lifted: Lifted, arrays: Sequence[NDArray[np.uint8]], room: int, launch: Launch, store: ObjectStore | None
) -> None:
    """Pointers are addresses of the host: one memory whose device addresses are those of the host."""
    compiled = _COMPILED.get(lifted)
    if compiled is None:
        compiled = _COMPILED[lifted] = host.compile(lifted.module, program.NAME, lifted.block, store=store)
    sram = arrays[0]
    where = host.HostMemory([(sram.ctypes.data, sram)])
    places = [array.ctypes.data for array in arrays]
    compiled.launch((1, 1, 1), [*places, room, *launch.grid], where, workers=1)


def _run_interpreter(
    lifted: Lifted, arrays: Sequence[NDArray[np.uint8]], bank: int, state: NDArray[np.uint8], room: int, launch: Launch
) -> None:
    where = interp.Memory()
    places = [where.bind(array) for array in arrays]
    args = [*places, places[1 + bank], where.bind(state), room, *launch.grid]
    interp.launch(lifted.module, program.NAME, 1, lifted.block, args, memory=where)


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
