"""What a branch decides besides its own target: where different choices meet again, and which loops it ends.

If two threads part at a branch, a block that both can reach first by ways without a common block is a *join*: what its
parameters hold then depends on the choice. The search stops at the branch's post-dominator. Labels do the bookkeeping:
every edge of the branch is one, a join starts a new one, all other blocks pass on what they get. (The idea is LLVM's
synchronisation dependence analysis: Rosemann, Moll, Hack, "An Abstract Interpretation for SPMD Divergence on Reducible
Control Flow Graphs", POPL 2021.)
"""

from __future__ import annotations

from dataclasses import dataclass

from openrpp.kir.analysis.cfg import Cfg
from openrpp.kir.analysis.loops import Loop, Loops
from openrpp.kir.ir import Block, Edge

Label = Edge | Block
_PATIENCE = 8  # sweeps after which a join stays one; reducible graphs settle in two or three


@dataclass(frozen=True, slots=True)
class Influence:
    """Blocks where choices meet, and loops that some threads may leave while others go on."""

    joins: frozenset[Block]
    loops: frozenset[Loop]


def influence(cfg: Cfg, loops: Loops, branch: Block) -> Influence:
    """What the terminator of a block decides."""
    stop = cfg.post_dominator(branch)
    region = _region(cfg, branch, stop)
    incoming = _settled(cfg, branch, region, stop)
    joins = frozenset(block for block, labels in incoming.items() if len(labels) > 1)
    innermost = loops.innermost(branch)
    around = innermost.around() if innermost else ()
    return Influence(joins, frozenset(loop for loop in around if _parts(loop, branch, incoming, stop)))


def _region(cfg: Cfg, branch: Block, stop: Block | None) -> list[Block]:
    """Blocks reached from the branch up to `stop`, which is included, in reverse postorder."""
    seen = set(branch.successors())
    work = list(seen)
    while work:
        block = work.pop()
        if block is stop or block is branch:
            continue
        fresh = [item for item in block.successors() if item not in seen]
        seen.update(fresh)
        work.extend(fresh)
    return sorted(seen, key=cfg.number.__getitem__)


def _settled(cfg: Cfg, branch: Block, region: list[Block], stop: Block | None) -> dict[Block, set[Label]]:
    """For each block of the region the labels that its edges bring."""
    labels: dict[Block, Label] = {}
    incoming: dict[Block, set[Label]] = {}
    sticky: set[Block] = set()
    for sweep in range(len(region) + _PATIENCE):
        before = dict(labels)
        for block in region:
            incoming[block] = found = {
                label
                for source, edge in cfg.incoming[block]
                if (label := _brought(source, edge, branch, stop, labels)) is not None
            }
            if len(found) > 1 and sweep >= _PATIENCE:
                sticky.add(block)
            labels.pop(block, None)
            if found:
                labels[block] = block if len(found) > 1 or block in sticky else next(iter(found))
        if labels == before:
            break
    return incoming


def _brought(source: Block, edge: Edge, branch: Block, stop: Block | None, labels: dict[Block, Label]) -> Label | None:
    if source is branch:
        return edge
    return None if source is stop else labels.get(source)


def _parts(loop: Loop, branch: Block, incoming: dict[Block, set[Label]], stop: Block | None) -> bool:
    """Whether some threads may go on to the header while others leave."""
    staying = incoming.get(loop.header, set())
    if not staying or loop.header is stop:
        return False
    labels: set[Label] = set(staying)
    left = False
    for source, edge in loop.exits():
        if source is branch:
            labels.add(edge)
            left = True
        elif source is not stop and source in incoming:
            labels |= {source} if len(incoming[source]) > 1 else incoming[source]
            left = True
    return left and len(labels) > 1
