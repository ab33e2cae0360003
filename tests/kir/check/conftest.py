"""CUDA kernels under checks: right ones, guilty ones, and right ones with a line changed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from openrpp.cuda import Cache, DeviceModule, compile_source, read
from openrpp.kir import check

KERNELS = Path(__file__).parent / "kernels"
Check = Callable[..., check.Report]


@pytest.fixture(scope="session")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., DeviceModule]:
    """The kernels of a file, with one text in it replaced by another."""
    store = Cache(tmp_path_factory.mktemp("cache"))

    @cache
    def load(name: str, old: str = "", new: str = "") -> DeviceModule:
        source = (KERNELS / f"{name}.cu").read_text()
        assert not old or source.count(old) == 1
        return read(compile_source(source.replace(old, new) if old else source, f"{name}.cu", store=store))

    return load


@pytest.fixture(scope="session")
def checked(compiled: Callable[..., DeviceModule]) -> Check:
    """`checked(file, kernel, grid, block, args)` gives the report of all checks; `change` is (old, new)."""

    def go(
        file: str,
        kernel: str,
        grid: Any,
        block: Any,
        args: Sequence[Any],
        change: tuple[str, str] = ("", ""),
        **more: Any,
    ) -> check.Report:
        found = compiled(file, *change)
        (symbol,) = found.names[kernel]
        return check.run(found.module, symbol, grid, block, args, **more)

    return go
