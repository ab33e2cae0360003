"""Barriers with results, of the whole grid, and dynamic shared memory, with blocks merged and not."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from openrpp.codegen import card
from openrpp.codegen.card.rows import in_a_row
from openrpp.codegen.errors import Unsupported
from openrpp.kir.interp import launch
from openrpp.kir.parser import parse_module

from .support import Board, expanded

WAYS = [(True, 1), (False, 1), (False, 2), (True, 2), (False, 4)]
Triple = tuple[int, int, int]


def compared(
    text: str, grid: int, block: Triple, args: list[Any], naive: bool, merge: int, dynamic: int = 0
) -> NDArray[Any]:
    """The array that is the first argument, which the card leaves as the interpreter does."""
    made = parse_module(text)
    wanted = args[0].copy()
    launch(made, "k", grid, block, [wanted, *args[1:]], shared_bytes=dynamic)
    board = Board()
    place = board.place(args[0])
    program = card.compile(expanded(made, merge), "k", block, naive=naive)
    board.launch(program, (grid, 1, 1), [place, *args[1:]], board.symbols(made), dynamic)
    found = board.read(place, wanted)
    assert found.tolist() == wanted.tolist()
    return found


RESULTS = """module "m"
kernel @k(%out: ptr.global, %n: i32) {
^entry:
  %t = tid axis=x : i32
  %b = ctaid axis=x : i32
  %size = ntid axis=x : i32
  %first = mul %b, %size : i32
  %i = add %first, %t : i32
  %at = mul %i, 16:i32 : i32
  %place = ptr_add %out, %at : ptr.global
  %last = sub %size, 2:i32 : i32
  %gone = icmp pred=ugt %t, %last : i1
  cbr %gone, ^end, ^rest
^rest:
  %limit = add %n, %b : i32
  %low = icmp pred=ult %t, %limit : i1
  %none = icmp pred=ugt %t, 9999:i32 : i1
  %uniform = icmp pred=ugt %n, 2:i32 : i1
  %count = barrier_count %low : i32
  store %count, %place
  %all = barrier_and %low : i1
  %whole = barrier_and %uniform : i1
  %any = barrier_or %none : i1
  %some = barrier_or %low : i1
  %every = barrier_count %uniform : i32
  %p1 = ptr_add %place, 4:i32 : ptr.global
  store %every, %p1
  %a = zext %all : i32
  %w = zext %whole : i32
  %y = zext %any : i32
  %s = zext %some : i32
  %w2 = shl %w, 1:i32 : i32
  %y4 = shl %y, 2:i32 : i32
  %s8 = shl %s, 3:i32 : i32
  %aw = or %a, %w2 : i32
  %ys = or %y4, %s8 : i32
  %bits = or %aw, %ys : i32
  %p2 = ptr_add %place, 8:i32 : ptr.global
  store %bits, %p2
  br ^again(0:i32)
^again(%k: i32):
  %next = add %k, 1:i32 : i32
  %on = icmp pred=ult %k, %b : i1
  %below = icmp pred=ult %t, %k : i1
  %found = barrier_count %below : i32
  %p3 = ptr_add %place, 12:i32 : ptr.global
  store %found, %p3
  cbr %on, ^again(%next), ^end
^end:
  ret
}
"""


@pytest.mark.parametrize("n", [0, 1, 40, 64])
@pytest.mark.parametrize(("naive", "merge"), WAYS)
def test_barriers_answer_each_block(n: int, naive: bool, merge: int) -> None:
    """One thread has returned; blocks ask differently, and a different number of times."""
    compared(RESULTS, 5, (64, 1, 1), [np.zeros(5 * 64 * 4, np.uint32), n], naive, merge)


@pytest.mark.parametrize(("naive", "merge"), [(True, 1), (False, 1), (False, 3)])
def test_blocks_of_no_whole_number_of_warps(naive: bool, merge: int) -> None:
    compared(RESULTS, 4, (40, 1, 1), [np.zeros(4 * 40 * 4, np.uint32), 7], naive, merge)


DYNAMIC = """module "m"
global @fixed shared size 20 align 4
global @open shared size 0 align 4 dynamic

kernel @k(%out: ptr.global, %n: i32) {
^entry:
  %t = tid axis=x : i32
  %b = ctaid axis=x : i32
  %size = ntid axis=x : i32
  %first = mul %b, %size : i32
  %i = add %first, %t : i32
  %at = mul %i, 4:i32 : i32
  %place = ptr_add %out, %at : ptr.global
  %base = global_addr symbol="open" : ptr.shared
  %four = mul %t, 4:i32 : i32
  %mine = ptr_add %base, %four : ptr.shared
  store %i, %mine
  %near = global_addr symbol="fixed" : ptr.shared
  store %b, %near
  barrier
  %up = sub %n, %t : i32
  %other = mul %up, 4:i32 : i32
  %theirs = ptr_add %base, %other : ptr.shared
  %got = load %theirs : i32
  %same = load %near : i32
  %sum = add %got, %same : i32
  store %sum, %place
  ret
}
"""


@pytest.mark.parametrize(("naive", "merge"), WAYS)
@pytest.mark.parametrize("dynamic", [256, 300])
def test_merged_blocks_have_dynamic_shared_memory_of_their_own(naive: bool, merge: int, dynamic: int) -> None:
    compared(DYNAMIC, 6, (64, 1, 1), [np.zeros(6 * 64, np.uint32), 63], naive, merge, dynamic)


GRID = """module "m"
kernel @k(%x: ptr.global, %n: i32) {
^entry:
  %t = tid axis=x : i32
  %b = ctaid axis=x : i32
  %size = ntid axis=x : i32
  %first = mul %b, %size : i32
  %i = add %first, %t : i32
  %last = sub %n, 1:i32 : i32
  %other = sub %last, %i : i32
  %mine = mul %i, 4:i32 : i32
  %theirs = mul %other, 4:i32 : i32
  %at = ptr_add %x, %mine : ptr.global
  %far = ptr_add %x, %theirs : ptr.global
  br ^turn(0:i32)
^turn(%k: i32):
  br ^inner(0:i32)
^inner(%j: i32):
  barrier
  %more = add %j, 1:i32 : i32
  %on = icmp pred=ult %j, %b : i1
  cbr %on, ^inner(%more), ^sync
^sync:
  %value = load %far : i32
  grid_barrier
  %new = mul %value, 3:i32 : i32
  %plus = add %new, %i : i32
  store %plus, %at
  grid_barrier
  %next = add %k, 1:i32 : i32
  %again = icmp pred=ult %next, 3:i32 : i1
  cbr %again, ^turn(%next), ^end
^end:
  ret
}
"""


@pytest.mark.parametrize("naive", [True, False], ids=["plain", "optimised"])
def test_blocks_wait_for_the_grid_where_they_run_as_one(naive: bool) -> None:
    """Each block passes another number of barriers of its own in between."""
    compared(GRID, 3, (64, 1, 1), [np.arange(192, dtype=np.uint32), 192], naive, 3)
    compared(GRID, 1, (64, 1, 1), [np.arange(64, dtype=np.uint32), 64], naive, 1)


PLACES = """module "m"
kernel @k(%x: ptr.global) {
^entry:
  %t = tid axis=x : i32
  %bx = ctaid axis=x : i32
  %by = ctaid axis=y : i32
  %bz = ctaid axis=z : i32
  %nx = nctaid axis=x : i32
  %ny = nctaid axis=y : i32
  %nz = nctaid axis=z : i32
  %z1 = mul %bz, %ny : i32
  %z2 = add %z1, %by : i32
  %z3 = mul %z2, %nx : i32
  %block = add %z3, %bx : i32
  %first = mul %block, 32:i32 : i32
  %i = add %first, %t : i32
  %mine = mul %i, 4:i32 : i32
  %at = ptr_add %x, %mine : ptr.global
  %flip1 = mul %nx, %ny : i32
  %flip2 = mul %flip1, %nz : i32
  %flip3 = mul %flip2, 32:i32 : i32
  %flip4 = sub %flip3, 1:i32 : i32
  %other = sub %flip4, %i : i32
  %theirs = mul %other, 4:i32 : i32
  %far = ptr_add %x, %theirs : ptr.global
  %value = load %far : i32
  grid_barrier
  %hundred = mul %by, 100:i32 : i32
  %sum = add %value, %hundred : i32
  %p = printf format="%d.%d.%d " %bx, %by, %bz : i32
  store %sum, %at
  ret
}
"""


def test_a_grid_of_several_axes_runs_as_a_row_of_blocks() -> None:
    grid, count = (3, 2, 4), 24
    made = parse_module(PLACES)
    wanted = np.arange(32 * count, dtype=np.uint32)
    output = launch(made, "k", grid, 32, [wanted]).output
    board = Board()
    place = board.place(np.arange(32 * count, dtype=np.uint32))
    program = card.compile(expanded(in_a_row(made, "k", grid), count), "k", (32, 1, 1))
    board.launch(program, (count, 1, 1), [place], {})
    assert board.read(place, wanted).tolist() == wanted.tolist()
    assert board.told.output == output


def test_more_blocks_than_one_block_of_the_card_holds_are_refused() -> None:
    with pytest.raises(Unsupported, match=r"its 128 blocks of 64 threads wait for each other.* has 8160 threads"):
        card.compile(expanded(parse_module(GRID), 128), "k", (64, 1, 1))


def test_a_grid_that_is_no_single_block_is_refused() -> None:
    program = card.compile(expanded(parse_module(GRID), 3), "k", (64, 1, 1))
    assert program.is_cooperative
    assert program.blocks((2, 1, 1)) == (1, 1, 1)
    with pytest.raises(Unsupported, match=r"4 blocks of 64 threads wait for each other.* 8160 threads .* 3 are merged"):
        program.blocks((4, 1, 1))
    with pytest.raises(Unsupported, match="wait for each other"):
        program.blocks((3, 2, 1))
