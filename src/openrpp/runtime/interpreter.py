"""The scalar interpreter of kernel IR on a card's memory."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING

from openrpp.kir.interp import Memory, launch
from openrpp.kir.interp.faults import Fault
from openrpp.kir.ir import Module
from openrpp.runtime.engines import Call, Ran
from openrpp.runtime.errors import KernelFault

if TYPE_CHECKING:
    from openrpp.runtime.card import Card


class CardMemory(Memory):
    """The card's memory as the interpreter sees it; variables of the module lie where the card has put them."""

    def __init__(self, card: Card, variables: Mapping[str, int]) -> None:
        super().__init__()
        self._variables = dict(variables)
        for region in (card.device.memory.sram, card.device.memory.ddr):
            self.bind(region.data, region.name, base=region.base)

    def load(self, module: Module) -> dict[str, int]:
        """Addresses of the module's variables."""
        return self._variables

    def text(self, address: int) -> bytes:
        """The bytes up to the next NUL, found piece by piece since DDR is large."""
        found = bytearray()
        while (end := found.find(b"\0")) < 0:
            found += self.read(address + len(found), 64)
        return bytes(found[:end])


def run_interpreted(card: Card, call: Call) -> Ran:
    """Run on the scalar interpreter, whose results define those of every engine."""
    begun, memory = time.perf_counter(), CardMemory(card, call.variables)
    try:
        done = launch(
            call.module, call.symbol, call.grid, call.block, list(call.values), memory=memory,
            shared_bytes=call.shared_bytes,
        )  # fmt: skip
    except Fault as error:
        raise KernelFault(call.name, error.sentence, str(error.location) if error.location else "") from None
    return Ran(done.output, 0, time.perf_counter() - begun)
