"""How a value of the graph lies on the card."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from openrpp.kernels import slabs
from openrpp.kernels.launch import At, Region
from openrpp.kernels.slabs import Slabs


@dataclass(frozen=True)
class Tensor:
    """A value of a shape in slabs.

    One axis of the shape is the channels; the others, in their order, are the pixels: row-major over the slabs' height
    and width. So a reshape or transpose that leaves the order of the pixels alone is another tensor of the same slabs.

    Attributes:
        shape: extents of the value.
        channel: which axis is the channels; -1 stands for none, a scalar or a row of one channel.
        slabs: where they are.
    """

    shape: tuple[int, ...]
    channel: int
    slabs: Slabs

    @property
    def region(self) -> Region:
        """The region that it lies in."""
        return self.slabs.region

    @property
    def start(self) -> At:
        """Its first byte."""
        return self.slabs.start

    @property
    def bytes(self) -> int:
        """Bytes from there on."""
        return self.slabs.bytes

    @property
    def tokens(self) -> Slabs:
        """Its pixels as one row. Raises ValueError where a border keeps rows apart."""
        if self.slabs.border and self.slabs.height > 1:
            raise ValueError(f"{self.region.name} has a border of {self.slabs.border}")
        return replace(self.slabs, height=1, width=self.slabs.height * self.slabs.width)

    def pack(self, values: NDArray[Any]) -> NDArray[Any]:
        """A host array of the shape as bytes of the region from the slabs' start."""
        moved = np.moveaxis(values.reshape(self.shape), self.channel, 0) if self.shape else values
        extents = (self.slabs.channels, self.slabs.height, self.slabs.width)
        packed = slabs.pack(self.slabs, np.ascontiguousarray(moved, np.float32).reshape(extents))
        return packed.reshape(-1).view(np.uint8)

    def unpack(self, content: NDArray[np.uint8]) -> NDArray[np.float32]:
        """The host array that `pack` packed."""
        values = slabs.unpack(self.slabs, content)
        if not self.shape:
            return values.reshape(())
        rest = [extent for axis, extent in enumerate(self.shape) if axis != self.channel]
        moved = np.moveaxis(values.reshape((self.slabs.channels, *rest)), 0, self.channel)
        return np.ascontiguousarray(moved)


@dataclass(frozen=True)
class Flat:
    """A value in row-major order from the beginning of a region, as elements of a NumPy type."""

    shape: tuple[int, ...]
    dtype: str
    region: Region

    @property
    def start(self) -> At:
        """Its first byte."""
        return At(self.region)

    @property
    def bytes(self) -> int:
        """Bytes from there on."""
        return math.prod(self.shape) * np.dtype(self.dtype).itemsize

    def pack(self, values: NDArray[Any]) -> NDArray[Any]:
        """A host array as bytes."""
        return np.ascontiguousarray(values, self.dtype).reshape(-1).view(np.uint8)

    def unpack(self, content: NDArray[np.uint8]) -> NDArray[Any]:
        """Bytes as a host array."""
        return content.view(self.dtype)[: math.prod(self.shape)].reshape(self.shape)


def pixels(shape: tuple[int, ...], channel: int) -> tuple[int, int]:
    """Height and width of the pixels of a shape: the last two axes beside the channels where the rest is 1, else a
    row of all of them."""
    rest = [extent for axis, extent in enumerate(shape) if axis != channel]
    if len(rest) >= 2 and math.prod(rest[:-2]) == 1:
        return rest[-2], rest[-1]
    return 1, math.prod(rest)
