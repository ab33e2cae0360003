"""A launch on the reference engine and, with the same memory, lifted: both must leave the same and learn the same."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from openrpp.arch import Card
from openrpp.codegen.lift import Ran, run_lifted
from openrpp.codegen.lift.run import Engine
from openrpp.isa.program import Kernel
from openrpp.machine import Device
from openrpp.machine.launch import Launch, prepare, write_parameters
from openrpp.machine.reference import Outcome

Triple = tuple[int, int, int]
DDR, DDR_BYTES = 0x1000_0000, 1 << 20
ENGINES: tuple[Engine, ...] = ("native", "interpreter")


@dataclass
class Twin:
    """What the reference engine left (`mine`) and what lifted code left."""

    mine: Device
    theirs: Device
    outcome: Outcome
    ran: Ran

    def memory(self) -> list[tuple[str, NDArray[np.uint8], NDArray[np.uint8]]]:
        found = [("SRAM", self.mine.memory.sram.data, self.theirs.memory.sram.data)]
        for number, (a, b) in enumerate(zip(self.mine.memory.fram, self.theirs.memory.fram, strict=True)):
            found.append((f"FRAM {number}", a.data, b.data))
        a, b = (device.memory.view(DDR, DDR_BYTES) for device in (self.mine, self.theirs))
        return [*found, ("DDR", a, b)]

    def check(self, **compare: Callable[[NDArray[np.uint8], NDArray[np.uint8]], NDArray[np.intp]]) -> None:
        """All memories are equal, byte by byte unless `compare` has a rule for one by name; and what was learned."""
        for name, a, b in self.memory():
            apart = compare[name](a, b) if name in compare else np.flatnonzero(a != b)
            assert apart.size == 0, f"{name} differs at {[hex(int(place)) for place in apart[:8]]}"
        assert self.ran.columns == self.outcome.columns
        assert self.ran.loaded == tuple(self.outcome.loaded)
        assert not self.ran.lost


def _launched(
    arch: str | Card,
    prepared: Callable[[Device], Any],
    kernel: Kernel,
    grid: Triple,
    block: Triple,
    rest: tuple[Any, ...],
) -> tuple[Device, Launch]:
    device = Device(arch)
    prepared(device)
    launch = prepare(device.card, kernel, grid, block, *rest)
    write_parameters(device.memory, launch, 0)
    return device, launch


def run_twice(
    kernel: Kernel,
    prepared: Callable[[Device], Any],
    grid: Triple = (1, 1, 1),
    block: Triple = (1, 1, 1),
    params: Sequence[int] = (),
    tail: Triple | None = None,
    engine: Engine = "native",
    arch: str | Card = "ae7100x",
) -> Twin:
    """Run on both; `prepared` fills the memory of a card."""
    rest = (tuple(params), tail)
    mine, launch = _launched(arch, prepared, kernel, grid, block, rest)
    outcome = mine.engine.run(launch, 0)
    theirs, again = _launched(arch, prepared, kernel, grid, block, rest)
    ran = run_lifted(theirs.card, theirs.memory, again, 0, engine)
    return Twin(mine, theirs, outcome, ran)
