"""What a session tells about its model: launches, card time, nodes on the host."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from openrpp.machine.report import Span


@dataclass(frozen=True)
class HostNode:
    """A node that runs on the host: why, its host seconds in the last run, and their share of the run's host time."""

    name: str
    op: str
    reason: str
    seconds: float
    share: float


@dataclass(frozen=True)
class NodeTime:
    """Card time of a node's launches, without the cost of launching; None where it is not known (`reason`)."""

    name: str
    kernels: tuple[str, ...]
    launches: int
    macs: int
    seconds: Span | None
    peak: float | None
    limiter: str
    reason: str = ""


@dataclass(frozen=True)
class SessionReport:
    """A plan and its last run.

    Attributes:
        shapes: of the inputs.
        nodes: of the model after its passes.
        launches, copies: of the card for one run; each is a node of a replayed graph.
        macs: multiply-accumulates of all launches.
        card: seconds of card time that one run takes, launches included and copies to and from the host not; None
            where the time of a launch is not known.
        edges: seconds of card time of the copies to and from the host.
        unknown: launches whose card time is not known, with the reason.
        peak: share of the card's multiply-accumulate rate, at nominal time.
        sram, ddr: bytes of transient memory; `weights` of constants, `state` of states.
        host_nodes: nodes on the host.
        host_seconds: host time of the last run, `edge_seconds` of it for packing and copying; 0 before the first.
        timed_nodes: card time by node.
    """

    shapes: dict[str, tuple[int | str, ...]]
    nodes: int
    launches: int
    copies: int
    macs: int
    card: Span | None
    edges: Span
    unknown: tuple[str, ...]
    peak: float | None
    sram: int
    ddr: int
    weights: int
    state: int
    host_nodes: tuple[HostNode, ...]
    host_seconds: float
    edge_seconds: float
    timed_nodes: tuple[NodeTime, ...]

    def as_dict(self) -> dict[str, Any]:
        """A JSON-able dictionary."""
        return asdict(self)
