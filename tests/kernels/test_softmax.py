"""Softmax over channels against NumPy, on both engines."""

from __future__ import annotations

import numpy as np
import pytest

from openrpp.kernels.slabs import Element, pack, unpack
from openrpp.kernels.softmax import softmax
from tests.kernels.engines import both, image, kept, native

KINDS: list[tuple[Element, Element, float]] = [("bf16", "bf16", 2.0**-8), ("f32", "f32", 2e-6), ("bf16", "f32", 2e-6)]


@pytest.mark.parametrize(("source", "target", "error"), KINDS)
@pytest.mark.parametrize(("channels", "height", "width", "groups"), [(64, 5, 9, 4), (70, 1, 3, 1), (80, 1, 1, 40)])
def test_softmax_is_numpys(
    channels: int, height: int, width: int, groups: int, source: Element, target: Element, error: float
) -> None:
    rng = np.random.default_rng(5)
    x, y = image("x", channels, height, width, source), image("y", channels, height, width, target)
    values = kept(x, rng.normal(0, 4, (channels, height, width)))
    (found,) = both(softmax(x, y, groups), {x.region: pack(x, values)}, [y.region])
    grouped = values.astype(np.float64).reshape(groups, -1, height, width)
    powers = np.exp(grouped - grouped.max(axis=1, keepdims=True))
    expected = (powers / powers.sum(axis=1, keepdims=True)).reshape(values.shape)
    np.testing.assert_allclose(unpack(y, found), expected, rtol=error, atol=1e-9)


def test_many_pixels_and_channels() -> None:
    x, y = image("x", 1000, 3, 300, "f32"), image("y", 1000, 3, 300, "f32")
    values = np.random.default_rng(6).normal(0, 4, (1000, 3, 300)).astype(np.float32)
    (found,) = native(softmax(x, y), {x.region: pack(x, values)}, [y.region])
    powers = np.exp(values.astype(np.float64))
    np.testing.assert_allclose(unpack(y, found), powers / powers.sum(axis=0), rtol=1e-5, atol=1e-9)


def test_unequal_groups_are_refused() -> None:
    x = image("x", 64, 1, 1, "f32")
    with pytest.raises(ValueError, match="64 channels are not 5 equal groups"):
        softmax(x, x, 5)
