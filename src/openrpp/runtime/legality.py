"""Which launches of kernel IR are legal: CUDA's limits for the grid, the card's for the block."""

from __future__ import annotations

import numbers
from collections.abc import Sequence
from typing import Final

from openrpp.arch import Card as Arch
from openrpp.kir.ir import Kernel, Module
from openrpp.kir.layout import shared_layout
from openrpp.machine.faults import LaunchError
from openrpp.machine.launch import Triple, triple

GRID_X: Final = (1 << 31) - 1
"""Most blocks along x, as CUDA has it; where the card's own launches are shorter, a launch takes several of them."""


def checked_shape(
    arch: Arch, name: str, kernel: Kernel, grid: int | Sequence[int], block: int | Sequence[int]
) -> tuple[Triple, Triple]:
    """(grid, block) with all three axes. Raises LaunchError with the limit that a shape breaks."""
    grid3, block3 = _axes(name, "grid", grid), _axes(name, "block", block)
    most = (GRID_X, arch.limits.grid.value, arch.limits.grid.value)
    for axis, extent, limit in zip("xyz", grid3, most, strict=True):
        if not 1 <= extent <= limit:
            raise LaunchError(f"kernel {name}: grid {grid3}: axis {axis} must be 1 to {limit}")
    threads = block3[0] * block3[1] * block3[2]
    limits = arch.limits
    if min(block3) < 1 or threads > limits.threads.value:
        most_warps = f"{limits.threads.value} ({limits.warps.value} warps of {limits.warp.value})"
        raise LaunchError(f"kernel {name}: block {block3} has {threads} threads; a block has 1 to {most_warps}")
    if kernel.max_threads and threads > kernel.max_threads:
        raise LaunchError(
            f"kernel {name}: block {block3} has {threads} threads; its launch bounds allow {kernel.max_threads}"
        )
    return grid3, block3


def check_shared(arch: Arch, name: str, module: Module, kernel: Kernel, dynamic: object) -> None:
    """Raises LaunchError for dynamic shared memory that is no size, or does not fit the card beside the static one."""
    given = -1 if isinstance(dynamic, bool) or not isinstance(dynamic, numbers.Integral) else int(dynamic)
    if given < 0:
        raise LaunchError(f"kernel {name}: shared memory of {dynamic!r} bytes; pass a whole number from 0 up")
    static, most = shared_layout(module, kernel).size, arch.sram.plannable.value
    if static + given > most:
        raise LaunchError(
            f"kernel {name}: {static} bytes of shared memory and {given} dynamic ones do not fit the card's {most}"
        )


def _axes(name: str, what: str, given: int | Sequence[int]) -> Triple:
    try:
        return triple(given, what)
    except LaunchError as error:
        raise LaunchError(f"kernel {name}: {error}") from None
