"""The small public level for tools: a card with memory that runs kernels."""

from __future__ import annotations

import numbers
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from openrpp.arch import Card, load
from openrpp.isa.assembler import assemble_file
from openrpp.isa.objects import read_object
from openrpp.isa.program import Kernel, Parameter, from_words
from openrpp.machine.check import observers
from openrpp.machine.faults import LaunchError, MachineError
from openrpp.machine.launch import Launch, Scratch, prepare, write_parameters
from openrpp.machine.memory import Memory, as_bytes, number_type
from openrpp.machine.observe import Observer
from openrpp.machine.reference import Order, Reference
from openrpp.machine.report import LaunchReport
from openrpp.machine.sample import PassSamples
from openrpp.machine.timing import Timed, foreseen, report, walk
from openrpp.machine.walk import WalkError

ENGINES = ("reference",)


class Device:
    """A virtual card at the level of addresses and words.

    Args:
        arch: a preset's name, an architecture file, or a loaded card.
        engine: `reference` (NumPy, the definition).
        strict: check the token rules of specification 4.2 on every column.
        order: order of execution inside a block, see `openrpp.machine.reference`.
        seed: of the random orders.
        check: more checks, any of "tokens", "order", "undefined" (see `openrpp.machine.check`).
        max_words: words that one launch may execute before it counts as a runaway loop.

    Raises ArchError for a bad architecture and LaunchError for unknown settings.
    """

    def __init__(
        self,
        arch: str | Path | Card = "ae7100",
        engine: str = "reference",
        strict: bool = False,
        *,
        order: Order = "column",
        seed: int = 0,
        check: Iterable[str] = (),
        max_words: int = 1 << 28,
    ) -> None:
        if engine not in ENGINES:
            raise LaunchError(f"engine {engine!r} is not known; there is {', '.join(ENGINES)}")
        self.engine_name = engine
        self.card = arch if isinstance(arch, Card) else load(arch)
        self.memory = Memory(self.card)
        names = {check} if isinstance(check, str) else set(check)
        self.observers = _observers(self.memory, names | ({"tokens"} if strict else set[str]()))
        self.engine = Reference(self.card, self.memory, order, seed, max_words, self.observers)
        self.samples = PassSamples(self.card, self.engine.datapath)
        self.engine.observers = (*self.observers, self.samples)
        self.launches = 0
        self.timed: Timed | None = None  # the last launch, for traces

    def write(self, address: int, array: NDArray[Any]) -> None:
        """Copy an array of any dtype and shape to a device address. Raises LaunchError for what does not fit."""
        data = as_bytes(array)
        self.memory.view(int(address), data.size)[:] = data
        for observer in self.observers:
            observer.host_write(int(address), data.size)

    def read(self, address: int, count: int, dtype: Any) -> NDArray[Any]:
        """`count` elements at a device address as a new one-dimensional array. Raises LaunchError outside memory."""
        kind = number_type(np.dtype(dtype))
        if not isinstance(count, numbers.Integral) or count < 0:
            raise LaunchError(f"cannot read {count} elements; pass a whole number from 0 up")
        return self.memory.view(int(address), count * kind.itemsize).copy().view(kind)

    def fram_write(self, offset: int, nbytes: int, value: int) -> None:
        """Write a little-endian number to the same offset of every FRAM bank, as a host passes run-time words."""
        _check_fram(self.memory, offset, nbytes)
        if not -(1 << (8 * nbytes - 1)) <= value < 1 << 8 * nbytes:
            raise LaunchError(f"{value} does not fit {nbytes} bytes")
        raw = (int(value) & ((1 << 8 * nbytes) - 1)).to_bytes(nbytes, "little")
        for bank in self.memory.fram:
            bank.data[offset : offset + nbytes] = np.frombuffer(raw, np.uint8)
            for observer in self.observers:
                observer.host_write(bank.base + offset, nbytes)

    def fram_read(self, offset: int, nbytes: int) -> int:
        """The little-endian number at an offset of the FRAM bank that the last launch used."""
        _check_fram(self.memory, offset, nbytes)
        bank = self.memory.fram[self._bank(max(self.launches - 1, 0))]
        return int.from_bytes(bank.data[offset : offset + nbytes].tobytes(), "little")

    def _bank(self, launch: int) -> int:
        alternate = self.card.choices.fram_banks.value == "alternate"
        return launch % len(self.memory.fram) if alternate else 0

    def launch(
        self,
        kernel: Kernel,
        grid: Sequence[int] = (1, 1, 1),
        block: Sequence[int] = (1, 1, 1),
        params: Sequence[int] = (),
        tail: Sequence[int] | None = None,
    ) -> LaunchReport:
        """Run a kernel to its end.

        Args:
            kernel: from `load_text`, `load_image` or `load_object`.
            grid: blocks along x, y, z.
            block: threads along x, y, z; at most 8160 in all.
            params: 32-bit patterns, one per declared parameter.
            tail: shape of the last blocks, which kernels read as shadow dimensions; `block` by default.

        Raises LaunchError before anything runs, Fault when the kernel is stopped.
        """
        launch = prepare(self.card, kernel, grid, block, params, tail)
        bank = self._start(launch)
        self.samples.reset()
        before = Scratch.of(self.memory)
        outcome = self.engine.run(launch, bank)
        after = before.exchange(self.memory)
        timed = walk(self.card, self.memory, launch, bank, tuple(outcome.loaded), self.samples)
        after.exchange(self.memory)
        self.timed = timed
        result = report(timed, self.engine_name)
        if result.columns != outcome.columns:
            counts = f"{result.columns} columns walked, {outcome.columns} executed"
            raise MachineError(
                f"kernel {kernel.name}: the timing walk and the engine disagree ({counts}); this is a bug"
            )
        return result

    def time(
        self,
        kernel: Kernel,
        grid: Sequence[int] = (1, 1, 1),
        block: Sequence[int] = (1, 1, 1),
        params: Sequence[int] = (),
        tail: Sequence[int] | None = None,
        apart: Sequence[tuple[int, int]] = (),
        effort: int | None = None,
    ) -> LaunchReport:
        """Card time of a launch without running it: arguments and errors as `launch`; memory is not touched.

        Columns and trip counts are exact; votes and addresses that depend on no data are worked out. Gathers at
        data-dependent addresses count as free of bank conflicts; a program whose control depends on data raises
        LaunchError. `apart` are SRAM ranges (start, end) that hold parameters, or scratch for spilled values; `effort`
        limits the columns that are carried out for votes.
        """
        return report(self.walk(kernel, grid, block, params, tail, apart, effort))

    def walk(
        self,
        kernel: Kernel,
        grid: Sequence[int] = (1, 1, 1),
        block: Sequence[int] = (1, 1, 1),
        params: Sequence[int] = (),
        tail: Sequence[int] | None = None,
        apart: Sequence[tuple[int, int]] = (),
        effort: int | None = None,
    ) -> Timed:
        """The walked program of a launch that is not run, for reports and traces (`openrpp.machine.timing`)."""
        launch = prepare(self.card, kernel, grid, block, params, tail)
        bank = self._bank(self.launches)
        kept = Scratch.of(self.memory)
        write_parameters(self.memory, launch, bank)
        try:
            return foreseen(self.card, self.memory, launch, bank, apart, effort)
        except WalkError as error:
            raise LaunchError(f"kernel {kernel.name} cannot be timed without running it: {error}") from None
        finally:
            kept.exchange(self.memory)

    def _start(self, launch: Launch) -> int:
        bank = self._bank(self.launches)
        self.launches += 1
        write_parameters(self.memory, launch, bank)
        return bank


def _check_fram(memory: Memory, offset: int, nbytes: int) -> None:
    size = memory.fram[0].data.size
    if nbytes < 1 or offset < 0 or offset + nbytes > size:
        raise LaunchError(f"{nbytes} bytes at {offset:#x} are not in parameter memory (0 to {size - 1:#x})")


def _observers(memory: Memory, checks: set[str]) -> tuple[Observer, ...]:
    return observers(memory, checks)


def load_text(path: str | Path, forward: bool | None = None) -> Kernel:
    """Assemble a file; the kernel is named after it. Raises AssemblyError or OSError."""
    return assemble_file(path, forward=forward)


def load_image(
    words: Sequence[int], params: Iterable[tuple[str, str] | str | Parameter] = (), name: str = "kernel"
) -> Kernel:
    """A kernel from machine words and (name, type) parameters. Raises ValueError."""
    return from_words(words, params, name)


def load_object(path: str | Path) -> dict[str, Kernel]:
    """All kernels of an object file by name. Raises ObjectError."""
    return read_object(path)
