"""Normalisation of tokens, softmax."""

from __future__ import annotations

from math import prod
from typing import ClassVar

import numpy as np

from openrpp.graph.facts import Facts, Refused, axis_of, integer, number
from openrpp.graph.layout import Tensor
from openrpp.graph.lowering import Lowering
from openrpp.graph.rows.structure import on_card
from openrpp.graph.table import Key, Op, Row
from openrpp.kernels import norm
from openrpp.kernels.launch import Region
from openrpp.kernels.softmax import softmax


class Norm(Row):
    """RMSNormalization and LayerNormalization over the last axis."""

    keys: ClassVar[tuple[Key, ...]] = (("", "RMSNormalization"), ("", "LayerNormalization"))

    def accepts(self, op: Op, facts: Facts) -> int:
        """The last axis."""
        shape = facts.shape(op.inputs[0])
        last = len(shape) - 1
        if axis_of(integer(op.node, "axis", -1), len(shape)) != last:
            raise Refused("it normalises more than the last axis")
        for value in op.inputs[1:]:
            if value is not None and facts.needed(value, "a scale or bias").size != shape[last]:
                raise Refused("its scale is not one number per channel")
        if len([value for value in op.node.outputs if value.name and value.uses()]) > 1:
            raise Refused("mean and deviation are asked for")
        facts.floats(op.inputs[0])
        facts.channel(op.inputs[0], last)
        return last

    def lower(self, op: Op, into: Lowering) -> None:
        """One launch."""
        last = len(into.facts.shape(op.inputs[0])) - 1
        x, y = into.read(op.inputs[0], last), into.write(op.outputs[0], last)
        eps = number(op.node, "epsilon", 1e-5)
        weight = self._scale(op, 1, x, into)
        if op.node.op_type == "RMSNormalization":
            into.emit(norm.rms_norm(x.tokens, y.tokens, weight, eps, op.name))
        else:
            into.emit(norm.layer_norm(x.tokens, y.tokens, weight, self._scale(op, 2, x, into), eps, op.name))

    def _scale(self, op: Op, index: int, x: Tensor, into: Lowering) -> Region:
        value = op.inputs[index] if index < len(op.inputs) else None
        content = np.zeros(x.slabs.channels) if value is None else into.facts.needed(value, "a scale or bias")
        return into.constant(f"{op.name}.{index}", norm.scales(content), "sram")


class Softmax(Row):
    """Softmax over the channels."""

    keys: ClassVar[tuple[Key, ...]] = (("", "Softmax"),)

    def accepts(self, op: Op, facts: Facts) -> int:
        """The axis that it goes over, which must be the channels of its operand."""
        value = on_card(op.inputs[0], facts)
        shape = facts.shape(value)
        old = facts.opset < 13
        axis = axis_of(integer(op.node, "axis", 1 if old else -1), len(shape))
        if old and prod(shape[axis + 1 :]) != 1:
            raise Refused(f"axes {axis} to {len(shape) - 1} together, as before opset 13")
        facts.channel(value, axis)
        return axis

    def lower(self, op: Op, into: Lowering) -> None:
        """One launch."""
        axis = into.facts.channels[op.outputs[0]]
        x, y = into.read(op.inputs[0], axis), into.write(op.outputs[0], axis)
        into.emit(softmax(x.tokens, y.tokens, node=op.name))
