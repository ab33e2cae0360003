"""RMSNorm and LayerNorm against NumPy, on both engines."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from openrpp.kernels.launch import Launch, Region
from openrpp.kernels.norm import layer_norm, rms_norm, scales
from openrpp.kernels.slabs import BYTES, SLAB, Element, bf16, pack, unpack
from tests.kernels.engines import Bytes, both, kept, native, tokens

Run = Callable[[Sequence[Launch], Mapping[Region, NDArray[Any]], Sequence[Region]], list[Bytes]]
F64 = NDArray[np.float64]
ERROR: dict[Element, float] = {"bf16": 2.0**-8, "f32": 2e-6}


def _normed(kind: str, channels: int, rows: int, element: Element, run: Run = both) -> tuple[F64, F64]:
    """Results and what they should be, [channels][rows]."""
    rng = np.random.default_rng(7)
    x, y = tokens("x", channels, rows, element), tokens("y", channels, rows, element)
    values = kept(x, rng.normal(0.5, 2, (channels, 1, rows)))
    weight, bias = rng.standard_normal((2, channels)).astype(np.float32)
    regions = [Region(name, 4 * SLAB * x.slabs, "sram") for name in ("weight", "bias")]
    contents = {x.region: pack(x, values), regions[0]: scales(weight), regions[1]: scales(bias)}
    exact = values[:, 0].astype(np.float64)
    if kind == "rms":
        launches, bias = rms_norm(x, y, regions[0], 1e-5), np.zeros_like(bias)
    else:
        launches = layer_norm(x, y, regions[0], regions[1], 1e-5)
        exact = exact - exact.mean(axis=0)
    expected = exact / np.sqrt((exact**2).mean(axis=0) + 1e-5) * weight[:, None] + bias[:, None]
    (found,) = run(launches, contents, [y.region])
    raw = found.view(np.uint16 if element == "bf16" else np.float32).reshape(x.slabs, rows, SLAB)
    assert not raw[-1, :, channels - SLAB * (x.slabs - 1) :].any()
    return unpack(y, found)[:, 0].astype(np.float64), expected


@pytest.mark.parametrize("element", ["bf16", "f32"])
@pytest.mark.parametrize("kind", ["rms", "layer"])
def test_a_norm_is_numpys_and_keeps_padding_zero(kind: str, element: Element) -> None:
    found, expected = _normed(kind, 100, 7, element)
    assert np.all(np.abs(found - expected) <= ERROR[element] * (np.abs(expected) + 0.2))


@pytest.mark.parametrize("rows", [1, 300])
def test_norms_of_many_rows_or_channels(rows: int) -> None:
    found, expected = _normed("rms", 4096, rows, "bf16", native)
    assert np.all(np.abs(found - expected) <= ERROR["bf16"] * (np.abs(expected) + 0.2))


def test_float32_rows_are_normalised_to_bfloat16() -> None:
    rng = np.random.default_rng(5)
    values = rng.normal(0.5, 300, (576, 1, 3)).astype(np.float32)
    x, wide, y = tokens("x", 576, 3, "f32"), tokens("wide", 576, 3, "f32"), tokens("y", 576, 3, "bf16")
    weight = Region("weight", 4 * 576, "sram")
    contents = {x.region: pack(x, values), weight: scales(rng.standard_normal(576).astype(np.float32))}
    launches = [*rms_norm(x, wide, weight, 1e-5), *rms_norm(x, y, weight, 1e-5)]
    exact, found = both(launches, contents, [wide.region, y.region])
    assert np.array_equal(found.view(np.uint16), bf16(exact.view(np.float32)))


def test_a_rows_result_does_not_depend_on_the_number_of_rows() -> None:
    rng, results = np.random.default_rng(3), list[NDArray[np.float32]]()
    values = rng.standard_normal((576, 1, 40)).astype(np.float32)
    for rows in (1, 40):
        x, y = tokens("x", 576, rows, "f32"), tokens("y", 576, rows, "f32")
        weight = Region("weight", 576 * BYTES["f32"], "sram")
        contents = {x.region: pack(x, values[:, :, :rows]), weight: np.ones(576, np.float32)}
        (found,) = native(rms_norm(x, y, weight, 1e-6), contents, [y.region])
        results.append(unpack(y, found)[:, :, 0])
    np.testing.assert_array_equal(results[0], results[1])


def test_a_norm_in_place_is_refused() -> None:
    x = tokens("x", 64, 1, "f32")
    with pytest.raises(ValueError, match="in place"):
        rms_norm(x, x, Region("w", 256, "sram"), 1e-5)
