"""The op table: one row per op with its types, attributes, effect, meaning and definition."""

from __future__ import annotations

import difflib
from typing import Final

from openrpp.kir.errors import TypeMismatch
from openrpp.kir.ops import convert, floating, integer, memory, threads
from openrpp.kir.ops.form import Op

GROUPS: Final[dict[str, tuple[Op, ...]]] = {
    "Integers": tuple(integer.rows()),
    "Floating point": tuple(floating.rows()),
    "Conversions": tuple(convert.rows()),
    "Memory": tuple(memory.rows()),
    "Threads": tuple(threads.rows()),
}
"""Title -> rows, in the order of the documentation."""

OPS: Final[dict[str, Op]] = {op.name: op for group in GROUPS.values() for op in group}
"""Name -> row."""


def lookup(name: str) -> Op:
    """The row of a name. Raises TypeMismatch with the nearest known name."""
    op = OPS.get(name)
    if op is None:
        near = difflib.get_close_matches(name, OPS, n=1)
        raise TypeMismatch(f"'{name}' is not an op" + (f"; did you mean '{near[0]}'?" if near else ""))
    return op
