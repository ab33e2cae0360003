"""Polynomials of the device math headers: `python -m openrpp.cuda.minimax` writes include/rpp/polynomials.h.

Each row names a function that smooth code around it turns into a math function, an interval, and the error allowed
relative to the final result. The coefficients are those of the minimax polynomial of the least degree that meets it
(Remez exchange on a grid, at 60 digits), rounded to the type. Needs mpmath, which the `dev` extra brings.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Final

import numpy as np

PATH: Final = Path(__file__).parent / "include" / "rpp" / "polynomials.h"
GRID: Final = 480
SINGLE, DOUBLE = 2.0**-28, 2.0**-58

mp: Any = import_module("mpmath").mp
mp.dps = 60

Real = Any  # mpmath.mpf, which has no type information
Function = Callable[[Real], Real]


@dataclass(frozen=True)
class Row:
    """A polynomial P(x) close to `function`; `weight` times its error is relative to the final result."""

    name: str
    meaning: str
    function: Function
    low: Real
    high: Real
    weight: Function

    def grid(self) -> list[Real]:
        """Chebyshev points of the interval; an even number, so that the middle is not among them."""
        middle, half = (self.low + self.high) / 2, (self.high - self.low) / 2
        return [middle + half * mp.cos(mp.pi * (2 * i + 1) / (2 * GRID)) for i in range(GRID)]


def _root(function: Function) -> Function:
    """A function of x as one of z = x^2."""
    return lambda z: function(mp.sqrt(z))


def _log_of_erfcx(t: Real) -> Real:
    return mp.log(mp.erfc(t))


def _erfcx(x: Real) -> Real:
    return mp.exp(x * x) * mp.erfc(x)


def _inverse_erf(w: Real) -> Real:
    x = mp.sqrt(-mp.expm1(-w))
    return mp.erfinv(x) / x


def _inverse_erfc(w: Real) -> Real:
    """erfinv(y) / y for a y so close to 1 that only 1 - y can be held; Newton's method on log(erfc)."""
    rest = mp.exp(-w) / (1 + mp.sqrt(-mp.expm1(-w)))
    x = mp.sqrt(w)
    for _ in range(12):
        value = mp.erfc(x)
        x += value / mp.exp(-x * x) * mp.sqrt(mp.pi) / 2 * mp.log(value / rest)
    return x / (1 - rest)


def _stirling(x: Real) -> Real:
    return (mp.loggamma(x) - (x - mp.mpf(0.5)) * mp.log(x) + x - mp.log(2 * mp.pi) / 2) * x


ONE: Final = mp.mpf(1)
HALF_LN2: Final = mp.log(2) / 2 * mp.mpf("1.01")


def rows() -> Iterator[tuple[Row, str]]:
    """(row, suffix of its literals) of every polynomial: float, then double."""
    for kind in ("f", ""):
        yield from ((row, kind) for row in _elementary(kind))
        yield from ((row, kind) for row in _special(kind))


def _elementary(kind: str) -> list[Row]:
    log_low, log_high = mp.sqrt(mp.mpf(0.5)) * mp.mpf("0.999") - 1, mp.sqrt(mp.mpf(2)) * mp.mpf("1.001") - 1
    quarter = (mp.pi / 4 * mp.mpf("1.01")) ** 2
    found = [
        Row("exp", "(e^x - 1 - x) / x^2", lambda x: (mp.expm1(x) - x) / x**2, -HALF_LN2, HALF_LN2, lambda x: x**2),
        Row("exp2", "(2^x - 1) / x", lambda x: mp.expm1(x * mp.log(2)) / x, -ONE * 0.505, ONE * 0.505, abs),
        Row("exp10", "(10^x - 1) / x", lambda x: mp.expm1(x * mp.log(10)) / x, -ONE * 0.152, ONE * 0.152, abs),
        Row("sin", "(sin(x) / x - 1) / x^2, in x^2",
            _root(lambda x: (mp.sin(x) / x - 1) / x**2), ONE * 0, quarter, abs),
        Row("cos", "(cos(x) - 1 + x^2 / 2) / x^4, in x^2",
            _root(lambda x: (mp.cos(x) - 1 + x**2 / 2) / x**4), ONE * 0, quarter, lambda z: z**2),
        Row("sinpi", "(sin(pi x) / x - pi) / x^2, in x^2",
            _root(lambda x: (mp.sin(mp.pi * x) / x - mp.pi) / x**2), ONE * 0, ONE / 16, lambda z: z / 3),
        Row("cospi", "(cos(pi x) - 1) / x^2, in x^2",
            _root(lambda x: (mp.cos(mp.pi * x) - 1) / x**2), ONE * 0, ONE / 16, abs),
        Row("asin", "(asin(x) / x - 1) / x^2, in x^2",
            _root(lambda x: (mp.asin(x) / x - 1) / x**2), ONE * 0, ONE / 4, abs),
        Row("atan", "(atan(x) / x - 1) / x^2, in x^2",
            _root(lambda x: (mp.atan(x) / x - 1) / x**2), ONE * 0, ONE * 0.1720, abs),
        Row("tanh", "(tanh(x) / x - 1) / x^2, in x^2",
            _root(lambda x: (mp.tanh(x) / x - 1) / x**2), ONE * 0, ONE * 0.36, abs),
        Row("sinh", "(sinh(x) / x - 1) / x^2, in x^2", _root(lambda x: (mp.sinh(x) / x - 1) / x**2), ONE * 0, ONE, abs),
    ]  # fmt: skip
    s = (mp.sqrt(mp.mpf(2)) * mp.mpf("1.001") - 1) / (mp.sqrt(mp.mpf(2)) + 1)
    if kind:
        log = "(log(1 + x) - x + x^2 / 2) / x^3"
        found.append(Row("log", log, lambda x: (mp.log1p(x) - x + x * x / 2) / x**3, log_low, log_high, lambda x: x**2))
    else:
        log = "(atanh(x) / x - 1) / x^2, in x^2"
        found.append(Row("atanh", log, _root(lambda x: (mp.atanh(x) / x - 1) / x**2), ONE * 0, s**2, abs))
    log = "(atanh(x) / x - 1 - x^2 / 3) / x^4, in x^2"
    more = 512  # the logarithm of a power needs more digits than the power
    found.append(
        Row("atanh5", log, _root(lambda x: (mp.atanh(x) / x - 1 - x**2 / 3) / x**4), ONE * 0, s**2,
            lambda z: z**2 * more)
    )  # fmt: skip
    return found


def _special(kind: str) -> list[Row]:
    erfcx_center, erfcx_high = (2, ONE * 10.5) if kind else (4, ONE * 27.5)
    found = [
        Row("erf", "erf(x) / x - 1, in x^2", _root(lambda x: mp.erf(x) / x - 1), ONE / 10**30, ONE, abs1),
        Row("erfcx", f"(1 + 2 y) e^(y^2) erfc(y), in x = (y - {erfcx_center}) / (y + {erfcx_center})",
            lambda q: (lambda y: (1 + 2 * y) * _erfcx(y))(erfcx_center * (1 + q) / (1 - q)),
            (ONE * 0.44 - erfcx_center) / (ONE * 0.44 + erfcx_center),
            (erfcx_high - erfcx_center) / (erfcx_high + erfcx_center), abs1),
        Row("lgamma1", "lgamma(1 + x) / x", lambda x: mp.loggamma(1 + x) / x, -ONE * 0.5, ONE * 0.5,
            lambda x: x / mp.loggamma(1 + x)),
        Row("lgamma2", "lgamma(2 + x) / x", lambda x: mp.loggamma(2 + x) / x, -ONE * 0.5, ONE,
            lambda x: x / mp.loggamma(2 + x)),
    ]  # fmt: skip
    if kind:
        stirling_low = ONE * 3
        found += [
            Row("log_erfc", "log(erfc(x))", _log_of_erfcx, ONE, ONE * 4, mp.erfc),
            Row("erfinv_centre", "erfinv(y) / y, in x = w - 2.5 with w = -log(1 - y^2)",
                lambda x: _inverse_erf(x + ONE * 2.5), -ONE * 2.5 + ONE / 10**20, ONE * 2.5, abs1),
            Row("erfinv_tail", "erfinv(y) / y, in x = sqrt(w) - 3 with w = -log(1 - y^2)",
                lambda x: _inverse_erf((x + 3) ** 2), mp.sqrt(ONE * 5) - 3, ONE * 1.12, lambda x: ONE / 2),
            Row("erfinv_far", "erfinv(y) / y, in x = (sqrt(w) - 8) / (sqrt(w) + 8) with w = -log(1 - y^2)",
                lambda x: _inverse_erfc((8 * (1 + x) / (1 - x)) ** 2), -ONE * 3.9 / 12.1, ONE * 19.2 / 35.2,
                lambda x: ONE / 4),
        ]  # fmt: skip
    else:
        stirling_low = ONE * 8
    found.append(
        Row("stirling", "x (lgamma(x) - (x - 1/2) log(x) + x - log(2 pi) / 2), in x^-2",
            lambda z: _stirling(1 / mp.sqrt(z)), ONE / 10**10, stirling_low**-2, mp.sqrt)
    )  # fmt: skip
    return found


def abs1(x: Real) -> Real:
    """No weight."""
    return ONE


# --- Remez -------------------------------------------------------------------------------------------------------


def fit(row: Row, degree: int) -> tuple[list[Real], float]:
    """(coefficients from the constant up, weighted error) of the minimax polynomial on the row's grid."""
    points = row.grid()
    values, weights = [row.function(x) for x in points], [row.weight(x) for x in points]
    count = degree + 1
    reference = [round((GRID - 1) * i / count) for i in range(count + 1)]
    coefficients: list[Real] = []
    worst = mp.inf
    for _ in range(20):
        coefficients, level = _levelled(points, values, weights, reference)
        errors = [w * (_evaluate(coefficients, x) - y) for x, y, w in zip(points, values, weights, strict=True)]
        worst = max(abs(error) for error in errors)
        if worst <= abs(level) * ONE * 1.01:
            break
        reference = _exchanged(errors, count + 1) or reference
    return coefficients, float(worst)


def _levelled(
    points: Sequence[Real], values: Sequence[Real], weights: Sequence[Real], reference: Sequence[int]
) -> tuple[list[Real], Real]:
    """The polynomial whose weighted errors at the reference points are equal with alternating signs."""
    size = len(reference)
    system, right = mp.matrix(size, size), mp.matrix(size, 1)
    for row, index in enumerate(reference):
        for power in range(size - 1):
            system[row, power] = points[index] ** power
        system[row, size - 1] = (-1) ** row / weights[index]
        right[row] = values[index]
    solution = mp.lu_solve(system, right)
    return [solution[i] for i in range(size - 1)], solution[size - 1]


def _exchanged(errors: Sequence[Real], size: int) -> list[int] | None:
    """The extremes of `size` neighbouring runs of equal sign, the largest among them."""
    runs: list[int] = []
    for index, error in enumerate(errors):
        if runs and (errors[runs[-1]] >= 0) == (error >= 0):
            if abs(error) > abs(errors[runs[-1]]):
                runs[-1] = index
        else:
            runs.append(index)
    while len(runs) > size:
        runs.pop(0 if abs(errors[runs[0]]) < abs(errors[runs[-1]]) else -1)
    return runs if len(runs) == size else None


def _evaluate(coefficients: Sequence[Real], x: Real) -> Real:
    total = mp.mpf(0)
    for coefficient in reversed(coefficients):
        total = total * x + coefficient
    return total


def least(row: Row, allowed: float) -> tuple[list[Real], float]:
    """The fit of the least degree whose error is at most `allowed`."""
    for degree in range(1, 40):
        coefficients, error = fit(row, degree)
        if error <= allowed:
            return coefficients, error
    raise ArithmeticError(f"no polynomial of degree 39 or less gives {row.name} to {allowed}")


# --- the header ----------------------------------------------------------------------------------------------------

HEAD: Final = """\
/* Minimax polynomials. Written by `python -m openrpp.cuda.minimax`; do not edit. */
#pragma once
#include "rpp/target.h"

"""


def text(row: Row, kind: str) -> str:
    """The C++ function of a row."""
    coefficients, error = least(row, SINGLE if kind else DOUBLE)
    name, c_type = f"__rpp_poly_{row.name}", "float" if kind else "double"
    digits = [_literal(value, kind) for value in coefficients]
    step = "p * x + {}" if kind else "__rpp_fma(p, x, {})"
    exact = ["    RPP_EXACT"] if kind else []
    lines = [f"/* {row.meaning}, for x in [{mp.nstr(row.low, 5)}, {mp.nstr(row.high, 5)}]; "
             f"degree {len(digits) - 1}, error 2^{mp.nstr(mp.log(error, 2), 3)} of the result */",
             f"RPP_MATH {c_type} {name}({c_type} x) {{",
             *exact,
             f"    {c_type} p = {digits[-1]};"]  # fmt: skip
    lines += [f"    p = {step.format(value)};" for value in reversed(digits[:-1])]
    return "\n".join([*lines, "    return p;", "}", ""])


def _literal(value: Real, kind: str) -> str:
    rounded = float(np.float32(float(value))) if kind else float(value)
    digits, _, exponent = rounded.hex().partition("p")
    return f"{digits.rstrip('0').rstrip('.')}p{exponent}{kind}"


def main() -> int:
    """Write the header."""
    parts = [text(row, kind) for row, kind in rows()]
    PATH.write_text(HEAD + "\n".join(parts), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
