"""Launches on a card: regions become buffers, launches become operations of a stream or a graph."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from openrpp.kernels import library
from openrpp.kernels.launch import Argument, At, Launch, Region, Variable
from openrpp.runtime.buffer import Buffer
from openrpp.runtime.card import Card
from openrpp.runtime.program import Program, ProgramReport
from openrpp.runtime.stream import Stream


class Placed:
    """Regions on a card, each in a buffer of its own, for tests and benchmarks that need no memory plan."""

    def __init__(self, card: Card) -> None:
        self.card = card
        self._buffers: dict[Region, Buffer] = {}
        self._programs: dict[str, Program] = {}

    def buffer(self, region: Region) -> Buffer:
        """The region's buffer, made when it is first asked for. Raises OutOfMemory."""
        found = self._buffers.get(region)
        if found is None:
            found = self._buffers[region] = self.card.empty(region.bytes, np.uint8, region.memory)
        return found

    def write(self, region: Region, content: NDArray[Any], offset: int = 0) -> None:
        """Put bytes into a region; takes no card time."""
        self.card.device.write(self.buffer(region).address + offset, content)

    def read(self, region: Region, dtype: Any) -> NDArray[Any]:
        """A region's content as a flat array; takes no card time."""
        count = region.bytes // np.dtype(dtype).itemsize
        return self.card.device.read(self.buffer(region).address, count, dtype)

    def run(self, launches: Iterable[Launch], stream: Stream | None = None) -> list[ProgramReport | None]:
        """Launch one after the other; their reports, None for each while the stream is captured."""
        return [self._run(launch, stream) for launch in launches]

    def _run(self, launch: Launch, stream: Stream | None) -> ProgramReport | None:
        name = launch.kernel
        if name not in self._programs:
            self._programs[name] = self.card.program(library.kernel(name))
        values = self._values(launch.arguments)
        kernel = self._programs[name][name.partition("/")[2]]
        return kernel(launch.grid, launch.block, *values, shared_bytes=launch.shared_bytes, stream=stream)

    def _values(self, arguments: Sequence[Argument]) -> list[int | float | None]:
        return [self._value(item) for item in arguments]

    def _value(self, item: Argument) -> int | float | None:
        match item:
            case At(region, offset):
                return self.buffer(region).address + offset
            case Variable():
                return item.value
            case _:
                return item
