"""A card that runs RPP programs by lifting: the interface of `machine.Device`, at the host's speed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from openrpp.arch import Card
from openrpp.codegen.host.llvm import ObjectStore
from openrpp.codegen.lift.run import ENGINES, Engine, look_ahead, run_lifted
from openrpp.isa.program import Kernel
from openrpp.machine.device import Device
from openrpp.machine.faults import LaunchError, MachineError
from openrpp.machine.launch import Scratch, prepare
from openrpp.machine.report import LaunchReport
from openrpp.machine.timing import Timed, report, walk


class LiftedDevice(Device):
    """A virtual card whose launches run as kernel IR, on the native engine or on the interpreter of kernel IR.

    Memory, reports and errors are those of `Device`; card time comes from the same walk. Lifted code checks block
    shapes, transfers and lengths of dots; accesses outside memory are found on the interpreter only, and a program
    that never ends is not found. `store` keeps compiled code between processes.
    """

    def __init__(
        self, arch: str | Path | Card = "ae7100", engine: Engine = "native", store: ObjectStore | None = None
    ) -> None:
        """Raises ArchError for a bad architecture and LaunchError for an unknown engine."""
        if engine not in ENGINES:
            raise LaunchError(f"engine {engine!r} is not known; there are {', '.join(ENGINES)}")
        super().__init__(arch)
        self.engine_name = engine
        self.lifted_engine: Engine = engine
        self.store = store

    def launch(
        self,
        kernel: Kernel,
        grid: Sequence[int] = (1, 1, 1),
        block: Sequence[int] = (1, 1, 1),
        params: Sequence[int] = (),
        tail: Sequence[int] | None = None,
    ) -> LaunchReport:
        """Run a kernel to its end: arguments and errors as `Device.launch`."""
        launch = prepare(self.card, kernel, grid, block, params, tail)
        bank = self._start(launch)
        self.samples.reset()
        before = Scratch.of(self.memory)
        ahead = look_ahead(self.card, self.memory, launch, bank)
        samples = self.samples if ahead.watched != frozenset() else None
        engine = self.lifted_engine
        ran = run_lifted(self.card, self.memory, launch, bank, engine, ahead, samples=samples, store=self.store)
        if ahead.items is not None:
            self.timed = Timed(self.card, launch, ahead.items, self.samples)
        else:
            after = before.exchange(self.memory)
            self.timed = walk(self.card, self.memory, launch, bank, ran.loaded, self.samples)
            after.exchange(self.memory)
        result = report(self.timed, self.engine_name)
        if result.columns != ran.columns:
            counts = f"{result.columns} columns walked, {ran.columns} executed"
            raise MachineError(f"kernel {kernel.name}: the timing walk and lifted code disagree ({counts}); a bug")
        return result
