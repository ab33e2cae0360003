"""What may be passed to a kernel of kernel IR, and the numbers, addresses and bytes that it becomes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

from openrpp.kir.floats import DECODE, ENCODE
from openrpp.kir.ir import Kernel, Parameter
from openrpp.kir.types import F16, F32, F64, I1, Type
from openrpp.machine.faults import LaunchError
from openrpp.runtime.buffer import Buffer

if TYPE_CHECKING:
    from openrpp.runtime.card import Card

Value = Buffer | int | float | bytes | np.generic | NDArray[Any] | None
"""A buffer or None (the null pointer) for a pointer, a number for a number, bytes or a NumPy value for a struct."""
Packed = int | float | bytes
_WORDS = {F16: "a 16-bit float", F32: "a float", F64: "a double", I1: "a bool"}


def in_words(param: Parameter) -> str:
    """What a parameter takes, in words."""
    if param.is_by_value:
        return f"a struct of {param.size} bytes"
    if param.type.is_pointer:
        return "a pointer"
    return _WORDS.get(param.type, f"a {param.type.bits}-bit {'float' if param.type.is_float else 'integer'}")


def listed(kernel: Kernel) -> str:
    """All parameters of a kernel in words."""
    return ", ".join(f"{param.name}: {in_words(param)}" for param in kernel.params) or "none"


def check_count(name: str, kernel: Kernel, args: Sequence[object]) -> None:
    """Raises LaunchError unless as many arguments are given as the kernel has parameters."""
    if len(args) != len(kernel.params):
        given = f"{len(args)} {'is' if len(args) == 1 else 'are'} given"
        raise LaunchError(f"kernel {name} takes {len(kernel.params)} arguments ({listed(kernel)}); {given}")


def pack(card: Card, name: str, kernel: Kernel, args: Sequence[Value]) -> list[Packed]:
    """One value per parameter. Raises LaunchError for a wrong count, type or range, and BufferFreed."""
    check_count(name, kernel, args)
    return [pack_one(card, name, index, *pair) for index, pair in enumerate(zip(kernel.params, args, strict=True))]


def pack_one(card: Card, name: str, index: int, param: Parameter, value: object) -> Packed:
    """The value of parameter number `index`. Raises LaunchError for a wrong type or range, and BufferFreed."""
    try:
        if param.is_by_value:
            return _struct(param, value)
        if param.type.is_pointer:
            return _address(card, value)
        return _number(param.type, value)
    except LaunchError as error:
        where = f"kernel {name}, argument {index + 1} ({param.name}: {in_words(param)})"
        raise type(error)(f"{where}: {error}") from None


def _struct(param: Parameter, value: object) -> bytes:
    if isinstance(value, np.generic | np.ndarray):
        data = cast("np.generic", value).tobytes()
    elif isinstance(value, bytes | bytearray):
        data = bytes(value)
    else:
        raise LaunchError(
            f"a {type(value).__name__} cannot be passed by value; bytes and NumPy values of {param.size} bytes can"
        )
    if len(data) != param.size:
        raise LaunchError(f"{len(data)} bytes are given")
    return data


def _address(card: Card, value: object) -> int:
    match value:
        case None:
            return 0
        case Buffer():
            if value.card is not card:
                raise LaunchError(f"{value!r} belongs to another card")
            return value.address
        case bool() | np.bool_():
            raise LaunchError(f"{value} is a truth value; pass a buffer, an array or None")
        case int() | np.integer():
            if not 0 <= int(value) < 1 << 64:
                raise LaunchError(f"{int(value):#x} is no address")
            return int(value)
        case np.ndarray():
            raise LaunchError("an array of the host; copy it to the card with card.array and pass the buffer")
        case _:
            raise LaunchError(f"a {type(value).__name__} is no pointer; buffers, arrays, addresses and None are")


def _number(kind: Type, value: object) -> int | float:
    match value:
        case bool() | np.bool_():
            return int(value)
        case int() | np.integer():
            return _float(kind, int(value)) if kind.is_float else _whole(kind, int(value))
        case float() | np.floating():
            if not kind.is_float:
                raise LaunchError(f"{float(value)!r} is a float; pass int(...) of it")
            return _float(kind, float(value))
        case np.ndarray() if not value.ndim and value.dtype.kind in "biuf":
            return _number(kind, cast("NDArray[Any]", value)[()])
        case Buffer() | np.ndarray():
            raise LaunchError("an array is given for a number")
        case _:
            kind_name: str = type(value).__name__  # pyright: ignore[reportUnknownMemberType]
            raise LaunchError(f"a {kind_name} is no number")


def _whole(kind: Type, value: int) -> int:
    least = 0 if kind is I1 else -(1 << (kind.bits - 1))
    if not least <= value < 1 << kind.bits:
        raise LaunchError(f"{value} does not fit; {least} to {(1 << kind.bits) - 1} do")
    return value


def _float(kind: Type, value: float) -> float:
    try:
        number = float(value)
    except OverflowError:
        raise LaunchError(f"{value} is out of range") from None
    if math.isfinite(number) and not math.isfinite(DECODE[kind](ENCODE[kind](number))):
        raise LaunchError(f"{number!r} is out of range")
    return number
