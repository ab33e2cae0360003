"""A kernel made ready for the card: a copy in which nothing is left that the card lacks, and how it merges blocks."""

from __future__ import annotations

from openrpp.codegen.errors import Unsupported
from openrpp.kir.errors import KirError
from openrpp.kir.ir import Instr, Module
from openrpp.kir.passes import PassManager
from openrpp.kir.passes.copying import clone_kernel
from openrpp.kir.passes.expand import Expand, is_legal
from openrpp.kir.types import F64


def is_ready(instr: Instr) -> bool:
    """What the back end takes: nothing on 64-bit floats."""
    return is_legal(instr) and F64 not in (instr.type, *(value.type for value in instr.operands))


def prepared(module: Module, name: str, merge: int = 1) -> Module:
    """A module with a copy of one kernel that `compile` takes, and all variables. Raises Unsupported."""
    made = Module(module.name)
    made.globals = dict(module.globals)
    copy = clone_kernel(module.kernels[name])
    copy.merge = merge
    made.add_kernel(copy)
    try:
        PassManager([Expand(is_ready)]).run(made)
    except KirError as error:
        raise Unsupported(error.sentence, name, error.location) from None
    return made
