"""Memory on the card as a program holds it."""

from __future__ import annotations

import math
import numbers
import weakref
from collections.abc import Callable, Iterator, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, cast, overload

import numpy as np
from numpy.typing import NDArray

from openrpp.machine.faults import LaunchError
from openrpp.runtime.errors import BufferFreed

if TYPE_CHECKING:
    from openrpp.runtime.card import Card

MemoryName = Literal["ddr", "sram"]
Shape = tuple[int, ...]
_BF16 = ("bf16", "bfloat16")


def dtype_of(given: Any) -> np.dtype[Any]:
    """The dtype of a buffer's elements; "bf16" is uint16, whose bit patterns bf16 travels as.

    Raises LaunchError for what cannot live on the card.
    """
    if isinstance(given, str) and given in _BF16:
        return np.dtype(np.uint16)
    try:
        kind: np.dtype[Any] = np.dtype(given)
    except (TypeError, ValueError):
        raise LaunchError(f"{given!r} is not a dtype; there are uint8, int16, float32, bf16 and the like") from None
    if kind.hasobject or kind.kind in "OUSMmV" or not kind.itemsize:
        raise LaunchError(f"dtype {kind} cannot live on the card; use a fixed-size number type")
    if not kind.isnative and kind.itemsize > 1:
        raise LaunchError(f"dtype {kind.str} is not little-endian; use {kind.newbyteorder('<').str}")
    return kind


def shape_of(given: int | Sequence[int]) -> Shape:
    """A shape as a tuple. Raises LaunchError unless all extents are whole numbers of at least 1."""
    parts: tuple[Any, ...] = (given,) if isinstance(given, numbers.Integral) else tuple(cast("Sequence[Any]", given))
    if not all(isinstance(part, numbers.Integral) and int(cast("int", part)) >= 1 for part in parts):
        raise LaunchError(f"shape {given!r}: every extent must be a whole number of at least 1")
    return tuple(int(part) for part in parts)


class Allocation:
    """A piece of the card's memory; given back when freed or no longer referred to."""

    def __init__(self, address: int, release: Callable[[int], None]) -> None:
        self._finalizer = weakref.finalize(self, release, address)
        self._finalizer.atexit = False

    @property
    def freed(self) -> bool:
        """Whether it was given back."""
        return not self._finalizer.alive

    def free(self) -> None:
        """Give it back, once."""
        self._finalizer()


class Buffer:
    """An array in the card's memory. Made by `Card.empty` and `Card.array`.

    `buffer[a:b]` is a view of rows a to b. Views share memory, and keep it alive.
    A buffer is freed by `free()`, at the end of a `with` block, or when nothing refers to it any more.
    """

    def __init__(
        self, card: Card, memory: MemoryName, allocation: Allocation, address: int, shape: Shape, dtype: np.dtype[Any]
    ) -> None:
        self.card = card
        self.memory: MemoryName = memory
        self.shape = shape
        self.dtype = dtype
        self._address = address
        self._allocation = allocation

    @property
    def address(self) -> int:
        """First device address, in bytes. Raises BufferFreed."""
        if self._allocation.freed:
            raise BufferFreed(f"{self!r} is used after it was freed")
        return self._address

    @property
    def high(self) -> int:
        """Upper 32 bits of the address, for kernels that take it in two parameters."""
        return self.address >> 32

    @property
    def low(self) -> int:
        """Lower 32 bits of the address."""
        return self.address & 0xFFFF_FFFF

    @property
    def size(self) -> int:
        """Elements."""
        return math.prod(self.shape)

    @property
    def nbytes(self) -> int:
        """Bytes."""
        return self.size * self.dtype.itemsize

    @property
    def freed(self) -> bool:
        """Whether the memory was given back."""
        return self._allocation.freed

    def numpy(self) -> NDArray[Any]:
        """A copy for the host. Waits for all streams, then takes the time of the copy on the card's clock.

        `card.device.read` looks at memory without taking card time.
        """
        out: NDArray[Any] = np.empty(self.shape, self.dtype)
        self.card.copy(out, self)
        return out

    def write(self, array: NDArray[Any]) -> None:
        """Copy an array of the buffer's shape and dtype from the host. Waits for all streams, then for the copy.

        Raises LaunchError for another shape or dtype, and for an array that is not contiguous.
        """
        self.card.copy(self, array)

    def view(self, dtype: Any) -> Buffer:
        """The same bytes as a row of elements of another type. Raises LaunchError where they do not divide."""
        kind = dtype_of(dtype)
        if self.nbytes % kind.itemsize:
            raise LaunchError(f"{self.nbytes} bytes are no whole number of {kind} elements")
        shape = (self.nbytes // kind.itemsize,)
        return Buffer(self.card, self.memory, self._allocation, self.address, shape, kind)

    def free(self) -> None:
        """Give the memory back. Raises BufferFreed the second time."""
        if self._allocation.freed:
            raise BufferFreed(f"{self!r} is freed a second time")
        self._allocation.free()

    def __enter__(self) -> Buffer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._allocation.free()

    def __len__(self) -> int:
        if not self.shape:
            raise LaunchError("a buffer of shape () has no length")
        return self.shape[0]

    def __iter__(self) -> Iterator[Buffer]:
        return (self[row] for row in range(len(self)))

    @overload
    def __getitem__(self, key: int) -> Buffer: ...
    @overload
    def __getitem__(self, key: slice) -> Buffer: ...
    def __getitem__(self, key: int | slice) -> Buffer:
        """A view of some rows (slice without step) or of one row (its axis is dropped)."""
        rows, stride = len(self), self.nbytes // self.shape[0]
        if isinstance(key, slice):
            first, last, step = key.indices(rows)
            if step != 1 or first >= last:
                what = ":".join("" if part is None else str(part) for part in (key.start, key.stop, key.step))
                raise LaunchError(
                    f"[{what.removesuffix(':')}] of {rows} rows is no view; rows must follow each other, at least one"
                )
            shape = (last - first, *self.shape[1:])
        else:
            first = key + rows if key < 0 else key
            if not 0 <= first < rows:
                raise LaunchError(f"row {key} of {rows} does not exist")
            shape = self.shape[1:]
        return Buffer(self.card, self.memory, self._allocation, self.address + first * stride, shape, self.dtype)

    def __repr__(self) -> str:
        return f"Buffer({self.memory} {self._address:#x}, shape {self.shape}, {self.dtype})"
