"""Depthwise convolutions, pools and enlarged images against NumPy, on both engines."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from openrpp.kernels.activation import NONE, RELU6, SILU, Activation, table
from openrpp.kernels.depthwise import depthwise, pack_weights
from openrpp.kernels.launch import Launch, Region
from openrpp.kernels.pool import enlarge, global_mean, max_pool, mean_pool
from openrpp.kernels.slabs import Element, Slabs, bf16, f32, pack, unpack
from openrpp.kernels.window import Window
from tests.kernels.engines import both, kept
from tests.kernels.test_conv import check_padding

F64 = NDArray[np.float64]
ELEMENTS: tuple[Element, ...] = ("bf16", "f32")


def tensor(
    name: str, channels: int, height: int, width: int, element: Element, border: int = 0, first: int = 0
) -> Slabs:
    made = Slabs(Region(name, 0, "sram"), 0, channels, height, width, border, element, first)
    return replace(made, region=Region(name, made.bytes, "sram"))


def seen(x: F64, window: Window, height: int, width: int, outside: float) -> F64:
    """What each result sees: [taps][channels][height][width]."""
    edge = 16
    padded = np.pad(x, ((0, 0), (edge, edge), (edge, edge)), constant_values=outside)
    found: list[F64] = []
    for row in range(window.kernel[0]):
        for tap in range(window.kernel[1]):
            top = edge - window.pads[0] + row * window.dilation[0]
            left = edge - window.pads[1] + tap * window.dilation[1]
            found.append(padded[:, top :: window.stride[0], left :: window.stride[1]][:, :height, :width])
    return np.stack(found)


def checked(
    launches: Sequence[Launch],
    contents: dict[Region, NDArray[Any]],
    y: Slabs,
    expected: F64,
    tolerance: F64,
    tail: bool,
) -> None:
    rng = np.random.default_rng(8)
    before = contents[y.region] = rng.integers(0, 1 << 16, y.bytes // 2).astype(np.uint16)
    (found,) = both(launches, contents, [y.region])
    assert np.all(np.abs(unpack(y, found) - expected) <= tolerance)
    check_padding(found, before, y, tail)


def size_of(size: int, axis: int, window: Window) -> int:
    reach = (window.kernel[axis] - 1) * window.dilation[axis]
    return (size + 2 * window.pads[axis] - reach - 1) // window.stride[axis] + 1


@pytest.mark.parametrize("element", ELEMENTS)
@pytest.mark.parametrize(
    ("window", "activation", "channels", "first", "tail"),
    [
        (Window((3, 3), (1, 1), (1, 1)), SILU, 40, 0, True),
        (Window((3, 3), (2, 2), (1, 1)), RELU6, 32, 0, True),
        (Window((5, 5), (1, 1), (2, 2)), RELU6, 24, 16, False),
        (Window((5, 5), (2, 2), (2, 2)), NONE, 32, 0, True),
        (Window((1, 7), (1, 1), (0, 3)), SILU, 32, 0, True),
        (Window((3, 3), (1, 2), (2, 1), (2, 1)), NONE, 16, 8, True),
    ],
)
def test_a_depthwise_convolution_is_numpys(
    window: Window, activation: Activation, channels: int, first: int, tail: bool, element: Element
) -> None:
    rng = np.random.default_rng(6)
    height, width = (size_of(size, axis, window) for axis, size in enumerate((9, 11)))
    x = tensor("x", channels, 9, 11, element, 3, first)
    y = tensor("y", channels, height, width, element, 1, first)
    values = kept(x, rng.standard_normal((channels, 9, 11)))
    weights, bias = rng.standard_normal((channels, 1, *window.kernel)), rng.standard_normal(channels).astype(np.float32)
    weights = f32(bf16(weights)) if element == "bf16" else weights.astype(np.float32)
    packed = pack_weights(weights, bias, y, window)
    holder = Region("w", packed.nbytes, "sram")
    contents: dict[Region, NDArray[Any]] = {x.region: pack(x, values), holder: packed}
    tables = None
    if activation.needs_table(element):
        tables = Region("t", 2 << 16, "sram")
        contents[tables] = table(activation)
    taps = seen(values.astype(np.float64), window, height, width, 0) * weights.reshape(channels, -1).T[..., None, None]
    expected = activation(taps.sum(0) + bias[:, None, None])
    tolerance = np.abs(taps).sum(0) * 1e-6 + 1e-6
    if element == "bf16":
        tolerance += 2.0**-7 * (np.abs(taps.sum(0) + bias[:, None, None]) + np.abs(expected))
    launches = depthwise(x, holder, y, window, activation=activation, table=tables, tail=tail)
    checked(launches, contents, y, expected, tolerance, tail)


@pytest.mark.parametrize("element", ELEMENTS)
@pytest.mark.parametrize(
    "window", [Window((5, 5), (1, 1), (2, 2)), Window((3, 2), (2, 2), (1, 0)), Window((2, 2), (2, 2))]
)
@pytest.mark.parametrize(("first", "tail"), [(0, True), (8, False)])
def test_a_max_pool_takes_only_pixels_of_the_image(window: Window, first: int, tail: bool, element: Element) -> None:
    rng = np.random.default_rng(4)
    height, width = (size_of(size, axis, window) for axis, size in enumerate((7, 8)))
    x, y = tensor("x", 40, 7, 8, element, 0, first), tensor("y", 40, height, width, element, 1, first)
    values = kept(x, rng.standard_normal((40, 7, 8)) - 3)
    expected = seen(values.astype(np.float64), window, height, width, -np.inf).max(0)
    checked(max_pool(x, y, window, tail=tail), {x.region: pack(x, values)}, y, expected, np.zeros_like(expected), tail)


@pytest.mark.parametrize("element", ELEMENTS)
def test_a_mean_pool_counts_the_border(element: Element) -> None:
    rng, window = np.random.default_rng(4), Window((3, 3), (2, 2), (1, 1))
    x, y = tensor("x", 32, 7, 9, element, 1), tensor("y", 32, 4, 5, element, 0)
    values = kept(x, rng.standard_normal((32, 7, 9)))
    expected = seen(values.astype(np.float64), window, 4, 5, 0).mean(0)
    tolerance = np.abs(expected) * (2.0**-8 if element == "bf16" else 1e-6) + 1e-6
    checked(mean_pool(x, y, window), {x.region: pack(x, values)}, y, expected, tolerance, True)


@pytest.mark.parametrize("element", ELEMENTS)
@pytest.mark.parametrize(("channels", "height", "width"), [(40, 7, 7), (300, 6, 5), (32, 1, 1)])
def test_the_mean_of_all_pixels(channels: int, height: int, width: int, element: Element) -> None:
    rng = np.random.default_rng(4)
    x, y = tensor("x", channels, height, width, element, 1), tensor("y", channels, 1, 1, element)
    values = kept(x, rng.standard_normal((channels, height, width)))
    expected = values.astype(np.float64).mean((1, 2))[:, None, None]
    tolerance = np.abs(expected) * (2.0**-8 if element == "bf16" else 1e-6) + 1e-6
    checked(global_mean(x, y), {x.region: pack(x, values)}, y, expected, tolerance, True)


@pytest.mark.parametrize("element", ELEMENTS)
@pytest.mark.parametrize(("first", "tail"), [(0, True), (8, False)])
def test_an_enlarged_image_repeats_pixels(first: int, tail: bool, element: Element) -> None:
    rng = np.random.default_rng(4)
    x, y = tensor("x", 40, 5, 3, element, 1, first), tensor("y", 40, 10, 9, element, 1, first)
    values = kept(x, rng.standard_normal((40, 5, 3)))
    expected = values.repeat(2, 1).repeat(3, 2).astype(np.float64)
    checked(enlarge(x, y, tail=tail), {x.region: pack(x, values)}, y, expected, np.zeros_like(expected), tail)


def test_what_does_not_fit_is_refused() -> None:
    x, y = tensor("x", 32, 8, 8, "bf16"), tensor("y", 32, 8, 8, "bf16")
    refused: list[tuple[str, Callable[[], object]]] = [
        ("need a border of 1, not 0", lambda: mean_pool(x, y, Window((3, 3), (1, 1), (1, 1)))),
        ("more than a window holds", lambda: max_pool(x, y, Window((2, 2), (1, 1), (2, 2)))),
        ("no whole multiple", lambda: enlarge(x, tensor("y", 32, 12, 16, "bf16"))),
        ("do not lie as", lambda: max_pool(x, tensor("y", 32, 8, 8, "bf16", 0, 8), Window((1, 1)))),
        ("to one pixel", lambda: global_mean(x, y)),
    ]
    for sentence, call in refused:
        with pytest.raises(ValueError, match=sentence):
            call()
