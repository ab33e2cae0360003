"""What runs a job: the native engine, compiled C, PoCL. All work on the same memory."""

from __future__ import annotations

import ctypes
import subprocess
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.cuda.jobs import Argument, Array, Job
from benchmarks.cuda.opencl import OpenCLError, PoCL
from openrpp.codegen import host
from openrpp.cuda import compile_file, read
from openrpp.cuda.reader import DeviceModule

HERE = Path(__file__).parent
FLAGS = ("-O3", "-march=native")
BASE = 0x1000_0000
_PAGE = 4096
_POOL = ThreadPoolExecutor(2)
Run = Callable[[], None]


class Memory:
    """The arrays of a job in one piece of memory, each on a page of its own and at different offsets in it."""

    def __init__(self, job: Job) -> None:
        starts: dict[str, int] = {}
        end = 0
        for index, (name, array) in enumerate(job.arrays.items()):
            starts[name] = -(-end // _PAGE) * _PAGE + 256 * index
            end = starts[name] + array.nbytes
        room = np.zeros(end + 2 * _PAGE, np.uint8)
        self._room = room
        self.data: NDArray[np.uint8] = room[-room.ctypes.data % _PAGE :][: end + _PAGE]
        self.arrays: dict[str, Array] = {}
        self.addresses: dict[str, int] = {}
        for name, array in job.arrays.items():
            part = self.data[starts[name] : starts[name] + array.nbytes]
            self.arrays[name] = part.view(array.dtype).reshape(array.shape)
            self.addresses[name] = BASE + starts[name]
            self.arrays[name][...] = array

    def restore(self, job: Job) -> None:
        """All arrays as they were at first."""
        for name, array in job.arrays.items():
            self.arrays[name][...] = array


@cache
def device_module(name: str) -> DeviceModule:
    """The kernels of `kernels/NAME.cu`."""
    return read(compile_file(HERE / "kernels" / f"{name}.cu"))


def native(job: Job, memory: Memory, workers: int, tier: str | None = None) -> Run:
    """The job on the native engine."""
    kernel = compiled(job.name, job.block, tier)
    there = host.HostMemory([(BASE, memory.data)])
    symbols: dict[str, int] = {}
    calls = [(launch.grid, _arguments(launch.args, memory.addresses)) for launch in job.launches]

    def run() -> None:
        for grid, args in calls:
            kernel.launch(grid, args, there, symbols=symbols, workers=workers)

    return run


@cache
def compiled(name: str, block: tuple[int, int, int], tier: str | None = None) -> host.HostKernel:
    """The kernel of `kernels/NAME.cu` for a block shape."""
    device = device_module(name)
    return host.compile(device.module, device.names[name][0], block, tier=tier)


def _arguments(args: tuple[Argument, ...], places: Mapping[str, Any]) -> list[Any]:
    return [places[arg] if isinstance(arg, str) else arg for arg in args]


def gcc_version() -> str | None:
    """The first line of `gcc --version`, None where there is no gcc."""
    try:
        return subprocess.run(["gcc", "--version"], capture_output=True, text=True, check=True).stdout.splitlines()[0]
    except OSError:
        return None


@cache
def _library(peer: str, fast: bool) -> ctypes.CDLL:
    folder = Path("build/bench-cuda").absolute()
    folder.mkdir(parents=True, exist_ok=True)
    made, source = folder / f"{peer}{'-fast' if fast else ''}.so", HERE / "peers" / f"{peer}.c"
    # Compiled and linked apart: linked with -ffast-math, a library makes the whole thread flush denormals.
    compiled = made.with_suffix(".o")
    flags = [*FLAGS, *(["-ffast-math"] if fast else []), "-fPIC", "-c"]
    subprocess.run(["gcc", *flags, "-o", str(compiled), str(source)], check=True)
    subprocess.run(["gcc", "-shared", "-o", str(made), str(compiled), "-lm"], check=True)
    return ctypes.CDLL(str(made))


def c_peer(job: Job, memory: Memory, threads: int, fast: bool) -> Run:
    """The job in C, by one thread or by several that each do a part."""
    peer = job.peer or job.name
    function: Any = getattr(_library(peer, fast), peer)
    places = {name: ctypes.c_void_p(array.ctypes.data) for name, array in memory.arrays.items()}
    given = _arguments(job.peer_args, places)
    args = [arg if isinstance(arg, int | ctypes.c_void_p) else ctypes.c_float(float(arg)) for arg in given]
    if threads == 1:
        return lambda: function(0, 1, *args)

    def run() -> None:
        waiting = [_POOL.submit(function, part, threads, *args) for part in range(threads)]
        for future in waiting:
            future.result()

    return run


@cache
def pocl() -> PoCL | str:
    """PoCL, or why there is none."""
    try:
        return PoCL()
    except OpenCLError as error:
        return str(error)


def opencl(job: Job, memory: Memory) -> Run | None:
    """The job on PoCL with one thread; None where that cannot be."""
    device = pocl()
    if isinstance(device, str) or not job.has_opencl:
        return None
    kernel = device.kernel((HERE / "peers" / f"{job.name}.cl").read_text(encoding="utf-8"), job.name)
    places = {name: device.buffer(array) for name, array in memory.arrays.items()}
    calls = [(launch.grid, _arguments(launch.args, places)) for launch in job.launches]

    def run() -> None:
        for grid, args in calls:
            device.enqueue(kernel, grid, job.block, args)
        device.finish()

    return run
