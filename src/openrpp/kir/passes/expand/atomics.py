"""Atomics that the target lacks: other atomics, or loops of compare-and-swap on the 32-bit word.

A word that holds a value of 8 or 16 bits is read and written whole, so memory must be allocated in multiples of 4.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from openrpp.kir.ir import Instr, Value
from openrpp.kir.passes.expand.emit import INT_OF, Emit
from openrpp.kir.passes.expand.table import Table
from openrpp.kir.types import BF16, F16, F32, F64, I8, I16, I32, I64

_INTEGER: Final = ("add", "sub", "and", "or", "xor", "smin", "smax", "umin", "umax")
_FLOAT: Final = ("fadd", "fmin", "fmax")
_PURE: Final = {f"atomic_{name}": name for name in (*_INTEGER, *_FLOAT)}
"""Atomic -> the op on the old value and the operand."""


def register(table: Table) -> None:
    """The rules of this file."""
    table.add((f"atomic_{name}" for name in _INTEGER), (I32, I64), _by_word)
    table.add(("atomic_inc", "atomic_dec"), (I32, I64), _by_word)
    table.add((f"atomic_{name}" for name in _FLOAT), (F32, F64), _by_word)
    table.add(("atomic_sub",), (I32, I64), _subtract)
    table.add(("atomic_xchg",), (F32, F64), _exchange)
    table.add(("atomic_fadd", "atomic_fmin", "atomic_fmax"), (F16, BF16), _part_update)
    table.add(("atomic_cas",), (I8, I16), _part_swap)


def updated(e: Emit, instr: Instr, old: Value) -> Value:
    """What an atomic leaves where it found `old`."""
    name, value = instr.op.name, instr.operands[1]
    match name:
        case "atomic_xchg":
            return value
        case "atomic_cas":
            return e.pick(e("icmp", old, value, pred="eq"), instr.operands[2], old)
        case "atomic_inc":
            return e.pick(e("icmp", old, value, pred="uge"), 0, e("add", old, 1))
        case "atomic_dec":
            less = e("sub", old, 1)
            return e.pick(e("icmp", less, value, pred="ult"), less, value)
        case _:
            return e(_PURE[name], old, value)


def _subtract(e: Emit, instr: Instr) -> Value:
    place, value = instr.operands
    return e("atomic_add", place, e("sub", 0, value), scope=instr.attr("scope"))


def _exchange(e: Emit, instr: Instr) -> Value:
    place, value = instr.operands
    old = e("atomic_xchg", place, e.bits(value), scope=instr.attr("scope"))
    return e.of_bits(old, instr.type)


def _swapped(e: Emit, instr: Instr, place: Value, update: Callable[[Value], Value]) -> Value:
    """A loop until nobody came between; the old word."""
    kind = INT_OF[max(instr.type.bits, 32)]
    again, done = e.block("swap", kind), e.block("swapped")
    e.br(again, e("load", place, kind=kind, volatile=True))
    old = again.params[0]
    e.at(again)
    found = e("atomic_cas", place, old, update(old), scope=instr.attr("scope"))
    e.cbr(e("icmp", found, old, pred="eq"), done, again, (), (found,))
    e.at(done)
    return old


def _by_word(e: Emit, instr: Instr) -> Value:
    """The value is the word."""

    def update(old: Value) -> Value:
        return e.bits(updated(e, instr, e.of_bits(old, instr.type)))

    return e.of_bits(_swapped(e, instr, instr.operands[0], update), instr.type)


# --- values inside a word ----------------------------------------------------------------------------------------


class _Part:
    """A value of 8 or 16 bits in the word around it."""

    def __init__(self, e: Emit, instr: Instr) -> None:
        self.e = e
        self.kind = INT_OF[instr.type.bits]
        place = instr.operands[0]
        inside = e("and", e.narrow(e("ptrtoint", place, kind=I64), I32), 3)
        self.word = e("ptr_add", place, e("sub", 0, inside))
        self.shift = e("and", e("shl", inside, 3), 31)
        self.others = e("xor", e("shl", self.kind.mask, self.shift), -1)

    def read(self, word: Value) -> Value:
        """The value, in 32 bits."""
        return self.e("and", self.e("lshr", word, self.shift), self.kind.mask)

    def written(self, word: Value, value: Value) -> Value:
        """The word with a value of the narrow type in its place."""
        e = self.e
        return e("or", e("and", word, self.others), e("shl", e.widen(value), self.shift))


def _part_update(e: Emit, instr: Instr) -> Value:
    part = _Part(e, instr)

    def value(word: Value) -> Value:
        return e.of_bits(e.narrow(part.read(word), part.kind), instr.type)

    old = _swapped(e, instr, part.word, lambda word: part.written(word, e.bits(updated(e, instr, value(word)))))
    return value(old)


def _part_swap(e: Emit, instr: Instr) -> Value:
    """A failed comparison writes the word back as it was: nobody sees it, and the loop has one way out."""
    part = _Part(e, instr)
    expected, wanted = e.widen(instr.operands[1]), instr.operands[2]

    def update(word: Value) -> Value:
        equal = e("icmp", part.read(word), expected, pred="eq")
        return e.pick(equal, part.written(word, wanted), word)

    return e.narrow(part.read(_swapped(e, instr, part.word, update)), instr.type)
