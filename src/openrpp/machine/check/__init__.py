"""Checks that a launch runs under on request: `Device(check=["tokens", "order", "undefined"])`.

- `tokens`: every live register is forwarded, read or TERMed in every column (specification 4.2); also `strict=True`.
- `order`: no load sees another warp's store, and nothing touches memory that a DMA is moving, without waiting between.
- `undefined`: no undefined value reaches a store, an address or a branch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from openrpp.machine.check.ordering import Ordering
from openrpp.machine.check.tokens import Tokens
from openrpp.machine.check.undefined import Undefined
from openrpp.machine.faults import LaunchError
from openrpp.machine.memory import Memory
from openrpp.machine.observe import Observer

CHECKS: dict[str, Callable[[Memory], Observer]] = {
    "tokens": Tokens,
    "order": Ordering,
    "undefined": Undefined,
}


def observers(memory: Memory, names: Iterable[str]) -> tuple[Observer, ...]:
    """One observer per named check, in the order of `CHECKS`. Raises LaunchError for a name that is none."""
    wanted = set(names)
    for name in sorted(wanted):
        if name not in CHECKS:
            raise LaunchError(f"check {name!r} is not known; there are {', '.join(CHECKS)}")
    return tuple(make(memory) for name, make in CHECKS.items() if name in wanted)


__all__ = ["CHECKS", "observers"]
