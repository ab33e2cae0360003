"""Launches of the kernel library on both engines of the published chip, which must leave the same bits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from openrpp.kernels.launch import Launch, Region
from openrpp.kernels.placed import Placed
from openrpp.kernels.slabs import BYTES, SLAB, Element, Slabs, pack, unpack
from openrpp.runtime.card import Card

Bytes = NDArray[np.uint8]


def outcome(
    launches: Sequence[Launch], contents: Mapping[Region, NDArray[Any]], results: Sequence[Region], engine: str
) -> list[Bytes]:
    """The bytes that launches leave in the regions `results`."""
    placed = Placed(Card("ae7100", engine=engine))
    for region, content in contents.items():
        placed.write(region, content)
    placed.run(launches)
    return [placed.read(region, np.uint8) for region in results]


def native(
    launches: Sequence[Launch], contents: Mapping[Region, NDArray[Any]], results: Sequence[Region]
) -> list[Bytes]:
    """The same on the native engine, for shapes that are too large for the reference engine."""
    return outcome(launches, contents, results, "native")


def both(launches: Sequence[Launch], contents: Mapping[Region, NDArray[Any]], results: Sequence[Region]) -> list[Bytes]:
    """The same on the native and the reference engine, which must agree bit for bit."""
    found = native(launches, contents, results)
    for region, one, other in zip(results, found, outcome(launches, contents, results, "reference"), strict=True):
        np.testing.assert_array_equal(one, other, err_msg=f"engines differ in {region}")
    return found


def tokens(name: str, channels: int, rows: int, element: Element) -> Slabs:
    """A tensor of tokens in an SRAM region of its own."""
    return image(name, channels, 1, rows, element)


def image(name: str, channels: int, height: int, width: int, element: Element, border: int = 0) -> Slabs:
    """A tensor in an SRAM region of its own."""
    pixels = (height + 2 * border) * (width + 2 * border)
    region = Region(name, -(-channels // SLAB) * SLAB * pixels * BYTES[element], "sram")
    return Slabs(region, 0, channels, height, width, border, element)


def kept(tensor: Slabs, values: NDArray[Any]) -> NDArray[np.float32]:
    """Values as the tensor's element type holds them."""
    return unpack(tensor, pack(tensor, values.astype(np.float32)))
