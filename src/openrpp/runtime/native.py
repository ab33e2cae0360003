"""The native engine on a card's memory."""

from __future__ import annotations

import time
from functools import lru_cache
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from openrpp.codegen.errors import CodegenError, KernelStopped
from openrpp.codegen.host import HostKernel, HostMemory
from openrpp.codegen.host import compile as host_compile
from openrpp.kir.ir import Module
from openrpp.machine.launch import Triple
from openrpp.machine.memory import Memory
from openrpp.runtime.engines import Call, Ran
from openrpp.runtime.errors import KernelFault
from openrpp.storage import Cache

if TYPE_CHECKING:
    from openrpp.runtime.card import Card


@lru_cache(maxsize=1024)
def host_kernel(module: Module, symbol: str, block: Triple, store: Cache) -> HostKernel:
    """A kernel compiled for this host, kept within the process. Raises CodegenError."""
    return host_compile(module, symbol, block, store=store)


def compiled(call: Call) -> HostKernel:
    """The kernel of a launch, compiled. Raises CodegenError that calls it as the source does."""
    try:
        return host_kernel(call.module, call.symbol, call.block, call.store)
    except CodegenError as error:
        raise type(error)(error.sentence, call.name if error.kernel else "", error.location) from None


_memories: WeakKeyDictionary[Memory, dict[bool, HostMemory]] = WeakKeyDictionary()


def host_memory(card: Card) -> HostMemory:
    """The card's memory, always the same object while SRAM is in use, or is not.

    Code that tells two memories apart is slower.
    """
    memory, both = card.device.memory, bool(card.memory_info("sram").used)
    known = _memories.setdefault(memory, {})
    if both not in known:
        regions = [memory.ddr, memory.sram] if both else [memory.ddr]
        known[both] = HostMemory([(region.base, region.data) for region in regions])
    return known[both]


def run_native(card: Card, call: Call) -> Ran:
    """Run on the cores of this host. A KeyboardInterrupt ends the kernel."""
    kernel = compiled(call)
    begun = time.perf_counter()
    try:
        done = kernel.launch(
            call.grid,
            call.values,
            host_memory(card),
            symbols=call.variables,
            shared_bytes=call.shared_bytes,
            workers=card.workers,
        )
    except KernelStopped as error:
        place = str(error.location) if error.location else ""
        raise KernelFault(call.name, error.sentence, place, error.output) from None
    return Ran(done.text, done.dropped, time.perf_counter() - begun)
