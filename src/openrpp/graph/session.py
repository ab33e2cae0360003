"""Sessions: a model on a card, in the shape of onnxruntime's."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from openrpp.graph.errors import GraphError
from openrpp.graph.plan import Plan, Port
from openrpp.graph.report import HostNode, SessionReport
from openrpp.graph.run import Memory, Runner
from openrpp.graph.saved import Compiled, load, save
from openrpp.graph.timing import by_node, time_plan
from openrpp.isa.suggest import did_you_mean
from openrpp.kernels.slabs import Element
from openrpp.kir.ir import Module
from openrpp.runtime.card import Card

if TYPE_CHECKING:
    import onnx_ir as ir

_TYPES: Final[dict[str, str]] = {
    "float": "float32", "double": "float64", "float16": "float16", "int64": "int64", "int32": "int32", "int16": "int16",
    "int8": "int8", "uint64": "uint64", "uint32": "uint32", "uint16": "uint16", "uint8": "uint8", "bool": "bool",
}  # fmt: skip
Shapes = tuple[tuple[str, tuple[int, ...]], ...]


class Session:
    """A model that runs on a card.

    Args:
        model: path of an ONNX file, its bytes, `onnx.ModelProto` or `onnx_ir.Model`.
        card: name of a preset, an architecture file, or a `Card`.
        engine: of a card that is made here; "native", "reference" or "interpreter".
        dtype: what the card computes in, "bf16" or "f32".
        no_host: refuse a model of which nodes would run on the host.
        dims: values for named extents of the inputs; what stays open is bound by each run's arrays.

    A plan is compiled for each set of shapes that comes; weights and states are shared between them.

    Raises GraphError for a model that cannot be read or does not fit the card, Unsupported for operators that cannot
    run.
    """

    def __init__(
        self,
        model: Any,
        card: str | Path | Card = "ae7100",
        engine: str = "native",
        *,
        dtype: Element = "bf16",
        no_host: bool = False,
        dims: Mapping[str, int] | None = None,
    ) -> None:
        if dtype not in ("bf16", "f32"):
            raise GraphError(f"dtype {dtype!r} is not known; there are bf16 and f32")
        self.dtype: Element = dtype
        self.no_host = no_host
        self.card = card if isinstance(card, Card) else Card(card, engine, keep_timeline=False)
        self._dims = dict(dims or {})
        self._memory = Memory(self.card)
        self._runners: dict[Shapes, Runner] = {}
        self._last: Runner | None = None
        self._model: ir.Model | None = None
        self._modules: Mapping[str, Module] = {}
        if isinstance(model, Compiled):
            self._take(model)
        else:
            self._read(model)
        if all(isinstance(extent, int) for port in self._inputs for extent in port.shape):
            self._last = self._runner({})

    def _read(self, source: Any) -> None:
        from openrpp.graph.compile import port_of
        from openrpp.graph.prepare import check_operators
        from openrpp.graph.source import read_model

        model = self._model = read_model(source)
        check_operators(model)
        fed = [value for value in model.graph.inputs if value.name not in model.graph.initializers]
        self._inputs = [self._bound(port_of(value)) for value in fed]
        self._outputs = [self._bound(port_of(value)) for value in model.graph.outputs]

    def _take(self, compiled: Compiled) -> None:
        self.dtype, self._modules = compiled.dtype, compiled.modules
        self._inputs, self._outputs = list(compiled.inputs), list(compiled.outputs)
        for plan in compiled.plans:
            self._runners[_key({port.name: port.shape for port in plan.inputs})] = self._runner_of(plan)

    @classmethod
    def load(cls, path: str | Path, card: str | Path | Card = "ae7100", engine: str = "native") -> Session:
        """A compiled model that `save` has written; needs no clang, and onnx only for nodes on the host.

        Raises GraphError and OSError.
        """
        return cls(load(Path(path)), card, engine)

    def save(self, path: str | Path) -> None:
        """Write the plans that were compiled so far, with weights and kernels.

        Raises GraphError where there is none yet, and OSError.
        """
        if not self._runners:
            raise GraphError("nothing is compiled yet, since the model has open extents; run it once, or give dims")
        plans = [runner.plan for runner in self._runners.values()]
        save(Path(path), Compiled(self.dtype, self._inputs, self._outputs, plans, self._modules))

    def _bound(self, port: Port) -> Port:
        return Port(port.name, tuple(self._dims.get(str(extent), extent) for extent in port.shape), port.type)

    def get_inputs(self) -> list[Port]:
        """Inputs that a run needs: name, shape (names for open extents), type."""
        return list(self._inputs)

    def get_outputs(self) -> list[Port]:
        """Outputs."""
        return list(self._outputs)

    def run(self, output_names: Sequence[str] | None, feed: Mapping[str, Any]) -> list[NDArray[Any]]:
        """Outputs by name (None: all, in order) for arrays by input name.

        Raises GraphError for arrays that do not fit the inputs.
        """
        names = self._named(output_names)
        arrays = {port.name: self._array(port, feed) for port in self._inputs}
        self._refuse_strangers(feed)
        runner = self._last = self._runner({name: array.shape for name, array in arrays.items()})
        values = runner.run(arrays)
        return [values[name] for name in names]

    def report(self, shapes: Mapping[str, tuple[int, ...]] | None = None) -> SessionReport:
        """Launches, card time and host nodes of the plan that ran last, or of that for some input shapes."""
        return report_of(self._asked(shapes))

    def host_nodes(self, shapes: Mapping[str, tuple[int, ...]] | None = None) -> tuple[HostNode, ...]:
        """Nodes that run on the host; needs no card time."""
        return hosts_of(self._asked(shapes))

    def plan(self, shapes: Mapping[str, tuple[int, ...]] | None = None) -> Plan:
        """The steps of the plan that ran last, or of that for some input shapes."""
        return self._asked(shapes).plan

    def _asked(self, shapes: Mapping[str, tuple[int, ...]] | None) -> Runner:
        runner = self._last if shapes is None else self._runner(dict(shapes))
        if runner is None:
            raise GraphError("nothing has run yet, and the model has open extents; give shapes")
        return runner

    def _named(self, names: Iterable[str] | None) -> list[str]:
        known = [port.name for port in self._outputs]
        chosen = known if names is None else list(names)
        for name in chosen:
            if name not in known:
                raise GraphError(
                    f"there is no output {name}{did_you_mean(name, known) or '; there are ' + ', '.join(known)}"
                )
        return chosen

    def _array(self, port: Port, feed: Mapping[str, Any]) -> NDArray[Any]:
        if port.name not in feed:
            raise GraphError(f"input {port.name} is missing; it is {port.type} {list(port.shape)}")
        array = np.asarray(feed[port.name])
        wanted = _TYPES.get(port.type.removeprefix("tensor(").removesuffix(")"))
        if wanted is None or array.dtype != np.dtype(wanted):
            raise GraphError(f"input {port.name} is {port.type}, not {array.dtype}")
        fits = len(array.shape) == len(port.shape) and all(
            not isinstance(extent, int) or extent == given
            for extent, given in zip(port.shape, array.shape, strict=True)
        )
        if not fits:
            raise GraphError(f"input {port.name} has shape {list(port.shape)}, not {list(array.shape)}")
        return array

    def _refuse_strangers(self, feed: Mapping[str, Any]) -> None:
        known = [port.name for port in self._inputs]
        for name in feed:
            if name not in known:
                raise GraphError(
                    f"there is no input {name}{did_you_mean(name, known) or '; there are ' + ', '.join(known)}"
                )

    def _runner(self, shapes: Mapping[str, tuple[int, ...]]) -> Runner:
        full = {port.name: shapes.get(port.name, port.shape) for port in self._inputs}
        key = _key(full)
        found = self._runners.get(key)
        if found is None:
            found = self._runners[key] = self._runner_of(self._compiled(dict(key)))
        return found

    def _runner_of(self, plan: Plan) -> Runner:
        return Runner(plan, self._memory, self._modules)

    def _compiled(self, shapes: Mapping[str, tuple[int, ...]]) -> Plan:
        from openrpp.graph.compile import compile_model, plan_memory
        from openrpp.graph.prepare import bind, prepare

        if self._model is None:
            known = "; ".join(_shown(key) for key in self._runners)
            raise GraphError(f"the compiled model has no plan for {_shown(_key(shapes))}; there is {known}")
        model = self._model.clone()
        bind(model, self._dims, shapes)
        prepare(model)
        plan = compile_model(model, self.dtype, no_host=self.no_host)
        for constant in plan.constants:
            if constant.region.memory == "sram":
                self._memory.constant(constant)
        plan_memory(plan, self._memory.room, self._memory.rules("sram"), self._memory.rules("ddr"))
        return plan


def _key(shapes: Mapping[str, tuple[int | str, ...]]) -> Shapes:
    return tuple(sorted((name, tuple(int(extent) for extent in shape)) for name, shape in shapes.items()))


def _shown(key: Shapes) -> str:
    return ", ".join(f"{name} {list(shape)}" for name, shape in key)


def hosts_of(runner: Runner) -> tuple[HostNode, ...]:
    """Nodes on the host, with their times in the last run."""
    times = runner.times
    return tuple(
        HostNode(step.label, step.op, step.reason, seconds, seconds / times.total if times.total else 0.0)
        for step in runner.plan.host_steps
        for seconds in (times.nodes.get(step.label, 0.0),)
    )


def report_of(runner: Runner) -> SessionReport:
    """What a plan takes, and how its last run went."""
    plan, array = runner.plan, runner.card.arch.array
    timing = time_plan(runner)
    macs = sum(launch.macs for launch in plan.launches)
    rate = array.lanes.value * array.columns.value * array.bf16_macs_per_lane.value * runner.card.schedule.hertz
    times, card = runner.times, timing.card
    return SessionReport(
        shapes={port.name: port.shape for port in plan.inputs},
        nodes=plan.nodes,
        launches=len(plan.launches),
        copies=len(plan.moves),
        macs=macs,
        card=card,
        edges=timing.edges,
        unknown=timing.unknown,
        peak=macs / rate / card.nominal if card and card.nominal and macs else None,
        sram=plan.arenas.get("sram", 0),
        ddr=plan.arenas.get("ddr", 0),
        weights=sum(constant.region.bytes for constant in plan.constants),
        state=sum(region.bytes for region in plan.states.values()),
        host_nodes=hosts_of(runner),
        host_seconds=times.total,
        edge_seconds=times.edges,
        timed_nodes=by_node(plan.launches, timing.taken, rate),
    )
