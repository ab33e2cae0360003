"""Functions of one and of two operands, element by element."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar, Final

import numpy as np

from openrpp.graph.epilogue import Activation, Epilogue, gated_activation, single_activation
from openrpp.graph.facts import Facts, Refused
from openrpp.graph.layout import Tensor
from openrpp.graph.lowering import Lowering
from openrpp.graph.table import Key, Op, Row
from openrpp.kernels import elementwise
from openrpp.kernels.elementwise import Function
from openrpp.kernels.launch import Region
from openrpp.kernels.slabs import Element

if TYPE_CHECKING:
    import onnx_ir as ir

PLAIN: Final = {
    "Exp": "exp", "Log": "log", "Sqrt": "sqrt", "Reciprocal": "reciprocal", "Erf": "erf", "Abs": "abs", "Neg": "neg",
}  # fmt: skip
BINARY: Final = {"Add": "add", "Sub": "sub", "Mul": "mul", "Div": "div", "Max": "max", "Min": "min"}
ACTIVATIONS: Final = (
    "Relu", "Sigmoid", "Tanh", "HardSwish", "Gelu", "Swish", "LeakyRelu", "HardSigmoid", "Clip",
)  # fmt: skip


def function_of(activation: Activation) -> Function:
    """An activation as the library knows it."""
    return Function(activation.name, activation.alpha, activation.beta)


def table_of(function: Function, element: Element, into: Lowering) -> Region | None:
    """The table of a function in SRAM; none in float32."""
    if element == "f32":
        return None
    return into.table(function)


class Unary(Row):
    """Activations and other functions of one operand; x * sigmoid(x) is one of them."""

    keys: ClassVar[tuple[Key, ...]] = tuple(("", name) for name in (*PLAIN, *ACTIVATIONS))

    def function(self, op: Op, facts: Facts) -> Function:
        """Which function a node is. Raises Refused for one with parameters that are not known."""
        kind = op.node.op_type
        if op.epilogue.nodes:
            return function_of(op.epilogue.activation)
        if kind in PLAIN:
            return Function(PLAIN[kind])
        value = op.inputs[0]
        assert value is not None
        found = single_activation(op.node, value, facts)
        if found is None:
            raise Refused(f"{kind} with these parameters")
        return function_of(found)

    def absorbs(self, node: ir.Node, facts: Facts) -> list[Epilogue]:
        """The product of a gate with its operand."""
        found = gated_activation(node)
        return [] if found is None else [found]

    def accepts(self, op: Op, facts: Facts) -> int:
        """The channel axis of the operand."""
        self.function(op, facts)
        return _axis(op.inputs[0], facts)

    def lower(self, op: Op, into: Lowering) -> None:
        """One launch."""
        axis = into.facts.channels[op.outputs[0]]
        x, y = into.read(op.inputs[0], axis), into.write(op.outputs[0], axis)
        function = self.function(op, into.facts)
        one, other = _alike(x, y)
        into.emit(elementwise.unary(one, other, function, table_of(function, x.slabs.element, into), op.name))


def _axis(value: ir.Value | None, facts: Facts) -> int:
    """The channel axis of a value on the card. Raises Refused for one on the host."""
    if value is None or value not in facts.channels:
        raise Refused("its input is on the host")
    return facts.channels[value]


def _alike(x: Tensor, y: Tensor) -> tuple[elementwise.Slabs, elementwise.Slabs]:
    """Slabs of the same extents: pixels that are a row in one and rows in the other are a row in both."""
    one, other = x.slabs, y.slabs
    if (one.height, one.width) != (other.height, other.width):
        one, other = x.tokens, y.tokens
    return one, other


class Binary(Row):
    """Functions of two operands; one may be repeated along axes of extent 1."""

    keys: ClassVar[tuple[Key, ...]] = tuple(("", name) for name in BINARY)

    def accepts(self, op: Op, facts: Facts) -> int:
        """The channel axis of the operand that has the shape of the result."""
        if len(op.inputs) != 2:
            raise Refused(f"{len(op.inputs)} operands")
        facts.floats(*op.inputs)
        large, small = self._sides(op, facts)
        shape, axis = facts.shape(op.outputs[0]), _axis(large, facts)
        channel = axis - len(shape) + len(facts.shape(small))
        if facts.constant(small) is None:
            if small not in facts.channels:
                raise Refused("an operand is on the host")
            if channel < 0:
                raise Refused("an operand has fewer axes")
            facts.channel(small, channel)
        return axis

    def _sides(self, op: Op, facts: Facts) -> tuple[ir.Value, ir.Value]:
        """The operand with the shape of the result that lies on the card, and the other."""
        shape = facts.shape(op.outputs[0])
        one, other = op.inputs
        assert one is not None and other is not None
        for large, small in ((one, other), (other, one)):
            if facts.shape(large) == shape and facts.constant(large) is None and large in facts.channels:
                return large, small
        raise Refused("no operand on the card has the shape of the result")

    def lower(self, op: Op, into: Lowering) -> None:
        """One launch."""
        large, small = self._sides(op, into.facts)
        axis = into.facts.channels[op.outputs[0]]
        x, y = into.read(large, axis), into.write(op.outputs[0], axis)
        b = self._operand(small, y, axis, into)
        name = BINARY[op.node.op_type]
        if op.inputs[0] is small and name in ("sub", "div"):
            name = f"r{name}"
        one, other = _alike(x, y)
        into.emit(elementwise.binary(name, one, b, other, op.name))

    def _operand(self, value: ir.Value, y: Tensor, axis: int, into: Lowering) -> elementwise.Slabs:
        content = into.facts.constant(value)
        rank = len(y.shape)
        if content is None:
            found = into.read(value, axis - rank + len(into.facts.shape(value)))
        else:
            found = into.operand(
                value, np.reshape(content, (1,) * (rank - content.ndim) + content.shape), axis, y.slabs.element
            )
        shape = (1,) * (rank - len(found.shape)) + found.shape
        return _repeated(found, shape, y, axis)


def _repeated(b: Tensor, shape: tuple[int, ...], y: Tensor, axis: int) -> elementwise.Slabs:
    """An operand with the height and width that fit those of y. Raises Refused where its pixels repeat otherwise."""
    rest = [(mine, whole) for index, (mine, whole) in enumerate(zip(shape, y.shape, strict=True)) if index != axis]
    if all(mine == whole for mine, whole in rest):
        height, width = y.slabs.height, y.slabs.width
        return replace(b.slabs, height=height, width=width) if not b.slabs.border else b.slabs
    if all(mine == 1 for mine, _ in rest):
        return replace(b.slabs, height=1, width=1) if not b.slabs.border else b.slabs
    return b.slabs
