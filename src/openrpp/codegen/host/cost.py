"""Whether vectors pay: kernels that live on gathers run faster one thread after the other.

Costs are cycles of one lane, rough and for Zen 4, weighed by the depth of loops. There a gather of 16 takes as long
as 40 vector operations (measured: 6 ns, and nothing less where lanes are masked).
"""

from __future__ import annotations

from openrpp.codegen.host.analysis import WARP, Analysis
from openrpp.codegen.host.geometry import Geometry, Triple, partition
from openrpp.codegen.host.pieces import Piece
from openrpp.codegen.host.tiers import Tier
from openrpp.codegen.host.tiles import group_lanes, uses_dots
from openrpp.kir.analysis.loops import Loop
from openrpp.kir.ir import Block, Instr, Kernel
from openrpp.kir.ops.form import Effect
from openrpp.kir.types import Space

_TURNS = 8  # of a loop whose count is not known
_DEEPEST = 4
_GATHER = 2.2
_SCATTER = 2.6
_UPDATE = 2.0  # an atomic, by lane in both ways
_VECTOR = 0.1  # any other operation on vectors, by lane
_PARTED = 1.5  # what lanes cost that wait for others to leave a loop
_SCALAR = 0.35
_JUMP = 3.0  # a contiguous access that becomes one per turn, far from the last one
_CHAIN = 4.0  # a turn of a loop that carries a float: latency of a sum
_BARRIER = 8.0  # a thread that stops at a barrier and goes on
_APART = 16  # lanes that walk through memory apart: 64 lines at distances of 2^k would not stay in a cache
_SURE = 0.7  # scalar code must be better than this share


def geometry_for(kernel: Kernel, block: Triple, tier: Tier, lanes: int | None) -> tuple[Geometry, Geometry]:
    """How to run blocks of a kernel, and how to run them in vectors; `lanes` is the wanted size of groups."""
    warps = uses_warps(kernel)
    limit = max(lanes or WARP, WARP) if warps else lanes or group_lanes(kernel, block, tier)
    vectors = partition(block, limit, WARP if warps else 1)
    if lanes or warps or uses_dots(kernel):
        return vectors, vectors
    analysis = Analysis(kernel, vectors, narrow=True)
    if _walks_apart(analysis):
        vectors = partition(block, min(limit, _APART))
    return partition(block, 1) if is_scalar_better(analysis) else vectors, vectors


def is_scalar_better(analysis: Analysis) -> bool:
    """Whether the kernel runs faster thread by thread than in the vectors that were analysed."""
    vectors = scalar = 0.0
    for piece in analysis.pieces:
        for block in piece.cfg.order:
            weight, parted = _weight(analysis, piece, block)
            in_vectors = sum(_in_vectors(analysis, item) for item in block.body)
            alone = sum(_alone(analysis, item, weight > 1) for item in block.body)
            inner = piece.loops.innermost(block)
            if inner is not None and inner.header is block and _carries_float(inner):
                alone = max(alone, _CHAIN)
            vectors += weight * in_vectors * parted
            scalar += weight * (alone + (_BARRIER if block in piece.barriers else 0))
    return scalar < _SURE * vectors


def uses_warps(kernel: Kernel) -> bool:
    """Whether threads of a warp exchange values."""
    return any(instr.effect is Effect.WARP for instr in kernel.instructions())


def _weight(analysis: Analysis, piece: Piece, block: Block) -> tuple[float, float]:
    """(runs of a block, what divergent loops around it cost)."""
    inner = piece.loops.innermost(block)
    if inner is None:
        return 1.0, 1.0
    divergent = analysis.structures[piece.number].divergent
    return float(_TURNS ** min(inner.depth, _DEEPEST)), _PARTED if inner in divergent else 1.0


def _walks_apart(analysis: Analysis) -> bool:
    """Whether lanes read device memory at places of their own again and again: each needs a cache line.

    The deepest loops that read device memory decide, since what is around them runs seldom.
    """
    found = [
        (loop.depth, _is_gather(analysis, instr))
        for piece in analysis.pieces
        for loop in piece.loops.loops
        for block in loop.body
        for instr in block.body
        if instr.effect is Effect.LOAD and analysis.spaces.of(instr.operands[0]) not in (Space.SHARED, Space.PRIVATE)
    ]
    deepest = max((depth for depth, _ in found), default=0)
    return any(apart for depth, apart in found if depth == deepest)


def _carries_float(loop: Loop) -> bool:
    return any(param.type.is_float for param in loop.header.params)


def _is_gather(analysis: Analysis, instr: Instr) -> bool:
    """Whether each lane of an access goes to a place of its own."""
    pointer = instr.operands[-1 if instr.effect is Effect.STORE else 0]
    shape = analysis.shape(pointer)
    size = instr.operands[0].type.bytes if instr.effect is Effect.STORE else instr.type.bytes
    return shape.stride not in (0, size) or (shape.level == 2 and shape.guess != size)


def _is_row(analysis: Analysis, instr: Instr) -> bool:
    """Whether lanes read or write neighbours."""
    pointer = instr.operands[-1 if instr.effect is Effect.STORE else 0]
    return bool(analysis.shape(pointer).stride or analysis.shape(pointer).guess) and not _is_gather(analysis, instr)


def _in_vectors(analysis: Analysis, instr: Instr) -> float:
    if instr.effect is Effect.ATOMIC:
        return _UPDATE
    if instr.effect is Effect.LOAD and _is_gather(analysis, instr):
        return _GATHER
    if instr.effect is Effect.STORE and _is_gather(analysis, instr):
        return _SCATTER
    if instr.effect is Effect.STORE:
        return _VECTOR
    return _VECTOR * max(1, instr.type.bytes / 4) if analysis.shape(instr).level == 2 else 0.0


def _alone(analysis: Analysis, instr: Instr, repeated: bool) -> float:
    if instr.effect is Effect.ATOMIC:
        return _UPDATE
    access = instr.effect in (Effect.LOAD, Effect.STORE)
    return _JUMP if access and repeated and _is_row(analysis, instr) else _SCALAR
