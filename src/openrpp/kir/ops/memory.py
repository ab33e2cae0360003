"""Rows that reach memory: addresses, loads, stores, atomics, fences, staging.

Addresses are bytes and values little-endian. A load or store of `align` promises a multiple of it; 0 stands for the
size of the type. What an atomic does to its location is its definition; all give the old value.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from openrpp.kir.floats import DECODE, ENCODE
from openrpp.kir.ops.floating import extremum
from openrpp.kir.ops.form import Define, Effect, Op, Typing, choice, flag, number, text
from openrpp.kir.types import (
    ANY,
    BF16,
    F16,
    F32,
    F64,
    I8,
    I16,
    I32,
    I64,
    POINTERS,
    PTR,
    PTR_CONSTANT,
    PTR_GLOBAL,
    PTR_SHARED,
    Space,
    Type,
    signed,
)

TRANSFERS: Final = ("stage_in", "stage_out", "transfer")
"""Ops that start a DMA transfer: where to, where from, how many bytes."""
SCOPES: Final = ("block", "device", "system")
_POINTER: Final = {"P": POINTERS}
_WRITABLE: Final = tuple(kind for kind in POINTERS if kind.space not in (Space.CONSTANT, Space.PARAM))
_ATOMIC: Final = tuple(kind for kind in _WRITABLE if kind.space is not Space.PRIVATE)
_INT_UPDATES: Final = (I32, I64)

Update = Callable[[int, int], int]


def _modular(operation: Update) -> Define:
    def define(typing: Typing) -> Update:
        mask = typing.result.mask
        return lambda old, value: operation(old, value) & mask

    return define


def _signed_pick(pick: Update) -> Define:
    def define(typing: Typing) -> Update:
        width, mask = typing.result.bits, typing.result.mask
        return lambda old, value: pick(signed(old, width), signed(value, width)) & mask

    return define


def _float_add(typing: Typing) -> Update:
    decode, encode = DECODE[typing.result], ENCODE[typing.result]
    return lambda old, value: encode(decode(old) + decode(value))


def _increment(old: int, value: int) -> int:
    return 0 if old >= value else old + 1


def _decrement(old: int, value: int) -> int:
    return value if old == 0 or old > value else old - 1


def _swap(typing: Typing) -> Callable[[int, int, int], int]:
    return lambda old, expected, value: value if old == expected else old


def rows() -> list[Op]:
    """Everything that makes or uses an address."""
    return [*_addresses(), *_accesses(), *_atomics(), *_staging()]


def _addresses() -> list[Op]:
    symbol = (text("symbol"),)
    return [
        Op(
            "global_addr",
            "-> P",
            "The address of a variable of the module; of a shared one, the copy of this block.",
            Effect.ADDRESS,
            where={"P": (PTR_GLOBAL, PTR_SHARED, PTR_CONSTANT)},
            attributes=symbol,
        ),
        Op(
            "local_addr",
            "-> ptr.private",
            "The address of a variable of this thread.",
            Effect.ADDRESS,
            attributes=symbol,
        ),
        Op(
            "ptr_add",
            "P I -> P",
            "The address b bytes further, b signed; `inbounds` promises the same object.",
            define=_offset,
            where={"P": POINTERS, "I": (I32, I64)},
            attributes=(flag("inbounds"),),
        ),
    ]


def _offset(typing: Typing) -> Update:
    width, mask = typing.operands[1].bits, typing.result.mask
    return lambda base, offset: (base + signed(offset, width)) & mask


def _accesses() -> list[Op]:
    how = (number("align"), flag("volatile"))
    narrow = {"P": POINTERS, "I": (I16, I32), "T": (I16, F16, BF16)}
    return [
        Op("load", "P -> T", "The value at an address.", Effect.LOAD, where={**_POINTER, "T": ANY}, attributes=how),
        Op(
            "store",
            "T P -> void",
            "Writes a to the address b.",
            Effect.STORE,
            where={"P": _WRITABLE, "T": ANY},
            attributes=how,
        ),
        Op("lut", "P I -> T", "Entry b, unsigned, of a table of 16-bit entries.", Effect.LOAD, where=narrow),
        Op(
            "fence",
            "-> void",
            "Accesses before it are seen before those behind it by every thread of the scope.",
            Effect.FENCE,
            attributes=(choice("scope", *SCOPES, default="device"),),
        ),
    ]


def _atomic(name: str, doc: str, define: Define, kinds: tuple[Type, ...] = _INT_UPDATES, operands: str = "P T") -> Op:
    where = {"P": _ATOMIC, "T": kinds}
    scope = (choice("scope", *SCOPES, default="device"),)
    return Op(name, f"{operands} -> T", doc, Effect.ATOMIC, define, where, scope)


def _atomics() -> list[Op]:
    every, floats = (I32, I64, F32, F64), (F16, BF16, F32, F64)
    return [
        _atomic("atomic_add", "old + value, wraps.", _modular(lambda old, value: old + value)),
        _atomic("atomic_sub", "old - value, wraps.", _modular(lambda old, value: old - value)),
        _atomic("atomic_and", "old and value.", _modular(lambda old, value: old & value)),
        _atomic("atomic_or", "old or value.", _modular(lambda old, value: old | value)),
        _atomic("atomic_xor", "old xor value.", _modular(lambda old, value: old ^ value)),
        _atomic("atomic_smin", "The smaller, signed.", _signed_pick(min)),
        _atomic("atomic_smax", "The larger, signed.", _signed_pick(max)),
        _atomic("atomic_umin", "The smaller, unsigned.", _modular(min)),
        _atomic("atomic_umax", "The larger, unsigned.", _modular(max)),
        _atomic("atomic_inc", "0 if old >= value, else old + 1.", _modular(_increment)),
        _atomic("atomic_dec", "value if old is 0 or above value, else old - 1.", _modular(_decrement)),
        _atomic("atomic_fadd", "old + value, rounded once.", _float_add, floats),
        _atomic("atomic_fmin", "minimumNumber(old, value).", extremum(False, True), floats),
        _atomic("atomic_fmax", "maximumNumber(old, value).", extremum(True, True), floats),
        _atomic("atomic_xchg", "value.", _modular(lambda old, value: value), every),
        _atomic("atomic_cas", "c if old equals b, else old.", _swap, (I8, I16, I32, I64), "P T T"),
    ]


def _staging() -> list[Op]:
    where = {"G": (PTR_GLOBAL, PTR), "I": (I32, I64)}
    uniform = "the operands are the same in every thread of the block."
    return [
        Op(
            "stage_in",
            "ptr.shared G I -> void",
            f"Starts a DMA transfer of c bytes from device memory b to shared memory a; {uniform}",
            Effect.BLOCK,
            where=where,
        ),
        Op(
            "stage_out",
            "G ptr.shared I -> void",
            f"Starts a DMA transfer of c bytes from shared memory b to device memory a; {uniform}",
            Effect.BLOCK,
            where=where,
        ),
        Op(
            "transfer",
            "ptr.global ptr.global I -> void",
            f"Starts a DMA transfer of c bytes within device memory, from b to a; {uniform} It may outlive the kernel: "
            "a later launch waits for it at its first `stage_wait`.",
            Effect.BLOCK,
            where={"I": (I32, I64)},
        ),
        Op("stage_wait", "-> void", "Waits until the transfers of the block are done; a barrier.", Effect.BLOCK),
    ]
