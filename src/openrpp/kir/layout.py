"""Where variables lie in shared and private memory: the same places for every engine."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from openrpp.kir.ir import Kernel, Module
from openrpp.kir.types import Space

DYNAMIC_ALIGN = 16
"""Least alignment of dynamic shared memory."""


@dataclass(frozen=True, slots=True)
class Layout:
    """Byte offset of each variable, and the size of all of them."""

    offsets: Mapping[str, int]
    size: int


def _packed(rows: Iterable[tuple[str, int, int]]) -> Layout:
    offsets: dict[str, int] = {}
    end = 0
    for name, size, align in rows:
        offsets[name] = -(-end // align) * align
        end = offsets[name] + size
    return Layout(offsets, end)


def symbols(kernel: Kernel) -> list[str]:
    """Names of the module's variables that a kernel addresses, in order of first use."""
    return list(dict.fromkeys(str(i.attr("symbol")) for i in kernel.instructions() if i.op.name == "global_addr"))


def shared_layout(module: Module, kernel: Kernel) -> Layout:
    """Static shared variables that the kernel uses, in module order; dynamic ones all start at the end.

    `size` is the static size, where dynamic shared memory begins.
    """
    used = set(symbols(kernel))
    shared = [item for item in module.globals.values() if item.space is Space.SHARED and item.name in used]
    static = _packed((item.name, item.size, item.align) for item in shared if not item.dynamic)
    dynamic = [item for item in shared if item.dynamic]
    if not dynamic:
        return static
    align = max(DYNAMIC_ALIGN, *(item.align for item in dynamic))
    start = -(-static.size // align) * align
    return Layout({**static.offsets, **{item.name: start for item in dynamic}}, start)


def private_layout(kernel: Kernel) -> Layout:
    """Variables of a thread, in order of declaration."""
    return _packed((item.name, item.size, item.align) for item in kernel.locals.values())
