"""Output, assertions, traps and clocks of the native engine, compared with the interpreter where that decides."""

from __future__ import annotations

import re
import time
from typing import Any

import numpy as np
import pytest

from openrpp.codegen import host
from openrpp.codegen.errors import KernelStopped
from openrpp.kir.interp import Memory, launch
from openrpp.kir.interp.faults import Fault
from openrpp.kir.ops import OPS
from openrpp.kir.ops.form import Effect
from openrpp.kir.parser import parse_module
from tests.codegen.support import Arena

Triple = tuple[int, int, int]


def outputs(text: str, name: str, grid: int, block: Triple, args: list[Any], workers: int = 2) -> tuple[str, str]:
    """What both engines print; arguments that are arrays are device memory."""
    module = parse_module(text)
    copies = [item.copy() if isinstance(item, np.ndarray) else item for item in args]
    wanted = launch(module, name, grid, block, copies, memory=Memory()).output
    arena = Arena()
    symbols = arena.symbols(module)
    given = [arena.place(item) if isinstance(item, np.ndarray) else item for item in args]
    made = host.compile(module, name, block)
    found = made.launch((grid, 1, 1), given, arena.memory, symbols=symbols, workers=workers)
    assert found.dropped == 0
    return found.text, wanted


TYPES = r"""
module "types"

global @word constant size 6 align 1 data "68656c6c6f00"

kernel @types(%data: ptr.global) {
^entry:
  %t = tid axis=x : i32
  %w = sext %t : i64
  %o = mul %w, 8:i64 : i64
  %at = ptr_add %data, %o : ptr.global
  %i1 = load %at : i1
  %i8 = load %at : i8
  %i16 = load %at : i16
  %i32 = load %at : i32
  %i64 = load %at : i64
  %f32 = load %at : f32
  %f64 = load %at : f64
  %f16 = load %at : f16
  %bf = load %at : bf16
  %word = global_addr symbol="word" : ptr.constant
  %b = ctaid axis=x : i32
  %p1 = printf format="%d.%d: %d %d %hd %i %lld|" %b, %t, %i1, %i8, %i16, %i32, %i64 : i32
  %p2 = printf format="%u %x %#o %08X %5d|%-7d|%+d|" %i32, %i32, %i16, %i32, %i8, %i8, %i8 : i32
  %p3 = printf format="%f %10.3e %g %a %.*f %%|" %f64, %f64, %f32, %f64, 2:i32, %f32 : i32
  %p4 = printf format="%g %g %c%c %s %10s %p\n" %f16, %bf, 65:i32, %i8, %word, %word, 255:i64 : i32
  %sum = add %p1, %p2 : i32
  %all = add %sum, %p3 : i32
  %end = printf format="%d\n" %all : i32
  ret
}
"""


@pytest.mark.parametrize("block", [(4, 1, 1), (37, 1, 1)], ids=str)
def test_formats_and_types(block: Triple) -> None:
    values = np.random.default_rng(5).integers(0, 1 << 63, 64, np.uint64)
    values[:6] = [0, 65, 1, 0x4059_0000_4248_0000, 0x7FF8_0000_7FC0_7E41, 0xBFF8_0000_BFC0_3C00]
    found, wanted = outputs(TYPES, "types", 2, block, [values])
    assert found == wanted
    assert found.count("hello") == 2 * 2 * block[0]


ORDER = """
module "order"

kernel @order(%n: i32) {
^entry:
  %x = tid axis=x : i32
  %y = tid axis=y : i32
  %b = ctaid axis=x : i32
  %odd = and %x, 1:i32 : i32
  %is = icmp pred=ne %odd, 0:i32 : i1
  %p0 = printf format="a%d,%d,%d " %b, %y, %x : i32
  cbr %is, ^odd, ^join
^odd:
  br ^turn(0:i32)
^turn(%i: i32):
  %p1 = printf format="b%d,%d,%d,%d " %b, %y, %x, %i : i32
  %next = add %i, 1:i32 : i32
  %more = icmp pred=ult %next, %x : i1
  cbr %more, ^turn(%next), ^join
^join:
  barrier
  %p2 = printf format="c%d,%d,%d " %b, %y, %x : i32
  %r = printf format="%d;" %p2 : i32
  cbr %is, ^end, ^last
^last:
  %none = printf format="last " : i32
  br ^end
^end:
  ret
}
"""


@pytest.mark.parametrize("block", [(6, 1, 1), (4, 3, 1), (70, 1, 1), (5, 3, 2)], ids=str)
@pytest.mark.parametrize("workers", [1, 2])
def test_order_is_that_of_blocks_and_threads_between_barriers(block: Triple, workers: int) -> None:
    found, wanted = outputs(ORDER, "order", 5, block, [0], workers)
    assert found == wanted


MANY = """
module "many"

kernel @many(%n: i32) {
^entry:
  %t = tid axis=x : i32
  %b = ctaid axis=x : i32
  br ^turn(0:i32)
^turn(%i: i32):
  %p = printf format="%d %d %d\\n" %b, %t, %i : i32
  %next = add %i, 1:i32 : i32
  %more = icmp pred=slt %next, %n : i1
  cbr %more, ^turn(%next), ^end
^end:
  ret
}
"""


@pytest.mark.parametrize("workers", [1, 2])
def test_records_without_room_are_counted(workers: int) -> None:
    made = host.compile(parse_module(MANY), "many", (64, 1, 1))
    done = made.launch((40, 1, 1), [20], Arena().memory, workers=workers)
    lines = done.text.splitlines()
    assert len(lines) + done.dropped == 40 * 64 * 20
    assert len(lines) > 10_000 and done.dropped > 10_000
    assert len(set(lines)) == len(lines)
    if workers == 1:
        assert lines[:3] == ["0 0 0", "0 0 1", "0 0 2"]
    small = made.launch((2, 1, 1), [2], Arena().memory, workers=workers)
    assert small.dropped == 0
    assert small.text == "".join(f"{b} {t} {i}\n" for b in range(2) for t in range(64) for i in range(2))


STOPS = {
    "trap": 'trap  !"a.cu":7:3',
    "assertion": 'assert_fail message="i < n" function="f"  !"a.cu":7:3',
    "bare assertion": 'assert_fail message="x"  !"a.cu":7:3',
}
STOP = """
module "stop"

kernel @stop(%block: i32, %thread: i32, %out: ptr.global) {
^entry:
  %t = tid axis=x : i32
  %b = ctaid axis=x : i32
  %o = mul %t, 4:i32 : i32
  %at = ptr_add %out, %o : ptr.global
  store 1:i32, %at
  %mine = icmp pred=eq %b, %block : i1
  cbr %mine, ^near, ^end
^near:
  %me = icmp pred=uge %t, %thread : i1
  cbr %me, ^bad, ^end
^bad:
  INSTRUCTION
^end:
  ret
}
"""


def sentence(error: Exception) -> str:
    return str(error).split(": kernel stop: ")[1]


@pytest.mark.parametrize("thread", [0, 5, 36])
@pytest.mark.parametrize("block", [(37, 1, 1), (64, 1, 1)], ids=str)
@pytest.mark.parametrize("why", STOPS)
def test_stops_say_what_the_interpreter_says(why: str, block: Triple, thread: int) -> None:
    module = parse_module(STOP.replace("INSTRUCTION", STOPS[why] + "\n  br ^end"))
    with pytest.raises(Fault) as wanted:
        launch(module, "stop", 5, block, [3, thread, np.zeros(64, np.uint32)])
    arena = Arena()
    args = [3, thread, arena.place(np.zeros(64, np.uint32))]
    with pytest.raises(KernelStopped) as found:
        host.compile(module, "stop", block).launch((5, 1, 1), args, arena.memory, workers=2)
    assert sentence(found.value) == sentence(wanted.value)
    assert found.value.location == wanted.value.at.location
    assert re.search(rf"block \(3, 0, 0\), thread \({thread}, 0, 0\)", str(found.value))


def test_code_that_is_declared_unreachable() -> None:
    module = parse_module(STOP.replace("INSTRUCTION", "unreachable"))
    with pytest.raises(Fault) as wanted:
        launch(module, "stop", 5, 37, [3, 30, np.zeros(64, np.uint32)])
    arena = Arena()
    args = [3, 30, arena.place(np.zeros(64, np.uint32))]
    with pytest.raises(KernelStopped) as found:
        host.compile(module, "stop", (37, 1, 1)).launch((5, 1, 1), args, arena.memory, workers=1)
    assert sentence(found.value) == sentence(wanted.value)


ENDLESS = """
module "endless"

kernel @endless(%flag: ptr.global) {
^entry:
  %b = ctaid axis=x : i32
  %bad = icmp pred=eq %b, 1:i32 : i1
  cbr %bad, ^bad, ^turn
^bad:
  %p = printf format="stopping\\n" : i32
  trap
  ret
^turn:
  %v = load volatile %flag : i32
  %go = icmp pred=eq %v, 0:i32 : i1
  cbr %go, ^turn, ^end
^end:
  ret
}
"""


def test_a_trap_ends_blocks_that_would_not_end() -> None:
    arena = Arena()
    place = arena.place(np.zeros(1, np.uint32))
    made = host.compile(parse_module(ENDLESS), "endless", (32, 1, 1))
    with pytest.raises(KernelStopped, match=r"block \(1, 0, 0\), thread \(0, 0, 0\): the kernel executed a trap"):
        made.launch((2, 1, 1), [place], arena.memory, workers=2)


CLOCK = """
module "clock"

kernel @clock(%out: ptr.global) {
^entry:
  %t = tid axis=x : i32
  %a = clock : i64
  %c = clock : i32
  %wide = zext %c : i64
  %low = and %a, 4294967295:i64 : i64
  %d = clock : i64
  %o = mul %t, 24:i32 : i32
  %at = ptr_add %out, %o : ptr.global
  store %a, %at
  %at2 = ptr_add %at, 8:i32 : ptr.global
  store %wide, %at2
  %at3 = ptr_add %at, 16:i32 : ptr.global
  store %d, %at3
  ret
}
"""


def test_clocks_do_not_run_backward() -> None:
    arena, threads = Arena(), 50
    place = arena.place(np.zeros(3 * threads, np.uint64))
    made = host.compile(parse_module(CLOCK), "clock", (threads, 1, 1))
    made.launch((1, 1, 1), [place], arena.memory, workers=1)
    first = arena.read(place, np.zeros((threads, 3), np.uint64)).copy()
    time.sleep(0.001)
    made.launch((1, 1, 1), [place], arena.memory, workers=1)
    second = arena.read(place, np.zeros((threads, 3), np.uint64))
    for found in (first, second):
        steps = (found[:, 1] - found[:, 0]) & np.uint64(0xFFFF_FFFF)
        assert (found[:, 2] >= found[:, 0]).all() and (steps <= found[:, 2] - found[:, 0]).all()
    assert (second[:, 0] > first[:, 2]).all()


def test_every_side_effect_is_tested() -> None:
    assert {op.name for op in OPS.values() if op.effect is Effect.SIDE} == {"printf", "assert_fail", "trap", "clock"}
