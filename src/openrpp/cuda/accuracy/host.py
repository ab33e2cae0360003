"""The device math headers compiled for this machine, as functions of NumPy arrays."""

from __future__ import annotations

import ctypes
import tempfile
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from openrpp.cuda.clang import find_clang
from openrpp.cuda.compile import INCLUDE
from openrpp.cuda.errors import ToolchainError
from openrpp.cuda.llvm import HostCode

Reals = NDArray[Any]
HEADERS: Final = ("rpp/math.h", "rpp/fast.h", "rpp/rounding.h")
TYPES: Final = {"float": np.dtype(np.float32), "double": np.dtype(np.float64)}


def loop(name: str, expression: str, kind: str, arguments: int) -> str:
    """C++ of a function that applies an expression in x, y, z to arrays."""
    names = "xyz"[:arguments]
    declared = ", ".join(f"const {kind} *{letter}_" for letter in names)
    loaded = " ".join(f"{kind} {letter} = {letter}_[i];" for letter in names)
    return (
        f'extern "C" void {name}({declared}, {kind} *out, long n) {{\n'
        f"    for (long i = 0; i < n; ++i) {{ {loaded} out[i] = {expression}; }}\n}}\n"
    )


def compiled(source: str) -> HostCode:
    """C++ that may use the headers, loaded. Raises ToolchainError where clang refuses it."""
    clang = find_clang()
    with tempfile.TemporaryDirectory(prefix="rpp-host-") as folder:
        path, output = Path(folder, "loops.cpp"), Path(folder, "loops.ll")
        path.write_text("".join(f'#include "{header}"\n' for header in HEADERS) + source)
        # -fno-strict-float-cast-overflow and no contraction, as for the device; no C library is behind it.
        flags = ["-O2", "-march=native", "-ffp-contract=off", "-fno-strict-float-cast-overflow", "-fno-builtin"]
        common = ["-x", "c++", "-std=c++17", "-nostdinc", "-I", str(INCLUDE), "-S", "-emit-llvm"]
        done = clang.run([*common, *flags, str(path), "-o", str(output)])
        if done.returncode:
            raise ToolchainError(f"the math headers do not compile for this machine: {done.stderr.strip()[:400]}")
        return HostCode(output.read_text())


class HostFunctions:
    """Expressions over arrays: `call(key, arrays)`."""

    def __init__(self, rows: Iterable[tuple[str, str, str, int]]) -> None:
        """Rows are (key, expression, 'float' or 'double', number of arguments)."""
        self._kinds: dict[str, tuple[str, str, int]] = {}
        loops: list[str] = []
        for index, (key, expression, kind, count) in enumerate(rows):
            name = f"loop_{index}"
            self._kinds[key] = (name, kind, count)
            loops.append(loop(name, expression, kind, count))
        self._code = compiled("".join(loops))

    def call(self, key: str, *arrays: Reals) -> Reals:
        """The results for arrays of one shape, converted to the function's type."""
        name, kind, count = self._kinds[key]
        given = [np.ascontiguousarray(array, TYPES[kind]) for array in arrays]
        out = np.empty_like(given[0])
        types = [ctypes.c_void_p] * (count + 1) + [ctypes.c_long]
        function = ctypes.CFUNCTYPE(None, *types)(self._code.address(name))
        function(*(array.ctypes.data for array in given), out.ctypes.data, out.size)
        return out


@cache
def host_functions(rows: tuple[tuple[str, str, str, int], ...]) -> HostFunctions:
    """One compilation per process for a set of rows."""
    return HostFunctions(rows)
