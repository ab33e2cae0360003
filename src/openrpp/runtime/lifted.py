"""Kernels whose control depends on data, timed at the host's speed: their machine code is lifted and runs natively.

It leaves memory as the kernel does, and tells what the program learned from data, which is what the walk needs.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from openrpp.codegen.lift import LiftedDevice
from openrpp.machine.faults import Fault
from openrpp.machine.items import WalkError
from openrpp.machine.report import LaunchReport
from openrpp.runtime.card_time import CardTime
from openrpp.runtime.engines import Call, Ran
from openrpp.runtime.machine_code import loaded, located, parts, refuse_staging, told

if TYPE_CHECKING:
    from openrpp.runtime.card import Card

_devices: WeakKeyDictionary[Card, LiftedDevice] = WeakKeyDictionary()


def run_lifted_code(card: Card, call: Call) -> Ran:
    """Run a launch as lifted machine code, with card time.

    Raises CodegenError for what cannot be compiled or lifted, LaunchError where memory or the card do not suffice, and
    KernelFault.
    """
    refuse_staging(card, call)
    device = _device(card, call)
    with loaded(card, call) as found:
        begun, launches, reason = time.perf_counter(), list[LaunchReport](), ""
        for part in parts(card, call, found):
            try:
                launches.append(device.launch(found.program.machine, part.grid, found.block, part.params))
            except Fault as fault:
                raise located(fault, call, found.program) from None
            except WalkError as error:  # it has run, but its walk is too long
                reason = f"not known: {error}"
        seconds = time.perf_counter() - begun
        said = told(card, call, found)
        taken = CardTime(() if reason else tuple(launches), reason, merge=found.merge, notes=found.notes)
        return Ran(said.output, said.dropped, seconds, taken)


def _device(card: Card, call: Call) -> LiftedDevice:
    """A device that works on the card's memory."""
    if card not in _devices:
        device = LiftedDevice(card.arch, "native", call.store)
        device.memory = card.device.memory
        _devices[card] = device
    return _devices[card]
