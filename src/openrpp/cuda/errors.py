"""What can go wrong between CUDA C++ and kernel IR. Each error is one sentence that says what would have been right."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


class CudaError(Exception):
    """Anything that the CUDA front end refuses."""


class ToolchainError(CudaError):
    """No clang that can be used, or an option that it does not take."""


@dataclass(frozen=True)
class Location:
    """A place in CUDA source; `column` is 0 where only the line is known."""

    file: str
    line: int
    column: int = 0

    def __str__(self) -> str:
        return f"{self.file}:{self.line}" + (f":{self.column}" if self.column else "")


@dataclass(frozen=True)
class Diagnostic:
    """One message of clang with the notes that belong to it; `location` is None for messages about the whole run."""

    severity: str  # 'error', 'fatal error', 'warning' or 'note'
    message: str
    location: Location | None = None
    notes: tuple[Diagnostic, ...] = ()

    @property
    def is_error(self) -> bool:
        """Whether it stopped the compilation."""
        return self.severity.endswith("error")

    def __str__(self) -> str:
        text = self.message if self.severity != "warning" else f"warning: {self.message}"
        return f"{self.location}: {text}" if self.location else text


class CompileError(CudaError):
    """Source that clang refuses. `diagnostics` holds its messages in order, each with file, line and column."""

    def __init__(self, diagnostics: Sequence[Diagnostic]) -> None:
        self.diagnostics = tuple(diagnostics)
        super().__init__("\n".join(str(found) for found in self.errors) or "clang failed without a message")

    @property
    def errors(self) -> tuple[Diagnostic, ...]:
        """The messages that are errors."""
        return tuple(found for found in self.diagnostics if found.is_error)

    def __reduce__(self) -> tuple[type[CompileError], tuple[tuple[Diagnostic, ...]]]:
        return type(self), (self.diagnostics,)


class UnsupportedError(CudaError):
    """Valid CUDA that has no kernel IR: `name` is what was used, `reason` why it cannot be had."""

    def __init__(self, name: str, reason: str, location: Location | None = None, kernel: str = "") -> None:
        self.name = name
        self.reason = reason
        self.location = location
        self.kernel = kernel
        place = f"{location}: " if location else f"kernel {kernel}: " if kernel else ""
        super().__init__(f"{place}'{name}' is not supported: {reason}")

    def __reduce__(self) -> tuple[type[UnsupportedError], tuple[str, str, Location | None, str]]:
        return type(self), (self.name, self.reason, self.location, self.kernel)
