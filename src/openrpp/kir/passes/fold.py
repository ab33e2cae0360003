"""Constant folding through the definitions of the ops, and identities such as x + 0."""

from __future__ import annotations

from typing import Final

from openrpp.kir.ir import Constant, Instr, Kernel, Module, Value
from openrpp.kir.ops.form import Effect

_NEUTRAL: Final = {
    **dict.fromkeys(("add", "sub", "or", "xor", "shl", "lshr", "ashr", "ptr_add"), 0),
    "mul": 1,
    "and": -1,
    "udiv": 1,
}
"""Op -> the right operand that changes nothing."""


def fold_constants(kernel: Kernel, module: Module) -> bool:
    """Replace instructions whose result is known by it. The instructions stay, for dead code elimination."""
    known: dict[Value, Value] = {}

    def current(value: Value) -> Value:
        while value in known:
            value = known[value]
        return value

    changed = True
    while changed:
        changed = False
        for instr in kernel.instructions():
            if instr in known or instr.effect is not Effect.PURE:
                continue
            found = _folded(instr, [current(value) for value in instr.operands])
            if found is not None and found is not instr:
                known[instr] = found
                changed = True
    used = _is_used(kernel, known)
    kernel.substitute(known)
    return used


def _folded(instr: Instr, operands: list[Value]) -> Value | None:
    constants = [value for value in operands if isinstance(value, Constant)]
    if len(constants) == len(operands) and instr.op.define is not None:
        evaluate = instr.op.definition([value.type for value in operands], instr.type, instr.attrs)
        return Constant(instr.type, evaluate(*(value.bits for value in constants)))
    if instr.op.name == "select":
        condition = operands[0]
        if isinstance(condition, Constant):
            return operands[1] if condition.bits else operands[2]
        return operands[1] if operands[1] is operands[2] else None
    return _neutral(instr, operands)


def _neutral(instr: Instr, operands: list[Value]) -> Value | None:
    wanted = _NEUTRAL.get(instr.op.name)
    if wanted is None:
        return None
    first, second = operands
    if isinstance(second, Constant) and second.bits == wanted & second.type.mask:
        return first
    if instr.op.commutative and isinstance(first, Constant) and first.bits == wanted & first.type.mask:
        return second
    return None


def _is_used(kernel: Kernel, known: dict[Value, Value]) -> bool:
    return any(value in known for instr in kernel.instructions() for value in instr.operands) or any(
        value in known for block in kernel.blocks for value in block.terminator.operands()
    )
