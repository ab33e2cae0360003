"""A prepared model becomes a plan: partition, storage, launches, memory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from openrpp.graph.errors import Unsupported
from openrpp.graph.facts import Facts, Refused
from openrpp.graph.host import model_of
from openrpp.graph.lowering import Lowering
from openrpp.graph.memory import Rules, check_fits, lives, place
from openrpp.graph.plan import HostStep, Plan, Port
from openrpp.graph.storage import Storage
from openrpp.graph.table import Row, row_of
from openrpp.kernels.slabs import Element

if TYPE_CHECKING:
    import onnx_ir as ir

NO_KERNEL = "no kernel of the library"


@dataclass
class Partition:
    """Which row takes a node; why the host does otherwise."""

    facts: Facts
    rows: dict[ir.Node, Row]
    reasons: dict[ir.Node, str]


def compile_model(model: ir.Model, element: Element, *, no_host: bool = False) -> Plan:
    """The steps of a prepared model, without addresses.

    A node that its row cannot lower after all goes to the host, and everything is lowered anew.

    Raises Unsupported where a node runs nowhere, or on the host with `no_host`.
    """
    refused: dict[ir.Node, str] = {}
    while True:
        parts = partition(model, element, refused)
        if no_host and parts.reasons:
            raise Unsupported(_named(parts.reasons))
        plan = _lowered(model, parts, refused)
        if plan is not None:
            return plan


def partition(model: ir.Model, element: Element, refused: dict[ir.Node, str]) -> Partition:
    """Ask the rows, in the order of the nodes."""
    found = Partition(Facts(element), {}, {})
    for node in model.graph:
        row = row_of(node)
        if row is None or node in refused:
            found.reasons[node] = refused.get(node, NO_KERNEL)
            continue
        try:
            found.facts.floats(*node.outputs)
            channel = row.accepts(node, found.facts)
        except Refused as reason:
            found.reasons[node] = str(reason)
            continue
        found.rows[node] = row
        for value in node.outputs:
            found.facts.channels[value] = channel
    return found


def _named(reasons: dict[ir.Node, str]) -> str:
    names = [f"{node.op_type} {node.name or node.outputs[0].name} ({reason})" for node, reason in reasons.items()]
    more = f" and {len(names) - 6} more" if len(names) > 6 else ""
    return f"{len(names)} nodes would run on the host: {', '.join(names[:6])}{more}"


def _lowered(model: ir.Model, parts: Partition, refused: dict[ir.Node, str]) -> Plan | None:
    """The plan; None where a row has refused, which is then in `refused`."""
    fed = [value for value in model.graph.inputs if value.name not in model.graph.initializers]
    plan = Plan([port_of(value) for value in fed], [port_of(value) for value in model.graph.outputs])
    into = Lowering(parts.facts, stored(model, parts), plan)
    for value in fed:
        into.given(value)
    for node in model.graph:
        row = parts.rows.get(node)
        plan.nodes += 1
        if row is None:
            into.host(_host_step(node, model, parts.reasons[node]), node)
            continue
        try:
            row.lower(node, into)
        except Refused as reason:
            refused[node] = str(reason)
            return None
    for value in model.graph.outputs:
        into.fetch(value)
    return plan


def _host_step(node: ir.Node, model: ir.Model, reason: str) -> HostStep:
    inputs = tuple(None if value is None else value.name for value in node.inputs)
    outputs = tuple(value.name or "" for value in node.outputs if value.name)
    return HostStep(node.name or outputs[0], node.op_type, reason, model_of(node, model), inputs, outputs)


def port_of(value: ir.Value) -> Port:
    """An input or output as callers see it."""
    shape = () if value.shape is None else tuple(
        extent if isinstance(extent, int) else str(extent.value or "?") for extent in value.shape
    )  # fmt: skip
    kind = value.dtype.name.lower() if value.dtype else "undefined"
    return Port(value.name or "", shape, f"tensor({ {'float32': 'float'}.get(kind, kind) })")


def stored(model: ir.Model, parts: Partition) -> Storage:
    """Borders and shared storage of all values on the card."""
    facts, storage = parts.facts, Storage()
    borders: dict[ir.Value, int] = {}
    for node, row in parts.rows.items():
        for index, pad in row.pads(node, facts).items():
            value = node.inputs[index]
            assert value is not None
            borders[value] = max(borders.get(value, 0), pad)
    for value, channel in facts.brought.items():
        storage.add(value, _channels(facts, value, channel), borders.get(value, 0))
    for node, row in parts.rows.items():
        for value in node.outputs:
            count = _channels(facts, value, facts.channels[value])
            storage.add(value, count, borders.get(value, 0), row.pieces(node, facts))
    for node, row in parts.rows.items():
        for view in row.views(node, facts):
            storage.share(view)
    return storage


def _channels(facts: Facts, value: ir.Value, channel: int) -> int:
    shape = facts.shape(value)
    return shape[channel] if shape else 1


def plan_memory(plan: Plan, room: int, rules: Rules, ddr: Rules) -> None:
    """Give transient regions their places. Raises GraphError where SRAM is too small.

    Args:
        plan: gets `offsets` and `arenas`.
        room: bytes of SRAM for them.
        rules, ddr: of the two memories.
    """
    apart = {constant.region for constant in plan.constants} | set(plan.states.values())
    lived = lives(plan.steps, apart)
    offsets, total = place(lived, "sram", rules)
    check_fits(total, room, lived, rules)
    below, bytes_below = place(lived, "ddr", ddr)
    plan.offsets = offsets | below
    plan.arenas = {"sram": total, "ddr": bytes_below}
