"""Device memory for tests, and running fuzz programs natively."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from openrpp.codegen import host
from openrpp.kir.fuzz.program import NAME, Program
from openrpp.kir.ir import Module
from openrpp.kir.types import Space

BASE = 0x1000_0000


class Arena:
    """A growing piece of device memory; arrays are copied in and out."""

    def __init__(self, size: int = 1 << 20) -> None:
        self.data = np.zeros(size, np.uint8)
        self.end = 0

    def place(self, content: NDArray[Any] | bytes) -> int:
        array = np.frombuffer(content, np.uint8) if isinstance(content, bytes) else content.view(np.uint8).reshape(-1)
        address = self.end
        self.data[address : address + array.size] = array
        self.end = -(-(address + array.size + 64) // 64) * 64
        return BASE + address

    def read(self, address: int, like: NDArray[Any]) -> NDArray[Any]:
        start = address - BASE
        return self.data[start : start + like.nbytes].view(like.dtype).reshape(like.shape)

    def symbols(self, module: Module) -> dict[str, int]:
        variables = [item for item in module.globals.values() if item.space is not Space.SHARED]
        return {item.name: self.place(item.data or bytes(item.size)) for item in variables}

    @property
    def memory(self) -> host.HostMemory:
        return host.HostMemory([(BASE, self.data)])


def run_native(made: Program, kernel: host.HostKernel, workers: int) -> tuple[NDArray[Any], NDArray[Any]]:
    """(out, cells) of a fuzz program."""
    arena, given, args = Arena(), made.arguments(), list[Any]()
    symbols = arena.symbols(made.module)
    for item in given:
        args.append(arena.place(item) if isinstance(item, np.ndarray) else item)
    kernel.launch(made.grid, args, arena.memory, symbols=symbols, workers=workers)
    out, cells = given[1], given[2]
    assert isinstance(out, np.ndarray) and isinstance(cells, np.ndarray)
    return arena.read(args[1], out), arena.read(args[2], cells)


def compiled(made: Program, **how: Any) -> host.HostKernel:
    return host.compile(made.module, NAME, made.block, **how)
