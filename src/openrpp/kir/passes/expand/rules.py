"""All rules."""

from __future__ import annotations

from typing import Final

from openrpp.kir.passes.expand import (
    accesses,
    atomics,
    bits,
    comparisons,
    conversions,
    division,
    floats,
    integers,
    products,
    quotients,
    rounding,
    truth,
    warps,
)
from openrpp.kir.passes.expand.table import Table


def _table() -> Table:
    table = Table()
    for family in (truth, integers, products, quotients, division, bits, floats, comparisons, rounding, conversions):
        family.register(table)
    for family in (atomics, warps, accesses):
        family.register(table)
    return table


RULES: Final = _table()
