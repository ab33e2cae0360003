"""What an architecture file is made of: figures, facts and choices, each with where it comes from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, Literal, TypeVar, get_args

Source = Literal["published", "measured", "inferred", "assumed"]
"""How a figure is known: stated publicly; measured on public artefacts; concluded from either; a working value."""

Level = Literal["low", "nominal", "high"]
"""Which end of an interval: of the figure itself, so the "high" latency is the slow one."""

SOURCES: tuple[Source, ...] = get_args(Source)
LEVELS: tuple[Level, ...] = get_args(Level)

N = TypeVar("N", int, float)
V = TypeVar("V", bound=str | int)


@dataclass(frozen=True)
class Figure(Generic[N]):
    """A number with its interval, unit and source. An exact figure has low = nominal = high."""

    low: N
    nominal: N
    high: N
    unit: str
    source: Source
    reference: str
    note: str = ""

    @property
    def value(self) -> N:
        """The nominal number."""
        return self.nominal

    @property
    def is_interval(self) -> bool:
        """Whether the number is known only within bounds."""
        return self.low != self.high

    def at(self, level: Level) -> N:
        """The number at one end of the interval, or the nominal one.

        Raises:
            ValueError: `level` is none of "low", "nominal", "high".
        """
        match level:
            case "low":
                return self.low
            case "nominal":
                return self.nominal
            case "high":
                return self.high
            case _:
                raise ValueError(f"rpp: arch: no level {level!r}; levels are 'low', 'nominal' and 'high'")


@dataclass(frozen=True)
class Fact:
    """A statement that is not a number, such as the name of a form factor."""

    value: str
    source: Source
    reference: str
    note: str = ""


@dataclass(frozen=True)
class Choice(Generic[V]):
    """How the virtual card settles a point that the published material leaves open; `reference` says why so."""

    value: V
    source: Source
    reference: str
    note: str = ""
