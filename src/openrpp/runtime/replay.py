"""Replays of graphs on the native engine: neighbouring kernels run as one list in compiled code."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from openrpp.codegen.host import HostMemory, Prepared, Replay, ReplayStopped
from openrpp.runtime.card_time import CardTime
from openrpp.runtime.costs import Plan, launch_costs
from openrpp.runtime.engines import Call, Ran
from openrpp.runtime.errors import KernelFault
from openrpp.runtime.native import compiled, host_memory, run_native
from openrpp.runtime.schedule import Schedule

if TYPE_CHECKING:
    from openrpp.runtime.card import Card
    from openrpp.runtime.graph import Node
    from openrpp.runtime.program import ProgramOperation


@dataclass
class _Ready:
    """An operation of a stretch as it was last made ready."""

    operation: ProgramOperation
    call: Call | None = None
    prepared: Prepared | None = None
    taken: CardTime | None = None
    without_time: bool = False  # its machine code cannot run here, so its card time stays unknown

    @property
    def is_plain(self) -> bool:
        """Whether it can stand in a list."""
        return self.prepared is not None and self.prepared.is_plain


@dataclass(frozen=True)
class _List:
    """Neighbouring nodes from number `first` on that run as a list, or one node that does not."""

    first: int
    count: int
    replay: Replay | None


class Stretch:
    """Launches of kernel IR that follow each other in a graph.

    What is checked, compiled and packed for a launch is kept until its arguments change.
    """

    def __init__(self, card: Card, nodes: Sequence[Node]) -> None:
        self._card = card
        self.nodes = nodes
        self._ready = [_Ready(cast("ProgramOperation", node.operation)) for node in nodes]
        self._memory: HostMemory | None = None
        self._lists: list[_List] = []
        self._chain: tuple[Plan | None] | None = None

    def run(self) -> list[Ran | float]:
        """Run all; what each leaves, or just the seconds of host time that a kernel took which leaves nothing.

        Raises what launches raise.
        """
        self._make_ready()
        found: list[Ran | float] = []
        for part in self._lists:
            nodes = self._ready[part.first : part.first + part.count]
            found += self._replayed(part.replay, nodes) if part.replay else [self._alone(nodes[0])]
        return found

    @property
    def calls(self) -> list[Call]:
        """The launches as they last ran."""
        return [node.call for node in self._ready if node.call]

    @property
    def taken(self) -> list[CardTime | None]:
        """Card time of the launches, where the card is timed."""
        return [node.taken for node in self._ready]

    def chain(self, schedule: Schedule) -> Plan | None:
        """The phases of all launches, if each waits for the one before only and none has known card time."""
        if self._card.timed:
            return None
        if self._chain is None:
            first = self.nodes[0].index
            linear = all(node.after == (first + place - 1,) for place, node in enumerate(self.nodes) if place)
            names = [node.name for node in self.nodes]
            self._chain = (launch_costs(schedule.costs, "graph", names) if linear else None,)
        return self._chain[0]

    # --- making ready ---------------------------------------------------------------------------------------------

    def _make_ready(self) -> None:
        memory = host_memory(self._card)
        anew = memory is not self._memory or not self._lists
        self._memory = memory
        changed: list[int] = []
        try:
            for index, node in enumerate(self._ready):
                call = node.operation.call(self._card)
                if anew or call is not node.call:
                    self._prepare(node, call, memory, anew)
                    changed.append(index)
            if changed and (anew or not all(self._replace(index) for index in changed)):
                self._arrange()
        except BaseException:
            self._lists = []  # what was changed is not in the lists yet
            raise

    def _prepare(self, node: _Ready, call: Call, memory: HostMemory, anew: bool) -> None:
        card, before = self._card, node.call
        node.call = call
        node.taken = node.operation.foreseen(card, call)
        if node.taken is not None and not node.taken.launches and not node.without_time:
            node.prepared = None
            return
        kernel = compiled(call)
        numbers = _numbers_changed(before, call) if before and node.prepared and not anew else None
        if numbers is not None and node.prepared:
            for index in numbers:
                kernel.change(node.prepared, index, call.values[index])
        else:
            node.prepared = kernel.prepare(
                call.grid,
                call.values,
                memory,
                shared_bytes=call.shared_bytes,
                symbols=call.variables,
                workers=card.workers,
            )

    def _replace(self, index: int) -> bool:
        """Put a changed node into its list; False where the lists must be made anew."""
        node = self._ready[index]
        part = next(part for part in self._lists if part.first <= index < part.first + part.count)
        if part.replay is None:
            return not node.is_plain
        return node.prepared is not None and part.replay.change(index - part.first, node.prepared)

    def _arrange(self) -> None:
        self._lists = []
        start = 0
        while start < len(self._ready):
            end = start
            while end < len(self._ready) and self._ready[end].is_plain:
                end += 1
            if end > start:
                self._lists.append(_List(start, end - start, self._list(self._ready[start:end])))
            else:
                end += 1
                self._lists.append(_List(start, 1, None))
            start = end

    def _list(self, nodes: Sequence[_Ready]) -> Replay:
        calls = [node.call for node in nodes if node.call]
        launches = [node.prepared for node in nodes if node.prepared]
        return Replay(launches, compiled(calls[0]).tier, calls[0].store)

    # --- running --------------------------------------------------------------------------------------------------

    def _replayed(self, replay: Replay, nodes: Sequence[_Ready]) -> list[float]:
        begun = time.perf_counter()
        try:
            replay.run(self._card.workers)
        except ReplayStopped as error:
            call, stopped = nodes[error.index].call, error.stopped
            assert call is not None
            place = str(stopped.location) if stopped.location else ""
            raise KernelFault(call.name, stopped.sentence, place, stopped.output) from None
        seconds = time.perf_counter() - begun
        ticks = replay.ticks
        return (ticks * (seconds / max(int(ticks.sum()), 1))).tolist()

    def _alone(self, node: _Ready) -> Ran:
        assert node.call is not None
        if node.taken is not None and not node.taken.launches and not node.without_time:
            ran = node.operation.timed_natively(self._card, node.call)
            if ran is not None:
                return ran
            node.without_time = True
            self._lists = []  # it may stand in one from now on
        ran = run_native(self._card, node.call)
        return ran._replace(taken=node.taken)


def _numbers_changed(before: Call, after: Call) -> list[int] | None:
    """The numbers of the arguments in which two launches of an operation differ; None if one of them is a pointer."""
    pairs = enumerate(zip(before.values, after.values, strict=True))
    changed = [index for index, (one, other) in pairs if one is not other]
    params = after.module.kernels[after.symbol].params
    return None if any(params[index].type.is_pointer for index in changed) else changed
