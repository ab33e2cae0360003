"""CUDA C++ to kernel IR, and kernels launched from source text.

>>> x = np.arange(4, dtype=np.float32)
>>> RawModule("__global__ void k(float *x) { x[threadIdx.x] *= 2; }").get_function("k")(1, 4, (x,))

The compiler by itself: the clang driver, our device headers and the reader of LLVM IR.

>>> from openrpp.cuda import compile_source, read
>>> device = read(compile_source("__global__ void k(float *x) { x[threadIdx.x] *= 2; }"))
>>> device.names
{'k': ('_Z1kPf',)}
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from openrpp.cuda.compile import DeviceCode, compile_file, compile_source
from openrpp.cuda.errors import CompileError, CudaError, Diagnostic, Location, ToolchainError, UnsupportedError
from openrpp.cuda.options import Options
from openrpp.cuda.reader import DeviceModule, read
from openrpp.storage import Cache

if TYPE_CHECKING:
    from openrpp.cuda.rawmodule import RawKernel, RawModule, default_card
    from openrpp.cuda.texture import Texture

__all__ = [
    "Cache",
    "CompileError",
    "CudaError",
    "DeviceCode",
    "DeviceModule",
    "Diagnostic",
    "Location",
    "Options",
    "RawKernel",
    "RawModule",
    "Texture",
    "ToolchainError",
    "UnsupportedError",
    "compile_file",
    "compile_source",
    "default_card",
    "read",
]

_RUN_TIME = {"RawKernel": "rawmodule", "RawModule": "rawmodule", "default_card": "rawmodule", "Texture": "texture"}


def __getattr__(name: str) -> object:
    """What launches kernels, on first use: a compiler needs no card."""
    if name not in _RUN_TIME:
        raise AttributeError(f"module 'openrpp.cuda' has no attribute {name!r}")
    from importlib import import_module

    globals()[name] = found = getattr(import_module(f"openrpp.cuda.{_RUN_TIME[name]}"), name)
    return found
