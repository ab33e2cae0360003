"""What a part of `benchmarks.slice` finds: figures that have bars, rows of card time and of host time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any

from rich.table import Table

from openrpp.machine.report import Span


class Skipped(Exception):
    """A part that cannot be measured here; its text is a sentence that says why."""


@dataclass(frozen=True)
class CardRow:
    """Card time of a model's step, or of a part of one.

    Attributes:
        name: such as "Llama-2-7B Q4_0, decode at 128".
        seconds: card time, launches included.
        launches: of the card.
        nodes: of the replayed graph.
        limit: name of what bounds it and the seconds that this alone would take, such as ("DDR", 0.071).
        rate: what the nominal time amounts to, in words, such as "13.1 tokens/s".
    """

    name: str
    seconds: Span
    launches: int
    nodes: int
    limit: tuple[str, float]
    rate: str = ""

    @property
    def share(self) -> float:
        """Share of the limit that the nominal time reaches."""
        return self.limit[1] / self.seconds.nominal


@dataclass(frozen=True)
class HostRow:
    """Host time of the native engine and of a peer in the same run: seconds of the rounds, run in turn.

    Attributes:
        name: what was run.
        work, unit: how much of what a round does, such as 64 "tokens".
        own, other: seconds of the rounds; none of `other` where nothing is compared with.
        peer: name and version of the other.
        threads: of each.
    """

    name: str
    work: float
    unit: str
    own: Sequence[float]
    other: Sequence[float] = ()
    peer: str = ""
    threads: int = 1

    @property
    def ratio(self) -> float | None:
        """Speed as a share of the peer's, medians over the rounds."""
        return median(self.other) / median(self.own) if self.other else None


@dataclass
class Found:
    """What a part has measured: `bars` are figures of section [slice] of bars.toml."""

    bars: dict[str, float] = field(default_factory=dict[str, float])
    card: list[CardRow] = field(default_factory=list[CardRow])
    host: list[HostRow] = field(default_factory=list[HostRow])
    tables: list[Table] = field(default_factory=list[Table])
    details: dict[str, Any] = field(default_factory=dict[str, Any])

    def add(self, other: Found) -> None:
        """Take over what another part has found."""
        self.bars |= other.bars
        self.details |= other.details
        for mine, theirs in ((self.card, other.card), (self.host, other.host), (self.tables, other.tables)):
            mine.extend(theirs)  # type: ignore[arg-type]

    def as_dict(self) -> dict[str, Any]:
        """For the results file."""
        card = [
            {
                "name": row.name,
                "seconds": {"low": row.seconds.low, "nominal": row.seconds.nominal, "high": row.seconds.high},
                "launches": row.launches,
                "graph_nodes": row.nodes,
                "limit": row.limit[0],
                "limit_seconds": row.limit[1],
                "share": row.share,
                "rate": row.rate,
            }
            for row in self.card
        ]
        host = [
            {
                "name": row.name,
                "threads": row.threads,
                f"{row.unit}_per_host_second": row.work / median(row.own),
                "peer": row.peer,
                f"peer_{row.unit}_per_host_second": row.work / median(row.other) if row.other else None,
                "ratio": row.ratio,
                "rounds": len(row.own),
            }
            for row in self.host
        ]
        return {"card": card, "host": host, **self.details}


def card_table(rows: Sequence[CardRow]) -> Table:
    """Card time, with shares of what limits it."""
    made = Table(title="card time on ae7100, milliseconds")
    for head in ("what", "low", "nominal", "high", "launches", "graph nodes", "limit", "limit ms", "share", "rate"):
        made.add_column(head, justify="left" if head in ("what", "limit", "rate") else "right")
    for row in rows:
        times = [f"{1e3 * end:.3f}" for end in (row.seconds.low, row.seconds.nominal, row.seconds.high)]
        counts = [str(row.launches), str(row.nodes)]
        made.add_row(row.name, *times, *counts, row.limit[0], f"{1e3 * row.limit[1]:.3f}", f"{row.share:.1%}", row.rate)
    return made


def host_table(rows: Sequence[HostRow]) -> Table:
    """Host time: medians of the rounds of an interleaved run."""
    made = Table(title="host time, one interleaved run, medians; ratio: speed as a share of the peer's")
    for head in ("what", "threads", "per second", "best", "peer", "per second", "best", "ratio", "rounds"):
        made.add_column(head, justify="left" if head in ("what", "peer") else "right")
    for row in rows:
        own, other = _speeds(row, row.own), _speeds(row, row.other)
        ratio = "-" if row.ratio is None else f"{row.ratio:.2f}"
        made.add_row(row.name, str(row.threads), *own, row.peer or "-", *other, ratio, str(len(row.own)))
    return made


def _speeds(row: HostRow, seconds: Sequence[float]) -> tuple[str, str]:
    if not seconds:
        return "-", "-"
    return f"{row.work / median(seconds):.4g} {row.unit}", f"{row.work / min(seconds):.4g}"
