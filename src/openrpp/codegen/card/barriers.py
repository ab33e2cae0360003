"""Barriers with results where a vote of the card does not give them: a count in shared memory.

The card votes over all lanes of its block. Where several CUDA blocks share one, or where lanes come to a barrier one
group after another (the plain back end), each block counts in a word of its own.
"""

from __future__ import annotations

from typing import Final

from openrpp.kir.build import Builder
from openrpp.kir.ir import Block, Global, Instr, Kernel, Module, Value, constant
from openrpp.kir.passes.copying import clone_kernel
from openrpp.kir.types import I32, PTR_SHARED, Space

ASKING: Final = ("barrier_count", "barrier_and", "barrier_or")
"""Barriers with a result."""
_COUNT: Final = "rpp.count"


def asks(kernel: Kernel) -> bool:
    """Whether a kernel has barriers with results."""
    return any(instr.op.name in ASKING for instr in kernel.instructions())


def counted(module: Module, name: str) -> Module:
    """A module with a kernel whose barriers have no results; the same module if that is so already."""
    if not asks(module.kernels[name]):
        return module
    made = Module(module.name)
    made.globals = dict(module.globals)
    made.add_global(Global(_COUNT, Space.SHARED, 4, 4))
    kernel = made.add_kernel(clone_kernel(module.kernels[name]))
    replaced: dict[Value, Value] = {}
    for block in kernel.blocks:
        _rewrite(kernel, block, replaced)
    kernel.substitute(replaced)
    return made


def _rewrite(kernel: Kernel, block: Block, replaced: dict[Value, Value]) -> None:
    body, block.body = block.body, []
    b = Builder(kernel, block)
    for instr in body:
        b.location = instr.location
        if instr.op.name in ASKING:
            replaced[instr] = _asked(b, instr)
        else:
            b.append(instr)


def _asked(b: Builder, instr: Instr) -> Value:
    """All set the count to zero, those with the predicate (without it, for `and`) add to it, all read it."""
    place = b("global_addr", symbol=_COUNT, kind=PTR_SHARED)
    condition = instr.operands[0]
    counts = b("xor", condition, 1) if instr.op.name == "barrier_and" else condition
    b("barrier")
    b("store", constant(I32, 0), place)
    b("barrier")
    b("atomic_add", place, b("zext", counts, kind=I32), kind=I32)
    b("barrier")
    found = b("load", place, kind=I32)
    if instr.op.name == "barrier_count":
        return found
    return b("icmp", found, 0, pred="eq" if instr.op.name == "barrier_and" else "ne")
