"""Products of bfloat16 values added in float32, which one instruction does with one rounding, as `fma` of what they
extend to does."""

from __future__ import annotations

from openrpp.codegen.card.lowering import Lowering
from openrpp.codegen.card.steps import Part, Pe, Read, Word
from openrpp.kir.ir import Constant, Instr, Value
from openrpp.kir.types import BF16, F32, I32

HIGH_HALF = 0xFFFF_0000
_UP = 16


def mixed_product(lower: Lowering, instr: Instr) -> bool:
    """Lower an `fma` whose factors are extended from bfloat16. Whether it is one."""
    if instr.op.name != "fma" or instr.type is not F32:
        return False
    first, second, added = instr.operands
    factors = [_extended(lower, value) for value in (first, second)]
    if factors[0] is None or factors[1] is None:
        return False
    reads = (factors[0], factors[1], Read(lower.one(added)))
    (word,) = lower.values.words(instr)
    lower.append(Pe("HFMA", reads, word, location=lower.location))
    return True


def _extended(lower: Lowering, value: Value) -> Read | None:
    """The half of a word whose bits a float32 value extends with zeros."""
    if not isinstance(value, Instr):
        return None
    if value.op.name == "fpext" and value.operands[0].type is BF16:
        return half_of(lower, value.operands[0])
    if value.op.name != "bitcast" or not isinstance(value.operands[0], Instr):
        return None
    bits = value.operands[0]
    if bits.type is not I32 or len(bits.operands) != 2 or not isinstance(bits.operands[1], Constant):
        return None
    number = bits.operands[1].bits
    if bits.op.name == "shl" and number == _UP:
        return Read(lower.one(bits.operands[0]), Part.LOW)
    if bits.op.name == "and" and number == HIGH_HALF:
        return Read(lower.one(bits.operands[0]), Part.HIGH)
    return None


def half_of(lower: Lowering, value: Value) -> Read:
    """Where the bits of a value of 16 bits stand: in a word of its own, or in one that it was cut out of."""
    source = value
    while isinstance(source, Instr) and source.op.name == "bitcast" and source.operands[0].type.bits == value.type.bits:
        source = source.operands[0]
    if isinstance(source, Instr) and source.op.name == "trunc" and source.operands[0].type is I32:
        whole = source.operands[0]
        if isinstance(whole, Instr) and whole.op.name == "lshr" and _is_number(whole.operands[1], _UP):
            return Read(lower.one(whole.operands[0]), Part.HIGH)
        return Read(lower.one(whole), Part.LOW)
    found = lower.one(source)
    return Read(lower.loose.get(found, found) if isinstance(found, Word) else found, Part.LOW)


def _is_number(value: Value, number: int) -> bool:
    return isinstance(value, Constant) and value.bits == number
