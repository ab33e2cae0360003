"""Copies of kernels, for back ends that specialise them."""

from __future__ import annotations

from openrpp.kir.ir import Block, Edge, Instr, Kernel, Parameter, Terminator, Value


def clone_kernel(kernel: Kernel, name: str = "") -> Kernel:
    """A kernel with the same meaning that shares nothing that can change with the original."""
    made = Kernel(name or kernel.name, [], kernel.location)
    made.max_threads, made.merge = kernel.max_threads, kernel.merge
    values: dict[Value, Value] = {}
    for param in kernel.params:
        values[param] = copied = Parameter(param.type, param.name, param.size, param.align)
        made.params.append(copied)
    for local in kernel.locals.values():
        made.local(local.name, local.size, local.align)
    blocks = {block: made.block(block.name) for block in kernel.blocks}
    for block, target in blocks.items():
        values.update({param: target.param(param.type, param.name) for param in block.params})
        for instr in block.body:  # operands still are those of the original, as some are not copied yet
            copied = Instr(instr.op, instr.operands, instr.type, instr.attrs, instr.location, instr.name)
            values[instr] = copied
            target.body.append(copied)
    for block, target in blocks.items():
        target.terminator = _terminator(block.terminator, blocks)
    made.substitute(values)
    return made


def _terminator(end: Terminator, blocks: dict[Block, Block]) -> Terminator:
    edges = [Edge(blocks[edge.target], list(edge.args)) for edge in end.edges]
    return Terminator(end.kind, end.value, edges, list(end.cases), end.location)
