"""Engines that carry kernel IR out on a card's memory.

All work on the card's own DDR and SRAM, so that what one engine or an RPP program writes, the other reads.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from openrpp.kir.ir import Module
from openrpp.machine.faults import LaunchError
from openrpp.machine.launch import Triple
from openrpp.runtime.card_time import CardTime
from openrpp.runtime.values import Packed
from openrpp.storage import Cache

if TYPE_CHECKING:
    from openrpp.runtime.card import Card

ENGINES: Final = ("reference", "native", "interpreter")
"""What `Card` takes. `reference` compiles kernel IR to machine code and runs that as the machine is defined, `native`
compiles it for the host, `interpreter` runs it thread by thread: the definition of kernel IR."""


@dataclass(frozen=True)
class Call:
    """A checked launch: kernel `symbol` of a module, called `name` in messages.

    `variables` are the addresses of the module's variables, `shared_bytes` is the dynamic shared memory,
    `store` keeps compiled code between processes.
    """

    module: Module
    symbol: str
    name: str
    grid: Triple
    block: Triple
    values: Sequence[Packed]
    variables: Mapping[str, int]
    shared_bytes: int
    store: Cache


class Ran(NamedTuple):
    """What a launch leaves besides memory.

    Printf output, how many printf calls found no room, seconds of host time; card time where the engine learns it.
    """

    output: str
    dropped: int
    seconds: float
    taken: CardTime | None = None


class Engine(Protocol):
    """Runs a kernel to its end. Raises KernelFault."""

    def __call__(self, card: Card, call: Call) -> Ran:
        """Run on the card's memory."""
        ...


def engine_named(name: str) -> Engine:
    """An engine. Raises LaunchError."""
    match name:
        case "native":
            from openrpp.runtime.native import run_native

            return run_native
        case "reference":
            from openrpp.runtime.machine_code import run_machine_code

            return run_machine_code
        case "interpreter":
            from openrpp.runtime.interpreter import run_interpreted

            return run_interpreted
        case _:
            raise unknown_engine(name)


def check_engine(name: str) -> None:
    """Raises LaunchError for an engine that is not known."""
    if name not in ENGINES:
        raise unknown_engine(name)


def unknown_engine(name: str) -> LaunchError:
    """The error for an engine that is not known."""
    return LaunchError(f"engine {name!r} is not known; there are {', '.join(ENGINES)}")
