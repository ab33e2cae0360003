"""What the interpreter keeps for a launch, a block and a thread."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from openrpp.kir.interp.faults import At, Fault
from openrpp.kir.interp.memory import Memory
from openrpp.kir.ir import Block, Instr, Kernel, Module, Value
from openrpp.kir.ops.threads import WARP, Triple, linear
from openrpp.kir.types import Space


@dataclass(frozen=True, slots=True)
class Access:
    """A memory access of a thread, for whoever observes the launch.

    `kind` is read, write or atomic; `epoch` counts the barriers that the block has passed; `address` is a byte address
    in device memory or an offset in shared or private memory.
    """

    kind: str
    space: Space
    address: int
    size: int
    thread: ThreadState
    epoch: int
    instr: Instr


Observer = Callable[[Access], None]


Read = Callable[["ThreadState", Value], int]
"""Gives the bits that a value has in a thread now."""


class Watch(Protocol):
    """Sees every step of every thread; for traces, and for tests of what analyses claim."""

    def entered(self, read: Read, thread: ThreadState, block: Block) -> None:
        """The thread starts a block, whose parameters have their values."""
        ...

    def made(self, read: Read, thread: ThreadState, instr: Instr) -> None:
        """The thread has executed an instruction."""
        ...


Step = Callable[["ThreadState"], None]
"""Executes an instruction in a thread."""
Place = tuple[memoryview, int, Space]
"""Bytes of a memory, where in them, and which memory it is."""
Placer = Callable[["ThreadState", int], Place]
"""Finds the bytes at an address that a thread accesses. Raises OutOfBounds, Misaligned, ReadOnly."""


class Guard(Protocol):
    """Judges a launch while it runs, and may let it go on where it would have been stopped."""

    def place(self, instr: Instr, kind: str, operands: tuple[int, ...], placer: Placer) -> Placer:
        """What to use instead of `placer` for an access; `operands` are the registers of the instruction."""
        ...

    def step(self, instr: Instr, operands: tuple[int, ...], step: Step) -> Step:
        """What to execute instead of `step`."""
        ...

    def started(self, block: BlockState) -> None:
        """A block is about to run."""
        ...

    def met(self, meeting: Meeting, members: Sequence[ThreadState]) -> None:
        """Lanes meet at a warp op; registers hold its operands, not yet its results."""
        ...

    def staged(self, thread: ThreadState, instr: Instr, target: int, source: int, size: int) -> bool:
        """A DMA transfer starts; whether it can be made. Its operands say which memories the sides are in."""
        ...

    def passed(self, block: BlockState, instr: Instr) -> None:
        """All threads of a block go on behind a barrier."""
        ...

    def grid_passed(self) -> None:
        """All threads of the grid go on behind a grid barrier."""
        ...

    def failed(self, block: BlockState, fault: Fault) -> None:
        """The threads of a block cannot go on; the block is abandoned afterwards."""
        ...

    def turned(self, steps: int) -> None:
        """Called often, between the turns of threads."""
        ...


@dataclass(eq=False, slots=True)
class Meeting:
    """A convergent op as the threads see it: where its operands are, and where the result goes."""

    instr: Instr
    operands: tuple[int, ...]
    result: int
    meet: Callable[..., object] | None


@dataclass(eq=False, slots=True)
class LaunchState:
    """Everything that the threads of a launch share."""

    module: Module
    kernel: Kernel
    memory: Memory
    grid: Triple
    block: Triple
    params: bytes
    shared_bytes: int = 0
    observe: Observer | None = None
    guard: Guard | None = None
    steps: int = 0
    output: list[str] = field(default_factory=list[str])


@dataclass(eq=False, slots=True)
class BlockState:
    """A CUDA block: its shared memory and threads. `note` is what a guard keeps for it."""

    launch: LaunchState
    index: Triple
    shared: memoryview
    threads: list[ThreadState] = field(default_factory=list["ThreadState"])
    epoch: int = 0
    note: Any = None


@dataclass(eq=False, slots=True)
class ThreadState:
    """A thread: its registers, one per value of the kernel, and what it waits for. `note` is what a guard keeps."""

    owner: BlockState
    tid: Triple
    regs: list[int]
    private: memoryview
    run: Iterator[Meeting | None]
    number: int = 0
    waits: Meeting | None = None
    done: bool = False
    note: Any = None

    def __post_init__(self) -> None:
        self.number = linear(self.tid, self.ntid)

    @property
    def lane(self) -> int:
        """Index in the warp."""
        return self.number % WARP

    @property
    def warp(self) -> int:
        """Index of the warp in the block."""
        return self.number // WARP

    @property
    def ctaid(self) -> Triple:
        """Block index."""
        return self.owner.index

    @property
    def ntid(self) -> Triple:
        """Shape of the block."""
        return self.owner.launch.block

    @property
    def nctaid(self) -> Triple:
        """Shape of the grid."""
        return self.owner.launch.grid

    def at(self, instr: Instr | None) -> At:
        """This thread at an instruction."""
        return At(self.owner.launch.kernel.name, instr.location if instr else None, self.owner.index, self.tid)
