"""Dead code: instructions without effect whose results are not used, parameters of blocks that nothing needs."""

from __future__ import annotations

from openrpp.kir.analysis.cfg import Cfg
from openrpp.kir.ir import Block, BlockParam, Instr, Kernel, Module, Value


def eliminate_dead_code(kernel: Kernel, module: Module) -> bool:
    """Keep what memory, other threads, the output and the control flow depend on. Blocks are left as they are."""
    needed = _needed(kernel)
    changed = False
    for block in kernel.blocks:
        kept = [instr for instr in block.body if instr in needed or not instr.is_removable]
        changed |= len(kept) != len(block.body)
        block.body = kept
        changed |= _drop_params(kernel, block, needed)
    return changed


def _needed(kernel: Kernel) -> set[Value]:
    cfg = Cfg(kernel)
    found: set[Value] = set()
    work: list[Value] = []
    for block in kernel.blocks:
        for instr in block.body:
            if not instr.is_removable:
                work.extend(instr.operands)
        if block.terminator.value is not None:
            work.append(block.terminator.value)
        if block not in cfg.number:  # an edge from nowhere still has to fit its target
            work.extend(value for edge in block.edges for value in edge.args)
    while work:
        value = work.pop()
        if value in found:
            continue
        found.add(value)
        if isinstance(value, Instr):
            work.extend(value.operands)
        elif isinstance(value, BlockParam) and value in cfg.definitions:
            home = cfg.definitions[value]
            place = home.params.index(value)
            work.extend(edge.args[place] for _, edge in cfg.incoming[home])
    return found


def _drop_params(kernel: Kernel, block: Block, needed: set[Value]) -> bool:
    gone = [place for place, param in enumerate(block.params) if param not in needed]
    if not gone:
        return False
    for source in kernel.blocks:
        for edge in source.edges:
            if edge.target is block:
                edge.args = [value for place, value in enumerate(edge.args) if place not in gone]
    block.params = [param for param in block.params if param in needed]
    return True
