"""As much of OpenCL as the comparison with PoCL needs, through ctypes. PoCL may be missing."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Sequence
from ctypes import byref, c_char_p, c_int, c_size_t, c_uint32, c_uint64, c_void_p
from typing import Any

import numpy as np

_PLATFORM_VERSION, _DEVICE_NAME, _DEVICE_VERSION = 0x0901, 0x102B, 0x102F
_BUILD_LOG = 0x1183
_ALL_DEVICES = 0xFFFFFFFF
_USE_HOST_POINTER = 1 << 3


class OpenCLError(Exception):
    """OpenCL is missing or refuses something."""


class PoCL:
    """A queue on one PoCL device whose buffers are host arrays; one thread."""

    def __init__(self) -> None:
        os.environ["POCL_MAX_PTHREAD_COUNT"] = "1"
        try:
            self._cl = ctypes.CDLL("libOpenCL.so.1")
        except OSError as error:
            raise OpenCLError("there is no libOpenCL.so.1 (Debian: ocl-icd-libopencl1)") from error
        platform = self._platform()
        self.version = self._text("clGetPlatformInfo", platform, _PLATFORM_VERSION)
        device, count = c_void_p(), c_uint32()
        self._check(self._cl.clGetDeviceIDs(platform, c_uint64(_ALL_DEVICES), 1, byref(device), byref(count)))
        self._device = device
        self.device = self._text("clGetDeviceInfo", device, _DEVICE_NAME)
        self._context = self._made("clCreateContext", None, 1, byref(device), None, None)
        self._queue = self._made("clCreateCommandQueue", self._context, device, c_uint64(0))
        self._kept: list[Any] = []

    def _platform(self) -> c_void_p:
        count, found = c_uint32(), (c_void_p * 8)()
        if self._cl.clGetPlatformIDs(8, found, byref(count)) or not count.value:
            raise OpenCLError("there is no OpenCL platform (Debian: pocl-opencl-icd)")
        for platform in found[: count.value]:
            if "PoCL" in self._text("clGetPlatformInfo", c_void_p(platform), _PLATFORM_VERSION):
                return c_void_p(platform)
        raise OpenCLError("none of the OpenCL platforms is PoCL (Debian: pocl-opencl-icd)")

    def _text(self, function: str, of: c_void_p, what: int) -> str:
        text = ctypes.create_string_buffer(1024)
        self._check(getattr(self._cl, function)(of, what, c_size_t(1024), text, None))
        return text.value.decode()

    def _check(self, code: int) -> None:
        if code:
            raise OpenCLError(f"OpenCL error {code}")

    def _made(self, function: str, *args: Any) -> c_void_p:
        code, maker = c_int(), getattr(self._cl, function)
        maker.restype = c_void_p
        found = c_void_p(maker(*args, byref(code)))
        self._check(code.value)
        return found

    def kernel(self, source: str, name: str) -> c_void_p:
        """A kernel of a source text."""
        text = c_char_p(source.encode())
        program = self._made("clCreateProgramWithSource", self._context, 1, byref(text), None)
        if self._cl.clBuildProgram(program, 1, byref(self._device), c_char_p(b""), None, None):
            log = ctypes.create_string_buffer(1 << 16)
            self._cl.clGetProgramBuildInfo(program, self._device, _BUILD_LOG, c_size_t(1 << 16), log, None)
            raise OpenCLError(f"PoCL does not build {name}: {log.value.decode()}")
        return self._made("clCreateKernel", program, c_char_p(name.encode()))

    def buffer(self, array: np.ndarray[Any, Any]) -> c_void_p:
        """A buffer that is the memory of an array."""
        flags, size = c_uint64(_USE_HOST_POINTER), c_size_t(array.nbytes)
        return self._made("clCreateBuffer", self._context, flags, size, c_void_p(array.ctypes.data))

    def enqueue(
        self, kernel: c_void_p, grid: Sequence[int], block: Sequence[int], args: Sequence[c_void_p | int | np.float32]
    ) -> None:
        """Start a kernel."""
        for index, arg in enumerate(args):
            value: Any = arg
            if isinstance(arg, int):
                value = c_int(arg)
            elif not isinstance(arg, c_void_p):
                value = ctypes.c_float(float(arg))
            self._check(self._cl.clSetKernelArg(kernel, index, c_size_t(ctypes.sizeof(value)), byref(value)))
        local = (c_size_t * 3)(*block)
        total = (c_size_t * 3)(*(blocks * size for blocks, size in zip(grid, block, strict=True)))
        self._check(self._cl.clEnqueueNDRangeKernel(self._queue, kernel, 3, None, total, local, 0, None, None))

    def finish(self) -> None:
        """Wait until all started kernels are through."""
        self._check(self._cl.clFinish(self._queue))
