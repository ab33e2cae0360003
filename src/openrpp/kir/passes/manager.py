"""Running passes one after another, with the verifier behind each."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from openrpp.kir.ir import Kernel, Module
from openrpp.kir.verify import verify_kernel

Pass = Callable[[Kernel, Module], bool]
Watch = Callable[[str, Kernel], None]


class PassManager:
    """A sequence of passes.

    `watch` is called with the name of a pass and the kernel after each pass that changed it, for dumps.
    """

    def __init__(self, passes: Sequence[Pass], watch: Watch | None = None) -> None:
        self.passes = list(passes)
        self._watch = watch

    def run(self, module: Module) -> bool:
        """All passes over all kernels; whether anything changed. A VerifyError names the pass that broke a kernel."""
        changed = False
        for kernel in module.kernels.values():
            verify_kernel(kernel, module)
            changed |= self.run_kernel(kernel, module)
        return changed

    def run_kernel(self, kernel: Kernel, module: Module) -> bool:
        """All passes over one kernel."""
        changed = False
        for each in self.passes:
            name = getattr(each, "__name__", type(each).__name__)
            if each(kernel, module):
                changed = True
                verify_kernel(kernel, module, after=name)
                if self._watch is not None:
                    self._watch(name, kernel)
        return changed
