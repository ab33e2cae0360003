"""Programs in kernel IR on a card: their variables in its memory, their kernels ready to be launched."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from openrpp.codegen.errors import CodegenError
from openrpp.isa.suggest import did_you_mean
from openrpp.kir.ir import Global, Kernel, Module
from openrpp.kir.types import Space
from openrpp.machine.faults import LaunchError
from openrpp.machine.report import Span
from openrpp.runtime.buffer import Buffer
from openrpp.runtime.card_time import CardTime
from openrpp.runtime.compiled import PUBLISHED, target_of
from openrpp.runtime.costs import LaunchKind, launch_costs
from openrpp.runtime.engines import Call, Ran, engine_named
from openrpp.runtime.legality import check_shared, checked_shape
from openrpp.runtime.machine_code import foreseen_time
from openrpp.runtime.operations import CopyOperation, Extent, KernelOperation, axes
from openrpp.runtime.overlap import submit_launch
from openrpp.runtime.schedule import Frontier, Schedule
from openrpp.runtime.staging import submit_stages
from openrpp.runtime.values import Value, pack, pack_one
from openrpp.storage import Cache

if TYPE_CHECKING:
    from openrpp.kir.check import Progress
    from openrpp.kir.check import Report as CheckReport
    from openrpp.runtime.card import Card
    from openrpp.runtime.profiling import Profiled
    from openrpp.runtime.stream import Stream


EFFORT: Final = 4096
"""Columns that are worked out for votes before the native engine runs the machine code, which is faster then."""


@dataclass(frozen=True)
class ProgramReport:
    """One launch of kernel IR.

    `engine` ran it in `host_seconds` of host time, after `compile_seconds` in which it was made ready. `output` is what
    it printed; `dropped` printf calls found no room.
    """

    kernel: str
    grid: tuple[int, int, int]
    block: tuple[int, int, int]
    engine: str
    host_seconds: float
    compile_seconds: float
    output: str = ""
    dropped: int = 0
    timer: Callable[[], CardTime] = field(default=CardTime, repr=False, compare=False)

    @property
    def taken(self) -> CardTime:
        """What it takes on the card.

        Where another engine than `reference` ran it, its machine code is compiled and walked when this is first asked
        for.
        """
        return self.timer()

    @property
    def seconds(self) -> Span | None:
        """Kernel time on the card; None where it is not known (`taken.reason`)."""
        return self.taken.seconds

    def as_dict(self) -> dict[str, Any]:
        """A JSON-able dictionary."""
        return {
            "kernel": self.kernel,
            "grid": list(self.grid),
            "block": list(self.block),
            "engine": self.engine,
            **self.taken.as_dict(),
            "host_seconds": self.host_seconds,
            "compile_host_seconds": self.compile_seconds,
            "output": self.output,
            "dropped_prints": self.dropped,
        }


@dataclass
class ProgramOperation:
    """A launch of kernel IR, for streams and graphs."""

    function: ProgramFunction
    grid: Extent
    block: Extent
    args: list[Value]
    shared_bytes: int = 0
    _call: Call | None = field(default=None, init=False, repr=False)
    _buffers: tuple[Buffer, ...] = field(default=(), init=False, repr=False)

    @property
    def name(self) -> str:
        """The kernel's name."""
        return self.function.name

    def check(self, card: Card) -> None:
        """Raises LaunchError or BufferFreed for a launch that cannot start."""
        self.call(card)

    def call(self, card: Card) -> Call:
        """The checked launch, the same object while nothing has changed. Raises LaunchError or BufferFreed."""
        known = self._call
        if known is not None:
            for buffer in self._buffers:
                if buffer.freed:
                    break
            else:
                return known
        made = self._checked(card)
        if not any(isinstance(arg, np.ndarray | bytearray) for arg in self.args):  # which the host may write to
            self._buffers = tuple(arg for arg in self.args if isinstance(arg, Buffer))
            self._call = made
        return made

    def _checked(self, card: Card) -> Call:
        function, kernel = self.function, self.function.kernel
        module = function.program.module
        shape = checked_shape(card.arch, self.name, kernel, axes(self.grid), axes(self.block))
        check_shared(card.arch, self.name, module, kernel, self.shared_bytes)
        values = pack(card, self.name, kernel, self.args)
        variables = function.program.addresses
        return Call(
            module, kernel.name, self.name, *shape, values, variables, int(self.shared_bytes), function.program.store
        )

    def update(self, card: Card, changes: dict[str, Value]) -> None:
        """Replace arguments by parameter name. Raises LaunchError for an unknown name or an unfit value."""
        params = self.function.kernel.params
        names = [param.name for param in params]
        args, call = list(self.args), self._call
        values = list(call.values) if call else []
        for name, value in changes.items():
            if name not in names:
                raise LaunchError(f"kernel {self.name} has no parameter {name}; there are {', '.join(names) or 'none'}")
            index = names.index(name)
            args[index] = value
            word = pack_one(card, self.name, index, params[index], value)
            if call:
                values[index] = word
        self.args = args
        if call and not any(isinstance(value, Buffer | np.ndarray | bytearray) for value in changes.values()):
            self._call = replace(call, values=values)
        else:
            self._call = None

    def issue(self, card: Card, before: Frontier, stream: str, kind: LaunchKind) -> tuple[Frontier, ProgramReport]:
        """Run it now and put it into the schedule; where its card time is not known, only the cost of the launch."""
        call = self.call(card)
        begun = time.perf_counter()
        foreseen = self.foreseen(card, call)
        ran = self.timed_natively(card, call) if foreseen and not foreseen.launches else None
        ran = ran or engine_named(card.engine)(card, call)
        readied = time.perf_counter() - begun - ran.seconds
        if not ran.taken:
            ran = ran._replace(taken=foreseen)
        return self.scheduled(card, ran.taken, before, stream, kind), self.report(card, call, ran, readied)

    def foreseen(self, card: Card, call: Call) -> CardTime | None:
        """The card time of a launch that goes onto the clock, where it is known without data."""
        if not card.timed or card.engine == "reference":
            return None
        return foreseen_time(card, call, EFFORT if card.engine == "native" else None)

    def report(self, card: Card, call: Call, ran: Ran, readied: float) -> ProgramReport:
        """What a launch that ran reports, made ready in `readied` seconds of host time."""
        timer = cache(lambda: ran.taken or foreseen_time(card, call))
        return ProgramReport(
            self.name, call.grid, call.block, card.engine, ran.seconds, readied, ran.output, ran.dropped, timer
        )

    def timed_natively(self, card: Card, call: Call) -> Ran | None:
        """Run a kernel whose control depends on data so that its card time is known; None where there is no way."""
        if card.engine != "native":
            return None
        from openrpp.runtime.lifted import run_lifted_code

        try:
            return run_lifted_code(card, call)
        except (CodegenError, LaunchError):
            return None

    def scheduled(
        self, card: Card, taken: CardTime | None, before: Frontier, stream: str, kind: LaunchKind
    ) -> Frontier:
        """Put a launch onto the card's clock: what later work waits for. Without card time it costs just the launch."""
        if taken is None or not taken.launches:
            card.untimed += 1
        return self.submit(card.schedule, taken, before, stream, kind)

    def submit(
        self, schedule: Schedule, taken: CardTime | None, before: Frontier, stream: str, kind: LaunchKind
    ) -> Frontier:
        """Put a launch into a schedule."""
        if taken is None or not taken.launches:
            return Frontier((schedule.submit(self.name, stream, launch_costs(schedule.costs, kind), before.all),))
        if taken.stages:
            return Frontier(submit_stages(schedule, taken, self.name, stream, kind, before.all))
        for launch in taken.launches:
            before = submit_launch(schedule, launch, self.name, stream, kind, before)
        return before


Operation = KernelOperation | CopyOperation | ProgramOperation
"""What a stream carries out and a graph keeps."""


class ProgramFunction:
    """A kernel of a program: `function(grid, block, *args)` launches it. `name` is what messages call it."""

    def __init__(self, program: Program, kernel: Kernel, name: str) -> None:
        self.program = program
        self.kernel = kernel
        self.name = name

    def __call__(
        self, grid: Extent, block: Extent, *args: Value, shared_bytes: int = 0, stream: Stream | None = None
    ) -> ProgramReport | None:
        """Launch on a stream (the card's own by default).

        Args:
            grid: blocks along x, y, z; missing axes are 1; x up to 2^31 - 1.
            block: threads along x, y, z; at most 8160 in all, or the kernel's launch bounds.
            args: one per parameter, see `openrpp.runtime.values.Value`.
            shared_bytes: dynamic shared memory.
            stream: where to queue it.

        Returns the launch's report, or None while the stream is captured: nothing runs then.
        Raises LaunchError and BufferFreed before anything runs, KernelFault when the kernel is stopped, CodegenError
        where the native engine cannot translate it.
        """
        card = self.program.card
        target = stream or card.default_stream
        if target.card is not card:
            raise LaunchError(f"stream {target.name} belongs to another card than kernel {self.name}")
        return target.issue(ProgramOperation(self, grid, block, list(args), shared_bytes))

    def check(
        self,
        grid: Extent,
        block: Extent,
        *args: Value,
        checks: str = "all",
        shared_bytes: int = 0,
        unwritten: Collection[Buffer] = (),
        progress: Callable[[Progress], None] | None = None,
    ) -> CheckReport:
        """Run the kernel on the interpreter and find mistakes: see `openrpp.kir.check`.

        Args:
            grid, block, args, shared_bytes: as for a launch.
            checks: some of "memory", "init", "race", "sync", separated by commas, or "all".
            unwritten: buffers that hold nothing yet; whole allocations.
            progress: told how far it has come.

        Memory is then as the kernel left it, less what it did wrong. Takes no card time. Raises LaunchError and
        BufferFreed.
        """
        from openrpp.runtime.checking import checked, parse_checks

        card, names = self.program.card, parse_checks(checks)
        call = ProgramOperation(self, grid, block, list(args), shared_bytes).call(card)
        return checked(card, call, args, names, unwritten, progress)

    def profile(self, grid: Extent, block: Extent, *args: Value, shared_bytes: int = 0, run: bool = False) -> Profiled:
        """Where a launch spends its time on the card, see `openrpp.report.profile`.

        Arguments as for a launch. It is walked without data and leaves memory alone; where its control depends on data,
        or if `run`, it runs as machine code. Takes no card time on the clock. Raises what launches raise.
        """
        from openrpp.runtime.profiling import profiled

        card = self.program.card
        return profiled(card, ProgramOperation(self, grid, block, list(args), shared_bytes).call(card), run)

    def __repr__(self) -> str:
        return f"ProgramFunction({self.name})"


class Program(Mapping[str, ProgramFunction]):
    """A kernel IR module on a card. Made by `Card.program`.

    Its device and constant variables live in the card's memory as long as the program does, in DDR, or on the published
    chip in SRAM, where alone its programs reach them; they get their initial content when the program is made.
    `labels` maps symbols of kernels to what messages call them; `store` keeps compiled code between processes.
    """

    def __init__(
        self, card: Card, module: Module, labels: Mapping[str, str] | None = None, store: Cache | None = None
    ) -> None:
        self.card = card
        self.module = module
        self.store = store or Cache()
        self.variables: dict[str, Buffer] = {}
        self._labels = dict(labels or {})
        variables = [item for item in module.globals.values() if item.space is not Space.SHARED]
        memory = "sram" if card.engine == "reference" and target_of(card.arch) == PUBLISHED else "ddr"
        for item in variables:
            self.variables[item.name] = card.empty((max(item.size, 1),), np.uint8, memory)
        self.addresses = {name: buffer.address for name, buffer in self.variables.items()}
        for item in variables:
            self._fill(item)

    def _fill(self, variable: Global) -> None:
        """Give a variable its initial content; like the rest of loading a program, it takes no card time."""
        content = bytearray(variable.data or bytes(max(variable.size, 1)))
        for offset, symbol, addend in variable.relocations:
            content[offset : offset + 8] = (self.addresses[symbol] + addend).to_bytes(8, "little")
        self.card.device.write(self.addresses[variable.name], np.frombuffer(bytes(content), np.uint8))

    def __getitem__(self, symbol: str) -> ProgramFunction:
        """The kernel of that symbol. Raises LaunchError with the names that there are."""
        kernel = self.module.kernels.get(symbol)
        if kernel is None:
            known = self.module.kernels
            hint = did_you_mean(symbol, known) or f"; it has {', '.join(known) or 'none'}"
            raise LaunchError(f"{self.module.name or 'the program'} has no kernel {symbol}{hint}")
        return ProgramFunction(self, kernel, self._labels.get(symbol, symbol))

    def __contains__(self, symbol: object) -> bool:
        return symbol in self.module.kernels

    def __iter__(self) -> Iterator[str]:
        return iter(self.module.kernels)

    def __len__(self) -> int:
        return len(self.module.kernels)

    def __repr__(self) -> str:
        return f"Program({self.module.name}: {', '.join(self.module.kernels)})"
