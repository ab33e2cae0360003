"""Translation of LLVM's intrinsics. The longest matching row of `BY_NAME` applies; other names are refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from openrpp.cuda.reader import types
from openrpp.cuda.reader.arithmetic import Scalar, extended, masked, to_integer, translate
from openrpp.cuda.reader.context import Context, Tree
from openrpp.cuda.reader.memory import copy, fill
from openrpp.cuda.reader.syntax import GlobalRef, Instruction, Operand
from openrpp.cuda.reader.types import ArrayType, IntType, Type
from openrpp.kir import Constant, Value, constant
from openrpp.kir import types as kir
from openrpp.kir.floats import FORMATS
from openrpp.kir.types import Space

Translate = Callable[[Context, Instruction], Tree | None]
"""Translates a call whose operands are the callee and the arguments."""


def arguments(instr: Instruction) -> Instruction:
    """The call without its callee."""
    return Instruction(instr.op, instr.type, instr.operands[1:], instr.result, instr.words)


def _same(op: str, count: int = 0) -> Translate:
    """A row of the op table with the same operands; `count` of them where the intrinsic has flags behind."""

    def scalar(context: Context, instr: Instruction, kind: Type, values: list[Value]) -> Value:
        if types.is_odd(kind):
            return _in_odd_width(context, op, kind, values)
        return context.emit(op, *values)

    return _elementwise(scalar, count)


def _elementwise(scalar: Scalar, count: int = 0) -> Translate:
    def translated(context: Context, instr: Instruction) -> Tree:
        call = arguments(instr)
        call.operands = call.operands[: count or len(call.operands)]
        return translate(context, call, scalar)

    return translated


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

    return _elementwise(scalar, 1)


def _carry(op: str, signed: bool) -> Scalar:
    """Whether `op` of integers overflows, for integers of 8 to 64 bits."""

    def overflow(context: Context, instr: Instruction, kind: Type, values: list[Value]) -> Value:
        a, b = values
        if types.is_odd(kind):
            context.refuse(f"overflow of {op} of {kind}", "this operation has 8, 16, 32 or 64 bits")
        result = context.emit(op, a, b)
        if op == "mul":
            return _product_overflows(context, values, result, signed)
        if not signed:
            return context.emit("icmp", *((result, a) if op == "add" else (a, b)), pred="ult")
        # Overflow: the operands' signs are equal (of a difference: not) and the result's is another one.
        sides = context.emit("xor", a, result)
        other = context.emit("xor", b, result) if op == "add" else context.emit("xor", a, b)
        return context.emit("icmp", context.emit("and", sides, other), constant(a.type, 0), pred="slt")

    return overflow


def _product_overflows(context: Context, values: list[Value], low: Value, signed: bool) -> Value:
    kind = values[0].type
    if kind.bits in (32, 64):
        high = context.emit("mulhi_s" if signed else "mulhi_u", *values)
        sign = context.emit("ashr", low, constant(kind, kind.bits - 1)) if signed else constant(kind, 0)
        return context.emit("icmp", high, sign, pred="ne")
    wide = context.emit("mul", *(context.resized(value, 32, signed) for value in values))
    return context.emit("icmp", wide, context.resized(low, 32, signed), pred="ne")


def _with_overflow(op: str, signed: bool) -> Translate:
    overflow = _carry(op, signed)

    def translated(context: Context, instr: Instruction) -> Tree:
        call = arguments(instr)
        values = [context.value(operand) for operand in call.operands]
        return context.emit(op, *values), overflow(context, call, call.operands[0].type, values)

    return translated


def _saturating(op: str, signed: bool) -> Translate:
    """add.sat and sub.sat."""

    def scalar(context: Context, instr: Instruction, kind: Type, values: list[Value]) -> Value:
        beyond = _carry(op, signed)(context, instr, kind, values)
        result, width = context.emit(op, *values), values[0].type
        if not signed:
            return context.emit("select", beyond, constant(width, width.mask if op == "add" else 0), result)
        # The sign of the first operand decides on which side the result went out.
        sign = context.emit("ashr", values[0], constant(width, width.bits - 1))
        edge = context.emit("xor", sign, constant(width, width.mask >> 1))
        return context.emit("select", beyond, edge, result)

    return _elementwise(scalar)


def _three_way(signed: bool) -> Translate:
    """scmp and ucmp: -1, 0 or 1."""

    def scalar(context: Context, instr: Instruction, kind: Type, values: list[Value]) -> Value:
        if signed:
            values = [extended(context, value, kind) for value in values]
        wanted, letter = context.kind_of(instr.type), "s" if signed else "u"
        above = context.emit("icmp", *values, pred=f"{letter}gt")
        below = context.emit("icmp", *values, pred=f"{letter}lt")
        either = context.emit("select", above, constant(wanted, 1), constant(wanted, 0))
        return masked(context, context.emit("select", below, constant(wanted, -1), either), instr.type)

    return _elementwise(scalar)


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


_CLASSES: Final = (
    (0x003, "nan"),
    (0x204, "infinite"),
    (0x108, "normal"),
    (0x090, "subnormal"),
    (0x060, "zero"),
)
"""Bits of is.fpclass and what they ask for, both signs together."""


def _is_class(context: Context, instr: Instruction) -> Tree:
    """is.fpclass, from the bits of the number without its sign (or with it where one sign only is asked for)."""
    value, mask = context.value(instr.operands[1]), context.value(instr.operands[2])
    bits = mask.bits if isinstance(mask, Constant) else 0
    form = FORMATS[value.type]
    exponent = (form.sign - 1) & ~((1 << form.fraction) - 1)
    whole = {16: kir.I16, 32: kir.I32, 64: kir.I64}[value.type.bits]
    number = context.emit("bitcast", value, kind=whole)
    size = context.emit("and", number, constant(whole, form.sign - 1))
    ranges = {
        "nan": (exponent + 1, form.sign - 1),
        "infinite": (exponent, exponent),
        "normal": (1 << form.fraction, exponent - 1),
        "subnormal": (1, (1 << form.fraction) - 1),
        "zero": (0, 0),
    }
    negative = context.emit("icmp", number, constant(whole, 0), pred="slt")
    found: Value = constant(kir.I1, 0)
    for both, name in _CLASSES:
        asked = bits & both
        if not asked:
            continue
        low, high = ranges[name]
        inside = context.emit(
            "icmp", context.emit("sub", size, constant(whole, low)), constant(whole, high - low), pred="ule"
        )
        if asked != both and name != "nan":
            is_negative = bool(asked & 0x03C)
            sign = negative if is_negative else context.emit("xor", negative, constant(kir.I1, 1))
            inside = context.emit("and", inside, sign)
        found = context.emit("or", found, inside)
    return found


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

    return _elementwise(scalar)


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
    "llvm.is.fpclass": _is_class,
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
    "llvm.sadd.with.overflow": _with_overflow("add", True),
    "llvm.uadd.with.overflow": _with_overflow("add", False),
    "llvm.ssub.with.overflow": _with_overflow("sub", True),
    "llvm.usub.with.overflow": _with_overflow("sub", False),
    "llvm.smul.with.overflow": _with_overflow("mul", True),
    "llvm.umul.with.overflow": _with_overflow("mul", False),
    "llvm.sadd.sat": _saturating("add", True),
    "llvm.uadd.sat": _saturating("add", False),
    "llvm.ssub.sat": _saturating("sub", True),
    "llvm.usub.sat": _saturating("sub", False),
    "llvm.scmp": _three_way(True),
    "llvm.ucmp": _three_way(False),
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
