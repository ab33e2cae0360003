"""Translation of LLVM's intrinsics. The longest matching row of `BY_NAME` applies; other names are refused."""

from __future__ import annotations

from typing import Final

from openrpp.cuda.reader import types
from openrpp.cuda.reader.arithmetic import extended, masked, to_integer
from openrpp.cuda.reader.context import Context, Tree
from openrpp.cuda.reader.copies import copy, fill
from openrpp.cuda.reader.overflow import (
    Translate,
    arguments,
    elementwise,
    is_class,
    saturating,
    three_way,
    with_overflow,
)
from openrpp.cuda.reader.syntax import GlobalRef, Instruction, Operand
from openrpp.cuda.reader.types import ArrayType, IntType, Type
from openrpp.kir import Constant, Value, constant
from openrpp.kir import types as kir
from openrpp.kir.types import Space


def _same(op: str, count: int = 0) -> Translate:
    """A row of the op table with the same operands; `count` of them where the intrinsic has flags behind."""

    def scalar(context: Context, instr: Instruction, kind: Type, values: list[Value]) -> Value:
        if types.is_odd(kind):
            return _in_odd_width(context, op, kind, values)
        return context.emit(op, *values)

    return elementwise(scalar, count)


_SIGNED: Final = frozenset({"smin", "smax", "abs"})


def _in_odd_width(context: Context, op: str, kind: Type, values: list[Value]) -> Value:
    if op in _SIGNED:
        return masked(context, context.emit(op, *(extended(context, value, kind) for value in values)), kind)
    if op not in ("umin", "umax", "popc"):
        context.refuse(f"{op} of {kind}", "this operation has 8, 16, 32 or 64 bits")
    return context.emit(op, *values)


def _nothing(context: Context, instr: Instruction) -> None:
    """Hints that have no effect."""


def _first(context: Context, instr: Instruction) -> Tree:
    """Gives its first argument."""
    found = context.tree(instr.operands[1])
    if isinstance(found, Value) and found.type.is_pointer:
        return context.in_space(found, context.spaces.of(instr.result))
    return found


def _trap(context: Context, instr: Instruction) -> None:
    context.emit("trap")


def _zeros(op: str) -> Translate:
    """ctlz and cttz; the card's rows give the width for zero."""

    def scalar(context: Context, instr: Instruction, kind: Type, values: list[Value]) -> Value:
        value = values[0]
        if value.type is kir.I1:
            return context.emit("xor", value, constant(kir.I1, 1))
        if types.is_odd(kind) and isinstance(kind, IntType):
            spare = value.type.bits - kind.bits
            if op == "clz":
                return context.emit("sub", context.emit("clz", value), constant(value.type, spare))
            value = context.emit("or", value, constant(value.type, 1 << kind.bits))
        return context.emit(op, value)

    return elementwise(scalar, 1)


def _copied(overlaps: bool) -> Translate:
    def translated(context: Context, instr: Instruction) -> None:
        _, target, source, size, volatile = instr.operands
        align = min(_promised(instr, 0), _promised(instr, 1))
        flag = context.value(volatile)
        copy(
            context, context.value(target), context.value(source), context.value(size), align, overlaps, _is_true(flag)
        )

    return translated


def _filled(context: Context, instr: Instruction) -> None:
    _, target, byte, size, volatile = instr.operands
    flag = context.value(volatile)
    fill(
        context,
        context.value(target),
        context.value(byte),
        context.value(size),
        _promised(instr, 0),
        _is_true(flag),
    )


def _is_true(value: Value) -> bool:
    return isinstance(value, Constant) and value.bits == 1


def _promised(instr: Instruction, place: int) -> int:
    """The alignment that a call promises for its argument of that number, read from its text."""
    pieces = instr.text.split("(", 1)[1].split(",")
    words = pieces[place].replace("(", " ").split() if place < len(pieces) else []
    return int(words[words.index("align") + 1]) if "align" in words else 1


def _reduced(op: str) -> Translate:
    """vector.reduce: members combined in order."""

    def translated(context: Context, instr: Instruction) -> Tree:
        call = arguments(instr)
        members = [item for item in context.members(call.operands[-1]) if isinstance(item, Value)]
        total = context.value(call.operands[0]) if len(call.operands) == 2 else members.pop(0)
        for member in members:
            total = context.emit(op, total, member)
        return total

    return translated


def _texture_handle(context: Context, instr: Instruction) -> Tree:
    """The texture object that a texture reference holds."""
    return context.emit("load", context.value(instr.operands[1]), kind=kir.I64, align=4)


def _barrier(context: Context, instr: Instruction) -> None:
    number = context.value(instr.operands[1]) if len(instr.operands) > 1 else constant(kir.I32, 0)
    if not (isinstance(number, Constant) and number.bits == 0):
        context.refuse("named barrier", "a block has one barrier, number 0")
    context.emit("barrier")


def _in_memory(space: Space) -> Translate:
    def translated(context: Context, instr: Instruction) -> Tree:
        address = context.value(instr.operands[1])
        if address.type.space is not Space.GENERIC:
            return constant(kir.I1, int(address.type.space is space))
        return context.emit("is_space", address, space=space.value)

    return translated


def _mask_pointer(context: Context, instr: Instruction) -> Tree:
    address, mask = context.value(instr.operands[1]), context.value(instr.operands[2])
    bits = context.emit("and", context.emit("ptrtoint", address, kind=kir.I64), mask)
    return context.emit("inttoptr", bits, kind=address.type)


def _convert(op: str) -> Translate:
    def scalar(context: Context, instr: Instruction, kind: Type, values: list[Value]) -> Value:
        call = Instruction(op, instr.type, instr.operands, instr.result)
        return to_integer(context, call, kind, values)

    return elementwise(scalar)


BY_NAME: Final[dict[str, Translate]] = {
    "llvm.fmuladd": _same("fma"),
    "llvm.fma": _same("fma"),
    "llvm.sqrt": _same("fsqrt"),
    "llvm.fabs": _same("fabs"),
    "llvm.copysign": _same("copysign"),
    "llvm.minnum": _same("fmin"),
    "llvm.maxnum": _same("fmax"),
    "llvm.minimumnum": _same("fmin"),
    "llvm.maximumnum": _same("fmax"),
    "llvm.minimum": _same("fminimum"),
    "llvm.maximum": _same("fmaximum"),
    "llvm.floor": _same("ffloor"),
    "llvm.ceil": _same("fceil"),
    "llvm.trunc": _same("ftrunc"),
    "llvm.rint": _same("frint"),
    "llvm.nearbyint": _same("frint"),
    "llvm.roundeven": _same("frint"),
    "llvm.canonicalize": _first,
    "llvm.fptosi.sat": _convert("fptosi"),
    "llvm.fptoui.sat": _convert("fptoui"),
    "llvm.is.fpclass": is_class,
    "llvm.ctpop": _same("popc"),
    "llvm.ctlz": _zeros("clz"),
    "llvm.cttz": _zeros("ctz"),
    "llvm.bitreverse": _same("brev"),
    "llvm.bswap": _same("bswap"),
    "llvm.fshl": _same("fshl"),
    "llvm.fshr": _same("fshr"),
    "llvm.abs": _same("abs", 1),
    "llvm.smin": _same("smin"),
    "llvm.smax": _same("smax"),
    "llvm.umin": _same("umin"),
    "llvm.umax": _same("umax"),
    "llvm.sadd.with.overflow": with_overflow("add", True),
    "llvm.uadd.with.overflow": with_overflow("add", False),
    "llvm.ssub.with.overflow": with_overflow("sub", True),
    "llvm.usub.with.overflow": with_overflow("sub", False),
    "llvm.smul.with.overflow": with_overflow("mul", True),
    "llvm.umul.with.overflow": with_overflow("mul", False),
    "llvm.sadd.sat": saturating("add", True),
    "llvm.uadd.sat": saturating("add", False),
    "llvm.ssub.sat": saturating("sub", True),
    "llvm.usub.sat": saturating("sub", False),
    "llvm.scmp": three_way(True),
    "llvm.ucmp": three_way(False),
    "llvm.memcpy": _copied(False),
    "llvm.memmove": _copied(True),
    "llvm.memset": _filled,
    "llvm.trap": _trap,
    "llvm.debugtrap": _nothing,
    "llvm.ubsantrap": _trap,
    "llvm.expect": _first,
    "llvm.launder.invariant.group": _first,
    "llvm.strip.invariant.group": _first,
    "llvm.ptrmask": _mask_pointer,
    "llvm.assume": _nothing,
    "llvm.lifetime.start": _nothing,
    "llvm.lifetime.end": _nothing,
    "llvm.invariant.start": _nothing,
    "llvm.invariant.end": _nothing,
    "llvm.experimental.noalias.scope.decl": _nothing,
    "llvm.donothing": _nothing,
    "llvm.prefetch": _nothing,
    "llvm.dbg": _nothing,
    "llvm.fake.use": _nothing,
    "llvm.vector.reduce.add": _reduced("add"),
    "llvm.vector.reduce.mul": _reduced("mul"),
    "llvm.vector.reduce.and": _reduced("and"),
    "llvm.vector.reduce.or": _reduced("or"),
    "llvm.vector.reduce.xor": _reduced("xor"),
    "llvm.vector.reduce.smax": _reduced("smax"),
    "llvm.vector.reduce.smin": _reduced("smin"),
    "llvm.vector.reduce.umax": _reduced("umax"),
    "llvm.vector.reduce.umin": _reduced("umin"),
    "llvm.vector.reduce.fadd": _reduced("fadd"),
    "llvm.vector.reduce.fmul": _reduced("fmul"),
    "llvm.nvvm.barrier.cta.sync.aligned.all": _barrier,
    "llvm.nvvm.barrier.sync": _barrier,
    "llvm.nvvm.barrier0": _barrier,
    "llvm.nvvm.mulhi.i": _same("mulhi_s"),
    "llvm.nvvm.mulhi.ui": _same("mulhi_u"),
    "llvm.nvvm.mulhi.ll": _same("mulhi_s"),
    "llvm.nvvm.mulhi.ull": _same("mulhi_u"),
    "llvm.nvvm.texsurf.handle.internal": _texture_handle,
    "llvm.nvvm.isspacep.global": _in_memory(Space.GLOBAL),
    "llvm.nvvm.isspacep.shared": _in_memory(Space.SHARED),
    "llvm.nvvm.isspacep.const": _in_memory(Space.CONSTANT),
    "llvm.nvvm.isspacep.local": _in_memory(Space.PRIVATE),
}
"""Intrinsics by name without the types behind it."""

_REASONS: Final = {
    "llvm.stacksave": "the size of a local array must be known when the kernel is compiled",
    "llvm.va_start": "device functions have no variable arguments",
    "llvm.pow": "call powf or pow instead of the compiler's built-in",
}


def find(name: str) -> Translate | None:
    """The row of an intrinsic's full name."""
    while name:
        row = BY_NAME.get(name)
        if row is not None:
            return row
        name = name.rpartition(".")[0]
    return None


def reason(name: str) -> str:
    """Why an intrinsic is not read."""
    known = next((text for prefix, text in _REASONS.items() if name.startswith(prefix)), None)
    return known or "LLVM's intrinsic has no kernel IR"


__all__ = ["BY_NAME", "ArrayType", "GlobalRef", "Operand", "find", "reason"]
