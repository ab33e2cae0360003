"""Launching a kernel on the interpreter, the oracle for every other engine.

Threads are coroutines: each runs until it meets others, returns, or has used its quantum of steps. In which order they
get their turns can be chosen, to expose programs that depend on it.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from itertools import product
from typing import Any, Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from openrpp.kir.interp.decode import Program, run
from openrpp.kir.interp.faults import At, Fault, LaunchError, Runaway
from openrpp.kir.interp.meetings import at_grid_barrier, pass_barrier, release, stuck
from openrpp.kir.interp.memory import Memory
from openrpp.kir.interp.state import BlockState, Guard, LaunchState, Observer, ThreadState, Watch
from openrpp.kir.ir import Kernel, Module, Parameter, constant
from openrpp.kir.ops.threads import Triple

T = TypeVar("T")
MAX_STEPS: Final = 1 << 30
Argument = int | float | bytes | np.generic | NDArray[Any]
MakeGuard = Callable[[LaunchState, Sequence[int]], Guard]


class Order(Enum):
    """In which order blocks, and threads within a block, get their turns."""

    ASCENDING = "ascending"
    DESCENDING = "descending"
    RANDOM = "random"  # drawn anew for every round


@dataclass(frozen=True, slots=True)
class Result:
    """What a launch leaves besides memory: printf output and the number of steps of all threads."""

    output: str
    steps: int


class _Turns:
    """Gives sequences in the chosen order."""

    def __init__(self, order: Order, seed: int) -> None:
        self._order = order
        self._random = random.Random(seed)

    def __call__(self, items: Iterable[T]) -> list[T]:
        found = list(items)
        if self._order is Order.DESCENDING:
            found.reverse()
        elif self._order is Order.RANDOM:
            self._random.shuffle(found)
        return found


def launch(
    module: Module,
    name: str,
    grid: int | Sequence[int],
    block: int | Sequence[int],
    args: Sequence[Argument],
    *,
    memory: Memory | None = None,
    shared_bytes: int = 0,
    order: Order = Order.ASCENDING,
    seed: int = 0,
    max_steps: int = MAX_STEPS,
    observe: Observer | None = None,
    watch: Watch | None = None,
    guard: MakeGuard | None = None,
    blocks: Collection[Triple] | None = None,
) -> Result:
    """Run a kernel to its end.

    `grid` and `block` are one to three extents. Arguments are numbers, bytes for structs by value, and arrays for
    pointers: those become device memory of `memory` (a new one if None). `shared_bytes` is the dynamic shared memory.
    The M blocks that a kernel merges run interleaved; others run one after another unless they wait for each other.
    `observe` is told of every memory access, `watch` of every step; what `guard` makes from the launch and the bits of
    its arguments judges both. `blocks` are those of the grid that run, None for all.

    Raises LaunchError before anything runs, a Fault while it runs.
    """
    memory = Memory() if memory is None else memory
    kernel = module.kernels.get(name)
    if kernel is None:
        known = ", ".join(module.kernels) or "none"
        raise LaunchError(f"there is no kernel '{name}'; the module has {known}")
    shape = _triple(name, "grid", grid), _triple(name, "block", block)
    _check_block(kernel, shape[1])
    params, values = _arguments(kernel, args, memory)
    state = LaunchState(module, kernel, memory, *shape, params, shared_bytes, observe)
    state.guard = guard(state, values) if guard is not None else None
    prepared = Program(module, kernel, memory, watch, state.guard)
    _Scheduler(prepared, state, values, _Turns(order, seed), max_steps, blocks).run()
    return Result("".join(state.output), state.steps)


def _triple(name: str, what: str, given: int | Sequence[int]) -> Triple:
    extents = (given,) if isinstance(given, int) else tuple(given)
    if not 1 <= len(extents) <= 3 or any(extent < 1 for extent in extents):
        raise LaunchError(f"the {what} is {given}; it has one to three extents of 1 or more", name)
    x, y, z = (*extents, 1, 1)[:3]
    return x, y, z


def _check_block(kernel: Kernel, block: Triple) -> None:
    threads = block[0] * block[1] * block[2]
    if kernel.max_threads and threads > kernel.max_threads:
        raise LaunchError(f"a block of {threads} threads; the kernel is bound to {kernel.max_threads}", kernel.name)


# --- arguments -------------------------------------------------------------------------------------------------


def _arguments(kernel: Kernel, args: Sequence[Argument], memory: Memory) -> tuple[bytes, list[int]]:
    """The bytes of param memory, and the registers of the parameters."""
    if len(args) != len(kernel.params):
        raise LaunchError(f"{len(args)} arguments; the kernel takes {len(kernel.params)}", kernel.name)
    params = bytearray()
    values: list[int] = []
    for param, arg in zip(kernel.params, args, strict=True):
        if param.is_by_value:
            params.extend(bytes(-len(params) % param.align))
            values.append(len(params))
            params.extend(_struct(kernel, param, arg))
        else:
            values.append(_scalar(kernel, param, arg, memory))
    return bytes(params), values


def _struct(kernel: Kernel, param: Parameter, arg: Argument) -> bytes:
    data = arg.tobytes() if isinstance(arg, np.ndarray | np.generic) else arg
    if not isinstance(data, bytes) or len(data) != param.size:
        raise LaunchError(f"argument '{param.name}' takes {param.size} bytes, not {arg!r}", kernel.name)
    return data


def _scalar(kernel: Kernel, param: Parameter, arg: Argument, memory: Memory) -> int:
    if isinstance(arg, np.ndarray):
        if not param.type.is_pointer:
            raise LaunchError(f"argument '{param.name}' is a {param.type}, not an array", kernel.name)
        return memory.bind(arg, param.name)
    value = arg.item() if isinstance(arg, np.generic) else arg
    fits = isinstance(value, int) or (isinstance(value, float) and param.type.is_float)
    if not fits or isinstance(value, bytes):
        raise LaunchError(f"argument '{param.name}' is a {param.type}, not {arg!r}", kernel.name)
    return constant(param.type, value).bits


# --- scheduling ------------------------------------------------------------------------------------------------


class _Scheduler:
    def __init__(
        self,
        program: Program,
        state: LaunchState,
        values: list[int],
        turns: _Turns,
        max_steps: int,
        blocks: Collection[Triple] | None,
    ) -> None:
        self.program = program
        self.state = state
        self.values = values
        self.shared = program.shared.size + state.shared_bytes
        self.turns = turns
        self.max_steps = max_steps
        self.blocks = blocks

    def run(self) -> None:
        """Groups take turns; a group keeps its turn until it ends, uses a quantum or waits for the grid."""
        waiting = deque(self.turns(self._groups()))
        started: deque[list[BlockState]] = deque()
        while waiting or started:
            group = self._start(waiting.popleft()) if waiting else started.popleft()
            while self._round(group):
                pass
            if not all(_ended(block) for block in group):
                started.append(group)
            left = [block for group in started for block in group if not _ended(block)]
            if not waiting and all(at_grid_barrier(block) for block in left):
                for block in left:
                    pass_barrier(block)
                if left and self.state.guard is not None:
                    self.state.guard.grid_passed()

    def _groups(self) -> Iterator[list[Triple]]:
        merge, (columns, rows, layers) = self.program.kernel.merge, self.state.grid
        for z, y, x in product(range(layers), range(rows), range(0, columns, merge)):
            group = [(place, y, z) for place in range(x, min(x + merge, columns))]
            chosen = group if self.blocks is None else [index for index in group if index in self.blocks]
            if chosen:
                yield chosen

    def _start(self, indices: list[Triple]) -> list[BlockState]:
        return [self._block(index) for index in indices]

    def _block(self, index: Triple) -> BlockState:
        block = BlockState(self.state, index, memoryview(bytearray(self.shared)))
        nx, ny, nz = self.state.block
        for z, y, x in product(range(nz), range(ny), range(nx)):
            private = memoryview(bytearray(self.program.private.size))
            thread = ThreadState(block, (x, y, z), self.program.registers(self.values), private, iter(()))
            thread.run = run(self.program, thread)
            block.threads.append(thread)
        if self.state.guard is not None:
            self.state.guard.started(block)
        return block

    def _round(self, group: list[BlockState]) -> bool:
        """One turn for every thread that can go on; whether the group should go on at once."""
        threads = [thread for block in group for thread in block.threads if not thread.done and thread.waits is None]
        tired = False
        for thread in self.turns(threads):
            tired |= self._advance(thread)
        if self.state.steps > self.max_steps:
            raise Runaway(f"more than {self.max_steps} steps", At(self.program.kernel.name))
        if self.state.guard is not None:
            self.state.guard.turned(self.state.steps)
        moved = False
        for block in group:
            moved |= self._guarded(block)
        return moved and not tired

    def _guarded(self, block: BlockState) -> bool:
        """Settle a block; one that a guard lets fail is abandoned."""
        guard = self.state.guard
        if guard is None:
            return self._settle(block)
        try:
            return self._settle(block)
        except Fault as fault:
            guard.failed(block, fault)
            for thread in block.threads:
                thread.done, thread.waits = True, None
            return False

    def _advance(self, thread: ThreadState) -> bool:
        """Run a thread to its next stop; whether it stopped because its quantum was over."""
        for meeting in thread.run:
            thread.waits = meeting
            return meeting is None
        thread.done = True
        return False

    def _settle(self, block: BlockState) -> bool:
        """Release meetings; whether a thread of the block can go on. Raises the fault of a block that is stuck."""
        release(block)
        left = [thread for thread in block.threads if not thread.done]
        if any(thread.waits is None for thread in left):
            return True
        if left and not at_grid_barrier(block):
            raise stuck(block)
        return False


def _ended(block: BlockState) -> bool:
    return all(thread.done for thread in block.threads)
