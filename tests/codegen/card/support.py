"""Programs on a card: memory for a launch, and random kernels whose ops the card has."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from openrpp.codegen import card
from openrpp.codegen.card.prepare import prepared
from openrpp.codegen.card.program import Program
from openrpp.codegen.card.records import RECORDS, Told
from openrpp.kir.fuzz.program import NAME
from openrpp.kir.fuzz.program import Program as Fuzz
from openrpp.kir.ir import Module
from openrpp.kir.types import Space
from openrpp.machine import Device

Triple = tuple[int, int, int]
_DDR, _SRAM = 0x1000_1000, 0x0400_1000


class Board:
    """A device, and places for arrays and for what a program needs."""

    def __init__(self, card: str = "ae7100x", **how: Any) -> None:
        self.device = Device(card, **how)
        self._ddr, self._sram = _DDR, _SRAM
        self.told = Told("")  # of the last launch that leaves records

    def place(self, content: NDArray[Any] | bytes) -> int:
        """Copy bytes into DDR; their address."""
        data = np.frombuffer(content if isinstance(content, bytes) else content.tobytes(), np.uint8)
        address, self._ddr = self._ddr, -(-(self._ddr + data.size + 64) // 256) * 256
        self.device.write(address, data)
        return address

    def read(self, address: int, like: NDArray[Any]) -> NDArray[Any]:
        """An array as it is in DDR now."""
        return self.device.read(address, like.nbytes, np.uint8).view(like.dtype).reshape(like.shape)

    def symbols(self, module: Module) -> dict[str, int]:
        """Place the variables of a module."""
        variables = [item for item in module.globals.values() if item.space is not Space.SHARED]
        return {item.name: self.place(item.data or bytes(item.size)) for item in variables}

    def _reserve(self, size: int) -> int:
        address, self._sram = self._sram, -(-(self._sram + size + 512) // 512) * 512
        return address

    def launch(
        self, program: Program, grid: Triple, args: Sequence[Any], symbols: Mapping[str, int], dynamic: int = 0
    ) -> Any:
        """Run a program to its end; the report."""
        self._sram = _SRAM
        if program.records is not None:
            symbols = {**symbols, RECORDS: self.place(bytes(program.records.bytes))}
        area = program.area(grid, args, symbols, dynamic=dynamic)
        start = self._reserve(len(area))
        self.device.write(start, np.frombuffer(area, np.uint8))
        places = [self._reserve(program.planes_bytes), start]
        places += [self._reserve(program.shared_for(dynamic)), self._reserve(program.private_bytes)]
        x, y, z = program.block
        merge = program.kernel.merge
        words = [int(word) for word in np.frombuffer(area, np.uint32)[: program.places.direct]]
        report = self.device.launch(program.machine, program.blocks(grid), (x * y * z * merge, 1, 1), [*places, *words])
        if program.records is not None:
            content = self.device.read(symbols[RECORDS], program.records.bytes, np.uint8).tobytes()
            self.told = program.records.read(content, grid, program.block, self._text)
        return report

    def _text(self, address: int) -> bytes:
        return self.device.read(address, 256, np.uint8).tobytes().split(b"\0")[0]


def expanded(module: Module, merge: int = 1, target: str = "ae7100x") -> Module:
    """A copy of a module with nothing left that the card lacks."""
    made = Module(module.name)
    made.globals = dict(module.globals)
    for name in module.kernels:
        made.add_kernel(prepared(module, name, merge, target).kernels[name])
    return made


def run_fuzz(
    made: Fuzz, *, naive: bool, merge: int = 1, pairs: int | None = None, **how: Any
) -> tuple[NDArray[Any], NDArray[Any]]:
    """(out, cells) of a random program on the card."""
    board = Board(**how)
    program = card.compile(expanded(made.module, merge), NAME, made.block, naive=naive, pairs=pairs)
    given, args = made.arguments(), list[Any]()
    symbols = board.symbols(made.module)
    for item in given:
        args.append(board.place(item) if isinstance(item, np.ndarray) else item)
    board.launch(program, made.grid, args, symbols)
    out, cells = given[1], given[2]
    assert isinstance(out, np.ndarray) and isinstance(cells, np.ndarray)
    return board.read(args[1], out), board.read(args[2], cells)
