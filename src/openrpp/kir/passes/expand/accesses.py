"""Accesses: generic pointers, tables, i1 in memory, addresses that are not aligned."""

from __future__ import annotations

from typing import Final

from openrpp.kir.ir import Block, Instr, Value
from openrpp.kir.ops.form import Effect
from openrpp.kir.passes.expand.atomics import updated
from openrpp.kir.passes.expand.emit import INT_OF, Emit
from openrpp.kir.passes.expand.table import Table, device_place, lacking
from openrpp.kir.types import ANY, BF16, F16, I1, I8, I16, I64, VOID, Space, Type, pointer

_ATOMICS: Final = (
    *("atomic_add", "atomic_sub", "atomic_and", "atomic_or", "atomic_xor", "atomic_smin", "atomic_smax"),
    *("atomic_umin", "atomic_umax", "atomic_inc", "atomic_dec", "atomic_fadd", "atomic_fmin", "atomic_fmax"),
    *("atomic_xchg", "atomic_cas"),
)


def register(table: Table) -> None:
    """The rules of this file."""
    table.add_generic(("load", "store", *_ATOMICS), _generic)
    table.add_generic(("stage_in", "stage_out"), _staged)
    table.add_generic(("lut",), _looked_up)
    table.add(("lut",), (I16, F16, BF16), _looked_up)
    kinds = [kind for kind in ANY if kind is not I8]
    table.add(("load",), kinds, _load)
    for kind in kinds:
        table.add(("store",), (kind,), _store, VOID)


# --- generic pointers --------------------------------------------------------------------------------------------


def moved(e: Emit, instr: Instr, space: Space) -> Instr:
    """The same access, its generic address seen through a space."""
    place = device_place(instr)
    operands = list(instr.operands)
    if place is not None:
        operands[place] = e("space_cast", operands[place], kind=pointer(space))
    kind = instr.type if instr.op.needs_type() else None
    return e.append(Instr(instr.op, operands, kind, instr.attrs, e.location))


def _staged(e: Emit, instr: Instr) -> None:
    moved(e, instr, Space.GLOBAL)


def _generic(e: Emit, instr: Instr) -> Value | None:
    """A way for each space; constant memory is reached as global memory is."""
    place = device_place(instr)
    address = instr.operands[0 if place is None else place]
    results = () if instr.type is VOID else (instr.type,)
    shared, other, private, device = (e.block(name) for name in ("shared", "other", "private", "device"))
    join = e.block("accessed", *results)
    e.cbr(e("is_space", address, space="shared"), shared, other)
    _way(e, shared, join, moved(e.at(shared), instr, Space.SHARED))
    e.at(other).cbr(e("is_space", address, space="private"), private, device)
    own = _own if instr.effect is Effect.ATOMIC else moved
    _way(e, private, join, own(e.at(private), instr, Space.PRIVATE))
    _way(e, device, join, moved(e.at(device), instr, Space.GLOBAL))
    e.at(join)
    return join.params[0] if results else None


def _way(e: Emit, block: Block, join: Block, result: Value) -> None:
    e.br(join, *([result] if result.type is not VOID else []))


def _own(e: Emit, instr: Instr, space: Space) -> Value:
    """An atomic on a variable of the thread: nobody else sees it."""
    address = e("space_cast", instr.operands[0], kind=pointer(space))
    old = e("load", address, kind=instr.type)
    e("store", updated(e, instr, old), address)
    return old


# --- tables, truth values ----------------------------------------------------------------------------------------


def _looked_up(e: Emit, instr: Instr) -> Value:
    table, index = instr.operands
    offset = e("shl", e.widen(index, I64), 1)
    return e("load", e("ptr_add", table, offset), kind=instr.type)


def _load(e: Emit, instr: Instr) -> Value:
    """An i1 is bit 0 of a byte; what is not aligned comes in parts."""
    address, kind = instr.operands[0], instr.type
    volatile = instr.attr("volatile")
    if kind is I1:
        return e("trunc", e("load", address, kind=I8, volatile=volatile), kind=I1)
    part, wide = _part(e, instr, kind), INT_OF[max(kind.bits, 32)]
    total: Value | None = None
    for place in range(kind.bytes // part.bytes):
        piece = e("load", _beyond(e, address, place * part.bytes), kind=part, volatile=volatile)
        extended = e.widen(piece, wide)
        total = e("or", total, e("shl", extended, place * part.bits)) if total is not None else extended
    assert total is not None
    return e.of_bits(e.narrow(total, INT_OF[kind.bits]), kind)


def _store(e: Emit, instr: Instr) -> None:
    value, address = instr.operands
    volatile = instr.attr("volatile")
    if value.type is I1:
        e("store", e("zext", value, kind=I8), address, volatile=volatile)
        return
    part, bits = _part(e, instr, value.type), e.widen(e.bits(value), INT_OF[max(value.type.bits, 32)])
    for place in range(value.type.bytes // part.bytes):
        moved_down = e("lshr", bits, place * part.bits) if place else bits
        e("store", e.narrow(moved_down, part), _beyond(e, address, place * part.bytes), volatile=volatile)


def _part(e: Emit, instr: Instr, kind: Type) -> Type:
    """The type of the parts of an access. Raises KirError where it is aligned."""
    align = int(instr.attr("align")) or kind.bytes
    if align >= min(kind.bytes, 4):
        raise lacking(e.kernel, instr)
    return INT_OF[8 * align]


def _beyond(e: Emit, address: Value, offset: int) -> Value:
    return e("ptr_add", address, offset) if offset else address
