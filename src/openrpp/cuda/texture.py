"""Texture objects for kernels that are launched from Python."""

from __future__ import annotations

import struct
from typing import Final, Literal

import numpy as np

from openrpp.machine.faults import LaunchError
from openrpp.runtime import Buffer

AddressMode = Literal["wrap", "clamp", "mirror", "border"]
FilterMode = Literal["point", "linear"]
_MODES: Final = ("wrap", "clamp", "mirror", "border")
_FILTERS: Final = ("point", "linear")
_KINDS: Final = {"i": 0, "u": 1, "f": 2}  # cudaChannelFormatKind


class Texture:
    """A texture over a buffer; pass it where a kernel takes a `cudaTextureObject_t`, as long as it is alive.

    Args:
        buffer: texels by rows, of shape (width,), (height, width) or (depth, height, width); with several channels one
            axis more. It is read, not copied.
        channels: 1, 2 or 4 numbers per texel.
        address: what lies outside: "wrap", "clamp", "mirror" or "border" (zeros).
        filter: "point" or "linear".
        normalized: coordinates run from 0 to 1 ("wrap" and "mirror" need that).

    A texture reference of older programs gets a texture by its handle:
    `module.get_global("tex", "uint64").write(np.array([texture.handle], np.uint64))`.

    Raises LaunchError for a shape, type or mode that textures do not have.
    """

    def __init__(
        self,
        buffer: Buffer,
        *,
        channels: int = 1,
        address: AddressMode = "clamp",
        filter: FilterMode = "point",
        normalized: bool = False,
    ) -> None:
        if address not in _MODES or filter not in _FILTERS:
            raise LaunchError(f"address {address!r}, filter {filter!r}; there are {_MODES} and {_FILTERS}")
        depth, height, width = _extents(buffer, channels)
        row = width * channels * buffer.dtype.itemsize
        packed = struct.pack(
            "<QQQIIIiiiiiiii4x", buffer.address, row, row * height, width, height, depth, _KINDS[buffer.dtype.kind],
            buffer.dtype.itemsize * 8, channels, _FILTERS.index(filter), normalized, *[_MODES.index(address)] * 3,
        )  # fmt: skip
        self.buffer = buffer
        self._descriptor = buffer.card.empty(len(packed), np.uint8)
        buffer.card.device.write(self._descriptor.address, np.frombuffer(packed, np.uint8))

    @property
    def handle(self) -> int:
        """What the kernel gets: the address of the descriptor (`__rpp_texture` of rpp/texture.h)."""
        return self._descriptor.address

    def __repr__(self) -> str:
        return f"Texture({self.buffer!r})"


def _extents(buffer: Buffer, channels: int) -> tuple[int, int, int]:
    if buffer.dtype.kind not in _KINDS or buffer.dtype.itemsize > 4:
        raise LaunchError(f"textures have no texels of {buffer.dtype}; use numbers of at most 32 bits")
    shape = buffer.shape
    if channels not in (1, 2, 4) or (channels > 1 and shape[-1] != channels):
        raise LaunchError(f"{channels} channels in a buffer of shape {shape}; 1, or 2 or 4 along its last axis")
    axes = shape[:-1] if channels > 1 else shape
    if not 1 <= len(axes) <= 3:
        raise LaunchError(f"a texture has one to three axes, not {len(axes)}")
    depth, height, width = (1,) * (3 - len(axes)) + axes
    return depth, height, width
