"""The device math headers, compiled for this machine: errors against mpmath, special values against the C library."""

from __future__ import annotations

import ctypes
import ctypes.util
import math
from collections.abc import Callable
from fractions import Fraction
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from openrpp.cuda.accuracy.functions import FUNCTIONS, Measured
from openrpp.cuda.accuracy.host import HostFunctions
from openrpp.cuda.accuracy.measure import against_exact, prepared
from openrpp.cuda.accuracy.page import PATH

BOUNDS = {
    "default": (2.5, 2.5), "erfinv": (3, 3.5), "erfcinv": (3, 3.5), "normcdf": (3.5, 3), "normcdfinv": (3.5, 4),
    "erfc": (3, 3), "erfcx": (3, 3), "tgamma": (5, 5), "lgamma": (3, 4), "rnorm3d": (3, 2.5),
    "__expf": (150, 0), "__exp10f": (150, 0), "__log2f": (2, 0), "__log10f": (2.5, 0), "__powf": (150, 0),
    "__sinf": (4, 0), "__cosf": (4, 0), "__tanf": (40, 0), "__tanhf": (60, 0),
}  # fmt: skip
"""Largest error allowed: float, double."""

C_1 = [
    "exp",
    "exp2",
    "expm1",
    "log",
    "log2",
    "log10",
    "log1p",
    "sin",
    "cos",
    "tan",
    "asin",
    "acos",
    "atan",
    "sinh",
    "cosh",
    "tanh",
    "asinh",
    "acosh",
    "atanh",
    "sqrt",
    "cbrt",
    "erf",
    "erfc",
    "tgamma",
    "lgamma",
    "floor",
    "ceil",
    "trunc",
    "round",
    "rint",
    "logb",
    "fabs",
]
C_2 = ["pow", "atan2", "fmod", "remainder", "hypot", "fdim", "nextafter", "fmin", "fmax", "copysign"]
EXACT = {
    "floor",
    "ceil",
    "trunc",
    "round",
    "rint",
    "logb",
    "fabs",
    "fmod",
    "remainder",
    "fdim",
    "nextafter",
    "copysign",
    "sqrt",
}
TYPES = {"float": (np.float32, "f"), "double": (np.float64, "")}


@pytest.fixture(scope="module")
def measured() -> HostFunctions:
    return prepared(FUNCTIONS)


@pytest.fixture(scope="module")
def library() -> HostFunctions:
    """The C library's functions, and the arithmetic with rounding directions, by our headers."""
    rows = [(f"{n}/{k}", f"{n}{e}(x)", k, 1) for n in C_1 for k, (_, e) in TYPES.items()]
    rows += [(f"{n}/{k}", f"{n}{e}(x, y)", k, 2) for n in C_2 for k, (_, e) in TYPES.items()]
    rows += [(f"ldexp/{k}", f"ldexp{e}(x, (int)y)", k, 2) for k, (_, e) in TYPES.items()]
    rows += [(f"frexp/{k}", "__rpp_frexp_check(x)", k, 1) for k in TYPES]
    for direction in range(1, 4):
        for kind in TYPES:
            for name, text, count in (
                ("add", "x, y", 2),
                ("mul", "x, y", 2),
                ("div", "x, y", 2),
                ("sqrt", "x", 1),
                ("fma", "x, y, z", 3),
            ):
                rows.append((f"{name}{direction}/{kind}", f"__rpp_{name}_to({text}, {direction})", kind, count))
    rows += [(f"powi/{k}", "__rpp_powi(x, (int)y)", k, 2) for k in TYPES]
    rows = [row for row in rows if "check" not in row[1]]
    return HostFunctions(rows)


@pytest.mark.parametrize("row", FUNCTIONS, ids=lambda row: row.name)
def test_errors_stay_within_bounds(measured: HostFunctions, row: Measured) -> None:
    single, double = BOUNDS.get(row.name, BOUNDS["default"])
    worst = against_exact(measured, row, "float", 250, seed=21)
    assert worst.error <= single, worst
    if row.double is not None:
        worst = against_exact(measured, row, "double", 250, seed=22)
        assert worst.error <= double, worst


def test_the_page_of_measured_errors_names_every_function() -> None:
    text = (Path(__file__).parents[2] / PATH).read_text(encoding="utf-8")
    assert [row.name for row in FUNCTIONS if f"| `{row.name}` |" not in text] == []


def _c_library(name: str, kind: str, arguments: int) -> Callable[..., float]:
    library = ctypes.CDLL(ctypes.util.find_library("m") or "libm.so.6")
    found = getattr(library, name + TYPES[kind][1])
    c_type = ctypes.c_float if kind == "float" else ctypes.c_double
    found.restype, found.argtypes = c_type, [c_type] * arguments
    return found


def _edges(kind: str) -> list[float]:
    info = np.finfo(TYPES[kind][0])
    sizes = [
        0.0,
        float(info.smallest_subnormal),
        float(info.tiny),
        1e-20,
        0.25,
        0.5,
        1.0,
        1.5,
        2.0,
        2.5,
        3.0,
        4.0,
        35.0,
        1e5,
        8388609.0,
    ]
    sizes += [4503599627370497.0, float(info.max) / 2, float(info.max), math.inf]
    return [sign * size for size in sizes for sign in (1.0, -1.0)] + [math.nan]


def _agree(found: float, wanted: float, exact: bool) -> bool:
    if math.isnan(wanted) or math.isnan(found):
        return math.isnan(wanted) and math.isnan(found)
    if wanted == 0 or math.isinf(wanted) or exact or found == 0 or math.isinf(found):
        return found == wanted and math.copysign(1, found) == math.copysign(1, wanted)
    return math.isclose(found, wanted, rel_tol=2e-6)


@pytest.mark.parametrize("kind", TYPES)
@pytest.mark.parametrize("name", C_1)
def test_special_values_are_those_of_the_c_library(library: HostFunctions, name: str, kind: str) -> None:
    x = np.array(_edges(kind), TYPES[kind][0])
    theirs = _c_library(name, kind, 1)
    for value, found in zip(x.tolist(), library.call(f"{name}/{kind}", x).tolist(), strict=True):
        if name == "lgamma" and value < 0:
            continue  # the sign of gamma is a global variable of C
        assert _agree(found, theirs(value), name in EXACT), (value, found, theirs(value))


@pytest.mark.parametrize("kind", TYPES)
@pytest.mark.parametrize("name", C_2)
def test_special_pairs_are_those_of_the_c_library(library: HostFunctions, name: str, kind: str) -> None:
    pairs = list(product(_edges(kind), repeat=2))
    x, y = (np.array(side, TYPES[kind][0]) for side in zip(*pairs, strict=True))
    theirs = _c_library(name, kind, 2)
    for a, b, found in zip(x.tolist(), y.tolist(), library.call(f"{name}/{kind}", x, y).tolist(), strict=True):
        if name in ("fmin", "fmax") and (a == b or math.isnan(a) or math.isnan(b)):
            continue  # signed zeros are left open by C
        assert _agree(found, theirs(a, b), name in EXACT), (a, b, found, theirs(a, b))


@pytest.mark.parametrize("kind", TYPES)
def test_remainders_are_exact(library: HostFunctions, kind: str) -> None:
    random = np.random.default_rng(31)
    limit = 120 if kind == "float" else 1000
    x, y = (2.0 ** random.uniform(-limit, limit, 400) * random.choice([-1, 1], 400) for _ in "xy")
    y[::2] = x[::2] * 2.0 ** random.uniform(-40, 5, 200)
    with np.errstate(over="ignore"):
        x, y = (side.astype(TYPES[kind][0]) for side in (x, y))
    keep = np.isfinite(x) & np.isfinite(y) & (y != 0)
    x, y = x[keep], y[keep]
    for a, b, rest, near in zip(
        x.tolist(),
        y.tolist(),
        library.call(f"fmod/{kind}", x, y).tolist(),
        library.call(f"remainder/{kind}", x, y).tolist(),
        strict=True,
    ):
        assert rest == math.fmod(a, b)
        assert near == math.remainder(a, b)


@pytest.mark.parametrize("kind", TYPES)
def test_ldexp_rounds_subnormal_results_once(library: HostFunctions, kind: str) -> None:
    random = np.random.default_rng(32)
    x = (random.uniform(1, 2, 300) * 2.0 ** random.integers(-100, 100, 300)).astype(TYPES[kind][0])
    n = random.integers(-1200, 1200, 300).astype(TYPES[kind][0])
    with np.errstate(all="ignore"):
        wanted = np.ldexp(x, n.astype(np.int32))
    assert np.array_equal(library.call(f"ldexp/{kind}", x, n), wanted)


def _exact(name: str, operands: list[float]) -> Fraction | None:
    try:
        a, *rest = (Fraction(value) for value in operands)
        if name == "fma":
            return a * rest[0] + rest[1]
        return {"add": lambda: a + rest[0], "mul": lambda: a * rest[0], "div": lambda: a / rest[0]}[name]()
    except (OverflowError, ValueError, ZeroDivisionError):
        return None


def _rounded(exact: Fraction, kind: str, direction: int) -> float:
    """Exact to a type: 1 toward zero, 2 up, 3 down."""
    digits, least, most = (24, -149, 127) if kind == "float" else (53, -1074, 1023)
    if exact == 0:
        return 0.0
    size = abs(exact)
    exponent = size.numerator.bit_length() - size.denominator.bit_length()
    exponent -= size < Fraction(2) ** exponent
    step = Fraction(2) ** max(exponent - digits + 1, least)
    whole = size / step
    up = (exact > 0) == (direction == 2) and direction != 1
    count = -(-whole.numerator // whole.denominator) if up else whole.numerator // whole.denominator
    value = count * step
    if value >= Fraction(2) ** (most + 1):
        value = Fraction(2) ** (most + 1) if up else (Fraction(2) ** (most + 1) - Fraction(2) ** (most - digits + 1))
    result = math.inf if value >= Fraction(2) ** (most + 1) else float(value)
    return math.copysign(result, -1 if exact < 0 else 1)


@pytest.mark.parametrize("direction", [1, 2, 3])
@pytest.mark.parametrize("kind", TYPES)
@pytest.mark.parametrize("name", ["add", "mul", "div", "fma"])
def test_arithmetic_with_a_rounding_direction(library: HostFunctions, name: str, kind: str, direction: int) -> None:
    random = np.random.default_rng(41)
    count = {"add": 2, "mul": 2, "div": 2, "fma": 3}[name]
    limit = 149 if kind == "float" else 1074
    near = [random.normal(size=300) * 2.0 ** random.integers(-8, 9, 300) for _ in range(count)]
    far = [
        random.normal(size=300) * 2.0 ** random.integers(-limit, 120 if kind == "float" else 1020, 300)
        for _ in range(count)
    ]
    operands = [np.concatenate(pair).astype(TYPES[kind][0]) for pair in zip(near, far, strict=True)]
    results = library.call(f"{name}{direction}/{kind}", *operands).tolist()
    for found, *values in zip(results, *(array.tolist() for array in operands), strict=True):
        exact = _exact(name, values)
        if exact is not None:
            assert found == _rounded(exact, kind, direction), values


@pytest.mark.parametrize("direction", [1, 2, 3])
@pytest.mark.parametrize("kind", TYPES)
def test_square_roots_with_a_rounding_direction(library: HostFunctions, kind: str, direction: int) -> None:
    random = np.random.default_rng(42)
    x = np.abs(random.normal(size=400) * 2.0 ** random.integers(-140, 120, 400)).astype(TYPES[kind][0])
    x[:20] = np.arange(20) ** 2
    for value, found in zip(x.tolist(), library.call(f"sqrt{direction}/{kind}", x).tolist(), strict=True):
        exact, root = Fraction(value), Fraction(found)
        after = Fraction(float(np.nextafter(TYPES[kind][0](found), TYPES[kind][0](np.inf))))
        before = Fraction(float(np.nextafter(TYPES[kind][0](found), TYPES[kind][0](-1))))
        if direction == 2:
            assert root * root >= exact and (before < 0 or before * before < exact)
        else:
            assert root * root <= exact < after * after


def test_odd_powers_keep_the_sign_beyond_the_digits_of_a_float(library: HostFunctions) -> None:
    x, n = np.array([-1.0, -1.0, -2.0, 0.5], np.float32), np.array([16777215, 16777214, 3, -2], np.float32)
    assert library.call("powi/float", x, n).tolist() == [-1, 1, -8, 4]


MIX = """
#include <rpp.h>
extern "C" __global__ void mix(const float *x, const double *d, float *f, double *g) {
    int i = threadIdx.x;
    float v = x[i];
    double w = d[i];
    f[6 * i] = sinf(v), f[6 * i + 1] = __expf(v), f[6 * i + 2] = powf(fabsf(v), 1.7f), f[6 * i + 3] = erfcf(v);
    f[6 * i + 4] = atan2f(v, 0.3f), f[6 * i + 5] = tgammaf(v);
    g[4 * i] = exp(w), g[4 * i + 1] = cos(w * 1e9), g[4 * i + 2] = lgamma(fabs(w)), g[4 * i + 3] = cbrt(w);
}
"""


def test_a_kernel_gives_the_bits_that_were_measured(build: Callable[..., Any]) -> None:
    from openrpp.kir.interp import launch

    x = np.array([0.7, -3.3, 12.5, 1e5], np.float32)
    d = x.astype(np.float64) / 7
    f, g = np.zeros((4, 6), np.float32), np.zeros((4, 4))
    launch(build(MIX).module, "mix", 1, 4, [x, d, f, g])
    single = ["sinf(x)", "__expf(x)", "powf(fabsf(x), 1.7f)", "erfcf(x)", "atan2f(x, 0.3f)", "tgammaf(x)"]
    double = ["exp(x)", "cos(x * 1e9)", "lgamma(fabs(x))", "cbrt(x)"]
    host = HostFunctions(
        [*((text, text, "float", 1) for text in single), *((text, text, "double", 1) for text in double)]
    )
    assert np.array_equal(f, np.stack([host.call(text, x) for text in single], 1), equal_nan=True)
    assert np.array_equal(g, np.stack([host.call(text, d) for text in double], 1), equal_nan=True)
