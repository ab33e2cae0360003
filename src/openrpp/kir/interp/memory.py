"""Memory of the interpreter: byte arrays with addresses.

Global and constant memory share one range of addresses, which are the same in generic pointers. A shared, private or
param pointer is an offset; as generic pointers, shared and private ones lie in windows of their own. Allocations are
apart by `GAP` bytes, so that running over the end of one is seen.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from typing import Any, Final

from numpy.typing import NDArray

from openrpp.kir.ir import Module
from openrpp.kir.types import Space

BASE: Final = 0x1000_0000
GAP: Final = 256
SHARED_WINDOW: Final = 0x7E00_0000_0000
PRIVATE_WINDOW: Final = 0x7F00_0000_0000
WINDOW: Final = 1 << 32


class Unreachable(Exception):
    """An access that no memory answers; whoever knows the thread makes a fault of it."""


@dataclass(slots=True)
class Allocation:
    """A piece of device memory."""

    name: str
    base: int
    data: memoryview
    space: Space = Space.GLOBAL


class Memory:
    """Device memory: allocations and the variables of modules. It outlives launches."""

    def __init__(self) -> None:
        self._allocations: list[Allocation] = []
        self._bases: list[int] = []
        self._end = BASE
        self._modules: dict[Module, dict[str, int]] = {}
        self._last: Allocation | None = None

    def allocate(self, size: int, name: str = "") -> int:
        """Zeroed bytes; gives their address, a multiple of 256."""
        return self._add(memoryview(bytearray(size)), name, Space.GLOBAL)

    @property
    def allocations(self) -> tuple[Allocation, ...]:
        """All allocations, by address."""
        return tuple(self._allocations)

    def bind(self, array: NDArray[Any], name: str = "", base: int | None = None) -> int:
        """Make the bytes of an array device memory: kernels read and write the array itself.

        `base` is the address that they get, None for the next free one. Raises ValueError for an array that is
        read-only or not C-contiguous, and for bytes that are taken or lie in the windows of other memories.
        """
        if not (array.flags.c_contiguous and array.flags.writeable):
            raise ValueError("rpp: kir: only writable C-contiguous arrays can be device memory")
        data = array.data.cast("B") if array.size else memoryview(b"")
        return self._add(data, name, Space.GLOBAL, base)

    def _add(self, data: memoryview, name: str, space: Space, wanted: int | None = None) -> int:
        base = self._end if wanted is None else wanted
        index = bisect_left(self._bases, base)
        self._check_free(index, base, base + len(data))
        self._end = max(self._end, -(-(base + len(data) + GAP) // GAP) * GAP)
        self._allocations.insert(index, Allocation(name, base, data, space))
        self._bases.insert(index, base)
        return base

    def _check_free(self, index: int, base: int, end: int) -> None:
        if not 0 < base <= end <= SHARED_WINDOW:
            raise ValueError(f"rpp: kir: device memory cannot lie at {base:#x} to {end:#x}")
        for other in self._allocations[max(index - 1, 0) : index + 1]:
            if base < other.base + len(other.data) and other.base < max(end, base + 1):
                raise ValueError(f"rpp: kir: the bytes from {base:#x} to {end:#x} overlap allocation '{other.name}'")

    def load(self, module: Module) -> dict[str, int]:
        """Addresses of the module's device and constant variables; the first call gives them their initial content."""
        known = self._modules.get(module)
        if known is None:
            known = self._modules[module] = self._placed(module)
        return known

    def _placed(self, module: Module) -> dict[str, int]:
        variables = [item for item in module.globals.values() if item.space is not Space.SHARED]
        content = {item.name: bytearray(item.data or bytes(item.size)) for item in variables}
        places = {item.name: self._add(memoryview(content[item.name]), item.name, item.space) for item in variables}
        for item in variables:
            for offset, symbol, addend in item.relocations:
                content[item.name][offset : offset + 8] = (places[symbol] + addend).to_bytes(8, "little")
        return places

    def find(self, address: int, size: int) -> Allocation:
        """The allocation that holds `size` bytes at an address. Raises Unreachable."""
        last = self._last
        if last is not None and 0 <= address - last.base <= len(last.data) - size:
            return last
        index = bisect_right(self._bases, address) - 1
        if index < 0:
            raise Unreachable(f"address {address:#x} lies before all device memory")
        found = self._allocations[index]
        offset = address - found.base
        if offset + size > len(found.data):
            name = f"'{found.name}' " if found.name else ""
            where = f"allocation {name}of {len(found.data)} bytes at {found.base:#x}"
            raise Unreachable(f"{size} bytes at offset {offset} do not lie in {where}")
        self._last = found
        return found

    def read(self, address: int, size: int) -> bytes:
        """Bytes of device memory. Raises Unreachable."""
        found = self.find(address, size)
        return bytes(found.data[address - found.base : address - found.base + size])

    def write(self, address: int, data: bytes) -> None:
        """Change bytes of device memory, constant memory included. Raises Unreachable."""
        found = self.find(address, len(data))
        found.data[address - found.base : address - found.base + len(data)] = data

    def text(self, address: int) -> bytes:
        """The bytes up to the next NUL."""
        found = self.find(address, 1)
        return bytes(found.data[address - found.base :]).split(b"\0", 1)[0]
