"""What the machine in mind ("ae7100x") executes as it is. The back end may give another predicate.

Integers of 32 bits; 64-bit sums, bits, shifts, comparisons and low products, which the back end splits; float32 and
float64 arithmetic with minima, for float64 also integral values and conversions of 64-bit integers; sums, products and
minima of bfloat16; i1 logic. Shift counts must be seen to be below the width, since the machine's behaviour beyond is
its own. A shuffle is `shfl_idx` of 32 bits and width 32 whose index is `select(.., .., laneid)` or `laneid`: every
lane reads a lane that meets, so nothing depends on what absent lanes hold. A comparison of floats has one of the
machine's relations: with a NaN only `une` is true.
"""

from __future__ import annotations

from typing import Final

from openrpp.kir.ir import Constant, Instr, Value
from openrpp.kir.ops.form import Effect
from openrpp.kir.ops.threads import WARP
from openrpp.kir.passes.expand.bounds import most
from openrpp.kir.passes.expand.table import device_place
from openrpp.kir.types import ANY, BF16, F16, F32, F64, I1, I32, I64, INTS, PTR, SCALARS, VOID, Type

RELATIONS: Final = frozenset({"oeq", "olt", "ole", "ogt", "oge", "une"})

_SAME: Final[dict[str, tuple[Type, ...]]] = {
    **dict.fromkeys(("add", "sub", "mul", "shl", "lshr", "ashr"), (I32, I64)),
    **dict.fromkeys(("and", "or", "xor"), (I1, I32, I64)),
    **dict.fromkeys(("mulhi_u", "unpack4", "unpack8"), (I32,)),
    **dict.fromkeys(("fadd", "fsub", "fmul", "fma"), (BF16, F32, F64)),
    **dict.fromkeys(("fdiv", "fsqrt"), (F32, F64)),
    **dict.fromkeys(("frcp", "frsqrt", "fexp2", "flog2"), (F32,)),
    **dict.fromkeys(("fmin", "fmax"), (BF16, F32, F64)),
    **dict.fromkeys(("ffloor", "fceil", "ftrunc", "frint"), (F64,)),
    "select": ANY,
}
"""Ops on one type."""

_CONVERSIONS: Final[dict[str, tuple[tuple[Type, Type], ...]]] = {
    **dict.fromkeys(("trunc", "zext", "sext"), tuple((a, b) for a in INTS for b in INTS)),
    "bitcast": tuple((a, b) for a in SCALARS for b in SCALARS),
    "fptrunc": ((F64, F32), (F64, F16), (F64, BF16), (F32, F16), (F32, BF16)),
    "fpext": ((F32, F64), (F16, F32), (BF16, F32)),
    **dict.fromkeys(("fptosi", "fptoui"), ((F32, I32), (F64, I32), (F64, I64))),
    **dict.fromkeys(("sitofp", "uitofp"), ((I32, F32), (I32, F64), (I64, F64))),
}
_SHIFTS: Final = ("shl", "lshr", "ashr")
_WARP: Final = ("ballot", "vote_any", "vote_all", "activemask", "warp_sync")
_ATOMICS: Final = (
    *("atomic_add", "atomic_and", "atomic_or", "atomic_xor", "atomic_xchg", "atomic_cas"),
    *("atomic_smin", "atomic_smax", "atomic_umin", "atomic_umax"),
)


def is_legal(instr: Instr) -> bool:
    """Whether the machine has the instruction."""
    match instr.effect:
        case Effect.LOAD | Effect.STORE | Effect.ATOMIC:
            return _is_legal_access(instr)
        case Effect.WARP:
            return instr.op.name in _WARP or _is_plain_shuffle(instr)
        case Effect.PURE:
            return _is_legal_value(instr)
        case _:
            place = device_place(instr)
            return place is None or instr.operands[place].type is not PTR


def is_legal_with_full_warps(instr: Instr) -> bool:
    """The same where every warp is known to be full and nobody has returned: all lanes meet under a mask of all.

    Then the machine's shuffles of 32 bits and width 32 do what the ops do, and no lane has to ask who is there.
    """
    return is_legal(instr) or _is_shuffle_of_all(instr)


def _is_shuffle_of_all(instr: Instr) -> bool:
    if not instr.op.name.startswith("shfl") or instr.type not in (I32, F32):
        return False
    mask, _, _, width = instr.operands
    return _is(mask, I32.mask) and _is(width, WARP)


def _is(value: Value, bits: int) -> bool:
    return isinstance(value, Constant) and value.bits == bits


def _is_legal_value(instr: Instr) -> bool:
    name = instr.op.name
    if name in _SAME:
        return instr.type in _SAME[name] and (name not in _SHIFTS or most(instr.operands[1]) < instr.type.bits)
    if name in _CONVERSIONS:
        return (instr.operands[0].type, instr.type) in _CONVERSIONS[name]
    if name == "icmp":
        return instr.operands[0].type in (I32, I64)
    if name == "fcmp":
        return instr.operands[0].type in (F32, F64) and instr.attr("pred") in RELATIONS
    if name == "ptrtoint":
        return instr.type is I64
    if name == "inttoptr":
        return instr.operands[0].type is I64
    return name in ("ptr_add", "space_cast", "is_space")


def _is_legal_access(instr: Instr) -> bool:
    place = device_place(instr)
    if place is None or instr.operands[place].type is PTR or instr.op.name == "lut":
        return False
    if instr.effect is not Effect.ATOMIC:
        kind = instr.operands[0].type if instr.type is VOID else instr.type
        align = int(instr.attr("align"))
        return kind is not I1 and (align == 0 or align >= min(kind.bytes, 4))
    if instr.type.is_float:
        return instr.type in (F32, F64) and instr.op.name == "atomic_fadd"
    return instr.type in (I32, I64) and instr.op.name in _ATOMICS


def _is_plain_shuffle(instr: Instr) -> bool:
    if instr.op.name != "shfl_idx" or instr.type not in (I32, F32):
        return False
    _, _, index, width = instr.operands
    return _is(width, WARP) and is_met(index)


def is_met(index: Value) -> bool:
    """Whether an index names, by its form, a lane that meets."""
    if not isinstance(index, Instr):
        return False
    if index.op.name == "select":
        index = index.operands[2]
    return isinstance(index, Instr) and index.op.name == "laneid"
