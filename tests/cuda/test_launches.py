"""Launch brackets with blanks in them, which nvcc takes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from openrpp.cuda.compile import compile_file
from openrpp.cuda.errors import CompileError, Location
from openrpp.cuda.launches import joined
from openrpp.cuda.reader import DeviceModule, read
from openrpp.storage import Cache


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("k << < 1, 2 >> > (x);", "k <<<  1, 2 >>>  (x);"),
        ("k < << 1, 2 > >>(x);", "k <<<  1, 2 >>> (x);"),
        ("k<< <\n  g, b\n>> >(x);", "k<<< \n  g, b\n>>> (x);"),
        ("k <<<1, 2>> >(x);", "k <<<1, 2>>> (x);"),
        ("a<< <1, 2>> >(x); b<< <3, 4>> >(y);", "a<<< 1, 2>>> (x); b<<< 3, 4>>> (y);"),
    ],
)
def test_brackets_are_joined_and_columns_kept(written: str, meant: str) -> None:
    assert joined(written) == meant
    assert len(written) == len(meant)


@pytest.mark.parametrize(
    "text",
    [
        "k<<<1, 2>>>(x);",
        "std::vector<std::vector<std::vector<int>> >(3);",
        "std::cout << 1 < 2;",
        "a << <1;",
        "x = a >> b > (c);",
        "a << <b; c >> > (d);",
    ],
)
def test_everything_else_stays(text: str) -> None:
    assert joined(text) == text


KERNEL = "__global__ void k(int *x) { *x = 1; }\nvoid f(int *x) {\n"


def test_sources_and_files_may_have_them(build: Callable[..., DeviceModule], store: Cache, tmp_path: Path) -> None:
    text = KERNEL + "  k << <1, 1 >> > (x);\n}\n"
    assert set(build(text).names) == {"k"}
    path = tmp_path / "odd name.cu"
    path.write_text('#include "beside.h"\n' + text)
    (tmp_path / "beside.h").write_text("static int beside;\n")
    assert set(read(compile_file(path, store=store)).names) == {"k"}


def test_messages_still_name_the_file(store: Cache, tmp_path: Path) -> None:
    path = tmp_path / "wrong.cu"
    path.write_text(KERNEL + "  k << <1, 1 >> > (x), missing;\n}\n")
    with pytest.raises(CompileError) as caught:
        compile_file(path, store=store)
    (error,) = caught.value.errors
    assert error.location == Location(str(path), 3, 24)
    assert "'missing'" in error.message
