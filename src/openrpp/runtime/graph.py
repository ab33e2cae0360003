"""Graphs: launches and copies that are captured once and replayed at the launch cost of graph nodes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Any, cast, overload

from openrpp.machine.report import LaunchReport
from openrpp.runtime.card_time import CardTime
from openrpp.runtime.engines import Call, Ran
from openrpp.runtime.errors import CaptureError
from openrpp.runtime.graph_time import GraphTime, timed
from openrpp.runtime.operations import CopyOperation
from openrpp.runtime.program import Operation, ProgramOperation, ProgramReport
from openrpp.runtime.schedule import Frontier, joined

if TYPE_CHECKING:
    from openrpp.runtime.card import Card
    from openrpp.runtime.replay import Stretch
    from openrpp.runtime.stream import Stream


_Report = LaunchReport | ProgramReport
_Left = tuple[ProgramOperation, Call, Ran | float, CardTime | None]
"""What a kernel that ran leaves for its report: operation, launch, result or seconds, card time if it is known."""


class Reports(Sequence[_Report]):
    """The reports of a replay, each made when it is first looked at: a graph may have many nodes."""

    def __init__(self, card: Card, found: Sequence[_Report | _Left]) -> None:
        self._card = card
        self._found = list(found)

    def __len__(self) -> int:
        return len(self._found)

    @overload
    def __getitem__(self, index: int) -> _Report: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[_Report, ...]: ...
    def __getitem__(self, index: int | slice) -> _Report | tuple[_Report, ...]:
        """A report, or several."""
        if isinstance(index, slice):
            return tuple(self[place] for place in range(*index.indices(len(self))))
        found = self._found[index]
        if isinstance(found, tuple):
            operation, call, ran, taken = found
            result = ran if isinstance(ran, Ran) else Ran("", 0, ran, taken)
            found = self._found[index] = operation.report(self._card, call, result, 0.0)
        return found

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and tuple(self) == tuple(cast("Sequence[object]", other))

    __hash__ = None  # type: ignore[assignment]  # like a list's, its elements are filled in

    def __repr__(self) -> str:
        return f"Reports({len(self)})"


@dataclass(frozen=True, eq=False)
class Node:
    """An operation of a graph. `after` are the indices of the nodes that it waits for."""

    graph: Graph
    index: int
    after: tuple[int, ...]
    operation: Operation

    @property
    def kind(self) -> str:
        """ "kernel" or "copy"."""
        return "copy" if isinstance(self.operation, CopyOperation) else "kernel"

    @property
    def name(self) -> str:
        """Kernel name, or what is copied."""
        return self.operation.name

    def update(self, **args: Any) -> None:
        """Change arguments of a kernel node by parameter name, for replays from now on.

        Raises LaunchError for an unknown name or an unfit value, CaptureError for a copy.
        """
        if isinstance(self.operation, CopyOperation):
            raise CaptureError(f"node {self.index} ({self.name}) is a copy and has no arguments")
        self.operation.update(self.graph.card, args)

    def __repr__(self) -> str:
        return f"Node({self.index}, {self.kind} {self.name}, after {list(self.after)})"


class Graph:
    """What `with card.capture(stream) as graph:` has noted. Buffers that it uses stay alive with it."""

    def __init__(self, card: Card) -> None:
        self.card = card
        self.complete = False
        self._nodes: list[Node] = []
        self._arranged: list[Node | Stretch] | None = None

    @property
    def nodes(self) -> tuple[Node, ...]:
        """All nodes in the order of capture."""
        return tuple(self._nodes)

    def add(self, after: tuple[int, ...], operation: Operation) -> int:
        """Append a node; its index."""
        self._nodes.append(Node(self, len(self._nodes), after, operation))
        return len(self._nodes) - 1

    def launch(self, stream: Stream | None = None) -> Reports:
        """Replay all nodes on a stream (the card's own by default); the kernels' reports, in the order of capture.

        Raises CaptureError for an unfinished or failed capture, or a captured stream, and what launches raise.
        """
        target = stream or self.card.default_stream
        if not self.complete:
            raise CaptureError("the graph's capture has not ended, or ended with an error")
        if target.card is not self.card:
            raise CaptureError("the stream belongs to another card than the graph")
        if target.capture is not None:
            raise CaptureError(f"stream {target.name} is being captured; a graph cannot be a node of a graph")
        for node in self._nodes:
            node.operation.check(self.card)
        return self._replay(target)

    def time(self) -> GraphTime:
        """Card time of a replay with the arguments as they are, on a card that does nothing else. Nothing runs.

        Machine code is compiled and walked without data, each launch once. Raises what `launch` raises but for faults.
        """
        if not self.complete:
            raise CaptureError("the graph's capture has not ended, or ended with an error")
        return timed(self.card, self._nodes)

    def _replay(self, stream: Stream) -> Reports:
        start = stream.frontier
        ends: list[Frontier] = []
        reports: list[_Report | _Left] = []
        for part in self._parts():
            if isinstance(part, Node):
                end, report = part.operation.issue(self.card, self._before(part, ends, start), stream.name, "graph")
                ends.append(end)
                if report is not None:
                    reports.append(report)
            else:
                reports += self._stretch(part, ends, start, stream.name)
        waited_for = {index for node in self._nodes for index in node.after}
        last = [end for index, end in enumerate(ends) if index not in waited_for]
        if last:
            stream.frontier = joined(last)
        return Reports(self.card, reports)

    def _parts(self) -> Sequence[Node | Stretch]:
        """Nodes, or stretches of them that the native engine runs as one."""
        if self.card.engine != "native":
            return self._nodes
        if self._arranged is None:
            from openrpp.runtime.replay import Stretch

            self._arranged = []
            for is_kernel, group in groupby(self._nodes, lambda node: isinstance(node.operation, ProgramOperation)):
                nodes = tuple(group)
                self._arranged += [Stretch(self.card, nodes)] if is_kernel else nodes
        return self._arranged

    def _stretch(self, stretch: Stretch, ends: list[Frontier], start: Frontier, stream: str) -> list[_Report | _Left]:
        """Run a stretch, then put it into the schedule; what its kernels left."""
        rans, schedule = stretch.run(), self.card.schedule
        chain = stretch.chain(schedule)
        if chain:
            before = self._before(stretch.nodes[0], ends, start)
            end = Frontier((schedule.submit(stretch.nodes[0].name, stream, chain, before.all),))
            ends += [end] * len(rans)
            self.card.untimed += len(rans)
        left: list[_Report | _Left] = []
        for node, call, ran, taken in zip(stretch.nodes, stretch.calls, rans, stretch.taken, strict=True):
            operation = cast("ProgramOperation", node.operation)
            if not chain:
                learned = ran.taken if isinstance(ran, Ran) else taken
                ends.append(operation.scheduled(self.card, learned, self._before(node, ends, start), stream, "graph"))
            left.append((operation, call, ran, taken))
        return left

    def _before(self, node: Node, ends: list[Frontier], start: Frontier) -> Frontier:
        """What a node waits for, given the ends of those before it."""
        return joined([ends[index] for index in node.after]) if node.after else start


class Capture:
    """A capture in progress: which streams take part, and the nodes that the next operation of each waits for."""

    def __init__(self, graph: Graph, stream: Stream) -> None:
        self.graph = graph
        self.active = True
        self._heads: dict[Stream, tuple[int, ...]] = {}
        self.join(stream, ())

    def join(self, stream: Stream, nodes: tuple[int, ...]) -> None:
        """A stream takes part from now on, behind some nodes. Raises CaptureError if it cannot."""
        if not self.active:
            raise CaptureError("the event was recorded in a capture that is over")
        if stream.capture not in (None, self):
            raise CaptureError(f"stream {stream.name} is being captured already")
        stream.capture = self
        self._heads[stream] = tuple(dict.fromkeys((*self._heads.get(stream, ()), *nodes)))

    def heads(self, stream: Stream) -> tuple[int, ...]:
        """Nodes that the stream's next operation waits for."""
        return self._heads[stream]

    def add(self, stream: Stream, operation: Operation) -> None:
        """Note an operation."""
        self._heads[stream] = (self.graph.add(self._heads[stream], operation),)

    def end(self, complete: bool) -> None:
        """Let go of all streams."""
        self.active = False
        self.graph.complete = complete
        for stream in self._heads:
            stream.capture = None
