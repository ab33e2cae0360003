"""From nodes to launches: what rows of the operator table work with."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from functools import cache
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from openrpp.graph.facts import Facts, Refused
from openrpp.graph.layout import Flat, Tensor, pixels
from openrpp.graph.plan import Constant, Download, HostStep, Move, Plan, Upload
from openrpp.graph.storage import Storage, View
from openrpp.kernels import elementwise
from openrpp.kernels.elementwise import Function
from openrpp.kernels.launch import At, Launch, MemoryName, Region
from openrpp.kernels.slabs import BYTES, Element, Slabs

if TYPE_CHECKING:
    import onnx_ir as ir

PINNED: Final = 64 * 1024
"""Bytes of the largest operand that stays in SRAM from run to run; larger ones are fetched from DDR for each use."""


@cache
def _table(function: Function) -> NDArray[np.uint16]:
    return elementwise.table(function)


class Lowering:
    """The state of lowering one model.

    Attributes:
        facts: shapes, constants, attributes.
        storage: which values share slabs.
        plan: what comes out.
    """

    def __init__(self, facts: Facts, storage: Storage, plan: Plan) -> None:
        self.facts = facts
        self.storage = storage
        self.plan = plan
        self._tensors: dict[ir.Value, Tensor | Flat] = {}
        self._regions: dict[int, Region] = {}
        self._on_host: set[ir.Value] = set()
        self._constants: dict[str, Region] = {}
        self._tables: dict[Function, Region] = {}

    # --- values --------------------------------------------------------------------------------------------------

    def read(self, value: ir.Value | None, channel: int) -> Tensor:
        """A value on the card, brought there if it is on the host or a constant. Raises Refused for another layout."""
        if value is None:
            raise Refused("an input is left out")
        found = self._tensors.get(value)
        if found is None:
            found = self._bring(value, channel)
        if not isinstance(found, Tensor) or found.channel != channel:
            raise Refused(f"{value.name} lies on the card in another layout")
        return found

    def write(self, value: ir.Value, channel: int) -> Tensor:
        """Where a node on the card puts a value."""
        found = self._tensors[value] = self._tensor(value, channel)
        return found

    def same(self, value: ir.Value, tensor: Tensor) -> None:
        """A value that needs no work: what another made is it already."""
        self._tensors[value] = tensor

    def shared(self, view: View) -> bool:
        """Whether a part lies in its whole."""
        return view in self.storage.granted

    def _tensor(self, value: ir.Value, channel: int) -> Tensor:
        shape = self.facts.shape(value)
        height, width = pixels(shape, channel)
        border, lanes, element = self.storage.border(value), self.storage.lanes(value), self.facts.element_of(value)
        region_of, first = self.storage.pool(value), self.storage.first(value)
        count = shape[channel] if shape else 1
        plane = (height + 2 * border) * (width + 2 * border) * lanes * BYTES[element]
        region = self._regions.get(region_of)
        if region is None:
            whole = -(-self.storage.channels(value) // lanes) * plane
            region = self._regions[region_of] = Region(value.name or "value", whole, "sram")
        offset = first // lanes * plane
        return Tensor(
            shape, channel, Slabs(region, offset, count, height, width, border, element, first % lanes, lanes)
        )

    def _bring(self, value: ir.Value, channel: int) -> Tensor:
        content = self.facts.constant(value)
        if content is not None:
            return self.operand(value, content, channel, self.facts.element)
        tensor = self._tensors[value] = self._tensor(value, channel)
        self.plan.steps.append(Upload(value.name or "", tensor))
        return tensor

    def operand(self, value: ir.Value, content: NDArray[Any], channel: int, element: Element) -> Tensor:
        """A constant in slabs: it stays in SRAM if small, else it is fetched from DDR for this use."""
        shape = tuple(content.shape)
        height, width = pixels(shape, channel)
        channels = shape[channel] if shape else 1
        probe = Slabs(Region("", 0, "sram"), 0, channels, height, width, 0, element)
        packed = Tensor(shape, channel, probe).pack(content)
        small = packed.nbytes <= PINNED
        region = self.constant(value.name or "operand", packed, "sram" if small else "ddr")
        if not small:
            target = self.scratch(value.name or "operand", packed.nbytes)
            self.plan.steps.append(Move(At(target), At(region), packed.nbytes, value.name or ""))
            region = target
        return Tensor(shape, channel, Slabs(region, 0, channels, height, width, 0, element))

    # --- memory --------------------------------------------------------------------------------------------------

    def constant(self, name: str, content: NDArray[Any], memory: MemoryName) -> Region:
        """A region with a content that never changes; the same content is there once."""
        flat = np.ascontiguousarray(content).reshape(-1).view(np.uint8)
        key = f"{memory}:{flat.size}:{hashlib.blake2b(flat.tobytes(), digest_size=16).hexdigest()}"
        found = self._constants.get(key)
        if found is None:
            found = self._constants[key] = Region(name, flat.size, memory)
            self.plan.constants.append(Constant(found, key, flat))
        return found

    def weights(self, name: str, content: NDArray[Any]) -> Region:
        """A region of SRAM with weights for the next launches: fetched from DDR, or there for good if all fits."""
        source = self.constant(name, content, "ddr")
        target = self.scratch(name, source.bytes)
        self.plan.steps.append(Move(At(target), At(source), source.bytes, name))
        return target

    def table(self, function: Function) -> Region:
        """The table of a function of bfloat16 values, in SRAM."""
        found = self._tables.get(function)
        if found is None:
            content = _table(function)
            found = self._tables[function] = self.constant(f"table of {function.name}", content, "sram")
        return found

    def scratch(self, name: str, size: int, memory: MemoryName = "sram") -> Region:
        """A region for work within a few launches."""
        return Region(name, size, memory)

    # --- steps ---------------------------------------------------------------------------------------------------

    def emit(self, launches: Iterable[Launch | Move]) -> None:
        """Launches of a node, in order."""
        self.plan.steps.extend(launches)

    def host(self, step: HostStep, node: ir.Node) -> None:
        """A node on the host: what it reads is fetched, what it makes is there."""
        for value in node.inputs:
            self.fetch(value)
        self.plan.steps.append(step)
        self._on_host.update(node.outputs)

    def fetch(self, value: ir.Value | None) -> None:
        """Have a value on the host."""
        if value is None or value in self._on_host:
            return
        self._on_host.add(value)
        content = self.facts.constant(value)
        if content is not None:
            self.plan.literals[value.name or ""] = content
        elif value in self._tensors:
            self.plan.steps.append(Download(self._tensors[value], value.name or ""))

    def given(self, value: ir.Value) -> None:
        """An input of the graph: it is on the host."""
        self._on_host.add(value)
