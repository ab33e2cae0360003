"""Reductions over channels against NumPy, on both engines."""

from __future__ import annotations

import numpy as np
import pytest

from openrpp.kernels.launch import Region
from openrpp.kernels.reduce import Kind, argmax, reduce
from openrpp.kernels.slabs import Element, pack, unpack
from tests.kernels.engines import both, kept, native, tokens


@pytest.mark.parametrize("element", ["bf16", "f32"])
@pytest.mark.parametrize("kind", ["sum", "mean", "max", "min"])
def test_reductions_are_numpys(kind: Kind, element: Element) -> None:
    x, y = tokens("x", 100, 7, element), tokens("y", 1, 7, element)
    values = kept(x, np.random.default_rng(8).normal(-9, 2, (100, 1, 7)))
    (found,) = both(reduce(kind, x, y), {x.region: pack(x, values)}, [y.region])
    expected = getattr(np, kind)(values.astype(np.float64), axis=0)
    np.testing.assert_allclose(unpack(y, found)[0], expected, rtol=2.0**-8 if element == "bf16" else 2e-6)
    words = found.view(np.uint16 if element == "bf16" else np.uint32).reshape(-1, 32)
    assert not words[:, 1:].any()


@pytest.mark.parametrize("element", ["bf16", "f32"])
def test_argmax_is_the_first_of_the_largest(element: Element) -> None:
    x, y = tokens("x", 200, 5, element), Region("y", 4 * 5, "sram")
    values = np.random.default_rng(9).integers(-40, -30, (200, 1, 5)).astype(np.float32)
    (found,) = both(argmax(x, y), {x.region: pack(x, values)}, [y])
    np.testing.assert_array_equal(found.view(np.int32), values[:, 0].argmax(axis=0))


def test_argmax_of_a_vocabulary() -> None:
    x, y = tokens("x", 49152, 1, "f32"), Region("y", 4, "sram")
    values = np.random.default_rng(10).standard_normal((49152, 1, 1)).astype(np.float32)
    (found,) = native(argmax(x, y), {x.region: pack(x, values)}, [y])
    assert found.view(np.int32)[0] == values.argmax()
