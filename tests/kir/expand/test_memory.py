"""Atomics by loops, generic pointers, tables, truth values in memory, addresses that are not aligned."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from openrpp.kir import Module
from openrpp.kir.floats import FORMATS, is_nan
from openrpp.kir.interp import Memory, Order, launch
from openrpp.kir.passes.expand import is_legal
from openrpp.kir.types import BF16, F16, F32, I8, I16, I32, I64, Type
from tests.kir.expand.harness import edges, expanded
from tests.kir.kernels import module_of

UPDATES = [
    *((name, I32) for name in ("atomic_sub", "atomic_inc", "atomic_dec")),
    *((name, kind) for name in ("atomic_fmin", "atomic_fmax") for kind in (F16, BF16, F32)),
    *(("atomic_fadd", kind) for kind in (F16, BF16)),
    ("atomic_xchg", F32),
    *(("atomic_cas", kind) for kind in (I8, I16)),
]
ALWAYS = [(name, kind) for name in ("atomic_inc", "atomic_add", "atomic_smax") for kind in (I32, I64)]


def atomic_text(name: str, kind: Type, space: str = "global") -> str:
    """Each thread updates a cell of its own pair of words, at every place that a value can have in them."""
    values = "%v, %w" if name == "atomic_cas" else "%v"
    shown = "" if kind.is_int else "\n      %bits = bitcast %old : i" + str(kind.bits)
    size = kind.bytes
    return f"""kernel @k(%cells: ptr.{space}, %values: ptr.global, %out: ptr.global) {{
    ^e:
      %t = tid axis=x : i32
      %p = mul %t, {size}:i32 : i32
      %cell = ptr_add %cells, %p : ptr.{space}
      %at = ptr_add %values, %p : ptr.global
      %v = load %at : {kind}
      %further = ptr_add %at, {size}:i32 : ptr.global
      %w = load %further : {kind}
      %old = {name} %cell, {values} : {kind}{shown}
      %seen = ptr_add %out, %p : ptr.global
      store %old, %seen
      ret
    }}"""


def values_of(kind: Type, count: int, seed: int) -> NDArray[Any]:
    print(f"seed {seed}")
    rng = random.Random(seed)
    found = [rng.choice((rng.choice(edges(kind)), rng.getrandbits(kind.bits))) for _ in range(count)]
    return np.array(found, f"u{kind.bytes}")


def outcome(module: Module, arrays: Sequence[NDArray[Any]], threads: int, order: Order) -> list[bytes]:
    copies = [array.copy() for array in arrays]
    launch(module, "k", 1, threads, copies, memory=Memory(), order=order)
    return [array.tobytes() for array in copies]


def no_quiet_nan(kind: Type, cells: NDArray[Any]) -> NDArray[Any]:
    """One pattern for all NaNs: atomics may change their bits."""
    if not kind.is_float:
        return cells
    return np.array([FORMATS[kind].nan if is_nan(kind, int(bits)) else bits for bits in cells], cells.dtype)


@pytest.mark.parametrize(("name", "kind"), UPDATES + ALWAYS, ids=str)
def test_an_atomic_leaves_and_gives_what_the_op_does(name: str, kind: Type) -> None:
    threads = 240
    cells = no_quiet_nan(kind, values_of(kind, threads, 31))
    operands = values_of(kind, threads + 1, 32)
    if name == "atomic_cas":
        cells[: threads // 2] = operands[: threads // 2]
    module = module_of(atomic_text(name, kind))
    legal = (lambda item: is_legal(item) and item.op.name != name) if (name, kind) in ALWAYS else is_legal
    arrays = [cells, operands, np.zeros(threads, cells.dtype)]
    wanted = outcome(module, arrays, threads, Order.ASCENDING)
    found = outcome(expanded(module, legal), arrays, threads, Order.ASCENDING)
    for a, b in zip(wanted, found, strict=True):
        left, right = (no_quiet_nan(kind, np.frombuffer(data, cells.dtype)) for data in (a, b))
        assert np.array_equal(left, right)


@pytest.mark.parametrize("kind", [I32, I16], ids=str)
def test_loops_of_swaps_lose_no_update_when_threads_come_between(kind: Type) -> None:
    """Threads are interrupted inside the loop; every update counts."""
    body = "atomic_inc %p, -1:i32 : i32" if kind is I32 else "atomic_fadd %p, 1.0:f16 : f16"
    trips = 1500 if kind is I32 else 150  # f16 counts to 2048
    text = f"""kernel @k(%p: ptr.global) {{
    ^e:
      br ^loop(0:i32)
    ^loop(%i: i32):
      %old = {body}
      %j = add %i, 1:i32 : i32
      %more = icmp pred=ult %j, {trips}:i32 : i1
      cbr %more, ^loop(%j), ^out
    ^out:
      ret
    }}"""
    module = expanded(module_of(text))
    failed: set[bool] = set()
    cell = np.zeros(2, np.uint32)
    made = module.kernels["k"]

    class Watching:
        def entered(self, read: Any, thread: Any, block: Any) -> None:
            pass

        def made(self, read: Any, thread: Any, instr: Any) -> None:
            if instr.op.name == "atomic_cas":
                failed.add(read(thread, instr) != read(thread, instr.operands[1]))

    launch(module, made.name, 1, 13, [cell], memory=Memory(), order=Order.RANDOM, seed=5, watch=Watching())
    total = 13 * trips
    assert int(cell[0]) == (total if kind is I32 else int(np.float16(total).view(np.uint16)))
    assert failed == {False, True}


GENERIC = """
global @tile shared size 1024 align 8
global @table constant size 64 align 8 data "{data}"
kernel @k(%in: ptr.generic, %out: ptr.global, %slots: ptr.global) {{
  local @mine size 16 align 8
^e:
  %t = tid axis=x : i32
  %place = mul %t, 8:i32 : i32
  %tile = global_addr symbol="tile" : ptr.shared
  %near = ptr_add %tile, %place : ptr.shared
  store 7:i64, %near
  %mine = local_addr symbol="mine" : ptr.private
  store %t, %mine
  %far = ptr_add %in, %place : ptr.generic
  %a = space_cast %near : ptr.generic
  %b = space_cast %mine : ptr.generic
  %rest = urem %t, 3:i32 : i32
  %one = icmp pred=eq %rest, 1:i32 : i1
  %two = icmp pred=eq %rest, 2:i32 : i1
  %first = select %one, %a, %far : ptr.generic
  %any = select %two, %b, %first : ptr.generic
  %slot = ptr_add %slots, %place : ptr.global
  store %any, %slot
  %again = load %slot : ptr.generic
  %x = load %again : i32
  {body}
  %at = ptr_add %out, %place : ptr.global
  store %y, %at
  %z = load %again : i32
  %above = ptr_add %at, 4:i32 : ptr.global
  store %z, %above
  ret
}}"""
BODIES = {
    "store": "%y = add %x, 5:i32 : i32\n  store %y, %any",
    "lut": "%l = lut %any, 1:i32 : i16\n  %y = zext %l : i32",
    "atomic_cas": "%y = atomic_cas %any, %x, 99:i32 : i32",
    "atomic_fmax": "%f = atomic_fmax %any, 3.0:f32 : f32\n  %y = bitcast %f : i32",
}
BODIES |= {
    f"atomic_{name}": f"%y = atomic_{name} %any, 3:i32 : i32"
    for name in ("add", "sub", "and", "or", "xor", "smin", "smax", "umin", "umax", "inc", "dec", "xchg")
}


@pytest.mark.parametrize("name", BODIES)
def test_generic_pointers_reach_every_space(name: str) -> None:
    module = module_of(GENERIC.format(body=BODIES[name], data="00" * 64))
    arrays = [np.arange(60, dtype=np.uint64) * 77, np.zeros(60, np.uint64)]
    results: list[list[bytes]] = []
    for item in (module, expanded(module)):
        copies = [array.copy() for array in arrays]
        launch(item, "k", 1, 60, [*copies, np.zeros(60, np.uint64)], memory=Memory())
        results.append([array.tobytes() for array in copies])
    assert results[0] == results[1]


def test_a_space_that_the_kernel_shows_needs_no_test() -> None:
    """Parameters point to device memory; casts, additions and loops hand on where a pointer points."""
    text = """
    global @tile shared size 64 align 8
    kernel @k(%in: ptr.generic, %n: i32) {
    ^e:
      %tile = global_addr symbol="tile" : ptr.shared
      %g = space_cast %tile : ptr.generic
      br ^loop(%g, %in, 0:i32)
    ^loop(%p: ptr.generic, %q: ptr.generic, %i: i32):
      %v = load %q : i32
      store %v, %p
      %old = atomic_add %p, 1:i32 : i32
      %p2 = ptr_add %p, 4:i32 : ptr.generic
      %q2 = ptr_add %q, 4:i32 : ptr.generic
      %j = add %i, 1:i32 : i32
      %more = icmp pred=ult %j, %n : i1
      cbr %more, ^loop(%p2, %q2, %j), ^out
    ^out:
      ret
    }"""
    kernel = expanded(module_of(text)).kernels["k"]
    assert not any(instr.op.name == "is_space" for instr in kernel.instructions())
    spaces = [(i.op.name, o.type.name) for i in kernel.instructions() for o in i.operands if o.type.is_pointer]
    assert ("load", "ptr.global") in spaces and ("store", "ptr.shared") in spaces
    assert ("atomic_add", "ptr.shared") in spaces


def test_pointers_from_the_host_point_to_device_memory() -> None:
    text = """
    global @table constant size 8 align 8
    kernel @k(%s: byval 16 align 8) {
    ^e:
      %at = ptr_add %s, 8:i32 : ptr.param
      %p = load %at : ptr.generic
      %table = global_addr symbol="table" : ptr.constant
      %q = load %table : ptr.generic
      %v = load %q : i32
      store %v, %p
      ret
    }"""
    kernel = expanded(module_of(text)).kernels["k"]
    assert not any(instr.op.name == "is_space" for instr in kernel.instructions())


def test_a_merge_of_spaces_is_tested_at_run_time() -> None:
    text = GENERIC.format(body="%y = load %any : i32", data="00" * 64)
    kernel = expanded(module_of(text)).kernels["k"]
    assert any(instr.op.name == "is_space" for instr in kernel.instructions())


@pytest.mark.parametrize("kind", ["i16", "f16", "i32", "f32", "i64", "f64", "ptr.global"])
@pytest.mark.parametrize("align", [1, 2, 4])
def test_accesses_that_are_not_aligned(kind: str, align: int) -> None:
    text = f"""kernel @k(%in: ptr.global, %out: ptr.global) {{
    ^e:
      %t = tid axis=x : i32
      %place = mul %t, {align}:i32 : i32
      %to = mul %t, {align + 8}:i32 : i32
      %a = ptr_add %in, %place : ptr.global
      %b = ptr_add %out, %to : ptr.global
      %v = load align={align} %a : {kind}
      store align={align} %v, %b
      ret
    }}"""
    module = module_of(text)
    arrays = [values_of(I8, 80, 33), np.zeros(16 * 16, np.uint8)]
    assert outcome(module, arrays, 16, Order.ASCENDING) == outcome(expanded(module), arrays, 16, Order.ASCENDING)


def test_truth_values_in_memory() -> None:
    text = """kernel @k(%in: ptr.global, %out: ptr.global) {
    ^e:
      %t = tid axis=x : i32
      %a = ptr_add %in, %t : ptr.global
      %b = ptr_add %out, %t : ptr.global
      %v = load %a : i1
      store %v, %b
      ret
    }"""
    module = module_of(text)
    arrays = [np.arange(256, dtype=np.uint8), np.full(256, 9, np.uint8)]
    assert outcome(module, arrays, 256, Order.ASCENDING) == outcome(expanded(module), arrays, 256, Order.ASCENDING)
