"""A grid as one row of blocks: a rewriting of kernel IR, for kernels all of whose blocks must be one block of the card.

Blocks are merged along x only. The kernel is told where its block lies in the grid that it asks for, which is known.
"""

from __future__ import annotations

from openrpp.kir.build import Builder
from openrpp.kir.ir import Block, Kernel, Module, Value, constant
from openrpp.kir.ops.threads import AXES, Triple
from openrpp.kir.passes.copying import clone_kernel
from openrpp.kir.types import I32


def in_a_row(module: Module, name: str, grid: Triple) -> Module:
    """A module with a kernel that does in a grid of (blocks, 1, 1) what it did in a grid of these extents."""
    made = Module(module.name)
    made.globals = dict(module.globals)
    kernel = made.add_kernel(clone_kernel(module.kernels[name]))
    replaced: dict[Value, Value] = {}
    for block in kernel.blocks:
        _rewrite(kernel, block, grid, replaced)
    kernel.substitute(replaced)
    return made


def _rewrite(kernel: Kernel, block: Block, grid: Triple, replaced: dict[Value, Value]) -> None:
    body, block.body = block.body, []
    b = Builder(kernel, block)
    for instr in body:
        b.location = instr.location
        axis = AXES.index(str(instr.attr("axis"))) if instr.op.name in ("ctaid", "nctaid") else 0
        if instr.op.name == "nctaid":
            replaced[instr] = constant(I32, grid[axis])
        elif instr.op.name == "ctaid":
            replaced[instr] = _index(b, axis, grid)
        else:
            b.append(instr)


def _index(b: Builder, axis: int, grid: Triple) -> Value:
    """Which block this is along an axis, from its number."""
    number: Value = b("ctaid", axis="x")
    before = 1
    for extent in grid[:axis]:
        before *= extent
    if before > 1:
        number = b("udiv", number, before)
    return number if axis == len(grid) - 1 else b("urem", number, grid[axis])
