"""What scalar words compute, in kernel IR: one rule per mnemonic."""

from __future__ import annotations

from openrpp.codegen.errors import Unsupported
from openrpp.codegen.lift.emit import Emitter
from openrpp.isa.form import Form
from openrpp.kir.ir import Value
from openrpp.kir.types import I16, I32

_PLAIN = {"ADD": "add", "SUB": "sub", "OR": "or", "AND": "and", "XOR": "xor"}
_SHIFTS = {"SHL": "shl", "SHR": "lshr", "SAR": "ashr"}
_RELATIONS = {"EQ": "eq", "NE": "ne", "LT": "lt", "LE": "le"}


def computed(to: Emitter, form: Form, operands: list[Value]) -> Value:
    """The result of an arithmetic scalar word, of the width of its destination. Raises Unsupported."""
    head, kind, *more = form.name.split(".")
    wide = I16 if form.width == 16 else I32
    if head == "MOVE":
        return to.resized(operands[0], wide)
    if head == "CVT":
        return to.resized(operands[0], wide)
    if head == "NOT":
        return to.op("xor", operands[0], operands[0].type.mask)
    if head in _PLAIN:
        return to.op(_PLAIN[head], *operands)
    if head in _SHIFTS:
        value, count = operands
        return to.op(_SHIFTS[head], value, to.resized(count, value.type))
    if head == "MUL":
        a, b = (to.resized(item, wide) for item in operands)
        return to.op("mul", a, b)
    if head == "CMP":
        sign = "" if more[0] in ("EQ", "NE") else kind[0].lower()
        holds = to.test(sign + _RELATIONS[more[0]], *operands)
        return to.chosen(holds, to.number(I16, 1), to.number(I16, 0))
    raise Unsupported(f"{form.name} has no kernel IR", to.kernel.name, to.location)
