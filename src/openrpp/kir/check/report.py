"""What checks find: findings with both sides of what happened, collected without repeating themselves."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Any, Final

from openrpp.kir.location import Location
from openrpp.kir.ops.threads import Triple

CHECKS: Final = ("memory", "init", "race", "sync")
WARNINGS: Final = frozenset({"same-value", "missing-lane"})
"""Kinds of findings that a right program may have."""


@dataclass(frozen=True, slots=True)
class Side:
    """One of the accesses, or one of the meetings, that a finding is about.

    `op` is read, write, atomic or the name of an op; `address` is a device address or an offset in shared or private
    memory; `offset` counts bytes from the start of `allocation`, and is negative before it.
    """

    op: str
    size: int
    address: int
    allocation: str
    offset: int
    location: Location | None
    block: Triple
    thread: Triple

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "op": self.op,
            "size": self.size,
            "address": self.address,
            "allocation": self.allocation,
            "offset": self.offset,
            "location": located(self.location),
            "block": list(self.block),
            "thread": list(self.thread),
        }


@dataclass(slots=True)
class Finding:
    """Something wrong, at its first occurrence; `count` says how often it happened at the same source lines."""

    check: str
    kind: str
    sentence: str
    kernel: str
    location: Location | None
    block: Triple
    thread: Triple
    access: Side | None = None
    other: Side | None = None
    count: int = 1

    @property
    def severity(self) -> str:
        """`error`, or `warning` for what a right program may do."""
        return "warning" if self.kind in WARNINGS else "error"

    def __str__(self) -> str:
        where = f"{place(self.location)}: " if self.location else ""
        return (
            f"{where}{self.severity}: {self.kind}: kernel {self.kernel}: "
            f"block {self.block}, thread {self.thread}: {self.sentence}"
        )

    def text(self) -> str:
        """Several lines for people: the sentence, the calls that the place was inlined through, the count."""
        lines = [str(self)]
        chain = self.location.chain()[1:] if self.location else ()
        lines += [f"    inlined at {place(location)}" for location in chain]
        if self.count > 1:
            lines.append(f"    {self.count} times at the same lines; this is the first")
        return "\n".join(lines)

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "check": self.check,
            "kind": self.kind,
            "severity": self.severity,
            "sentence": self.sentence,
            "kernel": self.kernel,
            "location": located(self.location),
            "block": list(self.block),
            "thread": list(self.thread),
            "access": self.access.as_dict() if self.access else None,
            "other": self.other.as_dict() if self.other else None,
            "count": self.count,
        }


def place(location: Location | None) -> str:
    """`file:line:column`; the column is left out where it is not known."""
    if location is None:
        return "an unknown line"
    return f"{location}:{location.column}" if location.column else str(location)


def located(location: Location | None) -> dict[str, Any] | None:
    """A location and the calls that it was inlined through, for JSON."""
    if location is None:
        return None
    inlined = location.inlined_at
    return {"file": location.file, "line": location.line, "column": location.column, "inlined_at": located(inlined)}


_RACED: Final = "; this line also races, so that the write may only have come later"


class Findings:
    """Collects findings: one per kind and source lines, at most `limit` of them."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._known: dict[Hashable, Finding] = {}
        self._lines: dict[Hashable, Finding] = {}
        self.dropped = 0

    def add(self, key: Hashable, make: Callable[[], Finding]) -> None:
        """Count an occurrence. `key` is equal for equal findings, cheap, and may be finer than source lines."""
        known = self._known.get(key)
        if known is not None:
            known.count += 1
            return
        made = make()
        other = made.other.location if made.other else None
        lines = made.kind, *(frozenset({line(made.location), line(other)}) if other else {line(made.location)})
        if made.location is None:
            lines = (*lines, key)
        same = self._lines.get(lines)
        if same is not None:
            same.count += 1
            self._known[key] = same
        elif len(self._lines) < self._limit:
            self._known[key] = self._lines[lines] = made
        else:
            self.dropped += 1

    def found(self) -> tuple[Finding, ...]:
        """All findings, in order of first occurrence."""
        found = tuple(self._lines.values())
        sides = [side for item in found if item.check == "race" for side in (item.access, item.other)]
        racing = {line(side.location) for side in sides if side is not None}
        for item in found:
            if item.check == "init" and item.location is not None and line(item.location) in racing:
                item.sentence = item.sentence.removesuffix(_RACED) + _RACED
        return found


def line(location: Location | None) -> Hashable:
    """What two places of one source line share, calls that they were inlined through included."""
    return tuple((item.file, item.line) for item in location.chain()) if location else None


@dataclass(frozen=True, slots=True)
class Report:
    """The outcome of a checked launch.

    `stopped` says why it ended early, if it did; `dropped` counts occurrences beyond the limit of findings; `blocks`
    are the number that ran and the number in the grid; `seconds` is host time.
    """

    kernel: str
    checks: tuple[str, ...]
    findings: tuple[Finding, ...]
    stopped: str | None
    dropped: int
    output: str
    steps: int
    blocks: tuple[int, int]
    seconds: float = field(compare=False)

    @property
    def errors(self) -> int:
        """Number of occurrences of errors, dropped ones included."""
        return sum(item.count for item in self.findings if item.severity == "error") + self.dropped

    @property
    def warnings(self) -> int:
        """Number of occurrences of warnings."""
        return sum(item.count for item in self.findings if item.severity == "warning")

    @property
    def clean(self) -> bool:
        """Whether the launch ran to its end without an error."""
        return not self.errors and self.stopped is None

    def __str__(self) -> str:
        return self.text()

    def text(self) -> str:
        """For people: every finding, then a summary in one line."""
        lines = [item.text() for item in self.findings]
        if self.dropped:
            lines.append(f"{self.dropped} occurrences of further findings are not shown")
        if self.stopped is not None:
            lines.append(f"stopped early: {self.stopped}")
        return "\n".join([*lines, self._summary()])

    def _summary(self) -> str:
        ran, grid = self.blocks
        blocks = f"{ran} of {grid} blocks" if ran < grid else f"{grid} block{'s' * (grid > 1)}"
        what = [
            f"{number} {word}{'s' * (number > 1)}"
            for number, word in ((self.errors, "error"), (self.warnings, "warning"))
            if number
        ]
        result = " and ".join(what) or "nothing found"
        return f"{', '.join(self.checks)}: kernel {self.kernel}, {blocks}: {result}"

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "kernel": self.kernel,
            "checks": list(self.checks),
            "clean": self.clean,
            "errors": self.errors,
            "warnings": self.warnings,
            "stopped": self.stopped,
            "findings": [item.as_dict() for item in self.findings],
            "dropped": self.dropped,
            "steps": self.steps,
            "blocks": {"checked": self.blocks[0], "grid": self.blocks[1]},
            "host_seconds": self.seconds,
        }
