"""Checks of a kernel while the scalar interpreter runs it: memory, init, race, sync.

- `memory`: accesses outside of the allocation or variable that is meant, misaligned, through null, after free.
- `init`: reads of bytes that nothing has written.
- `race`: accesses of two threads to the same bytes without an order between them, in shared and device memory.
- `sync`: barriers and warp ops that not all threads reach which they wait for.

What each of them finds and misses: `docs/checks.md`.
"""

from __future__ import annotations

from openrpp.kir.check.regions import Allocation, unwritten
from openrpp.kir.check.report import CHECKS, Finding, Report, Side
from openrpp.kir.check.run import MAX_STEPS, Progress, parse, run

__all__ = [
    "CHECKS",
    "MAX_STEPS",
    "Allocation",
    "Finding",
    "Progress",
    "Report",
    "Side",
    "parse",
    "run",
    "unwritten",
]
