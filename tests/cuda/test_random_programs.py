"""Random C functions through clang and the reader, against the same functions compiled for this machine."""

from __future__ import annotations

import ctypes
import random
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from openrpp.cuda.clang import find_clang
from openrpp.cuda.llvm import HostCode
from openrpp.cuda.options import Options
from openrpp.cuda.reader import DeviceModule
from openrpp.kir.interp import launch

FUNCTIONS, THREADS = 8, 12
Build = Callable[..., DeviceModule]
INTS = ("u8", "i16", "i32", "u32", "i64", "u64")


class Writer:
    """Writes a function of an array of 64-bit numbers to a 64-bit number; nothing in it is undefined in C."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.lines: list[str] = []
        self.names: list[tuple[str, str]] = []
        self.depth = 1

    def line(self, text: str) -> None:
        self.lines.append("    " * self.depth + text)

    def pick(self, kind: str | None = None) -> str:
        """A variable or literal, converted to unsigned 64 bits so that arithmetic wraps."""
        if self.names and self.random.random() < 0.85:
            return f"(u64){self.random.choice(self.names)[0]}"
        return f"{self.random.choice([0, 1, 2, 7, 31, 255, 65535, 2**31, 2**40 + 3, 2**63])}ull"

    def expression(self) -> str:
        a, b, c = self.pick(), self.pick(), self.pick()
        forms = (
            f"{a} + {b}; {a} - {b}; {a} * {b}; ({a} & {b}) | {c}; ({a}) ^ ({b}); ~({a}); table[({a}) % 5] + {b};"
            f"({a}) << (({b}) & 63); ({a}) >> (({b}) & 63); (u64)((i64)({a}) >> (({b}) & 31)); (u64)(i8)({a}) * 3;"
            f"({a}) / (({b}) | 1); ({a}) % (({b}) | 1); (u64)((i64)({a}) / ((i64)(({b}) & 1023) + 1));"
            f"({a}) < ({b}) ? {c} : {a}; (u64)((i64)({a}) < (i64)({b}) ? {b} : {c}); (u64)(i32)({a}) + (u16)({b});"
            f"(u64)(unsigned)__builtin_popcountll({a}); (u64)(i64)((double)(i32)({a}) * 0.5 + (double)(u16)({b}));"
            f"(u64)(((f32)(i16)({a})) > ((f32)(i16)({b})) ? 5 : 9)"
        )
        return self.random.choice(forms.split(";")).strip()

    def declare(self) -> None:
        kind = self.random.choice(INTS)
        name = f"v{len(self.names)}"
        self.line(f"{kind} {name} = ({kind})({self.expression()});")
        self.names.append((name, kind))

    def assign(self) -> None:
        name, kind = self.random.choice(self.names)
        self.line(f"{name} = ({kind})({self.expression()});")

    def block(self, statements: int) -> None:
        known = len(self.names)
        self.depth += 1
        for _ in range(statements):
            self.statement()
        self.depth -= 1
        del self.names[known:]

    def statement(self) -> None:
        kind = self.random.random() if self.depth < 4 else self.random.random() * 0.55
        if kind < 0.2 or not self.names:
            self.declare()
        elif kind < 0.45:
            self.assign()
        elif kind < 0.55:
            self.line(f"cells[({self.pick()}) % 6] ^= {self.expression()};")
        elif kind < 0.7:
            self.line(f"if (({self.pick()}) % 3 {self.random.choice(['==', '<', '!='])} 1) {{")
            self.block(2)
            self.line("} else {")
            self.block(1)
            self.line("}")
        elif kind < 0.85:
            counter = f"k{self.depth}_{len(self.lines)}"
            self.line(f"for (unsigned {counter} = 0; {counter} < ({self.pick()}) % 7; ++{counter}) {{")
            self.block(2)
            leave = self.random.choice(["break", "continue"])
            self.line(f"    if ({self.pick()} == {self.random.randint(0, 3)}) {leave};")
            self.line("}")
        else:
            self.line(f"switch (({self.pick()}) % 5) {{")
            for case in range(self.random.randint(1, 4)):
                self.line(f"case {case}: {{")
                self.block(1)
                self.line("}")
                if self.random.random() < 0.7:
                    self.line("    break;")
            self.line("default: cells[0] += 3;")
            self.line("}")

    def function(self, name: str) -> str:
        self.line("u64 cells[6] = {x[0], 1, 2, 3, x[1], 5};")
        self.line("const u64 table[5] = {11, x[2], 13, 14, x[3]};")
        self.line("u64 v0 = x[0], v1 = x[1];")
        self.names = [("v0", "u64"), ("v1", "u64")]
        for _ in range(7):
            self.statement()
        total = " + ".join(f"(u64){found} * {k + 3}" for k, (found, _) in enumerate(self.names))
        self.line(f"return {total} + cells[0] * 7 + cells[3] + cells[5];")
        return f"DEVICE u64 {name}(const u64 *x) {{\n" + "\n".join(self.lines) + "\n}\n"


TYPEDEFS = """
typedef signed char i8; typedef unsigned char u8; typedef short i16; typedef unsigned short u16; typedef int i32;
typedef unsigned u32; typedef long long i64; typedef unsigned long long u64; typedef float f32;
"""


def program(seed: int) -> str:
    return TYPEDEFS + "".join(Writer(seed * 1000 + k).function(f"f{k}") for k in range(FUNCTIONS))


def on_host(source: str, x: np.ndarray) -> np.ndarray:
    calls = "".join(f"    out[{k}] = f{k}(x);\n" for k in range(FUNCTIONS))
    text = f"#define DEVICE static\n{source}\nvoid all(const u64 *x, u64 *out) {{\n{calls}}}\n"
    with tempfile.TemporaryDirectory() as folder:
        path, output = Path(folder, "host.c"), Path(folder, "host.ll")
        path.write_text(text)
        done = find_clang().run(["-O1", "-ffp-contract=off", "-S", "-emit-llvm", str(path), "-o", str(output)])
        assert done.returncode == 0, done.stderr
        code = HostCode(output.read_text())
    function = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p)(code.address("all"))
    out = np.zeros((len(x), FUNCTIONS), np.uint64)
    for given, row in zip(x, out, strict=True):
        function(given.ctypes.data, row.ctypes.data)
    return out


@pytest.mark.parametrize("seed", range(6))
def test_random_functions_agree_with_this_machine(build: Build, seed: int) -> None:
    source = program(seed)
    draw = np.random.default_rng(seed)
    x = draw.integers(0, 2**64, (THREADS, 4), dtype=np.uint64) >> draw.integers(0, 64, (THREADS, 4)).astype(np.uint64)
    calls = "".join(f"    o[{k}] = f{k}(x + 4 * i);\n" for k in range(FUNCTIONS))
    head = 'extern "C" __global__ void all(const u64 *x, u64 *out) {\n    int i = threadIdx.x;\n'
    kernel = f"{head}    u64 *o = out + {FUNCTIONS} * i;\n{calls}}}\n"
    device = build(f"#define DEVICE __device__\n{source}{kernel}", Options(contract=False))
    out = np.zeros((THREADS, FUNCTIONS), np.uint64)
    launch(device.module, "all", 1, THREADS, [x.copy(), out])
    wrong = np.argwhere(out != on_host(source, x))
    assert len(wrong) == 0, f"seed {seed}, functions {sorted({int(k) for _, k in wrong})}:\n{source}"
