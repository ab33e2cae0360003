"""How many CUDA blocks run as one block of the card.

A round of the ring takes max(warps, columns x stage latency) cycles, so a block of few warps leaves most of the ring
idle. What is minimised is the number of blocks times that.
"""

from __future__ import annotations

from openrpp.arch import Card as Arch
from openrpp.kir.passes.merging import most_blocks
from openrpp.machine.banks import WARP
from openrpp.machine.launch import Triple

_WORTH = 1.2
"""Merged blocks need more columns, since blockIdx is a value per lane; less gain than this is none."""


def merges(arch: Arch, grid: Triple, block: Triple) -> list[int]:
    """Numbers of blocks along x to merge, the best first; 1 is the last."""
    threads = block[0] * block[1] * block[2]
    most = min(most_blocks(threads), grid[0])
    counts = {1 << bit for bit in range(most.bit_length())} | {most}
    alone = _rounds(arch, grid, threads, 1)
    worth = [count for count in counts - {1} if _rounds(arch, grid, threads, count) * _WORTH < alone]
    return [*sorted(worth, key=lambda count: (_rounds(arch, grid, threads, count), count)), 1]


def _rounds(arch: Arch, grid: Triple, threads: int, merge: int) -> float:
    """Cycles of all blocks for one round of columns."""
    warps = -(-threads * merge // WARP)
    full = arch.array.columns.value * arch.array.stage_latency.value
    return -(-grid[0] // merge) * grid[1] * grid[2] * max(warps, full)
