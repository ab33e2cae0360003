"""Plans on a card: memory in its place, launches captured, host nodes between them."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from openrpp.graph.errors import GraphError
from openrpp.graph.host import Evaluator
from openrpp.graph.memory import Rules
from openrpp.graph.plan import CardStep, Constant, Download, HostStep, Move, Plan, Upload, segments
from openrpp.kernels import library
from openrpp.kernels.launch import Argument, At, Launch, MemoryName, Region, Variable
from openrpp.kir.ir import Module
from openrpp.runtime.buffer import Buffer
from openrpp.runtime.card import Card
from openrpp.runtime.errors import OutOfMemory
from openrpp.runtime.graph import Graph
from openrpp.runtime.program import Program
from openrpp.runtime.stream import Event, Stream

RESERVE: Final = 2 << 20
"""Bytes of SRAM that plans leave for what machine code keeps there during a launch."""


class Memory:
    """What the plans of a session share on a card: constants, states, and one arena of each memory."""

    def __init__(self, card: Card) -> None:
        self.card = card
        self.generation = 0
        self._constants: dict[str, Buffer] = {}
        self._states: dict[str, Buffer] = {}
        self._arenas: dict[MemoryName, Buffer] = {}

    @property
    def room(self) -> int:
        """Bytes of SRAM that a plan's transient regions may take."""
        have = self._arenas["sram"].nbytes if "sram" in self._arenas else 0
        return max(self.card.memory_info("sram").largest - RESERVE, have)

    def rules(self, memory: MemoryName) -> Rules:
        """How pieces of a memory are laid out."""
        sram = self.card.arch.sram
        return Rules(sram.alignment.value, sram.guard.value if memory == "sram" else 0)

    def constant(self, constant: Constant) -> Buffer:
        """Where a constant lies; copied to the card once. Raises GraphError where the card is full."""
        found = self._constants.get(constant.key)
        if found is None:
            found = self._constants[constant.key] = self._empty(constant.region)
            self.card.device.write(found.address, constant.content)
        return found

    def state(self, name: str, region: Region) -> Buffer:
        """Where a state lies; zero at first."""
        found = self._states.get(name)
        if found is None:
            found = self._states[name] = self._empty(region)
            self._clear(found)
        return found

    def reset(self) -> None:
        """All states are zero again."""
        for buffer in self._states.values():
            self._clear(buffer)

    def _clear(self, buffer: Buffer) -> None:
        self.card.device.write(buffer.address, np.zeros(buffer.nbytes, np.uint8))

    def _empty(self, region: Region) -> Buffer:
        try:
            return self.card.empty(max(region.bytes, 1), np.uint8, region.memory)
        except OutOfMemory as error:
            raise GraphError(f"the model does not fit the card: {error}") from None

    def arena(self, memory: MemoryName, size: int) -> Buffer:
        """At least `size` bytes for transient regions; a new one makes all addresses before it void."""
        found = self._arenas.get(memory)
        if found is None or found.nbytes < size:
            if found is not None:
                found.free()
                self.generation += 1
            found = self._arenas[memory] = self._empty(Region("arena", size, memory))
        return found


@dataclass
class Times:
    """Host seconds of the last run: in all, of the nodes on the host, of packing and copying."""

    total: float = 0.0
    nodes: dict[str, float] = field(default_factory=dict[str, float])
    edges: float = 0.0


class Runner:
    """One plan on a card."""

    def __init__(self, plan: Plan, memory: Memory, modules: Mapping[str, Module] | None = None) -> None:
        self.plan = plan
        self.card = memory.card
        self.times = Times()
        self._memory = memory
        self._aside = memory.card.stream("weights")
        self._modules = modules or {}
        self._programs: dict[str, Program] = {}
        self._evaluators: dict[int, Evaluator] = {}
        self._graphs: dict[int, Graph] = {}
        self._generation = -1
        self._constants = {constant.region: constant for constant in plan.constants}
        self._state_of = {region: name for name, region in plan.states.items()}
        self._segments = list(segments(plan.steps))
        for name in ("sram", "ddr"):
            if plan.arenas.get(name):
                memory.arena(name, plan.arenas[name])
        for constant in plan.constants:
            memory.constant(constant)

    # --- addresses -----------------------------------------------------------------------------------------------

    def place(self, region: Region) -> tuple[Buffer, int]:
        """The buffer that holds a region, and the offset there."""
        if region in self._constants:
            return self._memory.constant(self._constants[region]), 0
        if region in self._state_of:
            return self._memory.state(self._state_of[region], region), 0
        return self._memory.arena(region.memory, self.plan.arenas[region.memory]), self.plan.offsets[region]

    def view(self, at: At, size: int) -> Buffer:
        """Bytes of a region as a buffer."""
        buffer, offset = self.place(at.region)
        return buffer[offset + at.offset : offset + at.offset + size]

    def value(self, argument: Argument) -> int | float | None:
        """What a launch passes."""
        if isinstance(argument, Variable):
            return argument.value
        if not isinstance(argument, At):
            return argument
        buffer, offset = self.place(argument.region)
        return buffer.address + offset + argument.offset

    def program(self, kernel: str) -> Program:
        """A kernel of the library on the card."""
        if kernel not in self._programs:
            module = self._modules.get(kernel) or library.kernel(kernel)
            self._programs[kernel] = self.card.program(module)
        return self._programs[kernel]

    def issue(self, step: CardStep) -> None:
        """Queue a step on the card's own stream."""
        if isinstance(step, Move):
            self._copy(step, self.card.default_stream)
            return
        symbol = step.kernel.partition("/")[2]
        values = [self.value(argument) for argument in step.arguments]
        self.program(step.kernel)[symbol](step.grid, step.block, *values, shared_bytes=step.shared_bytes)

    def _copy(self, step: Move, stream: Stream) -> None:
        stream.copy(self.view(step.target, step.bytes), self.view(step.source, step.bytes))

    # --- runs ----------------------------------------------------------------------------------------------------

    def graphs(self) -> list[Graph]:
        """The captured steps, one graph for each stretch without the host."""
        if self._generation != self._memory.generation:
            self._graphs.clear()
            self._generation = self._memory.generation
        for index, segment in enumerate(self._segments):
            if isinstance(segment, list) and index not in self._graphs:
                self._graphs[index] = self._captured(segment)
        return [self._graphs[index] for index in sorted(self._graphs)]

    def _captured(self, segment: Sequence[CardStep]) -> Graph:
        """Launches one after another; copies of constants beside them, from where they stand to the first reader."""
        main, aside = self.card.default_stream, self._aside
        coming: dict[Region, Event] = {}
        with self.card.capture(main) as graph:
            for step in segment:
                if isinstance(step, Move) and step.source.region in self._constants:
                    aside.wait(main.record())
                    self._copy(step, aside)
                    coming[step.target.region] = aside.record()
                    continue
                for region in step.reads:
                    if region in coming:
                        main.wait(coming.pop(region))
                self.issue(step)
            for event in coming.values():
                main.wait(event)
        return graph

    def run(self, feed: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """All values that are on the host in the end, by name."""
        begun = time.perf_counter()
        self.times = Times()
        self.graphs()
        values: dict[str, NDArray[Any]] = {**self.plan.literals, **feed}
        for index, segment in enumerate(self._segments):
            if isinstance(segment, list):
                self._graphs[index].launch()
            elif isinstance(segment, HostStep):
                self._on_host(index, segment, values)
            else:
                self._edge(segment, values)
        self.card.synchronize()
        self.times.total = time.perf_counter() - begun
        return values

    def _on_host(self, index: int, step: HostStep, values: dict[str, NDArray[Any]]) -> None:
        begun = time.perf_counter()
        evaluator = self._evaluators.get(index)
        if evaluator is None:
            evaluator = self._evaluators[index] = Evaluator(step.model)
        results = evaluator.run([None if name is None else values[name] for name in step.inputs])
        values.update(zip(step.outputs, results, strict=True))
        self.times.nodes[step.label] = time.perf_counter() - begun

    def _edge(self, step: Upload | Download, values: dict[str, NDArray[Any]]) -> None:
        begun = time.perf_counter()
        stream = self.card.default_stream
        if isinstance(step, Upload):
            packed = step.to.pack(values[step.value])
            stream.copy(self.view(step.to.start, packed.nbytes), packed)
        else:
            content = np.empty(step.source.bytes, np.uint8)
            stream.copy(content, self.view(step.source.start, content.nbytes))
            values[step.value] = step.source.unpack(content)
        self.times.edges += time.perf_counter() - begun


def kernels_of(plan: Plan) -> list[str]:
    """Kernels of the library that a plan needs, in order."""
    return sorted({step.kernel for step in plan.steps if isinstance(step, Launch)})
