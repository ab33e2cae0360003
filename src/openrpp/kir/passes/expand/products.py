"""High halves of products, and dot products of bytes and of bf16."""

from __future__ import annotations

from openrpp.kir.ir import Instr, Value, constant
from openrpp.kir.passes.expand.emit import Emit
from openrpp.kir.passes.expand.table import Table
from openrpp.kir.types import F32, I32, I64


def register(table: Table) -> None:
    """The rules of this file."""
    table.add(("mulhi_s",), (I32, I64), _signed_high)
    table.add(("mulhi_u",), (I64,), _wide_high)
    table.add(("mulhi_u",), (I32,), _high_by_halves)
    table.add(("dp4a",), (I32,), _bytes_dot)
    table.add(("dot8_bf16",), (F32,), _bf16_dot)


def _signed_high(e: Emit, instr: Instr) -> Value:
    """A negative factor counts 2^width too much in the unsigned product."""
    a, b = instr.operands
    last = instr.type.bits - 1
    surplus = e("add", e("and", e("ashr", a, last), b), e("and", e("ashr", b, last), a))
    return e("sub", e("mulhi_u", a, b), surplus)


def _high_by_halves(e: Emit, instr: Instr) -> Value:
    """Four products of 16 bits; no sum overflows."""
    (al, ah), (bl, bh) = ((e("and", value, 0xFFFF), e("lshr", value, 16)) for value in instr.operands)
    first = e("add", e("mul", ah, bl), e("lshr", e("mul", al, bl), 16))
    second = e("add", e("mul", al, bh), e("and", first, 0xFFFF))
    return e("add", e("mul", ah, bh), e("add", e("lshr", first, 16), e("lshr", second, 16)))


def _wide_high(e: Emit, instr: Instr) -> Value:
    """Four products of 32 bits, each in two halves."""
    (al, ah), (bl, bh) = ((e.low(value), e.high(value)) for value in instr.operands)

    def wide(value: Value) -> Value:
        return e("zext", value, kind=I64)

    middle = wide(e("mulhi_u", al, bl))
    top = e.join(e("mul", ah, bh), e("mulhi_u", ah, bh))
    for a, b in ((al, bh), (ah, bl)):
        middle = e("add", middle, wide(e("mul", a, b)))
        top = e("add", top, wide(e("mulhi_u", a, b)))
    return e("add", top, e("lshr", middle, 32))


def byte_of(e: Emit, word: Value, place: int, signed: bool) -> Value:
    """A byte of a word, extended."""
    if signed:
        top = word if place == 3 else e("shl", word, 24 - 8 * place)
        return e("ashr", top, 24)
    down = word if place == 0 else e("lshr", word, 8 * place)
    return down if place == 3 else e("and", down, 0xFF)


def _bytes_dot(e: Emit, instr: Instr) -> Value:
    a, b, total = instr.operands
    signs = bool(instr.attr("a_signed")), bool(instr.attr("b_signed"))
    for place in range(4):
        total = e("add", total, e("mul", byte_of(e, a, place, signs[0]), byte_of(e, b, place, signs[1])))
    return total


def _bf16_dot(e: Emit, instr: Instr) -> Value:
    """Even terms are low halves, odd terms high ones; each chain starts at +0."""
    words = instr.operands[:8]

    def single(word: Value, high: bool) -> Value:
        return e("bitcast", e("and", word, 0xFFFF_0000) if high else e("shl", word, 16), kind=F32)

    chains: list[Value] = []
    for high in (False, True):
        chain: Value = constant(F32, 0.0)
        for a, b in zip(words[:4], words[4:], strict=True):
            chain = e("fadd", chain, e("fmul", single(a, high), single(b, high)))
        chains.append(chain)
    return e("fadd", instr.operands[8], e("fadd", *chains))
