"""The cache on disk: content keys, two processes, limits, permissions."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
import threading
from pathlib import Path

import pytest

from openrpp.cuda.compile import compile_file, compile_source
from openrpp.cuda.options import Options
from openrpp.storage import Cache, default_root, digest

SOURCE = "__global__ void k(int *p) { p[threadIdx.x] = 1; }"


def test_parts_of_a_key_are_told_apart() -> None:
    assert digest("ab", "c") != digest("a", "bc")


def test_an_entry_is_made_once(tmp_path: Path) -> None:
    made: list[int] = []

    def make() -> bytes:
        made.append(1)
        return b"data"

    cache = Cache(tmp_path)
    assert [cache.fetch("kind", "key", make) for _ in range(3)] == [b"data"] * 3
    assert len(made) == 1
    assert Cache(tmp_path).read("kind", "key") == b"data"


def test_threads_that_ask_at_once_wait_for_one(tmp_path: Path) -> None:
    made: list[int] = []
    ready = threading.Barrier(4)

    def ask() -> None:
        ready.wait()
        Cache(tmp_path).fetch("kind", "key", lambda: (made.append(1), b"x" * 1000)[1])

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 1


def test_folders_and_entries_are_private(tmp_path: Path) -> None:
    cache = Cache(tmp_path / "new")
    cache.write("kind", "key", b"data")
    assert (tmp_path / "new").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "new" / "kind").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "new" / "kind" / "key").stat().st_mode & 0o077 == 0


def test_a_folder_that_others_can_write_is_not_used(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    cache.write("kind", "key", b"data")
    (tmp_path / "kind").chmod(0o777)
    assert cache.read("kind", "key") is None
    assert cache.fetch("kind", "key", lambda: b"fresh") == b"fresh"


def test_the_least_recently_used_entries_go_first(tmp_path: Path) -> None:
    cache = Cache(tmp_path, limit=350)
    for number, key in enumerate("abc"):
        cache.write("kind", key, bytes(100))
        os.utime(tmp_path / "kind" / key, (number, number))
    assert cache.read("kind", "a") is not None  # now the most recent one
    cache.write("kind", "d", bytes(100))
    assert {entry.key for entry in cache.entries()} == {"a", "c", "d"}
    assert cache.size() == 300


def test_clearing_removes_everything(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    cache.write("one", "a", b"1")
    cache.write("two", "b", b"22")
    assert [(entry.kind, entry.size) for entry in sorted(cache.entries(), key=lambda e: e.kind)] == [
        ("one", 1),
        ("two", 2),
    ]
    assert cache.clear() == 2
    assert cache.entries() == [] and cache.size() == 0


def test_an_unusable_directory_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    cache = Cache(tmp_path / "file" / "below")
    assert cache.fetch("kind", "key", lambda: b"made") == b"made"
    assert cache.entries() == []


def test_the_place_follows_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("RPP_CACHE", str(tmp_path))
    assert default_root() == tmp_path
    monkeypatch.delenv("RPP_CACHE")
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert default_root() == tmp_path / "xdg" / "openrpp"


def test_a_second_compilation_comes_from_the_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = Cache(tmp_path)
    first = compile_source(SOURCE, store=cache)
    monkeypatch.setattr("openrpp.cuda.clang.Clang.run", lambda *_: pytest.fail("clang was called"))
    assert compile_source(SOURCE, store=cache) == first


def test_content_decides_and_not_time(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    keys = {
        compile_source(SOURCE, store=cache).key,
        compile_source(SOURCE + " ", store=cache).key,
        compile_source(SOURCE, name="other.cu", store=cache).key,
        compile_source(SOURCE, options=Options(macros=("-DX=1",)), store=cache).key,
        compile_source(SOURCE, options=Options(contract=False), store=cache).key,
    }
    assert len(keys) == 5


def test_a_changed_header_is_noticed_and_an_old_one_remembered(tmp_path: Path) -> None:
    cache = Cache(tmp_path / "cache")
    header, source = tmp_path / "value with blank.h", tmp_path / "kernel.cu"
    source.write_text('#include "value with blank.h"\n__global__ void k(int *p) { p[0] = VALUE; }\n')
    header.write_text("#define VALUE 11\n")
    first = compile_file(source, store=cache)
    header.write_text("#define VALUE 22\n")
    second = compile_file(source, store=cache)
    assert "store i32 11" in first.ir and "store i32 22" in second.ir
    header.write_text("#define VALUE 11\n")
    os.utime(header)
    before = len(cache.entries())
    assert compile_file(source, store=cache) == first
    assert len(cache.entries()) == before


PROCESS = """
import sys, time
from pathlib import Path
from openrpp.cuda import clang
from openrpp.storage import Cache
from openrpp.cuda.compile import compile_source
folder, number = Path(sys.argv[1]), sys.argv[2]
run = clang.Clang.run
def counted(self, arguments, cwd=None):
    if "-emit-llvm" in arguments:
        (folder / f"ran-{number}-{time.time_ns()}").touch()
    return run(self, arguments, cwd)
clang.Clang.run = counted
clang.find_clang()
(folder / f"ready-{number}").touch()
while len(list(folder.glob("ready-*"))) < 2:
    time.sleep(0.001)
code = compile_source("__global__ void k(float *p) { p[threadIdx.x] = sinf(p[0]); }", store=Cache(folder / "cache"))
print(code.key, len(code.ir))
"""


def test_two_processes_compile_the_same_kernel_once(tmp_path: Path) -> None:
    command = [sys.executable, "-c", textwrap.dedent(PROCESS), str(tmp_path)]
    running = [subprocess.Popen([*command, str(n)], stdout=subprocess.PIPE, text=True) for n in range(2)]
    outputs = [process.communicate(timeout=60)[0] for process in running]
    assert [process.returncode for process in running] == [0, 0]
    assert outputs[0] == outputs[1] != ""
    assert len(list(tmp_path.glob("ran-*"))) == 1
