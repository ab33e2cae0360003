"""The library's kernels as kernel IR: shipped with the wheel, compiled from source where the sources are at work.

A kernel is called "source/symbol" and is a module of its own, since reading the text of a whole source takes longer
than most programs have kernels for.
"""

from __future__ import annotations

import os
from functools import lru_cache
from pathlib import Path
from typing import Final

from openrpp.kir.ir import Module
from openrpp.kir.parser import parse_module
from openrpp.kir.passes.extract import extracted
from openrpp.kir.printer import print_module
from openrpp.storage import Cache, digest

SOURCES: Final = Path(__file__).with_name("cuda")
SHIPPED: Final = Path(__file__).with_name("kir")
"""Kernel IR that the build of the wheel makes of the sources, a folder for each; not in the repository."""
_MAKERS: Final = ("kir", "cuda/reader")
_PACKAGE: Final = Path(__file__).parents[1]


@lru_cache(maxsize=512)
def kernel(name: str) -> Module:
    """A kernel "source/symbol" in a module of its own.

    Products and sums are rounded by themselves, as the published chip does it, except where a kernel says `fmaf`.

    Raises KeyError for a kernel that the library does not have, CudaError where it has to be compiled and cannot be.
    """
    source, _, symbol = name.partition("/")
    shipped = SHIPPED / source / f"{symbol}.kir"
    if shipped.is_file():
        return parse_module(shipped.read_text(encoding="utf-8"))
    if not (SOURCES / f"{source}.cu").is_file():
        raise KeyError(f"the kernel library has no source {source}")
    return _cached(source, symbol)


@lru_cache
def compiled(source: str) -> Module:
    """All kernels of the source `cuda/NAME.cu`, compiled by clang (extra `openrpp[cuda]`). Raises CudaError."""
    from openrpp.cuda import compile_file, read
    from openrpp.cuda.options import Options

    return read(compile_file(SOURCES / f"{source}.cu", Options(contract=False))).module


def texts(source: str) -> dict[str, str]:
    """Symbol -> text of its module, of all kernels of a source. Raises CudaError."""
    module = compiled(source)
    return {symbol: print_module(extracted(module, symbol)) for symbol in module.kernels}


def names() -> list[str]:
    """All sources, in order."""
    return sorted(path.stem for path in SOURCES.glob("*.cu"))


def _cached(source: str, symbol: str) -> Module:
    store, version = Cache(), _version(source)

    def make() -> bytes:
        for other, text in found.items():
            if other != symbol:
                store.write("kernels", digest(version, other), text.encode())
        return found[symbol].encode()

    text = store.read("kernels", digest(version, symbol))
    if text is None:
        found = texts(source)
        if symbol not in found:
            raise KeyError(f"the kernel library has no kernel {source}/{symbol}; there are {', '.join(found)}")
        text = store.fetch("kernels", digest(version, symbol), make)
    return parse_module(text.decode("utf-8"))


def _version(source: str) -> str:
    """A digest of what the text of a source's kernels depends on: all sources, since they include each other."""
    parts = [source, *(path.read_text(encoding="utf-8") for path in sorted(SOURCES.iterdir()) if path.is_file())]
    places = [path for name in _MAKERS for path in sorted((_PACKAGE / name).rglob("*.py"))]
    places += sorted((_PACKAGE / "cuda" / "include").rglob("*.h*"))
    for path in places:
        status = os.stat(path)
        parts.append(f"{path} {status.st_size} {status.st_mtime_ns}")
    return digest(*parts)
