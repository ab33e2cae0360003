"""What the interpreter refuses: the kind of error and the whole sentence."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from openrpp.kir.interp import Memory, launch
from openrpp.kir.interp.faults import (
    AssertionFailed,
    DivergentBarrier,
    DivergentWarp,
    Fault,
    LaunchError,
    Misaligned,
    NotUniform,
    OutOfBounds,
    ReadOnly,
    Runaway,
    Trapped,
)
from tests.kir.kernels import module_of


def fault(
    body: str, kind: type[Fault], *args: Any, threads: int = 2, params: str = "%p: ptr.global", **options: Any
) -> str:
    """The sentence of the fault of a kernel."""
    text = f"""
    global @c constant size 8 align 8
    global @t shared size 8 align 8
    kernel @k({params}) {{
      local @l size 4 align 4
    ^e:
      %i = tid axis=x : i32
      %c = global_addr symbol=c : ptr.constant
      %t = global_addr symbol=t : ptr.shared
      %l = local_addr symbol=l : ptr.private
    {body}
    }}"""
    with pytest.raises(kind) as caught:
        launch(module_of(text), "k", 1, threads, args or [np.zeros(2, np.int32)], **options)
    assert type(caught.value) is kind
    return str(caught.value)


def test_a_load_behind_an_array_names_line_block_thread_and_allocation() -> None:
    body = ' %o = mul %i, 8:i32 : i32\n %q = ptr_add %p, %o : ptr.global\n %v = load %q : i32  !"a.cu":9:2\n ret'
    assert fault(body, OutOfBounds) == (
        "rpp: kir: a.cu:9: kernel k: block (0, 0, 0), thread (1, 0, 0): read out of bounds: "
        "4 bytes at offset 8 do not lie in allocation 'p' of 8 bytes at 0x10000000"
    )


@pytest.mark.parametrize(
    ("access", "sentence"),
    [
        (
            "%q = ptr_add %t, 8:i64 : ptr.shared\n store 1:i32, %q",
            "write out of bounds: 4 bytes at offset 8 do not lie in shared",
        ),
        ("%q = ptr_add %l, -4:i64 : ptr.private\n store 1:i32, %q", "do not lie in private memory of 4 bytes"),
        ("%v = load 0x0:ptr.generic : i32", "address 0x0 lies before all device memory"),
        (
            "%v = atomic_add 0x10:ptr.shared, 1:i32 : i32",
            "atomic out of bounds: 4 bytes at offset 16 do not lie in shared",
        ),
    ],
)
def test_accesses_outside_of_a_space(access: str, sentence: str) -> None:
    assert sentence in fault(f" {access}\n ret", OutOfBounds)


def test_a_misaligned_access() -> None:
    body = " %q = ptr_add %p, 2:i64 : ptr.global\n store 1:i32, %q\n ret"
    assert fault(body, Misaligned).endswith("write of 4 bytes at 0x10000002, not a multiple of 4")
    body = " %q = ptr_add %p, 2:i64 : ptr.global\n store align=2 1:i32, %q\n ret"
    launch(module_of(f"kernel @k(%p: ptr.global) {{\n^e:\n{body}\n}}"), "k", 1, 1, [np.zeros(2, np.int32)])


def test_constant_memory_is_not_written() -> None:
    body = " %q = space_cast %c : ptr.generic\n store 1:i32, %q\n ret"
    assert "write of constant memory at 0x1" in fault(body, ReadOnly)


SPLIT = " %odd = icmp pred=eq %i, 1:i32 : i1\n cbr %odd, ^a, ^b\n^a:\n {}\n br ^end\n^b:\n {}\n br ^end\n^end:\n ret"


def test_threads_at_different_barriers() -> None:
    body = SPLIT.format('barrier  !"a.cu":3:1', 'barrier  !"a.cu":5:1')
    assert fault(body, DivergentBarrier) == (
        "rpp: kir: a.cu:5: kernel k: block (0, 0, 0), thread (0, 0, 0): thread (0, 0, 0) waits at 'barrier' (a.cu:5), "
        "thread (1, 0, 0) waits at 'barrier' (a.cu:3)"
    )


def test_a_barrier_against_a_warp_op() -> None:
    sentence = fault(SPLIT.format("barrier", "warp_sync -1:i32"), DivergentBarrier)
    assert "thread (0, 0, 0) waits at 'warp_sync', thread (1, 0, 0) waits at 'barrier'" in sentence


def test_lanes_at_different_shuffles() -> None:
    shuffle = "%v{} = shfl_idx -1:i32, %i, 0:i32, 32:i32 : i32"
    sentence = fault(SPLIT.format(shuffle.format(1), shuffle.format(2)), DivergentWarp)
    assert "thread (0, 0, 0) waits at 'shfl_idx', thread (1, 0, 0) waits at 'shfl_idx'" in sentence


def test_a_lane_outside_its_own_mask() -> None:
    body = " warp_sync 1:i32\n ret"
    assert fault(body, DivergentWarp).endswith("lane 1 executes 'warp_sync' with mask 0x1, which leaves it out")


def test_lanes_that_disagree_about_the_mask() -> None:
    body = " %m = shl %i, 2:i32 : i32\n %n = or %m, 3:i32 : i32\n warp_sync %n\n ret"
    assert "waits at 'warp_sync' with a mask that others do not share" in fault(body, DivergentWarp)


def test_staging_needs_uniform_operands() -> None:
    body = " %n = add %i, 1:i32 : i32\n stage_in %t, %p, %n\n ret"
    assert "threads (0, 0, 0) and (1, 0, 0) give different operands to 'stage_in'" in fault(body, NotUniform)
    assert "12 bytes at offset 0 do not lie in shared memory of 8 bytes" in fault(
        " stage_in %t, %p, 12:i32\n ret", OutOfBounds
    )


def test_traps_assertions_and_unreachable_code() -> None:
    assert fault(" trap\n ret", Trapped).endswith("the kernel executed a trap")
    assert fault(" unreachable", Trapped).endswith("control reached the end of a block that is declared unreachable")
    body = ' assert_fail function="f" message="i < n"  !"a.cu":4:1\n ret'
    assert fault(body, AssertionFailed) == (
        "rpp: kir: a.cu:4: kernel k: block (0, 0, 0), thread (0, 0, 0): assertion 'i < n' failed in f"
    )


def test_a_loop_without_end() -> None:
    body = " br ^loop\n^loop:\n br ^loop"
    assert fault(body, Runaway, max_steps=10_000) == "rpp: kir: kernel k: launch: more than 10000 steps"


@pytest.mark.parametrize(
    ("name", "grid", "block", "args", "sentence"),
    [
        ("j", 1, 1, [], "there is no kernel 'j'; the module has k"),
        ("k", 0, 1, [], "the grid is 0; it has one to three extents of 1 or more"),
        ("k", 1, (1, 2, 3, 4), [], "the block is (1, 2, 3, 4); it has one to three extents of 1 or more"),
        ("k", 1, 128, [], "a block of 128 threads; the kernel is bound to 64"),
        ("k", 1, 1, [1], "1 arguments; the kernel takes 3"),
        ("k", 1, 1, [1.5, 2.0, b"1234"], "argument 'n' is a i32, not 1.5"),
        ("k", 1, 1, [np.zeros(1), 2.0, b"1234"], "argument 'n' is a i32, not an array"),
        ("k", 1, 1, [1, 2.0, b"12"], "argument 's' takes 4 bytes, not b'12'"),
    ],
)
def test_launches_that_cannot_start(name: str, grid: int, block: int, args: list[Any], sentence: str) -> None:
    module = module_of("kernel @k(%n: i32, %x: f32, %s: byval 4 align 4) max_threads 64 {\n^e:\n ret\n}")
    with pytest.raises(LaunchError) as caught:
        launch(module, name, grid, block, args, memory=Memory())
    assert sentence in str(caught.value)
