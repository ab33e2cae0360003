"""Expectations of distributions: how YOLO's heads of many bins become distances.

[1, G B, L] is reshaped to [1, G, B, L], the bins come to the front, a softmax makes them shares, a convolution with one
weight per bin sums them up, and the result is [1, G, L]. Here it is a softmax in groups of channels and a convolution
whose weights are zero between groups, both float32, since what comes out are coordinates.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from openrpp.graph.epilogue import Epilogue, users_of
from openrpp.graph.facts import Facts, Refused, axis_of, integer, ints
from openrpp.graph.lowering import Lowering
from openrpp.graph.table import Op
from openrpp.kernels import conv
from openrpp.kernels.slabs import BYTES, SLAB, Slabs
from openrpp.kernels.softmax import softmax
from openrpp.kernels.window import Window

if TYPE_CHECKING:
    import onnx_ir as ir


def epilogue(node: ir.Node, facts: Facts) -> Epilogue | None:
    """The nodes behind a reshape that make an expectation of it; None where they are others."""
    if node.op_type != "Reshape":
        return None
    chain = [node]
    for kind in ("Transpose", "Softmax", "Conv", "Reshape"):
        users = users_of(chain[-1].outputs[0])
        if len(users) != 1 or users[0].op_type != kind or users[0].inputs[0] is not chain[-1].outputs[0]:
            return None
        chain.append(users[0])
    try:
        fits = _fits(chain, facts)
    except Refused:
        return None
    return Epilogue(chain[-1].outputs[0], tuple(chain[1:])) if fits else None


def _fits(chain: list[ir.Node], facts: Facts) -> bool:
    _, swap, share, weigh, _ = chain
    spread = facts.shape(swap.inputs[0])
    if len(spread) != 4 or spread[0] != 1 or ints(swap, "perm", ()) != (0, 2, 1, 3):
        return False
    groups, bins, pixels = spread[1:]
    if axis_of(integer(share, "axis", -1), 4) != 1 or facts.constant(weigh.inputs[1]) is None:
        return False
    bias = len(weigh.inputs) > 2 and weigh.inputs[2] is not None
    if facts.shape(weigh.inputs[1]) != (1, bins, 1, 1) or bias:
        return False
    before, after = facts.shape(chain[0].inputs[0]), facts.shape(chain[-1].outputs[0])
    return before == (1, groups * bins, pixels) and after == (1, groups, pixels)


def accepts(op: Op, facts: Facts) -> int:
    """Axis 1."""
    facts.channel(op.inputs[0], 1)
    return 1


def lower(op: Op, into: Lowering) -> None:
    """Two launches."""
    x, y = into.read(op.inputs[0], 1).tokens, into.write(op.outputs[0], 1).tokens
    groups = y.channels
    size = -(-x.channels // SLAB) * SLAB * x.width * BYTES["f32"]
    shares = Slabs(into.scratch(f"{op.name}.shares", size), 0, x.channels, 1, x.width, element="f32")
    into.emit(softmax(x, shares, groups, op.name))
    weights = _spread(into.facts.needed(op.epilogue.nodes[2].inputs[1], "the weight").reshape(-1), groups)
    packed = conv.pack_weights(weights, None, shares, y, Window())
    region = into.weights(f"{op.name}.weight", packed)
    (launch,) = conv.convolution(shares, region, y, Window(), node=op.name)
    into.emit([replace(launch, macs=x.channels * x.width)])


def _spread(bins: NDArray[np.float32], groups: int) -> NDArray[np.float32]:
    """[groups][groups * bins][1][1]: a group's weights in its own channels."""
    return np.kron(np.eye(groups, dtype=np.float32), bins)[:, :, None, None]
