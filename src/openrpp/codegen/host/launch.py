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
from typing import TypeGuard

import numpy as np
from numpy.typing import NDArray

from openrpp.codegen.errors import HostLaunchError
from openrpp.codegen.host import llvm, pool
from openrpp.codegen.host.context import Context
from openrpp.codegen.host.cost import geometry_for
from openrpp.codegen.host.frame import GUARD
from openrpp.codegen.host.geometry import Triple
from openrpp.codegen.host.module import Options, Translation, translate
from openrpp.codegen.host.observed import Observations, observations
from openrpp.codegen.host.prepared import Prepared, Variant
from openrpp.codegen.host.records import printed
from openrpp.codegen.host.tiers import Tier
from openrpp.kir.floats import ENCODE
from openrpp.kir.interp.memory import PRIVATE_WINDOW
from openrpp.kir.ir import Kernel, Module, Parameter

Argument = int | float | bytes | np.generic
_Place = tuple[str, int]
"""Name of a parameter or variable, number of the array that it points to."""
_PRINT_BYTES = 1 << 20
_MASK = (1 << 64) - 1
_LIMIT = (1 << 31) - 1
_GRID_BYTES = 1 << 33


def is_integer(arg: Argument) -> TypeGuard[int]:
    """Whether an argument may stand for an integer or an address."""
    return isinstance(arg, int | np.integer | np.bool_)


class HostMemory:
    """Device memory on the host: at most two arrays of bytes, each with its device address."""

    def __init__(self, arrays: Sequence[tuple[int, NDArray[np.uint8]]]) -> None:
        if not 1 <= len(arrays) <= 2:
            raise HostLaunchError(f"device memory is one array or two, not {len(arrays)}")
        self.arrays = sorted(arrays, key=lambda item: item[0])
        self._distances = [data.ctypes.data - base for base, data in self.arrays]

    def place(self, address: int) -> int | None:
        """The number of the array that an address lies in."""
        for index, (base, data) in enumerate(self.arrays):
            if base <= address < base + data.size:
                return index
        return None

    def distance(self, index: int) -> int:
        """Host address minus device address in an array."""
        return self._distances[index]

    def text(self, address: int) -> bytes:
        """The bytes at a device address up to the next NUL."""
        index = self.place(address)
        if index is None:
            return b""
        base, data = self.arrays[index]
        start = address - base
        for place in range(start, data.size, 256):  # a piece at a time: a card's memory is large
            zeros = np.flatnonzero(data[place : place + 256] == 0)
            if zeros.size:
                return data[start : place + int(zeros[0])].tobytes()
        return data[start:].tobytes()


@dataclass(frozen=True, slots=True)
class Observe:
    """Which blocks to observe: of each `every` runs of `run` blocks (in order of their numbers) the first one.

    Records take at most `capacity` bytes of the host.
    """

    run: int = 1
    every: int = 1
    capacity: int = 1 << 26


@dataclass(frozen=True, slots=True)
class Output:
    """What a launch leaves besides memory: printf output, and how many of its records found no room.

    `observed` is what happened in the blocks that were to be observed.
    """

    text: str
    dropped: int = 0
    observed: Observations | None = None


def compile(
    module: Module,
    name: str,
    block: Triple,
    *,
    tier: str | None = None,
    lanes: int | None = None,
    store: llvm.ObjectStore | None = None,
) -> HostKernel:
    """A kernel made ready for one block shape.

    `tier` forces a host tier (see `tiers.TIERS`), `lanes` the number of threads of a vector; `store` keeps
    machine code between processes. Raises Unsupported with op
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
    return HostKernel(module, kernel, block, llvm.tier_named(tier), lanes, store)


class HostKernel:
    """A kernel for one block shape and tier; machine code is made when a launch first needs it."""

    def __init__(
        self,
        module: Module,
        kernel: Kernel,
        block: Triple,
        tier: Tier,
        lanes: int | None,
        store: llvm.ObjectStore | None = None,
    ) -> None:
        self._store = store
        pointers = [item for item in kernel.instructions() if item.type.is_pointer]
        self._finds_pointers = any(item.op.name in ("load", "inttoptr") for item in pointers) or any(
            param.is_by_value for param in kernel.params
        )
        # Transfers within device memory are for later blocks, and fill places that all blocks use.
        self._in_order = any(item.op.name == "transfer" for item in kernel.instructions())
        self.module = module
        self.kernel = kernel
        self.block = block
        self.tier = tier
        self.geometry, self._vectors = geometry_for(kernel, block, tier, lanes)
        self._variants: dict[Options, Variant] = {}
        self._translations: dict[Options, Translation] = {}
        self._translate(Options())  # refuses what cannot be; code is made for what is launched

    def text(self, options: Options | None = None) -> str:
        """The LLVM IR before optimisation."""
        return self._translate(options or Options()).text

    def _translate(self, options: Options) -> Translation:
        """Where branches are observed, threads run in vectors: that is what the card does."""
        if options not in self._translations:
            geometry = self._vectors if options.watched else self.geometry
            self._translations[options] = translate(self.module, self.kernel, geometry, self.tier, options)
        return self._translations[options]

    def assembly(self) -> str:
        """The machine code of the usual variant."""
        return llvm.assembly(self.text(), self.tier)

    def _variant(self, options: Options) -> Variant:
        if options not in self._variants:
            made = self._translate(options)
            code = llvm.Loaded(llvm.object_code(made.text, self.tier, self._store), "work")
            self._variants[options] = Variant(made, code, pool.WORK(code.address))
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
        observe: Observe | None = None,
    ) -> Output:
        """Run the kernel to its end.

        `args` are numbers, device addresses and, for structs by value, bytes; `symbols` are the device addresses of
        the module's variables; `shared_bytes` is the dynamic shared memory; `workers` threads run blocks (None: one per
        core); `observe` records branches and gathers of some blocks, at the cost of a variant of the code. Raises
        HostLaunchError before anything runs, KernelStopped for a trap, a failed assertion or a barrier that not all
        threads come to; KeyboardInterrupt stops the launch.
        """
        prepared = self.prepare(
            grid, args, memory, shared_bytes=shared_bytes, symbols=symbols, workers=workers, watched=observe is not None
        )
        variant, context, workers = prepared.variant, prepared.context, prepared.workers
        made = variant.translation
        prints = np.zeros(_PRINT_BYTES if made.sites.prints else 0, np.uint8)
        if made.sites.prints:
            context[Context.PRINT : Context.PRINT + 2] = prints.ctypes.data, prints.size
        records = self._watch(context, observe)
        if made.cooperative:
            self._run_in_rounds(variant, context, workers)
        else:
            pool.run(variant.work, context, prepared.scratch, workers, Context.STOP)
        text = printed(made.sites, prints, min(int(context[Context.PRINT + 2]), prints.size), memory)
        prepared.check(text)
        return Output(text, int(context[Context.PRINT + 3]), self._observed(made, context, records, observe))

    def prepare(
        self,
        grid: Triple,
        args: Sequence[Argument],
        memory: HostMemory,
        *,
        shared_bytes: int = 0,
        symbols: Mapping[str, int] | None = None,
        workers: int | None = None,
        watched: bool = False,
    ) -> Prepared:
        """Check and pack a launch without running it, for `Replay`; arguments and errors as `launch`."""
        if min(grid) < 1:
            raise HostLaunchError(f"a grid of {grid} has no blocks", self.kernel.name)
        places = self._places(args, memory, symbols or {})
        options = self._options(grid, memory, places, watched)
        variant = self._variant(options)
        made = variant.translation
        total = grid[0] * grid[1] * grid[2]
        workers = 1 if self._in_order else min(workers or pool.cores(), total)
        first = 0 if options.two_memories else min((place for _, place in places), default=0)
        words = self._words(made, grid, memory, symbols or {}, shared_bytes, first)
        words[Context.CHUNK] = max(1, min(total // (8 * workers), 1024))
        context = np.array(words + self._params(made, args), np.uint64)
        return Prepared(self.kernel.name, grid, self.block, variant, context, len(words), workers)

    def change(self, prepared: Prepared, index: int, arg: Argument) -> None:
        """Change an argument of a prepared launch that is no pointer. Raises HostLaunchError."""
        content = self._argument(index, self.kernel.params[index], arg)
        start = 8 * prepared.params + prepared.variant.translation.params[index]
        prepared.context.view(np.uint8)[start : start + len(content)] = np.frombuffer(content, np.uint8)

    def _watch(self, context: NDArray[np.uint64], observe: Observe | None) -> NDArray[np.uint64]:
        """Room for the records of an observed launch."""
        if observe is None:
            return np.zeros(0, np.uint64)
        if min(observe.run, observe.every) < 1 or observe.capacity < 0:
            raise HostLaunchError(f"{observe} cannot be observed", self.kernel.name)
        records = np.zeros(observe.capacity // 8, np.uint64)
        context[Context.WATCH : Context.WATCH + 2] = records.ctypes.data, records.nbytes
        context[Context.RUN], context[Context.EVERY] = observe.run, observe.every
        return records

    def _observed(
        self, made: Translation, context: NDArray[np.uint64], records: NDArray[np.uint64], observe: Observe | None
    ) -> Observations | None:
        if observe is None:
            return None
        used = min(int(context[Context.WATCH + 2]) // 8, records.size)
        return observations(made.sites, made.geometry, records[:used], int(context[Context.WATCH + 3]))

    def _run_in_rounds(self, variant: Variant, context: NDArray[np.uint64], workers: int) -> None:
        """Run all blocks up to their next barrier of the whole grid, again and again."""
        each = -(-(int(context[Context.FRAME]) + variant.translation.frame_size) // 64) * 64
        size = each * int(context[Context.TOTAL])
        if size > _GRID_BYTES:
            sentence = f"blocks that wait for the whole grid would need {size} bytes of the host; at most {_GRID_BYTES}"
            raise HostLaunchError(sentence, self.kernel.name)
        scratch = np.zeros(size + 64, np.uint8)
        context[Context.EACH] = each
        context[Context.WAITING] = 1
        while context[Context.WAITING] and not context[Context.STOP]:
            context[Context.NEXT] = context[Context.WAITING] = 0
            pool.run(variant.work, context, 0, workers, Context.STOP, -(-scratch.ctypes.data // 64) * 64)

    def _options(self, grid: Triple, memory: HostMemory, places: Sequence[_Place], watched: bool) -> Options:
        narrow = all(blocks * threads <= _LIMIT for blocks, threads in zip(grid, self.block, strict=True))
        if len(memory.arrays) == 1 or not (len({place for _, place in places}) > 1 or self._finds_pointers):
            return Options(narrow, False, watched)
        known: dict[str, set[int]] = {}
        for name, place in places:
            known.setdefault(name, set()).add(place)
        upper = tuple((name, 1 in found) for name, found in sorted(known.items()) if name and len(found) == 1)
        return Options(narrow, True, watched, upper)

    def _places(self, args: Sequence[Argument], memory: HostMemory, symbols: Mapping[str, int]) -> list[_Place]:
        """The arrays that arguments and variables lie in, of those that lie in one."""
        pairs = zip(self.kernel.params, args, strict=False)
        given = [(item.name, int(arg)) for item, arg in pairs if item.type.is_pointer and is_integer(arg)]
        found = [(name, memory.place(address)) for name, address in (*given, *symbols.items())]
        return [(name, place) for name, place in found if place is not None]

    def _words(
        self,
        made: Translation,
        grid: Triple,
        memory: HostMemory,
        symbols: Mapping[str, int],
        shared_bytes: int,
        first: int,
    ) -> list[int]:
        """The context of a launch, an even number of words; code for one memory sees the array number `first`."""
        words = [0] * (-(-(Context.SYMBOLS + len(made.symbols)) // 2) * 2)
        words[Context.TOTAL] = grid[0] * grid[1] * grid[2]
        words[Context.GRID : Context.GRID + 3] = grid
        words[Context.MEMORY] = memory.distance(first) & _MASK
        words[Context.HIGH] = memory.distance(len(memory.arrays) - 1) & _MASK
        words[Context.SPLIT] = memory.arrays[-1][0] if len(memory.arrays) > 1 else PRIVATE_WINDOW
        words[Context.FRAME] = 2 * GUARD + -(-(made.shared_size + shared_bytes) // 64) * 64
        for index, name in enumerate(made.symbols):
            if name not in symbols:
                raise HostLaunchError(f"the variable '{name}' has no address", self.kernel.name)
            words[Context.SYMBOLS + index] = symbols[name]
        return words

    def _params(self, made: Translation, args: Sequence[Argument]) -> list[int]:
        """The words behind the context that hold the arguments."""
        params = self.kernel.params
        if len(args) != len(params):
            raise HostLaunchError(f"{len(args)} arguments are given; the kernel takes {len(params)}", self.kernel.name)
        found = bytearray(-(-made.params_size // 8) * 8)
        for index, (param, arg, offset) in enumerate(zip(params, args, made.params, strict=True)):
            content = self._argument(index, param, arg)
            found[offset : offset + len(content)] = content
        return list(struct.unpack(f"<{len(found) // 8}Q", found))

    def _argument(self, index: int, param: Parameter, arg: Argument) -> bytes:
        if param.is_by_value:
            if not isinstance(arg, bytes) or len(arg) != param.size:
                raise self._wrong(index, param, f"a struct of {param.size} bytes", arg)
            return arg
        if isinstance(arg, bytes):
            raise self._wrong(index, param, f"a number of type {param.type}", arg)
        if param.type.is_float:
            return struct.pack("<Q", ENCODE[param.type](float(arg)))
        if not is_integer(arg):
            raise self._wrong(index, param, f"a number of type {param.type}", arg)
        return struct.pack("<Q", int(arg) & param.type.mask)

    def _wrong(self, index: int, param: Parameter, wanted: str, arg: Argument) -> HostLaunchError:
        sentence = f"argument {index + 1} ('{param.name}') must be {wanted}, not {type(arg).__name__}"
        return HostLaunchError(sentence, self.kernel.name)
