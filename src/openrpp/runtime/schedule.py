"""Card time: the same work on three clocks, at the low, nominal and high end of the card's figures."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from openrpp.arch import Card as Arch
from openrpp.machine.report import Span
from openrpp.runtime.clock import Clock, Engine, Notice, Task
from openrpp.runtime.costs import Costs, Plan, costs_of


@dataclass(frozen=True, eq=False)
class Work:
    """Queued work: its task on each clock."""

    tasks: tuple[Task, Task, Task]

    @property
    def finish(self) -> Span | None:
        """When it is over, in seconds of card time; None while any clock has not got there."""
        low, nominal, high = (task.finish for task in self.tasks)
        if low is None or nominal is None or high is None:
            return None
        return Span(low, nominal, high)


@dataclass(frozen=True)
class Frontier:
    """What the next operation of a stream waits for.

    `tails` are transfers that outlive the kernels that started them: kernels run beside them, all else waits.
    """

    works: tuple[Work, ...] = ()
    tails: tuple[Work, ...] = ()

    @property
    def all(self) -> tuple[Work, ...]:
        """Everything that is still under way."""
        return (*self.works, *self.tails)

    def joined(self, other: Frontier) -> Frontier:
        """Both."""
        return Frontier(_union(self.works, other.works), _union(self.tails, other.tails))


def _union(first: tuple[Work, ...], second: tuple[Work, ...]) -> tuple[Work, ...]:
    return (*first, *(work for work in second if work not in first))


def joined(frontiers: Sequence[Frontier]) -> Frontier:
    """All of several."""
    result = frontiers[0]
    for frontier in frontiers[1:]:
        result = result.joined(frontier)
    return result


class Schedule:
    """The card's engines and three clocks. `notify`, if given, gets what happens on the nominal one."""

    def __init__(self, arch: Arch, notify: Callable[[Notice], object] | None) -> None:
        self.hertz = arch.clock.core.value * 1e6
        self.costs: tuple[Costs, Costs, Costs] = costs_of(arch)
        engines: dict[Engine, int] = {
            "queue": 1, "array": 1, "link in": 1, "link out": 1, "dma": arch.dma.channels.value,
        }  # fmt: skip
        hooks = (None, notify, None)
        low, nominal, high = (Clock(engines, end.ddr_rate, hook) for end, hook in zip(self.costs, hooks, strict=True))
        self.clocks = (low, nominal, high)

    def submit(self, name: str, stream: str, plan: Plan, after: Iterable[Work]) -> Work:
        """Queue work behind other work on all three clocks."""
        before = tuple(after)
        low, nominal, high = (
            clock.submit(name, stream, phases, [work.tasks[end] for work in before])
            for end, (clock, phases) in enumerate(zip(self.clocks, plan, strict=True))
        )
        return Work((low, nominal, high))

    def mark(self, name: str, stream: str, after: Iterable[Work]) -> Work:
        """A point in time: takes none itself."""
        return self.submit(name, stream, ((), (), ()), after)

    def wait(self, work: Work) -> Span:
        """The host waits for work: each clock goes on to its end. The time of that end in seconds."""
        low, nominal, high = (clock.run_until(task) for clock, task in zip(self.clocks, work.tasks, strict=True))
        return Span(low, nominal, high)

    def drain(self) -> Span:
        """The host waits for everything."""
        low, nominal, high = (clock.drain() for clock in self.clocks)
        return Span(low, nominal, high)

    @property
    def now(self) -> Span:
        """Seconds of card time so far on each clock."""
        low, nominal, high = (clock.now for clock in self.clocks)
        return Span(low, nominal, high)
