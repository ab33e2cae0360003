"""Copies of boxes against NumPy, on both engines."""

from __future__ import annotations

import numpy as np
import pytest

from openrpp.kernels.movement import Box, clear, copy, frame, whole
from openrpp.kernels.slabs import Element, Slabs, pack, unpack
from tests.kernels.engines import both, image


def random(shape: tuple[int, ...], seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).integers(-100, 100, shape).astype(np.float32)


@pytest.mark.parametrize(
    ("parts", "border", "element"),
    [((4, 1, 1), 0, "bf16"), ((32, 20), 1, "bf16"), ((16, 16, 16), 1, "f32"), ((7, 40, 30), 0, "bf16")],
)
def test_channels_behind_each_other(parts: tuple[int, ...], border: int, element: Element) -> None:
    y = image("y", sum(parts), 4, 7, element, border)
    inputs = [image(f"x{index}", count, 4, 7, element, index) for index, count in enumerate(parts)]
    values = [random((count, 4, 7), count) for count in parts]
    launches = clear(y)
    start = 0
    for x in inputs:
        launches += copy(x, y, whole(x), (start, 0, 0))
        start += x.channels
    contents = {x.region: pack(x, item) for x, item in zip(inputs, values, strict=True)}
    contents[y.region] = np.full(y.region.bytes, 0x55, np.uint8)
    (content,) = both(launches, contents, [y.region])
    np.testing.assert_array_equal(content, pack(y, np.concatenate(values)).reshape(-1).view(np.uint8))


def test_pixels_behind_each_other() -> None:
    y = image("y", 40, 1, 300, "bf16")
    one, other = image("a", 40, 1, 270, "bf16"), image("b", 40, 1, 30, "bf16")
    first, second = random((40, 1, 270)), random((40, 1, 30))
    launches = copy(one, y, whole(one)) + copy(other, y, whole(other), (0, 0, 270))
    (content,) = both(launches, {one.region: pack(one, first), other.region: pack(other, second)}, [y.region])
    np.testing.assert_array_equal(unpack(y, content), np.concatenate([first, second], axis=2))


@pytest.mark.parametrize("step", [(1, 1), (2, 2), (1, 3)])
def test_boxes_with_steps(step: tuple[int, int]) -> None:
    x = image("x", 50, 9, 11, "bf16", 2)
    values = random((50, 9, 11))
    wanted = values[6:40, 1 :: step[0], 2 :: step[1]]
    y = image("y", *wanted.shape, "bf16", 1)  # type: ignore[arg-type]
    launches = clear(y) + copy(x, y, Box((6, 1, 2), wanted.shape), step=step)  # type: ignore[arg-type]
    (content,) = both(launches, {x.region: pack(x, values)}, [y.region])
    np.testing.assert_array_equal(content, pack(y, wanted).reshape(-1).view(np.uint8))


@pytest.mark.parametrize("channel", [0, 3, 32])
def test_bfloat16_becomes_float32(channel: int) -> None:
    x, y = image("x", 40, 2, 3, "bf16", 1), image("y", 80, 2, 3, "f32", 1)
    values = random((40, 2, 3))
    (content,) = both(clear(y) + copy(x, y, whole(x), (channel, 0, 0)), {x.region: pack(x, values)}, [y.region])
    wanted = np.zeros((80, 2, 3), np.float32)
    wanted[channel : channel + 40] = values
    np.testing.assert_array_equal(unpack(y, content), wanted)


def test_views_within_a_slab_leave_their_neighbours_alone() -> None:
    whole_y = image("y", 32, 2, 3, "bf16")
    part = Slabs(whole_y.region, 0, 8, 2, 3, first=8)
    x = image("x", 8, 2, 3, "bf16")
    before, values = random((32, 2, 3)), random((8, 2, 3), 2)
    (content,) = both(
        copy(x, part, whole(x)), {x.region: pack(x, values), whole_y.region: pack(whole_y, before)}, [whole_y.region]
    )
    wanted = before.copy()
    wanted[8:16] = values
    np.testing.assert_array_equal(unpack(whole_y, content), wanted)


@pytest.mark.parametrize(("height", "width", "border"), [(3, 5, 1), (1, 4, 2), (6, 1, 3)])
def test_a_frame_is_the_border_alone(height: int, width: int, border: int) -> None:
    y = image("y", 40, height, width, "bf16", border)
    before = np.full((y.slabs, height + 2 * border, y.pitch, 32), 0x3F80, np.uint16)
    (content,) = both(frame(y), {y.region: before}, [y.region])
    wanted = np.zeros_like(before)
    inside = (slice(None), slice(border, border + height), slice(border, border + width))
    wanted[inside] = before[inside]
    np.testing.assert_array_equal(content.view(np.uint16).reshape(before.shape), wanted)


def test_boxes_outside_are_refused() -> None:
    x, y = image("x", 8, 2, 3, "bf16"), image("y", 8, 2, 3, "bf16")
    with pytest.raises(ValueError, match=r"a box from \[0, 0, 1\] to \[8, 2, 4\] does not lie in \[8, 2, 3\]"):
        copy(x, y, whole(x), (0, 0, 1))
