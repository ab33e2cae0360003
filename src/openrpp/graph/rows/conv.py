"""Convolutions, with what follows them in the same launch."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, ClassVar, Final

import numpy as np

from openrpp.graph.epilogue import Activation, Epilogue, epilogues_of
from openrpp.graph.facts import Facts, Refused, integer, ints, text
from openrpp.graph.lowering import Lowering
from openrpp.graph.table import Key, Op, Row
from openrpp.kernels import activation, conv, depthwise
from openrpp.kernels.launch import Region
from openrpp.kernels.slabs import Element
from openrpp.kernels.window import Window

if TYPE_CHECKING:
    import onnx_ir as ir

LITTLE: Final = 1_000_000
"""Multiply-accumulates below which a convolution does not have its input brought to the card."""
_SAME: Final = {"none": activation.NONE, "silu": activation.SILU, "sigmoid": activation.SIGMOID}


def activation_of(found: Activation) -> activation.Activation | None:
    """An activation as the kernels know it; None where they do not."""
    match found.name:
        case "relu":
            return activation.RELU
        case "clip":
            return activation.Activation(low=found.alpha, high=found.beta)
        case "hardswish":
            return activation.HARD_SWISH
        case "hardsigmoid":
            return activation.Activation("hard_sigmoid", slope=found.alpha, offset=found.beta)
        case "leaky":
            return activation.Activation("leaky", slope=found.alpha)
        case _:
            return _SAME.get(found.name)


def window_of(node: ir.Node, kernel: tuple[int, ...], rank: int) -> Window:
    """The window of a convolution or pool over two axes. Raises Refused."""
    if rank != 4 or len(kernel) != 2:
        raise Refused(f"{rank - 2} spatial axes")
    if text(node, "auto_pad", "NOTSET") not in ("NOTSET", "VALID"):
        raise Refused(f"auto_pad {text(node, 'auto_pad', '')}")
    stride, dilation = ints(node, "strides", (1, 1)), ints(node, "dilations", (1, 1))
    pads = ints(node, "pads", (0, 0, 0, 0))
    return Window((kernel[0], kernel[1]), (stride[0], stride[1]), (pads[0], pads[1]), (dilation[0], dilation[1]))


def border_for(window: Window, before: tuple[int, ...], after: tuple[int, ...]) -> int:
    """Zero pixels that a window needs around an image, given the shapes [.., height, width] before and after."""
    need = 0
    for axis in (0, 1):
        last = (after[axis - 2] - 1) * window.stride[axis] - window.pads[axis]
        last += (window.kernel[axis] - 1) * window.dilation[axis]
        need = max(need, window.pads[axis], last - before[axis - 2] + 1)
    return need


class Convolution(Row):
    """Conv over images, of one group or of as many as channels."""

    keys: ClassVar[tuple[Key, ...]] = (("", "Conv"),)

    def absorbs(self, node: ir.Node, facts: Facts) -> list[Epilogue]:
        """An activation that the kernels have, and a residual."""
        found = [item for item in epilogues_of(node, facts) if item.nodes and activation_of(item.activation)]
        return found if integer(node, "group", 1) == 1 else [item for item in found if item.residual is None]

    def _window(self, op: Op, facts: Facts) -> Window:
        shape = facts.shape(op.inputs[1])
        return window_of(op.node, shape[2:], len(shape))

    def accepts(self, op: Op, facts: Facts) -> int:
        """Axis 1."""
        x, w = op.inputs[0], facts.needed(op.inputs[1], "the weight")
        self._window(op, facts)
        if len(op.inputs) > 2 and op.inputs[2] is not None:
            facts.needed(op.inputs[2], "the bias")
        if integer(op.node, "group", 1) != 1 and not self._is_depthwise(op, facts):
            raise Refused(f"{integer(op.node, 'group', 1)} groups of {w.shape[1]} channels")
        facts.batch(facts.shape(x))
        if x not in facts.channels and not (x is not None and x.is_graph_input()) and self._work(op, facts) < LITTLE:
            raise Refused("its input is on the host, and there is little work")
        facts.floats(x)
        for value in (x, op.epilogue.residual):
            facts.channel(value, 1)
        return 1

    def _work(self, op: Op, facts: Facts) -> int:
        """Multiply-accumulates."""
        return prod(facts.shape(op.node.outputs[0])) * prod(facts.shape(op.inputs[1])[1:])

    def _is_depthwise(self, op: Op, facts: Facts) -> bool:
        groups = integer(op.node, "group", 1)
        return groups > 1 and facts.shape(op.inputs[0])[1] == groups == facts.shape(op.inputs[1])[0]

    def pads(self, op: Op, facts: Facts) -> dict[int, int]:
        """The border of the image; one more where rows of few channels are read eight values at a time."""
        before, after = facts.shape(op.inputs[0]), facts.shape(op.node.outputs[0])
        spare = 1 if not self._is_depthwise(op, facts) and before[1] <= 16 and op.inputs[0] in facts.brought else 0
        return {0: border_for(self._window(op, facts), before, after) + spare}

    def loose(self, op: Op, value: ir.Value) -> bool:
        """All its tensors may begin at any eighth channel, unless it goes channel by channel."""
        return integer(op.node, "group", 1) == 1

    def narrow(self, op: Op, value: ir.Value) -> bool:
        """The image may have few lanes."""
        return value is op.inputs[0] and value is not op.epilogue.residual and integer(op.node, "group", 1) == 1

    def lower(self, op: Op, into: Lowering) -> None:
        """One launch."""
        facts = into.facts
        x, residual = into.read(op.inputs[0], 1), None
        if op.epilogue.residual is not None:
            residual = into.read(op.epilogue.residual, 1).slabs
        y, window = into.write(op.outputs[0], 1), self._window(op, facts)
        chosen = activation_of(op.epilogue.activation)
        assert chosen is not None
        bias = facts.constant(op.inputs[2]) if len(op.inputs) > 2 else None
        tail, table = into.storage.last(op.outputs[0]), table_of(chosen, y.slabs.element, into)
        if self._is_depthwise(op, facts):
            content = depthwise.pack_weights(facts.needed(op.inputs[1], "the weight"), bias, y.slabs, window)
            weights = into.weights(f"{op.name}.weight", content)
            into.emit(
                depthwise.depthwise(
                    x.slabs, weights, y.slabs, window, activation=chosen, table=table, tail=tail, node=op.name
                )
            )
            return
        packed = conv.pack_weights(facts.needed(op.inputs[1], "the weight"), bias, x.slabs, y.slabs, window)
        launches = conv.convolution(
            x.slabs,
            into.weights(f"{op.name}.weight", packed),
            y.slabs,
            window,
            activation=chosen,
            table=table,
            residual=residual,
            residual_first=op.epilogue.first,
            tail=tail,
            node=op.name,
        )
        into.emit(launches)


def table_of(chosen: activation.Activation, element: Element, into: Lowering) -> Region | None:
    """The table of an activation, where the kernels take one."""
    if not chosen.needs_table(element):
        return None
    return into.constant(f"table of {chosen.function}", np.asarray(activation.table(chosen)), "sram")
