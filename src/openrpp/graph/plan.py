"""What a model becomes: steps on the card and on the host, and where their memory lies. Nothing here needs onnx."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from numpy.typing import NDArray

from openrpp.graph.layout import Flat, Tensor
from openrpp.kernels.launch import At, Launch, MemoryName, Region

Shape = tuple[int | str, ...]


@dataclass(frozen=True)
class Port:
    """An input or output: `shape` has names for extents that are open, `type` is ONNX's name such as tensor(float)."""

    name: str
    shape: Shape
    type: str


@dataclass(frozen=True)
class HostStep:
    """A node that runs on the host.

    Attributes:
        label: name of the node.
        op: its operator.
        reason: why it is not on the card.
        model: a protobuf model of this node (`openrpp.graph.host`).
        inputs, outputs: names of values on the host; None for an input that is left out.
    """

    label: str
    op: str
    reason: str
    model: bytes
    inputs: tuple[str | None, ...]
    outputs: tuple[str, ...]


@dataclass(frozen=True)
class Upload:
    """A value of the host is packed and copied to the card."""

    value: str
    to: Tensor | Flat


@dataclass(frozen=True)
class Download:
    """A value of the card is copied to the host and unpacked."""

    source: Tensor | Flat
    value: str


@dataclass(frozen=True)
class Move:
    """A copy on the card, by DMA."""

    target: At
    source: At
    bytes: int
    node: str = ""

    @property
    def reads(self) -> tuple[Region, ...]:
        """The region that it reads."""
        return (self.source.region,)

    @property
    def writes(self) -> tuple[Region, ...]:
        """The region that it writes."""
        return (self.target.region,)


CardStep = Launch | Move
Step = CardStep | HostStep | Upload | Download


@dataclass(frozen=True)
class Constant:
    """A region with content that never changes. Equal keys have equal contents, in all plans of a session."""

    region: Region
    key: str
    content: NDArray[Any]


@dataclass
class Plan:
    """A compiled model for one set of shapes.

    Attributes:
        inputs, outputs: as the model names them, shapes bound.
        steps: in order.
        constants: weights and tables.
        states: regions that keep what they hold from run to run, by the name of the input that they stand for.
        offsets: where transient regions lie in the arena of their memory.
        arenas: bytes of the arenas.
        literals: outputs that are known without running.
        nodes: nodes of the model after its passes.
    """

    inputs: list[Port]
    outputs: list[Port]
    steps: list[Step] = field(default_factory=list[Step])
    constants: list[Constant] = field(default_factory=list[Constant])
    states: dict[str, Region] = field(default_factory=dict[str, Region])
    offsets: dict[Region, int] = field(default_factory=dict[Region, int])
    arenas: dict[MemoryName, int] = field(default_factory=dict[MemoryName, int])
    literals: dict[str, NDArray[Any]] = field(default_factory=dict[str, NDArray[Any]])
    nodes: int = 0

    @property
    def launches(self) -> list[Launch]:
        """All launches, in order."""
        return [step for step in self.steps if isinstance(step, Launch)]

    @property
    def moves(self) -> list[Move]:
        """All copies on the card, in order."""
        return [step for step in self.steps if isinstance(step, Move)]

    @property
    def host_steps(self) -> list[HostStep]:
        """All nodes that run on the host."""
        return [step for step in self.steps if isinstance(step, HostStep)]


def touched(step: Step) -> tuple[Region, ...]:
    """Regions that a step reads or writes."""
    if isinstance(step, Upload):
        return (step.to.region,)
    if isinstance(step, Download):
        return (step.source.region,)
    return () if isinstance(step, HostStep) else (*step.reads, *step.writes)


def segments(steps: list[Step]) -> Iterator[list[CardStep] | HostStep | Upload | Download]:
    """Steps with those that follow each other on the card put together."""
    group: list[CardStep] = []
    for step in steps:
        if isinstance(step, Launch | Move):
            group.append(step)
            continue
        if group:
            yield group
            group = []
        yield step
    if group:
        yield group
