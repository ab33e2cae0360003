"""A prepared model becomes a plan: partition, storage, launches, memory."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from openrpp.graph.epilogue import Epilogue
from openrpp.graph.errors import Unsupported
from openrpp.graph.facts import Facts, Refused
from openrpp.graph.host import model_of
from openrpp.graph.lowering import Lowering
from openrpp.graph.memory import Rules, check_fits, lives, place
from openrpp.graph.plan import HostStep, Plan, Port
from openrpp.graph.storage import Form, Storage
from openrpp.graph.table import Op, Row, row_of
from openrpp.graph.weights import fetch_ahead, keep_weights
from openrpp.kernels.slabs import SLAB, Element

if TYPE_CHECKING:
    import onnx_ir as ir

NO_KERNEL = "no kernel of the library"


@dataclass
class Partition:
    """The work in order: an operator of the card, or a node of the host with the reason."""

    facts: Facts
    work: list[Op | Hosted] = field(default_factory=list["Op | Hosted"])

    @property
    def ops(self) -> list[Op]:
        """What the card carries out."""
        return [item for item in self.work if isinstance(item, Op)]

    @property
    def hosted(self) -> list[Hosted]:
        """What the host does."""
        return [item for item in self.work if isinstance(item, Hosted)]


@dataclass(frozen=True)
class Hosted:
    """A node on the host."""

    node: ir.Node
    reason: str


@dataclass
class Refusals:
    """What was found out while lowering: nodes that cannot be on the card, and those that cannot absorb others."""

    nodes: dict[ir.Node, str] = field(default_factory=dict["ir.Node", str])
    fusions: set[ir.Node] = field(default_factory=set["ir.Node"])

    def add(self, op: Op, reason: str) -> None:
        """An operator was refused: first it is tried by itself, then it goes to the host."""
        if op.epilogue.nodes:
            self.fusions.add(op.node)
        else:
            self.nodes[op.node] = reason


def compile_model(model: ir.Model, element: Element, *, no_host: bool = False) -> Plan:
    """The steps of a prepared model, without addresses.

    An operator that its row cannot lower after all goes to the host, and everything is lowered anew.

    Raises Unsupported where a node runs nowhere, or on the host with `no_host`.
    """
    refusals = Refusals()
    while True:
        parts = partition(model, element, refusals, no_host)
        plan = None if parts is None else _lowered(model, parts, refusals)
        if parts is not None and plan is not None:
            if no_host and parts.hosted:
                raise Unsupported(_named(parts.hosted))
            return plan


def partition(model: ir.Model, element: Element, refusals: Refusals, no_host: bool = False) -> Partition | None:
    """Ask the rows, in the order of the nodes; an operator stands where the last node that it absorbs does.

    None where an operator with others was refused, which is then in `refusals`.
    """
    found = Partition(Facts(element, opset=model.opset_imports.get("", 17), no_host=no_host))
    later: dict[ir.Node, Op] = {}
    absorbed: set[ir.Node] = set()
    for node in model.graph:
        op = later.get(node)
        if op is None and node in absorbed:
            continue
        row = row_of(node if op is None else op.node)
        if row is None or node in refusals.nodes:
            found.work.append(Hosted(node, refusals.nodes.get(node, NO_KERNEL)))
            continue
        if op is None:
            op = _op(node, row, found.facts, refusals)
            if op.epilogue.nodes:
                later[op.epilogue.nodes[-1]] = op
                absorbed.update(op.nodes)
                continue
        try:
            _accept(op, row, found.facts)
        except Refused as reason:
            if op.epilogue.nodes:
                refusals.fusions.add(op.node)
                return None
            found.work.append(Hosted(node, str(reason)))
            continue
        found.work.append(op)
    return found


def _op(node: ir.Node, row: Row, facts: Facts, refusals: Refusals) -> Op:
    possible = row.absorbs(node, facts) if node not in refusals.fusions else []
    return Op(node, next(iter(possible), Epilogue(node.outputs[0])))


def _accept(op: Op, row: Row, facts: Facts) -> None:
    facts.floats(*op.outputs)
    channel, element = row.accepts(op, facts), row.element(op, facts)
    for value in op.outputs:
        facts.channels[value] = channel
        facts.elements[value] = element


def _named(hosted: list[Hosted]) -> str:
    names = [f"{item.node.op_type} {item.node.name or item.node.outputs[0].name} ({item.reason})" for item in hosted]
    more = f" and {len(names) - 6} more" if len(names) > 6 else ""
    return f"{len(names)} nodes would run on the host: {', '.join(names[:6])}{more}"


def _lowered(model: ir.Model, parts: Partition, refusals: Refusals) -> Plan | None:
    """The plan; None where a row has refused, which is then in `refusals`."""
    fed = [value for value in model.graph.inputs if value.name not in model.graph.initializers]
    plan = Plan([port_of(value) for value in fed], [port_of(value) for value in model.graph.outputs])
    into = Lowering(parts.facts, stored(parts), plan)
    for value in fed:
        into.given(value)
    plan.nodes = len(list(model.graph))
    for item in parts.work:
        if isinstance(item, Hosted):
            into.host(_host_step(item.node, model, item.reason), item.node)
            continue
        row = row_of(item.node)
        assert row is not None
        try:
            row.lower(item, into)
        except (Refused, ValueError) as reason:  # families raise ValueError for what they do not take
            refusals.add(item, str(reason))
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


def stored(parts: Partition) -> Storage:
    """Borders and shared storage of all values on the card."""
    facts, storage = parts.facts, Storage()
    ops = [(op, row) for op in parts.ops if (row := row_of(op.node)) is not None]
    forms = _forms(ops, facts)
    for value, channel in facts.brought.items():
        storage.add(value, _channels(facts, value, channel), forms.get(value, Form()))
    for op, row in ops:
        for value in op.outputs:
            count = _channels(facts, value, facts.channels[value])
            storage.add(value, count, forms.get(value, Form()), row.pieces(op, facts))
    for op, row in ops:
        storage.share(row.views(op, facts))
    return storage


def _forms(ops: list[tuple[Op, Row]], facts: Facts) -> dict[ir.Value, Form]:
    """What all that read or write a value agree on."""
    borders: dict[ir.Value, int] = {}
    strict: set[ir.Value] = set()
    wide: set[ir.Value] = set(facts.channels)
    seen: dict[ir.Value, None] = {}
    for op, row in ops:
        for index, pad in row.pads(op, facts).items():
            value = op.inputs[index]
            assert value is not None
            borders[value] = max(borders.get(value, 0), pad)
        operands = [*op.inputs, op.epilogue.residual, *op.outputs]
        for value in (item for item in operands if item is not None):
            seen[value] = None
            if not row.loose(op, value):
                strict.add(value)
            if not row.narrow(op, value):
                wide.add(value)
    return {
        value: Form(borders.get(value, 0), value not in strict, SLAB if value in wide else _lanes(value, facts))
        for value in seen
    }


def _lanes(value: ir.Value, facts: Facts) -> int:
    """Lanes for an image that only convolutions read."""
    channel = facts.brought.get(value)
    if channel is None:
        return SLAB
    return next((lanes for lanes in (4, 8, 16) if _channels(facts, value, channel) <= lanes), SLAB)


def _channels(facts: Facts, value: ir.Value, channel: int) -> int:
    shape = facts.shape(value)
    return shape[channel] if shape else 1


def plan_memory(plan: Plan, room: int, rules: Rules, ddr: Rules) -> None:
    """Give transient regions their places. Raises GraphError where SRAM is too small.

    Args:
        plan: gets `offsets` and `arenas`; weights that find room stay in SRAM from run to run.
        room: bytes of SRAM for all.
        rules, ddr: of the two memories.
    """
    fetch_ahead(plan)
    room -= keep_weights(plan, room, rules)
    apart = {constant.region for constant in plan.constants} | set(plan.states.values())
    lived = lives(plan.steps, apart)
    offsets, total = place(lived, "sram", rules)
    check_fits(total, room, lived, rules)
    below, bytes_below = place(lived, "ddr", ddr)
    plan.offsets = offsets | below
    plan.arenas = {"sram": total, "ddr": bytes_below}
