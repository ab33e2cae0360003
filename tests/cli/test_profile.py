"""`rpp profile`: tables by source line, pictures of the ring, errors."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest

from .conftest import Rpp

SOURCE = r"""
__device__ float twice(float x) { return 2 * x; }
__global__ void saxpy(int n, float a, const float *x, float *y) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n)
    y[i] = a * twice(x[i]) + y[i];
}
__global__ void halve(int *x) {
  int v = x[threadIdx.x];
  while (v > 1)
    v /= 2;
  x[threadIdx.x] = v;
}
"""
SAXPY = ("profile", "k.cu", "--kernel", "saxpy", "--grid", "40", "--block", "64", "--arg", "2500", "--arg", "2")
ARRAYS = ("--arg", "x=zeros:float32:2560", "--arg", "y=ones:float32:2560")


@pytest.fixture(scope="session")
def caches(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(autouse=True)
def sources(folder: Path, caches: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RPP_CACHE", str(caches))
    (folder / "k.cu").write_text(SOURCE)


def _json(rpp: Rpp, *words: str) -> dict[str, Any]:
    result = rpp(*words, "--json")
    assert result.exit_code == 0, result.stderr
    return json.loads(result.stdout)


def test_lines_add_up_to_the_kernel(rpp: Rpp) -> None:
    found = _json(rpp, *SAXPY, *ARRAYS)
    assert (found["kernel"], found["engine"], found["merged_blocks"] > 1) == ("saxpy", "none", True)
    lines = {row["source"]: row for row in found["lines"]}
    assert {"k.cu:4", "k.cu:5", "k.cu:6"} <= set(lines)
    assert sum(row["cycles"] for row in found["lines"]) == pytest.approx(found["cycles"]["nominal"])
    assert sum(row["share"] for row in found["lines"]) == pytest.approx(1)
    assert sum(row["executed"] for row in found["lines"]) == found["columns"]
    assert lines["k.cu:6"]["ddr_bytes"] >= 3 * 4 * 2500 and lines["k.cu:4"]["ddr_bytes"] == 0
    assert 0 < sum(row["ring"] for row in found["lines"]) <= 1
    assert all(row["lanes"] <= row["ring"] + 1e-9 for row in found["lines"])


def test_walked_and_run_give_the_same(rpp: Rpp) -> None:
    walked, run = _json(rpp, *SAXPY, *ARRAYS), _json(rpp, *SAXPY, *ARRAYS, "--engine", "reference")
    assert run.pop("engine") == "reference" and walked.pop("engine") == "none"
    assert walked["lines"] == run["lines"]


def test_a_table_and_the_ring(rpp: Rpp, folder: Path) -> None:
    result = rpp(*SAXPY, *ARRAYS, "--svg", "ring.svg")
    assert result.exit_code == 0, result.stderr
    assert "y[i] = a * twice(x[i]) + y[i];" in result.stdout
    rows = [line for line in result.stdout.splitlines() if line[:4].strip().isdigit() and line.endswith("|")]
    assert len(rows) == 32 and any("A" in row for row in rows)
    root = ElementTree.parse(folder / "ring.svg").getroot()
    titles = [node.text or "" for node in root.iter("{http://www.w3.org/2000/svg}title")]
    assert any(title.startswith("k.cu:6, word ") for title in titles)


def test_control_that_depends_on_data_is_run(rpp: Rpp) -> None:
    np.save("x.npy", np.array([1, 2, 7, 100], np.int32))
    found = _json(rpp, "profile", "k.cu", "--kernel", "halve", "--block", "4", "--arg", "x=x.npy")
    assert found["engine"] == "reference"
    loop = next(row for row in found["lines"] if row["source"] == "k.cu:11")
    assert loop["executed"] >= 6 and loop["spent_on"]


def test_programs_in_machine_code(rpp: Rpp) -> None:
    words = ("add.s", "--block", "64", "--in", "src=a.npy", "--out", "dst=b.npy:uint16:1024", "--param", "n=3")
    found = _json(rpp, "profile", *words)
    assert all(row["source"].startswith("add.s:") for row in found["lines"] if row["executed"])
    assert sum(row["cycles"] for row in found["lines"]) == pytest.approx(found["cycles"]["nominal"])
    assert "LOADCONT" in rpp("profile", *words).stdout or "STORECONT" in rpp("profile", *words).stdout


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ((*SAXPY, *ARRAYS, "--engine", "native"), "--engine native: a profile is of machine code"),
        ((*SAXPY, *ARRAYS, "--check", "all"), "--check is for 'rpp run'"),
        ((*SAXPY, *ARRAYS, "--order", "warp"), "--order is for programs in machine code"),
        ((*SAXPY, *ARRAYS, "--svg", "no/ring.svg"), "no/ring.svg"),
        (("profile", "add.s", "--block", "64", "--shared", "4"), "--shared is for CUDA sources"),
        ((*SAXPY, *ARRAYS, "--arch", "ae7100"), "a profile takes buffers in SRAM on ae7100"),
    ],
)
def test_what_cannot_be_profiled_is_a_sentence(rpp: Rpp, words: tuple[str, ...], sentence: str) -> None:
    result = rpp(*words)
    assert result.exit_code == 2 and sentence in result.stderr and "Traceback" not in result.stderr
