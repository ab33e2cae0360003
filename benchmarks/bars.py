"""Measured figures against `bars.toml`, and the results file of a command."""

from __future__ import annotations

import json
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

BARS = Path(__file__).with_name("bars.toml")
RESULTS = Path("build/results")


@dataclass(frozen=True)
class Bar:
    """One required figure and what was measured."""

    name: str
    says: str
    measured: float
    least: float | None
    most: float | None

    @property
    def met(self) -> bool:
        """Whether the measured figure is inside the bounds."""
        return (self.least is None or self.measured >= self.least) and (self.most is None or self.measured <= self.most)

    def __str__(self) -> str:
        bound = f"at least {self.least:g}" if self.least is not None else f"at most {self.most:g}"
        return f"{'met   ' if self.met else 'MISSED'} {self.says}: {self.measured:g} ({bound})"


def compare(name: str, measured: dict[str, float]) -> list[Bar]:
    """Compare with the bars of a section. Raises KeyError for a figure that has no bar: none goes unjudged."""
    section = tomllib.loads(BARS.read_text(encoding="utf-8"))[name]
    return [
        Bar(key, section[key]["says"], value, section[key].get("least"), section[key].get("most"))
        for key, value in measured.items()
    ]


def judge(name: str, measured: dict[str, float], details: dict[str, Any] | None = None) -> list[Bar]:
    """Compare with the bars of a section and write `build/results/NAME.json`. Raises KeyError as `compare` does."""
    bars = compare(name, measured)
    RESULTS.mkdir(parents=True, exist_ok=True)
    document = {
        "bars": {
            bar.name: {"measured": bar.measured, "least": bar.least, "most": bar.most, "met": bar.met} for bar in bars
        },
        **(details or {}),
    }
    (RESULTS / f"{name}.json").write_text(json.dumps(document, indent=1, default=str) + "\n", encoding="utf-8")
    return bars
