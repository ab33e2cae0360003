"""Products of tokens with a matrix of constants."""

from __future__ import annotations

from dataclasses import replace
from math import prod
from typing import TYPE_CHECKING, Any, ClassVar, Final

import numpy as np
from numpy.typing import NDArray

from openrpp.graph.epilogue import NONE, Epilogue, epilogues_of, users_of
from openrpp.graph.facts import Facts, Refused, integer, number
from openrpp.graph.lowering import Lowering
from openrpp.graph.table import Key, Op, Row
from openrpp.kernels import norm, quant
from openrpp.kernels.gemv import Tiles, gemv
from openrpp.kernels.launch import At, Region
from openrpp.kernels.quant import Panels

if TYPE_CHECKING:
    import onnx_ir as ir

MOST_ROWS: Final = 16
"""Rows that are worth a launch each."""


class Product(Row):
    """MatMul and Gemm with a constant second operand, a bias, and a residual."""

    keys: ClassVar[tuple[Key, ...]] = (("", "MatMul"), ("", "Gemm"))

    def absorbs(self, node: ir.Node, facts: Facts) -> list[Epilogue]:
        """A bias behind a MatMul, and a residual."""
        found = [item for item in epilogues_of(node, facts) if item.nodes and item.activation is NONE]
        added = users_of(node.outputs[0])
        if node.op_type == "MatMul" and len(added) == 1 and _bias_of(added[0], node, facts) is not None:
            found.insert(0, Epilogue(added[0].outputs[0], (added[0],)))
        return found

    def accepts(self, op: Op, facts: Facts) -> int:
        """The last axis."""
        x, weight = op.inputs[0], facts.needed(op.inputs[1], "the second operand")
        shape = facts.shape(x)
        if weight.ndim != 2:
            raise Refused(f"a second operand of {weight.ndim} axes")
        if op.node.op_type == "Gemm":
            _check_gemm(op, facts)
        if prod(shape[:-1]) > MOST_ROWS:
            raise Refused(f"{prod(shape[:-1])} rows")
        facts.floats(x)
        for value in (x, op.epilogue.residual):
            facts.channel(value, len(shape) - 1)
        return len(shape) - 1

    def lower(self, op: Op, into: Lowering) -> None:
        """A launch for each row."""
        facts, last = into.facts, len(into.facts.shape(op.inputs[0])) - 1
        x, y = into.read(op.inputs[0], last).tokens, into.write(op.outputs[0], last).tokens
        residual = None if op.epilogue.residual is None else into.read(op.epilogue.residual, last).tokens
        panels = self._panels(op, into)
        size = min(panels.bytes, quant.MOST_BYTES)
        places = [into.scratch(f"{op.name}.tile", size) for _ in "ab"]
        tiles = Tiles(At(places[0]), At(places[1]), size)
        bias = self._bias(op, facts)
        added: Region | None = None
        if bias is not None:
            added = into.constant(f"{op.name}.bias", norm.scales(np.broadcast_to(bias, panels.outputs)), "sram")
        for row in range(x.width):
            into.emit(gemv(x, y, panels, tiles, row=row, bias=added, residual=residual, node=op.name))

    def _panels(self, op: Op, into: Lowering) -> Panels:
        weight = into.facts.needed(op.inputs[1], "the second operand").astype(np.float32)
        outputs_first = weight if op.node.op_type == "Gemm" and integer(op.node, "transB", 0) else weight.T
        outputs, inputs = outputs_first.shape
        kind = into.facts.element_of(op.outputs[0])
        panels = Panels(Region("", 0, "ddr"), 0, kind, outputs, inputs)
        packed = quant.pack(panels, np.ascontiguousarray(outputs_first))
        return replace(panels, region=into.constant(f"{op.name}.weight", packed, "ddr"))

    def _bias(self, op: Op, facts: Facts) -> NDArray[Any] | None:
        if op.node.op_type == "Gemm":
            return facts.constant(op.inputs[2]) if len(op.inputs) > 2 else None
        return _bias_of(op.epilogue.nodes[0], op.node, facts) if op.epilogue.nodes else None


def _bias_of(added: ir.Node, root: ir.Node, facts: Facts) -> NDArray[Any] | None:
    """The constant that an addition behind a product adds to each row."""
    if added.op_type != "Add" or added.domain:
        return None
    other = added.inputs[1] if added.inputs[0] is root.outputs[0] else added.inputs[0]
    content = facts.constant(other)
    if content is None or content.size != facts.shape(root.outputs[0])[-1] or content.shape[-1:] != (content.size,):
        return None
    return content.reshape(-1)


def _check_gemm(op: Op, facts: Facts) -> None:
    """Raises Refused for what is not a product, with a bias for each output."""
    node = op.node
    if number(node, "alpha", 1.0) != 1.0 or number(node, "beta", 1.0) != 1.0 or integer(node, "transA", 0):
        raise Refused("alpha, beta or transA")
    if len(op.inputs) > 2 and op.inputs[2] is not None:
        bias = facts.needed(op.inputs[2], "the bias")
        if bias.size not in (1, facts.shape(node.outputs[0])[-1]) or bias.shape[-1:] != (bias.size,)[: bias.ndim]:
            raise Refused(f"a bias of shape {list(bias.shape)}")
