"""The page docs/cuda-math.md."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

from openrpp.cuda.accuracy.functions import Measured
from openrpp.cuda.accuracy.host import HostFunctions
from openrpp.cuda.accuracy.measure import Worst, against_double, against_exact, prepared

PATH: Final = Path("docs/cuda-math.md")

HEAD: Final = """\
# Accuracy of the device math functions

This page is written by `python -m openrpp.cuda.accuracy`; the last measurement stands in the table. The functions are
header code over exact operations: `+ - * /`, square root, fused multiply-add and integers. So every engine gives
the same bits, and measuring the headers compiled for the host measures them everywhere.

Float functions use no fused multiply-add, which the published chip does not have (the exceptions are `fmaf` itself
and the directed roundings); double functions do.

An ulp is the distance of two neighbouring numbers of the type at the exact result; subnormal results are measured in
their own spacing. *float*: every {stride}-th float of the range against the double function, or random arguments
against mpmath where a function has several arguments or no double form. *double*: {count} random arguments (seed
{seed}) against mpmath. Ranges are those in which results are finite; outside, and for NaN, infinities and zeros,
results are those of C17 annex F, which tests check.
"""

EXACT: Final = """\
## Exact functions

`fabs`, `floor`, `ceil`, `trunc`, `rint`, `nearbyint`, `round`, `lrint`, `llrint`, `lround`, `llround`, `fma`, `fmod`,
`remainder`, `remquo`, `fmin`, `fmax`, `fdim` (one rounding), `copysign`, `nextafter`, `ldexp`, `scalbn`, `scalbln`
(one rounding for subnormal results), `frexp`, `modf`, `ilogb`, `logb`, `isnan`, `isinf`, `isfinite`, `signbit`; and the
arithmetic with a rounding direction, `__fadd_rz` to `__dsqrt_ru`.

## Not there

`j0`, `j1`, `jn`, `y0`, `y1`, `yn`, `cyl_bessel_i0`, `cyl_bessel_i1`: clang says so at the call.
"""


def page(rows: tuple[Measured, ...], stride: int, count: int, seed: int) -> str:
    """Measure the rows and describe the results."""
    functions = prepared(rows)
    lines = [HEAD.format(stride=stride, count=count, seed=seed), "## Measured errors", ""]
    lines += ["| function | float | at | double | at | remark |", "|---|---|---|---|---|---|"]
    for row in rows:
        print(row.name, file=sys.stderr)
        lines.append(_line(functions, row, stride, count, seed))
    return "\n".join([*lines, "", EXACT])


def _line(functions: HostFunctions, row: Measured, stride: int, count: int, seed: int) -> str:
    if row.arguments == 1 and row.double is not None:
        single = against_double(functions, row, stride)
    else:
        single = against_exact(functions, row, "float", count, seed)
    double = against_exact(functions, row, "double", count, seed) if row.double is not None else None
    remark = row.note or ("absolute, in 2^-24" if row.absolute else "")
    cells = [f"`{row.name}`", *_cells(single), *(_cells(double) if double else ("", "")), remark]
    return f"| {' | '.join(cells)} |"


def _cells(worst: Worst) -> tuple[str, str]:
    return f"{worst.error:.2f}", ", ".join(f"{value:.9g}" for value in worst.arguments)
