"""What a part of the slice finds: one row per comparison, figures that have bars."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.table import Table

from openrpp.graph import Session
from openrpp.machine.report import Span
from openrpp.weights import WeightsError, pull

MODELS = Path(__file__).with_name("models.toml")


class Skipped(Exception):
    """A part that cannot be compared here; its text is a sentence that says why."""


@dataclass(frozen=True)
class Row:
    """One comparison.

    Attributes:
        model, what: the model, and the picture or text that it was given.
        dtype: what the card computed in.
        same: whether the answers agree within the bounds of the part; None where that is not judged.
        says: how near they are.
        card: card time of one run, None where it is not known or nothing ran there.
        launches: of the card for one run.
        host_nodes: nodes that ran on the host.
    """

    model: str
    what: str
    dtype: str
    same: bool | None
    says: str
    card: Span | None = None
    launches: int = 0
    host_nodes: int = 0

    def as_dict(self) -> dict[str, Any]:
        """For the results file."""
        span = self.card
        return {
            "model": self.model,
            "what": self.what,
            "dtype": self.dtype,
            "same": self.same,
            "says": self.says,
            "card_seconds": {"low": span.low, "nominal": span.nominal, "high": span.high} if span else None,
            "launches": self.launches,
            "host_nodes": self.host_nodes,
        }


@dataclass
class Found:
    """Rows of a part, and its figures in section [answers] of bars.toml."""

    rows: list[Row] = field(default_factory=list[Row])
    bars: dict[str, float] = field(default_factory=dict[str, float])
    details: dict[str, Any] = field(default_factory=dict[str, Any])

    def add(self, other: Found) -> None:
        """Take over what another part has found."""
        self.rows += other.rows
        self.bars |= other.bars
        self.details |= other.details


def taken(session: Session) -> dict[str, Any]:
    """What a row says about a session's run: card time, launches, host nodes.

    Only of bf16: f32 is there for the numbers, and to walk its slow kernels takes minutes.
    """
    if session.dtype != "bf16":
        return {}
    report = session.report()
    return {"card": report.card, "launches": report.launches, "host_nodes": len(report.host_nodes)}


def weights_of(name: str) -> Path:
    """The file of a model, pulled where it is missing. Raises Skipped where it cannot be had."""
    try:
        return pull(name, catalogues=(MODELS,))
    except (WeightsError, OSError) as error:
        raise Skipped(str(error)) from None


def table(rows: Sequence[Row]) -> Table:
    """The rows as people read them."""
    made = Table(title="answers on ae7100 against independent implementations; card time in milliseconds")
    for head in ("model", "what", "dtype", "same", "how near", "low", "nominal", "high", "launches", "host nodes"):
        made.add_column(head, justify="left" if head in ("model", "what", "dtype", "how near") else "right")
    for row in rows:
        span = row.card
        times = (
            [f"{1e3 * end:.3f}" for end in (span.low, span.nominal, span.high)] if span and row.launches else ["-"] * 3
        )
        counts = (str(row.launches), str(row.host_nodes)) if row.launches or row.host_nodes else ("-", "-")
        same = "-" if row.same is None else "yes" if row.same else "NO"
        made.add_row(row.model, row.what, row.dtype, same, row.says, *times, *counts)
    return made
