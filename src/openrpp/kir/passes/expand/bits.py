"""Counting, reversing and permuting bits."""

from __future__ import annotations

from functools import reduce
from typing import Final

from openrpp.kir.ir import Constant, Instr, Value
from openrpp.kir.passes.expand.emit import Emit
from openrpp.kir.passes.expand.table import Table
from openrpp.kir.types import F32, I8, I16, I32, I64

_SMALL: Final = (I8, I16)


def register(table: Table) -> None:
    """The rules of this file."""
    table.add(("popc",), (I32, I64), lambda e, i: _ones(e, i.operands[0]))
    table.add(("clz",), (I32, I64), lambda e, i: _leading(e, i.operands[0]))
    table.add(("ctz",), (I32, I64), lambda e, i: _trailing(e, i.operands[0]))
    table.add(("ffs",), (I32, I64), lambda e, i: _first(e, i.operands[0]))
    table.add(("brev",), (I32, I64), lambda e, i: _reversed(e, i.operands[0], _STEPS))
    table.add(("bswap",), (I32, I64), lambda e, i: _reversed(e, i.operands[0], _STEPS[3:]))
    table.add(("popc", "clz", "ctz", "ffs", "brev"), _SMALL, _narrow)
    table.add(("bswap",), (I16,), _narrow)
    table.add(("prmt",), (I32,), _permuted)


def _narrow(e: Emit, instr: Instr) -> Value:
    """In 32 bits; leading zeros and reversed bits are off by the bits that are not there."""
    width, value = instr.type.bits, e.widen(instr.operands[0])
    match instr.op.name:
        case "clz":
            found = e("sub", e("clz", value), 32 - width)
        case "ctz":
            found = e("ctz", e("or", value, 1 << width))
        case "brev" | "bswap" as name:
            found = e("lshr", e(name, value), 32 - width)
        case name:
            found = e(name, value)
    return e.narrow(found, instr.type)


def _pairs(e: Emit, value: Value) -> Value:
    """Ones of every nibble, in it."""
    twos = e("sub", value, e("and", e("lshr", value, 1), 0x5555_5555))
    return e("add", e("and", twos, 0x3333_3333), e("and", e("lshr", twos, 2), 0x3333_3333))


def _ones(e: Emit, value: Value) -> Value:
    """Sums in place (Warren, "Hacker's Delight", 5-1); the bytes are added by a product."""
    if value.type is I32:
        fours = _pairs(e, value)
        bytes_ = e("and", e("add", fours, e("lshr", fours, 4)), 0x0F0F_0F0F)
    else:
        fours = e("add", _pairs(e, e.low(value)), _pairs(e, e.high(value)))  # at most 8 in each nibble
        bytes_ = e("add", e("and", fours, 0x0F0F_0F0F), e("and", e("lshr", fours, 4), 0x0F0F_0F0F))
    return e.widen(e("lshr", e("mul", bytes_, 0x0101_0101), 24), value.type)


def _exponent(e: Emit, value: Value) -> Value:
    """127 + the place of the only one that matters to the size of an i32 as float32; 0 for 0."""
    return e("lshr", e("bitcast", e("uitofp", value, kind=F32), kind=I32), 23)


def leading32(e: Emit, value: Value) -> Value:
    """Leading zeros of an i32; the bit below the highest is cleared, so that the conversion does not round up."""
    top = e("and", value, e("xor", e("lshr", value, 1), -1))
    return e.pick(e("icmp", value, 0, pred="eq"), 32, e("sub", 158, _exponent(e, top)))


def lowest32(e: Emit, value: Value) -> Value:
    """Place of the lowest one of an i32; -127 for 0."""
    return e("sub", _exponent(e, e("and", value, e("sub", 0, value))), 127)


def trailing32(e: Emit, value: Value) -> Value:
    """Trailing zeros of an i32."""
    return e.pick(e("icmp", value, 0, pred="eq"), 32, lowest32(e, value))


def _leading(e: Emit, value: Value) -> Value:
    if value.type is I32:
        return leading32(e, value)
    high = e.high(value)
    none = e("icmp", high, 0, pred="eq")
    count = leading32(e, e.pick(none, e.low(value), high))
    return e("zext", e("add", count, e("and", e("sext", none, kind=I32), 32)), kind=I64)


def _trailing(e: Emit, value: Value) -> Value:
    if value.type is I32:
        return trailing32(e, value)
    low = e.low(value)
    none = e("icmp", low, 0, pred="eq")
    count = trailing32(e, e.pick(none, e.high(value), low))
    return e("zext", e("add", count, e("and", e("sext", none, kind=I32), 32)), kind=I64)


def _first(e: Emit, value: Value) -> Value:
    kind = value.type
    place = lowest32(e, value) if kind is I32 else e("ctz", value)
    return e.pick(e("icmp", value, 0, pred="eq"), 0, e("add", place, 1))


_STEPS: Final = ((1, 0x5555_5555), (2, 0x3333_3333), (4, 0x0F0F_0F0F), (8, 0x00FF_00FF), (16, 0))
"""Distance of a swap, and a mask of the lower of both; none for the last, whose shifts drop the rest."""


def _reversed(e: Emit, value: Value, steps: tuple[tuple[int, int], ...]) -> Value:
    if value.type is I64:
        return e.join(_reversed(e, e.high(value), steps), _reversed(e, e.low(value), steps))
    for distance, mask in steps:
        down, up = e("lshr", value, distance), value
        if mask:
            down, up = e("and", down, mask), e("and", up, mask)
        value = e("or", down, e("shl", up, distance))
    return value


def _permuted(e: Emit, instr: Instr) -> Value:
    """Each byte is moved to the top of a word and from there to its place, or to the whole by its sign."""
    a, b, selector = instr.operands
    if isinstance(selector, Constant):
        return _permuted_by(e, a, b, selector.bits)
    parts: list[Value] = []
    for place in range(4):
        nibble = selector if place == 0 else e("lshr", selector, 4 * place)
        word = e.pick(_bit(e, nibble, 2), b, a)
        distance = e("shl", e("and", e("xor", nibble, 3), 3), 3)
        top = e("shl", word, distance)
        signed = e.pick(_bit(e, nibble, 3), e("ashr", top, 31), top)
        byte = e("lshr", signed, 24)
        parts.append(byte if place == 0 else e("shl", byte, 8 * place))
    return reduce(lambda total, part: e("or", total, part), parts)


def _permuted_by(e: Emit, a: Value, b: Value, selector: int) -> Value:
    """Bytes that move the same way move together."""
    together: dict[tuple[Value, int], int] = {}
    parts: list[Value] = []
    for place in range(4):
        nibble = selector >> 4 * place & 15
        word, source = (b if nibble & 4 else a), nibble & 3
        if nibble & 8:
            sign = e("ashr", word if source == 3 else e("shl", word, 24 - 8 * source), 31)
            parts.append(e("and", sign, 0xFF << 8 * place))
        else:
            key = word, 8 * (place - source)
            together[key] = together.get(key, 0) | 0xFF << 8 * place
    for (word, distance), mask in together.items():
        moved = _moved(e, word, distance)
        left = 0xFFFF_FFFF << distance & 0xFFFF_FFFF if distance >= 0 else 0xFFFF_FFFF >> -distance
        parts.append(moved if mask == left else e("and", moved, mask))
    return reduce(lambda total, part: e("or", total, part), parts)


def _moved(e: Emit, word: Value, distance: int) -> Value:
    """Shifted left; right for a negative distance."""
    if not distance:
        return word
    return e("shl", word, distance) if distance > 0 else e("lshr", word, -distance)


def _bit(e: Emit, value: Value, place: int) -> Value:
    return e("icmp", e("and", value, 1 << place), 0, pred="ne")
