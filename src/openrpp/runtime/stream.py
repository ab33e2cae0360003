"""Streams and events on the card's virtual clock."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, overload

from numpy.typing import NDArray

from openrpp.machine.faults import LaunchError
from openrpp.machine.report import LaunchReport, Span
from openrpp.runtime.buffer import Buffer
from openrpp.runtime.errors import CaptureError
from openrpp.runtime.operations import CopyOperation, KernelOperation
from openrpp.runtime.program import Operation, ProgramOperation, ProgramReport
from openrpp.runtime.schedule import Frontier, Work

if TYPE_CHECKING:
    from openrpp.runtime.card import Card
    from openrpp.runtime.graph import Capture


class Stream:
    """A queue of launches and copies that run one after another. Made by `Card.stream`.

    What is queued takes effect on memory at once, in the order of the calls; *when* it happens on the card is worked
    out on the card's clock, where work of different streams overlaps as far as the engines allow. Two streams that use
    the same buffer without an event between them are a race on a real card; here memory shows the order of the calls.
    """

    def __init__(self, card: Card, name: str) -> None:
        self.card = card
        self.name = name
        self.frontier = Frontier()
        self.capture: Capture | None = None

    def copy(self, dst: Buffer | NDArray[Any], src: Buffer | NDArray[Any]) -> None:
        """Copy between host arrays, DDR and SRAM.

        Host and card exchange data over the link; DDR and SRAM over a DMA channel; host and SRAM over both, one leg
        after the other. Shapes may differ, sizes and dtypes may not. Raises LaunchError for sides that do not match.
        """
        self.issue(CopyOperation(dst, src))

    @overload
    def issue(self, operation: KernelOperation) -> LaunchReport | None: ...
    @overload
    def issue(self, operation: ProgramOperation) -> ProgramReport | None: ...
    @overload
    def issue(self, operation: CopyOperation) -> None: ...
    def issue(self, operation: Operation) -> LaunchReport | ProgramReport | None:
        """Carry an operation out, or note it while the stream is captured (the result is None then)."""
        if self.capture is not None:
            operation.check(self.card)
            self.capture.add(self, operation)
            return None
        self.frontier, report = operation.issue(self.card, self.frontier, self.name, "stream")
        return report

    def wait(self, event: Event) -> None:
        """What is queued from now on starts after the event. Raises what `Event.wait` raises."""
        event.wait(self)

    def record(self, event: Event | None = None) -> Event:
        """Record an event (a new one by default) behind what is queued so far."""
        return (event or Event()).record(self)

    def synchronize(self) -> Span:
        """The host waits for the stream; seconds of card time when it is done. Raises CaptureError while captured."""
        if self.capture is not None:
            raise CaptureError(f"stream {self.name} is being captured; nothing runs that could be waited for")
        return self.card.schedule.wait(self.card.schedule.mark("wait", self.name, self.frontier.all))

    def __repr__(self) -> str:
        return f"Stream({self.name})"


class Event:
    """A point in a stream. `Event().record(stream)`, then other streams `wait` for it and `elapsed` tells times."""

    def __init__(self) -> None:
        self._card: Card | None = None
        self._work: Work | None = None
        self._capture: Capture | None = None
        self._nodes: tuple[int, ...] = ()
        self._untimed = 0

    def record(self, stream: Stream) -> Event:
        """Mark the end of what the stream has queued so far; a later record replaces an earlier one."""
        self._card, self._capture, self._untimed = stream.card, stream.capture, stream.card.untimed
        if stream.capture is not None:
            self._work, self._nodes = None, stream.capture.heads(stream)
        else:
            schedule = stream.card.schedule
            self._work, self._nodes = schedule.mark("event", stream.name, stream.frontier.all), ()
        return self

    def wait(self, stream: Stream) -> None:
        """What the stream queues from now on starts after the event.

        An event of a captured stream draws the waiting stream into the capture.
        Raises LaunchError for an event that was never recorded or belongs to another card, CaptureError for one from
        outside the capture or from a capture that is over.
        """
        if self._card is None:
            raise LaunchError("the event was never recorded; call event.record(stream) first")
        if self._card is not stream.card:
            raise LaunchError("the event belongs to another card")
        if self._capture is not None:
            self._capture.join(stream, self._nodes)
        elif stream.capture is not None:
            raise CaptureError("a captured stream cannot wait for an event that was recorded outside of the capture")
        else:
            stream.frontier = stream.frontier.joined(Frontier((self._recorded(),)))

    def synchronize(self) -> Span:
        """The host waits for the event; its time in seconds of card time."""
        work = self._recorded()
        assert self._card is not None
        return self._card.schedule.wait(work)

    def elapsed(self, since: Event) -> Span:
        """Seconds of card time from an earlier event to this one, on each clock. The host waits for both.

        Raises LaunchError where a kernel without known card time (`ProgramReport`) was launched between the two.
        """
        start, end = since.synchronize(), self.synchronize()
        if self._untimed != since._untimed:
            how = "a card made with timed=True, or engine='reference', puts kernels of kernel IR on its clock"
            raise LaunchError(f"the card time between the events is not known, since a kernel took none; {how}")
        return Span(end.low - start.low, end.nominal - start.nominal, end.high - start.high)

    @property
    def done(self) -> bool:
        """Whether the card's clocks have passed it."""
        return self._recorded().finish is not None

    def _recorded(self) -> Work:
        if self._capture is not None:
            raise CaptureError("the event was recorded in a capture; it has no time of its own")
        if self._work is None:
            raise LaunchError("the event was never recorded; call event.record(stream) first")
        return self._work
