"""Critical edges: from a block with several ways out to a block with several ways in."""

from __future__ import annotations

from openrpp.kir.analysis.cfg import Cfg
from openrpp.kir.ir import Block, Edge, Exit, Kernel, Module, Terminator


def split_critical_edges(kernel: Kernel, module: Module) -> bool:
    """Give each critical edge a block of its own, where copies for the target's parameters can be placed."""
    cfg = Cfg(kernel)
    critical = [
        edge
        for block in cfg.order
        if len(block.edges) > 1
        for edge in block.edges
        if len(cfg.incoming[edge.target]) > 1
    ]
    for edge in critical:
        between = Block(f"to_{edge.target.name}" if edge.target.name else "")
        between.terminator = Terminator(Exit.BRANCH, None, [Edge(edge.target, edge.args)])
        kernel.blocks.insert(kernel.blocks.index(edge.target), between)
        edge.target, edge.args = between, []
    return bool(critical)
