"""One virtual clock: a discrete-event simulation of what the card's engines are busy with.

Work is a chain of phases. A phase waits for its engines in the order of readiness, holds them, and gives them back at
its end. DDR is shared: phases that move data ask for a rate, and each gets its fair share (max-min) of what DDR
sustains; a phase that gets less than it asks for takes longer in proportion. Time passes only while the host waits
for something, so work that is queued later never changes what has been reported already.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

Engine = Literal["queue", "array", "link in", "link out", "dma"]


@dataclass(frozen=True)
class Phase:
    """A stretch of work.

    It takes `delay` seconds that nothing stretches, then `seconds` at full speed, during which it asks DDR for `ddr`
    bytes per second. `track` is the name of the engine as a timeline shows it, `name` that of the phase if it is not
    its task's.
    """

    track: str
    engines: tuple[Engine, ...]
    delay: float = 0.0
    seconds: float = 0.0
    ddr: float = 0.0
    nbytes: int = 0
    name: str = ""


@dataclass(frozen=True)
class Record:
    """A phase that is over: what ran where, in seconds of nominal card time.

    `engine` is "host queue", "array", "link in", "link out", "DMA in" or "DMA out"; `unit` the DMA channel (else 0).
    """

    engine: str
    name: str
    start: float
    end: float
    stream: str = ""
    unit: int = 0
    nbytes: int = 0


@dataclass(frozen=True)
class DdrRate:
    """From `time` (seconds of nominal card time) on, DDR moves this many bytes per second."""

    time: float
    rate: float


Notice = Record | DdrRate


@dataclass(eq=False)
class Task:
    """Work on one clock. `finish` is None until its last phase is over."""

    name: str
    stream: str
    phases: tuple[Phase, ...]
    waits: int = 0
    finish: float | None = None
    followers: list[Task] = field(default_factory=list["Task"])
    at: int = 0  # index of the phase in progress
    started: float = 0.0
    delay: float = 0.0
    left: float = 0.0
    units: dict[Engine, int] = field(default_factory=dict[Engine, int])

    @property
    def phase(self) -> Phase:
        """The phase in progress."""
        return self.phases[self.at]


def fair_shares(demands: Sequence[float], capacity: float) -> list[float]:
    """Max-min fair split of a rate: nobody gets more than it asks for, and what it leaves goes to the others."""
    shares = [0.0] * len(demands)
    left, waiting = capacity, len(demands)
    for index in sorted(range(len(demands)), key=demands.__getitem__):
        shares[index] = min(demands[index], left / waiting)
        left -= shares[index]
        waiting -= 1
    return shares


class Clock:
    """Card time at one end of the card's intervals.

    Args:
        engines: how many of each engine there are.
        ddr: bytes per second that DDR sustains.
        notify: called with every finished phase and every change of the DDR rate, in order of time.
    """

    def __init__(
        self, engines: Mapping[Engine, int], ddr: float, notify: Callable[[Notice], object] | None = None
    ) -> None:
        self.now = 0.0
        self.ddr = ddr
        self._notify = notify
        self._free = {engine: list(range(count)) for engine, count in engines.items()}
        self._ready: list[Task] = []
        self._running: list[Task] = []
        self._ddr_rate = 0.0

    def submit(self, name: str, stream: str, phases: Iterable[Phase], after: Iterable[Task]) -> Task:
        """Queue work behind other work, not before now."""
        task = Task(name, stream, tuple(phases))
        for earlier in after:
            if earlier.finish is None:
                earlier.followers.append(task)
                task.waits += 1
        if not task.waits:
            self._make_ready(task)
        return task

    def run_until(self, task: Task) -> float:
        """Let time pass until a task is over; its end in seconds."""
        while task.finish is None:
            self._step()
        return task.finish

    def drain(self) -> float:
        """Let time pass until nothing is left to do; the time then."""
        while self._ready or self._running:
            self._step()
        return self.now

    def _make_ready(self, task: Task) -> None:
        if task.at < len(task.phases):
            self._ready.append(task)
            return
        task.finish = self.now
        followers, task.followers = task.followers, []
        for follower in followers:
            follower.waits -= 1
            if not follower.waits:
                self._make_ready(follower)

    def _start(self) -> None:
        """Start every ready phase whose engines are free, first come, first served."""
        waiting: list[Task] = []
        for task in self._ready:
            phase = task.phase
            if not all(self._free[engine] for engine in phase.engines):
                waiting.append(task)
                continue
            task.units = {engine: self._free[engine].pop(0) for engine in phase.engines}
            task.started, task.delay, task.left = self.now, phase.delay, phase.seconds
            self._running.append(task)
        self._ready = waiting

    def _speeds(self) -> list[float]:
        """Seconds of work that each running task does in a second, as DDR allows."""
        moving = [task for task in self._running if task.delay <= 0 and task.phase.ddr > 0]
        shares = fair_shares([task.phase.ddr for task in moving], self.ddr)
        self._note_rate(sum(shares))
        speed = {id(task): share / task.phase.ddr for task, share in zip(moving, shares, strict=True)}
        return [speed.get(id(task), 1.0) for task in self._running]

    def _note_rate(self, rate: float) -> None:
        if self._notify and rate != self._ddr_rate:
            self._notify(DdrRate(self.now, rate))
        self._ddr_rate = rate

    def _step(self) -> None:
        """Go to the next moment at which anything changes."""
        self._start()
        if len(self._running) == 1 and not self._ready:
            self._coast(self._running[0])
        else:
            self._go(self._speeds())

    def _go(self, speeds: Sequence[float]) -> None:
        """Let time pass until the first of the running tasks is through with what it does."""
        needs = [
            task.delay if task.delay > 0 else task.left / speed
            for task, speed in zip(self._running, speeds, strict=True)
        ]
        span = min(needs, default=0.0)
        self.now += span
        # Ends that coincide up to rounding are one moment, so that ties break by order and not by the last bit.
        due = span * (1 + 1e-12) + 1e-18
        over: list[Task] = []
        for task, speed, need in zip(self._running, speeds, needs, strict=True):
            if task.delay > 0:
                task.delay = 0.0 if need <= due else task.delay - span
            elif need <= due:
                over.append(task)
            else:
                task.left -= span * speed
        self._running = [task for task in self._running if task not in over]
        for task in over:
            self._finish_phase(task)
        if not self._running and not self._ready:
            self._note_rate(0.0)

    def _coast(self, task: Task) -> None:
        """Carry the only task there is to its end: what steps would do, but nothing can come between its phases."""
        self._release(task)
        while True:
            phase = task.phase
            if task.delay > 0:
                self._note_rate(0.0)
                self.now += task.delay
            share = min(phase.ddr, self.ddr)
            self._note_rate(share)
            self.now += task.left / (share / phase.ddr) if share else task.left
            if task.at + 1 == len(task.phases):
                break
            self._tell(task)
            task.at += 1
            task.started, task.delay, task.left = self.now, task.phase.delay, task.phase.seconds
            task.units = {}  # the first of each engine
        self._running = []
        self._pass_on(task)
        if not self._running and not self._ready:
            self._note_rate(0.0)

    def _finish_phase(self, task: Task) -> None:
        self._release(task)
        self._pass_on(task)

    def _release(self, task: Task) -> None:
        for engine, unit in task.units.items():
            self._free[engine] = sorted([*self._free[engine], unit])

    def _pass_on(self, task: Task) -> None:
        self._tell(task)
        task.at += 1
        self._make_ready(task)

    def _tell(self, task: Task) -> None:
        """Notify of the phase that is over."""
        if self._notify:
            phase = task.phase
            unit = task.units.get("dma", 0) if phase.engines == ("dma",) else 0
            name = phase.name or task.name
            self._notify(Record(phase.track, name, task.started, self.now, task.stream, unit, phase.nbytes))
