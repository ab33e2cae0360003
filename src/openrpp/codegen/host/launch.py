"""Compiling kernels for the host and launching them.

Memory is what a card has: byte arrays at device addresses. Pointers are device addresses everywhere, also where they
lie in memory; the code adds the distance to the host's address at each access. A launch whose pointer arguments lie
in one array uses code for one distance, any other launch code that compares. Bounds are not checked here; the
interpreter (`openrpp.kir.interp`) does that.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from openrpp.codegen.errors import HostLaunchError, KernelStopped
from openrpp.codegen.host import llvm, pool
from openrpp.codegen.host.geometry import Triple, partition
from openrpp.codegen.host.module import Context, Options, Translation, translate, uses_warps
from openrpp.codegen.host.records import Stopped, printed
from openrpp.codegen.host.tiers import Tier
from openrpp.kir.floats import ENCODE
from openrpp.kir.interp.memory import PRIVATE_WINDOW
from openrpp.kir.ir import Kernel, Module, Parameter

Argument = int | float | bytes | np.generic
_PRINT_BYTES = 1 << 20
_MASK = (1 << 64) - 1
_LIMIT = (1 << 31) - 1
WARP = 32


class HostMemory:
    """Device memory on the host: at most two arrays of bytes, each with its device address."""

    def __init__(self, arrays: Sequence[tuple[int, NDArray[np.uint8]]]) -> None:
        if not 1 <= len(arrays) <= 2:
            raise HostLaunchError(f"device memory is one array or two, not {len(arrays)}")
        self.arrays = sorted(arrays, key=lambda item: item[0])

    def place(self, address: int) -> int | None:
        """The number of the array that an address lies in."""
        for index, (base, data) in enumerate(self.arrays):
            if base <= address < base + data.size:
                return index
        return None

    def distance(self, index: int) -> int:
        """Host address minus device address in an array."""
        base, data = self.arrays[index]
        return data.ctypes.data - base

    def text(self, address: int) -> bytes:
        """The bytes at a device address up to the next NUL."""
        index = self.place(address)
        if index is None:
            return b""
        base, data = self.arrays[index]
        return bytes(data[address - base :]).split(b"\0", 1)[0]


@dataclass(frozen=True, slots=True)
class Output:
    """What a launch leaves besides memory: printf output, and how many of its records found no room."""

    text: str
    dropped: int = 0


@dataclass(frozen=True, slots=True)
class _Variant:
    """Code for one set of assumptions."""

    translation: Translation
    code: llvm.Loaded
    work: pool.Work


def compile(
    module: Module, name: str, block: Triple, *, tier: str | None = None, lanes: int | None = None
) -> HostKernel:
    """A kernel made ready for one block shape.

    `tier` forces a host tier (avx512, avx2, sse), `lanes` the number of threads of a vector. Raises Unsupported with op
    and source line, HostLaunchError for a kernel or block that cannot be, ToolchainError where llvmlite is missing.
    """
    kernel = module.kernels.get(name)
    if kernel is None:
        known = ", ".join(module.kernels) or "none"
        raise HostLaunchError(f"there is no kernel '{name}'; the module has {known}")
    threads = block[0] * block[1] * block[2]
    if min(block) < 1 or threads > (kernel.max_threads or 1 << 16):
        most = kernel.max_threads or 1 << 16
        raise HostLaunchError(f"a block of {block} has {threads} threads; 1 to {most} are possible", name)
    return HostKernel(module, kernel, block, llvm.tier_named(tier), lanes)


class HostKernel:
    """A kernel for one block shape and tier; machine code is made when a launch first needs it."""

    def __init__(self, module: Module, kernel: Kernel, block: Triple, tier: Tier, lanes: int | None) -> None:
        self.module = module
        self.kernel = kernel
        self.block = block
        self.tier = tier
        warps = uses_warps(kernel)
        self.geometry = partition(block, lanes or (WARP if warps else tier.lanes), WARP if warps else 1)
        self._variants: dict[Options, _Variant] = {}
        self._variant(Options())

    def text(self, options: Options | None = None) -> str:
        """The LLVM IR before optimisation."""
        options = options or Options()
        return translate(self.module, self.kernel, self.geometry, self.tier, options).text

    def assembly(self) -> str:
        """The machine code of the usual variant."""
        return llvm.assembly(self.text(), self.tier)

    def _variant(self, options: Options) -> _Variant:
        if options not in self._variants:
            made = translate(self.module, self.kernel, self.geometry, self.tier, options)
            code = llvm.Loaded(llvm.object_code(made.text, self.tier), "work")
            self._variants[options] = _Variant(made, code, pool.WORK(code.address))
        return self._variants[options]

    def launch(
        self,
        grid: Triple,
        args: Sequence[Argument],
        memory: HostMemory,
        *,
        shared_bytes: int = 0,
        symbols: Mapping[str, int] | None = None,
        workers: int | None = None,
    ) -> Output:
        """Run the kernel to its end.

        `args` are numbers, device addresses and, for structs by value, bytes; `symbols` are the device addresses of
        the module's variables; `shared_bytes` is the dynamic shared memory; `workers` threads run blocks (None: one per
        core). Raises HostLaunchError before anything runs, KernelStopped for a trap, a failed assertion or a barrier
        that not all threads come to; KeyboardInterrupt stops the launch.
        """
        if min(grid) < 1:
            raise HostLaunchError(f"a grid of {grid} has no blocks", self.kernel.name)
        variant = self._variant(self._options(grid, args, memory, symbols or {}))
        made = variant.translation
        params = np.frombuffer(self._params(made, args) or bytes(8), np.uint8)
        prints = np.zeros(_PRINT_BYTES if made.sites.prints else 8, np.uint8)
        total = grid[0] * grid[1] * grid[2]
        workers = min(workers or pool.cores(), total)
        context = self._context(made, grid, memory, symbols or {}, shared_bytes)
        context[Context.CHUNK] = max(1, min(total // (8 * workers), 1024))
        context[Context.PARAMS] = params.ctypes.data
        context[Context.PRINT] = prints.ctypes.data
        context[Context.PRINT + 1] = prints.size if made.sites.prints else 0
        scratch = int(context[Context.FRAME]) + made.frame_size
        pool.run(variant.work, context, scratch, workers, Context.STOP)
        if context[Context.STOP]:
            self._raise(made, context, grid)
        text = printed(made.sites, prints, min(int(context[Context.PRINT + 2]), prints.size), memory)
        return Output(text, int(context[Context.PRINT + 3]))

    def _options(
        self, grid: Triple, args: Sequence[Argument], memory: HostMemory, symbols: Mapping[str, int]
    ) -> Options:
        narrow = all(blocks * threads <= _LIMIT for blocks, threads in zip(grid, self.block, strict=True))
        pointers = [arg for arg, param in zip(args, self.kernel.params, strict=False) if param.type.is_pointer]
        addresses = [int(arg) for arg in pointers if isinstance(arg, int | np.integer)] + list(symbols.values())
        places = {memory.place(address) for address in addresses} - {None}
        return Options(narrow, len(memory.arrays) > 1 and places != {0})

    def _context(
        self, made: Translation, grid: Triple, memory: HostMemory, symbols: Mapping[str, int], shared_bytes: int
    ) -> NDArray[np.uint64]:
        words = [0] * (Context.SYMBOLS + len(made.symbols))
        words[Context.TOTAL] = grid[0] * grid[1] * grid[2]
        words[Context.GRID : Context.GRID + 3] = grid
        words[Context.MEMORY] = memory.distance(0) & _MASK
        words[Context.HIGH] = memory.distance(len(memory.arrays) - 1) & _MASK
        words[Context.SPLIT] = memory.arrays[-1][0] if len(memory.arrays) > 1 else PRIVATE_WINDOW
        words[Context.FRAME] = -(-(made.shared_size + shared_bytes) // 64) * 64
        for index, name in enumerate(made.symbols):
            if name not in symbols:
                raise HostLaunchError(f"the variable '{name}' has no address", self.kernel.name)
            words[Context.SYMBOLS + index] = symbols[name]
        return np.asarray(words, np.uint64)

    def _params(self, made: Translation, args: Sequence[Argument]) -> bytes:
        params = self.kernel.params
        if len(args) != len(params):
            raise HostLaunchError(f"{len(args)} arguments are given; the kernel takes {len(params)}", self.kernel.name)
        found = bytearray(made.params_size)
        for index, (param, arg, offset) in enumerate(zip(params, args, made.params, strict=True)):
            content = self._argument(index, param, arg)
            found[offset : offset + len(content)] = content
        return bytes(found)

    def _argument(self, index: int, param: Parameter, arg: Argument) -> bytes:
        if param.is_by_value:
            if not isinstance(arg, bytes) or len(arg) != param.size:
                raise self._wrong(index, param, f"a struct of {param.size} bytes", arg)
            return arg
        if isinstance(arg, bytes):
            raise self._wrong(index, param, f"a number of type {param.type}", arg)
        if param.type.is_float:
            return struct.pack("<Q", ENCODE[param.type](float(arg)))
        if not isinstance(arg, int | np.integer | np.bool_):
            raise self._wrong(index, param, f"a number of type {param.type}", arg)
        return struct.pack("<Q", int(arg) & param.type.mask)

    def _wrong(self, index: int, param: Parameter, wanted: str, arg: Argument) -> HostLaunchError:
        sentence = f"argument {index + 1} ('{param.name}') must be {wanted}, not {type(arg).__name__}"
        return HostLaunchError(sentence, self.kernel.name)

    def _raise(self, made: Translation, context: NDArray[np.uint64], grid: Triple) -> None:
        state, site, block, thread = (int(word) for word in context[Context.STOP : Context.STOP + 4])
        if state == 2:
            stopped = Stopped(made.sites, site, block, thread)
            raise KernelStopped(stopped.sentence(grid, self.block), self.kernel.name, stopped.location)
