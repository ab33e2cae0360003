"""Card time of a graph that does not run: its nodes on clocks of their own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from openrpp.machine.faults import LaunchError
from openrpp.machine.report import Span
from openrpp.runtime.card_time import CardTime
from openrpp.runtime.machine_code import foreseen_time
from openrpp.runtime.operations import CopyOperation, KernelOperation
from openrpp.runtime.overlap import submit_launch
from openrpp.runtime.schedule import Frontier, Schedule, joined

if TYPE_CHECKING:
    from openrpp.runtime.card import Card
    from openrpp.runtime.graph import Node


@dataclass(frozen=True)
class GraphTime:
    """What a replay takes on an idle card.

    Attributes:
        seconds: from its start to its end, costs of launches and copies included; None where a kernel's time is not
            known.
        taken: card time of each kernel node, in the order of capture.
        unknown: why times are not known, one sentence per kernel.
    """

    seconds: Span | None
    taken: tuple[CardTime, ...]
    unknown: tuple[str, ...]

    @property
    def launches(self) -> int:
        """Launches of the card."""
        return sum(len(taken.launches) for taken in self.taken)


def timed(card: Card, nodes: Sequence[Node]) -> GraphTime:
    """Put nodes into a schedule of their own. Raises LaunchError and BufferFreed."""
    schedule = Schedule(card.arch, None)
    ends: list[Frontier] = []
    times: list[CardTime] = []
    unknown: dict[str, None] = {}
    for node in nodes:
        before = joined([ends[index] for index in node.after]) if node.after else Frontier()
        if isinstance(node.operation, CopyOperation):
            ends.append(node.operation.submit(schedule, before, ""))
            continue
        end, taken = _kernel(card, schedule, node, before)
        ends.append(end)
        times.append(taken)
        if not taken.launches:
            unknown[f"{node.name}: {taken.reason}"] = None
    span = schedule.drain()
    return GraphTime(None if unknown else span, tuple(times), tuple(unknown))


def _kernel(card: Card, schedule: Schedule, node: Node, before: Frontier) -> tuple[Frontier, CardTime]:
    operation = node.operation
    if isinstance(operation, KernelOperation):
        try:
            report = operation.foreseen(card)
        except LaunchError as error:
            return before, CardTime(reason=str(error))
        return submit_launch(schedule, report, node.name, "", "graph", before), CardTime((report,))
    assert not isinstance(operation, CopyOperation)
    taken = foreseen_time(card, operation.call(card))
    return operation.submit(schedule, taken, before, "", "graph"), taken
