"""Texture fetches: header code over a descriptor in device memory."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from openrpp.cuda.reader import DeviceModule
from openrpp.kir.interp import Memory

FILE = "textures"
Run = Callable[..., Any]
rng = np.random.default_rng(17)
WRAP, CLAMP, MIRROR, BORDER = range(4)
UNSIGNED, FLOAT = 1, 2


def texture(
    memory: Memory, texels: np.ndarray, mode: int = CLAMP, linear: bool = False, normalised: bool = False
) -> int:
    """The handle of a texture object: the layout is `__rpp_texture` of rpp/texture.h."""
    data = memory.bind(texels)
    height, width = texels.shape[:2] if texels.ndim > 1 else (1, texels.shape[0])
    channels = texels.shape[2] if texels.ndim > 2 else 1
    kind = FLOAT if texels.dtype.kind == "f" else UNSIGNED
    row = width * channels * texels.itemsize
    packed = struct.pack(
        "<QQQIIIiiiiiiii4x", data, row, row * height, width, height, 1, kind, texels.itemsize * 8, channels, linear,
        normalised, mode, mode, mode,
    )  # fmt: skip
    return memory.bind(np.frombuffer(bytearray(packed), np.uint8))


def index(i: int, n: int, mode: int) -> int | None:
    if mode == WRAP:
        return i % n
    if mode == MIRROR:
        return min(i % (2 * n), 2 * n - 1 - i % (2 * n))
    if mode == BORDER:
        return i if 0 <= i < n else None
    return min(max(i, 0), n - 1)


def test_linear_memory_is_read_by_element_and_zero_outside(run: Run) -> None:
    memory, x, out = Memory(), rng.normal(size=9).astype(np.float32), np.zeros(5, np.float32)
    at = np.array([0, 8, 3, 9, -1], np.int32)
    run(FILE, "linear", 1, 5, [texture(memory, x), at, out], memory=memory)
    assert out.tolist() == [*x[[0, 8, 3]].tolist(), 0, 0]


@pytest.mark.parametrize("mode", [WRAP, CLAMP, MIRROR, BORDER])
@pytest.mark.parametrize("linear", [False, True])
def test_planes_in_every_address_mode_and_filter(run: Run, mode: int, linear: bool) -> None:
    memory, image = Memory(), rng.integers(0, 16, (4, 5)).astype(np.float32)
    normalised = mode in (WRAP, MIRROR)
    at = (rng.integers(-20, 60, (30, 2)) / 8).astype(np.float32)
    size = np.array([5, 4], np.float32) if normalised else np.ones(2, np.float32)
    out = np.zeros(30, np.float32)
    handle = texture(memory, image, mode, linear, normalised)
    run(FILE, "plane", 1, 30, [handle, at / 4 if normalised else at, out], memory=memory)

    def texel(x: int, y: int) -> float:
        px, py = index(x, 5, mode), index(y, 4, mode)
        return 0.0 if px is None or py is None else float(image[py, px])

    for (x, y), found in zip((at / 4 if normalised else at) * size, out, strict=True):
        if not linear:
            assert found == texel(int(np.floor(x)), int(np.floor(y)))
            continue
        i, j = int(np.floor(x - 0.5)), int(np.floor(y - 0.5))
        a, b = x - 0.5 - i, y - 0.5 - j
        wanted = (1 - a) * (1 - b) * texel(i, j) + a * (1 - b) * texel(i + 1, j)
        wanted += (1 - a) * b * texel(i, j + 1) + a * b * texel(i + 1, j + 1)
        assert found == pytest.approx(wanted, abs=1e-4)


def test_texels_of_four_bytes(run: Run) -> None:
    memory, image, out = Memory(), rng.integers(0, 256, (3, 4, 4), dtype=np.uint8), np.zeros((4, 4), np.uint8)
    at = np.array([[0.5, 0.5], [3.9, 2.1], [-5, 1], [2, 9]], np.float32)
    run(FILE, "colours", 1, 4, [texture(memory, image), at, out], memory=memory)
    assert np.array_equal(out, [image[0, 0], image[2, 3], image[1, 0], image[2, 2]])


def test_references_hold_the_object_that_the_host_bound(run: Run, module: Callable[[str], DeviceModule]) -> None:
    memory, image, x = Memory(), rng.normal(size=(3, 4)).astype(np.float32), np.array([0, 51, 255], np.uint8)
    places = memory.load(module(FILE).module)
    for name, texels in (("reference", image), ("normalised", x)):
        memory.find(places[name], 8).data[:8] = struct.pack("<Q", texture(memory, texels))
    out = np.zeros((3, 2), np.float32)
    run(FILE, "references", 1, 3, [out], memory=memory)
    assert np.array_equal(out, np.stack([image[1, :3], x.astype(np.float32) / np.float32(255)], axis=1))
