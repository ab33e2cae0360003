"""A kernel made ready for the card: a copy in which nothing is left that the card lacks, and how it merges blocks."""

from __future__ import annotations

from openrpp.codegen.card.dots import DOT
from openrpp.codegen.errors import Unsupported
from openrpp.kir.errors import KirError
from openrpp.kir.ir import Constant, Instr, Kernel, Module, Value
from openrpp.kir.ops.threads import WARP
from openrpp.kir.passes import PassManager
from openrpp.kir.passes.copying import clone_kernel
from openrpp.kir.passes.expand import Expand, is_legal
from openrpp.kir.passes.expand.emit import IsLegal
from openrpp.kir.types import F64, I32


def is_ready_for_extensions(instr: Instr) -> bool:
    """What ae7100x is given: shuffles whose mask names all lanes are left whole, since back ends know who is there."""
    if not instr.op.name.startswith("shfl"):
        return is_legal(instr)
    mask, value, _, width = instr.operands
    # Expansion asks with a constant whether nobody needs to ask who is there.
    whole = _is(mask, I32.mask) and _is(width, WARP) and not isinstance(value, Constant)
    return whole or is_legal(instr)


def _is(value: Value, bits: int) -> bool:
    return isinstance(value, Constant) and value.bits == bits


def _published(kernel: Kernel) -> IsLegal:
    """What the published chip is given: what it lacks only where the source has it, so that it can be refused there."""
    own = set(kernel.instructions())

    def is_ready(instr: Instr) -> bool:
        if F64 in (instr.type, *(value.type for value in instr.operands)):
            return is_legal(instr) and instr in own
        return is_legal(instr) and instr.op.name not in ("fdiv", "frcp")

    return is_ready


def prepared(module: Module, name: str, merge: int = 1, target: str = "ae7100x") -> Module:
    """A module with a copy of one kernel that `compile` takes, and all variables. Raises Unsupported."""
    made = Module(module.name)
    made.globals = dict(module.globals)
    copy = clone_kernel(module.kernels[name])
    copy.merge = merge
    made.add_kernel(copy)
    try:
        is_ready = _published(copy) if target == "ae7100" else is_ready_for_extensions
        PassManager([Expand(lambda instr: instr.op.name == DOT or is_ready(instr))]).run(made)
    except KirError as error:
        if target == "ae7100":  # `compile` says what the chip lacks of what ae7100x has
            return prepared(module, name, merge)
        raise Unsupported(error.sentence, name, error.location) from None
    return made
