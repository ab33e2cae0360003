"""`rpp compile`, and compiled programs where there is no clang."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from openrpp.cuda import CudaError, RawModule
from openrpp.isa.assembler import assemble
from openrpp.kir import parse_module
from openrpp.runtime import Card

from .conftest import Rpp

SOURCE = r"""
__global__ void saxpy(int n, float a, const float *x, float *y) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n)
    y[i] = a * x[i] + y[i];
}
template <typename T> __global__ void scale(T *x) { x[threadIdx.x] *= 3; }
__global__ void __launch_bounds__(96) total(const int *x, int *sum) {
  for (int i = threadIdx.x; i < 500; i += 96)
    atomicAdd(sum, x[i]);
}
"""
NO_CLANG = "/nonexistent/clang"


@pytest.fixture(scope="session")
def caches(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(autouse=True)
def sources(folder: Path, caches: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RPP_CACHE", str(caches))
    (folder / "k.cu").write_text(SOURCE)
    np.save(folder / "x.npy", np.arange(1000, dtype=np.float32))


def test_a_table_says_what_programs_take_and_whether_the_published_chip_runs_them(rpp: Rpp) -> None:
    result = rpp("compile", "k.cu", "--kernel", "saxpy", "--kernel", "total", "--block", "64")
    assert result.exit_code == 0, result.stderr
    lines = result.stdout.splitlines()
    assert lines[0].split()[:4] == ["kernel", "block", "merged", "columns"]
    rows = [line.split() for line in lines[1:5]]
    assert [row[0] for row in rows] == ["saxpy", "saxpy", "total", "total"]
    assert [row[1:6] for row in rows[:1]] == [["64", "x", "1", "x", "1"]] and rows[0][6] == "1" and int(rows[1][6]) > 1
    (answer,) = [line for line in lines if line.startswith("saxpy: published chip")]
    assert "no, because it uses " in answer and "with --target ae7100: yes (-fmad=false" in answer
    assert lines[-1] == "-> k.rpp" and Path("k.rpp").exists()


def test_json_has_the_same_in_numbers(rpp: Rpp) -> None:
    document = json.loads(rpp("compile", "k.cu", "--json", "-o", "out.rpp").stdout)
    assert document["output"] == "out.rpp" and document["target"] == "ae7100x"
    shapes = [(row["kernel"], row["block"], row["merged_blocks"] > 1) for row in document["kernels"]]
    assert shapes == [
        ("saxpy", [256, 1, 1], False), ("saxpy", [256, 1, 1], True),
        ("total", [96, 1, 1], False), ("total", [96, 1, 1], True),
    ]  # fmt: skip
    row = document["kernels"][0]
    assert row["columns"] > 5 and row["words"] > row["columns"] and "ddr" in row["extensions"]
    assert not row["published"]["runs"] and any(need["extension"] == "fma32" for need in row["published"]["missing"])
    assert document["kernels"][2]["loops"][0]["depth"] == 0


def test_the_published_chip_as_target(rpp: Rpp) -> None:
    result = rpp("compile", "k.cu", "--target", "ae7100", "--kernel", "saxpy")
    assert result.exit_code == 0, result.stderr
    assert "saxpy: published chip: yes" in result.stdout
    refused = rpp("compile", "k.cu", "--target", "ae7100", "--kernel", "total", "--json")
    assert refused.exit_code == 1
    (row,) = json.loads(refused.stdout)["kernels"]
    assert row["error"].startswith("k.cu:10: ") and "ae7100x" in row["error"]


def test_a_compiled_program_runs_on_its_target(rpp: Rpp) -> None:
    assert rpp("compile", "k.cu", "--target", "ae7100", "--kernel", "saxpy", "--block", "64").exit_code == 0
    words = ("--arg", "64", "--arg", "2", "--arg", "x=arange:float32:64:sram", "--arg", "y=ones:float32:64:sram")
    run = rpp(
        "run",
        "k.rpp",
        "--kernel",
        "saxpy",
        "--block",
        "64",
        *words,
        "--out",
        "y=y.npy",
        "--json",
        "--engine",
        "reference",
    )
    assert run.exit_code == 0, run.stderr
    assert json.loads(run.stdout)["card"] == "ae7100"
    assert np.load("y.npy").tolist() == [2 * i + 1 for i in range(64)]


def test_kernel_ir_assembly_and_columns(rpp: Rpp) -> None:
    kir = rpp("compile", "k.cu", "--kernel", "scale<float>", "--emit", "kir")
    assert list(parse_module(kir.stdout).kernels) == ["_Z5scaleIfEvPT_"]
    assert not Path("k.rpp").exists()
    asm = rpp("compile", "k.cu", "--kernel", "saxpy", "--emit", "asm", "--json")
    row = json.loads(asm.stdout)["kernels"][0]
    assert len(assemble(row["text"], "saxpy").words) == row["words"]
    assert "// k.cu:5" in row["text"]
    columns = rpp("compile", "k.cu", "--kernel", "saxpy", "--emit", "columns")
    assert "k.cu:5" in columns.stdout and "FMA.F32" in columns.stdout
    rows = json.loads(rpp("compile", "k.cu", "--kernel", "saxpy", "--emit", "columns", "--json").stdout)["kernels"]
    assert len(rows[0]["text"]) == rows[0]["columns"]
    assert any("PE" in column["units"] and column["places"] == ["k.cu:5"] for column in rows[0]["text"])


def test_a_compiled_program_runs_without_clang(rpp: Rpp, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert rpp("compile", "k.cu", "--kernel", "saxpy", "--kernel", "scale<float>", "--block", "64").exit_code == 0
    monkeypatch.setenv("RPP_CLANG", NO_CLANG)
    monkeypatch.setenv("RPP_CACHE", str(tmp_path / "empty"))
    assert NO_CLANG in rpp("run", "k.cu", "--kernel", "saxpy", "--block", "64").stderr
    words = ("--arg", "1000", "--arg", "2", "--arg", "x.npy", "--arg", "ones:float32:1000", "--out", "y=y.npy")
    for engine in ("reference", "native", "interpreter"):
        for block in (64, 100):  # one has machine code in the file, the other is compiled now
            grid = str(-(-1000 // block))
            run = ("run", "k.rpp", "--kernel", "saxpy", "--block", str(block), "--grid", grid, "--engine", engine)
            result = rpp(*run, *words)
            assert result.exit_code == 0, result.stderr
            assert np.array_equal(np.load("y.npy"), 2 * np.arange(1000, dtype=np.float32) + 1)


def test_modules_of_compiled_programs(rpp: Rpp, monkeypatch: pytest.MonkeyPatch) -> None:
    assert rpp("compile", "k.cu", "--kernel", "scale<float>", "--block", "8").exit_code == 0
    monkeypatch.setenv("RPP_CLANG", NO_CLANG)
    module = RawModule(path="k.rpp")
    x = np.arange(8, dtype=np.float32)
    module.get_function("scale<float>")(1, 8, (x,), card=Card("ae7100x", "reference"))
    assert x.tolist() == [3 * i for i in range(8)]
    with pytest.raises(CudaError, match=r"k\.cu has no kernel 'sclae<float>'"):
        module.get_function("sclae<float>")


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("k.cu", "--target", "ae9"), "--target ae9 is not known; there are ae7100 and ae7100x"),
        (("add.s",), "add.s is no CUDA source (.cu); 'rpp asm' assembles"),
        (("none.cu",), "none.cu: No such file"),
        (("k.cu", "--kernel", "saxpi"), "k.cu has no kernel 'saxpi'; did you mean 'saxpy'"),
        (("k.cu", "-o", "k.o"), "-o k.o: a compiled program is called FILE.rpp"),
        (("k.cu", "--block", "9000"), "block (9000, 1, 1) has 9000 threads; a block has 1 to 8160"),
        (("k.cu", "--kernel", "total", "--block", "97"), "97 threads; its launch bounds allow 96"),
    ],
)
def test_what_cannot_be_compiled_is_a_sentence(rpp: Rpp, words: tuple[str, ...], sentence: str) -> None:
    result = rpp("compile", *words)
    assert result.exit_code == 2 and sentence in result.stderr
    assert "Traceback" not in result.stderr and not Path("k.rpp").exists()


def test_a_file_that_is_no_program(rpp: Rpp, folder: Path) -> None:
    (folder / "no.rpp").write_text("hello")
    result = rpp("run", "no.rpp", "--block", "1")
    assert result.exit_code == 2
    assert result.stderr == "rpp: no.rpp is no compiled program, or a damaged one: File is not a zip file\n"
    rpp("compile", "k.cu", "--kernel", "saxpy")
    result = rpp("run", "k.rpp", "--block", "1", "-DN=3")
    assert "k.rpp is compiled already" in result.stderr


def test_a_kernel_that_no_sram_holds_is_refused_with_its_size(rpp: Rpp, folder: Path) -> None:
    text = "__global__ void big(int *x) { __shared__ int s[8 << 20]; s[x[0]] = 1; __syncthreads(); x[0] = s[x[1]]; }"
    (folder / "big.cu").write_text(text)
    result = rpp("compile", "big.cu")
    assert result.exit_code == 1
    assert "33,554,432 bytes of shared memory; the card's SRAM has 23,068,672" in result.stdout
