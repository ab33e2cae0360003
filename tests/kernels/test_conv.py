"""Convolutions against NumPy in double precision, on both engines."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from openrpp.kernels.activation import NONE, RELU6, SIGMOID, SILU, Activation, table
from openrpp.kernels.conv import convolution, pack_weights
from openrpp.kernels.launch import Region
from openrpp.kernels.slabs import BYTES, SLAB, Element, Slabs, bf16, pack, unpack
from openrpp.kernels.window import Window
from tests.kernels.engines import both, kept

F64 = NDArray[np.float64]


@dataclass(frozen=True)
class Case:
    """A convolution of random values; `first` channels are those of input, result and residual in their slabs."""

    inputs: int
    outputs: int
    window: Window
    size: tuple[int, int] = (6, 7)
    element: Element = "bf16"
    activation: Activation = NONE
    residual: str = ""
    first: tuple[int, int, int] = (0, 0, 0)
    lanes: int = SLAB
    tail: bool = True
    borders: tuple[int, int] = (1, 1)


def reference(x: F64, w: F64, bias: F64, window: Window, size: tuple[int, int]) -> F64:
    """The convolution by its definition."""
    height, width = size
    edge = 16
    padded = np.pad(x, ((0, 0), (edge, edge), (edge, edge)))
    total = np.zeros((w.shape[0], height, width)) + bias[:, None, None]
    for row in range(window.kernel[0]):
        for tap in range(window.kernel[1]):
            top = edge - window.pads[0] + row * window.dilation[0]
            left = edge - window.pads[1] + tap * window.dilation[1]
            seen = padded[:, top:, left:][:, :: window.stride[0], :: window.stride[1]][:, :height, :width]
            total += np.einsum("oc,chw->ohw", w[:, :, row, tap], seen)
    return total


def tensor(
    name: str, channels: int, size: tuple[int, int], case: Case, first: int, border: int, lanes: int = SLAB
) -> Slabs:
    made = Slabs(Region(name, 0, "sram"), 0, channels, *size, border, case.element, first, lanes)
    return replace(made, region=Region(name, made.bytes, "sram"))


def check(case: Case, run: Any = both) -> None:
    rng = np.random.default_rng(5)
    kernel, window = case.window.kernel, case.window
    height, width = (
        (case.size[axis] + 2 * window.pads[axis] - (kernel[axis] - 1) * window.dilation[axis] - 1)
        // window.stride[axis]
        + 1
        for axis in (0, 1)
    )
    x = tensor("x", case.inputs, case.size, case, case.first[0], case.borders[0], case.lanes)
    y = tensor("y", case.outputs, (height, width), case, case.first[1], case.borders[1])
    values = kept(x, rng.standard_normal((case.inputs, *case.size)))
    weights = rng.standard_normal((case.outputs, case.inputs, *kernel)).astype(np.float32)
    if case.element == "bf16":
        weights = (bf16(weights).astype(np.uint32) << 16).view(np.float32)
    bias = rng.standard_normal(case.outputs).astype(np.float32)
    packed = pack_weights(weights, bias, x, y, window)
    holder = Region("w", packed.nbytes, "sram")
    content = pack(x, values)
    if case.lanes == SLAB:  # what other tensors hold is not looked at
        others = np.ones(content.shape, bool).reshape(x.slabs * 1, -1, SLAB).transpose(0, 2, 1).reshape(-1, 1)
        others = others.reshape(x.slabs * SLAB, -1)
        others[x.first : x.first + -(-case.inputs // 8) * 8] = False
        mask = others.reshape(x.slabs, SLAB, -1).transpose(0, 2, 1).reshape(content.shape)
        content[mask] = np.uint16(0x7FC0) if case.element == "bf16" else np.float32(np.nan)
    before = rng.integers(0, 1 << 16, y.bytes // 2).astype(np.uint16)
    contents: dict[Region, NDArray[Any]] = {x.region: content, holder: packed, y.region: before}
    exact = reference(
        values.astype(np.float64), weights.astype(np.float64), bias.astype(np.float64), window, (height, width)
    )
    size = reference(
        np.abs(values).astype(np.float64),
        np.abs(weights).astype(np.float64),
        np.abs(bias).astype(np.float64),
        window,
        (height, width),
    )
    residual, added = None, np.zeros_like(exact)
    if case.residual:
        residual = tensor("r", case.outputs, (height, width), case, case.first[2], 1)
        added = kept(residual, rng.standard_normal(exact.shape)).astype(np.float64)
        contents[residual.region] = pack(residual, added)
    before_last = exact + added if case.residual == "first" else exact
    expected = case.activation(before_last) + (added if case.residual == "last" else 0)
    tables = None
    if case.activation.needs_table(case.element):
        tables = Region("t", 2 << 16, "sram")
        contents[tables] = table(case.activation)
    launches = convolution(
        x, holder, y, window, activation=case.activation, table=tables, residual=residual,
        residual_first=case.residual == "first", tail=case.tail,
    )  # fmt: skip
    (found,) = run(launches, contents, [y.region])
    result = unpack(y, found).astype(np.float64)
    tolerance = size * 2e-6 + (
        2.0**-8 * (np.abs(before_last) + np.abs(expected)) * 1.2 if case.element == "bf16" else 1e-5
    )
    assert np.all(np.abs(result - expected) <= tolerance), np.abs(result - expected).max()
    check_padding(found, before, y, case.tail)


def check_padding(found: NDArray[np.uint8], before: NDArray[np.uint16], y: Slabs, tail: bool) -> None:
    """The border is zero; channels of others are as they were, those behind the last one zero where `tail` is set."""
    words = BYTES[y.element] // 2
    shape = (y.slabs, y.height + 2 * y.border, y.pitch, SLAB * words)
    after, old = found.view(np.uint16).reshape(shape), before.reshape(shape)
    inner = np.zeros(shape[1:3], bool)
    inner[y.border : y.border + y.height, y.border : y.border + y.width] = True
    assert not after[:, ~inner].any()
    lanes, olds = (item[:, inner].transpose(0, 2, 1).reshape(-1, y.height * y.width) for item in (after, old))
    end = (y.first + y.channels) * words
    np.testing.assert_array_equal(lanes[: y.first * words], olds[: y.first * words])
    if tail:
        assert not lanes[end:].any()
    else:
        np.testing.assert_array_equal(lanes[end:], olds[end:])


K3 = Window((3, 3), (1, 1), (1, 1))
K3S2 = Window((3, 3), (2, 2), (1, 1))
K1 = Window()
CASES = {
    "1x1": Case(64, 32, K1),
    "3x3": Case(32, 64, K3, activation=SILU),
    "3x3 stride 2": Case(32, 32, K3S2, activation=RELU6),
    "residual last": Case(32, 32, K3, activation=SILU, residual="last"),
    "residual first": Case(32, 32, K1, activation=RELU6, residual="first"),
    "odd channels": Case(20, 40, K3, activation=SIGMOID),
    "views": Case(40, 24, K3, first=(24, 8, 8), residual="last", tail=False),
    "views in the middle": Case(72, 40, K1, first=(16, 24, 24), residual="first"),
    "one part": Case(16, 16, K3S2, first=(16, 16, 0), activation=SILU),
    "image of three": Case(3, 16, K3S2, (8, 8), lanes=4, activation=SILU),
    "image, taps before": Case(3, 32, Window((3, 3), (1, 1), (1, 1)), lanes=4, borders=(2, 1)),
    "image of twelve": Case(12, 24, K3, lanes=16),
    "6x6": Case(3, 16, Window((6, 6), (2, 2), (2, 2)), (8, 8), lanes=8, borders=(2, 0)),
    "dilated": Case(32, 16, Window((3, 3), (1, 1), (2, 2), (2, 2)), borders=(2, 2)),
    "5x1": Case(32, 32, Window((5, 1), (1, 1), (2, 0)), borders=(2, 0)),
    "one pixel": Case(40, 32, K1, (1, 1), activation=SILU),
}


@pytest.mark.parametrize("element", ["bf16", "f32"])
@pytest.mark.parametrize("name", CASES)
def test_a_convolution_is_numpys(name: str, element: Element) -> None:
    check(replace(CASES[name], element=element))
