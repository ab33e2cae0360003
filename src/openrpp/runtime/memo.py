"""Card times that are known already, so that a launch is walked once and not once per layer, token or replay.

A walk without data asks for the program, its shapes and its scalar arguments. Of an address it asks less: every access
takes the port passes that its lanes' distances give, wherever its buffer begins. So two launches take the same time if
they differ only in where buffers lie, unless the kernel looks at an address as a number. Kept of an address are its
memory, its place within 512 bytes (the alignment of buffers, a multiple of all banks and lines), and whether it is that
of an earlier argument.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable, Sequence
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Final

from openrpp.arch import Card as Arch
from openrpp.arch import fingerprint
from openrpp.kir.ir import Constant, Instr, Kernel, Parameter
from openrpp.runtime.card_time import CardTime
from openrpp.runtime.engines import Call

if TYPE_CHECKING:
    from openrpp.runtime.card import Card

_MOST: Final = 1 << 16
_GRAIN: Final = 512


class TimeMemo:
    """Card times of launches on one card; the oldest are forgotten."""

    def __init__(self, arch: Arch) -> None:
        self._arch = arch
        self._known: OrderedDict[Hashable, CardTime] = OrderedDict()

    @cached_property
    def figures(self) -> str:
        """A digest of the card's figures."""
        return fingerprint(self._arch)

    def find(self, key: Hashable) -> CardTime | None:
        """What is known."""
        return self._known.get(key)

    def note(self, key: Hashable, taken: CardTime) -> CardTime:
        """Remember a time."""
        self._known[key] = taken
        if len(self._known) > _MOST:
            self._known.popitem(last=False)
        return taken


def key_of(card: Card, call: Call, effort: int | None) -> tuple[Hashable, ...]:
    """All that the card time of a launch depends on, the module first; `effort` as `foreseen_time` takes it."""
    kernel = call.module.kernels[call.symbol]
    values = tuple(call.values) if looks_at_addresses(kernel) else _values(card, kernel, call.values)
    room = tuple(card.pools["sram"].gaps)  # which decides how many blocks are merged, and where scratch lies
    variables = tuple(call.variables.values())
    return (call.module, call.symbol, call.grid, call.block, values, variables, call.shared_bytes, effort, room)


def _values(card: Card, kernel: Kernel, values: Sequence[object]) -> tuple[object, ...]:
    memory, found, seen = card.device.memory, list[object](), dict[object, int]()
    for param, value in zip(kernel.params, values, strict=True):
        if not param.type.is_pointer or not isinstance(value, int) or not value:
            found.append((type(value), value))
            continue
        name = next((region.name for region in (memory.sram, memory.ddr) if region.base <= value < region.end), value)
        first = seen.setdefault(value, len(seen))
        found.append((name, value % _GRAIN, first))
    return tuple(found)


@lru_cache(maxsize=4096)
def looks_at_addresses(kernel: Kernel) -> bool:
    """Whether a kernel compares addresses with each other, or makes numbers of them. Null is known from the key."""
    return any(instr.op.name == "ptrtoint" or _compares(instr) for instr in kernel.instructions())


def _compares(instr: Instr) -> bool:
    if instr.op.name != "icmp" or not instr.operands[0].type.is_pointer:
        return False
    return not any(isinstance(operand, Parameter) for operand in instr.operands) or not any(
        isinstance(operand, Constant) and not operand.bits for operand in instr.operands
    )
