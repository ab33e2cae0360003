"""Element-wise kernels against their definitions, on both engines."""

from __future__ import annotations

import numpy as np
import pytest

from openrpp.kernels.elementwise import DEFINITIONS, PAIRS, TABLE_BYTES, Function, binary, defined, table, unary
from openrpp.kernels.launch import Region
from openrpp.kernels.slabs import Element, Slabs, pack, unpack
from tests.kernels.engines import both, image, kept, native

NUMBERS = {"leaky": (0.1, 0.0), "clip": (0.0, 6.0), "hardsigmoid": (0.2, 0.5)}
POSITIVE = ("log", "sqrt", "reciprocal")


def values_for(name: str, shape: tuple[int, ...]) -> np.ndarray:
    values = np.random.default_rng(7).standard_normal(shape) * 3
    return np.abs(values) + 0.1 if name in POSITIVE else values


def run_unary(function: Function, x: Slabs, y: Slabs, values: np.ndarray, engines: object) -> np.ndarray:
    contents = {x.region: pack(x, values)}
    words = None
    if y.element == "bf16":
        words = Region("table", TABLE_BYTES, "sram")
        contents[words] = table(function)
    contents[y.region] = np.full(y.region.bytes, 0xA5, np.uint8)
    (content,) = engines(unary(x, y, function, words), contents, [y.region])  # type: ignore[operator]
    check_zeros(y, content)
    return unpack(y, content)


def check_zeros(y: Slabs, content: np.ndarray) -> None:
    """All of a tensor beside its values is zero."""
    again = pack(y, unpack(y, content))
    np.testing.assert_array_equal(again.reshape(-1).view(np.uint8), content)


@pytest.mark.parametrize("name", list(DEFINITIONS))
def test_functions_of_float32(name: str) -> None:
    function = Function(name, *NUMBERS.get(name, (0.0, 0.0)))
    x, y = image("x", 40, 3, 5, "f32", 1), image("y", 40, 3, 5, "f32", 2)
    values = values_for(name, (40, 3, 5)).astype(np.float32)
    got = run_unary(function, x, y, values, both if name in ("silu", "clip") else native)
    np.testing.assert_allclose(got, defined(function, values), rtol=3e-6, atol=1e-6)


@pytest.mark.parametrize("name", ["silu", "clip"])
@pytest.mark.parametrize("border", [0, 1])
def test_functions_of_bfloat16_are_rounded_once(name: str, border: int) -> None:
    function = Function(name, *NUMBERS.get(name, (0.0, 0.0)))
    x, y = image("x", 64, 3, 5, "bf16", 1), image("y", 64, 3, 5, "bf16", border)
    values = kept(x, values_for(name, (64, 3, 5)))
    got = run_unary(function, x, y, values, both)
    np.testing.assert_array_equal(got, kept(y, defined(function, values)))


@pytest.mark.parametrize("name", list(PAIRS))
@pytest.mark.parametrize("element", ["bf16", "f32"])
def test_functions_of_two(name: str, element: Element) -> None:
    a, b, y = (image(name_, 40, 3, 5, element, border) for name_, border in (("a", 0), ("b", 1), ("y", 1)))
    one = kept(a, values_for("", (40, 3, 5)))
    other = kept(b, values_for("log", (40, 3, 5)))
    (content,) = (both if name == "add" else native)(
        binary(name, a, b, y), {a.region: pack(a, one), b.region: pack(b, other)}, [y.region]
    )
    check_zeros(y, content)
    wanted = PAIRS[name](one, other)
    if element == "bf16":
        np.testing.assert_array_equal(unpack(y, content), kept(y, wanted))
    else:
        np.testing.assert_allclose(unpack(y, content), wanted, rtol=1e-6)


@pytest.mark.parametrize("extents", [(1, 1, 1), (64, 1, 1), (1, 6, 50), (64, 6, 1), (64, 1, 50)])
def test_extents_of_one_are_repeated(extents: tuple[int, int, int]) -> None:
    a, b, y = image("a", 64, 6, 50, "bf16"), image("b", *extents, "bf16"), image("y", 64, 6, 50, "bf16")
    one, other = kept(a, values_for("", (64, 6, 50))), kept(b, values_for("", extents))
    (content,) = both(binary("mul", a, b, y), {a.region: pack(a, one), b.region: pack(b, other)}, [y.region])
    np.testing.assert_array_equal(unpack(y, content), kept(y, one * other))


def test_tensors_that_do_not_fit_are_refused() -> None:
    x, y = image("x", 32, 2, 2, "bf16"), image("y", 32, 2, 3, "bf16")
    with pytest.raises(ValueError, match="differ"):
        unary(x, y, Function("relu"), None)
    with pytest.raises(ValueError, match="needs its table"):
        unary(x, x, Function("relu"), None)
    with pytest.raises(ValueError, match="is not repeated"):
        binary("add", y, x, y)
