"""Rows of tokens."""

from __future__ import annotations

import numpy as np
import pytest

from openrpp.kernels.launch import Variable
from openrpp.kernels.rows import take
from openrpp.kernels.slabs import Element, pack, unpack
from tests.kernels.engines import both, kept, tokens


@pytest.mark.parametrize("element", ["bf16", "f32"])
def test_a_row_is_taken(element: Element) -> None:
    x, y = tokens("x", 100, 9, element), tokens("y", 100, 1, element)
    values = kept(x, np.random.default_rng(1).standard_normal((100, 1, 9)))
    (found,) = both(take(x, y, Variable("last", 4)), {x.region: pack(x, values)}, [y.region])
    assert np.array_equal(unpack(y, found)[:, 0, 0], values[:, 0, 4])


def test_what_is_no_row_is_refused() -> None:
    x, y = tokens("x", 100, 9, "f32"), tokens("y", 64, 1, "f32")
    with pytest.raises(ValueError, match=r"f32\[64\] of 1 rows is not a row of f32\[100\]"):
        take(x, y, Variable("last"))
