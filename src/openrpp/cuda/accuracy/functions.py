"""The functions that are measured: exact definition in mpmath, and where arguments are taken from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Final

mp: Any = import_module("mpmath").mp

Real = Any  # mpmath.mpf
Exact = Callable[..., Real]
Range = tuple[float, float]


@dataclass(frozen=True)
class Measured:
    """A function of CUDA's math library.

    `double` and `single` are the ranges of the first argument in the two precisions. `spread` says how arguments lie
    in them: 'even', by 'exponent' (all orders of magnitude of both signs that the range holds), 'pair' for functions of
    several arguments of like size, or 'power' for a base and an exponent. `absolute` measures the absolute error in
    units of 2^-24 instead of ulps of the result.
    """

    name: str
    exact: Exact
    single: Range
    double: Range | None
    spread: str = "even"
    arguments: int = 1
    note: str = ""
    absolute: bool = False

    def expression(self, kind: str) -> str:
        """The call in C++."""
        letters = ", ".join("xyz"[: self.arguments])
        return f"{self.call_name(kind)}({letters})"

    def call_name(self, kind: str) -> str:
        """Its name for a type."""
        return self.name if self.name.startswith("__") or kind == "double" else f"{self.name}f"


def _power_of(base: int) -> Exact:
    def power(x: Real) -> Real:
        return mp.power(base, x)

    return power


def _log_to(base: int) -> Exact:
    def log(x: Real) -> Real:
        return mp.log(x) / mp.log(base)

    return log


def _inverse(function: Exact) -> Exact:
    def inverse(*x: Real) -> Real:
        return 1 / function(*x)

    return inverse


def _normcdf(x: Real) -> Real:
    return mp.erfc(-x / mp.sqrt(2)) / 2


def _normcdfinv(p: Real) -> Real:
    return -mp.sqrt(2) * _erfcinv(2 * p)


def _lgamma(x: Real) -> Real:
    return mp.log(abs(mp.gamma(x))) if x < 1e6 else mp.loggamma(x)


def _two_reduced(x: Real) -> Real:
    """x minus the nearest even integer."""
    return x - 2 * mp.nint(x / 2)


def _tanpi(x: Real) -> Real:
    turn = _two_reduced(x)
    if turn == mp.nint(turn):
        return mp.mpf(0)
    return mp.inf if abs(turn) == mp.mpf(0.5) else mp.tan(mp.pi * turn)


def _erfcx(x: Real) -> Real:
    return mp.exp(x * x) * mp.erfc(x) if x < 1e20 else 1 / (x * mp.sqrt(mp.pi))


def _erfcinv(q: Real) -> Real:
    if q == 2:
        return -mp.inf
    if q > 1:
        return -_erfcinv(2 - q)
    if q > 0.3:
        return mp.erfinv(1 - q)
    y = mp.sqrt(-mp.log(q))
    for _ in range(60):
        value = mp.erfc(y)
        step = value / mp.exp(-y * y) * mp.sqrt(mp.pi) / 2 * mp.log(value / q)
        y += step
        if abs(step) < mp.eps * abs(y) * 16:
            break
    return y


def _gamma(x: Real) -> Real:
    return mp.nan if x <= 0 and x == mp.nint(x) else mp.gamma(x)


def _cube_root(x: Real) -> Real:
    return mp.sign(x) * mp.cbrt(abs(x))


def _length(*parts: Real) -> Real:
    return mp.sqrt(sum(part * part for part in parts))


ALL: Final = (-3.4e38, 3.4e38), (-1.7e308, 1.7e308)
POSITIVE: Final = (1e-45, 3.4e38), (5e-324, 1.7e308)


def _elementary() -> list[Measured]:
    return [
        Measured("exp", mp.exp, (-104, 88.7), (-745, 709.7)),
        Measured("exp2", _power_of(2), (-149, 127.9), (-1074, 1023.9)),
        Measured("exp10", _power_of(10), (-45, 38.5), (-323, 308.2)),
        Measured("expm1", mp.expm1, (-20, 88.7), (-40, 709.7)),
        Measured("log", mp.log, *POSITIVE, "exponent"),
        Measured("log2", _log_to(2), *POSITIVE, "exponent"),
        Measured("log10", mp.log10, *POSITIVE, "exponent"),
        Measured("log1p", mp.log1p, (-0.9999999, 3.4e38), (-0.9999999999, 1.7e308), "exponent"),
        Measured("sin", mp.sin, *ALL, "exponent"),
        Measured("cos", mp.cos, *ALL, "exponent"),
        Measured("tan", mp.tan, *ALL, "exponent"),
        Measured("sinpi", mp.sinpi, (-9e6, 9e6), (-4e15, 4e15), "exponent"),
        Measured("cospi", mp.cospi, (-9e6, 9e6), (-4e15, 4e15), "exponent"),
        Measured("tanpi", _tanpi, (-9e6, 9e6), (-4e15, 4e15), "exponent"),
        Measured("asin", mp.asin, (-1, 1), (-1, 1)),
        Measured("acos", mp.acos, (-1, 1), (-1, 1)),
        Measured("atan", mp.atan, *ALL, "exponent"),
        Measured("atan2", mp.atan2, (-1e10, 1e10), (-1e100, 1e100), "pair", 2),
        Measured("sinh", mp.sinh, (-89.4, 89.4), (-710.4, 710.4)),
        Measured("cosh", mp.cosh, (-89.4, 89.4), (-710.4, 710.4)),
        Measured("tanh", mp.tanh, (-10, 10), (-20, 20)),
        Measured("asinh", mp.asinh, *ALL, "exponent"),
        Measured("acosh", mp.acosh, (1, 3.4e38), (1, 1.7e308), "exponent"),
        Measured("atanh", mp.atanh, (-1, 1), (-1, 1)),
    ]


def _powers() -> list[Measured]:
    return [
        Measured("pow", mp.power, (1e-30, 1e30), (1e-300, 1e300), "power", 2),
        Measured("sqrt", mp.sqrt, *POSITIVE, "exponent", note="correctly rounded"),
        Measured("rsqrt", _inverse(mp.sqrt), *POSITIVE, "exponent"),
        Measured("cbrt", _cube_root, *ALL, "exponent"),
        Measured("rcbrt", _inverse(_cube_root), *ALL, "exponent"),
        Measured("hypot", _length, (-1e38, 1e38), (-1e307, 1e307), "pair", 2),
        Measured("rhypot", _inverse(_length), (-1e37, 1e37), (-1e306, 1e306), "pair", 2),
        Measured("norm3d", _length, (-1e18, 1e18), (-1e150, 1e150), "pair", 3),
        Measured("rnorm3d", _inverse(_length), (-1e18, 1e18), (-1e150, 1e150), "pair", 3),
    ]


def _special() -> list[Measured]:
    return [
        Measured("erf", mp.erf, (-4.2, 4.2), (-6.2, 6.2)),
        Measured("erfc", mp.erfc, (-4, 10.05), (-6, 27.2)),
        Measured("erfcx", _erfcx, (-9.3, 3e38), (-26, 1e300), "exponent"),
        Measured("erfinv", mp.erfinv, (-1, 1), (-1, 1)),
        Measured("erfcinv", _erfcinv, (1e-45, 2), (1e-308, 2), "exponent"),
        Measured("normcdf", _normcdf, (-14.2, 6), (-38.3, 9)),
        Measured("normcdfinv", _normcdfinv, (1e-45, 1), (1e-308, 1), "exponent"),
        Measured("tgamma", _gamma, (-35.9, 35), (-170.9, 171.6), note="next to a pole more"),
        Measured(
            "lgamma",
            _lgamma,
            (1e-30, 1e30),
            (1e-300, 1e300),
            "exponent",
            note="x > 0; for x < 0 the error is small against 1, not near a zero",
        ),
    ]


def _quick() -> list[Measured]:
    pi = 3.14159
    return [
        Measured("__expf", mp.exp, (-86.9, 88.7), None),
        Measured("__exp10f", _power_of(10), (-37.7, 38.5), None),
        Measured("__logf", mp.log, POSITIVE[0], None, "exponent"),
        Measured("__log2f", _log_to(2), POSITIVE[0], None, "exponent"),
        Measured("__log10f", mp.log10, POSITIVE[0], None, "exponent"),
        Measured("__sinf", mp.sin, (-pi, pi), None, absolute=True),
        Measured("__cosf", mp.cos, (-pi, pi), None, absolute=True),
        Measured("__tanf", mp.tan, (-1.5, 1.5), None),
        Measured("__tanhf", mp.tanh, (-10, 10), None, absolute=True),
        Measured("__powf", mp.power, (1e-3, 1e3), None, "power", 2),
    ]


FUNCTIONS: Final = (*_elementary(), *_powers(), *_special(), *_quick())
"""In the order of the documentation."""
