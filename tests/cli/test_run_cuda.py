"""`rpp run kernel.cu`: arguments, outputs, options, errors, interrupts."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from openrpp.cli.arrays import from_bf16, to_bf16
from openrpp.cli.kernel_args import kernel_arg

from .conftest import Rpp

SOURCE = r"""
#include "factor.h"
struct Point { float x; int y; };
__global__ void saxpy(int n, float a, const float *x, float *y) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) y[i] = a * x[i] + y[i];
}
template <typename T> __global__ void scale(T *x) { x[threadIdx.x] *= FACTOR; }
__global__ void greet(bool loud) { printf("hello %d%s", threadIdx.x, loud ? "!\n" : "\n"); }
__global__ void take(Point p, float *out) { out[0] = p.x + p.y; }
__global__ void linked(int **table, int *x) { table[0][threadIdx.x] = x[threadIdx.x] + 1; }
__global__ void round_up(unsigned short *x) { x[threadIdx.x] += 0x80; }
__global__ void demand(int n) { printf("asked for %d\n", n); assert(n < 3); }
__global__ void spin(volatile int *p) { while (1) *p = 1; }
__global__ void wild(int *p) { p[threadIdx.x] = 1; }
__global__ void part(int *out) {
  extern __shared__ int room[];
  room[threadIdx.x] = 7;
  out[threadIdx.x] = room[threadIdx.x];
}
"""


@pytest.fixture(scope="session")
def caches(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(autouse=True)
def sources(folder: Path, caches: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """k.cu with its header in a folder, x.npy, and a cache of this run's own."""
    monkeypatch.setenv("RPP_CACHE", str(caches))
    (folder / "k.cu").write_text(SOURCE)
    (folder / "include").mkdir()
    (folder / "include" / "factor.h").write_text("#ifndef FACTOR\n#define FACTOR 3\n#endif\n")
    np.save(folder / "x.npy", np.arange(1000, dtype=np.float32))


RUN = ("run", "k.cu", "-I", "include")
SAXPY = (*RUN, "--kernel", "saxpy", "--grid", "4", "--block", "256")


def test_arguments_in_order_and_an_output(rpp: Rpp) -> None:
    result = rpp(
        *SAXPY, "--arg", "1000", "--arg", "2.5f", "--arg", "x.npy", "--arg", "ones:float32:1000", "--out", "y=y.npy"
    )
    assert result.exit_code == 0, result.stderr
    assert np.array_equal(np.load("y.npy"), 2.5 * np.arange(1000, dtype=np.float32) + 1)
    lines = result.stdout.splitlines()
    assert lines[0] == "kernel saxpy"
    assert re.fullmatch(r" card time +[\d.]+ / [\d.]+ / [\d.]+ ns \(low / nominal / high\), [\d /]+ cycles", lines[3])
    assert " y -> y.npy (float32, 1000)" in lines
    assert lines[-1].startswith(" host time ")
    assert lines[-1].endswith(" to run (native engine on this computer; not card time)")
    assert result.stderr == ""


def test_arguments_by_name_as_for_programs_in_machine_code(rpp: Rpp) -> None:
    result = rpp(*SAXPY, "--param", "a=2", "--in", "x=x.npy", "--out", "y=y.npy:float32:10x100", "--arg", "1000")
    assert result.exit_code == 0, result.stderr
    assert np.array_equal(np.load("y.npy"), 2 * np.arange(1000, dtype=np.float32).reshape(10, 100))


def test_names_of_arrays_may_differ_from_those_of_parameters(rpp: Rpp) -> None:
    words = (
        "--arg",
        "1000",
        "--arg",
        "1",
        "--arg",
        "in=x.npy",
        "--arg",
        "res=zeros:float32:1000",
        "--out",
        "res=r.npy",
    )
    assert rpp(*SAXPY, *words).exit_code == 0
    assert np.array_equal(np.load("r.npy"), np.load("x.npy"))


def test_json_is_one_document(rpp: Rpp) -> None:
    result = rpp(*RUN, "--kernel", "greet", "--block", "2", "--arg", "true", "--json")
    document = json.loads(result.stdout)
    assert document["report"]["output"] == "hello 0!\nhello 1!\n"
    seconds = document["report"]["seconds"]
    assert 0 < seconds["low"] <= seconds["nominal"] <= seconds["high"] and not document["report"]["seconds_note"]
    assert document["report"]["host_seconds"] > 0 and document["report"]["compile_host_seconds"] > 0
    assert (document["engine"], document["card"], document["outputs"]) == ("native", "ae7100x", [])


@pytest.mark.parametrize("engine", ["native", "reference", "interpreter"])
def test_what_the_kernel_prints_comes_first(rpp: Rpp, engine: str) -> None:
    result = rpp(*RUN, "--kernel", "greet", "--block", "2", "--arg", "false", "--engine", engine)
    assert result.stdout.startswith("hello 0\nhello 1\nkernel greet\n")
    assert f"({engine} engine on this computer" in result.stdout


def test_card_time_is_left_out_on_request(rpp: Rpp) -> None:
    result = rpp(*RUN, "--kernel", "greet", "--block", "2", "--arg", "true", "--json", "--no-time")
    report = json.loads(result.stdout)["report"]
    assert report["seconds"] is None and report["seconds_note"] == "not asked for (--no-time)"
    program = rpp("run", "add.s", "--block", "2", "--no-time")
    assert program.exit_code == 2 and "is for CUDA sources" in program.stderr


def test_instances_macros_and_standards(rpp: Rpp) -> None:
    words = ("--block", "4", "--arg", "x=arange:int16:4", "--out", "x.npy")
    assert rpp(*RUN, "--kernel", "scale<short>", *words).exit_code == 0
    assert np.load("x.npy").tolist() == [0, 3, 6, 9]
    result = rpp(*RUN, "--kernel", "scale<short>", "-DFACTOR=5", "-std=c++20", *words)
    assert result.exit_code == 0, result.stderr
    assert np.load("x.npy").tolist() == [0, 5, 10, 15]
    assert "-std=c++98 is not known" in rpp(*RUN, "-std", "c++98", "--kernel", "scale<short>", *words).stderr


def test_structs_addresses_and_bf16(rpp: Rpp, folder: Path) -> None:
    result = rpp(
        *RUN, "--kernel", "take", "--block", "1", "--arg", "bytes:0000c03f05000000", "--out", "out=o.npy:float32:1"
    )
    assert result.exit_code == 0, result.stderr
    assert np.load("o.npy").tolist() == [6.5]
    values = np.array([1.0, -2.5], np.float32)
    np.save("b.npy", values)
    assert rpp(*RUN, "--kernel", "round_up", "--block", "2", "--arg", "x=b.npy:bf16", "--out", "x=c.npy").exit_code == 0
    assert np.array_equal(np.load("c.npy"), from_bf16(to_bf16(values) + np.uint16(0x80)))
    result = rpp(*RUN, "--kernel", "part", "--block", "2", "--shared", "8", "--out", "out=p.npy:int32:2")
    assert result.exit_code == 0 and np.load("p.npy").tolist() == [7, 7]


def test_a_reference_passes_the_address_of_an_array(rpp: Rpp) -> None:
    words = ("--arg", "1", "--arg", "1", "--arg", "@y+4", "--arg", "y=arange:float32:4", "--out", "y=r.npy")
    result = rpp(*RUN, "--kernel", "saxpy", "--block", "1", *words)
    assert result.exit_code == 0, result.stderr
    assert np.load("r.npy").tolist() == [1, 1, 2, 3]


def test_checks_report_what_is_wrong(rpp: Rpp) -> None:
    words = ("--arg", "1002", "--arg", "1", "--arg", "x.npy", "--out", "y=y.npy:float32:1002")
    result = rpp(*SAXPY, *words, "--check", "memory,init")
    assert result.exit_code == 1
    assert "k.cu:6" in result.stdout and "argument 'x'" in result.stdout and "argument 'y'" in result.stdout
    document = json.loads(rpp(*SAXPY, *words, "--check", "memory", "--json").stdout)
    assert {item["kind"] for item in document["check"]["findings"]} == {"out-of-bounds"}
    clean = rpp(*RUN, "--kernel", "greet", "--block", "2", "--arg", "true", "--check", "all")
    assert clean.exit_code == 0, clean.stdout + clean.stderr


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((), "has saxpy, .*; choose one with --kernel"),
        (("--kernel", "saxpi"), "no kernel 'saxpi'; did you mean 'saxpy'"),
        (("--kernel", "scale"), "no kernel 'scale'"),
        (("--kernel", "saxpy", "--arg", "3"), r"takes 4 arguments \(n, a, x, y\), 1 given; no value for a, x, y"),
        (("--kernel", "greet", "--arg", "1", "--arg", "2"), r"takes 1 arguments \(loud\), 2 given"),
        (("--kernel", "greet", "--arg", "loud=1", "--param", "loud=1"), "loud is given twice"),
        (("--kernel", "greet", "--arg", "1.5"), r"argument 1 \(loud: .*1.5 is a float"),
        (("--kernel", "greet", "--arg", "300"), "300 does not fit"),
        (("--kernel", "greet", "--arg", "zeros:int32:4"), "an array is given for a number"),
        (("--kernel", "greet", "--arg", "zeros:int23:4"), "did you mean 'int32'"),
        (("--kernel", "greet", "--arg", "zeros:int32"), "a shape follows"),
        (("--kernel", "greet", "--arg", "what"), "neither a number, a .npy file"),
        (("--kernel", "part", "--arg", "@z"), "@z: no array has that name"),
        (("--kernel", "part", "--arg", "zeros:int32:4", "--out", "oit=p.npy"), "did you mean 'out'"),
        (("--kernel", "part", "--arg", "none.npy"), "none.npy: No such file"),
        (("--kernel", "part", "--arg", "null", "--tail", "3"), "--tail is for programs in machine code"),
        (("--kernel", "part", "--arg", "null", "--grid", "1,70000"), "axis y must be 1 to 65535"),
        (("--kernel", "part", "--arg", "null", "--check", "order"), "order"),
        (("--kernel", "part", "--arg", "null", "--engine", "fast"), "engine 'fast' is not known"),
    ],
)
def test_wrong_input_is_one_sentence(rpp: Rpp, words: tuple[str, ...], message: str) -> None:
    result = rpp(*RUN, "--block", "1", *words)
    assert result.exit_code == 2, result.stdout + result.stderr
    assert result.stdout == ""
    assert result.stderr.startswith("rpp: ") and len(result.stderr.splitlines()) == 1
    assert re.search(message, result.stderr), result.stderr


def test_options_of_cuda_are_refused_for_programs(rpp: Rpp) -> None:
    result = rpp("run", "add.s", "--block", "64", "--arg", "1")
    assert result.exit_code == 2 and "--arg is for CUDA sources" in result.stderr


def test_what_clang_refuses_is_shown_with_its_place(rpp: Rpp, folder: Path) -> None:
    (folder / "bad.cu").write_text("__global__ void k(int *p) {\n  p[0] = q;\n  r = 1;\n}\n")
    result = rpp("run", "bad.cu", "--block", "1")
    assert result.exit_code == 2
    assert result.stderr.splitlines() == [
        "rpp: cuda: bad.cu:2:10: use of undeclared identifier 'q'",
        "rpp: cuda: bad.cu:3:3: use of undeclared identifier 'r'",
    ]
    (folder / "warn.cu").write_text("__global__ void k(int *p) {\n  int unused = 1 / 0;\n  p[0] = 1;\n}\n")
    result = rpp("run", "warn.cu", "--block", "1", "--arg", "zeros:int32:1")
    assert result.exit_code == 0 and "warn.cu:2:18: warning: division by zero" in result.stderr


def test_kernels_of_whole_programs_run_without_their_main(rpp: Rpp, folder: Path) -> None:
    text = """
    #define SIZE 100
    __global__ void twice(float *x) { x[threadIdx.x] *= 2; }
    int main(int argc, char **argv) {
      float *x = (float *)malloc(SIZE * sizeof(float));
      twice<<<(size_t)ceil((float)SIZE / 32.0f), 32>>>(x);
      printf("%f\\n", x[0]);
    }
    """
    (folder / "prog.cu").write_text(text)
    result = rpp("run", "prog.cu", "--block", "4", "--arg", "x=arange:float32:4", "--out", "x=x2.npy")
    assert result.exit_code == 0, result.stderr
    assert np.load("x2.npy").tolist() == [0, 2, 4, 6]


def test_unsupported_features_are_named(rpp: Rpp, folder: Path) -> None:
    (folder / "heap.cu").write_text("__global__ void k(int **p) {\n  p[0] = (int *)malloc(4);\n}\n")
    result = rpp("run", "heap.cu", "--block", "1", "--arg", "null")
    assert result.exit_code == 2 and "heap.cu:2" in result.stderr and "malloc" in result.stderr


def test_a_missing_clang_is_a_sentence(rpp: Rpp, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RPP_CLANG", "no-such-clang")
    result = rpp(*RUN, "--block", "1", "-DUNIQUE")
    assert result.exit_code == 2 and result.stderr.startswith("rpp: cuda: RPP_CLANG=no-such-clang is no program")


def test_a_missing_llvmlite_is_a_sentence(folder: Path) -> None:
    program = "import sys; sys.modules['llvmlite'] = None; from openrpp.cli.main import app; app(sys.argv[1:])"
    words = [*RUN, "--kernel", "greet", "--block", "1", "--arg", "1"]
    done = subprocess.run([sys.executable, "-c", program, *words], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert "llvmlite is not installed; pip install 'openrpp[cuda]' brings it" in done.stderr


def test_a_failed_assertion_ends_with_place_and_output(rpp: Rpp) -> None:
    result = rpp(*RUN, "--kernel", "demand", "--block", "1", "--arg", "5")
    assert (result.exit_code, result.stdout) == (1, "asked for 5\n")
    assert "rpp: fault: k.cu:13: kernel demand: block (0, 0, 0), thread (0, 0, 0): assertion" in result.stderr


def _started(*words: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "openrpp.cli", *RUN, *words]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_an_interrupt_ends_a_kernel_that_never_ends(caches: Path) -> None:
    process = _started("--kernel", "spin", "--block", "64", "--grid", "8", "--arg", "zeros:int32:1")
    for _ in range(600):
        if any(caches.glob("object/*")) and _threads(process.pid) > 2:
            break
        time.sleep(0.05)
    time.sleep(1)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert (process.returncode, out, err.strip()) == (130, "", "rpp: interrupted")


def _threads(pid: int) -> int:
    tasks = Path(f"/proc/{pid}/task")
    return len(list(tasks.iterdir())) if tasks.is_dir() else 3


def test_an_access_outside_of_the_card_is_a_sentence() -> None:
    process = _started("--kernel", "wild", "--block", "4", "--arg", "null")
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (1, "")
    assert err.startswith("rpp: fault: kernel wild accessed an address outside of the card's memory")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("3", 3), ("-0x10", -16), ("2.5f", 2.5), ("2f", 2.0), ("1e-3", 1e-3), ("true", True), ("null", None),
        ("n=7", 7), ("bf16:1.0", 0x3F80), ("bytes:01ff", b"\x01\xff"),
    ],
)  # fmt: skip
def test_values_of_arguments(text: str, value: object) -> None:
    found = kernel_arg(text)
    assert found.value == value and type(found.value) is type(value)
    assert found.name == ("n" if text.startswith("n=") else "")


@pytest.mark.parametrize(
    ("shape", "sentence"), [("99999999999x99999999999", "no card holds so many"), ("900000000000", "memory")]
)
def test_arrays_that_nothing_can_hold(rpp: Rpp, shape: str, sentence: str) -> None:
    result = rpp(*RUN, "--kernel", "scale<short>", "--block", "4", "--arg", f"x=zeros:int16:{shape}")
    assert (result.exit_code, sentence in result.stderr, "Traceback" in result.stderr) == (2, True, False)
