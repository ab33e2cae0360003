"""A launch on the interpreter and, with the same memory, on the native engine: both must leave the same."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from openrpp.codegen import host
from openrpp.codegen.host.geometry import Triple
from openrpp.kir.interp import Memory, Result, launch
from openrpp.kir.interp.memory import BASE, Allocation
from openrpp.kir.ir import Module

_TOPS = {2: (0x7C00, 0x7F80), 4: (0x7F80_0000,), 8: (0x7FF0_0000_0000_0000,)}


def triple(given: Any) -> Triple:
    x, y, z = (*((given,) if isinstance(given, int) else given), 1, 1)[:3]
    return x, y, z


def _image(memory: Memory) -> NDArray[np.uint8]:
    """All device memory, from BASE on."""
    found = np.zeros(memory._end - BASE, np.uint8)  # pyright: ignore[reportPrivateUsage]
    for item in memory._allocations:  # pyright: ignore[reportPrivateUsage]
        found[item.base - BASE : item.base - BASE + len(item.data)] = np.frombuffer(item.data, np.uint8)
    return found


def _latest(memory: Memory) -> list[Allocation]:
    """Allocations without those of arrays that were bound again later."""
    found: dict[int, Allocation] = {}
    for item in memory._allocations:  # pyright: ignore[reportPrivateUsage]
        found[np.frombuffer(item.data, np.uint8).ctypes.data if len(item.data) else -item.base] = item
    return list(found.values())


def differences(mine: NDArray[np.uint8], theirs: NDArray[np.uint8], width: int) -> NDArray[np.intp]:
    """Places of `width` bytes that differ; two NaNs do not."""
    size = mine.size // width * width
    a, b = (item[:size].view(f"u{width}") for item in (mine, theirs))
    same = a == b
    for top in _TOPS.get(width, ()):
        mask = a.dtype.type((1 << (8 * width - 1)) - 1)
        same |= ((a & mask) > top) & ((b & mask) > top)
    return np.flatnonzero(~same)


def launch_twice(
    module: Module, name: str, grid: Any, block: Any, args: Sequence[Any], *, workers: int = 2, **more: Any
) -> Result:
    """Run a kernel on both engines and compare all device memory and the output; arrays get the new content."""
    memory = more.pop("memory", None) or Memory()
    widths = {memory.bind(arg): arg.itemsize for arg in args if isinstance(arg, np.ndarray)}
    addresses = iter(widths)
    placed = [next(addresses) if isinstance(arg, np.ndarray) else arg for arg in args]
    symbols = memory.load(module)
    image = _image(memory)
    result = launch(module, name, grid, block, placed, memory=memory, **more)
    kernel = host.compile(module, name, triple(block))
    output = kernel.launch(
        triple(grid),
        placed,
        host.HostMemory([(BASE, image)]),
        symbols=symbols,
        shared_bytes=more.get("shared_bytes", 0),
        workers=workers,
    )
    wanted = _image(memory)
    for item in _latest(memory):
        part = slice(item.base - BASE, item.base - BASE + len(item.data))
        apart = differences(wanted[part], image[part], widths.get(item.base, 4))
        assert apart.size == 0, f"{name}: allocation at {item.base:#x} differs at {apart[:8]}"
    assert output.text == result.output
    return result
