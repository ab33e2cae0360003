"""Numbers as people read them."""

from __future__ import annotations

from openrpp.machine.report import Span

_TIMES = ((1.0, "s"), (1e-3, "ms"), (1e-6, "us"), (1e-9, "ns"))
_COUNTS = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))


def significant(value: float, digits: int = 3) -> str:
    """A number with so many significant digits and no exponent: `0.0123`, `12.3`, `12345`."""
    if value == 0:
        return "0"
    exponent = int(f"{value:.{digits - 1}e}".partition("e")[2])
    return f"{value:.{max(digits - 1 - exponent, 0)}f}"


def _time_unit(seconds: float) -> tuple[float, str]:
    for size, unit in _TIMES:
        if abs(seconds) >= size:
            return size, unit
    return _TIMES[-1]


def duration(seconds: float) -> str:
    """`25.1 us`."""
    if seconds == 0:
        return "0 s"
    size, unit = _time_unit(seconds)
    return f"{significant(seconds / size)} {unit}"


def durations(span: Span) -> str:
    """`low / nominal / high` in the unit that fits the nominal end: `10.0 / 25.0 / 50.0 us`."""
    if span.nominal == 0 and span.high == 0:
        return "0 s"
    size, unit = _time_unit(span.nominal or span.high)
    return " / ".join(significant(end / size) for end in (span.low, span.nominal, span.high)) + f" {unit}"


def numbers(span: Span) -> str:
    """`low / nominal / high`, rounded to whole numbers."""
    return " / ".join(f"{end:,.0f}" for end in (span.low, span.nominal, span.high))


def percent(share: float) -> str:
    """`12.3 %` of a share between 0 and 1."""
    return f"{100 * share:.1f} %"


def scaled(value: float, unit: str) -> str:
    """`1.02 TFLOP/s` of 1.02e12 and "FLOP/s"."""
    for size, prefix in _COUNTS:
        if abs(value) >= size:
            return f"{significant(value / size)} {prefix}{unit}"
    return f"{significant(value)} {unit}"
