"""Values that move by a fixed step per iteration, and how long what they decided stays decided.

The timing walk skips iterations of a loop after it has proved that they repeat. While it watches one iteration, every
register carries its value and its step per iteration of each watched loop ("level"). A value whose steps are not known
is opaque. Everything that a value decides (a jump, a comparison, a widening that must not wrap) is a `Constraint`:
over how many further iterations does it stay true?
"""

from __future__ import annotations

from dataclasses import dataclass
from math import gcd

Steps = dict[int, int]
"""Level -> change of the value per iteration of that level; empty for an invariant value."""
Slope = Steps | None
"""None: opaque, the change is not known."""

NONE: Steps = {}
FOREVER = 1 << 62


def plus(a: Slope, b: Slope, sign: int = 1) -> Slope:
    """Steps of a + b or a - b."""
    if a is None or b is None:
        return None
    if not b:
        return a
    total = dict(a)
    for level, step in b.items():
        total[level] = total.get(level, 0) + sign * step
    return {level: step for level, step in total.items() if step}


def times(a: Slope, factor: int) -> Slope:
    """Steps of a value multiplied by an invariant."""
    if not a:
        return a
    return {level: step * factor for level, step in a.items()} if factor else NONE


def reduced(a: Slope, width: int) -> Slope:
    """Steps modulo 2^width, as signed numbers of least size."""
    if not a:
        return a
    half, whole = 1 << (width - 1), 1 << width
    signed = {level: ((step + half) % whole) - half for level, step in a.items()}
    return {level: step for level, step in signed.items() if step}


@dataclass
class Constraint:
    """A fact about value + sum(step x iteration) that must stay true.

    kind "zero" / "nonzero": modulo 2^width; "range": stays inside [low, high] as a plain number.
    `extents` are the iterations that inner levels have been proved for.
    """

    kind: str
    value: int
    steps: Steps
    width: int = 16
    low: int = 0
    high: int = 0xFFFF
    extents: dict[int, int] | None = None

    def _inner(self, level: int) -> tuple[int, int]:
        """Least and largest value over the extents of the levels other than `level`."""
        least = most = self.value
        for other, step in self.steps.items():
            if other == level:
                continue
            reach = step * ((self.extents or {}).get(other, 1) - 1)
            least, most = least + min(reach, 0), most + max(reach, 0)
        return least, most

    def holds_for(self, level: int) -> int:
        """Iterations of a level, the present one included, for which the fact is certain; FOREVER if unbounded."""
        step = self.steps.get(level, 0)
        if step == 0:
            return FOREVER
        least, most = self._inner(level)
        if self.kind == "zero":
            return 1
        if self.kind == "range":
            room = self.high - most if step > 0 else least - self.low
            return max(room // abs(step) + 1, 1) if room >= 0 else 1
        if least == most:
            return _first_zero(least, step, self.width)
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
    return max(room // abs(step) + 1, 1)
