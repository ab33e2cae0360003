"""The one module that touches llvmlite, which has no type information: versions, verification, inlining passes."""
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false

from __future__ import annotations

from functools import cache
from typing import Any

from openrpp.cuda.errors import ToolchainError

INSTALL = "pip install 'openrpp[cuda]'"


@cache
def _binding() -> Any:
    try:
        import llvmlite.binding as binding
    except ImportError as error:
        raise ToolchainError(f"llvmlite is not installed; {INSTALL} brings it") from error
    return binding


@cache
def version() -> tuple[int, int, int]:
    """The LLVM version inside llvmlite. Raises ToolchainError where llvmlite is missing."""
    major, minor, patch = _binding().llvm_version_info
    return int(major), int(minor), int(patch)
