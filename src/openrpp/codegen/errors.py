"""Errors of code generation: each names the kernel and, where known, the source line concerned."""

from __future__ import annotations

from openrpp.kir.location import Location


class CodegenError(Exception):
    """Anything that the code generators refuse."""

    def __init__(self, sentence: str, kernel: str = "", location: Location | None = None) -> None:
        self.sentence = sentence
        self.kernel = kernel
        self.location = location
        where = [str(location) if location else "", f"kernel {kernel}" if kernel else ""]
        super().__init__(": ".join(["rpp: codegen", *filter(None, where), sentence]))


class Unsupported(CodegenError):
    """An op or a shape of control flow that this code generator cannot translate."""


class HostLaunchError(CodegenError, ValueError):
    """A launch that cannot start: geometry, arguments, memory."""


class KernelStopped(CodegenError):
    """A running kernel executed a trap, a failed assertion, or met a barrier in part.

    `output` is what it had printed until then.
    """

    def __init__(self, sentence: str, kernel: str, location: Location | None, output: str) -> None:
        super().__init__(sentence, kernel, location)
        self.output = output


class ToolchainError(CodegenError):
    """llvmlite is missing, or LLVM refused what was generated."""
