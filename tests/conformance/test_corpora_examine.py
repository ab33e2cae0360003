"""What becomes of the kernels of a program, and how figures are put together."""

from __future__ import annotations

from pathlib import Path

import pytest

from conformance.corpora import report
from conformance.corpora.examine import LIBRARY, MISSED, REACHED, Examined, Found, examine
from conformance.corpora.needs import VARIANTS, fingerprint
from conformance.corpora.programs import rodinia
from conformance.corpora.sources import definitions, kernels
from openrpp.cuda import ToolchainError
from openrpp.cuda.clang import find_clang
from tests.kir.kernels import kernel_of

SOURCE = r"""
namespace inner {
template <class T> struct Sum { __device__ T of(T x) { return cub::BlockReduce<T, 32>(x); } };
}
__global__ void __launch_bounds__(128) plain(float *x) { if (*x > 0) { *x = 1; } /* cub:: } */ }
__global__ void declared(float *x);
extern "C" {
template <typename T>
__global__ void direct(T *x) { x[0] = cub::thing(x[1]); }
}
__device__ float helper(float x) { return inner::Sum<float>().of(x) + "}"[0]; }
__global__ void hidden(float *x) { *x = helper(*x); }
"""


def test_definitions_are_found_in_namespaces_only() -> None:
    found = [(item.name, item.is_kernel) for item in definitions(SOURCE)]
    assert found == [("Sum", False), ("plain", True), ("direct", True), ("helper", False), ("hidden", True)]


def test_a_kernel_uses_a_library_through_what_it_calls() -> None:
    assert kernels([SOURCE], ["cub", "thrust"]) == [("plain", ""), ("direct", "cub"), ("hidden", "cub")]


def test_equal_bodies_have_one_fingerprint() -> None:
    text = "kernel @a(%x: ptr.global) {{\n^e:\n%t = tid axis={0} : i32\nstore {1}, %x\nret\n}}"
    first = fingerprint(kernel_of(text.format("x", "%t")))
    assert first == fingerprint(kernel_of(text.format("x", "%t").replace("@a", "@b").replace("%t", "%u")))
    assert first != fingerprint(kernel_of(text.format("y", "%t")))
    assert first != fingerprint(kernel_of(text.format("x", "7:i32")))


def made(name: str, base: float, body: str = "", size: int = 1, outcome: str = REACHED) -> Found:
    return Found(name, name, outcome, "", size, body or name, {**dict.fromkeys(VARIANTS, base), "median": 1.0})


def test_equal_kernels_have_one_vote() -> None:
    units = [
        Examined("a", "p", "x.cu", 1, (made("k", 1, "same"), made("l", 2, "same"), made("m", 3, size=9))),
        Examined("b", "q", "y.cu", 1, (made("m", 4, "other", size=9), made("n", 5), made("o", 6, outcome=MISSED))),
    ]
    found = report.unique(units)
    assert {corpus: [kernel.name for kernel in chosen] for corpus, chosen in found.items()} == {
        "a": ["k", "m"],
        "b": ["n"],
    }
    assert report.by_program(units, "base") == (2 + 4.5) / 2


def test_quantiles_and_shares() -> None:
    values = [4.0, 1.0, 2.0, 8.0]
    assert [report.quantile(values, percent) for percent in (10, 25, 50, 75, 90)] == [1, 1, 2, 4, 8]
    assert report.share(values, 4) == 75


@pytest.fixture
def clang() -> None:
    try:
        find_clang()
    except ToolchainError as error:
        pytest.skip(str(error))


@pytest.mark.usefixtures("clang")
def test_a_program_is_examined_file_by_file(tmp_path: Path) -> None:
    folder = tmp_path / "corpus" / "cuda" / "mixed"
    folder.mkdir(parents=True)
    (folder / "good.cu").write_text(
        "template <class T> __global__ void scale(T *x, T by) { x[blockIdx.x * blockDim.x + threadIdx.x] *= by; }\n"
        "void run(float *x, double *y) { scale << <4, 64>> >(x, 2.0f); scale<<<4, 64>>>(y, 2.0); }\n"
    )
    (folder / "library.cu").write_text(f"#include <cub/cub.cuh>\n{SOURCE}")
    (folder / "wrong.cu").write_text("__global__ void broken(float *x) { *x = missing; }\n")
    (folder / "refused.cu").write_text("__global__ void heap(int **x) { *x = (int *)malloc(4); }\n")
    (program,) = rodinia(tmp_path / "corpus")
    first = examine(program, tmp_path / "store")
    assert [unit.unit for unit in first] == ["good.cu", "library.cu", "refused.cu", "wrong.cu"]
    good, library, refused, wrong = first
    assert [(kernel.name, kernel.outcome, kernel.needs["base"]) for kernel in good.kernels] == [
        ("scale<float>", REACHED, 1.0),
        ("scale<double>", REACHED, 2.0),
    ]
    assert [(kernel.name, kernel.outcome) for kernel in library.kernels] == [
        *(("plain", MISSED), ("direct", LIBRARY), ("hidden", LIBRARY))
    ]
    assert library.stopped == "its file includes cub"
    assert [kernel.outcome for kernel in refused.kernels] == [MISSED]
    assert "missing" in wrong.stopped and [kernel.name for kernel in wrong.kernels] == ["broken"]
    again = examine(program, tmp_path / "store")
    assert again[0] == good  # the figures and the seconds of the first run
