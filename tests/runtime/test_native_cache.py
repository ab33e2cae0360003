"""Compiled kernels on disk: made once, by one process, and found by content."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from openrpp.codegen.host import llvm
from openrpp.kir import parse_module
from openrpp.runtime import Card
from openrpp.runtime.native import host_kernel
from openrpp.storage import Cache

from .test_native import TEXT

BLOCK = (96, 1, 1)


def launched(store: Cache, text: str = TEXT, threads: int = 96) -> int:
    """A launch on a new card; how many objects the cache holds then."""
    card = Card(engine="native")
    x = card.array(np.zeros(threads, np.uint16))
    card.program(parse_module(text), store=store)["grow"](1, threads, x, x)
    assert x.numpy().tolist() == [5] * threads
    return sum(entry.kind == "object" for entry in store.entries())


def test_an_object_is_made_once_and_found_by_content(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = Cache(tmp_path)
    assert launched(store) == 1
    assert launched(store, threads=64) == 2  # another block shape is other code
    monkeypatch.setattr(llvm, "optimised", lambda *_: pytest.fail("LLVM was called"))
    host_kernel.cache_clear()
    assert launched(Cache(tmp_path)) == 2


def test_a_kernel_is_compiled_once_in_a_process(tmp_path: Path) -> None:
    module, store = parse_module(TEXT), Cache(tmp_path)
    assert host_kernel(module, "grow", BLOCK, store) is host_kernel(module, "grow", BLOCK, Cache(tmp_path))


def test_without_a_usable_cache_kernels_still_run(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert launched(Cache(tmp_path / "file" / "below")) == 0


PROCESS = """
import sys, time
from pathlib import Path
from openrpp.codegen.host import llvm
from tests.runtime.test_native_cache import Cache, launched
folder, number = Path(sys.argv[1]), sys.argv[2]
optimised = llvm.optimised
def counted(text, tier):
    (folder / f"made-{number}-{time.time_ns()}").touch()
    return optimised(text, tier)
llvm.optimised = counted
(folder / f"ready-{number}").touch()
while len(list(folder.glob("ready-*"))) < 2:
    time.sleep(0.001)
print(launched(Cache(folder / "cache")))
"""


def test_two_processes_make_the_same_object_once(tmp_path: Path) -> None:
    root = Path(__file__).parents[2]
    command = [sys.executable, "-c", PROCESS, str(tmp_path)]
    running = [subprocess.Popen([*command, str(n)], stdout=subprocess.PIPE, text=True, cwd=root) for n in range(2)]
    outputs = [process.communicate(timeout=120)[0] for process in running]
    assert ([process.returncode for process in running], outputs) == ([0, 0], ["1\n", "1\n"])
    assert len(list(tmp_path.glob("made-*"))) == 1
