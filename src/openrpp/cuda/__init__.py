"""CUDA C++ to kernel IR: the clang driver, our device headers and the reader of LLVM IR.

>>> from openrpp.cuda import compile_source, read
>>> device = read(compile_source("__global__ void k(float *x) { x[threadIdx.x] *= 2; }"))
>>> device.names
{'k': ('_Z1kPf',)}
"""

from __future__ import annotations

from openrpp.cuda.cache import Cache
from openrpp.cuda.compile import DeviceCode, compile_file, compile_source
from openrpp.cuda.errors import CompileError, CudaError, Diagnostic, Location, ToolchainError, UnsupportedError
from openrpp.cuda.options import Options
from openrpp.cuda.reader import DeviceModule, read

__all__ = [
    "Cache",
    "CompileError",
    "CudaError",
    "DeviceCode",
    "DeviceModule",
    "Diagnostic",
    "Location",
    "Options",
    "ToolchainError",
    "UnsupportedError",
    "compile_file",
    "compile_source",
    "read",
]
