"""A launch with everything checked and packed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from openrpp.codegen.errors import KernelStopped
from openrpp.codegen.host import llvm, pool
from openrpp.codegen.host.context import Context
from openrpp.codegen.host.geometry import Triple
from openrpp.codegen.host.module import Translation
from openrpp.codegen.host.records import Stopped


@dataclass(frozen=True, slots=True)
class Variant:
    """Code for one set of assumptions."""

    translation: Translation
    code: llvm.Loaded
    work: pool.Work


@dataclass(frozen=True, slots=True)
class Prepared:
    """A launch that is ready to run. Made by `HostKernel.prepare`.

    `context` holds the words of `Context` and, from word `params` on, the arguments; `workers` threads run its blocks
    at most.
    """

    kernel: str
    grid: Triple
    block: Triple
    variant: Variant
    context: NDArray[np.uint64]
    params: int
    workers: int

    def __post_init__(self) -> None:
        self.settle(self.context)

    def settle(self, context: NDArray[np.uint64]) -> None:
        """Let the context, or a copy of it, point to the arguments behind it."""
        context[Context.PARAMS] = context.ctypes.data + 8 * self.params

    @property
    def scratch(self) -> int:
        """Bytes that each worker needs."""
        return int(self.context[Context.FRAME]) + self.variant.translation.frame_size

    @property
    def is_plain(self) -> bool:
        """Whether it neither prints nor has a barrier of the whole grid, so that `Replay` can take it."""
        made = self.variant.translation
        return not made.cooperative and not made.sites.prints

    def check(self, output: str = "", context: NDArray[np.uint64] | None = None) -> None:
        """Raises KernelStopped, with what was printed, if a thread has stopped the launch."""
        words = self.context if context is None else context
        state, site, block, thread = (int(word) for word in words[Context.STOP : Context.STOP + 4])
        if state == 2:
            stopped = Stopped(self.variant.translation.sites, site, block, thread)
            sentence = stopped.sentence(self.grid, self.block)
            raise KernelStopped(sentence, self.kernel, stopped.location, output)
