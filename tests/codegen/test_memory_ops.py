"""Loads, stores and table lookups: every type, space and shape of address, as on the interpreter."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from openrpp.codegen import host
from openrpp.kir.build import Builder
from openrpp.kir.interp import Memory, launch
from openrpp.kir.ir import Global, Kernel, Module, Parameter, Value
from openrpp.kir.ops import OPS
from openrpp.kir.ops.form import Effect
from openrpp.kir.types import (
    ANY,
    BF16,
    F16,
    I1,
    I16,
    I32,
    I64,
    PTR,
    PTR_CONSTANT,
    PTR_GLOBAL,
    PTR_PRIVATE,
    PTR_SHARED,
    Space,
    Type,
)
from openrpp.kir.verify import verify_module
from tests.codegen.op_cases import SEED
from tests.codegen.op_kernels import Triple, linear
from tests.codegen.support import Arena

NAME = "memory"
BYTES = 1 << 13
BLOCKS: list[Triple] = [(64, 1, 1), (37, 1, 1), (4, 9, 1), (3, 5, 2)]
STRUCT = 264
Fill = Callable[["Bench"], None]


class Bench:
    """A kernel with an array to read, one to write, a struct by value and variables in every space."""

    def __init__(self, tables: bytes) -> None:
        self.module = Module(NAME)
        params = [Parameter(PTR_GLOBAL, "source"), Parameter(PTR_GLOBAL, "out"), Parameter(I32, "five")]
        kernel = Kernel(NAME, [*params, Parameter.by_value("struct", STRUCT, 8)])
        self.module.add_kernel(kernel)
        self.module.add_global(Global("table", Space.CONSTANT, len(tables), 16, tables))
        self.module.add_global(Global("initial", Space.GLOBAL, len(tables), 16, tables))
        self.module.add_global(Global("kept", Space.SHARED, 2048, 16))
        kernel.local("own", 64, 16)
        kernel.local("other", 24, 8)
        self.source, self.out, self.five, self.struct = kernel.params
        self.b = Builder(kernel)
        self.place = linear(self.b)
        self.kept = 0

    def offset(self, base: Value, bytes_: Value | int) -> Value:
        return self.b("ptr_add", base, bytes_)

    def scaled(self, index: Value, size: int) -> Value:
        return self.b("mul", index, size)

    def load(self, at: Value, kind: Type, **how: Any) -> Value:
        return self.b("load", at, kind=kind, **how)

    def keep(self, value: Value) -> None:
        """Leave a result, 8 bytes per thread."""
        at = self.offset(self.offset(self.out, self.scaled(self.place, 8)), 4096 * self.kept)
        self.b("store", value, at)
        self.kept += 1

    def symbol(self, name: str, kind: Type) -> Value:
        return self.b("global_addr", kind=kind, symbol=name)

    def local(self, name: str) -> Value:
        return self.b("local_addr", symbol=name)

    def some(self, fill: Fill) -> None:
        """What follows is done by threads of odd number."""
        inside, done = self.b.block(), self.b.block()
        self.b.cbr(self.b("trunc", self.place, kind=I1), inside, done)
        self.b.at(inside)
        fill(self)
        self.b.br(done)
        self.b.at(done)


def difference(fill: Fill, block: Triple, odd: bool = False, grid: int = 2, **how: Any) -> None:
    """Everything in the output array on both engines."""
    draw = np.random.default_rng(SEED)
    tables, struct = draw.bytes(512), draw.bytes(STRUCT)
    bench = Bench(tables)
    bench.some(fill) if odd else fill(bench)
    bench.b.ret()
    verify_module(bench.module)
    source = np.frombuffer(draw.bytes(BYTES), np.uint8).copy()
    out = np.full(4096 * max(bench.kept, 1), 0xA5, np.uint8)
    wanted: NDArray[np.uint8] = out.copy()
    launch(bench.module, NAME, grid, block, [source.copy(), wanted, 5, struct], memory=Memory())
    arena = Arena()
    symbols = arena.symbols(bench.module)
    args = [arena.place(source), arena.place(out), 5, struct]
    made = host.compile(bench.module, NAME, block, **how)
    made.launch((grid, 1, 1), args, arena.memory, symbols=symbols, workers=1)
    found = arena.read(int(args[1]), out)
    bad = np.flatnonzero(found != wanted)
    assert not bad.size, (
        f"RPP_SEED={SEED}: {bad.size} bytes differ, first result {bad[0] // 4096}, {bad[0] % 4096 // 8}"
    )


def addresses(t: Bench, base: Value, size: int, limit: int) -> list[Value]:
    """Consecutive, strided, repeated, permuted and backward, inside of `limit` bytes."""
    b, most = t.b, limit // size
    x, y = b.tid("x"), b.tid("y")
    wrapped = b("urem", t.place, most)
    indices = [wrapped, b("urem", b("mul", x, 3), most), b("urem", y, most), t.five]
    indices += [b("sub", 63, x) if most >= 64 else b("sub", most - 1, b("urem", x, most))]
    indices += [
        b("urem", b("mul", b("xor", t.place, 0x2A5), 7), most),
        b("add", b("umin", x, 7), 1 if most < 12 else 3),
    ]
    return [t.offset(base, t.scaled(b("sext", index, kind=I64), size)) for index in indices]


@pytest.mark.parametrize("odd", [False, True], ids=["all", "odd"])
@pytest.mark.parametrize("kind", ANY, ids=str)
def test_loads_of_every_type(kind: Type, odd: bool) -> None:
    def fill(t: Bench) -> None:
        size = kind.bytes
        for at in addresses(t, t.source, size, BYTES):
            t.keep(t.load(at, kind))
        generic = t.b("inttoptr", t.b("ptrtoint", t.source, kind=I64), kind=PTR)
        for at in addresses(t, generic, size, BYTES)[::5]:
            t.keep(t.load(at, kind))
        for base in (t.symbol("table", PTR_CONSTANT), t.symbol("initial", PTR_GLOBAL)):
            for at in addresses(t, base, size, 512)[::3]:
                t.keep(t.load(at, kind))
        for at in addresses(t, t.struct, size, STRUCT)[1::2]:
            t.keep(t.load(at, kind))
        t.keep(t.load(t.source, kind, volatile=True))
        t.keep(t.load(t.offset(t.source, t.scaled(t.place, size)), kind, volatile=True))

    number = ANY.index(kind)
    difference(fill, BLOCKS[number % 4], odd, lanes=16, tier=(None, "avx2", "sse")[number % 3])


@pytest.mark.parametrize("odd", [False, True], ids=["all", "odd"])
@pytest.mark.parametrize("kind", ANY, ids=str)
def test_stores_of_every_type(kind: Type, odd: bool) -> None:
    """To places of their own for threads: device memory, shared memory and private variables, also as generic."""

    def fill(t: Bench) -> None:
        b, size = t.b, kind.bytes
        value = t.load(t.offset(t.source, t.scaled(t.place, size)), kind)
        t.kept += 1
        t.b("store", value, t.offset(t.out, t.scaled(t.place, size)))
        t.b(
            "store",
            value,
            t.offset(t.offset(t.out, 4096 - 1024), t.scaled(b("sub", 100, t.place), size)),
            volatile=True,
        )
        t.keep(t.load(t.source, kind))
        inside = b("urem", t.place, b("mul", b("ntid", axis="x"), b("mul", b("ntid", axis="y"), b("ntid", axis="z"))))
        shared = t.symbol("kept", PTR_SHARED)
        for base in (shared, b("space_cast", shared, kind=PTR)):
            at = t.offset(base, t.scaled(b("xor", inside, 1), 8))
            b("store", value, at)
            t.keep(t.load(at, kind))
        own = t.local("own")
        for base in (own, b("space_cast", own, kind=PTR)):
            for index in (b("urem", t.place, 64 // size), b("urem", t.five, 64 // size)):
                at = t.offset(base, t.scaled(index, size))
                b("store", value, at)
                t.keep(t.load(at, kind))

    number = ANY.index(kind)
    difference(fill, BLOCKS[(number + 1) % 4], odd, lanes=16, tier=(None, "avx2", "sse")[number % 3])


@pytest.mark.parametrize("align", [1, 2, 4])
@pytest.mark.parametrize("odd", [False, True], ids=["all", "odd"])
def test_accesses_that_promise_less_alignment(align: int, odd: bool) -> None:
    def fill(t: Bench) -> None:
        base = t.offset(t.source, align)
        for kind in (I32, I64):
            target = t.offset(t.out, 4096 * t.kept + align)
            t.kept += 1
            for stride in (kind.bytes, kind.bytes + align, 0):
                at = t.offset(base, t.scaled(t.place, stride))
                t.keep(t.load(at, kind, align=align))
            t.b("store", t.load(at, kind, align=align), t.offset(target, t.scaled(t.place, 8 + align)), align=align)
        shared = t.offset(t.symbol("kept", PTR_SHARED), align)
        at = t.offset(shared, t.scaled(t.b.tid("x"), 4 + align))
        t.b("store", t.b.tid("x"), at, align=align)
        t.keep(t.load(at, I32, align=align))
        own = t.offset(t.local("own"), align)
        t.b("store", t.load(base, I64, align=align), own, align=align)
        t.keep(t.load(own, I64, align=align))

    difference(fill, (37, 1, 1), odd, lanes=16)


@pytest.mark.parametrize("odd", [False, True], ids=["all", "odd"])
@pytest.mark.parametrize("block", BLOCKS, ids=str)
def test_private_arrays_with_indices_of_each_thread(block: Triple, odd: bool) -> None:
    def fill(t: Bench) -> None:
        b, own, other = t.b, t.local("own"), t.local("other")
        for index in range(16):
            b("store", b("mul", t.place, index + 3), t.offset(own, 4 * index))
        b("store", t.place, other)
        first = t.load(t.offset(own, t.scaled(b("and", t.place, 15), 4)), I32)
        t.keep(first)
        at = t.offset(own, t.scaled(b("and", b("mul", t.place, 5), 15), 4))
        b("store", b("add", first, 1), at)
        chosen = b("select", b("trunc", b("lshr", t.place, 1), kind=I1), own, other)
        t.keep(t.load(chosen, I32))
        generic = b("space_cast", chosen, kind=PTR)
        t.keep(t.load(t.offset(generic, t.scaled(b("urem", t.place, 4), 4)), I32) if odd else t.load(generic, I32))
        b("store", t.five, generic)
        total = t.load(own, I32)
        for index in range(1, 16):
            total = b("xor", b("mul", total, 31), t.load(t.offset(own, 4 * index), I32))
        t.keep(total)
        t.keep(t.load(other, I32))

    def whole(t: Bench) -> None:
        for index in range(6):
            t.b("store", t.b("add", t.place, index), t.offset(t.local("other"), 4 * index))
        fill(t)

    difference(whole, block, odd)
    difference(whole, block, odd, lanes=8, tier="sse")


@pytest.mark.parametrize("odd", [False, True], ids=["all", "odd"])
def test_generic_pointers_to_different_spaces(odd: bool) -> None:
    """Lanes of one access reach device, shared and private memory."""

    def fill(t: Bench) -> None:
        b, x = t.b, t.b.tid("x")
        shared = t.offset(t.symbol("kept", PTR_SHARED), t.scaled(x, 8))
        b("store", b("add", x, 1000), shared)
        b("store", b("add", x, 2000), t.local("own"))
        device = t.offset(t.source, t.scaled(x, 8))
        views = [b("space_cast", at, kind=PTR) for at in (shared, t.local("own"), device)]
        low = b("icmp", b("urem", x, 3), 0, pred="eq")
        middle = b("icmp", b("urem", x, 3), 1, pred="eq")
        at = b("select", low, views[0], b("select", middle, views[1], views[2]))
        t.keep(t.load(at, I32))
        b("store", b("add", x, 7), at)
        for view in (*views, at):
            t.keep(t.load(view, I32))
            for space in ("shared", "private", "global"):
                t.keep(b("zext", b("is_space", view, space=space), kind=I32))
        t.keep(t.load(b("space_cast", views[0], kind=PTR_SHARED), I32))
        t.keep(t.load(b("space_cast", views[1], kind=PTR_PRIVATE), I32))

    for block in BLOCKS[:2]:
        difference(fill, block, odd, grid=1)
        difference(fill, block, odd, grid=1, tier="avx2", lanes=8)


@pytest.mark.parametrize("kind", [I16, F16, BF16], ids=str)
@pytest.mark.parametrize("odd", [False, True], ids=["all", "odd"])
def test_table_lookups(kind: Type, odd: bool) -> None:
    def fill(t: Bench) -> None:
        b = t.b
        index = b("and", t.load(t.offset(t.source, t.scaled(t.place, 4)), I32), 63)
        own = t.local("own")
        for place in range(8):
            b("store", b("mul", t.place, place + 1), t.offset(own, 4 * place))
        bases = [t.source, t.symbol("table", PTR_CONSTANT), t.struct, t.offset(t.struct, t.scaled(b.tid("y"), 2))]
        for base in (*bases, b("space_cast", t.source, kind=PTR)):
            t.keep(b("lut", base, index, kind=kind))
            t.keep(b("lut", base, b("trunc", b.tid("x"), kind=I16), kind=kind))
            t.keep(b("lut", base, t.five, kind=kind))
        for base in (own, b("space_cast", own, kind=PTR)):
            t.keep(b("lut", base, b("and", index, 15), kind=kind))
            t.keep(b("lut", base, t.five, kind=kind))

    for block in BLOCKS:
        difference(fill, block, odd, lanes=16)


def test_a_sign_in_the_index_of_a_table_counts_as_bits() -> None:
    def fill(t: Bench) -> None:
        index = t.b("trunc", t.b("sub", 0xFFFF, t.b.tid("x")), kind=I16)
        base = t.b("inttoptr", t.b("sub", t.b("ptrtoint", t.source, kind=I64), 2 * 0xFF00), kind=PTR_GLOBAL)
        t.keep(t.b("lut", base, index, kind=I16))

    difference(fill, (64, 1, 1))


def test_every_memory_op_is_tested() -> None:
    effects = (Effect.LOAD, Effect.STORE, Effect.FENCE)
    assert {op.name for op in OPS.values() if op.effect in effects} == {"load", "lut", "store", "fence"}
