"""The card as a program holds it: buffers, streams, modules, graphs."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from openrpp.arch import Card as Arch
from openrpp.isa.program import Kernel
from openrpp.kir.ir import Module as IrModule
from openrpp.machine.device import Device
from openrpp.machine.faults import LaunchError, MachineError
from openrpp.machine.observe import Observer
from openrpp.machine.reference import Order
from openrpp.machine.report import Span
from openrpp.runtime.allocator import FreeList
from openrpp.runtime.buffer import Allocation, Buffer, MemoryName, dtype_of, shape_of
from openrpp.runtime.clock import Notice, Record
from openrpp.runtime.engines import check_engine
from openrpp.runtime.errors import CaptureError
from openrpp.runtime.graph import Capture, Graph
from openrpp.runtime.memo import TimeMemo
from openrpp.runtime.module import Module, kernels_of
from openrpp.runtime.operations import CopyOperation
from openrpp.runtime.program import Program
from openrpp.runtime.schedule import Schedule
from openrpp.runtime.stream import Stream
from openrpp.storage import Cache

MARGIN: Final = 32 * 1024
"""Bytes of SRAM before all buffers on cards with extension instructions."""


@dataclass(frozen=True)
class MemoryInfo:
    """How full a memory is, in bytes. `total` is what buffers may take in all."""

    total: int
    used: int
    free: int
    largest: int


class Card:
    """A virtual card.

    Args:
        arch: a preset's name, an architecture file, or a loaded description.
        engine: which engine carries kernels of kernel IR (CUDA) out: `reference` runs their machine code and needs a
            card with the extensions that it uses (ae7100x has all), `native` compiles them for this host, and
            `interpreter` is the definition of kernel IR, thread by thread.
        programs: which engine carries programs in machine code out: `reference` is the definition and has all checks;
            `native` and `interpreter` run them lifted to kernel IR (`openrpp.codegen.lift`), and only the latter finds
            accesses outside memory.
        workers: threads of the native engine, one per core by default.
        timed: put the card time of kernels of kernel IR on the clock where another engine than `reference` runs them.
            Their machine code is compiled and walked for that, which takes host time; where its control depends on
            data, the native engine runs the machine code itself, lifted. Otherwise a report compiles and walks when its
            card time is asked for.
        strict, order, seed, check, max_words: see `openrpp.machine.Device`.
        keep_timeline: keep every record in `timeline`; a long-running program that only `watch`es may do without.

    Raises ArchError for a bad architecture and LaunchError for unknown settings.

    `timeline` has a record for everything that is over on the nominal clock, in the order of their ends; what is queued
    gets over as the host waits (`synchronize`). `untimed` counts launches without known card time, which take none
    on the clock but the cost of a launch. `pools` hand out the memories' addresses, `times` holds
    card times that are known already.
    """

    def __init__(
        self,
        arch: str | Path | Arch = "ae7100",
        engine: str = "reference",
        *,
        strict: bool = False,
        order: Order = "column",
        seed: int = 0,
        check: Iterable[str] = (),
        max_words: int = 1 << 28,
        keep_timeline: bool = True,
        workers: int | None = None,
        timed: bool = False,
        programs: str = "reference",
    ) -> None:
        check_engine(engine)
        if workers is not None and workers < 1:
            raise LaunchError(f"{workers} workers; the native engine needs at least one")
        self.engine = engine
        self.workers = workers
        self.timed = timed
        self.untimed = 0
        check_engine(programs)
        if programs == "reference":
            self.device = Device(arch, "reference", strict, order=order, seed=seed, check=check, max_words=max_words)
        else:
            self.device = _lifting(arch, programs, checks=strict or bool(tuple(check)) or order != "column")
        self.arch = self.device.card
        self.timeline: list[Record] = []
        self._watchers: list[Callable[[Notice], object]] = [self._keep] if keep_timeline else []
        self.schedule = Schedule(self.arch, self._notify)
        self.pools = _pools(self.arch)
        self.times = TimeMemo(self.arch)
        self._streams = 0
        self._captures: list[Capture] = []
        self.default_stream = Stream(self, "default")

    # --- memory ------------------------------------------------------------------------------------------------

    def empty(self, shape: int | Sequence[int], dtype: Any, memory: MemoryName = "ddr") -> Buffer:
        """A buffer with whatever its memory holds.

        SRAM buffers start at multiples of 512 bytes, are rounded up to them and followed by 512 bytes of guard, since
        aligned loads may read past the end; they come from the plannable 22 MB (on cards with extension instructions
        less 32 KB). DDR buffers come from the data region.

        Args:
            shape: extents, each at least 1.
            dtype: fixed-size number type; "bf16" is uint16.
            memory: "ddr" or "sram".

        Raises OutOfMemory, and LaunchError for a shape, dtype or memory that cannot be.
        """
        kind, extents = dtype_of(dtype), shape_of(shape)
        if memory not in self.pools:
            raise LaunchError(f"memory {memory!r} is not known; there are ddr and sram")
        pool = self.pools[memory]
        address = pool.allocate(int(np.prod(extents, dtype=object)) * kind.itemsize)
        return Buffer(self, memory, Allocation(address, pool.release), address, extents, kind)

    def array(self, array: NDArray[Any], memory: MemoryName = "ddr") -> Buffer:
        """A buffer with a copy of a host array; waits for the copy, as `Buffer.write` does.

        Raises OutOfMemory, and LaunchError for an array that is not contiguous or whose dtype cannot live on the card.
        """
        if not isinstance(array, np.ndarray):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise LaunchError(f"expected a NumPy array, got {type(array).__name__}; use numpy.asarray first")
        buffer = self.empty(array.shape, array.dtype, memory)
        try:
            buffer.write(array)
        except MachineError:
            buffer.free()
            raise
        return buffer

    def copy(self, dst: Buffer | NDArray[Any], src: Buffer | NDArray[Any]) -> None:
        """Copy and wait: everything queued before comes first. Raises CaptureError while a stream is captured."""
        self._refuse_while_captured("a copy that waits")
        operation = CopyOperation(dst, src)
        operation.check(self)
        self.synchronize()
        self.default_stream.issue(operation)
        self.synchronize()

    def memory_info(self, memory: MemoryName) -> MemoryInfo:
        """How full a memory is."""
        pool = self.pools[memory]
        return MemoryInfo(pool.size, pool.used, pool.free, pool.largest)

    def allocations(self) -> dict[int, int]:
        """Address -> bytes of all buffers that are alive, variables of programs included."""
        return {address: size for pool in self.pools.values() for address, size in pool.pieces.items()}

    # --- work --------------------------------------------------------------------------------------------------

    def module(self, source: str | Path | Kernel) -> Module:
        """The kernels of an assembly file, an object file, or a kernel that is loaded already.

        Raises AssemblyError, ObjectError or OSError.
        """
        return Module(self, *kernels_of(source))

    def program(self, module: IrModule, labels: Mapping[str, str] | None = None, store: Cache | None = None) -> Program:
        """A module in kernel IR, its variables placed in DDR; `labels` are names of its kernels for messages.

        `store` keeps compiled code between processes, by default the cache of this user.

        Raises OutOfMemory.
        """
        return Program(self, module, labels, store)

    def stream(self, name: str | None = None) -> Stream:
        """A new stream; `name` is for timelines and traces."""
        self._streams += 1
        return Stream(self, name or f"stream {self._streams}")

    def synchronize(self) -> Span:
        """The host waits until the card is idle; seconds of card time then. Raises CaptureError in a capture."""
        self._refuse_while_captured("waiting for the card")
        return self.schedule.drain()

    @property
    def now(self) -> Span:
        """Seconds of card time that have passed, as far as the host has waited."""
        return self.schedule.now

    @contextmanager
    def capture(self, stream: Stream) -> Generator[Graph, None, None]:
        """`with card.capture(stream) as graph:` notes what the stream queues; nothing runs.

        Other streams take part from the moment they wait for an event of a captured one. Host arrays are read and
        written at each replay. Raises CaptureError for a stream that is captured already.
        """
        if stream.card is not self:
            raise CaptureError(f"stream {stream.name} belongs to another card")
        if stream.capture is not None:
            raise CaptureError(f"stream {stream.name} is being captured already")
        graph = Graph(self)
        capture = Capture(graph, stream)
        self._captures.append(capture)
        complete = False
        try:
            yield graph
            complete = True
        finally:
            self._captures.remove(capture)
            capture.end(complete)

    def _refuse_while_captured(self, what: str) -> None:
        if self._captures:
            raise CaptureError(f"{what} cannot be captured; do it before or after the capture")

    # --- watching ----------------------------------------------------------------------------------------------

    def watch(self, watcher: Callable[[Notice], object]) -> None:
        """Call `watcher` with every `Record` and `DdrRate` of the nominal clock as card time passes."""
        self._watchers.append(watcher)

    def observe(self, observer: Observer) -> None:
        """Let an observer see what the engine executes, in host time: progress, checkers."""
        observer.attach(self.device.engine)
        self.device.engine.observers = (*self.device.engine.observers, observer)

    def _notify(self, notice: Notice) -> None:
        for watcher in self._watchers:
            watcher(notice)

    def _keep(self, notice: Notice) -> None:
        if isinstance(notice, Record):
            self.timeline.append(notice)


def _pools(arch: Arch) -> dict[str, FreeList]:
    sram, address = arch.sram, arch.address
    end = address.ddr.value + arch.ddr.bytes.value
    # Lanes that are not active may read beside a buffer, as far as 16-bit distances go.
    edge = MARGIN if arch.extensions else 0
    start, size = address.sram.value + edge, sram.plannable.value - edge
    return {
        "sram": FreeList("SRAM", start, size, sram.alignment.value, sram.guard.value),
        "ddr": FreeList("DDR", address.data.value, end - address.data.value, sram.alignment.value),
    }


def _lifting(arch: str | Path | Arch, engine: str, *, checks: bool) -> Device:
    """A device that lifts programs. Raises LaunchError where checks or an order of warps are asked for."""
    from openrpp.codegen.lift import LiftedDevice
    from openrpp.storage import Cache

    if checks:
        raise LaunchError(f"checks and orders of warps are the reference engine's; programs on {engine} have none")
    return LiftedDevice(arch, "native" if engine == "native" else "interpreter", Cache())
