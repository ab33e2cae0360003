"""64-bit integers as two words, and float operations."""

from __future__ import annotations

from openrpp.codegen.card.lowering import Lowering
from openrpp.codegen.card.steps import Part, Pe, Read, Source, Word
from openrpp.kir.ir import Instr

Two = tuple[Source, Source]


def operate(lower: Lowering, instr: Instr, text: str, *reads: Read) -> None:
    """A PE operation that gives the result of an instruction."""
    (word,) = lower.values.words(instr)
    if instr.type.bits == 16:  # the high half of a 16-bit result means nothing, that of a value is 0
        loose = lower.pe(text, *reads, makes=Part.LOW)
        cut = lower.both(loose, 0xFFFF)
        assert isinstance(cut, Word)
        lower.loose[cut] = loose
        lower.give(instr, cut)
        return
    lower.append(Pe(text, reads, word, location=lower.location))


def add(lower: Lowering, a: Two, b: Two) -> Two:
    """a + b; the carry is whether the low sum is below an operand."""
    low = lower.add(a[0], b[0])
    other = b[0] if isinstance(a[0], int) else a[0]
    carry: Source = 0 if 0 in (a[0], b[0]) else lower.number(lower.compare("CMP.U32.LT", low, other))
    return low, lower.add(lower.add(a[1], b[1]), carry)


def sub(lower: Lowering, a: Two, b: Two) -> Two:
    """a - b."""
    borrow: Source = 0 if b[0] == 0 else lower.number(lower.compare("CMP.U32.LT", a[0], b[0]))
    return lower.sub(a[0], b[0]), lower.sub(lower.sub(a[1], b[1]), borrow)


def high_product(lower: Lowering, a: Source, b: Source) -> Source:
    """High word of an unsigned product, from the products of 16-bit halves; no sum below overflows 32 bits."""
    low, upper = Part.LOW, Part.HIGH
    first = lower.product(a, low, b, low)
    second = lower.add(lower.product(a, low, b, upper), lower.shift("SHR.U32", first, 16))
    third = lower.add(lower.product(a, upper, b, low), lower.both(second, 0xFFFF))
    total = lower.add(lower.product(a, upper, b, upper), lower.shift("SHR.U32", second, 16))
    return lower.add(total, lower.shift("SHR.U32", third, 16))


def multiply(lower: Lowering, a: Two, b: Two) -> Two:
    """Low 64 bits of the product."""
    cross = lower.add(lower.multiply(a[0], b[1]), lower.multiply(a[1], b[0]))
    return lower.multiply(a[0], b[0]), lower.add(high_product(lower, a[0], b[0]), cross)


def compare(lower: Lowering, signed: bool, relation: str, a: Two, b: Two) -> Source:
    """A relation of 64-bit integers: by the high words, and where they are equal by the low ones."""
    if isinstance(a[1], int) and a[1] == b[1]:
        return lower.compare(f"CMP.U32.{relation.upper()}", a[0], b[0])
    same = lower.compare("CMP.U32.EQ", a[1], b[1])
    if relation in ("eq", "ne"):
        equal = lower.both(same, lower.compare("CMP.U32.EQ", a[0], b[0]))
        return equal if relation == "eq" else lower.invert(equal)
    strict = relation[0].upper() + "T"
    high = lower.compare(f"CMP.{'S32' if signed else 'U32'}.{strict}", a[1], b[1])
    low = lower.compare(f"CMP.U32.{relation.upper()}", a[0], b[0])
    return lower.either(high, lower.both(same, low))


def shift(lower: Lowering, name: str, a: Two, count: Two, most: int) -> Two:
    """shl, lshr or ashr by a count of at most `most`: by words first, then by bits."""
    low, high = a
    by, word = (count[0], 0) if most < 32 else (lower.both(count[0], 31), lower.both(count[0], 32))
    back = lower.exclusive(by, 31)
    fill: Source = lower.shift("SAR.S32", high, 31) if name == "ashr" else 0
    if name == "shl":
        carried = lower.shift("SHR.U32", lower.shift("SHR.U32", low, 1), back)
        moved_high = lower.either(lower.shift("SHL.U32", high, by), carried)
        moved_low = lower.shift("SHL.U32", low, by)
        near = (lower.select(word, 0, moved_low), lower.select(word, moved_low, moved_high))
    else:
        carried = lower.shift("SHL.U32", lower.shift("SHL.U32", high, 1), back)
        moved_low = lower.either(lower.shift("SHR.U32", low, by), carried)
        moved_high = lower.shift("SAR.S32" if name == "ashr" else "SHR.U32", high, by)
        near = (lower.select(word, moved_high, moved_low), lower.select(word, fill, moved_high))
    if most < 64:
        return near
    fits = lower.both(lower.compare("CMP.U32.LT", count[0], 64), lower.compare("CMP.U32.EQ", count[1], 0))
    return lower.select(fits, near[0], fill), lower.select(fits, near[1], fill)


def add_signed(lower: Lowering, a: Two, b: Source) -> Two:
    """a plus a sign-extended word."""
    high: Source = (0xFFFF_FFFF if b >> 31 else 0) if isinstance(b, int) else lower.shift("SAR.S32", b, 31)
    return add(lower, a, (b, high))
