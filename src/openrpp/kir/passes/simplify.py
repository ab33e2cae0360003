"""Simpler control flow: known branches, blocks in a row, empty blocks, parameters with one argument.

Blocks in front of a loop header stay, so that a loop keeps its preheader and its latch. No block gets two edges to one
target with different arguments.
"""

from __future__ import annotations

from openrpp.kir.analysis.cfg import Cfg
from openrpp.kir.analysis.loops import Loops
from openrpp.kir.ir import Block, Constant, Edge, Exit, Kernel, Module, Terminator, Value


def simplify_cfg(kernel: Kernel, module: Module) -> bool:
    """Apply all rules until none does anything."""
    changed = False
    while any([_known_branches(kernel), _unreachable(kernel), _same_arguments(kernel), _empty(kernel), _rows(kernel)]):
        changed = True
    return changed


def _known_branches(kernel: Kernel) -> bool:
    changed = False
    for block in kernel.blocks:
        edge = _only_way(block.terminator)
        if edge is not None:
            block.terminator = Terminator(Exit.BRANCH, None, [edge], [], block.terminator.location)
            changed = True
    return changed


def _only_way(end: Terminator) -> Edge | None:
    """The edge that a conditional terminator always takes, if there is one."""
    if end.value is None:
        return None
    if all(_same_edge(edge, end.edges[0]) for edge in end.edges[1:]):
        return end.edges[0]
    if not isinstance(end.value, Constant):
        return None
    if end.kind is Exit.CONDITIONAL:
        return end.edges[0 if end.value.bits else 1]
    table = dict(zip(end.cases, end.edges[1:], strict=True))
    return table.get(end.value.bits, end.edges[0])


def _same_value(a: Value, b: Value) -> bool:
    if isinstance(a, Constant) and isinstance(b, Constant):
        return a.type is b.type and a.bits == b.bits
    return a is b


def _same_edge(a: Edge, b: Edge) -> bool:
    return a.target is b.target and all(map(_same_value, a.args, b.args))


def _unreachable(kernel: Kernel) -> bool:
    reached = Cfg(kernel).number
    before = len(kernel.blocks)
    kernel.blocks = [block for block in kernel.blocks if block in reached]
    return len(kernel.blocks) != before


def _same_arguments(kernel: Kernel) -> bool:
    """A parameter that is always given one value (or itself) is that value."""
    cfg = Cfg(kernel)
    replaced: dict[Value, Value] = {}
    for block in cfg.order:
        for param in list(block.params):
            place = block.params.index(param)
            given = [edge.args[place] for _, edge in cfg.incoming[block] if edge.args[place] is not param]
            if given and given[0] not in replaced and all(_same_value(value, given[0]) for value in given[1:]):
                block.params.remove(param)
                for _, edge in cfg.incoming[block]:
                    del edge.args[place]
                replaced[param] = given[0]
    kernel.substitute(replaced)
    return bool(replaced)


def _empty(kernel: Kernel) -> bool:
    """Lead edges past a block that only jumps."""
    cfg = Cfg(kernel)
    loops = Loops(cfg)
    touched: set[Block] = set()
    gone: set[Block] = set()
    for block in cfg.order[1:]:
        sources = {source for source, _ in cfg.incoming[block]}
        if _passable(cfg, loops, block) and touched.isdisjoint({block, block.edges[0].target, *sources}):
            onward = block.edges[0]
            for _, edge in cfg.incoming[block]:
                edge.target, edge.args = onward.target, list(onward.args)
            touched |= {block, onward.target, *sources}
            gone.add(block)
    kernel.blocks = [block for block in kernel.blocks if block not in gone]
    return bool(gone)


def _passable(cfg: Cfg, loops: Loops, block: Block) -> bool:
    if block.params or block.body or block.terminator.kind is not Exit.BRANCH:
        return False
    onward = block.edges[0]
    if onward.target is block:
        return False
    if loops.is_header(onward.target) and not (len(cfg.incoming[block]) == 1 and _single_jump(cfg, block)):
        return False
    return all(_may_go(source, onward) for source in cfg.predecessors(block))


def _single_jump(cfg: Cfg, block: Block) -> bool:
    return all(source.terminator.kind is Exit.BRANCH for source in cfg.predecessors(block))


def _may_go(source: Block, onward: Edge) -> bool:
    return all(_same_edge(edge, onward) for edge in source.edges if edge.target is onward.target)


def _rows(kernel: Kernel) -> bool:
    """Join a block to the only one that jumps to it."""
    cfg = Cfg(kernel)
    joined: dict[Block, Block] = {}
    replaced: dict[Value, Value] = {}
    for block in cfg.order[1:]:
        source, edge = cfg.incoming[block][0]
        if len(cfg.incoming[block]) == 1 and len(source.edges) == 1 and source is not block:
            joined[block] = head = joined.get(source, source)
            head.body.extend(block.body)
            head.terminator = block.terminator
            replaced.update(zip(block.params, edge.args, strict=True))
    kernel.blocks = [block for block in kernel.blocks if block not in joined]
    kernel.substitute(replaced)
    return bool(joined)
