"""Products of bfloat16 values added in float32, which one instruction does with one rounding, as `fma` of what they
extend to does."""

from __future__ import annotations

from openrpp.codegen.card.lowering import Lowering
from openrpp.codegen.card.steps import Part, Pe, Read, Word
from openrpp.kir.ir import Constant, Instr, Value
from openrpp.kir.types import BF16, F32, I32

HIGH_HALF = 0xFFFF_0000
_LOW_HALF, _ALL, _SIGN = 0xFFFF, 0xFFFF_FFFF, 1 << 31
_UP = 16
_DEPTH = 8
"""Steps back from a value that are looked at."""


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
    if isinstance(value, Instr) and value.op.name == "fpext" and value.operands[0].type is BF16:
        return half_of(lower, value.operands[0])
    if isinstance(value, Instr) and value.op.name == "bitcast" and isinstance(value.operands[0], Instr):
        bits = value.operands[0]
        if bits.type is I32 and bits.op.name == "shl" and _is_number(bits.operands[1], _UP):
            return Read(lower.one(bits.operands[0]), Part.LOW)
        if bits.type is I32 and bits.op.name == "and" and _is_number(bits.operands[1], HIGH_HALF):
            return Read(lower.one(bits.operands[0]), Part.HIGH)
    return Read(lower.one(value), Part.HIGH) if zeros(value) & _LOW_HALF == _LOW_HALF else None


def zeros(value: Value, depth: int = _DEPTH) -> int:
    """Bits of a value of 32 bits that are zero whatever happens, as far as that is easily seen."""
    if isinstance(value, Constant):
        return ~value.bits & _ALL
    if not isinstance(value, Instr) or not depth:
        return 0
    of = [zeros(operand, depth - 1) for operand in value.operands if operand.type.bits == value.type.bits == 32]
    match value.op.name:
        case "bitcast" | "fneg" | "fabs" if of:
            return of[0] & ~_SIGN if value.op.name == "fneg" else of[0]
        case "zext" if value.type is I32:
            return _ALL ^ value.operands[0].type.mask
        case "and" if len(of) == 2:
            return of[0] | of[1]
        case "or" | "xor" | "select" if len(of) == 2:
            return of[0] & of[1]
        case "add" | "sub" if len(of) == 2:
            ones = ~(of[0] & of[1])
            return (ones & -ones) - 1 & _ALL
        case "shl" if isinstance(count := value.operands[1], Constant) and count.bits < 32 and value.type is I32:
            return (of[0] << count.bits | (1 << count.bits) - 1) & _ALL
        case _:
            return 0


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
