"""Arguments for a function, and the largest error among its results."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from openrpp.cuda.accuracy.functions import Measured, mp
from openrpp.cuda.accuracy.host import TYPES, HostFunctions, Reals, host_functions

PRECISION: Final = {"float": (24, -126), "double": (53, -1022)}
"""Digits and least normal exponent."""


@dataclass(frozen=True)
class Worst:
    """The largest error found, in ulps (or 2^-24 where the row says so), and where."""

    error: float
    arguments: tuple[float, ...]
    tried: int


def arguments(row: Measured, kind: str, count: int, seed: int) -> list[Reals]:
    """About `count` tuples of arguments, one array per argument, without those outside the range."""
    random = np.random.default_rng(seed)
    low, high = _range(row, kind)
    first = _spread(row.spread, low, high, kind, count, random)
    if row.spread == "pair":
        factors = [random.uniform(-2, 2, len(first)) * 2.0 ** random.integers(-9, 3, len(first)) for _ in "yz"]
        others = [first.astype(np.float64) * factor for factor in factors[: row.arguments - 1]]
        return [_typed(array, kind) for array in (first, *others)]
    if row.spread == "power":
        near = 1 + random.uniform(-1, 1, len(first)) * 2.0 ** random.uniform(-20, -1, len(first))
        base = _typed(np.where(random.integers(0, 2, len(first)) == 0, near, first), kind)
        bound = 140.0 if kind == "float" and not row.name.startswith("__") else 60.0 if kind == "float" else 1070.0
        with np.errstate(divide="ignore"):
            exponent = random.uniform(-bound, bound, len(first)) / np.log2(base.astype(np.float64))
        keep = np.isfinite(exponent) & (np.abs(exponent) < 1e30)
        return [base[keep], _typed(exponent[keep], kind)]
    return [first]


def _range(row: Measured, kind: str) -> tuple[float, float]:
    found = row.single if kind == "float" else row.double
    if found is None:
        raise ValueError(f"{row.name} has no {kind} form")
    return found


def _typed(values: Any, kind: str) -> Reals:
    with np.errstate(over="ignore"):
        return np.asarray(values, np.float64).astype(TYPES[kind])


def _spread(how: str, low: float, high: float, kind: str, count: int, random: np.random.Generator) -> Reals:
    """Half of the arguments as `how` says, the others near zero, near one and near the ends."""
    half, part = count // 2, count // 6
    least = -148.0 if kind == "float" else -1073.0
    sizes = 2.0 ** random.uniform(least, np.log2(max(abs(low), abs(high))), half)
    signs = random.choice([-1.0, 1.0], half)
    main = random.uniform(low, high, half) if how == "even" else sizes * signs
    small = 2.0 ** random.uniform(-30, 3, part) * random.choice([-1.0, 1.0], part)
    one = random.choice([-1.0, 1.0], part) * (1 + random.uniform(-1, 1, part) * 2.0 ** random.uniform(-24, -1, part))
    moderate = random.uniform(max(low, -40.0), min(high, 40.0), part)
    values = _typed(np.concatenate([main, small, one, moderate]), kind)
    return values[(values >= low) & (values <= high) & (values != 0)]


def prepared(rows: tuple[Measured, ...]) -> HostFunctions:
    """The functions of the rows in both types, compiled; keys are `name/kind`."""
    kinds = [(row, kind) for row in rows for kind in TYPES if kind == "float" or row.double is not None]
    return host_functions(
        tuple((f"{row.name}/{kind}", row.expression(kind), kind, row.arguments) for row, kind in kinds)
    )


def against_exact(functions: HostFunctions, row: Measured, kind: str, count: int, seed: int) -> Worst:
    """Results against mpmath. An infinity where the exact result is finite counts as an infinite error."""
    given = arguments(row, kind, count, seed)
    results = functions.call(f"{row.name}/{kind}", *given).tolist()
    worst = Worst(0.0, (), len(results))
    with mp.workprec(160):
        for result, *values in zip(results, *(array.tolist() for array in given), strict=True):
            error = _error(row, kind, result, values)
            if not error <= worst.error:
                worst = Worst(error, tuple(values), worst.tried)
    return worst


def _error(row: Measured, kind: str, result: float, values: list[float]) -> float:
    digits, least = PRECISION[kind]
    exact = row.exact(*(mp.mpf(value) for value in values))
    if mp.isnan(exact):
        return 0.0 if result != result else float("inf")
    if row.absolute:
        return float(abs(mp.mpf(result) - exact) * 2**24)
    if abs(exact) >= float(np.finfo(TYPES[kind]).max):
        return 0.0 if abs(result) >= float(np.finfo(TYPES[kind]).max) else float("inf")
    if result - result != 0:
        return float("inf")
    exponent = int(mp.floor(mp.log(abs(exact), 2))) if exact else least
    return float(abs(mp.mpf(result) - exact) / mp.mpf(2) ** (max(exponent, least) - digits + 1))


def against_double(functions: HostFunctions, row: Measured, stride: int) -> Worst:
    """A float function of one argument on every `stride`-th float of its range, against the double function.

    The error of the double function itself, 2^-26 float ulps per double ulp, is beyond what is shown.
    """
    worst = Worst(0.0, (), 0)
    chunk = 1 << 22
    tried = 0
    for start in range(0, 1 << 32, chunk * stride):
        bits = np.arange(start, min(start + chunk * stride, 1 << 32), stride, dtype=np.uint64).astype(np.uint32)
        x = bits.view(np.float32)
        x = x[(x >= row.single[0]) & (x <= row.single[1])]
        if not len(x):
            continue
        tried += len(x)
        exact = functions.call(f"{row.name}/double", x)
        result = functions.call(f"{row.name}/float", x).astype(np.float64)
        errors = _ulps(result, exact)
        index = int(np.argmax(errors))
        if errors[index] > worst.error:
            worst = Worst(float(errors[index]), (float(x[index]),), 0)
    return Worst(worst.error, worst.arguments, tried)


def _ulps(result: Reals, exact: Reals) -> Reals:
    _, exponent = np.frexp(exact)
    ulp = np.ldexp(1.0, np.maximum(exponent - 1, -126) - 23)
    with np.errstate(invalid="ignore", over="ignore"):
        errors = np.abs(result - exact) / ulp
    beyond = np.abs(exact) >= float(np.finfo(np.float32).max)
    return np.where(beyond, np.where(np.isinf(result) | (np.abs(result) > 3.4e38), 0.0, np.inf), errors)
