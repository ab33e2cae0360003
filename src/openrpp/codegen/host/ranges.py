"""What is known about integers without running: constants, and upper bounds of values that are not negative.

`narrow` promises that every axis of the launch has at most 2^31 - 1 threads, which the launch checks.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from openrpp.codegen.host.geometry import Triple
from openrpp.kir.ir import Constant, Instr, Value
from openrpp.kir.ops.threads import AXES

Bounds = list[int]
_DEPTH: Final = 12
_LIMIT: Final = (1 << 31) - 1


class Ranges:
    """Bounds for a block shape."""

    def __init__(self, block: Triple, narrow: bool) -> None:
        self.block = block
        self.narrow = narrow
        self._known: dict[Value, int | None] = {}

    def constant(self, value: Value) -> int | None:
        """The bits of a value that is the same in every launch with this block shape."""
        if isinstance(value, Constant):
            return value.bits
        if isinstance(value, Instr) and value.op.name == "ntid":
            return self.block[AXES.index(str(value.attr("axis")))]
        if isinstance(value, Instr) and value.op.name in ("zext", "sext", "trunc"):
            inner = self.constant(value.operands[0])
            small = inner is not None and inner >> (value.operands[0].type.bits - 1) == 0
            return inner & value.type.mask if inner is not None and small else None
        return None

    def most(self, value: Value, depth: int = 0) -> int | None:
        """An upper bound, below half of the type's range, of a value that is never negative; None if not known."""
        if value not in self._known:
            self._known[value] = None  # a cycle through a loop knows nothing
            found = self._most(value, depth) if depth < _DEPTH else None
            top = value.type.mask >> 1
            self._known[value] = found if found is not None and found <= top else None
        return self._known[value]

    def _most(self, value: Value, depth: int) -> int | None:
        if isinstance(value, Constant):
            return value.bits
        if not isinstance(value, Instr):
            return None
        if value.op.name in ("tid", "ctaid", "ntid", "nctaid", "laneid"):
            return self._geometry(value)
        if value.op.name in ("and", "urem"):
            return self._smallest(value, depth)
        if value.op.name == "udiv" and not self.constant(value.operands[1]):
            return None  # a / 0 is all ones
        rule = _RULES.get(value.op.name)
        bounds = [self.most(operand, depth + 1) for operand in value.operands]
        if rule is None or None in bounds:
            return None
        return rule([bound for bound in bounds if bound is not None])

    def _smallest(self, value: Instr, depth: int) -> int | None:
        bounds = [self.most(operand, depth + 1) for operand in value.operands]
        if value.op.name == "urem":  # a mod 0 is a
            divisor = self.constant(value.operands[1])
            return divisor - 1 if divisor else bounds[0]
        known = [bound for bound in bounds if bound is not None]
        return min(known) if known else None

    def _geometry(self, value: Instr) -> int | None:
        if value.op.name == "laneid":
            return 31
        extent = self.block[AXES.index(str(value.attr("axis")))]
        if value.op.name == "tid":
            return extent - 1
        if value.op.name == "ntid":
            return extent
        if not self.narrow:
            return None
        blocks = _LIMIT // extent
        return blocks if value.op.name == "nctaid" else blocks - 1


def _sum(bounds: Bounds) -> int:
    return sum(bounds)


def _product(bounds: Bounds) -> int:
    return bounds[0] * bounds[1]


def _shifted(bounds: Bounds) -> int:
    return bounds[0] << min(bounds[1], 64)


def _first(bounds: Bounds) -> int:
    return bounds[0]


def _all_bits(bounds: Bounds) -> int:
    return (1 << max(bounds).bit_length()) - 1


_RULES: dict[str, Callable[[Bounds], int]] = {
    "add": _sum,
    "mul": _product,
    "shl": _shifted,
    "lshr": _first,
    "udiv": _first,
    "zext": _first,
    "sext": _first,
    "trunc": _first,
    "umin": min,
    "umax": max,
    "or": _all_bits,
    "xor": _all_bits,
}
