"""Kernels of a file, ready to be launched."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from openrpp.isa.assembler import assemble_file
from openrpp.isa.objects import read_object
from openrpp.isa.program import Kernel, Parameter
from openrpp.isa.suggest import did_you_mean
from openrpp.machine.faults import LaunchError
from openrpp.machine.report import LaunchReport
from openrpp.runtime.arguments import Argument
from openrpp.runtime.operations import Extent, KernelOperation

if TYPE_CHECKING:
    from openrpp.runtime.card import Card
    from openrpp.runtime.stream import Stream


class Function:
    """A kernel on a card: `function(grid, block, *args)` launches it."""

    def __init__(self, card: Card, kernel: Kernel) -> None:
        self.card = card
        self.kernel = kernel

    @property
    def name(self) -> str:
        """The kernel's name."""
        return self.kernel.name

    @property
    def params(self) -> tuple[Parameter, ...]:
        """Declared parameters."""
        return self.kernel.params

    def __call__(
        self,
        grid: Extent,
        block: Extent,
        *args: Argument,
        stream: Stream | None = None,
        tail: Extent | None = None,
    ) -> LaunchReport | None:
        """Launch on a stream (the card's own by default).

        Args:
            grid: blocks along x, y, z; missing axes are 1.
            block: threads along x, y, z; at most 8160 in all.
            args: one per declared parameter: buffers (their address), whole numbers, floats (as float32 bits).
            stream: where to queue it.
            tail: shape of the last blocks, which kernels read as shadow dimensions; `block` by default.

        Returns the launch's report, or None while the stream is captured: nothing runs then.
        Raises LaunchError and BufferFreed before anything runs, Fault when the kernel is stopped.
        """
        target = stream or self.card.default_stream
        if target.card is not self.card:
            raise LaunchError(f"stream {target.name} belongs to another card than kernel {self.name}")
        return target.issue(KernelOperation(self.kernel, grid, block, list(args), tail))

    def __repr__(self) -> str:
        return f"Function({self.name}({', '.join(f'{param.type} {param.name}' for param in self.params)}))"


class Module(Mapping[str, Function]):
    """The kernels of a file by name. Made by `Card.module`."""

    def __init__(self, card: Card, kernels: Mapping[str, Kernel], label: str) -> None:
        self.label = label
        self.functions: dict[str, Function] = {name: Function(card, kernel) for name, kernel in kernels.items()}

    def __getitem__(self, name: str) -> Function:
        """The function of that name. Raises LaunchError with the names that there are."""
        try:
            return self.functions[name]
        except KeyError:
            hint = did_you_mean(name, self.functions) or f"; it has {', '.join(self.functions)}"
            raise LaunchError(f"{self.label} has no kernel {name}{hint}") from None

    def __contains__(self, name: object) -> bool:
        return name in self.functions

    def __iter__(self) -> Iterator[str]:
        return iter(self.functions)

    def __len__(self) -> int:
        return len(self.functions)

    def __repr__(self) -> str:
        return f"Module({self.label}: {', '.join(self.functions)})"


def kernels_of(source: str | Path | Kernel) -> tuple[dict[str, Kernel], str]:
    """(kernels by name, label): of an assembly file or an object file (told apart by its first bytes), or a kernel.

    Raises AssemblyError, ObjectError or OSError.
    """
    if isinstance(source, Kernel):
        return {source.name: source}, source.name
    path = Path(source)
    with path.open("rb") as file:
        is_object = file.read(4) == b"\x7fELF" or path.suffix == ".o"
    if is_object:
        return read_object(path), str(path)
    kernel = assemble_file(path)
    return {kernel.name: kernel}, str(path)
