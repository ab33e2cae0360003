"""The two things that a stream does: launch a kernel, copy memory. Streams and graphs carry out the same objects."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from openrpp.isa.program import Kernel
from openrpp.machine.faults import LaunchError
from openrpp.machine.launch import prepare
from openrpp.machine.memory import as_bytes
from openrpp.machine.report import LaunchReport
from openrpp.runtime.arguments import Argument, check_count, pack
from openrpp.runtime.buffer import Buffer
from openrpp.runtime.costs import LaunchKind, Place, copy_plan
from openrpp.runtime.overlap import submit_launch
from openrpp.runtime.schedule import Frontier, Schedule

if TYPE_CHECKING:
    from openrpp.runtime.card import Card

Extent = int | Sequence[int]
Array = NDArray[Any]


@dataclass
class KernelOperation:
    """A launch: `args` in the order of the kernel's parameters."""

    kernel: Kernel
    grid: Extent
    block: Extent
    args: list[Argument]
    tail: Extent | None = None

    @property
    def name(self) -> str:
        """The kernel's name."""
        return self.kernel.name

    def check(self, card: Card) -> None:
        """Raises LaunchError or BufferFreed for a launch that cannot start."""
        prepare(card.arch, self.kernel, axes(self.grid), axes(self.block), self._words(card), self._tail)

    @property
    def _tail(self) -> Sequence[int] | None:
        return None if self.tail is None else axes(self.tail)

    def _words(self, card: Card) -> list[int]:
        return pack(card, self.kernel, self.args)

    def update(self, card: Card, changes: dict[str, Argument]) -> None:
        """Replace arguments by parameter name. Raises LaunchError for an unknown name or an unfit value."""
        names = [param.name for param in self.kernel.params]
        args = list(self.args)
        for name, value in changes.items():
            if name not in names:
                known = ", ".join(names) or "none"
                raise LaunchError(f"kernel {self.kernel.name} has no parameter {name}; there are {known}")
            args[names.index(name)] = value
        check_count(self.kernel, len(args))
        pack(card, self.kernel, args)
        self.args = args

    def foreseen(self, card: Card) -> LaunchReport:
        """What it takes, without running it. Raises LaunchError where that depends on data."""
        return card.device.time(self.kernel, axes(self.grid), axes(self.block), self._words(card), self._tail)

    def issue(self, card: Card, before: Frontier, stream: str, kind: LaunchKind) -> tuple[Frontier, LaunchReport]:
        """Run it now and put it into the schedule: (what later work waits for, report)."""
        report = card.device.launch(self.kernel, axes(self.grid), axes(self.block), self._words(card), self._tail)
        return submit_launch(card.schedule, report, self.name, stream, kind, before), report


def axes(extent: Extent) -> Sequence[int]:
    """An extent as a sequence; one number is the x axis."""
    return (extent,) if isinstance(extent, int | np.integer) else extent  # type: ignore[return-value]


@dataclass
class CopyOperation:
    """A copy; one side at least is a buffer. `target` and `source` have as many bytes and the same dtype."""

    target: Buffer | Array
    source: Buffer | Array

    @property
    def name(self) -> str:
        """`ddr to sram` and the like."""
        return f"copy {place_of(self.source)} to {place_of(self.target)}"

    @property
    def nbytes(self) -> int:
        """Bytes to copy."""
        return self.source.nbytes

    def check(self, card: Card) -> None:
        """Raises LaunchError or BufferFreed for a copy that cannot be."""
        sides = (("destination", self.target), ("source", self.source))
        for what, side in sides:
            _check_side(card, what, side)
        if not any(isinstance(side, Buffer) for _, side in sides):
            raise LaunchError("both sides of the copy are arrays of the host; one must be a buffer")
        if self.target.dtype != self.source.dtype:
            raise LaunchError(
                f"cannot copy {self.source.dtype} to {self.target.dtype}; convert with array.astype or array.view"
            )
        if _elements(self.target) != _elements(self.source):
            raise LaunchError(f"cannot copy shape {self.source.shape} to shape {self.target.shape}")

    def issue(self, card: Card, before: Frontier, stream: str, kind: LaunchKind) -> tuple[Frontier, None]:
        """Copy now and put it into the schedule."""
        self.check(card)
        self._move(card)
        return self.submit(card.schedule, before, stream), None

    def submit(self, schedule: Schedule, before: Frontier, stream: str) -> Frontier:
        """Put it into a schedule."""
        plan = copy_plan(schedule.costs, place_of(self.source), place_of(self.target), self.nbytes)
        return Frontier((schedule.submit(self.name, stream, plan, before.all),))

    def _move(self, card: Card) -> None:
        device, target, source = card.device, self.target, self.source
        if isinstance(source, Buffer):
            data = device.memory.view(source.address, source.nbytes)
            if isinstance(target, Buffer):
                device.write(target.address, data)
            else:
                as_bytes(target)[:] = data
        elif isinstance(target, Buffer):
            device.write(target.address, source)


def place_of(side: Buffer | Array) -> Place:
    """Where a side of a copy lies."""
    return side.memory if isinstance(side, Buffer) else "host"


def _elements(side: Buffer | Array) -> int:
    return math.prod(side.shape)


def _check_side(card: Card, what: str, side: object) -> None:
    if isinstance(side, Buffer):
        if side.card is not card:
            raise LaunchError(f"the {what} {side!r} belongs to another card")
        _ = side.address  # refuses a freed one
        return
    as_bytes(side)
    if what == "destination" and isinstance(side, np.ndarray) and not side.flags.writeable:
        raise LaunchError("the destination is a read-only array")
