"""CUDA source at run time, in CuPy's shape: `RawModule`, `RawKernel`.

>>> module = RawModule("__global__ void twice(float *x) { x[threadIdx.x] *= 2; }")
>>> x = np.arange(4, dtype=np.float32)
>>> module.get_function("twice")((1,), (4,), (x,))
>>> x
array([0., 2., 4., 6.], dtype=float32)
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from openrpp.codegen.card import Program as CardProgram
from openrpp.cuda.errors import CudaError, Diagnostic
from openrpp.cuda.naming import Names
from openrpp.cuda.options import Options
from openrpp.cuda.staging import Args, check, launch
from openrpp.cuda.units import Unit, build, bundled, load
from openrpp.kir.ir import Kernel
from openrpp.kir.ir import Module as IrModule
from openrpp.kir.layout import private_layout, shared_layout
from openrpp.runtime import Buffer, Card, Program, ProgramReport, Stream
from openrpp.runtime.bundle import is_bundle, write_bundle
from openrpp.runtime.compiled import EXTENDED, Form
from openrpp.runtime.operations import Extent
from openrpp.storage import Cache

if TYPE_CHECKING:
    from openrpp.kir.check import Report as CheckReport


@cache
def default_card() -> Card:
    """The card that is used where none is named: one per process, with all extensions and the native engine."""
    return Card("ae7100x", "native")


class RawModule:
    """Kernels and variables of a CUDA source.

    Args:
        code: CUDA C++ source text.
        path: a source file instead; its messages carry this path. A file of compiled programs (`.rpp`, of `save` or
            `rpp compile`) needs no compiler; options and name expressions are those that it was compiled with.
        options: compile options as nvcc and NVRTC take them (-I, -D, -std=, ...), or `openrpp.cuda.Options`.
        name_expressions: instances of templates and names in namespaces that `get_function` shall find, such as
            "scale<float>".
        name: what messages call a source text.
        card: where kernels run unless a launch says otherwise; by default `default_card()`.
        store: the cache on disk.

    Raises CompileError for source that clang refuses, UnsupportedError for CUDA that has no kernel IR at the level of
    the module (kernels that have none are refused by `get_function`), ToolchainError without a clang, OSError for a
    file that cannot be read, BundleError for a damaged file of compiled programs.

    A module's variables live in the memory of each card that its kernels ran on, once per module and card; the module
    keeps those cards alive.
    """

    def __init__(
        self,
        code: str | None = None,
        options: Sequence[str] | Options = (),
        *,
        path: str | os.PathLike[str] | None = None,
        name_expressions: Sequence[str] = (),
        name: str = "kernel.cu",
        card: Card | None = None,
        store: Cache | None = None,
    ) -> None:
        if (code is None) == (path is None):
            raise CudaError("a module has either source text (code) or a file (path)")
        given = options if isinstance(options, Options) else Options.from_flags(_listed("options", options))
        file = None if path is None else Path(path)
        self._store = store or Cache()
        if file is not None and is_bundle(file):
            unit = load(file)
        else:
            unit = build(code or "", file, name, given, _listed("name_expressions", name_expressions), self._store)
        self._unit: Unit = unit
        self._names = Names(unit.label, unit.device, unit.expressions)
        self._card = card
        self._programs: dict[Card, Program] = {}

    @property
    def warnings(self) -> tuple[Diagnostic, ...]:
        """What clang warned of."""
        return self._unit.warnings

    @property
    def kernels(self) -> tuple[str, ...]:
        """Names that `get_function` finds."""
        return self._names.kernels

    def get_function(self, name: str) -> RawKernel:
        """The kernel of a name: as in the source, an instance of a template ("scale<float>"), or a mangled symbol.

        Raises CudaError for a name that is not there or not unique, UnsupportedError for a kernel that has no kernel
        IR.
        """
        symbol = self._names.kernel(name)
        return RawKernel.of(self, self._unit.device.module.kernels[symbol], self._names.label(symbol))

    def get_global(self, name: str, dtype: Any = np.uint8, card: Card | None = None) -> Buffer:
        """A `__device__` or `__constant__` variable as a buffer of elements of a type.

        Raises CudaError for a name that is not there, LaunchError for a dtype that does not fit the variable's size.
        """
        symbol = self._names.variable(name)
        return self.on(card).variables[symbol].view(dtype)

    def save(
        self,
        path: str | os.PathLike[str],
        programs: Mapping[tuple[str, Form], CardProgram] | None = None,
        target: str = EXTENDED,
    ) -> None:
        """Write a file of compiled programs: kernel IR, and the machine code of some symbols and forms for a target.

        What it has no machine code for is compiled when it is launched; clang is not needed for that. Raises OSError.
        """
        write_bundle(path, bundled(self._unit, target, programs or {}))

    def on(self, card: Card | None = None) -> Program:
        """The module on a card: loaded, with its variables initialised, the first time that it is asked for."""
        chosen = card or self._card or default_card()
        if chosen not in self._programs:
            labels = {symbol: self._names.label(symbol) for symbol in self._unit.device.module.kernels}
            self._programs[chosen] = chosen.program(self._unit.device.module, labels, self._store)
        return self._programs[chosen]

    @property
    def ir(self) -> IrModule:
        """The kernel IR."""
        return self._unit.device.module

    @property
    def store(self) -> Cache:
        """The cache on disk."""
        return self._store

    @property
    def card(self) -> Card | None:
        """The card that was given for the module."""
        return self._card

    def __repr__(self) -> str:
        return f"RawModule({self._unit.label}: {', '.join(self.kernels)})"


class RawKernel:
    """A CUDA kernel. From source text, or by `RawModule.get_function`.

    Args:
        code: CUDA C++ source text.
        name: of the kernel.
        options, card, store: see `RawModule`.
    """

    def __init__(
        self,
        code: str,
        name: str,
        options: Sequence[str] | Options = (),
        *,
        card: Card | None = None,
        store: Cache | None = None,
    ) -> None:
        expressions = (name,) if "<" in name else ()
        module = RawModule(code, options, name_expressions=expressions, card=card, store=store)
        found = module.get_function(name)
        self.module: RawModule = module
        self.kernel: Kernel = found.kernel
        self.name: str = found.name

    @classmethod
    def of(cls, module: RawModule, kernel: Kernel, name: str) -> RawKernel:
        """A kernel of a module."""
        made = cls.__new__(cls)
        made.module, made.kernel, made.name = module, kernel, name
        return made

    def __call__(
        self,
        grid: Extent,
        block: Extent,
        args: Args,
        *,
        shared_mem: int = 0,
        stream: Stream | None = None,
        card: Card | None = None,
    ) -> ProgramReport | None:
        """Launch the kernel.

        Args:
            grid: blocks along x, y, z; missing axes are 1.
            block: threads along x, y, z.
            args: one per parameter. For a pointer: a NumPy array, which is copied to the card before and (if writeable)
                back after the launch, a buffer of the card, an address or None. For a number: a Python or NumPy number
                that fits. For a struct: bytes or a NumPy value of its size.
                For a texture object: a `Texture`.
            shared_mem: bytes of dynamic shared memory.
            stream: where to queue it, the card's own stream by default.
            card: where to run; by default that of the stream, of the buffers, of the module, then `default_card()`.

        What the kernel prints goes to standard output, and is in the report. Returns the report, or None while the
        stream is captured. Raises LaunchError before anything runs, KernelFault when the kernel is stopped,
        CodegenError where the native engine cannot translate it.

        The native engine checks no addresses: what a kernel reads and writes outside of its arrays is other memory of
        the card, or ends the process. `check` finds such accesses.
        """
        return launch(self, grid, block, args, shared_mem, stream, card)

    def check(
        self,
        grid: Extent,
        block: Extent,
        args: Args,
        checks: str = "all",
        *,
        shared_mem: int = 0,
        card: Card | None = None,
    ) -> CheckReport:
        """Run the kernel on the interpreter and find mistakes: `print(report)` shows them.

        `checks` are some of "memory", "init", "race" and "sync", separated by commas; all else is as for a launch.
        """
        return check(self, grid, block, args, checks, shared_mem, card)

    @property
    def max_threads_per_block(self) -> int:
        """The kernel's launch bound; 0 if it has none."""
        return self.kernel.max_threads

    @property
    def shared_size_bytes(self) -> int:
        """Static shared memory of a block."""
        return shared_layout(self.module.on(self.module.card).module, self.kernel).size

    @property
    def local_size_bytes(self) -> int:
        """Memory of a thread for arrays and structs."""
        return private_layout(self.kernel).size

    def __repr__(self) -> str:
        return f"RawKernel({self.name})"


def _listed(what: str, given: Sequence[str]) -> tuple[str, ...]:
    if isinstance(given, str):
        raise CudaError(f"{what} is a sequence of texts such as ({given!r},), not one text")
    return tuple(given)
