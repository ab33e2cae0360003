"""What a launch of kernel IR takes on the card."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from openrpp.machine.report import LaunchReport, Span

_NOTHING = Span(0.0, 0.0, 0.0)


@dataclass(frozen=True)
class Stage:
    """A launch of a kernel whose buffers are in DDR: bytes of the transfers before it and behind it. It `waits` with
    its transfers for those of the stage before where they may meet in DDR."""

    fetched: tuple[int, ...]
    stored: tuple[int, ...]
    waits: bool = False


@dataclass(frozen=True)
class CardTime:
    """Card time of one launch: `launches` of the card, one after another (a long grid takes several).

    Where the time is not known there are none, and `reason` says why. `merge` CUDA blocks ran as one block of the card;
    `notes` say what kept the program from being better than it is. Where buffers are staged through SRAM, `stages` are
    the transfers around each launch, `slots` how many stages have their bytes there at a time, `staged` the time of it
    all.
    """

    launches: tuple[LaunchReport, ...] = ()
    reason: str = ""
    merge: int = 1
    notes: tuple[str, ...] = ()
    stages: tuple[Stage, ...] = ()
    slots: int = 1
    staged: Span | None = None

    @property
    def seconds(self) -> Span | None:
        """Kernel time in seconds with its transfers, the cost of launching not included; None where it is not known."""
        if self.staged is not None:
            return self.staged
        return sum((launch.seconds for launch in self.launches), _NOTHING) if self.launches else None

    @property
    def cycles(self) -> Span | None:
        """Cycles of the core clock that the launches take, without transfers between them."""
        return sum((launch.span for launch in self.launches), _NOTHING) if self.launches else None

    @property
    def columns(self) -> int:
        """Columns that the sequencer handed out."""
        return sum(launch.columns for launch in self.launches)

    @property
    def limiter(self) -> str:
        """What limited the longest of the launches."""
        longest = max(self.launches, key=lambda launch: launch.cycles, default=None)
        return longest.limiter if longest else ""

    @property
    def data_source(self) -> str:
        """The engine that figures which depend on data come from, "none" where nothing depends on data."""
        return next((launch.data_source for launch in self.launches if launch.data_source != "none"), "none")

    def as_dict(self) -> dict[str, Any]:
        """A JSON-able dictionary."""
        return {
            "seconds": _ends(self.seconds),
            "seconds_note": self.reason,
            "cycles": _ends(self.cycles),
            "columns": self.columns,
            "limiter": self.limiter,
            "data_source": self.data_source,
            "merged_blocks": self.merge,
            "notes": list(self.notes),
            "staging": _staging(self.stages, self.slots) if self.stages else None,
            "card_launches": [launch.as_dict() for launch in self.launches],
        }


def _staging(stages: tuple[Stage, ...], slots: int) -> dict[str, int]:
    return {
        "stages": len(stages),
        "slots": slots,
        "bytes_fetched": sum(sum(stage.fetched) for stage in stages),
        "bytes_stored": sum(sum(stage.stored) for stage in stages),
    }


def _ends(span: Span | None) -> dict[str, float] | None:
    return None if span is None else {"low": span.low, "nominal": span.nominal, "high": span.high}
