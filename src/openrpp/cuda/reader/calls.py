"""Translation of calls: our device headers' externals, intrinsics, and the refusal of everything else."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from openrpp.cuda.reader import intrinsics
from openrpp.cuda.reader.context import Context, Tree
from openrpp.cuda.reader.initial import Address, address_of, content
from openrpp.cuda.reader.lexer import BadText
from openrpp.cuda.reader.syntax import Assembly, GlobalRef, Instruction, Operand
from openrpp.cuda.reader.types import PointerType
from openrpp.kir import Value
from openrpp.kir import types as kir
from openrpp.kir.ops.form import AttrValue
from openrpp.kir.types import Space

Translate = Callable[[Context, Instruction], Tree | None]


def _op(op: str, kind: kir.Type | None = None, **attrs: AttrValue) -> Translate:
    """A row of the op table with the call's arguments as operands."""

    def translated(context: Context, instr: Instruction) -> Tree:
        values = [context.value(operand) for operand in instr.operands[1:]]
        return context.emit(op, *values, kind=kind, attrs=attrs)

    return translated


def _printf(context: Context, instr: Instruction) -> Tree:
    """printf with a literal format; pointers among the values are generic addresses."""
    text = _literal(context, instr.operands[1])
    values = [context.value(operand) for operand in instr.operands[2:]]
    given = [context.in_space(value, Space.GENERIC) if _is_local(value) else value for value in values]
    return context.emit("printf", *given, format=text)


def _is_local(value: Value) -> bool:
    return value.type.space in (Space.SHARED, Space.PRIVATE)


def _assert_fail(context: Context, instr: Instruction) -> None:
    """The condition that did not hold; file and line are those of the location."""
    message, _, _, function = instr.operands[1:]
    context.emit("assert_fail", message=_literal(context, message), function=_literal(context, function))


def _literal(context: Context, operand: Operand) -> str:
    """The text of a string literal."""
    if not isinstance(operand.type, PointerType):
        context.refuse("printf", "its format must be a string literal")
    try:
        place = address_of(operand)
    except BadText:
        place = Address("", 0)
    variable = context.variables.get(place.symbol)
    if variable is None or variable.initial is None or not variable.constant:
        context.refuse("printf", "its format must be a string literal")
    data = bytes(content(variable.initial, context.variables).data[place.offset :])
    return data.split(b"\0", 1)[0].decode("utf-8", "replace")


def _staged(op: str, shared: int | None) -> Translate:
    """A DMA transfer; device memory is named by a pointer of device memory."""

    def translated(context: Context, instr: Instruction) -> None:
        values = [context.value(operand) for operand in instr.operands[1:]]
        for place, value in enumerate(values[:2]):
            wanted = Space.SHARED if place == shared else Space.GLOBAL
            if value.type.space not in (wanted, Space.GENERIC, Space.CONSTANT):
                context.refuse(op, f"operand {place + 1} is in {value.type}; it must be in {wanted.value} memory")
            values[place] = context.in_space(value, wanted)
        context.emit(op, *values)

    return translated


def _lut(context: Context, instr: Instruction) -> Tree:
    table, index = (context.value(operand) for operand in instr.operands[1:])
    return context.emit("lut", table, index, kind=kir.I16)


_REGISTERS: Final = {
    f"__rpp_{name}_{axis}": _op(name, axis=axis) for name in ("tid", "ctaid", "ntid", "nctaid") for axis in "xyz"
}
_EXCHANGES: Final = {
    f"__rpp_{name}_{kind}": _op(name)
    for name in ("shfl_idx", "shfl_up", "shfl_down", "shfl_xor", "match_any", "match_all")
    for kind in ("i32", "i64", "f32", "f64")
}
_COMBINATIONS: Final = {
    f"__rpp_redux_{name}": _op("redux", combine=name)
    for name in ("add", "and", "or", "xor", "umin", "umax", "smin", "smax")
}
_PLAIN: Final = {
    f"__rpp_{name}": _op(name)
    for name in [
        "laneid",
        "barrier_count",
        "barrier_and",
        "barrier_or",
        "warp_sync",
        "grid_barrier",
        "vote_any",
        "vote_all",
        "vote_uni",
        "ballot",
        "activemask",
        "prmt",
        "frsqrt",
        "fexp2",
        "flog2",
        "dot8_bf16",
        "stage_wait",
    ]
}

BY_NAME: Final[dict[str, Translate]] = {
    **_REGISTERS,
    **_EXCHANGES,
    **_COMBINATIONS,
    **_PLAIN,
    "__rpp_dp4a_ss": _op("dp4a", a_signed=True, b_signed=True),
    "__rpp_dp4a_uu": _op("dp4a"),
    "__rpp_unpack4": _op("unpack4"),
    "__rpp_unpack4_high": _op("unpack4", high=True),
    "__rpp_unpack8": _op("unpack8"),
    "__rpp_clock": _op("clock", kind=kir.I64),
    "__rpp_printf": _printf,
    "__rpp_assert_fail": _assert_fail,
    "__rpp_lut": _lut,
    "__rpp_stage_in": _staged("stage_in", 0),
    "__rpp_stage_out": _staged("stage_out", 1),
    "__rpp_transfer": _staged("transfer", None),
}
"""The externals of our device headers."""

_HEAP: Final = "a kernel cannot allocate memory on RPP: allocate it on the host and pass a pointer"
_REASONS: Final = {
    **dict.fromkeys(("malloc", "calloc", "realloc", "free", "_Znwm", "_Znam", "_ZdlPv", "_ZdaPv", "_ZdlPvm"), _HEAP),
    "vprintf": "include <cstdio> behind OpenRPP's headers, not in front of them",
    "__cxa_pure_virtual": "virtual calls have no RPP mapping",
    "cudaLaunchDevice": "a kernel cannot launch kernels on RPP",
}


def call(context: Context, instr: Instruction, defined: frozenset[str]) -> Tree | None:
    """A call. `defined` are functions of the module that could not be inlined."""
    callee = instr.operands[0].value
    if isinstance(callee, Assembly):
        context.refuse("asm", f"inline PTX has no RPP mapping: {callee.text.strip()[:60]!r}")
    if not isinstance(callee, GlobalRef):
        context.refuse("function pointer", "a call whose target is known at run time only has no RPP mapping")
    name = callee.name
    row = BY_NAME.get(name) or (intrinsics.find(name) if name.startswith("llvm.") else None)
    if row is not None:
        return row(context, instr)
    if name.startswith("llvm."):
        context.refuse(name, intrinsics.reason(name))
    if name in defined:
        context.refuse(name, "recursion has no RPP mapping: a kernel must come down to one function")
    context.refuse(name, _REASONS.get(name, "the device function is declared, but not defined in this source"))
