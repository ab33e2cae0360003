"""The thread's floating-point mode does not matter: denormals are kept, and the mode is as before afterwards."""

from __future__ import annotations

import ctypes
import platform
from collections.abc import Generator

import numpy as np
import pytest

from openrpp.codegen import host
from openrpp.kir.parser import parse_module

from .support import Arena

KERNEL = """
module "m"
kernel @halve(%x: ptr.global) {
^entry:
  %t = tid axis=x : i32
  %w = zext %t : i64
  %o = shl %w, 2:i64 : i64
  %p = ptr_add %x, %o : ptr.global
  %v = load %p : f32
  %h = fmul %v, 0.5:f32 : f32
  store %h, %p
  ret
}
"""
FLUSH = 0x8040  # flush to zero, denormals are zero


@pytest.fixture
def flushing() -> Generator[None]:
    """The main thread flushes denormals, as libraries that gcc has linked with -ffast-math make it do."""
    if platform.machine() != "x86_64" or platform.libc_ver()[0] != "glibc":
        pytest.skip("sets the mode through glibc's fenv_t of x86-64")
    libm = ctypes.CDLL("libm.so.6")
    kept, changed = (ctypes.c_uint32 * 8)(), (ctypes.c_uint32 * 8)()
    libm.fegetenv(kept)
    ctypes.memmove(changed, kept, ctypes.sizeof(kept))
    changed[7] |= FLUSH
    libm.fesetenv(changed)
    yield
    libm.fesetenv(kept)


@pytest.mark.parametrize("workers", [1, 2])
def test_denormals_are_kept(flushing: None, workers: int) -> None:
    given = np.full(64, 2, np.uint32)  # the second smallest denormal
    assert float(np.float32(1e-38) * np.float32(0.1)) == 0.0, "the fixture has no effect"
    arena = Arena()
    place = arena.place(given)
    made = host.compile(parse_module(KERNEL), "halve", (64, 1, 1))
    made.launch((1, 1, 1), [place], arena.memory, workers=workers)
    assert arena.read(place, given).tolist() == [1] * 64
    assert float(np.float32(1e-38) * np.float32(0.1)) == 0.0, "the mode of the thread has changed"
