"""The polynomials of the math headers are those that the generator writes."""

from __future__ import annotations

from itertools import chain, pairwise

import pytest

from openrpp.cuda.minimax import DOUBLE, PATH, SINGLE, Row, fit, least, rows, text

HEADER = PATH.read_text(encoding="utf-8")
QUICK = {("exp2", "f"), ("asin", "f"), ("log", "f"), ("sin", ""), ("stirling", "")}


def test_the_header_holds_a_polynomial_for_every_row() -> None:
    declared = [f"RPP_MATH {'float' if kind else 'double'} __rpp_poly_{row.name}(" for row, kind in rows()]
    assert [line for line in declared if line not in HEADER] == []
    assert HEADER.count("RPP_MATH") == len(declared)


CHOSEN = [(row, kind) for row, kind in rows() if (row.name, kind) in QUICK]


@pytest.mark.parametrize(("row", "kind"), CHOSEN, ids=[f"{row.name}{kind}" for row, kind in CHOSEN])
def test_polynomials_are_current_and_good_enough(row: Row, kind: str) -> None:
    assert text(row, kind) in HEADER
    coefficients, error = least(row, SINGLE if kind else DOUBLE)
    assert error <= (SINGLE if kind else DOUBLE)
    assert fit(row, len(coefficients) - 2)[1] > (SINGLE if kind else DOUBLE)


def test_errors_alternate_at_degree_plus_two_points() -> None:
    row = next(row for row, kind in rows() if row.name == "exp2" and kind)
    coefficients, worst = fit(row, 4)
    errors = [row.weight(x) * (sum(c * x**k for k, c in enumerate(coefficients)) - row.function(x)) for x in row.grid()]
    peaks = [error for error in errors if abs(error) > 0.98 * worst]
    signs = list(chain([peaks[0] > 0], (b > 0 for a, b in pairwise(peaks) if (a > 0) != (b > 0))))
    assert len(signs) >= 6
