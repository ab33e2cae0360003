"""The library's kernels as kernel IR: shipped with the wheel, compiled from source where the sources are at work."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Final

from openrpp.kir.ir import Module
from openrpp.kir.parser import parse_module

SOURCES: Final = Path(__file__).with_name("cuda")
SHIPPED: Final = Path(__file__).with_name("kir")
"""Kernel IR that the build of the wheel makes of the sources; not in the repository."""


@lru_cache
def module(source: str) -> Module:
    """All kernels of the source `cuda/NAME.cu`.

    Products and sums are rounded by themselves, as the published chip does it, except where a kernel says `fmaf`.

    Raises KeyError for an unknown source, CudaError where it has to be compiled and cannot be.
    """
    shipped = SHIPPED / f"{source}.kir"
    if shipped.is_file():
        return parse_module(shipped.read_text(encoding="utf-8"))
    path = SOURCES / f"{source}.cu"
    if not path.is_file():
        raise KeyError(f"the kernel library has no source {source}")
    return compiled(path)


def compiled(path: Path) -> Module:
    """A source of the library compiled by clang (extra `openrpp[cuda]`). Raises CudaError."""
    from openrpp.cuda import compile_file, read
    from openrpp.cuda.options import Options

    return read(compile_file(path, Options(contract=False))).module


def names() -> list[str]:
    """All sources, in order."""
    return sorted(
        {path.stem for folder, end in ((SOURCES, "cu"), (SHIPPED, "kir")) for path in folder.glob(f"*.{end}")}
    )
