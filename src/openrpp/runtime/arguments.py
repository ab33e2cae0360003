"""What may be passed to a kernel, and the 32-bit words that it becomes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from openrpp.isa.program import Kernel, Parameter
from openrpp.machine.faults import LaunchError
from openrpp.runtime.buffer import Buffer
from openrpp.runtime.errors import BufferFreed

if TYPE_CHECKING:
    from openrpp.runtime.card import Card

Argument = Buffer | int | float | np.integer[Any] | np.floating[Any]
"""A buffer passes its address, a whole number itself, a float the bits of the nearest float32."""


def check_count(kernel: Kernel, given: int) -> None:
    """Raises LaunchError unless as many arguments are given as the kernel declares parameters."""
    if given != len(kernel.params):
        names = ", ".join(param.name for param in kernel.params) or "none"
        raise LaunchError(f"kernel {kernel.name} takes {len(kernel.params)} parameters ({names}), got {given}")


def pack(card: Card, kernel: Kernel, args: Sequence[Argument]) -> list[int]:
    """One 32-bit word per declared parameter. Raises LaunchError for a wrong count, type or range, and BufferFreed."""
    check_count(kernel, len(args))
    return [_word(card, kernel, param, value) for param, value in zip(kernel.params, args, strict=True)]


def _word(card: Card, kernel: Kernel, param: Parameter, value: object) -> int:
    bits = 16 if param.type.lower() == "u16" else 32
    try:
        match value:
            case bool() | np.bool_():
                raise LaunchError(f"{value} is a truth value; pass 0 or 1")
            case Buffer():
                return _address(card, value, bits)
            case int() | np.integer():
                return _whole(int(value), bits)
            case float() | np.floating():
                return _float_bits(float(value), bits)
            case np.ndarray():
                raise LaunchError("an array of the host; copy it to the card with card.array and pass the buffer")
            case _:
                raise LaunchError(f"a {type(value).__name__} cannot be passed; buffers, whole numbers and floats can")
    except BufferFreed as error:
        raise BufferFreed(f"kernel {kernel.name}, parameter {param.name}: {error}") from None
    except LaunchError as error:
        raise LaunchError(f"kernel {kernel.name}, parameter {param.name} ({param.type}): {error}") from None


def _address(card: Card, buffer: Buffer, bits: int) -> int:
    if buffer.card is not card:
        raise LaunchError(f"{buffer!r} belongs to another card")
    if buffer.address >> bits:
        raise LaunchError(f"address {buffer.address:#x} does not fit {bits} bits; pass buffer.high and buffer.low")
    return buffer.address


def _whole(value: int, bits: int) -> int:
    if not -(1 << (bits - 1)) <= value < 1 << bits:
        raise LaunchError(f"{value} does not fit {bits} bits")
    return value & ((1 << bits) - 1)


def _float_bits(value: float, bits: int) -> int:
    if bits == 16:
        raise LaunchError(f"{value!r} is a float, which takes 32 bits; pass bf16 as its uint16 bit pattern")
    with np.errstate(over="ignore"):
        single = np.float32(value)
    if math.isinf(float(single)) and not math.isinf(value):
        raise LaunchError(f"{value!r} is out of float32's range")
    return int(single.view(np.uint32))
