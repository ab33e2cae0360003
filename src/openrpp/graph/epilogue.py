"""What may follow a convolution or product within the same launch: an activation and the addition of a residual."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from openrpp.graph.facts import Facts, Refused, number, text

if TYPE_CHECKING:
    import onnx_ir as ir


@dataclass(frozen=True)
class Activation:
    """An activation: its name, and the numbers that some have."""

    name: str = "none"
    alpha: float = 0.0
    beta: float = 0.0


NONE: Final = Activation()
GATES: Final = {"Sigmoid": "silu", "HardSigmoid": "hardswish"}
"""What the product of a gate with its operand is."""


@dataclass(frozen=True)
class Epilogue:
    """Nodes that a root node carries out as well.

    Attributes:
        made: the value that comes out in the end.
        nodes: the absorbed nodes, in their order.
        activation: applied to the root's result.
        residual: a value of the same shape that is added.
        first: whether it is added before the activation.
    """

    made: ir.Value
    nodes: tuple[ir.Node, ...] = ()
    activation: Activation = NONE
    residual: ir.Value | None = None
    first: bool = False


def epilogues_of(root: ir.Node, facts: Facts) -> list[Epilogue]:
    """All epilogues of a node, the longest first: an activation and an addition, in either order, each at most once."""
    found = [Epilogue(root.outputs[0])]
    while (longer := _activated(found[0], facts) or _added(found[0], facts)) is not None:
        found.insert(0, longer)
    return found


def _activated(found: Epilogue, facts: Facts) -> Epilogue | None:
    if found.activation is not NONE:
        return None
    matched = activation_of(found.made, facts)
    if matched is None:
        return None
    activation, nodes = matched
    return replace(
        found,
        made=nodes[-1].outputs[0],
        nodes=(*found.nodes, *nodes),
        activation=activation,
        first=found.residual is not None,
    )


def _added(found: Epilogue, facts: Facts) -> Epilogue | None:
    users = users_of(found.made)
    if found.residual is not None or len(users) != 1 or users[0].op_type != "Add" or users[0].domain:
        return None
    node = users[0]
    other = node.inputs[1] if node.inputs[0] is found.made else node.inputs[0]
    if other is None or other is found.made or facts.constant(other) is not None:
        return None
    try:
        if facts.shape(other) != facts.shape(found.made):
            return None
    except Refused:
        return None
    return replace(found, made=node.outputs[0], nodes=(*found.nodes, node), residual=other)


def users_of(value: ir.Value) -> list[ir.Node]:
    """The nodes that read a value, each once; none where the value is an output of the graph as well."""
    if value.is_graph_output():
        return []
    return list(dict.fromkeys(use.node for use in value.uses()))


def activation_of(value: ir.Value, facts: Facts) -> tuple[Activation, tuple[ir.Node, ...]] | None:
    """The activation of which a value is the only operand, and its nodes."""
    users = users_of(value)
    if len(users) == 1 and not users[0].domain:
        single = single_activation(users[0], value, facts)
        return None if single is None else (single, (users[0],))
    if len(users) == 2:
        gate = next((node for node in users if node.op_type in GATES and not node.domain), None)
        found = None if gate is None else gated_activation(gate)
        return None if gate is None or found is None else (found.activation, (gate, *found.nodes))
    return None


def single_activation(node: ir.Node, value: ir.Value, facts: Facts) -> Activation | None:
    """The activation that a node is of a value."""
    if node.inputs[0] is not value:
        return None
    match node.op_type:
        case "Relu":
            return Activation("relu")
        case "Sigmoid":
            return Activation("sigmoid")
        case "Tanh":
            return Activation("tanh")
        case "HardSwish":
            return Activation("hardswish")
        case "Gelu":
            return Activation("gelu" if text(node, "approximate", "none") == "none" else "gelu_tanh")
        case "Swish" if number(node, "alpha", 1.0) == 1.0:
            return Activation("silu")
        case "LeakyRelu":
            return Activation("leaky", number(node, "alpha", 0.01))
        case "HardSigmoid":
            return Activation("hardsigmoid", number(node, "alpha", 0.2), number(node, "beta", 0.5))
        case "Clip":
            return _clip(node, facts)
        case _:
            return None


def _clip(node: ir.Node, facts: Facts) -> Activation | None:
    bounds = [float("-inf"), float("inf")]
    for index, value in enumerate(node.inputs[1:3]):
        if value is not None:
            content = facts.constant(value)
            if content is None:
                return None
            bounds[index] = float(content.reshape(-1)[0])
    if "min" in node.attributes or "max" in node.attributes:
        bounds = [number(node, "min", bounds[0]), number(node, "max", bounds[1])]
    return Activation("clip", bounds[0], bounds[1])


def gated_activation(gate: ir.Node) -> Epilogue | None:
    """x * sigmoid(x) or x * hardsigmoid(x), given the gate: the product is its epilogue."""
    value, product = gate.inputs[0], users_of(gate.outputs[0])
    if len(product) != 1 or product[0].op_type != "Mul" or product[0].domain:
        return None
    if value is None or set(product[0].inputs) != {value, gate.outputs[0]}:
        return None
    sixth = abs(number(gate, "alpha", 0.2) - 1 / 6) < 1e-6 and number(gate, "beta", 0.5) == 0.5
    if gate.op_type == "HardSigmoid" and not sixth:
        return None
    name = GATES.get(gate.op_type)
    return None if name is None else Epilogue(product[0].outputs[0], (product[0],), Activation(name))
