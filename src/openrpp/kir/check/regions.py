"""The pieces of memory that a program knows by name, and sentences about places in and around them."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from openrpp.kir.interp.memory import Memory
from openrpp.kir.ir import Global, Kernel, Local, Module
from openrpp.kir.layout import private_layout, shared_layout
from openrpp.kir.types import Space

NULL_PAGE: Final = 4096
"""Addresses below count as null pointers with an offset."""


@dataclass(frozen=True, slots=True, eq=False)
class Allocation:
    """Device memory as the caller knows it: `size` bytes at `base`.

    `name` is how messages call it. `written` holds 1 for each byte that has been written and 0 for the others; None
    stands for all written. A checked launch updates it in place. A `freed` one may overlap others, which win.
    """

    name: str
    base: int
    size: int
    written: bytearray | None = None
    freed: bool = False
    read_only: bool = False


def unwritten(size: int) -> bytearray:
    """The `written` of memory that has no content yet."""
    return bytearray(size)


@dataclass(slots=True, eq=False)
class Region:
    """An allocation or a variable. Shared and private ones lie at offsets, others at device addresses."""

    name: str
    space: Space
    base: int
    size: int
    written: bytearray | None = None
    freed: bool = False
    read_only: bool = False

    @property
    def end(self) -> int:
        """The first byte behind it."""
        return self.base + self.size

    @property
    def sized(self) -> str:
        """Name, size and address."""
        at = "" if self.space in (Space.SHARED, Space.PRIVATE) else f" at {self.base:#x}"
        return f"{self.name} ({self.size} byte{'s' * (self.size != 1)}{at})"

    def outside(self, address: int, size: int) -> str:
        """Where bytes lie that are not all inside."""
        if address >= self.end:
            past = address - self.end
            where = f"{past} bytes past the end of" if past else "right behind the end of"
        elif address + size <= self.base:
            before = self.base - address
            where = f"{before} bytes before the start of"
        elif address < self.base:
            where = f"the first {self.base - address} of them before the start of"
        else:
            where = f"the last {address + size - self.end} of them past the end of"
        return f"{where} {self.sized}"

    def distance(self, address: int, size: int) -> int:
        """Bytes between it and the bytes at an address; 0 if they touch."""
        return max(self.base - (address + size), address - self.end, 0)


class DeviceRegions:
    """All that is known of device memory."""

    def __init__(self, regions: Iterable[Region]) -> None:
        ordered = sorted(regions, key=lambda region: region.base)
        self._freed = [region for region in ordered if region.freed]
        self._live = [region for region in ordered if not region.freed]
        self._bases = [region.base for region in self._live]

    def find(self, address: int, size: int) -> Region | None:
        """The live region that holds all of the bytes."""
        index = bisect_right(self._bases, address) - 1
        if index < 0:
            return None
        found = self._live[index]
        return found if address + size <= found.end else None

    def freed(self, address: int, size: int) -> Region | None:
        """A freed region that any of the bytes lie in; the one freed last of those given."""
        hits = [item for item in self._freed if item.base < address + size and address < item.end]
        return hits[-1] if hits else None

    def nearest(self, address: int, size: int) -> Region | None:
        """The live region next to an address."""
        index = bisect_right(self._bases, address)
        around = self._live[max(index - 1, 0) : index + 1]
        return min(around, key=lambda region: region.distance(address, size), default=None)


def device_regions(
    memory: Memory, module: Module, allocations: Sequence[Allocation] | None, before: frozenset[int]
) -> list[Region]:
    """Regions of device memory: the caller's, variables of the module, and arrays that became memory by the launch.

    `before` are the bases of the memory's allocations before the launch. Without the caller's list all are regions.
    """
    places = memory.load(module)
    made = [
        Region(item.name, Space.GLOBAL, item.base, item.size, item.written, item.freed, item.read_only)
        for item in allocations or ()
    ]
    made += [_variable(module.globals[symbol], base) for symbol, base in places.items()]
    taken = frozenset(places.values())
    for item in memory.allocations:
        if item.base not in taken and (allocations is None or item.base not in before):
            name = f"'{item.name}'" if item.name else "an allocation"
            made.append(Region(name, item.space, item.base, len(item.data)))
    return made


def _variable(variable: Global, base: int) -> Region:
    constant = variable.space is Space.CONSTANT
    name = f"{'constant' if constant else 'device variable'} '{source_name(variable.name)}'"
    return Region(name, variable.space, base, variable.size, read_only=constant)


def shared_regions(module: Module, kernel: Kernel, dynamic: int) -> dict[str, Region]:
    """Shared variables of a kernel by symbol; dynamic ones reach to the end."""
    layout = shared_layout(module, kernel)
    end = layout.size + dynamic

    def region(symbol: str, offset: int) -> Region:
        variable = module.globals[symbol]
        size = end - offset if variable.dynamic else variable.size
        what = "dynamic shared memory" if variable.dynamic else "shared variable"
        return Region(f"{what} '{source_name(symbol)}'", Space.SHARED, offset, size)

    return {symbol: region(symbol, offset) for symbol, offset in layout.offsets.items()}


def private_regions(kernel: Kernel) -> dict[str, Region]:
    """Variables of a thread by symbol."""
    offsets = private_layout(kernel).offsets

    def region(item: Local) -> Region:
        name = _INLINED.sub("", item.name)
        return Region(f"local variable '{name}'", Space.PRIVATE, offsets[item.name], item.size)

    return {item.name: region(item) for item in kernel.locals.values()}


_INLINED: Final = re.compile(r"(?<=.)(\.i\d*|\.sroa.*)+$")
"""What the compiler appends to the names of local variables."""
_NESTED: Final = re.compile(r"(?<=E)(\d+)(\D\w*?)(?:_\d+)?$|^_ZL(\d+)(\w+)$")


def source_name(symbol: str) -> str:
    """The name of a variable in the source: of `_ZZ1kPfE4tile` it is `tile`."""
    match = _NESTED.search(symbol.split(".")[0]) if symbol.startswith("_Z") else None
    if match is None:
        return symbol
    length, name = (match[1], match[2]) if match[1] else (match[3], match[4])
    return name[: int(length)] or symbol
