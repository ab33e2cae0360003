"""Finding clang, and its options."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError
from pathlib import Path

import pytest

from openrpp.cuda import clang, llvm
from openrpp.cuda.clang import find_clang, standard_library
from openrpp.cuda.compile import compile_source
from openrpp.cuda.diagnostics import parse
from openrpp.cuda.errors import CudaError, Location, ToolchainError
from openrpp.cuda.options import Options
from openrpp.cuda.reader import read
from openrpp.storage import Cache

MAJOR = llvm.version()[0]


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A machine without the wheel, with an empty PATH."""

    def missing(name: str) -> object:
        raise PackageNotFoundError(name)

    monkeypatch.setattr(clang, "distribution", missing)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("RPP_CLANG", raising=False)
    clang._find.cache_clear()  # pyright: ignore[reportPrivateUsage]
    return tmp_path


def fake(path: Path, version: str) -> Path:
    path.write_text(f"#!/bin/sh\necho 'Some clang version {version} (https://example.org)'\n")
    path.chmod(0o755)
    return path


def test_the_wheels_real_file_is_found() -> None:
    found = find_clang()
    assert found.major == MAJOR
    if found.origin == "wheel":
        assert found.path.name == f"clang-{MAJOR}" and not found.path.is_symlink()


def test_without_any_clang_one_sentence_says_what_to_do(bare: Path) -> None:
    with pytest.raises(ToolchainError) as caught:
        find_clang()
    assert str(caught.value) == (
        f"no clang {MAJOR} is found, which llvmlite needs: pip install 'openrpp[cuda]' brings it, or install "
        f"clang-{MAJOR}, or set RPP_CLANG"
    )


def test_a_distributions_clang_is_the_second_source(bare: Path) -> None:
    fake(bare / f"clang-{MAJOR}", f"{MAJOR}.1.8")
    found = find_clang()
    assert (found.origin, found.version) == ("system", f"{MAJOR}.1.8")


def test_another_major_version_is_refused(bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = fake(bare / "old-clang", "14.0.6")
    monkeypatch.setenv("RPP_CLANG", str(path))
    with pytest.raises(ToolchainError) as caught:
        find_clang()
    assert str(caught.value) == (
        f"{path} is clang 14.0.6, but llvmlite reads LLVM {MAJOR}: pip install 'openrpp[cuda]' brings two that fit, "
        f"or set RPP_CLANG to a clang {MAJOR}"
    )


def test_a_chosen_program_that_is_missing_or_no_clang(bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RPP_CLANG", "/no/such/clang")
    with pytest.raises(
        ToolchainError, match=f"^RPP_CLANG=/no/such/clang is no program; give the path of a clang {MAJOR}$"
    ):
        find_clang()
    other = bare / "other"
    other.write_text("#!/bin/sh\necho hello\n")
    other.chmod(0o755)
    monkeypatch.setenv("RPP_CLANG", str(other))
    with pytest.raises(ToolchainError, match=r"is no clang: 'other --version' says 'hello'$"):
        find_clang()


def test_the_chosen_clang_comes_first(bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake(bare / f"clang-{MAJOR}", f"{MAJOR}.1.1")
    chosen = fake(bare / "mine", f"{MAJOR}.1.2")
    monkeypatch.setenv("RPP_CLANG", str(chosen))
    assert (find_clang().path, find_clang().origin) == (chosen, "RPP_CLANG")


def test_messages_become_diagnostics() -> None:
    text = (
        "In file included from a.cu:1:\n"
        "C:/x y.cu:3:14: error: expected ';'\n"
        "a.cu:1:2: note: to match this\n"
        "a.cu:9:1: warning: odd: thing\n"
        "clang-22: error: no such file or directory: 'b.cu'\n"
        "2 errors generated.\n"
    )
    first, second, third = parse(text)
    assert first.location == Location("C:/x y.cu", 3, 14) and first.is_error and len(first.notes) == 1
    assert str(second) == "a.cu:9:1: warning: odd: thing" and not second.is_error
    assert third.location is None and third.message == "no such file or directory: 'b.cu'"


def test_options_are_spelled_as_for_nvcc() -> None:
    flags = [
        "-DA=1",
        "-D",
        "B",
        "-UC",
        "-I/inc",
        "--std=c++20",
        "-fmad=false",
        "-arch=sm_90",
        "-O3",
        "-lineinfo",
        "-use_fast_math",
    ]
    options = Options.from_flags(flags)
    assert options.macros == ("-DA=1", "-DB", "-UC") and options.include_dirs == (Path("/inc"),)
    assert (options.standard, options.contract, options.fast_math) == ("c++20", False, True)


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        (["-fmad=maybe"], "-fmad=maybe is not known; allowed: true, false"),
        (["-std=c++98"], "-std=c++98 is not known; allowed: c++11, c++14, c++17, c++20, c++23"),
        (["--use_fast_mth"], "compile option '--use_fast_mth' is not known; did you mean '--use_fast_math'?"),
        (["-D"], "compile option '-D' lacks its value"),
    ],
)
def test_options_that_are_not_known(flags: list[str], sentence: str) -> None:
    with pytest.raises(ToolchainError) as caught:
        Options.from_flags(flags)
    assert str(caught.value) == sentence


def test_a_source_is_named_like_a_file() -> None:
    with pytest.raises(CudaError, match=r"^a source is called like a file without a directory, not 'a/b.cu'$"):
        compile_source("", name="a/b.cu")


CONTRACTED = (
    'extern "C" __global__ void k(float *p) { p[0] = p[1] * p[2] + p[3]; float q = p[4] * p[5]; p[6] = q + p[7]; }'
)


@pytest.mark.parametrize(("contract", "count"), [(True, 1), (False, 0)])
def test_contraction_is_within_one_expression_and_can_be_turned_off(store: Cache, contract: bool, count: int) -> None:
    kernel = read(compile_source(CONTRACTED, options=Options(contract=contract), store=store)).module.kernels["k"]
    assert sum(instr.op.name == "fma" for instr in kernel.instructions()) == count


def test_warnings_come_with_the_code_also_from_the_cache(tmp_path: Path) -> None:
    source = "__global__ void k(int *p) {\n  p[0] = 1 / 0;\n}"
    for _ in range(2):
        (warning,) = compile_source(source, store=Cache(tmp_path)).warnings
        assert str(warning) == "kernel.cu:2:12: warning: division by zero is undefined"


@pytest.mark.parametrize("standard", ["c++14", "c++17", "c++20", "c++23"])
def test_headers_compile_in_every_language_standard(store: Cache, standard: str) -> None:
    source = "#include <cooperative_groups.h>\n#include <cuda_bf16.h>\n#include <rpp.h>\n" + CONTRACTED
    if standard == "c++14":
        source = CONTRACTED
    assert read(compile_source(source, options=Options(standard=standard), store=store)).names == {"k": ("k",)}


@pytest.mark.parametrize("library", [standard_library(find_clang()), ("-stdlib=libc++",)])
def test_device_code_compiles_with_either_cpp_library(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, library: tuple[str, ...]
) -> None:
    if find_clang().origin != "wheel":
        pytest.skip("only the wheel is sure to bring libc++")
    monkeypatch.setattr("openrpp.cuda.compile.standard_library", lambda _: library)
    source = "#include <cmath>\n#include <algorithm>\n#include <array>\n__global__ void k(double *p) {\n"
    source += "  std::array<double, 2> a{p[0], std::sqrt(p[1])};\n  p[0] = std::max(a[0], a[1]) + std::abs(p[2]);\n}"
    assert read(compile_source(source, store=Cache(tmp_path))).names == {"k": ("_Z1kPd",)}
