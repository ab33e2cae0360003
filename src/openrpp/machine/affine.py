"""Values that move by a fixed step per iteration, and how long what they decided stays decided.

The timing walk skips iterations of a loop after it has proved that they repeat. While it watches one iteration (a
"level"), every value carries its change per iteration of each level that is watched:

    value = f(levels with step None) + sum(step x iteration of the level)

A step of None means that the value changes with the level in a way that is not followed. Whatever a value decides (a
jump, a comparison, a widening that must not wrap) is a `Constraint`: for how many iterations does it stay true?
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import gcd

Slope = dict[int, int | None]
"""Level -> change per iteration; levels that are not named change nothing. Never altered in place."""

INVARIANT: Slope = {}
FOREVER = 1 << 62
FAR = 1 << 80
"""Beyond every value that the sequencer can hold."""


def plus(a: Slope, b: Slope, sign: int = 1) -> Slope:
    """Slope of a + b or a - b."""
    if not b:
        return a
    total = dict(a)
    for level, step in b.items():
        other = total.get(level, 0)
        total[level] = None if step is None or other is None else other + sign * step
    return {level: step for level, step in total.items() if step != 0}


def times(a: Slope, factor: int) -> Slope:
    """Slope of a value multiplied by an invariant number."""
    if not a or factor == 1:
        return a
    return {level: None if step is None else step * factor for level, step in a.items()} if factor else INVARIANT


def shifted_right(a: Slope, count: int) -> Slope:
    """Slope of floor(value / 2^count): followed where the step is a multiple of 2^count."""
    whole = 1 << count
    return {level: None if step is None or step % whole else step // whole for level, step in a.items()}


def opaque(*slopes: Slope) -> Slope:
    """Slope of a result that depends on all these values in a way that is not followed."""
    return {level: None for slope in slopes for level in slope}


def followed(a: Slope) -> dict[int, int]:
    """The levels whose steps are known."""
    return {level: step for level, step in a.items() if step is not None}


def reduced(a: Slope, width: int) -> Slope:
    """Steps modulo 2^width, as signed numbers of least size."""
    if not a:
        return a
    half, whole = 1 << (width - 1), 1 << width
    signed = {level: None if step is None else (step + half) % whole - half for level, step in a.items()}
    return {level: step for level, step in signed.items() if step != 0}


@dataclass
class Constraint:
    """A fact about value + sum(step x iteration) that must stay true.

    kind "zero" / "nonzero": modulo 2^width; "range": stays inside [low, high] as a plain number.
    `extents` are the iterations that levels inside have been proved for.
    """

    kind: str
    value: int
    steps: dict[int, int]
    width: int = 16
    low: int = 0
    high: int = 0xFFFF
    extents: dict[int, int] = field(default_factory=dict[int, int])

    def _hull(self, level: int) -> tuple[int, int]:
        """Least and largest value over the extents of the levels other than `level`."""
        least = most = self.value
        for other, step in self.steps.items():
            if other != level:
                reach = step * (self.extents.get(other, 1) - 1)
                least, most = least + min(reach, 0), most + max(reach, 0)
        return least, most

    def holds_for(self, level: int) -> int:
        """Iterations of a level, the present one included, for which the fact is certain; FOREVER if unbounded."""
        step = self.steps.get(level, 0)
        if step == 0:
            return FOREVER
        least, most = self._hull(level)
        match self.kind:
            case "zero":
                return 1
            case "range":
                room = self.high - most if step > 0 else least - self.low
                return room // abs(step) + 1 if room >= 0 else 1
            case _ if least == most:
                return _first_zero(least, step, self.width)
            case _:
                return _interval_nonzero(least, most, step, self.width)


def _first_zero(value: int, step: int, width: int) -> int:
    """Smallest k >= 1 with value + step k = 0 modulo 2^width, FOREVER if there is none."""
    whole = 1 << width
    value, step = value % whole, step % whole
    common = gcd(step, whole)
    if value % common:
        return FOREVER
    modulus = whole // common
    if modulus == 1:
        return 1
    k = (-(value // common) * pow(step // common, -1, modulus)) % modulus
    return k or modulus


def _interval_nonzero(least: int, most: int, step: int, width: int) -> int:
    """Iterations for which the whole interval stays off the multiples of 2^width."""
    whole = 1 << width
    base = least // whole * whole
    if least == base or most >= base + whole:
        return 1
    room = base + whole - 1 - most if step > 0 else least - (base + 1)
    return room // abs(step) + 1
