"""Typed ways in which a kernel can go wrong while it is interpreted."""

from __future__ import annotations

from dataclasses import dataclass

from openrpp.kir.errors import KirError
from openrpp.kir.location import Location
from openrpp.kir.ops.threads import Triple


@dataclass(frozen=True, slots=True)
class At:
    """Where a fault happened."""

    kernel: str
    location: Location | None = None
    block: Triple | None = None
    thread: Triple | None = None


class LaunchError(KirError, ValueError):
    """A launch that cannot start: kernel, geometry, arguments."""


class Fault(KirError):
    """A running kernel was stopped; memory is as it was at that moment. `reason` is the sentence without the place."""

    def __init__(self, sentence: str, at: At) -> None:
        self.at = at
        self.reason = sentence
        where = [f"block {at.block}" if at.block else "", f"thread {at.thread}" if at.thread else ""]
        super().__init__(": ".join([", ".join(filter(None, where)) or "launch", sentence]), at.kernel, at.location)


class OutOfBounds(Fault):
    """An access to bytes that belong to no variable or allocation."""


class Misaligned(Fault):
    """An access at an address that breaks its alignment."""


class ReadOnly(Fault):
    """A write to constant memory."""


class DivergentBarrier(Fault):
    """Threads of a block wait at different barriers, or for threads that wait elsewhere."""


class DivergentWarp(Fault):
    """A warp op whose mask and lanes do not fit, or that some lanes of its mask never reach."""


class NotUniform(Fault):
    """An operand that must be the same in every thread of the block is not."""


class Trapped(Fault):
    """The program executed a trap or reached code that it declared unreachable."""


class AssertionFailed(Fault):
    """An assertion of the program failed."""


class Runaway(Fault):
    """The launch took more steps than it was allowed."""
