"""Which files a program of a corpus is made of, on small trees made up here."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from conformance.corpora.__main__ import chosen
from conformance.corpora.lists import EXTRA, HECBENCH
from conformance.corpora.programs import SAMPLES, Headers, Program, Tree, hecbench, polybench, rodinia


def tree(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return root


def units(program: Program) -> list[str]:
    return [unit.path.relative_to(program.folder).as_posix() for unit in program.units]


def include_dirs(program: Program, unit: int = 0) -> list[str]:
    root = program.folder.parents[1]
    return [folder.relative_to(root).as_posix() for folder in program.units[unit].options.include_dirs]


def test_files_that_others_include_are_no_units(tmp_path: Path) -> None:
    root = tree(
        tmp_path,
        {
            "cuda/a/main.cu": '#include "kernels/one.cu"\n# include <two.cu>\n',
            "cuda/a/kernels/one.cu": '#include "three.cu"\n',
            "cuda/a/kernels/three.cu": "",
            "cuda/a/deep/two.cu": "",
            "cuda/a/other.cu": "// #include nothing\n",
            "cuda/notes/readme.txt": "",
        },
    )
    (program,) = rodinia(root)
    assert units(program) == ["main.cu", "other.cu"]
    assert include_dirs(program) == ["cuda/a/deep"]
    assert [path.name for path in program.units[0].files] == ["main.cu", "one.cu", "two.cu", "three.cu"]
    assert all(unit.options.program for unit in program.units)


def test_the_nearest_header_of_a_name_is_taken(tmp_path: Path) -> None:
    root = tree(
        tmp_path,
        {
            "cuda/a/x/src/main.cu": '#include "util.h"\n',
            "cuda/a/x/include/util.h": "",
            "cuda/a/y/util.h": "",
        },
    )
    assert include_dirs(rodinia(root)[0]) == ["cuda/a/x/include"]


def test_shared_folders_serve_all_programs(tmp_path: Path) -> None:
    root = tree(
        tmp_path,
        {
            "CUDA/stencils/adi/adi.cu": "#include <polybench.h>\n#include <stdio.h>\n",
            "CUDA/utilities/helper.h": "",
            "common/polybench.h": '#include "helper.h"\n',
        },
    )
    (program,) = polybench(root)
    assert program.name == "adi"
    assert [folder.relative_to(root).as_posix() for folder in program.units[0].options.include_dirs] == [
        *("common", "CUDA/utilities")
    ]


def test_headers_of_cuda_samples_come_from_here(tmp_path: Path) -> None:
    root = tree(tmp_path, {"cuda/a/a.cu": '#include "helper_timer.h"\n#include <cuda_runtime.h>\n'})
    assert rodinia(root)[0].units[0].options.include_dirs == (SAMPLES,)


def test_twins_and_unique_names_are_found_outside(tmp_path: Path) -> None:
    root = tree(
        tmp_path,
        {
            "src/a-cuda/main.cu": '#include "reference.h"\n#include "rare.h"\n#include "common.h"\n',
            "src/a-omp/reference.h": "",
            "src/b-omp/reference.h": "",
            "src/b-cuda/rare.h": "",
            "src/c-cuda/common.h": "",
            "src/d-cuda/common.h": "",
        },
    )
    (program,) = hecbench(root, ("a",))
    assert include_dirs(program) == ["src/a-omp", "src/b-cuda"]  # of two `common.h`, none is this program's


def test_special_cases_are_flags_with_a_reason(tmp_path: Path) -> None:
    root = tree(tmp_path, {"src/degrid-cuda/main.cu": ""})
    (program,) = hecbench(root, ("degrid",))
    assert program.units[0].options.macros == EXTRA["hecbench", "degrid"].flags
    assert all(extra.why for extra in EXTRA.values())


def test_a_file_that_includes_itself_ends(tmp_path: Path) -> None:
    root = tree(tmp_path, {"a.cu": '#include "a.h"\n', "a.h": '#include "a.h"\n'})
    assert Tree(root, Headers.of(root)).units() == [root / "a.cu"]


def test_the_development_list_has_117_names() -> None:
    assert len(HECBENCH) == len(set(HECBENCH)) == 117


@pytest.mark.parametrize(
    ("reader", "sentence"),
    [
        (polybench, "has no folder CUDA; POLYBENCH must be a checkout of cavazos-lab/PolyBench-ACC"),
        (rodinia, "has no folder cuda; RODINIA must be a checkout of yuhc/gpu-rodinia"),
        (hecbench, "has no folder src; HECBENCH must be a checkout of zjin-lcf/HeCBench"),
    ],
)
def test_folders_that_are_no_checkout(tmp_path: Path, reader: object, sentence: str) -> None:
    assert callable(reader)
    with pytest.raises(SystemExit, match=sentence):
        reader(tmp_path)
    with pytest.raises(SystemExit, match=f"{re.escape(str(tmp_path))}/none is not a directory; give a checkout of"):
        reader(tmp_path / "none")


def test_programs_that_are_not_there(tmp_path: Path) -> None:
    root = tree(tmp_path, {"src/nw-cuda/nw.cu": ""})
    with pytest.raises(SystemExit, match=r"src has no fft-cuda, fwt-cuda$"):
        hecbench(root, ("fft", "fwt", "nw"))
    with pytest.raises(SystemExit, match="no corpus is given; at least one of --polybench, --rodinia and --hecbench"):
        chosen(None, None, None, "")
    (tmp_path / "cuda").mkdir()
    tree(tmp_path, {"cuda/bfs/bfs.cu": ""})
    with pytest.raises(SystemExit, match="no program is called lud"):
        chosen(None, tmp_path, None, "bfs,lud")
    assert [program.name for program in chosen(None, tmp_path, None, "bfs")] == ["bfs"]
