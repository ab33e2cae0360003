"""The memories of a launch by name: which variables and allocations an access may mean."""

from __future__ import annotations

from collections.abc import Sequence

from openrpp.kir.check.facts import Facts
from openrpp.kir.check.regions import (
    Allocation,
    DeviceRegions,
    Region,
    device_regions,
    private_regions,
    shared_regions,
)
from openrpp.kir.interp.state import LaunchState
from openrpp.kir.ir import Instr, Parameter, Value
from openrpp.kir.types import Space


class Memories:
    """Regions of device, shared and private memory, and those that a pointer of the kernel is made from."""

    def __init__(
        self,
        launch: LaunchState,
        arguments: Sequence[int],
        allocations: Sequence[Allocation] | None,
        before: frozenset[int],
    ) -> None:
        regions = device_regions(launch.memory, launch.module, allocations, before)
        self.device = DeviceRegions(regions)
        self.shared = shared_regions(launch.module, launch.kernel, launch.shared_bytes)
        self.private = private_regions(launch.kernel)
        self._symbols = launch.memory.load(launch.module)
        self._arguments = dict(zip(launch.kernel.params, arguments, strict=True))
        self._whole = {
            Space.SHARED: Region("the block's shared memory", Space.SHARED, 0, self._shared_size(launch)),
            Space.PRIVATE: Region("local memory", Space.PRIVATE, 0, self._private_size()),
        }

    def _shared_size(self, launch: LaunchState) -> int:
        static = max((item.end for item in self.shared.values()), default=0)
        return max(static, launch.shared_bytes)

    def _private_size(self) -> int:
        return max((item.end for item in self.private.values()), default=0)

    def meant(self, facts: Facts, pointer: Value) -> tuple[Region, ...]:
        """The regions that accesses through a pointer must lie in; none where that is not known."""
        roots = facts.roots(pointer)
        found = [self._root(root) for root in roots or ()]
        return tuple(region for region in found if region is not None) if all(found) else ()

    def _root(self, root: Value) -> Region | None:
        if isinstance(root, Parameter):
            return self.device.find(self._arguments[root], 1)
        if not isinstance(root, Instr):
            return None
        symbol = str(root.attr("symbol"))
        if root.op.name == "local_addr":
            return self.private.get(symbol)
        return self.shared.get(symbol) or self.device.find(self._symbols.get(symbol, 0), 1)

    def named(self, space: Space, address: int) -> Region | None:
        """The region at an address or offset."""
        if space is Space.SHARED or space is Space.PRIVATE:
            table = self.shared if space is Space.SHARED else self.private
            inside = [item for item in table.values() if item.base <= address < item.end]
            return inside[0] if inside else self._whole[space]
        return self.device.find(address, 1)

    def whole(self, space: Space) -> Region:
        """All of shared or private memory."""
        return self._whole[space]
