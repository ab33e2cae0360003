"""One cache for all tests of a run, kernels compiled once per file."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from openrpp.cuda.compile import compile_file, compile_source
from openrpp.cuda.options import Options
from openrpp.cuda.reader import DeviceModule, read
from openrpp.kir.interp import Memory, Result, launch
from openrpp.storage import Cache
from tests.codegen.twins import launch_twice

KERNELS = Path(__file__).parent / "kernels"
Run = Callable[..., Result]


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory) -> Cache:
    """A cache that no other run sees."""
    return Cache(tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="session")
def module(store: Cache) -> Callable[[str], DeviceModule]:
    """The kernels of a file in tests/cuda/kernels."""

    @cache
    def load(name: str) -> DeviceModule:
        return read(compile_file(KERNELS / f"{name}.cu", Options(), store))

    return load


@pytest.fixture(scope="session")
def run(module: Callable[[str], DeviceModule]) -> Run:
    """`run(file, kernel, grid, block, args)` on the scalar interpreter and the native engine, which must agree.

    `twice=False` leaves out the native engine, for what engines may do differently.
    """

    def go(
        file: str, kernel: str, grid: Any, block: Any, args: Sequence[Any], *, twice: bool = True, **more: Any
    ) -> Result:
        found = module(file)
        (symbol,) = found.names[kernel]
        return (launch_twice if twice else launch)(found.module, symbol, grid, block, args, **more)

    return go


@pytest.fixture(scope="session")
def build(store: Cache) -> Callable[..., DeviceModule]:
    """The kernels of a source text."""

    def load(source: str, options: Options | None = None, *, strict: bool = True) -> DeviceModule:
        return read(compile_source(source, options=options, store=store), strict=strict)

    return load


__all__ = ["Memory"]
