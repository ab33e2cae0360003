"""Kernel IR in the cache: what comes back is what was put in."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openrpp.cuda import RawModule, UnsupportedError, units
from openrpp.cuda.flat import flatten, restore
from openrpp.cuda.reader import DeviceModule
from openrpp.kir import Module, print_module, verify_module
from openrpp.kir.fuzz import program
from openrpp.storage import Cache


def assert_equal(module: Module) -> None:
    back = restore(flatten(module))
    verify_module(back)
    assert print_module(back) == print_module(module)


@pytest.mark.parametrize("name", ["basics", "intrinsics", "textures", "threads", "vectors"])
def test_kernels_of_cuda_survive(module: Callable[[str], DeviceModule], name: str) -> None:
    assert_equal(module(name).module)


@settings(max_examples=20)
@given(st.integers(0, 2**32))
def test_random_kernels_survive(seed: int) -> None:
    assert_equal(program(seed, 5).module)


def test_a_module_comes_from_the_cache_with_its_names_and_refusals(
    store: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = """
    __device__ __noinline__ int down(int n) { return n < 2 ? n : down(n - 1) + down(n - 2); }
    __global__ void kept_bad(int *p) { p[0] = down(p[1]); }
    template <typename T> __global__ void kept(T *p) { p[0] = 4; }
    """
    expressions = ["kept<float>"]
    first = RawModule(source, name_expressions=expressions, store=store)
    units._read.cache_clear()
    monkeypatch.setattr(units, "read", lambda *_, **__: pytest.fail("LLVM IR was read"))
    second = RawModule(source, name_expressions=expressions, store=store)
    assert first.kernels == second.kernels and second.get_function("kept<float>").name == "kept<float>"
    messages: list[str] = []
    for found in (first, second):
        with pytest.raises(UnsupportedError, match="down") as error:
            found.get_function("kept_bad")
        messages.append(str(error.value))
    assert messages[0] == messages[1]


def test_another_version_of_the_compiler_is_another_entry(store: Cache, monkeypatch: pytest.MonkeyPatch) -> None:
    code = units.compile_source("__global__ void versioned() {}", store=store)
    units._read(code, store)
    monkeypatch.setattr(units, "code_version", lambda: "another")
    monkeypatch.setattr(units, "read", lambda given, **_: seen.append(given) or DeviceModule(Module("new"), {}))
    seen: list[object] = []
    units._read.cache_clear()
    assert units._read(code, store).module.name == "new" and seen == [code]
