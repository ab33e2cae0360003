"""Random kernels full of dots, and values of all kinds for them."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from openrpp.codegen import host
from openrpp.codegen.host.geometry import Triple
from openrpp.kir import Module, parse_module
from openrpp.kir.interp import launch
from tests.codegen.support import Arena
from tests.codegen.twins import differences

NAME = "dots"
Words = NDArray[np.uint32]

_EDGES = (0x2400, 0x23FF, 0x2401, 0x5EFF, 0x5F00, 0x5F01, 0x0000, 0x0001, 0x007F, 0x0080, 0x7F7F, 0x7F80, 0x7FC0)


def halves(rng: np.random.Generator, kind: str, count: int) -> NDArray[np.uint16]:
    """Bits of bf16 values: "plain" ones, all that are "safe" on tiles, those at the "edge", or "wild" ones."""
    sign = rng.integers(0, 2, count, np.uint16) << 15
    if kind == "plain":
        return (rng.standard_normal(count).astype(np.float32).view(np.uint32) >> 16).astype(np.uint16)
    if kind == "safe":
        found = rng.integers(0x2400, 0x5F00, count, np.uint16)
        found[rng.random(count) < 0.2] = 0
    elif kind == "edge":
        found = rng.integers(0x2400, 0x5F00, count, np.uint16)
        at = rng.integers(0, count, max(1, count // 200))
        found[at] = rng.choice(np.asarray(_EDGES, np.uint16), at.size)
    else:
        found = rng.integers(0, 1 << 15, count, np.uint16)
        at = rng.random(count) < 0.3
        found[at] = rng.choice(np.asarray(_EDGES, np.uint16), int(at.sum()))
    return np.asarray(found | sign, np.uint16)


def sums(rng: np.random.Generator, kind: str, count: int) -> Words:
    """Bits of float32 values to start from, of the same kinds."""
    found = rng.standard_normal(count).astype(np.float32).view(np.uint32)
    if kind == "safe":
        found = rng.integers(0x0C00_0000, 0x7F80_0000, count, np.uint32)
    elif kind in ("edge", "wild"):
        few = rng.random(count) < (0.002 if kind == "edge" else 0.5)
        found[few] = rng.integers(0, 1 << 32, int(few.sum()), np.uint32)
    return found


@dataclass
class DotProgram:
    """A kernel whose threads add up dots in a loop: `rows` x `columns` sums of each, `each` dots a turn.

    Factors of rows lie word by word behind each other; those of columns likewise for each thread of a row.
    """

    seed: int
    block: Triple = (16, 16, 1)
    rows: int = 1
    columns: int = 1
    each: int = 1
    turns: int = 2
    swapped: bool = False
    from_memory: bool = False
    condition: str = ""
    shuffled: bool = False
    leaks: bool = False
    grid: Triple = (1, 1, 1)
    _lines: list[str] = field(default_factory=list[str])

    @property
    def steps(self) -> int:
        """Dots that each sum takes."""
        return self.each * self.turns

    @property
    def threads(self) -> int:
        """Threads of a block."""
        return self.block[0] * self.block[1] * self.block[2]

    def text(self) -> str:
        """The kernel."""
        self._lines = [
            "^entry:",
            "  %x = tid axis=x : i32",
            "  %y = tid axis=y : i32",
            "  %wx = zext %x : i64",
            "  %wy = zext %y : i64",
            f"  %rowat = mul %wy, {16 * self.steps}:i64 : i64",
            "  %pa = ptr_add %a, %rowat : ptr.global",
            "  %columnat = mul %wx, 16:i64 : i64",
            "  %pb = ptr_add %b, %columnat : ptr.global",
            f"  %line = mul %wy, {self.block[0]}:i64 : i64",
            "  %thread = add %line, %wx : i64",
            "  %outat = mul %thread, 4:i64 : i64",
            "  %pc = ptr_add %c, %outat : ptr.global",
        ]
        names = [f"%s{i}x{j}" for i in range(self.rows) for j in range(self.columns)]
        starts = self._starts(len(names))
        go = f"^loop(0:i64, {', '.join(starts)})"
        if self.condition:
            self._lines += [*self.condition.splitlines(), f"  cbr %live, {go}, ^done"]
        else:
            self._lines.append(f"  br {go}")
        params = ", ".join(f"{name}: f32" for name in names)
        self._lines += [f"^loop(%t: i64, {params}):"]
        last = self._loop(names)
        self._lines += ["  %next = add %t, 1:i64 : i64"]
        self._lines += [f"  %more = icmp pred=ult %next, {self.turns}:i64 : i1"]
        passed = ", ".join(last)
        self._lines += [f"  cbr %more, ^loop(%next, {passed}), ^store"]
        self._lines.append("^store:")
        for index, name in enumerate(last):
            self._lines.append(f"  %pc{index} = ptr_add %pc, {4 * self.threads * index}:i64 : ptr.global")
            self._lines.append(f"  store {name}, %pc{index}")
        self._lines += ["  br ^done", "^done:", "  ret"]
        head = f"kernel @{NAME}(%a: ptr.global, %b: ptr.global, %c: ptr.global) {{"
        return "\n".join(['module "dots"', "", head, *self._lines, "}", ""])

    def _starts(self, count: int) -> list[str]:
        if not self.from_memory:
            return ["0.0:f32"] * count
        for index in range(count):
            self._lines.append(f"  %pi{index} = ptr_add %pc, {4 * self.threads * index}:i64 : ptr.global")
            self._lines.append(f"  %i{index} = load %pi{index} : f32")
        return [f"%i{index}" for index in range(count)]

    def _loop(self, names: list[str]) -> list[str]:
        rng, now = random.Random(self.seed), list(names)
        self._lines.append(f"  %ta = mul %t, {16 * self.each}:i64 : i64")
        self._lines.append("  %qa = ptr_add %pa, %ta : ptr.global")
        self._lines.append(f"  %tb = mul %t, {16 * self.each * self.block[0]}:i64 : i64")
        self._lines.append("  %qb = ptr_add %pb, %tb : ptr.global")
        for step in range(self.each):
            for i in range(self.rows):
                self._words(f"a{step}x{i}", "%qa", 16 * (self.block[1] * self.steps * i + step), rng)
            for j in range(self.columns):
                self._words(f"b{step}x{j}", "%qb", 16 * self.block[0] * (self.steps * j + step), rng)
            for i in range(self.rows):
                for j in range(self.columns):
                    number = i * self.columns + j
                    a, b = _named(f"a{step}x{i}"), _named(f"b{step}x{j}")
                    factors = f"{b}, {a}" if self.swapped and rng.random() < 0.5 else f"{a}, {b}"
                    name = f"%d{step}x{i}x{j}"
                    self._lines.append(f"  {name} = dot8_bf16 {factors}, {now[number]} : f32")
                    now[number] = name
                    if self.leaks and rng.random() < 0.3:  # somebody else needs the sum as well
                        self._lines.append(f"  %l{step}x{i}x{j} = fadd {name}, 1.0:f32 : f32")
                        self._lines.append(f"  %h{step}x{i}x{j} = fsub %l{step}x{i}x{j}, 1.0:f32 : f32")
                        now[number] = f"%h{step}x{i}x{j}" if rng.random() < 0.5 else name
        return now

    def _words(self, name: str, root: str, offset: int, rng: random.Random) -> None:
        order = list(range(4))
        if self.shuffled:
            rng.shuffle(order)
        for word in order:
            self._lines.append(f"  %p{name}w{word} = ptr_add {root}, {offset + 4 * word}:i64 : ptr.global")
            self._lines.append(f"  %{name}w{word} = load %p{name}w{word} : i32")

    def module(self) -> Module:
        """The kernel, read."""
        return parse_module(self.text())

    def data(self, kind: str, start: str = "plain") -> tuple[Words, Words, Words]:
        """Factors of rows, of columns, and the sums before the launch."""
        rng = np.random.default_rng(self.seed)
        a = halves(rng, kind, 8 * self.rows * self.block[1] * self.steps).view(np.uint32)
        b = halves(rng, kind, 8 * self.columns * self.block[0] * self.steps).view(np.uint32)
        return a, b, sums(rng, start, self.rows * self.columns * self.threads)

    def interpreted(self, data: Sequence[Words]) -> Words:
        """The sums after the launch, by the interpreter."""
        arrays = [item.copy() for item in data]
        launch(self.module(), NAME, self.grid, self.block, arrays)
        return arrays[2]

    def native(self, data: Sequence[Words], kernel: host.HostKernel) -> Words:
        """The same by the native engine."""
        arena = Arena(sum(item.nbytes for item in data) + 4096)
        places = [arena.place(item) for item in data]
        kernel.launch(self.grid, places, arena.memory, workers=1)
        return arena.read(places[2], data[2]).copy()

    def compiled(self, tier: str, lanes: int | None = None) -> host.HostKernel:
        """The kernel on a tier."""
        return host.compile(self.module(), NAME, self.block, tier=tier, lanes=lanes)


def _named(name: str) -> str:
    return ", ".join(f"%{name}w{word}" for word in range(4))


def equal(mine: Words, theirs: Words) -> bool:
    """Whether all bits agree, but for those of NaNs."""
    return differences(mine.view(np.uint8), theirs.view(np.uint8), 4).size == 0
