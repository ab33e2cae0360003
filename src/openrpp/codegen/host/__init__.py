"""Kernel IR to vectorised host code: the `native` engine.

kernel = compile(module, "saxpy", (256, 1, 1))
kernel.launch((64, 1, 1), [n, a, x_address, y_address], HostMemory([(base, bytes_of_device_memory)]))
"""

from __future__ import annotations

from openrpp.codegen.errors import HostLaunchError
from openrpp.codegen.host.launch import HostKernel, HostMemory, Observe, Output, compile
from openrpp.codegen.host.prepared import Prepared
from openrpp.codegen.host.replay import Replay, ReplayStopped

__all__ = [
    "HostKernel",
    "HostLaunchError",
    "HostMemory",
    "Observe",
    "Output",
    "Prepared",
    "Replay",
    "ReplayStopped",
    "compile",
]
