"""What the interpreter does: memory spaces, atomics, meetings of threads, output."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from openrpp.kir import Module
from openrpp.kir.interp import Access, Memory, Order, launch
from openrpp.kir.types import Space
from tests.kir.kernels import module_of

ORDERS = list(Order)


def run(text: str, block: int | Sequence[int], *args: Any, grid: int | Sequence[int] = 1, **options: Any) -> str:
    """The output of the kernel `k` of a text."""
    return launch(module_of(text), "k", grid, block, args, **options).output


def zeros(count: int, kind: type[np.generic] = np.int32) -> NDArray[Any]:
    return np.zeros(count, kind)


OUT = """
  %at.l = laneid : i32
  %at.t = tid axis=x : i32
  %at.b = ctaid axis=x : i32
  %at.n = ntid axis=x : i32
  %at.m = mul %at.b, %at.n : i32
  %at.i = add %at.m, %at.t : i32
  %at.w = mul %at.i, 4:i32 : i32
  %at = ptr_add %out, %at.w : ptr.global
"""


def per_thread(body: str, result: str, threads: int = 32, grid: int = 1, **options: Any) -> list[int]:
    """What each thread stores, an i32, after executing a body; its index is %at.i, its lane %at.l."""
    out = zeros(threads * grid)
    text = f"kernel @k(%out: ptr.global) {{\n^e:\n{OUT}{body}\n  store {result}, %at\n  ret\n}}"
    run(text, threads, out, grid=grid, **options)
    return out.tolist()


def test_threads_know_their_place() -> None:
    ops = [("tid", axis) for axis in "xyz"] + [("ctaid", axis) for axis in "xyz"] + [("nctaid", axis) for axis in "xyz"]
    loads = "".join(f"  %v{k} = {op} axis={axis} : i32\n" for k, (op, axis) in enumerate(ops))
    values = ", ".join(f"%v{k}" for k in range(len(ops)))
    text = f'kernel @k() {{\n^e:\n{loads}  %r = printf format="%d%d%d %d%d%d %d%d%d\\n" {values} : i32\n  ret\n}}'
    lines = run(text, (2, 1, 3), grid=(1, 2, 1)).splitlines()
    assert len(lines) == 12
    assert lines[0] == "000 000 121"
    assert lines[-1] == "102 010 121"


def test_every_space_is_reached_through_generic_pointers() -> None:
    text = """
    global @c constant size 4 align 4 data "2a000000"
    global @g global size 8 align 8 reloc 0 @c 0
    global @t shared size 16 align 16
    kernel @k(%out: ptr.global, %s: byval 8 align 8) {
      local @l size 8 align 8
    ^e:
      %p = global_addr symbol=g : ptr.global
      %q = load %p : ptr.generic
      %c = load %q : i32
      %t = global_addr symbol=t : ptr.shared
      %tg = space_cast %t : ptr.generic
      store %c, %tg
      %tv = load %t : i32
      %l = local_addr symbol=l : ptr.private
      %lg = space_cast %l : ptr.generic
      store %tv, %l
      %lv = load %lg : i32
      %s4 = ptr_add %s, 4:i64 : ptr.param
      %sv = load %s4 : i32
      %a = is_space space=shared %tg : i1
      %b = is_space space=private %lg : i1
      %d = is_space space=constant %q : i1
      %f = is_space space=global %q : i1
      %back = space_cast %tg : ptr.shared
      %same = icmp pred=eq %back, %t : i1
      %r = printf format="%d %d %d%d%d%d%d" %lv, %sv, %a, %b, %d, %f, %same : i32
      ret
    }"""
    assert run(text, 1, zeros(1), np.array([5, 7], np.int32)) == "42 7 11101"


def test_private_memory_belongs_to_the_thread() -> None:
    text = """
    kernel @k(%out: ptr.global) {
      local @l size 4 align 4
    ^e:
      %p = local_addr symbol=l : ptr.private
      %t = tid axis=x : i32
      store %t, %p
      barrier
      %v = load %p : i32
      %o = mul %t, 4:i32 : i32
      %at = ptr_add %out, %o : ptr.global
      store %v, %at
      ret
    }"""
    out = zeros(40)
    run(text, 40, out)
    assert out.tolist() == list(range(40))


def test_dynamic_shared_memory_starts_behind_the_static() -> None:
    text = """
    global @a shared size 20 align 4
    global @d shared size 0 align 4 dynamic
    kernel @k() {
    ^e:
      %a = global_addr symbol=a : ptr.shared
      %d = global_addr symbol=d : ptr.shared
      store 1:i32, %a
      %x = ptrtoint %d : i32
      %last = ptr_add %d, 12:i64 : ptr.shared
      store 2:i32, %last
      %r = printf format="%d" %x : i32
      ret
    }"""
    assert run(text, 1, shared_bytes=16) == "32"


@pytest.mark.parametrize("order", ORDERS)
def test_a_block_reduction_through_shared_memory(order: Order) -> None:
    text = """
    global @t shared size 256 align 4
    kernel @k(%out: ptr.global) {
    ^e:
      %i = tid axis=x : i32
      %o = mul %i, 4:i32 : i32
      %base = global_addr symbol=t : ptr.shared
      %mine = ptr_add %base, %o : ptr.shared
      store %i, %mine
      br ^loop(32:i32)
    ^loop(%step: i32):
      barrier
      %in = icmp pred=ult %i, %step : i1
      cbr %in, ^add, ^next
    ^add:
      %off = mul %step, 4:i32 : i32
      %other = ptr_add %mine, %off : ptr.shared
      %a = load %mine : i32
      %b = load %other : i32
      %sum = add %a, %b : i32
      store %sum, %mine
      br ^next
    ^next:
      %half = lshr %step, 1:i32 : i32
      %more = icmp pred=ne %half, 0:i32 : i1
      cbr %more, ^loop(%half), ^done
    ^done:
      %first = icmp pred=eq %i, 0:i32 : i1
      cbr %first, ^write, ^end
    ^write:
      %total = load %base : i32
      store %total, %out
      br ^end
    ^end:
      ret
    }"""
    out = zeros(1)
    run(text, 64, out, order=order, seed=3)
    assert out[0] == 64 * 63 // 2


ATOMICS = {
    "atomic_add": (7, -3, 4),
    "atomic_sub": (7, -3, 10),
    "atomic_and": (12, 10, 8),
    "atomic_or": (12, 10, 14),
    "atomic_xor": (12, 10, 6),
    "atomic_smin": (7, -3, -3),
    "atomic_smax": (7, -3, 7),
    "atomic_umin": (7, -3, 7),
    "atomic_umax": (7, -3, -3),
    "atomic_inc": (7, 7, 0),
    "atomic_dec": (0, 9, 9),
    "atomic_xchg": (7, 1, 1),
}


@pytest.mark.parametrize(("kind", "numpy"), [("i32", np.int32), ("i64", np.int64)])
@pytest.mark.parametrize("name", ATOMICS)
def test_atomics_give_the_old_value_and_leave_the_new(name: str, kind: str, numpy: type[np.generic]) -> None:
    before, operand, after = ATOMICS[name]
    text = f"""kernel @k(%p: ptr.global, %v: {kind}, %old: ptr.global) {{
    ^e:
      %r = {name} %p, %v : {kind}
      store %r, %old
      ret
    }}"""
    cell, old = np.array([before], numpy), zeros(1, numpy)
    run(text, 1, cell, operand, old)
    assert (cell[0], old[0]) == (after, before)


@pytest.mark.parametrize(("kind", "numpy"), [("f16", np.float16), ("f32", np.float32), ("f64", np.float64)])
def test_float_atomics(kind: str, numpy: type[np.generic]) -> None:
    text = f"""kernel @k(%p: ptr.global) {{
    ^e:
      %q = ptr_add %p, {numpy().itemsize}:i64 : ptr.global
      %s = ptr_add %q, {numpy().itemsize}:i64 : ptr.global
      %a = atomic_fadd %p, 0.5:{kind} : {kind}
      %b = atomic_fmin %q, -1.0:{kind} : {kind}
      %c = atomic_fmax scope=system %s, 2.0:{kind} : {kind}
      ret
    }}"""
    cells = np.array([0, 0, 0], numpy)
    run(text, 4, cells)
    assert cells.tolist() == [2.0, -1.0, 2.0]


def test_compare_and_swap_builds_any_atomic() -> None:
    text = """kernel @k(%p: ptr.global) {
    ^e:
      %first = load volatile %p : i16
      br ^try(%first)
    ^try(%old: i16):
      %new = add %old, 3:i16 : i16
      %seen = atomic_cas %p, %old, %new : i16
      %won = icmp pred=eq %seen, %old : i1
      cbr %won, ^done, ^try(%seen)
    ^done:
      ret
    }"""
    cell = zeros(1, np.int16)
    run(text, 50, cell, grid=2)
    assert cell[0] == 300


@pytest.mark.parametrize("order", ORDERS)
def test_a_thread_may_spin_for_a_later_block(order: Order) -> None:
    text = """kernel @k(%flag: ptr.global) {
    ^e:
      %b = ctaid axis=x : i32
      %mine = nctaid axis=x : i32
      %last = sub %mine, 1:i32 : i32
      %wanted = sub %last, %b : i32
      br ^spin
    ^spin:
      %v = load volatile %flag : i32
      %go = icmp pred=eq %v, %wanted : i1
      cbr %go, ^mine, ^spin
    ^mine:
      fence scope=device
      %old = atomic_add %flag, 1:i32 : i32
      ret
    }"""
    flag = zeros(1)
    run(text, 1, flag, grid=4, order=order, seed=1)
    assert flag[0] == 4


def test_a_grid_barrier_waits_for_all_blocks() -> None:
    text = """kernel @k(%sum: ptr.global, %out: ptr.global) {
    ^e:
      %old = atomic_add %sum, 1:i32 : i32
      grid_barrier
      %v = load %sum : i32
      %b = ctaid axis=x : i32
      %o = mul %b, 4:i32 : i32
      %at = ptr_add %out, %o : ptr.global
      store %v, %at
      ret
    }"""
    out = zeros(3)
    run(text, 5, zeros(1), out, grid=3)
    assert out.tolist() == [15, 15, 15]


def test_shuffles_stay_in_their_segment() -> None:
    def lanes(op: str, operand: int, width: int) -> list[int]:
        return per_thread(f"  %r = {op} -1:i32, %at.l, {operand}:i32, {width}:i32 : i32", "%r")

    assert lanes("shfl_idx", 3, 32) == [3] * 32
    assert lanes("shfl_idx", 9, 8) == [8 * (k // 8) + 1 for k in range(32)]
    assert lanes("shfl_up", 1, 16) == [k if k % 16 == 0 else k - 1 for k in range(32)]
    assert lanes("shfl_down", 2, 32) == [k + 2 if k < 30 else k for k in range(32)]
    assert lanes("shfl_xor", 5, 32) == [k ^ 5 for k in range(32)]


def test_a_lane_that_is_not_there_leaves_the_own_value() -> None:
    body = "  %r = shfl_down -1:i32, %at.l, 4:i32, 32:i32 : i32"
    assert per_thread(body, "%r", threads=10) == [4, 5, 6, 7, 8, 9, 6, 7, 8, 9]


def test_votes_and_matches() -> None:
    odd = "  %b = and %at.l, 1:i32 : i32\n  %odd = icmp pred=eq %b, 1:i32 : i1\n"

    def first(body: str, result: str) -> int:
        return per_thread(odd + body, result, threads=6)[0]

    assert first("  %r = ballot -1:i32, %odd : i32", "%r") == 0b101010
    assert first("  %r = activemask : i32", "%r") == 0b111111
    assert first("  %r = match_any -1:i32, %b : i32", "%r") == 0b010101
    assert first("  %r = match_all -1:i32, %b : i32", "%r") == 0
    assert first("  %r = match_all -1:i32, 5:i32 : i32", "%r") == 0b111111
    for name, wanted in (("any", 1), ("all", 0), ("uni", 0)):
        assert first(f"  %v = vote_{name} -1:i32, %odd : i1\n  %r = zext %v : i32", "%r") == wanted
    for name, wanted in (("add", 15), ("umax", 5), ("or", 7), ("xor", 1), ("smin", 0), ("and", 0)):
        assert first(f"  %r = redux combine={name} -1:i32, %at.l : i32", "%r") == wanted


def test_counting_barriers_answer_for_the_block() -> None:
    low = "  %low = icmp pred=ult %at.t, 40:i32 : i1\n"
    assert per_thread(low + "  %r = barrier_count %low : i32", "%r", threads=64, grid=2) == [40] * 128
    for name, wanted in (("and", 0), ("or", 1)):
        body = f"{low}  %v = barrier_{name} %low : i1\n  %r = zext %v : i32"
        assert per_thread(body, "%r", threads=64) == [wanted] * 64


def test_part_of_a_warp_may_meet_alone() -> None:
    text = """kernel @k(%out: ptr.global) {
    ^e:
      %l = laneid : i32
      %low = icmp pred=ult %l, 5:i32 : i1
      cbr %low, ^few, ^end
    ^few:
      %sum = redux combine=add 31:i32, %l : i32
      warp_sync 31:i32
      store %sum, %out
      br ^end
    ^end:
      ret
    }"""
    out = zeros(1)
    run(text, 32, out)
    assert out[0] == 10


def test_threads_that_have_returned_are_not_waited_for() -> None:
    text = """kernel @k(%out: ptr.global) {
    ^e:
      %i = tid axis=x : i32
      %gone = icmp pred=uge %i, 7:i32 : i1
      cbr %gone, ^end, ^rest
    ^end:
      ret
    ^rest:
      %n = barrier_count 1:i1 : i32
      %m = ballot -1:i32, 1:i1 : i32
      %s = add %n, %m : i32
      store %s, %out
      ret
    }"""
    out = zeros(1)
    run(text, 40, out)
    assert out[0] == 7 + 127


def test_staging_moves_bytes_both_ways() -> None:
    text = """
    global @t shared size 16 align 4
    kernel @k(%in: ptr.global, %out: ptr.global) {
    ^e:
      %t = global_addr symbol=t : ptr.shared
      stage_in %t, %in, 16:i32
      stage_wait
      %i = tid axis=x : i32
      %o = mul %i, 4:i32 : i32
      %p = ptr_add %t, %o : ptr.shared
      %v = load %p : i32
      %d = add %v, %i : i32
      store %d, %p
      barrier
      stage_out %out, %t, 12:i32
      stage_wait
      ret
    }"""
    out = zeros(4)
    run(text, 4, np.array([5, 6, 7, 8], np.int32), out)
    assert out.tolist() == [5, 7, 9, 0]


def test_a_table_lookup_and_eight_dots() -> None:
    text = """
    global @t constant size 8 align 2 data "0100020003000400"
    kernel @k() {
    ^e:
      %t = global_addr symbol=t : ptr.constant
      %v = lut %t, 2:i16 : i16
      %w = zext %v : i32
      %one = add 0x3f803f80:i32, 0:i32 : i32
      %d = dot8_bf16 %one, %one, %one, %one, %one, %one, %one, %one, 0.5:f32 : f32
      %r = printf format="%d %.1f" %w, %d : i32
      ret
    }"""
    assert run(text, 1) == "3 8.5"


@pytest.mark.parametrize(
    ("template", "operands", "wanted"),
    [
        ("%5d|%-4u|%x|%c", "-7:i32, 3:i32, 255:i32, 65:i32", "   -7|3   |ff|A"),
        ("%8.3f|%g|%a", "3.14159:f64, 0.5:f64, 1.0:f64", "   3.142|0.5|0x1.0000000000000p+0"),
        ("%lld %llu|%*d|%.*f", "-1:i64, -1:i64, 4:i32, 9:i32, 1:i32, 2.5:f64", "-1 18446744073709551615|   9|2.5"),
        ("%s %% %p", "%s, 0x10:ptr.global", "hi % 0x10"),
        ("%d", "", "0"),
    ],
)
def test_printf_formats_like_c(template: str, operands: str, wanted: str) -> None:
    text = f"""
    global @s constant size 3 align 1 data "686900"
    kernel @k() {{
    ^e:
      %s = global_addr symbol=s : ptr.constant
      %r = printf format="{template}" {operands} : i32
      ret
    }}"""
    assert run(text, 1) == wanted


def test_variables_of_a_module_keep_their_content_between_launches() -> None:
    text = """
    global @count global size 4 align 4 data "05000000"
    kernel @k() {
    ^e:
      %p = global_addr symbol=count : ptr.global
      %old = atomic_add %p, 1:i32 : i32
      %r = printf format="%d " %old : i32
      ret
    }"""
    module, memory = module_of(text), Memory()
    assert [launch(module, "k", 1, 2, [], memory=memory).output for _ in range(2)] == ["5 6 ", "7 8 "]
    assert memory.read(memory.load(module)["count"], 4) == b"\t\0\0\0"
    assert launch(module, "k", 1, 1, []).output == "5 "


RACE = """kernel @k(%p: ptr.global) {
^e:
  %i = tid axis=x : i32
  store %i, %p
  ret
}"""


def test_the_order_of_threads_exposes_races() -> None:
    results = []
    for order in (Order.ASCENDING, Order.DESCENDING):
        cell = zeros(1)
        run(RACE, 8, cell, order=order)
        results.append(int(cell[0]))
    assert results == [7, 0]


def test_a_random_order_is_a_function_of_its_seed() -> None:
    def last(seed: int) -> int:
        cell = zeros(1)
        run(RACE, 64, cell, order=Order.RANDOM, seed=seed)
        return int(cell[0])

    assert [last(seed) for seed in range(4)] == [last(seed) for seed in range(4)]
    assert len({last(seed) for seed in range(4)}) > 1


@pytest.mark.parametrize("merge", [1, 3])
def test_merged_blocks_keep_their_own_shared_memory_and_barriers(merge: int) -> None:
    text = f"""
    global @t shared size 4 align 4
    kernel @k(%out: ptr.global) merge {merge} {{
    ^e:
      %t = global_addr symbol=t : ptr.shared
      %b = ctaid axis=x : i32
      br ^loop(0:i32)
    ^loop(%i: i32):
      %old = atomic_add scope=block %t, 1:i32 : i32
      %n = barrier_count 1:i1 : i32
      %next = add %i, 1:i32 : i32
      %more = icmp pred=ule %next, %b : i1
      cbr %more, ^loop(%next), ^done
    ^done:
      %v = load %t : i32
      %s = mul %v, %n : i32
      %o = mul %b, 4:i32 : i32
      %at = ptr_add %out, %o : ptr.global
      store %s, %at
      ret
    }}"""
    out = zeros(5)
    run(text, 2, out, grid=5)
    assert out.tolist() == [4 * (k + 1) for k in range(5)]


def test_every_access_can_be_observed() -> None:
    seen: list[Access] = []
    text = """
    global @t shared size 4 align 4
    kernel @k(%p: ptr.global) {
    ^e:
      %t = global_addr symbol=t : ptr.shared
      %v = load %p : i16
      barrier
      store %v, %t
      %old = atomic_add %t, 1:i32 : i32
      ret
    }"""
    run(text, 1, zeros(1), observe=seen.append)
    assert [(item.kind, item.space, item.size, item.epoch) for item in seen] == [
        ("read", Space.GLOBAL, 2, 0),
        ("write", Space.SHARED, 2, 1),
        ("atomic", Space.SHARED, 4, 1),
    ]


def test_the_clock_moves_forward() -> None:
    text = """kernel @k() {
    ^e:
      %a = clock : i64
      br ^f
    ^f:
      %b = clock : i64
      %later = icmp pred=ugt %b, %a : i1
      %r = printf format="%d" %later : i32
      ret
    }"""
    assert run(text, 1) == "1"


def test_a_launch_binds_arrays_without_copying() -> None:
    array = np.array([[1, 2], [3, 4]], np.int64)
    memory = Memory()
    address = memory.bind(array, "m")
    memory.write(address + 8, b"\x07")
    assert array.tolist() == [[1, 7], [3, 4]]
    assert memory.allocate(10) % 256 == 0
    with pytest.raises(ValueError, match="only writable C-contiguous arrays"):
        memory.bind(array.T)
    assert isinstance(Module().kernels, dict)
