"""Checks of a launch of kernel IR: the interpreter runs it on the card's memory and watches every access."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from typing import TYPE_CHECKING

from openrpp.kir import check
from openrpp.kir.check import Allocation, Progress, Report
from openrpp.kir.errors import KirError
from openrpp.machine.faults import LaunchError
from openrpp.runtime.buffer import Buffer
from openrpp.runtime.interpreter import CardMemory

if TYPE_CHECKING:
    from openrpp.runtime.card import Card
    from openrpp.runtime.engines import Call


def parse_checks(text: str) -> tuple[str, ...]:
    """Names of checks, "all" for all of them. Raises LaunchError."""
    try:
        return check.parse(text)
    except KirError as error:
        raise LaunchError(error.sentence) from None


def checked(
    card: Card,
    call: Call,
    args: Sequence[object],
    checks: Sequence[str],
    unwritten: Collection[Buffer] = (),
    progress: Callable[[Progress], None] | None = None,
) -> Report:
    """Run a call under checks; `unwritten` buffers hold nothing yet. Raises LaunchError."""
    memory = CardMemory(card, call.variables)
    names = {param.name: arg for param, arg in zip(call.module.kernels[call.symbol].params, args, strict=True)}
    try:
        return check.run(
            call.module,
            call.symbol,
            call.grid,
            call.block,
            list(call.values),
            memory=memory,
            allocations=list(_allocations(card, call, names, unwritten)),
            checks=tuple(checks),
            shared_bytes=call.shared_bytes,
            label=call.name,
            progress=progress,
        )
    except KirError as error:
        raise LaunchError(error.sentence) from None


def _allocations(
    card: Card, call: Call, names: dict[str, object], unwritten: Collection[Buffer]
) -> Iterable[Allocation]:
    """All buffers that are alive, called after the argument that points to them; variables are known already."""
    fresh = {buffer.address for buffer in unwritten}
    variables = set(call.variables.values())
    called = {arg.address: f"argument '{name}'" for name, arg in names.items() if isinstance(arg, Buffer)}
    for address, size in card.allocations().items():
        if address in variables:
            continue
        inside = [name for start, name in called.items() if address <= start < address + size]
        written = check.unwritten(size) if address in fresh else None
        yield Allocation(inside[0] if inside else f"a buffer at {address:#x}", address, size, written)
