"""Rounding to integral values."""

from __future__ import annotations

from typing import Final

from openrpp.kir.ir import Instr, Value, constant
from openrpp.kir.passes.expand.emit import Emit
from openrpp.kir.passes.expand.floats import cleared, signed_like
from openrpp.kir.passes.expand.table import Table
from openrpp.kir.types import BF16, F16, F32, F64, I32

_WHOLE: Final = {F32: 2.0**23, F64: 2.0**52}
"""From here on every value is integral; a sum with it has no fraction."""


def register(table: Table) -> None:
    """The rules of this file."""
    names = ("ffloor", "fceil", "ftrunc", "frint")
    table.add(names, (F16, BF16), _in_single)
    table.add(names, (F32, F64), _rounded)
    table.add(("ftrunc",), (F32,), _truncated)


def _in_single(e: Emit, instr: Instr) -> Value:
    """Exact: integral values of a narrow float are values of it."""
    return e("fptrunc", e(instr.op.name, e.single(instr.operands[0])), kind=instr.type)


def _small(e: Emit, size: Value, found: Value, value: Value) -> Value:
    """What was found, unless the value is integral already, infinite or NaN."""
    return e.pick(e("fcmp", size, _WHOLE[value.type], pred="olt"), found, value)


def _truncated(e: Emit, instr: Instr) -> Value:
    """Through 32 bits."""
    value = instr.operands[0]
    size = cleared(e, value)
    whole = e("uitofp", e("fptoui", size, kind=I32), kind=F32)
    return _small(e, size, signed_like(e, whole, value), value)


def _rounded(e: Emit, instr: Instr) -> Value:
    """To nearest by adding and subtracting a large power of two; then one back where that went too far."""
    value, name = instr.operands[0], instr.op.name
    size = cleared(e, value)
    near: Value = e("fsub", e("fadd", size, _WHOLE[value.type]), _WHOLE[value.type])
    if name == "ftrunc":
        near = _back(e, near, "ogt", size, "fsub")
    near = signed_like(e, near, value)
    if name == "ffloor":
        near = _back(e, near, "ogt", value, "fsub")
    elif name == "fceil":
        near = signed_like(e, cleared(e, _back(e, near, "olt", value, "fadd")), value)  # -0.7 becomes -0
    return _small(e, size, near, value)


def _back(e: Emit, near: Value, relation: str, value: Value, move: str) -> Value:
    step = e.pick(e("fcmp", near, value, pred=relation), constant(value.type, 1.0), constant(value.type, 0.0))
    return e(move, near, step)
