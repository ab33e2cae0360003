"""The card's memories and their place in the address space.

SRAM is an array; DDR is an anonymous mapping, so that 16 GB cost host memory only where they are touched. All
addresses are device addresses; each memory also answers at its alias (device alias + offset), as DMA programs use it.
"""

from __future__ import annotations

import ctypes
import mmap
import sys
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from openrpp.arch import Card
from openrpp.machine.faults import LaunchError

Bytes = NDArray[np.uint8]


@dataclass(frozen=True)
class Region:
    """A memory at its device address."""

    name: str
    base: int
    data: Bytes

    @property
    def end(self) -> int:
        """First address behind it."""
        return self.base + self.data.size


def _sparse(nbytes: int, guard: int) -> Bytes:
    """Zeroed bytes that take host memory only where they are written.

    Before them lie `guard` bytes of the host that nothing may touch, where the host can do that: engines that check no
    bounds are stopped there when a program follows a null pointer. Raises LaunchError where the host has no room.
    """
    flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS if hasattr(mmap, "MAP_PRIVATE") else None
    if flags is None:  # Windows commits lazily as well, but has no flags
        return np.frombuffer(mmap.mmap(-1, nbytes), np.uint8)
    if sys.platform == "linux":
        flags |= getattr(mmap, "MAP_NORESERVE", 0x4000)
    guard = -(-guard // mmap.PAGESIZE) * mmap.PAGESIZE
    try:
        data = np.frombuffer(mmap.mmap(-1, guard + nbytes, flags=flags), np.uint8)
    except OSError as error:
        what = f"the host reserves no {guard + nbytes} bytes of addresses for the card's memory"
        raise LaunchError(f"{what}: {error.strerror} (see 'ulimit -v')") from None
    protect = ctypes.CDLL(None).mprotect
    protect.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
    if protect(data.ctypes.data, guard, 0):
        raise OSError(f"cannot protect {guard} bytes before a memory of {nbytes}")
    return data[guard:]


class Memory:
    """All memories of a card."""

    def __init__(self, card: Card) -> None:
        address = card.address
        self.alias = address.alias.value
        self.sram = Region("SRAM", address.sram.value, np.zeros(card.sram.bytes.value, np.uint8))
        self.sram16: NDArray[np.uint16] = self.sram.data.view(np.uint16)
        self.pram = Region("PRAM", address.pram.value, np.zeros(card.pram.bytes.value, np.uint8))
        self.ddr = Region("DDR", address.ddr.value, _sparse(card.ddr.bytes.value, address.ddr.value))
        bank_bytes, banks = card.fram.bank_bytes.value, card.fram.banks.value
        base = address.fram.value
        self.fram = tuple(
            Region(f"FRAM bank {bank}", base + address.fram_bank.value * bank, np.zeros(bank_bytes, np.uint8))
            for bank in range(banks)
        )
        self.regions = (self.sram, *self.fram, self.pram, self.ddr)

    def region(self, address: int, nbytes: int) -> tuple[Region, int] | None:
        """The memory that holds a byte range and the offset in it, None where no memory holds all of it."""
        for start in (address, address - self.alias):
            for region in self.regions:
                if region.base <= start and start + nbytes <= region.end:
                    return region, start - region.base
        return None

    def view(self, address: int, nbytes: int) -> Bytes:
        """The bytes of a range. Raises LaunchError outside the memories."""
        found = self.region(address, nbytes)
        if found is None:
            raise LaunchError(f"{nbytes} bytes at {address:#x} are not in any memory of the card; {self.map_text()}")
        region, offset = found
        return region.data[offset : offset + nbytes]

    def map_text(self) -> str:
        """The address map in words."""
        shown = (self.sram, self.fram[0], self.pram, self.ddr)
        return "there are " + ", ".join(f"{region.name} {region.base:#x} to {region.end - 1:#x}" for region in shown)


def number_type(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """The dtype, if its elements can live on the card. Raises LaunchError for objects, text, dates and records."""
    if dtype.hasobject or dtype.kind in "OUSMmV":
        raise LaunchError(f"dtype {dtype} cannot live on the card; use a fixed-size number type")
    return dtype


def as_bytes(array: Any) -> Bytes:
    """The bytes of a NumPy array to upload.

    Raises LaunchError for what is no array, object arrays, and arrays that are not C-contiguous.
    """
    if not isinstance(array, np.ndarray):
        raise LaunchError(f"expected a NumPy array, got {type(array).__name__}; use numpy.asarray first")
    values = cast("NDArray[Any]", array)
    number_type(values.dtype)
    if not values.flags.c_contiguous:
        raise LaunchError(f"the array is not contiguous (strides {values.strides}); use numpy.ascontiguousarray")
    if not values.dtype.isnative and values.dtype.itemsize > 1:
        raise LaunchError(f"dtype {values.dtype} is not little-endian; use array.astype(array.dtype.newbyteorder('<'))")
    return values.reshape(-1).view(np.uint8)
