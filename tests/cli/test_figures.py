from __future__ import annotations

import pytest

from openrpp.machine.report import Roofline, Span
from openrpp.report.figures import duration, durations, numbers, percent, scaled, significant
from openrpp.report.launch import roofline_text


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (0.00012345, "0.000123"), (0.999, "0.999"), (0.9999, "1.00"), (12.345, "12.3"), (99.96, "100"),
     (12345.6, "12346"), (-3.14159, "-3.14")],
)  # fmt: skip
def test_three_significant_digits_and_no_exponent(value: float, text: str) -> None:
    assert significant(value) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 s"), (2.5e-5, "25.0 us"), (1.5, "1.50 s"), (3.2e-3, "3.20 ms"), (9.07e-8, "90.7 ns"), (1e-10, "0.100 ns")],
)
def test_durations_choose_their_unit(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_spans_keep_the_unit_of_the_nominal_end() -> None:
    assert durations(Span(9e-7, 2.5e-6, 1.2e-3)) == "0.900 / 2.50 / 1200 us"
    assert durations(Span(0, 0, 0)) == "0 s"
    assert numbers(Span(39, 90.67, 12345.6)) == "39 / 91 / 12,346"


def test_shares_and_rates() -> None:
    assert percent(0.1234) == "12.3 %"
    assert (scaled(1.024e12, "FLOP/s"), scaled(5, "B/s")) == ("1.02 TFLOP/s", "5.00 B/s")


def test_the_roofline_in_words() -> None:
    said = "512 GFLOP/s of 1.02 TFLOP/s (lanes, 50.0 %), 12.5 operations per DDR byte"
    assert roofline_text(Roofline(12.5, 512.0, 1024.0, "lanes")) == said
    assert roofline_text(Roofline(None, 0.0, 1024.0, "lanes")) == (
        "no floating-point operations; the roof is 1.02 TFLOP/s (lanes)"
    )
