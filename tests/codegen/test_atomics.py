"""Atomics: every op, type and space gives what the interpreter gives; with several workers nothing is lost."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from openrpp.codegen import host
from openrpp.codegen.host import llvm
from openrpp.codegen.host.tiers import TIERS
from openrpp.kir.build import Builder
from openrpp.kir.floats import is_nan
from openrpp.kir.interp import launch
from openrpp.kir.ir import Global, Instr, Kernel, Module, Parameter, Value
from openrpp.kir.ops import OPS
from openrpp.kir.ops.form import Effect, Op
from openrpp.kir.parser import parse_module
from openrpp.kir.types import I1, I32, I64, PTR, PTR_GLOBAL, PTR_SHARED, Space, Type
from openrpp.kir.verify import verify_module
from tests.codegen.op_cases import SEED, edges
from tests.codegen.op_kernels import Triple, linear
from tests.codegen.support import Arena

NAME = "atomics"
ATOMICS = [op for op in OPS.values() if op.effect is Effect.ATOMIC]
FORMS = [(op, kind) for op in ATOMICS for kind in op.where["T"]]
BATCHES = [FORMS[start : start + 14] for start in range(0, len(FORMS), 14)]
CELLS = 8
WORD = 8  # every value takes eight bytes
Forms = list[tuple[Op, Type]]


def operands(forms: Forms, threads: int) -> list[NDArray[np.uint64]]:
    """Cells that threads share, and two operands and the cell of each thread: few values, so that some are equal."""
    draw, found = np.random.default_rng([SEED, FORMS.index(forms[0])]), list[NDArray[np.uint64]]()
    columns: list[list[NDArray[np.uint64]]] = [[], [], []]
    for _, kind in forms:
        few = draw.choice(np.array(edges(kind), np.uint64), 3)
        for column, count in zip(columns, (CELLS, threads, threads), strict=True):
            column.append(draw.choice(few if column is not columns[2] else np.array(edges(kind), np.uint64), count))
    found += [np.concatenate(column) for column in columns]
    return [*found, draw.integers(0, CELLS, threads * len(forms)).astype(np.uint64)]


def at(b: Builder, base: Value, place: Value, row: int, size: int | Value) -> Value:
    """The address of a word of one form's part of an array."""
    index = b("add", place, b("mul", size, row) if isinstance(size, Value) else row * size)
    return b("ptr_add", base, b("mul", index, WORD))


def build(forms: Forms, space: str, odd: bool, threads: int) -> Module:
    """A thread updates the cell that its index names (shared ones are copied in and out) and keeps the old value."""
    params = [Parameter(PTR_GLOBAL, name) for name in ("cells", "first", "second", "index", "old")]
    kernel, module = Kernel(NAME, params), Module(NAME)
    module.add_kernel(kernel)
    b = Builder(kernel)
    place, cells = linear(b), params[0]
    target: Value = cells
    if space != "global":
        module.add_global(Global("kept", Space.SHARED, CELLS * WORD * len(forms), WORD))
        target = b("global_addr", kind=PTR_SHARED, symbol="kept")
        move(b, forms, place, cells, target)
        b("barrier")
    if space == "generic":
        target = b("space_cast", target, kind=PTR)
    inside, done = b.block("inside"), b.block("done")
    if odd:
        b.cbr(b("trunc", place, kind=I1), inside, done)
    else:
        b.br(inside)
    b.at(inside)
    for row, (op, kind) in enumerate(forms):
        arrays = params[1 : len(op.operands)]
        values = [b("load", at(b, array, place, row, threads), kind=kind) for array in arrays]
        cell = b("load", at(b, params[3], place, row, threads), kind=I32)
        old = b.append(Instr(op, [at(b, target, cell, row, CELLS), *values]))
        b("store", old, at(b, params[4], place, row, threads))
    b.br(done)
    b.at(done)
    if space != "global":
        b("barrier")
        move(b, forms, place, b("global_addr", kind=PTR_SHARED, symbol="kept"), cells)
    b.ret()
    verify_module(module)
    return module


def move(b: Builder, forms: Forms, place: Value, source: Value, target: Value) -> None:
    """The first threads copy all cells."""
    fill, ready = b.block(), b.block()
    b.cbr(b("icmp", place, CELLS, pred="ult"), fill, ready)
    b.at(fill)
    for row in range(len(forms)):
        b("store", b("load", at(b, source, place, row, CELLS), kind=I64), at(b, target, place, row, CELLS))
    b.br(ready)
    b.at(ready)


def values(kind: Type, words: NDArray[np.uint64]) -> list[int]:
    """Bits of values, with one NaN for all."""
    found = (words & np.uint64(kind.mask)).tolist()
    return [-1 if kind.is_float and is_nan(kind, bits) else bits for bits in found]


WAYS = [("avx512", space, odd) for space in ("global", "shared", "generic") for odd in (False, True)]


@pytest.mark.parametrize(("tier", "space", "odd"), [*WAYS, ("sse", "shared", False), ("avx2", "global", True)])
def test_every_atomic(tier: str, space: str, odd: bool) -> None:
    if not llvm.is_runnable(TIERS[tier]):
        pytest.skip(f"this host has no {tier}")
    shapes: list[Triple] = [(64, 1, 1), (37, 1, 1), (8, 5, 1)]
    for number, forms in enumerate(BATCHES):
        block = shapes[number % 3]
        threads = block[0] * block[1]
        module, given = build(forms, space, odd, threads), operands(forms, threads)
        given.append(np.full(threads * len(forms), 7, np.uint64))
        wanted, arena = [item.copy() for item in given], Arena()
        launch(module, NAME, 1, block, wanted)
        args = [arena.place(item) for item in given]
        host.compile(module, NAME, block, tier=tier, lanes=8).launch((1, 1, 1), args, arena.memory, workers=1)
        for row, (op, kind) in enumerate(forms):
            for place, name in ((0, "memory"), (4, "old values")):
                pair = (arena.read(args[place], given[place]), wanted[place])
                parts = [item.reshape(len(forms), -1)[row] for item in pair]
                found, right = (values(kind, part) for part in parts)
                assert found == right, f"RPP_SEED={SEED}: {name} of {op.name} {kind} {block}"


def test_every_atomic_is_tested() -> None:
    assert len(ATOMICS) == 16
    assert len(FORMS) == 11 * 2 + 3 * 4 + 2 * 4


COUNT = """
module "count"

kernel @count(%sums: ptr.global) {
^entry:
  %t = tid axis=x : i32
  %b = ctaid axis=x : i32
  %i1 = atomic_add %sums, 1:i32 : i32
  %p1 = ptr_add %sums, 8:i64 : ptr.global
  %i2 = atomic_add %p1, 3:i64 : i64
  %p2 = ptr_add %sums, 16:i64 : ptr.global
  %i3 = atomic_fadd %p2, 1.0:f32 : f32
  %p3 = ptr_add %sums, 24:i64 : ptr.global
  %i4 = atomic_fadd %p3, 0.5:f64 : f64
  %p4 = ptr_add %sums, 32:i64 : ptr.global
  %u = add %b, %t : i32
  %i5 = atomic_umax %p4, %u : i32
  %p5 = ptr_add %sums, 40:i64 : ptr.global
  %i6 = atomic_inc %p5, 999999:i32 : i32
  %p6 = ptr_add %sums, 48:i64 : ptr.global
  %i7 = atomic_xor %p6, %u : i32
  %p7 = ptr_add %sums, 56:i64 : ptr.global
  %f = uitofp %u : f32
  %i8 = atomic_fmax %p7, %f : f32
  ret
}
"""


@pytest.mark.parametrize("workers", [1, 2, 4])
def test_nothing_is_lost_between_workers(workers: int) -> None:
    arena, blocks, threads = Arena(), 400, 96
    place = arena.place(np.zeros(64, np.uint8))
    made = host.compile(parse_module(COUNT), "count", (threads, 1, 1))
    made.launch((blocks, 1, 1), [place], arena.memory, workers=workers)
    total = blocks * threads
    data = arena.read(place, np.zeros(64, np.uint8))
    words = [data[start : start + 8] for start in range(0, 64, 8)]
    assert words[0].view(np.uint32)[0] == total
    assert words[1].view(np.uint64)[0] == 3 * total
    assert words[2].view(np.float32)[0] == total
    assert words[3].view(np.float64)[0] == total / 2
    assert words[4].view(np.uint32)[0] == blocks + threads - 2
    assert words[5].view(np.uint32)[0] == total
    numbers = np.arange(blocks)[:, None] + np.arange(threads)[None, :]
    assert words[6].view(np.uint32)[0] == np.bitwise_xor.reduce(numbers, axis=None)
    assert words[7].view(np.float32)[0] == blocks + threads - 2


OLD = """
module "old"

kernel @old(%sum: ptr.global, %seen: ptr.global) {
^entry:
  %v = atomic_add %sum, 1:i32 : i32
  %w = sext %v : i64
  %o = mul %w, 4:i64 : i64
  %at = ptr_add %seen, %o : ptr.global
  %n = atomic_add %at, 1:i32 : i32
  ret
}
"""


def test_every_old_value_is_seen_once() -> None:
    arena, blocks, threads = Arena(), 200, 50
    place, seen = arena.place(np.zeros(8, np.uint8)), arena.place(np.zeros(blocks * threads, np.uint32))
    made = host.compile(parse_module(OLD), "old", (threads, 1, 1))
    made.launch((blocks, 1, 1), [place, seen], arena.memory, workers=2)
    assert (arena.read(seen, np.zeros(blocks * threads, np.uint32)) == 1).all()


LOCK = """
module "lock"

kernel @lock(%lock: ptr.global, %sum: ptr.global) {
^entry:
  %t = tid axis=x : i32
  %leads = icmp pred=eq %t, 0:i32 : i1
  cbr %leads, ^take, ^done
^take:
  %old = atomic_cas %lock, 0:i32, 1:i32 : i32
  %mine = icmp pred=eq %old, 0:i32 : i1
  cbr %mine, ^work, ^take
^work:
  fence
  %s = load volatile %sum : i32
  %n = add %s, 1:i32 : i32
  store volatile %n, %sum
  fence
  %x = atomic_xchg %lock, 0:i32 : i32
  br ^done
^done:
  ret
}
"""
LOOP = """
module "loop"

kernel @loop(%sum: ptr.global) {
^entry:
  %t = tid axis=x : i32
  %v = uitofp %t : f32
  %first = load %sum : i32
  br ^try(%first)
^try(%old: i32):
  %f = bitcast %old : f32
  %g = fadd %f, %v : f32
  %new = bitcast %g : i32
  %now = atomic_cas %sum, %old, %new : i32
  %good = icmp pred=eq %now, %old : i1
  cbr %good, ^done, ^try(%now)
^done:
  ret
}
"""


@pytest.mark.parametrize("workers", [1, 2])
def test_a_lock_that_blocks_spin_for(workers: int) -> None:
    arena, blocks = Arena(), 300
    lock, total = arena.place(np.zeros(1, np.uint32)), arena.place(np.zeros(1, np.uint32))
    made = host.compile(parse_module(LOCK), "lock", (64, 1, 1))
    made.launch((blocks, 1, 1), [lock, total], arena.memory, workers=workers)
    assert arena.read(total, np.zeros(1, np.uint32))[0] == blocks
    assert arena.read(lock, np.zeros(1, np.uint32))[0] == 0


@pytest.mark.parametrize("workers", [1, 2])
def test_compare_and_swap_until_it_succeeds(workers: int) -> None:
    arena, blocks, threads = Arena(), 100, 40
    total = arena.place(np.zeros(1, np.uint32))
    made = host.compile(parse_module(LOOP), "loop", (threads, 1, 1))
    made.launch((blocks, 1, 1), [total], arena.memory, workers=workers)
    assert arena.read(total, np.zeros(1, np.float32))[0] == blocks * threads * (threads - 1) // 2
