"""Block merging: how many CUDA blocks along x run as one block of the card.

A block of 256 threads is 8 warps; a round of the ring costs as much as many more. Up to floor(255 / warps) blocks share
one: blockIdx.x becomes a value per lane, shared memory is sliced, a barrier of one is a barrier of all. The result of a
kernel does not depend on it, so it is a property of the kernel that analyses and back ends read.
"""

from __future__ import annotations

from openrpp.kir.errors import KirError
from openrpp.kir.ir import Kernel, Module
from openrpp.kir.ops.threads import WARP
from openrpp.kir.passes.manager import Pass

MAX_WARPS = 255


def most_blocks(threads: int) -> int:
    """How many blocks of so many threads fit a block of the card; 0 if not even one does."""
    return MAX_WARPS // -(-threads // WARP)


def merge_blocks(count: int) -> Pass:
    """A pass that lets `count` blocks along x run as one.

    It raises KirError for a kernel with a grid barrier, whose blocks all have to be resident.
    """

    def merge(kernel: Kernel, module: Module) -> bool:
        if count > 1 and any(instr.op.name == "grid_barrier" for instr in kernel.instructions()):
            raise KirError("a kernel with a grid barrier cannot have its blocks merged", kernel.name, kernel.location)
        changed = kernel.merge != count
        kernel.merge = count
        return changed

    return merge
