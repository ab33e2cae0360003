"""The card's layout of activations: slabs of 32 channels, a lane each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from openrpp.kernels.launch import At, Region

SLAB: Final = 32
"""Channels of a slab: the lanes of a warp."""
Element = Literal["bf16", "f32"]
BYTES: Final[dict[Element, int]] = {"bf16": 2, "f32": 4}


@dataclass(frozen=True)
class Slabs:
    """A tensor of activations [channels][height][width] as [slab][height + 2 border][width + 2 border][32].

    Rows of tokens are a tensor of height 1 and width = rows. Channels beyond the last are zero up to a full slab; the
    border is zero too, and whoever writes the tensor writes its zeros.

    Attributes:
        region, offset: where it lies, offset in bytes.
        channels, height, width: extents without padding.
        border: zero pixels on each side, so that convolutions need no masks.
        element: "bf16" or "f32".
        first: the channel within the first slab at which it begins, a multiple of 8; a view of some channels of a
            larger tensor has its region, its border and an offset to its first slab.
        lanes: channels of a slab. 4, 8 or 16 only in images that a first convolution reads, so that three channels do
            not take the room of 32.
    """

    region: Region
    offset: int
    channels: int
    height: int
    width: int
    border: int = 0
    element: Element = "bf16"
    first: int = 0
    lanes: int = SLAB

    @property
    def pitch(self) -> int:
        """Pixels from a row to the next."""
        return self.width + 2 * self.border

    @property
    def plane(self) -> int:
        """Elements of a slab."""
        return (self.height + 2 * self.border) * self.pitch * self.lanes

    @property
    def slabs(self) -> int:
        """Slabs that it takes."""
        return -(-(self.first + self.channels) // self.lanes)

    @property
    def bytes(self) -> int:
        """Bytes of all its slabs."""
        return self.slabs * self.plane * BYTES[self.element]

    @property
    def start(self) -> At:
        """The address of its first slab, border included."""
        return At(self.region, self.offset)

    @property
    def inside(self) -> At:
        """The address of channel `first` of its first pixel behind the border."""
        return At(self.region, self.offset + self.inner * BYTES[self.element])

    @property
    def inner(self) -> int:
        """Elements from `start` to channel `first` of its first pixel."""
        return self.border * (self.pitch + 1) * self.lanes + self.first


def bf16(values: NDArray[Any]) -> NDArray[np.uint16]:
    """float32 values as bfloat16 words, rounded to nearest even; NaN stays NaN."""
    bits = np.ascontiguousarray(values, np.float32).view(np.uint32)
    rounded = (bits + np.uint32(0x7FFF) + (bits >> np.uint32(16) & np.uint32(1))) >> np.uint32(16)
    quiet = bits >> np.uint32(16) | np.uint32(0x40)
    return np.where((bits & np.uint32(0x7FFFFFFF)) > 0x7F800000, quiet, rounded).astype(np.uint16)


def f32(words: NDArray[np.uint16]) -> NDArray[np.float32]:
    """bfloat16 words as float32 values."""
    return (words.astype(np.uint32) << np.uint32(16)).view(np.float32)


def pack(tensor: Slabs, values: NDArray[Any]) -> NDArray[Any]:
    """Values [channels][height][width] as the tensor's slabs: uint16 or float32, zero where there is padding.

    Raises ValueError for another shape.
    """
    expected = (tensor.channels, tensor.height, tensor.width)
    if values.shape != expected:
        raise ValueError(f"values of shape {values.shape} do not fit {expected}")
    edge = tensor.border
    full = np.zeros((tensor.slabs * tensor.lanes, tensor.height + 2 * edge, tensor.pitch), np.float32)
    full[tensor.first : tensor.first + tensor.channels, edge : edge + tensor.height, edge : edge + tensor.width] = (
        values
    )
    slabs = full.reshape(tensor.slabs, tensor.lanes, *full.shape[1:]).transpose(0, 2, 3, 1)
    return bf16(slabs) if tensor.element == "bf16" else np.ascontiguousarray(slabs)


def unpack(tensor: Slabs, content: NDArray[Any]) -> NDArray[np.float32]:
    """What `pack` packed: float32 values [channels][height][width]."""
    values = f32(content.view(np.uint16)) if tensor.element == "bf16" else content.view(np.float32)
    edge = tensor.border
    slabs = values.reshape(tensor.slabs, tensor.height + 2 * edge, tensor.pitch, tensor.lanes).transpose(0, 3, 1, 2)
    full = slabs.reshape(-1, *slabs.shape[2:])
    return full[tensor.first : tensor.first + tensor.channels, edge : edge + tensor.height, edge : edge + tensor.width]
